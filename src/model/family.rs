//! What distinguishes one kind of model from another, as data: the loader, both ways of running a tower, the tokenizer and the
//! preprocessing read it here. How large a model is stands in its [`Architecture`](super::Architecture).

use super::preprocessing::{Filter, ImageProcessor, Middle, PictureSize, Preprocessing, Resize};
use super::shape::{TextShape, TowerShape, VisionShape};
use crate::kernels::Activation;

/// A kind of model.
#[derive(Debug, PartialEq)]
pub struct Family {
    /// What `config.json` calls it.
    model_type: &'static str,
    /// Who reads `preprocessor_config.json`.
    pub(super) image_processor: ImageProcessor,
    /// The shapes of models whose `config.json` leaves them out.
    pub(super) vision_defaults: VisionShape,
    pub(super) text_defaults: TextShape,
    /// The licence of its weights, where that forbids commerce.
    pub(super) noncommercial: Option<&'static str>,
    /// How texts become ids.
    pub(super) texts: Texts,
    /// Whether something is added to each patch after the product with its weights.
    pub has_patch_bias: bool,
    /// Whether something is added to the logits, so that each of them alone makes a probability.
    pub has_logit_bias: bool,
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
    /// The projection into the joint space; without one the tower ends there already.
    pub projection: Option<Projection>,
    /// Whether no position looks at a later one. A text then needs no more positions than it has tokens.
    pub is_causal: bool,
    /// What stands for the whole input in the end.
    pub pooling: Pooling,
}

/// The last product of a tower.
#[derive(Debug, PartialEq)]
pub struct Projection {
    /// Its tensors.
    pub name: &'static str,
    /// Whether it adds something to each of its values.
    pub has_bias: bool,
}

/// What stands for the whole input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// A class token, which stands before all others and has an embedding of its own.
    ClassToken,
    /// The last position, where a text ends, or what it is filled up with.
    Last,
    /// All positions, as the attention of a learned query mixes them, and a perceptron behind it (Zhai et al. 2022, "Scaling
    /// Vision Transformers", section 3.2).
    Attention,
}

impl Pooling {
    /// Positions that are added before the input's own.
    pub fn leading(self) -> usize {
        usize::from(self == Pooling::ClassToken)
    }

    /// Where it is among `count` positions; `None` where it is all of them.
    pub fn position(self, count: usize) -> Option<usize> {
        match self {
            Pooling::ClassToken => Some(0),
            Pooling::Last => Some(count - 1),
            Pooling::Attention => None,
        }
    }
}

/// How texts become ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Texts {
    /// As `tokenizer.json` says, start and end of text around them, and no longer than they are.
    Ended,
    /// Cleaned, with an end of text behind them, and filled up to the context length: the tower was trained without a mask, so that
    /// the filling is a part of the text.
    Filled,
}

/// A tower with four times its width inside the perceptron, in heads of 64.
const fn tower(width: usize, activation: Activation, layer_norm_eps: f64) -> TowerShape {
    TowerShape {
        width,
        layers: 12,
        heads: width / 64,
        intermediate: 4 * width,
        activation,
        layer_norm_eps,
    }
}

const CLIP_FAMILY: Family = Family {
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
            middle: Middle::Down,
            rescale_factor: 1.0 / 255.0,
            image_mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            image_std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
        },
    },
    vision_defaults: VisionShape {
        tower: tower(768, Activation::QuickGelu, 1e-5),
        image_size: 224,
        patch_size: 32,
    },
    text_defaults: TextShape {
        tower: tower(512, Activation::QuickGelu, 1e-5),
        vocab_size: 49_408,
        context_length: 77,
        eos_token_id: 49_407,
    },
    noncommercial: None,
    texts: Texts::Ended,
    has_patch_bias: false,
    has_logit_bias: false,
    vision: TowerFamily {
        model: "vision_model",
        // The missing letter is in every checkpoint.
        pre_norm: Some("pre_layrnorm"),
        final_norm: "post_layernorm",
        projection: Some(Projection {
            name: "visual_projection",
            has_bias: false,
        }),
        is_causal: false,
        pooling: Pooling::ClassToken,
    },
    text: TowerFamily {
        model: "text_model",
        pre_norm: None,
        final_norm: "final_layer_norm",
        projection: Some(Projection {
            name: "text_projection",
            has_bias: false,
        }),
        is_causal: true,
        pooling: Pooling::Last,
    },
};

/// CLIP, as `OpenAI`, LAION, `DataComp` and `MetaCLIP` trained it.
pub(super) static CLIP: Family = CLIP_FAMILY;

