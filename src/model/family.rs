//! What distinguishes one kind of model from another, as data: the loader, both ways of running a tower and the
//! preprocessing read it here. How large a model is stands in its [`Architecture`](super::Architecture).

use super::preprocessing::{Filter, ImageProcessor, PictureSize, Preprocessing, Resize};

/// A kind of model.
#[derive(Debug, PartialEq)]
pub struct Family {
    /// What `config.json` calls it.
    model_type: &'static str,
    /// Who reads `preprocessor_config.json`.
    pub(super) image_processor: ImageProcessor,
    /// Whether something is added to each patch after the product with its weights.
    pub has_patch_bias: bool,
    /// The image tower.
    pub vision: TowerFamily,
    /// The text tower.
    pub text: TowerFamily,
}

/// What a tower has in common with those of its kind. Names are those of tensors.
#[derive(Debug, PartialEq)]
pub struct TowerFamily {
    /// All but the projection.
    pub model: &'static str,
    /// The layer norm before the first layer, where there is one.
    pub pre_norm: Option<&'static str>,
    /// The layer norm of what is pooled.
    pub final_norm: &'static str,
    /// The projection into the joint space.
    pub projection: &'static str,
    /// Whether the projection adds something to each of its values.
    pub has_projection_bias: bool,
    /// Whether no position looks at a later one. A text then needs no more positions than it has tokens.
    pub is_causal: bool,
    /// What stands for the whole input in the end.
    pub pooling: Pooling,
}

/// The position that stands for the whole input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// A class token, which stands before all others and has an embedding of its own.
    ClassToken,
    /// The last one, where a text ends.
    EndOfText,
}

impl Pooling {
    /// Positions that are added before the input's own.
    pub fn leading(self) -> usize {
        usize::from(self == Pooling::ClassToken)
    }

    /// Where it is among `count` positions.
    pub fn position(self, count: usize) -> usize {
        match self {
            Pooling::ClassToken => 0,
            Pooling::EndOfText => count - 1,
        }
    }
}

/// CLIP, as `OpenAI`, LAION, `DataComp` and `MetaCLIP` trained it.
pub(super) static CLIP: Family = Family {
    model_type: "clip",
    image_processor: ImageProcessor {
        name_start: "CLIP",
        defaults: Preprocessing {
            resize: Some(Resize::ShortestEdge(224)),
            filter: Filter::Bicubic,
            crop: Some(PictureSize {
                height: 224,
                width: 224,
            }),
            rescale_factor: 1.0 / 255.0,
            image_mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            image_std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
        },
    },
    has_patch_bias: false,
    vision: TowerFamily {
        model: "vision_model",
        // The missing letter is in every checkpoint.
        pre_norm: Some("pre_layrnorm"),
        final_norm: "post_layernorm",
        projection: "visual_projection",
        has_projection_bias: false,
        is_causal: false,
        pooling: Pooling::ClassToken,
    },
    text: TowerFamily {
        model: "text_model",
        pre_norm: None,
        final_norm: "final_layer_norm",
        projection: "text_projection",
        has_projection_bias: false,
        is_causal: true,
        pooling: Pooling::EndOfText,
    },
};

/// All that can be run.
static FAMILIES: [&Family; 1] = [&CLIP];

impl Family {
    /// The family that `config.json` names.
    pub(crate) fn of(model_type: Option<&str>) -> Result<&'static Family, String> {
        let known: Vec<String> = FAMILIES
            .iter()
            .map(|family| format!("`{}`", family.model_type))
            .collect();
        let known = known.join(", ");
        let Some(name) = model_type else {
            return Err(format!("`model_type` is missing, it must be {known}"));
        };
        let found = FAMILIES.iter().find(|family| family.model_type == name);
        found
            .copied()
            .ok_or_else(|| format!("`model_type` `{name}` is not supported, take a {known} model"))
    }
}
