//! The small model inside the program: the four files of `src/model/bundled`, in the hub's layout.

use std::sync::Arc;

use super::{
    Weights,
    parts::{Part, Parts, Settings, TokenizerParts},
    weights::Shard,
};

pub(super) fn parts() -> Parts {
    let weights = include_bytes!("bundled/model.safetensors").as_slice();
    Parts {
        settings: Settings::Transformers {
            config: part("config.json", include_bytes!("bundled/config.json")),
            preprocessor: part(
                "preprocessor_config.json",
                include_bytes!("bundled/preprocessor_config.json"),
            ),
        },
        tokenizer: TokenizerParts::Whole(part(
            "tokenizer.json",
            include_bytes!("bundled/tokenizer.json"),
        )),
        weights: Weights::Safetensors(vec![Arc::new(Shard::from_static(weights))]),
    }
}

fn part(name: &str, bytes: &'static [u8]) -> Part {
    Part::from_static(&format!("bundled {name}"), bytes)
}
