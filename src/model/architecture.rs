//! `config.json` → the shape of both towers, with every default that Hugging Face leaves out of the file.

use serde::Deserialize;

use super::{ModelError, family::Family, parts::Part};
use crate::kernels::Activation;

/// A model's family and the shape of its towers.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// What it has in common with others of its kind.
    pub family: &'static Family,
    /// The image tower.
    pub vision: VisionShape,
    /// The text tower.
    pub text: TextShape,
    /// Length of the embeddings that both towers end in.
    pub projection_dim: usize,
}

/// The image tower: pixels → patches → transformer.
#[derive(Clone, Debug, PartialEq)]
pub struct VisionShape {
    /// Its transformer.
    pub tower: TowerShape,
    /// Side of the square input in pixels.
    pub image_size: usize,
    /// Side of a square patch in pixels; divides `image_size`.
    pub patch_size: usize,
}

/// The text tower: token ids → transformer with a causal mask.
#[derive(Clone, Debug, PartialEq)]
pub struct TextShape {
    /// Its transformer.
    pub tower: TowerShape,
    /// Number of token ids.
    pub vocab_size: usize,
    /// Most tokens in one text, start and end of text included.
    pub context_length: usize,
    /// The id that ends every text; the tower is pooled at its position.
    pub eos_token_id: u32,
}

/// A transformer, the same in both towers.
#[derive(Clone, Debug, PartialEq)]
pub struct TowerShape {
    /// Length of the hidden states.
    pub width: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Number of attention heads; divides `width`.
    pub heads: usize,
    /// Length of the hidden layer inside each block's perceptron.
    pub intermediate: usize,
    /// The perceptron's non-linearity.
    pub activation: Activation,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
}

/// What Hugging Face wrote into `eos_token_id` before it was right; such models end in the tokenizer's own id.
pub(super) const LEGACY_EOS: u32 = 2;

impl Architecture {
    /// Reads `config.json`.
    pub(super) fn parse(config: &Part) -> Result<Self, ModelError> {
        let raw: RawConfig = config.json()?;
        raw.architecture().map_err(|reason| config.invalid(&reason))
    }

    /// The same towers with nothing between their two ends.
    pub(crate) fn without_layers(&self) -> Architecture {
        let mut bare = self.clone();
        bare.vision.tower.layers = 0;
        bare.text.tower.layers = 0;
        bare
    }
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

#[derive(Deserialize)]
#[serde(default)]
struct RawVision {
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_channels: usize,
    image_size: usize,
    patch_size: usize,
    hidden_act: String,
    layer_norm_eps: f64,
}

#[derive(Deserialize)]
#[serde(default)]
struct RawText {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: usize,
    hidden_act: String,
    layer_norm_eps: f64,
    eos_token_id: u32,
}

impl Default for RawVision {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 32,
            hidden_act: "quick_gelu".to_owned(),
            layer_norm_eps: 1e-5,
        }
    }
}

impl Default for RawText {
    fn default() -> Self {
        Self {
            vocab_size: 49_408,
            hidden_size: 512,
            intermediate_size: 2048,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 77,
            hidden_act: "quick_gelu".to_owned(),
            layer_norm_eps: 1e-5,
            eos_token_id: 49_407,
        }
    }
}

impl RawConfig {
    fn architecture(self) -> Result<Architecture, String> {
        let family = Family::of(self.model_type.as_deref())?;
        let projection_dim = self.projection_dim.unwrap_or(512);
        above_zero("projection_dim", projection_dim)?;
        Ok(Architecture {
            family,
            vision: self
                .vision_config_dict
                .or(self.vision_config)
                .unwrap_or_default()
                .vision()?,
            text: self
                .text_config_dict
                .or(self.text_config)
                .unwrap_or_default()
                .text()?,
            projection_dim,
        })
    }
}

impl RawVision {
    fn vision(&self) -> Result<VisionShape, String> {
        let Self {
            image_size,
            patch_size,
            num_channels,
            ..
        } = *self;
        above_zero("image_size", image_size)?;
        above_zero("patch_size", patch_size)?;
        if num_channels != 3 {
            return Err(format!(
                "`num_channels` is `{num_channels}`, pictures have 3"
            ));
        }
        if image_size % patch_size != 0 {
            return Err(format!(
                "`image_size` `{image_size}` is not a multiple of `patch_size` `{patch_size}`"
            ));
        }
        let tower = TowerShape {
            width: self.hidden_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            intermediate: self.intermediate_size,
            activation: activation(&self.hidden_act)?,
            layer_norm_eps: self.layer_norm_eps,
        };
        tower.check()?;
        Ok(VisionShape {
            tower,
            image_size,
            patch_size,
        })
    }
}

impl RawText {
    fn text(&self) -> Result<TextShape, String> {
        let Self {
            vocab_size,
            max_position_embeddings: context_length,
            eos_token_id,
            ..
        } = *self;
        above_zero("vocab_size", vocab_size)?;
        above_zero("max_position_embeddings", context_length)?;
        let tower = TowerShape {
            width: self.hidden_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            intermediate: self.intermediate_size,
            activation: activation(&self.hidden_act)?,
            layer_norm_eps: self.layer_norm_eps,
        };
        tower.check()?;
        Ok(TextShape {
            tower,
            vocab_size,
            context_length,
            eos_token_id,
        })
    }
}

impl TowerShape {
    fn check(&self) -> Result<(), String> {
        above_zero("hidden_size", self.width)?;
        above_zero("num_hidden_layers", self.layers)?;
        above_zero("num_attention_heads", self.heads)?;
        above_zero("intermediate_size", self.intermediate)?;
        if self.width.is_multiple_of(self.heads) {
            return Ok(());
        }
        Err(format!(
            "`hidden_size` `{}` is not a multiple of `num_attention_heads` `{}`",
            self.width, self.heads
        ))
    }
}

fn above_zero(name: &str, value: usize) -> Result<(), String> {
    if value == 0 {
        Err(format!("`{name}` is `0`"))
    } else {
        Ok(())
    }
}

fn activation(name: &str) -> Result<Activation, String> {
    match name {
        "quick_gelu" => Ok(Activation::QuickGelu),
        "gelu" => Ok(Activation::Gelu),
        other => Err(format!(
            "`hidden_act` `{other}` is not supported, only `quick_gelu` and `gelu` are"
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
        assert_eq!(
            found,
            Architecture {
                family: &CLIP,
                vision,
                text,
                projection_dim: 512
            }
        );
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
            (r#"{"model_type": "siglip"}"#, "`siglip`"),
            (
                r#"{"model_type": "clip", "text_config": {"hidden_act": "gelu_new"}}"#,
                "`gelu_new`",
            ),
            (
                r#"{"model_type": "clip", "vision_config": {"num_attention_heads": 7}}"#,
                "`num_attention_heads` `7`",
            ),
            (
                r#"{"model_type": "clip", "vision_config": {"patch_size": 30}}"#,
                "`patch_size` `30`",
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
