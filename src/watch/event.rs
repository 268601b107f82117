//! What a system tells of watched folders, in the words that all systems share.

use std::path::PathBuf;

/// One thing that the system tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WatchEvent {
    /// Something happened to this path.
    Changed {
        /// In or of a watched folder.
        path: PathBuf,
        /// What happened.
        what: What,
    },
    /// The file system of a watched folder was unmounted.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "only Linux says so")
    )]
    Unmounted(PathBuf),
    /// More happened than could be kept.
    Lost,
}

/// What happened to a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// It was made.
    Made,
    /// It was renamed to this name; from that one, where that is known.
    MovedIn(Option<PathBuf>),
    /// It was renamed away: out of sight, or to a name that is told next.
    MovedOut,
    /// It was removed.
    Removed,
    /// Its permissions, owner or times changed.
    Attributes,
    /// It was written to.
    Written,
    /// Whoever wrote it has closed it.
    Closed,
}
