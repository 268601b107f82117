//! `open_clip_config.json` → the shape of both towers, and what is done to pictures and texts before them.
//!
//! Keys and defaults are those of `open_clip` 3.3 (`CLIPVisionCfg`, `CLIPTextCfg`, `PreprocessCfg`). A key that is not known here
//! and says something is refused by its name: it may change every embedding.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{
    ModelError,
    architecture::{Architecture, Layout},
    family::{CLIP, Family, SIGLIP},
    parts::Part,
    preprocessing::{Filter, Middle, PictureSize, Preprocessing, Resize},
    shape::{TextShape, TowerShape, UNSAID_EOS, VisionShape, above_zero},
    tokenizer::Cleaning,
};
use crate::kernels::Activation;

/// Keys that change no embedding: how a model was made, and what its sizes are told by elsewhere.
const HARMLESS: [&str; 12] = [
    "attn_pooler_heads",
    "attn_pooler_queries",
    "eos_id",
    "hf_tokenizer_name",
    "init_logit_bias",
    "init_logit_scale",
    "pad_id",
    "patch_dropout",
    "timm_drop",
    "timm_drop_path",
    "timm_model_pretrained",
    "output_tokens",
];

/// What runs in the place of what does not.
const INSTEAD: &str =
    "take `laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K` or `google/siglip2-base-patch32-256`";

#[derive(Deserialize)]
struct RawFile {
    model_cfg: RawModel,
    #[serde(default)]
    preprocess_cfg: RawPreprocess,
}

