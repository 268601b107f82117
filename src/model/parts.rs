//! The files of one model, read into memory and not yet understood, each with the name that errors call it by.

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::de::DeserializeOwned;

use super::{
    ModelError,
    weights::{Shard, is_web_page},
};

/// The content of a file.
pub(super) struct Part {
    /// Its path, or what else it is known by.
    pub(super) name: String,
    pub(super) bytes: Cow<'static, [u8]>,
}

/// All that makes a model; every byte of it can change an embedding.
pub(super) struct Parts {
    pub(super) settings: Settings,
    pub(super) tokenizer: TokenizerParts,
    pub(super) weights: Weights,
}

/// What says how a model is shaped, and what is done to pictures before it.
pub(super) enum Settings {
    /// `config.json` and `preprocessor_config.json`.
    Transformers { config: Part, preprocessor: Part },
    /// `open_clip_config.json`.
    OpenClip(Part),
}

/// A model's weights, by the names of their layout.
pub enum Weights {
    /// One safetensors file, or several shards.
    Safetensors(Vec<Arc<Shard>>),
    /// A zip file of torch's, `pytorch_model.bin`; candle reads it without running any code in it.
    Pickle(PathBuf),
}

/// The two layouts of a tokenizer.
pub(super) enum TokenizerParts {
    /// `tokenizer.json`.
    Whole(Part),
    /// `vocab.json` and `merges.txt`, as models from before `tokenizer.json` have it.
    Split { vocab: Part, merges: Part },
}

impl Part {
    pub(super) fn from_static(name: &str, bytes: &'static [u8]) -> Self {
        Self {
            name: name.to_owned(),
            bytes: Cow::Borrowed(bytes),
        }
    }

    pub(super) fn read(path: &Path) -> Result<Self, ModelError> {
        let bytes = fs::read(path).map_err(|source| ModelError::read(path, source))?;
        Ok(Self {
            name: path.display().to_string(),
            bytes: Cow::Owned(bytes),
        })
    }

    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ModelError> {
        if is_web_page(&self.bytes) {
            return Err(self.invalid(&"it is a web page"));
        }
        serde_json::from_slice(&self.bytes).map_err(|error| self.invalid(&error))
    }

    /// The error of a file that cannot be what its name says.
    pub(super) fn invalid(&self, reason: &impl ToString) -> ModelError {
        ModelError::Invalid {
            file: self.name.clone(),
            reason: reason.to_string(),
        }
    }
}

impl Settings {
    pub(super) fn each(&self) -> Vec<&Part> {
        match self {
            Self::Transformers {
                config,
                preprocessor,
            } => vec![config, preprocessor],
            Self::OpenClip(config) => vec![config],
        }
    }
}

impl TokenizerParts {
    pub(super) fn each(&self) -> Vec<&Part> {
        match self {
            Self::Whole(tokenizer) => vec![tokenizer],
            Self::Split { vocab, merges } => vec![vocab, merges],
        }
    }
}
