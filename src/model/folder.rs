//! A folder in the hub's layout → the files of a model.
//!
//! A snapshot in the hub's cache is such a folder too, and what counts as complete is decided here for both.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;

use super::{
    Architecture, ModelError, Weights,
    parts::{Part, Parts, Settings, TokenizerParts},
    source::is_plain,
    weights::{Shard, check_pickle},
};

pub(super) const CONFIG: &str = "config.json";
pub(super) const PREPROCESSOR: &str = "preprocessor_config.json";
/// Where transformers 5 keeps the image processor's settings.
pub(super) const PROCESSOR: &str = "processor_config.json";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const VOCAB: &str = "vocab.json";
pub(super) const MERGES: &str = "merges.txt";
/// `SentencePiece`'s own form, which models of several languages have beside the one that can be read.
const SPIECE: &str = "spiece.model";
pub(super) const SAFETENSORS: &str = "model.safetensors";
pub(super) const SAFETENSORS_INDEX: &str = "model.safetensors.index.json";
pub(super) const PICKLE: &str = "pytorch_model.bin";
/// `open_clip`'s own layout, which stands beside the hub's or alone.
pub(super) const OPEN_CLIP_CONFIG: &str = "open_clip_config.json";
pub(super) const OPEN_CLIP_SAFETENSORS: &str = "open_clip_model.safetensors";
pub(super) const OPEN_CLIP_PICKLE: &str = "open_clip_pytorch_model.bin";

/// What errors say when none of the files that would do is there.
pub(super) const ANY_PREPROCESSOR: &str = "`preprocessor_config.json`";
pub(super) const ANY_TOKENIZER: &str = "`tokenizer.json` (or `vocab.json` and `merges.txt`)";
const OTHER_TOKENIZER: &str =
    "`tokenizer.json` (`spiece.model` is the same in a form that cannot be read)";
pub(super) const ANY_WEIGHTS: &str =
    "`model.safetensors`, `model.safetensors.index.json` or `pytorch_model.bin`";
pub(super) const ANY_OPEN_CLIP_WEIGHTS: &str =
    "`open_clip_model.safetensors` or `open_clip_pytorch_model.bin`";

/// The files of a model that is complete.
pub(super) struct Located {
    settings: SettingsFiles,
    /// One file, or the vocabulary and the merges.
    tokenizer: Vec<PathBuf>,
    weights: WeightFiles,
}

enum SettingsFiles {
    Transformers {
        config: PathBuf,
        preprocessor: PathBuf,
    },
    OpenClip(PathBuf),
}

enum WeightFiles {
    Safetensors(Vec<PathBuf>),
    Pickle(PathBuf),
}

/// `model.safetensors.index.json`: tensor name → the shard that holds it.
#[derive(Deserialize)]
struct ShardIndex {
    weight_map: HashMap<String, String>,
}

/// Finds the files without reading more than the configuration and the list of shards. `weights` is the folder of the weights, as
/// a hub may hold them in another revision than the rest. Of two layouts that of the hub is taken, if it is complete and can be run.
pub(super) fn locate(folder: &Path, weights: &Path) -> Result<Located, ModelError> {
    let in_hubs_layout = transformers(folder, weights);
    let Some(config) = existing(folder, OPEN_CLIP_CONFIG) else {
        return in_hubs_layout;
    };
    match in_hubs_layout {
        Ok(located) if located.can_be_run() => Ok(located),
        _ => open_clip(folder, config),
    }
}

fn transformers(folder: &Path, weights: &Path) -> Result<Located, ModelError> {
    Ok(Located {
        settings: SettingsFiles::Transformers {
            config: existing(folder, CONFIG).ok_or_else(|| missing(folder, "`config.json`"))?,
            preprocessor: existing(folder, PREPROCESSOR)
                .or_else(|| existing(folder, PROCESSOR))
                .ok_or_else(|| missing(folder, ANY_PREPROCESSOR))?,
        },
        tokenizer: tokenizer_files(folder)?,
        weights: weight_files(weights)?,
    })
}

fn open_clip(folder: &Path, config: PathBuf) -> Result<Located, ModelError> {
    let safetensors = existing(folder, OPEN_CLIP_SAFETENSORS);
    let safetensors = safetensors.map(|file| WeightFiles::Safetensors(vec![file]));
    Ok(Located {
        settings: SettingsFiles::OpenClip(config),
        tokenizer: tokenizer_files(folder)?,
        weights: safetensors
            .or_else(|| existing(folder, OPEN_CLIP_PICKLE).map(WeightFiles::Pickle))
            .ok_or_else(|| missing(folder, ANY_OPEN_CLIP_WEIGHTS))?,
    })
}

