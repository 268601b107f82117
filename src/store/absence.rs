//! Files that are not there now and are kept: which are missed, and which are back.

use std::path::PathBuf;

use rusqlite::{Transaction, params};

use super::file_state::{FileStat, FileState};
use super::ids::RootId;
use super::{Result, Store, paths};

/// A file that was seen and need not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenFile {
    /// The file.
    pub path: PathBuf,
    /// What it looks like.
    pub stat: FileStat,
    /// Whether it lies on another file system than its root.
    pub is_mounted: bool,
}

impl Store {
    /// Marks files as missed: they keep all that they have.
    pub fn mark_absent(&self, files: &[PathBuf]) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        self.write(|db| {
            let mut update = db.prepare_cached(
                "UPDATE files SET state = ?2, reason = NULL, absent_since = coalesce(absent_since, unixepoch('now'))
                 WHERE path = ?1 AND state <> ?3",
            )?;
            for path in files {
                let path = paths::to_bytes(path);
                update.execute(params![path, FileState::Offline, FileState::Gone])?;
            }
            Ok(())
        })
    }

    /// Brings the rows of files up to date that were seen as they were when they were last read: what was missed is back.
    pub fn note_seen(&self, files: &[SeenFile]) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        self.write(|db| {
            let mut update = db.prepare_cached(
                "UPDATE files SET changed_ns = ?2, is_mounted = ?3, absent_since = NULL,
                     state = iif(state <> ?4, state, iif(image_id IS NULL, ?5, ?6))
                 WHERE path = ?1",
            )?;
            for file in files {
                update.execute(params![
                    paths::to_bytes(&file.path),
                    file.stat.changed_ns,
                    file.is_mounted,
                    FileState::Offline,
                    FileState::Pending,
                    FileState::Indexed
                ])?;
            }
            Ok(())
        })
    }
}

/// Marks all files of a root as missed.
pub(super) fn take_offline(db: &Transaction<'_>, root: RootId) -> Result<()> {
    let update = "UPDATE files SET state = ?2, reason = NULL, absent_since = coalesce(absent_since, unixepoch('now'))
                  WHERE root_id = ?1 AND state <> ?3";
    db.execute(update, params![root, FileState::Offline, FileState::Gone])?;
    Ok(())
}
