//! Where a model comes from: the bundled one, the Hugging Face hub or a folder. Nothing else talks to the network.
//!
//! A source becomes [`Model`]: the shape of the towers, the preprocessing, the tokenizer, the weights as bytes, and the
//! fingerprint that says whose vectors may meet. Running it is the embedder's part. Whatever cannot be run faithfully is
//! refused here by name; no setting that changes an embedding is ever guessed.
//!
//! ```text
//! source ─┬─ bundled ────────────────┐
//!         ├─ hub ── cache, network ──┼─> parts ─> architecture, preprocessing, tokenizer, weights
//!         └─ folder ─────────────────┘
//! ```

use std::{
    fmt::{self, Debug, Formatter},
    fs::{self, File},
    path::PathBuf,
};

use blake3::Hasher;
use tokenizers::Tokenizer;
use tracing::warn;

use folder::Located;
use parts::{Parts, Settings};

mod architecture;
mod bundled;
mod error;
mod family;
mod folder;
mod hub;
mod open_clip;
mod parts;
mod preprocessing;
mod recommended;
mod shape;
mod source;
mod tokenizer;
mod weights;

pub use architecture::{Architecture, Layout};
pub use error::{HubError, ModelError};
pub use family::{Family, Pooling, TowerFamily};
pub use hub::{HubSettings, Progress};
pub use parts::Weights;
pub use preprocessing::{Filter, Middle, PictureSize, Preprocessing, Resize};
pub use recommended::{Languages, RECOMMENDED, Recommended, for_all_languages};
pub use shape::{TextShape, TowerShape, VisionShape};
pub use source::ModelSource;
pub use weights::Shard;

/// A model, read and checked, ready to be run.
pub struct Model {
    /// The source as its owner wrote it.
    pub name: String,
    /// The shape of both towers.
    pub architecture: Architecture,
    /// What is done to a picture before the image tower.
    pub preprocessing: Preprocessing,
    /// The weights.
    pub weights: Weights,
    /// Gives a text's ids, at most `context_length`: with start and end of text around them, or filled up behind its end where the
    /// tower was trained so. Special tokens that a user typed are plain text.
    pub tokenizer: Tokenizer,
    /// Hex BLAKE3 of every byte that can change an embedding; two models of one fingerprint give the same vectors.
    pub fingerprint: String,
}

/// A file of a model that lies on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// Where it lies.
    pub path: PathBuf,
    /// How long it is.
    pub size_bytes: u64,
}

impl Model {
    /// Reads the model, after downloading what is not yet in the hub's cache. A model that is there complete is taken
    /// without asking the hub, so that it starts without a network.
    pub fn open(
        source: &ModelSource,
        hub: &HubSettings,
        progress: &dyn Fn(Progress<'_>),
    ) -> Result<Self, ModelError> {
        let name = source.to_string();
        match source {
            ModelSource::Bundled => Self::assemble(name, bundled::parts()),
            ModelSource::Folder(folder) => Self::read(name, &folder::locate(folder, folder)?),
            ModelSource::Hub { repo, revision } => {
                let cached = hub::cached(repo, revision.as_deref(), hub);
                if let Some(model) = cached.and_then(|files| Self::read_cached(&name, &files)) {
                    return Ok(model);
                }
                Self::read(name, &hub::pull(repo, revision.as_deref(), hub, progress)?)
            }
        }
    }

    /// What is damaged in the cache can be had anew.
    fn read_cached(name: &str, files: &Located) -> Option<Self> {
        let model = Self::read(name.to_owned(), files);
        model
            .inspect_err(|error| warn!(%error, "the cached model is of no use, asking the hub"))
            .ok()
    }

    fn read(name: String, files: &Located) -> Result<Self, ModelError> {
        Self::assemble(name, files.read()?)
    }

    /// The licence of its weights, where that is known to forbid commerce.
    pub fn noncommercial_licence(&self) -> Option<&'static str> {
        self.architecture.family.noncommercial_licence(&self.name)
    }

