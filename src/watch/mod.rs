//! Follows changes in folders and tells which paths are worth a look. A hint may be wrong, late or missing; the scan is the truth.
//!
//! A watch lives as long as what it watches: `folders` knows what should be watched and renews what was lost, by what
//! `source` tells of folders and `mounts` of file systems, and by the ways (`links`) that lead to roots. Where watching is
//! not possible, or does not tell everything, folders are looked at by the clock.

mod event;
mod folders;
mod links;
mod mounts;
mod report;
#[cfg_attr(target_os = "linux", path = "inotify.rs")]
#[cfg_attr(not(target_os = "linux"), path = "portable.rs")]
mod source;
mod state;
mod walk;
mod worker;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded};

use self::folders::{Extent, Folders};
use self::worker::Worker;
use crate::stop::{Stop, Threads};

pub use self::report::{WatchNote, WatchReport};
pub(crate) use self::walk::Walk;

/// Hints that wait for the reader.
const HINT_QUEUE: usize = 1024;

/// Something worth a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hint {
    /// This path, or what lies below it, may have changed; `is_final`: whoever wrote it has closed it.
    Path {
        /// Absolute.
        path: PathBuf,
        /// Whether the path need not settle first.
        is_final: bool,
    },
    /// Events were lost: everything may have changed, and [`Watch::renew`] comes before the look at it.
    Everything,
}

/// Watched folders; they are watched until told to stop. Every clone is the same watch.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    folders: Arc<Folders>,
    hints: Receiver<Hint>,
}

impl Watch {
    /// Watches these folders and all below them, but for excluded and hidden ones, from [`Watch::renew`] on.
    ///
    /// # Errors
    ///
    /// No thread can be had. Folders that cannot be watched are in [`Watch::report`].
    pub(crate) fn trees(
        roots: &[PathBuf],
        walk: &Walk,
        stop: &Stop,
        threads: &Threads,
    ) -> io::Result<Watch> {
        let extent = Extent::Tree(walk.clone());
        Watch::start(roots, extent, stop, threads)
    }

    /// Watches every name in one folder, from [`Watch::renew`] on. The folder may be a link.
    ///
    /// # Errors
    ///
    /// As for [`Watch::trees`].
    pub(crate) fn folder(folder: &Path, stop: &Stop, threads: &Threads) -> io::Result<Watch> {
        let folder = std::path::absolute(folder)?;
        Watch::start(&[folder], Extent::Folder, stop, threads)
    }

    fn start(
        roots: &[PathBuf],
        extent: Extent,
        stop: &Stop,
        threads: &Threads,
    ) -> io::Result<Watch> {
        let (sender, hints) = bounded(HINT_QUEUE);
        let folders = Arc::new(Folders::new(roots, extent));
        let worker = Worker::new(Arc::clone(&folders), sender);
        let stop = stop.clone();
        threads.spawn("watch", move || worker.run(&stop))?;
        Ok(Watch { folders, hints })
    }

    /// The hints. The channel closes when watching ends.
    pub(crate) fn hints(&self) -> &Receiver<Hint> {
        &self.hints
    }

    /// Watches again what should be watched. When this returns, no change goes unseen any more, so that a scan after it
    /// misses nothing.
    pub(crate) fn renew(&self) {
        self.folders.renew();
    }

    /// Folders whose changes are not told, or not all of them: they must be looked at by the clock.
    pub(crate) fn polled(&self) -> Vec<PathBuf> {
        let polled = self.folders.polled().into_iter();
        polled.map(|(path, _)| path).collect()
    }

    /// How these folders are watched.
    pub(crate) fn report(&self) -> WatchReport {
        self.folders.report()
    }
}

/// The name of the file system that a folder lies on, where that tells nothing of what others change in it.
pub(crate) fn silent_file_system(folder: &Path) -> Option<String> {
    mounts::Mounts::open().silent_at(folder).map(str::to_owned)
}
