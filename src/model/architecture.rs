//! `config.json` → the shape of both towers, with every default that Hugging Face leaves out of the file.

use serde::Deserialize;

use super::{
    ModelError,
    family::{Family, Pooling, TowerFamily},
    parts::Part,
    shape::{TextShape, TowerShape, VisionShape, above_zero},
    tokenizer::Cleaning,
};
use crate::kernels::Activation;

/// A model's family and the shape of its towers.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// What it has in common with others of its kind.
    pub family: &'static Family,
    /// What its tensors are called.
    pub layout: Layout,
    /// The image tower.
    pub vision: VisionShape,
    /// The text tower.
    pub text: TextShape,
    /// What is done to texts before the tokenizer, where the configuration says so.
    pub(super) cleaning: Option<Cleaning>,
    /// Length of the embeddings that both towers end in.
    pub projection_dim: usize,
}

/// What tensors are called, and how they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As Hugging Face's transformers saves them.
    Transformers,
    /// As `open_clip` saves its own towers.
    OpenClip {
        /// Whether the text tower's stand below `text`.
        has_text: bool,
    },
    /// As `open_clip` saves an image tower of timm's and a text tower of its own.
    OpenClipTimm,
}

impl Architecture {
    /// Reads `config.json`.
    pub(super) fn parse(config: &Part) -> Result<Self, ModelError> {
        let raw: RawConfig = config.json()?;
        raw.architecture().map_err(|reason| config.invalid(&reason))
    }

    /// Towers of a family as transformers saves them.
    pub(crate) fn new(
        family: &'static Family,
        vision: VisionShape,
        text: TextShape,
        projection_dim: usize,
    ) -> Architecture {
        Architecture {
            family,
            layout: Layout::Transformers,
            vision,
            text,
            cleaning: None,
            projection_dim,
        }
    }

    /// Number of weights of both towers, all but the table of token embeddings.
    pub fn tower_parameters(&self) -> u64 {
        let Architecture {
            family,
            vision,
            text,
            projection_dim,
            ..
        } = self;
        let patches = vision.patch_size.pow(2) * 3 + usize::from(family.has_patch_bias);
        let positions = vision.grid().pow(2) + 2 * family.vision.pooling.leading();
        let of_vision = vision.tower.width * (patches + positions)
            + tower_parameters(&family.vision, &vision.tower, *projection_dim);
        let of_text = text.tower.width * text.context_length
            + tower_parameters(&family.text, &text.tower, *projection_dim);
        let of_similarity = 1 + usize::from(family.has_logit_bias);
        (of_vision + of_text + of_similarity) as u64
    }

    /// Number of weights of the table of token embeddings.
    pub fn table_parameters(&self) -> u64 {
        (self.text.vocab_size * self.text.tower.width) as u64
    }

    /// The same towers with so many layers between their two ends.
    pub(crate) fn with_layers(&self, layers: usize) -> Architecture {
        let mut other = self.clone();
        other.vision.tower.layers = layers;
        other.text.tower.layers = layers;
        other
    }
}

/// The weights of what both towers have.
fn tower_parameters(family: &TowerFamily, shape: &TowerShape, projection_dim: usize) -> usize {
    let TowerShape {
        width,
        intermediate,
        layers,
        ..
    } = *shape;
    let norm = 2 * width;
    let attention = 4 * (width * width + width);
    let perceptron = norm + 2 * width * intermediate + width + intermediate;
    let layer = norm + attention + perceptron;
    let head = match family.pooling {
        Pooling::Attention => width + attention + perceptron,
        Pooling::ClassToken | Pooling::Last => 0,
    };
    let projection = family.projection.as_ref().map_or(0, |projection| {
        projection_dim * (width + usize::from(projection.has_bias))
    });
    let norms = norm * (1 + usize::from(family.pre_norm.is_some()));
    norms + layers * layer + head + projection
}

/// `*_config_dict` are what `*_config` was called in the first files; where both stand, Hugging Face takes the `_dict`.
#[derive(Deserialize)]
struct RawConfig {
    model_type: Option<String>,
    vision_config: Option<RawVision>,
    vision_config_dict: Option<RawVision>,
    text_config: Option<RawText>,
    text_config_dict: Option<RawText>,
    // Both towers also carry a `projection_dim`, which Hugging Face's `CLIPModel` does not look at.
    projection_dim: Option<usize>,
}

#[derive(Default, Deserialize)]
struct RawTower {
    hidden_size: Option<usize>,
    intermediate_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    hidden_act: Option<String>,
    layer_norm_eps: Option<f64>,
}

#[derive(Default, Deserialize)]
struct RawVision {
    #[serde(flatten)]
    tower: RawTower,
    num_channels: Option<usize>,
    image_size: Option<usize>,
    patch_size: Option<usize>,
    vision_use_head: Option<bool>,
}

