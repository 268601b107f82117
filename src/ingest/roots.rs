//! The watched folders of this run, and whether they are there.

use std::path::{Path, PathBuf};

use tracing::{info, warn};

use crate::store::{RootId, Store, StoreError};

/// A watched folder.
#[derive(Debug, Clone)]
pub(super) struct WatchedRoot {
    pub(super) id: RootId,
    pub(super) path: PathBuf,
    /// As the store has it, which nobody else changes while the library is open.
    pub(super) is_online: bool,
}

/// All watched folders; none lies in another.
#[derive(Debug)]
pub(super) struct Roots {
    store: Store,
    roots: Vec<WatchedRoot>,
}

impl Roots {
    /// These folders, whose rows are made where there are none.
    pub(super) fn new(store: Store, folders: &[PathBuf]) -> Result<Roots, StoreError> {
        for folder in folders {
            store.root(folder)?;
        }
        let known = store.roots()?.into_iter();
        let watched = known.filter(|root| folders.contains(&root.path));
        let roots = watched
            .map(|root| WatchedRoot {
                id: root.id,
                path: root.path,
                is_online: root.online,
            })
            .collect();
        Ok(Roots { store, roots })
    }

    pub(super) fn all(&self) -> Vec<WatchedRoot> {
        self.roots.clone()
    }

    /// The root that a path lies in.
    pub(super) fn of(&self, path: &Path) -> Option<WatchedRoot> {
        let mut roots = self.roots.iter();
        roots.find(|root| path.starts_with(&root.path)).cloned()
    }

    /// Marks a root, with the files in it, as back or as away.
    pub(super) fn set_online(&mut self, id: RootId, is_online: bool) -> Result<(), StoreError> {
        let mut roots = self.roots.iter_mut();
        let Some(root) = roots.find(|root| root.id == id && root.is_online != is_online) else {
            return Ok(());
        };
        self.store.set_root_online(id, is_online)?;
        root.is_online = is_online;
        let root = root.path.display();
        if is_online {
            info!(%root, "folder is back");
        } else {
            warn!(%root, "folder is missing or empty: its pictures stay, marked as offline, until it is back");
        }
        Ok(())
    }
}
