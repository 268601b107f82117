//! What is told about watches: how many folders are watched, which are not and why, and which are looked at by the clock.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Folders that are named; the others are counted.
const NAMED: usize = 5;

/// How folders are watched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchReport {
    /// Folders whose changes the system tells at once.
    pub folders: usize,
    /// Folders whose changes it does not tell.
    pub unwatched: usize,
    /// The first few of those.
    pub examples: Vec<WatchNote>,
    /// Folders that are compared with the library by the clock, at and below which changes are not told, or not all.
    pub polled: Vec<WatchNote>,
    /// Time between two such comparisons, in seconds.
    pub poll_interval_s: u64,
}

/// A folder, and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchNote {
    /// The folder.
    pub path: String,
    /// Why, and the way out where there is one.
    pub reason: String,
}

impl WatchReport {
    /// Adds what is told about other folders.
    pub(crate) fn add(&mut self, other: WatchReport) {
        self.folders += other.folders;
        self.unwatched += other.unwatched;
        self.examples.extend(other.examples);
        self.examples.truncate(NAMED);
        self.polled.extend(other.polled);
    }
}

/// The first few notes.
pub(super) fn first_few(notes: impl Iterator<Item = WatchNote>) -> Vec<WatchNote> {
    notes.take(NAMED).collect()
}

/// Why a folder is not watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// A root, or the labels folder, that is not there.
    Missing,
    /// Its permissions do not allow it.
    Denied,
    /// The user has as many watches as the system allows.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "only Linux says so")
    )]
    NoWatchLeft,
    /// The user has as many watchers as the system allows.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "only Linux says so")
    )]
    NoInstanceLeft,
    /// Something else.
    Other(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Missing => "it is not there",
            Reason::Denied => "its permissions do not let pixdex read it",
            Reason::NoWatchLeft => {
                "no inotify watch is left: raise the sysctl fs.inotify.max_user_watches"
            }
            Reason::NoInstanceLeft => {
                "no inotify instance is left: raise the sysctl fs.inotify.max_user_instances, or the limit of open files"
            }
            Reason::Other(error) => error,
        })
    }
}