/// The licence of Meta's weights.
const NONCOMMERCIAL: &str = "CC-BY-NC-4.0";

/// Repositories of models that are CLIPs like others and have such a licence.
const NONCOMMERCIAL_REPOSITORIES: &str = "facebook/metaclip-";

/// `MetaCLIP` 2: CLIP's towers with a vocabulary of many languages.
static METACLIP_2: Family = Family {
    model_type: "metaclip_2",
    noncommercial: Some(NONCOMMERCIAL),
    ..CLIP_FAMILY
};

/// `SigLIP`, and `SigLIP` 2 of fixed resolution, which calls itself the same.
pub(super) static SIGLIP: Family = Family {
    model_type: "siglip",
    image_processor: ImageProcessor {
        name_start: "Siglip",
        defaults: Preprocessing {
            resize: Some(Resize::Exact(PictureSize {
                height: 224,
                width: 224,
            })),
            filter: Filter::Bicubic,
            crop: None,
            middle: Middle::Down,
            rescale_factor: 1.0 / 255.0,
            image_mean: [0.5; 3],
            image_std: [0.5; 3],
        },
    },
    vision_defaults: VisionShape {
        tower: tower(768, Activation::GeluTanh, 1e-6),
        image_size: 224,
        patch_size: 16,
    },
    text_defaults: TextShape {
        tower: tower(768, Activation::GeluTanh, 1e-6),
        vocab_size: 32_000,
        context_length: 64,
        eos_token_id: 1,
    },
    noncommercial: None,
    texts: Texts::Filled,
    has_patch_bias: true,
    has_logit_bias: true,
    vision: TowerFamily {
        model: "vision_model",
        pre_norm: None,
        final_norm: "post_layernorm",
        projection: None,
        is_causal: false,
        pooling: Pooling::Attention,
    },
    text: TowerFamily {
        model: "text_model",
        pre_norm: None,
        final_norm: "final_layer_norm",
        projection: Some(Projection {
            name: "text_model.head",
            has_bias: true,
        }),
        is_causal: false,
        pooling: Pooling::Last,
    },
};

/// All that can be run.
static FAMILIES: [&Family; 3] = [&CLIP, &METACLIP_2, &SIGLIP];

/// Kinds that are met and cannot be run, each with what would run instead.
const INSTEAD: [(&str, &str); 7] = [
    (
        "siglip2",
        "its pictures have any shape (NaFlex); take one of fixed resolution, such as `google/siglip2-base-patch16-256`",
    ),
    (
        "chinese_clip",
        "its texts go through BERT, which pixdex does not run yet; `google/siglip2-base-patch16-256` reads Chinese",
    ),
    (
        "altclip",
        "its texts go through XLM-RoBERTa, which pixdex does not run yet; `google/siglip2-base-patch16-256` reads the same languages",
    ),
    (
        "jina_clip",
        "it comes with code of its own; `google/siglip2-base-patch16-256` reads the same languages",
    ),
    (
        "align",
        "its pictures go through EfficientNet; take `google/siglip2-base-patch16-256`",
    ),
    (
        "blip",
        "it describes pictures; take `google/siglip2-base-patch16-256`",
    ),
    (
        "clip_vision_model",
        "it has no text tower; take the model that it is a part of",
    ),
];

impl Family {
    /// The licence of a model's weights, where that is known to forbid commerce; `name` is the model as its owner names it.
    pub(super) fn noncommercial_licence(&self, name: &str) -> Option<&'static str> {
        let is_listed = name.starts_with(NONCOMMERCIAL_REPOSITORIES);
        self.noncommercial.or(is_listed.then_some(NONCOMMERCIAL))
    }

    /// The family that `config.json` names.
    pub(crate) fn of(model_type: Option<&str>) -> Result<&'static Family, String> {
        let known: Vec<String> = FAMILIES
            .iter()
            .map(|family| format!("`{}`", family.model_type))
            .collect();
        let known = known.join(", ");
        let Some(name) = model_type else {
            return Err(format!(
                "`model_type` is missing, it must be one of {known}"
            ));
        };
        if let Some(family) = FAMILIES.iter().find(|family| family.model_type == name) {
            return Ok(family);
        }
        let instead = INSTEAD.iter().find(|(model_type, _)| *model_type == name);
        Err(match instead {
            Some((_, instead)) => format!("`model_type` `{name}` cannot be run: {instead}"),
            None => format!("`model_type` `{name}` is not supported, take a model of {known}"),
        })
    }
}
