//! How a file becomes a searchable, tagged image.
//!
//! `look` compares folders with the library and queues what must be read; `pipeline` joins the threads that read and
//! decode (`read`), embed (`batch`), and write batches, each in one transaction (`write`). The queue's truth is in the
//! store: files wait there as `pending`, so that a killed process loses nothing.

mod batch;
mod breaker;
mod job;
mod look;
mod pipeline;
mod read;
mod roots;
mod scan;
mod schedule;
mod settling;
mod write;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use crossbeam_channel::{Sender, bounded};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::library::Library;
use crate::stop::Threads;
use crate::store::StoreError;
use crate::watch::{Walk, Watch};
use breaker::Breaker;
pub use breaker::{Stage, Trouble};
use look::Looker;

/// The running ingest of a daemon. It ends with the library's threads.
#[derive(Debug)]
pub struct Ingest {
    /// What has been done.
    pub progress: Progress,
    /// Where a comparison of all folders with the library is asked for; one that is asked for already is enough.
    pub rescans: Sender<()>,
    /// How the roots are watched.
    pub(crate) watch: Watch,
}

impl Ingest {
    /// Watches and scans the roots, then follows what happens in them.
    pub fn start(library: &Library, roots: &[PathBuf]) -> Result<Ingest> {
        let threads = library.threads.clone();
        let progress = Progress::default();
        let looker = Looker::new(library.clone(), roots, progress.clone(), &threads)?;
        let walk = Walk::new(&library.ingest);
        let watch = Watch::trees(roots, &walk, &library.stop, &threads)?;
        let (rescans, rescan_asked) = bounded(1);
        let watched = watch.clone();
        threads.spawn("look", move || looker.run(&watched, &rescan_asked))?;
        Ok(Ingest {
            progress,
            rescans,
            watch,
        })
    }
}

/// Brings the library to the state of the folders once, calling `tick` now and then.
pub fn index_once(
    library: Library,
    roots: &[PathBuf],
    tick: impl FnMut(&Progress),
) -> Result<Progress> {
    let tagger = Arc::clone(&library.tagger);
    let threads = Threads::default();
    let looker = Looker::new(library, roots, Progress::default(), &threads)?;
    let progress = looker.run_once(&threads, tick)?;
    if tagger.news().try_recv().is_ok() {
        tagger.sync()?;
    }
    Ok(progress)
}

/// Takes files that are no longer there out of the library; which others are to be looked at for that.
fn forget_files(
    library: &Library,
    files: &[PathBuf],
) -> std::result::Result<Vec<PathBuf>, StoreError> {
    let left = library.store.mark_gone(files)?;
    library.let_go(&left.orphaned)?;
    if let Err(error) = library.tagger.hand_on(&left.heirs) {
        warn!(%error, "what was decided about a picture that is gone does not count for the rest of its shot");
    }
    library.tagger.tell_news();
    Ok(left.parted)
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
    breaker: Breaker,
}

/// What became of files since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProgressReport {
    /// Read and found to hold an image.
    pub indexed: usize,
    /// As they were when they were last read.
    pub unchanged: usize,
    /// Read, now or earlier, and found to hold none.
    pub failed: usize,
    /// Known and no longer there.
    pub removed: usize,
    /// In line to be read or being read.
    pub queued: usize,
    /// What stands in the way of all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
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
            queued: self.queued(),
            trouble: self.counts.breaker.trouble(),
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

    fn queued(&self) -> usize {
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