#[derive(Default, Deserialize)]
struct RawText {
    #[serde(flatten)]
    tower: RawTower,
    vocab_size: Option<usize>,
    max_position_embeddings: Option<usize>,
    eos_token_id: Option<u32>,
    projection_size: Option<usize>,
}

impl RawConfig {
    fn architecture(self) -> Result<Architecture, String> {
        let family = Family::of(self.model_type.as_deref())?;
        let vision = self.vision_config_dict.or(self.vision_config);
        let vision = vision.unwrap_or_default().shape(&family.vision_defaults)?;
        let text = self.text_config_dict.or(self.text_config);
        let text = text.unwrap_or_default();
        let projection_dim = match family.vision.projection {
            Some(_) => self.projection_dim.unwrap_or(512),
            None => vision.tower.width,
        };
        above_zero("projection_dim", projection_dim)?;
        let projection_size = text.projection_size;
        let text = text.shape(&family.text_defaults)?;
        if family.vision.projection.is_none() {
            let projection_size = projection_size.unwrap_or(text.tower.width);
            if projection_size != projection_dim {
                return Err(format!(
                    "`projection_size` of texts is `{projection_size}`, but pictures end in `hidden_size` `{projection_dim}`"
                ));
            }
        }
        Ok(Architecture::new(family, vision, text, projection_dim))
    }
}

impl RawVision {
    fn shape(self, defaults: &VisionShape) -> Result<VisionShape, String> {
        if let Some(channels) = self.num_channels.filter(|channels| *channels != 3) {
            return Err(format!("`num_channels` is `{channels}`, pictures have 3"));
        }
        if self.vision_use_head == Some(false) {
            return Err("`vision_use_head` is `false`: pictures have no embedding".to_owned());
        }
        let shape = VisionShape {
            tower: self.tower.shape(&defaults.tower)?,
            image_size: self.image_size.unwrap_or(defaults.image_size),
            patch_size: self.patch_size.unwrap_or(defaults.patch_size),
        };
        shape.check()?;
        Ok(shape)
    }
}

impl RawText {
    fn shape(self, defaults: &TextShape) -> Result<TextShape, String> {
        let shape = TextShape {
            tower: self.tower.shape(&defaults.tower)?,
            vocab_size: self.vocab_size.unwrap_or(defaults.vocab_size),
            context_length: self
                .max_position_embeddings
                .unwrap_or(defaults.context_length),
            eos_token_id: self.eos_token_id.unwrap_or(defaults.eos_token_id),
        };
        shape.check()?;
        Ok(shape)
    }
}

impl RawTower {
    fn shape(self, defaults: &TowerShape) -> Result<TowerShape, String> {
        let activation = self.hidden_act.as_deref().map(activation).transpose()?;
        Ok(TowerShape {
            width: self.hidden_size.unwrap_or(defaults.width),
            layers: self.num_hidden_layers.unwrap_or(defaults.layers),
            heads: self.num_attention_heads.unwrap_or(defaults.heads),
            intermediate: self.intermediate_size.unwrap_or(defaults.intermediate),
            activation: activation.unwrap_or(defaults.activation),
            layer_norm_eps: self.layer_norm_eps.unwrap_or(defaults.layer_norm_eps),
        })
    }
}

