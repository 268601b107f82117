//! What goes through the pipeline, and what comes back from it.

use std::path::PathBuf;

use crossbeam_channel::Sender;

use crate::pictures::OriginalFile;
use crate::store::{RootId, SeenFile};

/// A file to read.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) root: RootId,
    /// As it was when it was looked at; that is written with the outcome, so that a change in between shows.
    pub(super) original: OriginalFile,
    pub(super) is_mounted: bool,
}

impl Job {
    /// The file as the store knows it.
    pub(super) fn seen(self) -> SeenFile {
        SeenFile {
            path: self.original.path,
            stat: self.original.stat,
            is_mounted: self.is_mounted,
        }
    }
}

/// A file that comes back out of the pipeline without an outcome.
#[derive(Debug)]
pub(super) enum Returned {
    /// Something stood in the way of all files: it is read later.
    Later(Job),
    /// It is not what was looked at: it must be looked at again.
    Look(PathBuf),
    /// Some files wait now to be tried again.
    Waits,
}

/// The way back.
pub(super) type ReturnedSender = Sender<Returned>;