    fn assemble(name: String, parts: Parts) -> Result<Self, ModelError> {
        let (mut architecture, preprocessing) = understand(&parts.settings)?;
        let tokenizer = tokenizer::build(
            &parts.tokenizer,
            architecture.family.texts,
            architecture.cleaning,
            &mut architecture.text,
        )?;
        let fingerprint = fingerprint(&parts)?;
        Ok(Self {
            name,
            architecture,
            preprocessing,
            weights: parts.weights,
            tokenizer,
            fingerprint,
        })
    }
}

fn understand(settings: &Settings) -> Result<(Architecture, Preprocessing), ModelError> {
    match settings {
        Settings::OpenClip(config) => open_clip::parse(config),
        Settings::Transformers {
            config,
            preprocessor,
        } => {
            let architecture = Architecture::parse(config)?;
            let processor = &architecture.family.image_processor;
            let image_size = architecture.vision.image_size;
            let preprocessing = Preprocessing::parse(preprocessor, processor, image_size)?;
            Ok((architecture, preprocessing))
        }
    }
}

/// Leaves out the weights and the vocabulary.
impl Debug for Model {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            architecture,
            preprocessing,
            fingerprint,
            ..
        } = self;
        let mut shown = f.debug_struct("Model");
        shown
            .field("name", name)
            .field("architecture", architecture)
            .field("preprocessing", preprocessing);
        shown
            .field("fingerprint", fingerprint)
            .finish_non_exhaustive()
    }
}

/// Whether a model is on this machine, so that the hub need not be asked.
pub fn is_here(source: &ModelSource) -> bool {
    match source {
        ModelSource::Bundled => true,
        ModelSource::Folder(folder) => folder.is_dir(),
        ModelSource::Hub { repo, revision } => {
            hub::cached(repo, revision.as_deref(), &HubSettings::from_env()).is_some()
        }
    }
}

