//! The folders of this run and of earlier ones, as they are now.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::{Root, Store, StoreError};

/// A folder of this run or of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KnownRoot {
    /// The folder.
    pub path: String,
    /// Whether it is among the folders that were named last.
    pub watched: bool,
    /// Whether it is there, and not empty.
    pub online: bool,
    /// Files that are known in it.
    pub files: usize,
    /// When it was first named, `YYYY-MM-DDTHH:MM:SSZ`; none where nobody knows.
    pub known_since: Option<String>,
    /// When `serve` was first started without it; none while it is watched.
    pub unwatched_since: Option<String>,
}

/// All folders of this run and of earlier ones, by path.
pub fn known_roots(store: &Store) -> Result<Vec<KnownRoot>, StoreError> {
    let known = |root: Root| Ok(known(store.count_files(root.id)?, root));
    store.roots()?.into_iter().map(known).collect()
}

fn known(files: usize, root: Root) -> KnownRoot {
    // What is watched is looked at anyway; of another folder nobody else knows.
    let is_there =
        || std::fs::read_dir(&root.path).is_ok_and(|mut entries| entries.next().is_some());
    let watched = root.is_named();
    KnownRoot {
        path: root.path.display().to_string(),
        watched,
        online: if watched { root.online } else { is_there() },
        files,
        known_since: root.known_since,
        unwatched_since: root.unnamed_since,
    }
}