impl SettingsFiles {
    fn read(&self) -> Result<Settings, ModelError> {
        Ok(match self {
            Self::OpenClip(config) => Settings::OpenClip(Part::read(config)?),
            Self::Transformers {
                config,
                preprocessor,
            } => Settings::Transformers {
                config: Part::read(config)?,
                preprocessor: Part::read(preprocessor)?,
            },
        })
    }

    fn paths(&self) -> Vec<PathBuf> {
        match self {
            Self::OpenClip(config) => vec![config.clone()],
            Self::Transformers {
                config,
                preprocessor,
            } => vec![config.clone(), preprocessor.clone()],
        }
    }
}

impl Located {
    /// Reads all of it.
    pub(super) fn read(&self) -> Result<Parts, ModelError> {
        Ok(Parts {
            settings: self.settings.read()?,
            tokenizer: self.tokenizer()?,
            weights: self.weights.read()?,
        })
    }

    /// Whether its configuration is one of a model that can be run: other programs leave a `config.json` of their own.
    fn can_be_run(&self) -> bool {
        match &self.settings {
            SettingsFiles::OpenClip(_) => true,
            SettingsFiles::Transformers { config, .. } => Part::read(config)
                .and_then(|config| Architecture::parse(&config))
                .is_ok(),
        }
    }

    /// Every file of it.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let weights = match &self.weights {
            WeightFiles::Safetensors(files) => files.clone(),
            WeightFiles::Pickle(file) => vec![file.clone()],
        };
        [self.settings.paths(), self.tokenizer.clone(), weights].concat()
    }

    fn tokenizer(&self) -> Result<TokenizerParts, ModelError> {
        let mut parts = self
            .tokenizer
            .iter()
            .map(|path| Part::read(path))
            .collect::<Result<Vec<_>, _>>()?;
        let first = parts.remove(0);
        Ok(match parts.pop() {
            None => TokenizerParts::Whole(first),
            Some(merges) => TokenizerParts::Split {
                vocab: first,
                merges,
            },
        })
    }
}

impl WeightFiles {
    fn read(&self) -> Result<Weights, ModelError> {
        match self {
            Self::Safetensors(files) => files
                .iter()
                .map(|path| Shard::open(path).map(Arc::new))
                .collect::<Result<_, _>>()
                .map(Weights::Safetensors),
            Self::Pickle(path) => {
                check_pickle(path).map_err(|reason| ModelError::Invalid {
                    file: path.display().to_string(),
                    reason,
                })?;
                Ok(Weights::Pickle(path.clone()))
            }
        }
    }
}

/// The names of the shards that an index lists, sorted.
pub(super) fn shard_names(index: &Path) -> Result<Vec<String>, ModelError> {
    let part = Part::read(index)?;
    let names: BTreeSet<String> = part
        .json::<ShardIndex>()?
        .weight_map
        .into_values()
        .collect();
    // The names come from a stranger and become paths.
    match names.iter().find(|name| !is_plain(name)) {
        Some(name) => Err(part.invalid(&format!("`{name}` is not the name of a shard"))),
        None if names.is_empty() => Err(part.invalid(&"it lists no shards")),
        None => Ok(names.into_iter().collect()),
    }
}

fn tokenizer_files(folder: &Path) -> Result<Vec<PathBuf>, ModelError> {
    if let Some(whole) = existing(folder, TOKENIZER) {
        return Ok(vec![whole]);
    }
    match (existing(folder, VOCAB), existing(folder, MERGES)) {
        (Some(vocab), Some(merges)) => Ok(vec![vocab, merges]),
        _ if existing(folder, SPIECE).is_some() => Err(missing(folder, OTHER_TOKENIZER)),
        _ => Err(missing(folder, ANY_TOKENIZER)),
    }
}

fn weight_files(folder: &Path) -> Result<WeightFiles, ModelError> {
    if let Some(file) = existing(folder, SAFETENSORS) {
        return Ok(WeightFiles::Safetensors(vec![file]));
    }
    if let Some(index) = existing(folder, SAFETENSORS_INDEX) {
        return shards(folder, &index).map(WeightFiles::Safetensors);
    }
    existing(folder, PICKLE)
        .map(WeightFiles::Pickle)
        .ok_or_else(|| missing(folder, ANY_WEIGHTS))
}

fn shards(folder: &Path, index: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let shard = |name: String| existing(folder, &name).ok_or(name);
    shard_names(index)?
        .into_iter()
        .map(shard)
        .collect::<Result<_, _>>()
        .map_err(|name| ModelError::Invalid {
            file: index.display().to_string(),
            reason: format!("the shard `{name}` is missing"),
        })
}

fn existing(folder: &Path, file: &str) -> Option<PathBuf> {
    let path = folder.join(file);
    path.is_file().then_some(path)
}

fn missing(folder: &Path, wanted: &'static str) -> ModelError {
    ModelError::MissingFile {
        wanted,
        folder: folder.to_owned(),
    }
}
