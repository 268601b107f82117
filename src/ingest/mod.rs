//! How a file becomes a searchable, tagged image.
//!
//! `look` compares folders with the library and queues what must be read; `pipeline` joins the threads that read and
//! decode (`read`), embed (`batch`), and write batches, each in one transaction (`write`). The queue's truth is in the
//! store: files wait there as `pending`, so that a killed process loses nothing.

mod batch;
mod look;
mod pipeline;
mod read;
mod scan;
mod write;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::Result;
use crossbeam_channel::{Sender, bounded};
use serde::{Deserialize, Serialize};
use tracing::error;

use crate::config::{DecodeConfig, IngestConfig};
use crate::embed::Embedder;
use crate::index::Index;
use crate::store::{ModelId, RootId, Store, StoreError};
use crate::tag::Tagger;
use look::Looker;

/// The running ingest of a daemon.
#[derive(Debug)]
pub struct Ingest {
    rescans: Sender<()>,
    stop: Sender<()>,
    thread: JoinHandle<()>,
    progress: Progress,
}

impl Ingest {
    /// Watches and scans the roots, then follows what happens in them.
    pub fn start(parts: Parts, roots: &[PathBuf]) -> Result<Ingest> {
        let progress = Progress::default();
        let looker = Looker::new(parts, roots, progress.clone())?;
        let (rescans, rescan_asked) = bounded(1);
        let (stop, stop_asked) = bounded(1);
        let follow = move || looker.run(&rescan_asked, &stop_asked);
        let thread = thread::Builder::new()
            .name("look".to_owned())
            .spawn(follow)?;
        Ok(Ingest {
            rescans,
            stop,
            thread,
            progress,
        })
    }

    /// What has been done.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Where a comparison of all folders with the library is asked for; one that is asked for already is enough.
    pub fn rescans(&self) -> Sender<()> {
        self.rescans.clone()
    }

    /// Writes what is under way and ends.
    pub fn stop(self) {
        // Closed: the thread has ended already.
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            error!("the thread that looks at folders panicked");
        }
    }
}

/// Brings the library to the state of the folders once, calling `tick` now and then.
pub fn index_once(
    parts: Parts,
    roots: &[PathBuf],
    tick: impl FnMut(&Progress),
) -> Result<Progress> {
    let tagger = Arc::clone(&parts.tagger);
    let progress = Looker::new(parts, roots, Progress::default())?.run_once(tick)?;
    if tagger.news().try_recv().is_ok() {
        tagger.sync()?;
    }
    Ok(progress)
}

/// What the pipeline works on and with.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The truth.
    pub store: Store,
    /// The model.
    pub embedder: Embedder,
    /// Its row in the store.
    pub model: ModelId,
    /// Kept up with the store.
    pub index: Index,
    /// The label sets.
    pub tagger: Arc<Tagger>,
    /// Settings.
    pub ingest: IngestConfig,
    /// Limits on what is decoded.
    pub decode: DecodeConfig,
}

impl Parts {
    /// Takes files that are no longer there out of the library.
    fn forget_files(&self, files: &[PathBuf]) -> std::result::Result<(), StoreError> {
        let orphaned = self.store.mark_gone(files)?;
        self.index.remove(&orphaned);
        self.tagger.tell_news();
        Ok(())
    }
}

/// What has been done since the start. Cheap to clone; every clone counts the same.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    indexed: AtomicUsize,
    unchanged: AtomicUsize,
    failed: AtomicUsize,
    removed: AtomicUsize,
    in_flight: Mutex<HashSet<PathBuf>>,
}

/// [`Progress`] at one moment, in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressReport {
    /// Read and found to hold an image.
    pub indexed: usize,
    /// As they were when they were last read.
    pub unchanged: usize,
    /// Read, now or earlier, and found to hold none.
    pub failed: usize,
    /// Known and no longer there.
    pub removed: usize,
    /// Waiting to be read or being read.
    pub waiting: usize,
}

impl Progress {
    /// The counts of this moment.
    pub fn report(&self) -> ProgressReport {
        let Counts {
            indexed,
            unchanged,
            failed,
            removed,
            ..
        } = &*self.counts;
        ProgressReport {
            indexed: indexed.load(Ordering::Relaxed),
            unchanged: unchanged.load(Ordering::Relaxed),
            failed: failed.load(Ordering::Relaxed),
            removed: removed.load(Ordering::Relaxed),
            waiting: self.in_flight().len(),
        }
    }

    /// Claims a file for reading; false where it is being read already.
    fn claim(&self, path: &Path) -> bool {
        self.in_flight().insert(path.to_owned())
    }

    fn release(&self, paths: &[PathBuf]) {
        let mut in_flight = self.in_flight();
        for path in paths {
            in_flight.remove(path);
        }
    }

    fn waiting(&self) -> usize {
        self.in_flight().len()
    }

    fn in_flight(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.counts
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(counter: &AtomicUsize, more: usize) {
    counter.fetch_add(more, Ordering::Relaxed);
}

/// A watched folder of this run.
#[derive(Debug, Clone)]
struct WatchedRoot {
    id: RootId,
    path: PathBuf,
}