/// Fetches a hub model into the cache, asking the hub also when some revision of it is there already, and lists the
/// model's files. The bundled model has none.
pub fn pull(
    source: &ModelSource,
    hub: &HubSettings,
    progress: &dyn Fn(Progress<'_>),
) -> Result<Vec<ModelFile>, ModelError> {
    let located = match source {
        ModelSource::Bundled => return Ok(Vec::new()),
        ModelSource::Folder(folder) => folder::locate(folder, folder)?,
        ModelSource::Hub { repo, revision } => hub::pull(repo, revision.as_deref(), hub, progress)?,
    };
    located.paths().into_iter().map(model_file).collect()
}

fn model_file(path: PathBuf) -> Result<ModelFile, ModelError> {
    let size_bytes = fs::metadata(&path)
        .map_err(|source| ModelError::read(&path, source))?
        .len();
    Ok(ModelFile { path, size_bytes })
}

/// Over the raw bytes, so that a later version of this program, reading them in another way, still knows them.
fn fingerprint(parts: &Parts) -> Result<String, ModelError> {
    let mut hasher = Hasher::new();
    for part in [parts.settings.each(), parts.tokenizer.each()].concat() {
        add(&mut hasher, &part.bytes);
    }
    match &parts.weights {
        Weights::Safetensors(shards) => {
            for shard in shards {
                hasher.update(&shard.length().to_le_bytes());
                shard.hash(&mut hasher)?;
            }
        }
        Weights::Pickle(path) => {
            let read = File::open(path).and_then(|file| hasher.update_reader(file).map(drop));
            read.map_err(|source| ModelError::read(path, source))?;
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// The length in front keeps the end of one file apart from the start of the next.
fn add(hasher: &mut Hasher, bytes: &[u8]) {
    hasher
        .update(&(bytes.len() as u64).to_le_bytes())
        .update_rayon(bytes);
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::*;

    const FILES: [(&str, &str); 4] = [
        (
            "config.json",
            r#"{"model_type": "clip", "text_config": {"vocab_size": 3, "eos_token_id": 1}}"#,
        ),
        ("preprocessor_config.json", "{}"),
        (
            "vocab.json",
            r#"{"<|startoftext|>": 0, "<|endoftext|>": 1, "a": 2}"#,
        ),
        ("merges.txt", ""),
    ];
    const WEIGHTS: &[u8] = b"\x02\0\0\0\0\0\0\0{}";

    fn write_model(folder: &Path) {
        for (file, text) in FILES {
            fs::write(folder.join(file), text).unwrap();
        }
        fs::write(folder.join("model.safetensors"), WEIGHTS).unwrap();
    }

    fn open(source: &ModelSource) -> Result<Model, ModelError> {
        let hub = HubSettings {
            endpoint: String::new(),
            cache_dir: PathBuf::new(),
            token: Some("secret".to_owned()),
            timeout: Duration::ZERO,
        };
        assert!(!format!("{hub:?}").contains("secret"));
        Model::open(source, &hub, &|_| ())
    }

    #[test]
    fn the_bundled_model_opens() {
        let model = open(&ModelSource::Bundled).unwrap();
        assert_eq!(
            (model.name.as_str(), model.fingerprint.len()),
            ("bundled", 64)
        );
        assert!(matches!(&model.weights, Weights::Safetensors(files) if files[0].length() > 1000));
    }

    #[test]
    fn licences_that_forbid_commerce_are_known() {
        let licence = |model_type, name| {
            let family = Family::of(Some(model_type)).unwrap();
            family.noncommercial_licence(name)
        };
        assert_eq!(licence("metaclip_2", "/srv/model"), Some("CC-BY-NC-4.0"));
        assert_eq!(
            licence("clip", "facebook/metaclip-b32-400m"),
            Some("CC-BY-NC-4.0")
        );
        assert_eq!(licence("clip", "openai/clip-vit-base-patch32"), None);
        assert_eq!(licence("siglip", "google/siglip2-base-patch16-224"), None);
    }

    #[test]
    fn a_folder_lacks_files_by_name() {
        let folder = tempfile::tempdir().unwrap();
        write_model(folder.path());
        open(&ModelSource::Folder(folder.path().to_owned())).unwrap();
        let cases = [
            ("model.safetensors", "`pytorch_model.bin`"),
            ("merges.txt", "`merges.txt`"),
            ("preprocessor_config.json", "`preprocessor_config.json`"),
            ("config.json", "`config.json`"),
        ];
        for (file, expected) in cases {
            fs::remove_file(folder.path().join(file)).unwrap();
            let error = open(&ModelSource::Folder(folder.path().to_owned()))
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains(folder.path().to_str().unwrap()), "{error}");
        }
    }

    #[test]
    fn a_file_cut_short_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write_model(folder.path());
        fs::write(folder.path().join("model.safetensors"), &WEIGHTS[..9]).unwrap();
        let error = open(&ModelSource::Folder(folder.path().to_owned()))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("model.safetensors`") && error.contains("cut off"),
            "{error}"
        );
    }

    #[test]
    fn every_file_moves_the_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        let source = || ModelSource::Folder(folder.path().to_owned());
        write_model(folder.path());
        let mut seen = vec![open(&source()).unwrap().fingerprint];
        assert_eq!(seen[0], open(&source()).unwrap().fingerprint);
        let changes: [(&str, &[u8]); 5] = [
            (
                "config.json",
                FILES[0].1.replace('3', "4").leak().as_bytes(),
            ),
            ("preprocessor_config.json", br#"{"resample": 2}"#),
            (
                "vocab.json",
                br#"{"<|startoftext|>": 0, "<|endoftext|>": 1, "b": 2}"#,
            ),
            ("merges.txt", b"#version: 0.2"),
            ("model.safetensors", b"\x03\0\0\0\0\0\0\0{ }"),
        ];
        for (file, bytes) in changes {
            fs::write(folder.path().join(file), bytes).unwrap();
            let fingerprint = open(&source()).unwrap().fingerprint;
            assert!(!seen.contains(&fingerprint), "{file}");
            seen.push(fingerprint);
        }
    }

    #[test]
    fn a_pickle_moves_the_fingerprint_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pytorch_model.bin");
        let [first, second] = ["one", "two"].map(|text| {
            fs::write(&path, text).unwrap();
            let weights = Weights::Pickle(path.clone());
            fingerprint(&Parts {
                weights,
                ..bundled::parts()
            })
            .unwrap()
        });
        assert_ne!(first, second);
    }
}