#[derive(Deserialize)]
struct RawModel {
    embed_dim: usize,
    vision_cfg: RawVision,
    text_cfg: RawText,
    #[serde(default)]
    quick_gelu: bool,
    #[serde(default)]
    custom_text: bool,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct RawVision {
    layers: Option<Layers>,
    width: Option<usize>,
    head_width: Option<usize>,
    mlp_ratio: Option<f64>,
    patch_size: Option<usize>,
    image_size: Option<Side>,
    norm_kwargs: Option<RawNorm>,
    act_kwargs: Option<RawActivation>,
    pool_type: Option<String>,
    pos_embed_type: Option<String>,
    timm_model_name: Option<String>,
    timm_pool: Option<String>,
    timm_proj: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct RawText {
    context_length: Option<usize>,
    vocab_size: Option<usize>,
    width: Option<usize>,
    heads: Option<usize>,
    layers: Option<usize>,
    mlp_ratio: Option<f64>,
    norm_kwargs: Option<RawNorm>,
    act_kwargs: Option<RawActivation>,
    pool_type: Option<String>,
    proj_type: Option<String>,
    #[serde(default)]
    no_causal_mask: bool,
    #[serde(default)]
    proj_bias: bool,
    hf_model_name: Option<String>,
    tokenizer_kwargs: Option<RawTokenizer>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// A transformer's, or those of the four stages of a `ResNet`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Layers {
    Transformer(usize),
    ResNet([usize; 4]),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Side {
    Square(usize),
    Both([usize; 2]),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNorm {
    eps: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawActivation {
    approximate: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTokenizer {
    clean: Option<String>,
}

#[derive(Default, Deserialize)]
struct RawPreprocess {
    size: Option<Side>,
    mode: Option<String>,
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
    interpolation: Option<String>,
    resize_mode: Option<String>,
}

/// Reads `open_clip_config.json`.
pub(super) fn parse(config: &Part) -> Result<(Architecture, Preprocessing), ModelError> {
    let raw: RawFile = config.json()?;
    let read = || {
        let architecture = raw.model_cfg.architecture()?;
        let image_size = architecture.vision.image_size;
        let defaults = &architecture.family.image_processor.defaults;
        let preprocessing = raw.preprocess_cfg.preprocessing(image_size, defaults)?;
        preprocessing.check(image_size)?;
        Ok((architecture, preprocessing))
    };
    read().map_err(|reason: String| config.invalid(&reason))
}

impl RawModel {
    fn architecture(&self) -> Result<Architecture, String> {
        if self.rest.contains_key("multimodal_cfg") {
            return Err(format!(
                "it is a CoCa, which describes pictures and cannot be run; {INSTEAD}"
            ));
        }
        all_known("model_cfg", &self.rest)?;
        above_zero("embed_dim", self.embed_dim)?;
        let (family, vision) = self.vision_cfg.shape(self.quick_gelu)?;
        let text = self.text_cfg.shape(self.quick_gelu, family)?;
        let has_text = self.custom_text;
        let layout = if family == &CLIP {
            Layout::OpenClip { has_text }
        } else if has_text {
            Layout::OpenClipTimm
        } else {
            return Err("`custom_text` must be `true` beside an image tower of timm's".to_owned());
        };
        if family.vision.projection.is_none() && vision.tower.width != self.embed_dim {
            return Err(format!(
                "`embed_dim` is `{}`, but pictures end in `{}`",
                self.embed_dim, vision.tower.width
            ));
        }
        Ok(Architecture {
            family,
            layout,
            vision,
            text,
            cleaning: self.text_cfg.cleaning(family)?,
            projection_dim: self.embed_dim,
        })
    }
}

impl RawVision {
    fn shape(&self, quick_gelu: bool) -> Result<(&'static Family, VisionShape), String> {
        all_known("vision_cfg", &self.rest)?;
        let (family, shape) = match &self.timm_model_name {
            Some(name) => (&SIGLIP, self.timm(name)?),
            None => (&CLIP, self.own(quick_gelu)?),
        };
        shape.check()?;
        Ok((family, shape))
    }

    fn own(&self, quick_gelu: bool) -> Result<VisionShape, String> {
        only("pool_type", self.pool_type.as_ref(), "tok")?;
        only("pos_embed_type", self.pos_embed_type.as_ref(), "learnable")?;
        let layers = match self.layers {
            Some(Layers::ResNet(layers)) => {
                return Err(format!(
                    "its pictures go through a ResNet of {layers:?} layers, which cannot be run; {INSTEAD}"
                ));
            }
            Some(Layers::Transformer(layers)) => layers,
            None => 12,
        };
        let width = self.width.unwrap_or(768);
        Ok(VisionShape {
            tower: TowerShape {
                width,
                layers,
                heads: width / self.head_width.unwrap_or(64).max(1),
                intermediate: intermediate(width, self.mlp_ratio),
                activation: activation(quick_gelu, self.act_kwargs.as_ref())?,
                layer_norm_eps: eps(self.norm_kwargs, 1e-5),
            },
            image_size: side(self.image_size, 224)?,
            patch_size: self.patch_size.unwrap_or(16),
        })
    }

    /// timm's `SigLIP` trunks, whose name says their shape.
    fn timm(&self, name: &str) -> Result<VisionShape, String> {
        let refused =
            || format!("its pictures go through timm's `{name}`, which cannot be run; {INSTEAD}");
        let (size, rest) = name
            .strip_prefix("vit_")
            .and_then(|name| name.split_once("_patch"))
            .ok_or_else(refused)?;
        let (patch, resolution) = rest.split_once("_siglip_").ok_or_else(refused)?;
        let number = |text: &str| text.parse::<usize>().map_err(|_| refused());
        let (patch_size, resolution) = (number(patch)?, number(resolution)?);
        // Width, layers, heads, hidden layer of the perceptron.
        let (width, layers, heads, intermediate) = match size {
            "base" => (768, 12, 12, 3072),
            "large" => (1024, 24, 16, 4096),
            "so400m" => (1152, 27, 16, 4304),
            "giantopt" => (1536, 40, 16, 6144),
            _ => return Err(refused()),
        };
        only("timm_pool", self.timm_pool.as_ref(), "map")?;
        only("timm_proj", self.timm_proj.as_ref(), "none")?;
        // timm's are of the error function, save for those that were made after Hugging Face's.
        let is_tanh = size == "giantopt" || (size == "base" && patch_size == 32);
        Ok(VisionShape {
            tower: TowerShape {
                width,
                layers,
                heads,
                intermediate,
                activation: if is_tanh {
                    Activation::GeluTanh
                } else {
                    Activation::Gelu
                },
                layer_norm_eps: 1e-6,
            },
            image_size: side(self.image_size, resolution)?,
            patch_size,
        })
    }
}

impl RawText {
    fn shape(&self, quick_gelu: bool, family: &Family) -> Result<TextShape, String> {
        if let Some(name) = &self.hf_model_name {
            return Err(format!(
                "its texts go through `{name}`, which cannot be run yet; `google/siglip2-base-patch32-256` reads many languages"
            ));
        }
        all_known("text_cfg", &self.rest)?;
        only("proj_type", self.proj_type.as_ref(), "linear")?;
        if self.no_causal_mask == family.text.is_causal {
            return Err(format!(
                "`no_causal_mask` is `{}` beside such an image tower, which cannot be run; {INSTEAD}",
                self.no_causal_mask
            ));
        }
        let has_bias = |projection: &super::family::Projection| projection.has_bias;
        let wants_bias = family.text.projection.as_ref().is_some_and(has_bias);
        if self.proj_bias != wants_bias {
            return Err(format!(
                "`proj_bias` must be `{wants_bias}` in such a model"
            ));
        }
        let pool_type = self.pool_type.as_deref().unwrap_or("argmax");
        // The end of a text has the highest id.
        let pools: &[&str] = if family.text.is_causal {
            &["argmax", "eos"]
        } else {
            &["last"]
        };
        if !pools.contains(&pool_type) {
            return Err(format!("`pool_type` `{pool_type}` is not supported"));
        }
        let width = self.width.unwrap_or(512);
        let shape = TextShape {
            tower: TowerShape {
                width,
                layers: self.layers.unwrap_or(12),
                heads: self.heads.unwrap_or(8),
                intermediate: intermediate(width, self.mlp_ratio),
                activation: activation(quick_gelu, self.act_kwargs.as_ref())?,
                layer_norm_eps: eps(self.norm_kwargs, 1e-5),
            },
            vocab_size: self.vocab_size.unwrap_or(49_408),
            context_length: self.context_length.unwrap_or(77),
            eos_token_id: UNSAID_EOS,
        };
        shape.check()?;
        Ok(shape)
    }

    /// CLIP's own tokenizer cleans by itself.
    fn cleaning(&self, family: &Family) -> Result<Option<Cleaning>, String> {
        if family == &CLIP {
            return Ok(None);
        }
        let clean = self
            .tokenizer_kwargs
            .as_ref()
            .and_then(|raw| raw.clean.as_deref());
        let spaces = Cleaning {
            collapses_spaces: true,
            ..Cleaning::default()
        };
        match clean.unwrap_or("whitespace") {
            "whitespace" => Ok(Some(spaces)),
            "lower" => Ok(Some(Cleaning {
                lowers: true,
                ..spaces
            })),
            "canonicalize" => Ok(Some(Cleaning {
                lowers: true,
                underscore: Some(" "),
                ..spaces
            })),
            other => Err(format!("`clean` `{other}` is not supported")),
        }
    }
}

impl RawPreprocess {
    fn preprocessing(
        &self,
        image_size: usize,
        defaults: &Preprocessing,
    ) -> Result<Preprocessing, String> {
        only("mode", self.mode.as_ref(), "RGB")?;
        let edge = side(self.size, image_size)?;
        let square = PictureSize {
            height: edge,
            width: edge,
        };
        let (resize, crop) = match self.resize_mode.as_deref() {
            None | Some("shortest") => (Resize::ShortestEdge(edge), Some(square)),
            Some("squash") => (Resize::Exact(square), None),
            Some(other) => return Err(format!("`resize_mode` `{other}` is not supported")),
        };
        let filter = match self.interpolation.as_deref() {
            None | Some("bicubic" | "random") => Filter::Bicubic,
            Some("bilinear") => Filter::Bilinear,
            Some(other) => return Err(format!("`interpolation` `{other}` is not supported")),
        };
        let image_std = self.std.unwrap_or(CLIP.image_processor.defaults.image_std);
        if image_std.contains(&0.0) {
            return Err("`std` holds a `0`".to_owned());
        }
        Ok(Preprocessing {
            resize: Some(resize),
            filter,
            crop,
            middle: Middle::Even,
            rescale_factor: defaults.rescale_factor,
            image_mean: self
                .mean
                .unwrap_or(CLIP.image_processor.defaults.image_mean),
            image_std,
        })
    }
}

/// Refuses what says something that is not known here.
fn all_known(place: &str, rest: &BTreeMap<String, Value>) -> Result<(), String> {
    let says_nothing = |value: &Value| matches!(value, Value::Null | Value::Bool(false));
    let is_unknown = |(key, value): &(&String, &Value)| {
        !HARMLESS.contains(&key.as_str()) && !says_nothing(value)
    };
    match rest.iter().find(is_unknown) {
        Some((key, value)) => Err(format!(
            "`{place}` has `{key}` `{value}`, which is not supported"
        )),
        None => Ok(()),
    }
}

fn only(key: &str, found: Option<&String>, supported: &str) -> Result<(), String> {
    match found {
        Some(found) if found != supported => Err(format!(
            "`{key}` `{found}` is not supported, only `{supported}` is"
        )),
        _ => Ok(()),
    }
}

fn side(side: Option<Side>, default: usize) -> Result<usize, String> {
    match side {
        None => Ok(default),
        Some(Side::Square(side)) => Ok(side),
        Some(Side::Both([height, width])) if height == width => Ok(height),
        Some(Side::Both([height, width])) => Err(format!(
            "pictures of `{width}x{height}` are not supported, only square ones are"
        )),
    }
}

/// Rounded down, as `open_clip` does it.
fn intermediate(width: usize, mlp_ratio: Option<f64>) -> usize {
    (width as f64 * mlp_ratio.unwrap_or(4.0)) as usize
}

fn eps(norm: Option<RawNorm>, default: f64) -> f64 {
    norm.and_then(|norm| norm.eps).unwrap_or(default)
}

fn activation(quick_gelu: bool, kwargs: Option<&RawActivation>) -> Result<Activation, String> {
    match kwargs.and_then(|kwargs| kwargs.approximate.as_deref()) {
        _ if quick_gelu => Ok(Activation::QuickGelu),
        None | Some("none") => Ok(Activation::Gelu),
        Some("tanh") => Ok(Activation::GeluTanh),
        Some(other) => Err(format!("`approximate` `{other}` is not supported")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vision: &str, text: &str, rest: &str) -> Result<(Architecture, Preprocessing), String> {
        let json = format!(
            r#"{{"model_cfg": {{"embed_dim": 768, "vision_cfg": {{{vision}}}, "text_cfg": {{{text}}} {rest}}}, "preprocess_cfg": {{}}}}"#
        );
        let part = Part::from_static("open_clip_config.json", json.leak().as_bytes());
        parse(&part).map_err(|error| error.to_string())
    }

    const SIGLIP_TEXT: &str = r#""context_length": 64, "vocab_size": 256000, "hf_tokenizer_name": "timm/ViT-B-16-SigLIP2",
        "tokenizer_kwargs": {"clean": "canonicalize"}, "width": 768, "heads": 12, "layers": 12, "no_causal_mask": true,
        "proj_bias": true, "pool_type": "last", "norm_kwargs": {"eps": 1e-6}, "act_kwargs": {"approximate": "tanh"}"#;
    const CUSTOM: &str = r#", "custom_text": true, "init_logit_bias": -10"#;

    fn trunk(name: &str) -> String {
        format!(
            r#""timm_model_name": "{name}", "timm_model_pretrained": false, "timm_pool": "map", "timm_proj": "none""#
        )
    }

    #[test]
    fn a_clip_of_laions() {
        let (found, preprocessing) = read(
            r#""image_size": 256, "layers": 12, "width": 768, "patch_size": 32"#,
            r#""context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12"#,
            "",
        )
        .unwrap();
        assert_eq!(found.family, &CLIP);
        assert_eq!(found.layout, Layout::OpenClip { has_text: false });
        assert_eq!((found.vision.grid(), found.vision.tower.heads), (8, 12));
        assert_eq!(found.vision.tower.activation, Activation::Gelu);
        assert_eq!(
            (found.text.tower.intermediate, found.projection_dim),
            (2048, 768)
        );
        assert_eq!(preprocessing.resize, Some(Resize::ShortestEdge(256)));
        assert_eq!(preprocessing.middle, Middle::Even);
    }

    #[test]
    fn keys_that_change_embeddings_are_followed() {
        let (found, _) = read(
            r#""layers": 24, "width": 1024, "head_width": 128, "mlp_ratio": 2.5, "patch_size": 14, "ls_init_value": null"#,
            r#""width": 640, "heads": 10, "context_length": 32"#,
            r#", "quick_gelu": true, "custom_text": true"#,
        )
        .unwrap();
        assert_eq!(found.layout, Layout::OpenClip { has_text: true });
        let tower = &found.vision.tower;
        assert_eq!((tower.heads, tower.intermediate), (8, 2560));
        assert_eq!(tower.activation, Activation::QuickGelu);
        assert_eq!(
            (found.text.context_length, found.text.tower.heads),
            (32, 10)
        );
    }

    /// Width, layers, heads and hidden layer as `timm.create_model` says.
    #[test]
    fn timms_trunks_have_the_shape_that_their_name_says() {
        let cases = [
            (
                "vit_base_patch16_siglip_224",
                224,
                768,
                (12, 12, 3072),
                Activation::Gelu,
            ),
            (
                "vit_base_patch32_siglip_256",
                256,
                768,
                (12, 12, 3072),
                Activation::GeluTanh,
            ),
            (
                "vit_large_patch16_siglip_384",
                384,
                1024,
                (24, 16, 4096),
                Activation::Gelu,
            ),
            (
                "vit_so400m_patch14_siglip_378",
                378,
                1152,
                (27, 16, 4304),
                Activation::Gelu,
            ),
            (
                "vit_giantopt_patch16_siglip_256",
                256,
                1536,
                (40, 16, 6144),
                Activation::GeluTanh,
            ),
        ];
        for (name, side, width, shape, activation) in cases {
            let json = format!(
                r#"{{"model_cfg": {{"embed_dim": {width}, "vision_cfg": {{"image_size": {side}, {}}}, "text_cfg": {{{SIGLIP_TEXT}}} {CUSTOM}}},
                     "preprocess_cfg": {{"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "resize_mode": "squash"}}}}"#,
                trunk(name)
            );
            let part = Part::from_static("open_clip_config.json", json.leak().as_bytes());
            let (found, preprocessing) = parse(&part).unwrap();
            assert_eq!(
                (found.family, found.layout),
                (&SIGLIP, Layout::OpenClipTimm)
            );
            let tower = &found.vision.tower;
            assert_eq!(
                (tower.width, found.vision.image_size),
                (width, side),
                "{name}"
            );
            assert_eq!(
                (tower.layers, tower.heads, tower.intermediate),
                shape,
                "{name}"
            );
            assert_eq!(tower.activation, activation, "{name}");
            assert_eq!(preprocessing.crop, None);
        }
    }

    #[test]
    fn refuses_by_name() {
        let clip = r#""layers": 12"#;
        let siglip = trunk("vit_base_patch16_siglip_224");
        let cases = [
            (r#""layers": [3, 4, 6, 3]"#, "", "", "ResNet"),
            (clip, "", r#", "multimodal_cfg": {"width": 512}"#, "CoCa"),
            (
                clip,
                r#""hf_model_name": "xlm-roberta-base""#,
                "",
                "`xlm-roberta-base`",
            ),
            (&trunk("convnext_base"), "", CUSTOM, "`convnext_base`"),
            (
                &trunk("vit_pe_core_base_patch16_224"),
                "",
                CUSTOM,
                "`vit_pe_core_base_patch16_224`",
            ),
            (
                &trunk("vit_tiny_patch16_siglip_224"),
                SIGLIP_TEXT,
                CUSTOM,
                "`vit_tiny_patch16_siglip_224`",
            ),
            (&siglip, SIGLIP_TEXT, "", "`custom_text`"),
            (
                &siglip,
                r#""no_causal_mask": true, "pool_type": "last""#,
                CUSTOM,
                "`proj_bias`",
            ),
            (clip, r#""no_causal_mask": true"#, "", "`no_causal_mask`"),
            (clip, r#""pool_type": "last""#, "", "`pool_type` `last`"),
            (r#""ls_init_value": 0.1"#, "", "", "`ls_init_value`"),
            (r#""attentional_pool": true"#, "", "", "`attentional_pool`"),
            (r#""image_size": [224, 192]"#, "", "", "192x224"),
            (clip, "", r#", "text_mask": "last""#, "`text_mask`"),
        ];
        for (vision, text, rest, expected) in cases {
            let error = read(vision, text, rest).unwrap_err();
            assert!(
                error.contains(expected) && error.contains("`open_clip_config.json`"),
                "{error}"
            );
        }
    }
}