fn activation(name: &str) -> Result<Activation, String> {
    match name {
        "quick_gelu" => Ok(Activation::QuickGelu),
        "gelu" => Ok(Activation::Gelu),
        "gelu_pytorch_tanh" => Ok(Activation::GeluTanh),
        other => Err(format!(
            "`hidden_act` `{other}` is not supported, only `quick_gelu`, `gelu` and `gelu_pytorch_tanh` are"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::family::CLIP;

    fn parse(json: &'static str) -> Result<Architecture, String> {
        Architecture::parse(&Part::from_static("config.json", json.as_bytes()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn fills_in_what_hugging_face_leaves_out() {
        let found = parse(r#"{"model_type": "clip"}"#).unwrap();
        let tower = |width, heads| TowerShape {
            width,
            layers: 12,
            heads,
            intermediate: 4 * width,
            activation: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
        };
        let vision = VisionShape {
            tower: tower(768, 12),
            image_size: 224,
            patch_size: 32,
        };
        let text = TextShape {
            tower: tower(512, 8),
            vocab_size: 49_408,
            context_length: 77,
            eos_token_id: 49_407,
        };
        assert_eq!(found, Architecture::new(&CLIP, vision, text, 512));
    }

    #[test]
    fn reads_each_tower_on_its_own() {
        let found = parse(
            r#"{"model_type": "clip", "projection_dim": 64,
                "text_config": {"hidden_size": 64, "num_attention_heads": 2, "hidden_act": "gelu", "projection_dim": 9,
                                "max_position_embeddings": 16, "vocab_size": 100, "eos_token_id": 99, "dropout": 0.0},
                "vision_config": {"hidden_size": 96, "num_attention_heads": 3, "image_size": 64, "patch_size": 16,
                                  "num_hidden_layers": 3, "intermediate_size": 192, "layer_norm_eps": 1e-6}}"#,
        )
        .unwrap();
        assert_eq!(found.projection_dim, 64);
        assert_eq!(found.text.tower.activation, Activation::Gelu);
        assert_eq!(
            (
                found.text.vocab_size,
                found.text.context_length,
                found.text.eos_token_id
            ),
            (100, 16, 99)
        );
        let TowerShape {
            width,
            layers,
            heads,
            intermediate,
            activation,
            layer_norm_eps,
        } = found.vision.tower;
        assert_eq!((width, layers, heads, intermediate), (96, 3, 3, 192));
        assert_eq!(
            (activation, layer_norm_eps.to_bits()),
            (Activation::QuickGelu, 1e-6_f64.to_bits())
        );
        assert_eq!((found.vision.image_size, found.vision.patch_size), (64, 16));
    }

    #[test]
    fn siglip_has_defaults_of_its_own() {
        let found =
            parse(r#"{"model_type": "siglip", "vision_config": {"image_size": 256}}"#).unwrap();
        let vision = &found.vision;
        assert_eq!(
            (vision.image_size, vision.patch_size, vision.grid()),
            (256, 16, 16)
        );
        assert_eq!(vision.tower.activation, Activation::GeluTanh);
        assert_eq!(
            (found.text.vocab_size, found.text.context_length),
            (32_000, 64)
        );
        assert_eq!((found.text.tower.width, found.projection_dim), (768, 768));
        // The text tower of the largest one is narrower than its pictures'.
        let giant = parse(
            r#"{"model_type": "siglip", "vision_config": {"hidden_size": 1536, "num_attention_heads": 16},
                "text_config": {"hidden_size": 1152, "num_attention_heads": 16, "projection_size": 1536}}"#,
        );
        let giant = giant.unwrap();
        assert_eq!((giant.text.tower.width, giant.projection_dim), (1152, 1536));
    }

    #[test]
    fn the_first_files_said_config_dict_and_null() {
        let found = parse(
            r#"{"model_type": "clip", "text_config": null, "text_config_dict": {"hidden_size": 768, "num_attention_heads": 12},
                "vision_config": {"hidden_size": 32, "patch_size": 32}, "vision_config_dict": {"patch_size": 16}}"#,
        )
        .unwrap();
        assert_eq!(found.text.tower.width, 768);
        assert_eq!(
            (found.vision.patch_size, found.vision.tower.width),
            (16, 768)
        );
    }

    #[test]
    fn refuses_by_name() {
        let cases = [
            ("{}", "`model_type` is missing"),
            (r#"{"model_type": "siglip2"}"#, "siglip2-base-patch16-256"),
            (r#"{"model_type": "vit"}"#, "`clip`, `metaclip_2`, `siglip`"),
            (
                r#"{"model_type": "siglip", "text_config": {"projection_size": 1152}}"#,
                "`projection_size` of texts is `1152`",
            ),
            (
                r#"{"model_type": "siglip", "vision_config": {"vision_use_head": false}}"#,
                "`vision_use_head`",
            ),
            (
                r#"{"model_type": "clip", "text_config": {"hidden_act": "gelu_new"}}"#,
                "`gelu_new`",
            ),
            (
                r#"{"model_type": "clip", "vision_config": {"num_attention_heads": 7}}"#,
                "`num_attention_heads` `7`",
            ),
            (
                r#"{"model_type": "clip", "vision_config": {"patch_size": 300}}"#,
                "`patch_size` `300`",
            ),
            (
                r#"{"model_type": "clip", "vision_config": {"patch_size": 0}}"#,
                "`patch_size` is `0`",
            ),
            (
                r#"{"model_type": "clip", "vision_config": {"num_channels": 1}}"#,
                "`num_channels` is `1`",
            ),
            (
                r#"{"model_type": "clip", "text_config": {"num_hidden_layers": 0}}"#,
                "`num_hidden_layers` is `0`",
            ),
            (
                r#"{"model_type": "clip", "projection_dim": 0}"#,
                "`projection_dim` is `0`",
            ),
            ("<html>", "web page"),
            (r#"{"model_type": "clip""#, "EOF"),
        ];
        for (json, expected) in cases {
            let error = parse(json).unwrap_err();
            assert!(
                error.contains(expected) && error.contains("`config.json`"),
                "{error}"
            );
        }
    }
}
