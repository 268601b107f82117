//! Which files of a repository make a model, in the order in which they are fetched: the small ones first, so that a
//! repository that is no model is known before its weights are downloaded.

use std::path::{Path, PathBuf};

use tracing::info;

use super::{HubSettings, Progress, cache::RepoCache, conversion, fetch::Fetcher};
use crate::model::{
    Architecture, HubError, ModelError,
    folder::{
        ANY_OPEN_CLIP_WEIGHTS, ANY_PREPROCESSOR, ANY_TOKENIZER, ANY_WEIGHTS, CONFIG, Located,
        MERGES, OPEN_CLIP_CONFIG, OPEN_CLIP_PICKLE, OPEN_CLIP_SAFETENSORS, PICKLE, PREPROCESSOR,
        PROCESSOR, SAFETENSORS, SAFETENSORS_INDEX, TOKENIZER, VOCAB, shard_names,
    },
    open_clip,
    parts::Part,
};

/// Fetches what the cache lacks of a revision, then points the revision at it.
pub(super) fn pull_revision(
    cache: &RepoCache,
    settings: &HubSettings,
    progress: &dyn Fn(Progress<'_>),
) -> Result<Located, ModelError> {
    let mut fetcher = Fetcher::new(cache, settings, progress);
    if let Err(error) = fetcher.transformers(settings) {
        // Where the hub's own layout is not there, or describes something else, `open_clip`'s may stand beside it.
        let config = match &error {
            ModelError::Hub(HubError::NoFile { .. }) | ModelError::Invalid { .. } => {
                fetcher.fetch(OPEN_CLIP_CONFIG)?
            }
            _ => None,
        };
        fetcher.open_clip(&config.ok_or(error)?)?;
    }
    let commit = fetcher.commit()?;
    cache.remember(&commit)?;
    cache.located(&commit)
}

impl Fetcher<'_> {
    fn transformers(&mut self, settings: &HubSettings) -> Result<(), ModelError> {
        let config = self.require(CONFIG, "`config.json`")?;
        Architecture::parse(&Part::read(&config)?)?;
        if self.fetch(PREPROCESSOR)?.is_none() {
            self.require(PROCESSOR, ANY_PREPROCESSOR)?;
        }
        self.tokenizer()?;
        self.weights(settings)
    }

    fn open_clip(&mut self, config: &Path) -> Result<(), ModelError> {
        open_clip::parse(&Part::read(config)?)?;
        self.tokenizer()?;
        if self.fetch(OPEN_CLIP_SAFETENSORS)?.is_none() {
            self.require(OPEN_CLIP_PICKLE, ANY_OPEN_CLIP_WEIGHTS)?;
        }
        Ok(())
    }

    fn tokenizer(&mut self) -> Result<(), ModelError> {
        if self.fetch(TOKENIZER)?.is_none() {
            self.require(VOCAB, ANY_TOKENIZER)?;
            self.require(MERGES, ANY_TOKENIZER)?;
        }
        Ok(())
    }

    fn require(&mut self, file: &str, wanted: &'static str) -> Result<PathBuf, ModelError> {
        self.fetch(file)?.ok_or_else(|| self.no_file(wanted))
    }

    fn no_file(&self, wanted: &'static str) -> ModelError {
        let (repo, revision) = (self.cache.repo.clone(), self.cache.revision.clone());
        HubError::NoFile {
            repo,
            revision,
            wanted,
        }
        .into()
    }

    fn commit(&self) -> Result<String, ModelError> {
        self.commit
            .clone()
            .ok_or_else(|| self.no_file("`config.json`"))
    }

    fn weights(&mut self, settings: &HubSettings) -> Result<(), ModelError> {
        if self.safetensors()? || self.converted(settings)? || self.fetch(PICKLE)?.is_some() {
            return Ok(());
        }
        Err(self.no_file(ANY_WEIGHTS))
    }

    fn safetensors(&mut self) -> Result<bool, ModelError> {
        if self.fetch(SAFETENSORS)?.is_some() {
            return Ok(true);
        }
        let Some(index) = self.fetch(SAFETENSORS_INDEX)? else {
            return Ok(false);
        };
        for shard in shard_names(&index)? {
            if self.fetch(&shard)?.is_none() {
                return Err(self.no_file("shard that its `model.safetensors.index.json` lists"));
            }
        }
        Ok(true)
    }

    /// Takes the safetensors from the revision to which the hub's converter wrote them.
    fn converted(&mut self, settings: &HubSettings) -> Result<bool, ModelError> {
        let Some(revision) = conversion::find(self, settings)? else {
            return Ok(false);
        };
        let cache = self.cache.at(settings, &revision);
        let mut there = self.at(&cache);
        if !there.safetensors()? {
            return Ok(false);
        }
        info!(
            repo = self.cache.repo,
            revision, "took `model.safetensors` from the revision that has it"
        );
        self.cache
            .note_conversion(&self.commit()?, &there.commit()?)?;
        Ok(true)
    }
}
