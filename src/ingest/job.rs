//! What goes through the pipeline, and what is told of it when it cannot go on.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::error;

use super::Progress;
use crate::store::{FileStat, RootId};

/// A file to read.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) root: RootId,
    pub(super) path: PathBuf,
    /// What the file looked like before it was read; it is written with the outcome, so that a change in between shows.
    pub(super) stat: FileStat,
}

/// Failures that are not one file's: a full disk, a broken database, a model that has ended.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    progress: Progress,
    first: Arc<Mutex<Option<anyhow::Error>>>,
}

impl Trouble {
    pub(super) fn new(progress: Progress) -> Trouble {
        Trouble {
            progress,
            first: Arc::default(),
        }
    }

    /// Gives a batch up: its files stay pending.
    pub(super) fn give_up(&self, paths: &[PathBuf], error: anyhow::Error) {
        let error_text = format!("{error:#}");
        error!(
            error = error_text,
            files = paths.len(),
            "failed to write a batch, its files stay pending"
        );
        self.first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
        self.progress.release(paths);
    }

    /// The first failure since this was last asked.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let first = self
            .first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        first.map_or(Ok(()), Err)
    }
}
