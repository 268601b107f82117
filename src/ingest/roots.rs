//! The watched folders of this run, and whether they are there.

use std::path::{Path, PathBuf};

use tracing::{info, warn};

use super::scan;
use crate::store::{Event, RootId, Store, StoreError};

/// A watched folder.
#[derive(Debug, Clone)]
pub(super) struct WatchedRoot {
    pub(super) id: RootId,
    pub(super) path: PathBuf,
    /// As the store has it, which nobody else changes while the library is open.
    pub(super) is_online: bool,
    /// The number of its folder when it was last scanned and found to be itself.
    pub(super) inode: Option<i64>,
}

impl WatchedRoot {
    /// The number of the file system that it lies on now; 0 where it is not there.
    pub(super) fn device(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| scan::device(&metadata))
    }
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
                inode: root.inode,
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

    /// Remembers the number of a root's folder.
    pub(super) fn set_inode(&mut self, id: RootId, inode: i64) -> Result<(), StoreError> {
        let mut roots = self.roots.iter_mut();
        let Some(root) = roots.find(|root| root.id == id && root.inode != Some(inode)) else {
            return Ok(());
        };
        self.store.set_root_inode(id, inode)?;
        root.inode = Some(inode);
        Ok(())
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
        self.store.feed().tell(Event::Root {
            path: root.to_string(),
            online: is_online,
        });
        if is_online {
            info!(%root, "folder is back");
        } else {
            warn!(%root, "folder is missing or empty: its pictures stay, marked as offline, until it is back");
        }
        Ok(())
    }
}
