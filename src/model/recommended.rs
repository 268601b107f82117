//! Models that are worth taking, with what is published of them and what they cost.
//!
//! Qualities are of two kinds: how many of `ImageNet`'s pictures are classed rightly without having been taught (`open_clip`'s
//! `openclip_results.csv`), and the mean of recall at 1, 5 and 10 when captions of Crossmodal-3600 look for their pictures (Immich's
//! `searching.md`), in English and in German. None of them was measured by pixdex.

use std::fmt::{self, Display, Formatter};

use super::architecture::Architecture;
use super::parts::Part;
use super::{ModelError, ModelSource, is_here};

/// Bytes of a weight as the hub has it.
const STORED_BYTES: u64 = 4;

/// A model that is worth taking.
pub struct Recommended {
    /// Its name on the hub.
    pub name: &'static str,
    /// Which languages it reads.
    pub languages: Languages,
    /// What one may do with it.
    pub licence: &'static str,
    /// Share of `ImageNet`'s pictures that are classed rightly, in percent.
    pub imagenet: Option<f32>,
    /// Recall with captions in English, in percent.
    pub english: Option<f32>,
    /// Recall with captions in German, in percent.
    pub german: Option<f32>,
    /// What it is good for.
    pub good_for: &'static str,
    /// What of its `config.json` is not its family's default.
    config: &'static str,
}

/// Which languages a model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Languages {
    /// English.
    English,
    /// So many, English among them.
    Many(usize),
}

impl Display for Languages {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Languages::English => f.write_str("English"),
            Languages::Many(count) => write!(f, "{count} languages"),
        }
    }
}

/// From the smallest to the largest.
pub static RECOMMENDED: [Recommended; 7] = [
    Recommended {
        name: "openai/clip-vit-base-patch32",
        languages: Languages::English,
        licence: "MIT",
        imagenet: Some(63.3),
        english: Some(59.4),
        german: None,
        good_for: "what other programs take; the default",
        config: r#"{"model_type": "clip"}"#,
    },
    Recommended {
        name: "laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K",
        languages: Languages::English,
        licence: "MIT",
        imagenet: Some(72.8),
        english: None,
        german: None,
        good_for: "English on a small machine",
        config: r#"{"model_type": "clip", "text_config": {"hidden_act": "gelu"},
            "vision_config": {"hidden_act": "gelu", "image_size": 256}}"#,
    },
    Recommended {
        name: "google/siglip2-base-patch32-256",
        languages: Languages::Many(109),
        licence: "Apache-2.0",
        imagenet: None,
        english: Some(73.2),
        german: Some(84.4),
        good_for: "any language on a small machine",
        config: r#"{"model_type": "siglip", "text_config": {"vocab_size": 256000},
            "vision_config": {"patch_size": 32, "image_size": 256}}"#,
    },
    Recommended {
        name: "google/siglip-base-patch16-224",
        languages: Languages::English,
        licence: "Apache-2.0",
        imagenet: Some(76.0),
        english: Some(71.6),
        german: Some(75.2),
        good_for: "English with finer detail",
        config: r#"{"model_type": "siglip"}"#,
    },
    Recommended {
        name: "google/siglip2-base-patch16-224",
        languages: Languages::Many(109),
        licence: "Apache-2.0",
        imagenet: None,
        english: Some(75.2),
        german: Some(86.4),
        good_for: "any language with finer detail, on four cores or more",
        config: r#"{"model_type": "siglip", "text_config": {"vocab_size": 256000}}"#,
    },
    Recommended {
        name: "google/siglip2-large-patch16-256",
        languages: Languages::Many(109),
        licence: "Apache-2.0",
        imagenet: None,
        english: Some(74.3),
        german: Some(88.8),
        good_for: "many cores, or a GPU",
        config: r#"{"model_type": "siglip",
            "text_config": {"vocab_size": 256000, "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16},
            "vision_config": {"image_size": 256, "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}}"#,
    },
    Recommended {
        name: "google/siglip2-so400m-patch16-384",
        languages: Languages::Many(109),
        licence: "Apache-2.0",
        imagenet: None,
        english: Some(75.1),
        german: Some(89.8),
        good_for: "a GPU",
        config: r#"{"model_type": "siglip",
            "text_config": {"vocab_size": 256000, "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16},
            "vision_config": {"image_size": 384, "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16}}"#,
    },
];

impl Recommended {
    /// The shape of its towers, known without the model.
    pub fn architecture(&self) -> Result<Architecture, ModelError> {
        Architecture::parse(&Part::from_static(self.name, self.config.as_bytes()))
    }

    /// Bytes to download, all but the vocabulary's.
    pub fn download_bytes(&self) -> Result<u64, ModelError> {
        let architecture = self.architecture()?;
        Ok(STORED_BYTES * (architecture.tower_parameters() + architecture.table_parameters()))
    }

    /// Whether it is on this machine already.
    pub fn is_here(&self) -> bool {
        let source = self.name.parse::<ModelSource>();
        source.is_ok_and(|source| is_here(&source))
    }
}

/// The smallest that reads texts which are not English.
pub fn for_all_languages() -> Option<&'static Recommended> {
    let mut all = RECOMMENDED.iter();
    all.find(|model| model.languages != Languages::English)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_can_be_run_and_is_as_large_as_on_the_hub() {
        // Bytes of `model.safetensors` without its header.
        let known = [
            605_109_252,
            605_155_332,
            1_507_424_264,
            812_623_880,
            1_500_751_880,
        ];
        for (model, bytes) in RECOMMENDED.iter().zip(known) {
            assert_eq!(model.download_bytes().unwrap(), bytes, "{}", model.name);
        }
        for model in &RECOMMENDED {
            model.name.parse::<ModelSource>().unwrap();
            model.architecture().unwrap();
        }
        assert_eq!(
            for_all_languages().unwrap().name,
            "google/siglip2-base-patch32-256"
        );
    }
}
