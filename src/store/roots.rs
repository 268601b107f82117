//! The table `roots`: which folders are watched, and whether they are there.

use std::path::{Path, PathBuf};

use rusqlite::params;

use super::ids::RootId;
use super::{Result, Store, files, paths};

/// A watched folder.
#[derive(Debug, Clone)]
pub struct Root {
    /// Its row.
    pub id: RootId,
    /// Absolute.
    pub path: PathBuf,
    /// False: missing or empty although files in it are known.
    pub online: bool,
}

impl Store {
    /// The row of a watched folder, made where there is none.
    pub fn root(&self, path: &Path) -> Result<RootId> {
        self.write(|db| {
            let insert = "INSERT INTO roots (path) VALUES (?1) ON CONFLICT (path) DO UPDATE SET path = path RETURNING id";
            Ok(db.query_row(insert, [paths::to_bytes(path)], |row| row.get(0))?)
        })
    }

    /// All watched folders, also those of earlier runs.
    pub fn roots(&self) -> Result<Vec<Root>> {
        self.read(|db| {
            let mut select =
                db.prepare_cached("SELECT id, path, state = 'online' FROM roots ORDER BY path")?;
            let rows = select.query_map([], |row| {
                Ok(Root {
                    id: row.get(0)?,
                    path: paths::from_bytes(row.get(1)?),
                    online: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Marks a root and its files as away, or as back: read again where they were not images before.
    pub fn set_root_online(&self, root: RootId, online: bool) -> Result<()> {
        self.write(|db| {
            let state = if online { "online" } else { "offline" };
            let update = "UPDATE roots SET state = ?2 WHERE id = ?1";
            db.execute(update, params![root, state])?;
            if online {
                files::bring_back(db, root)
            } else {
                files::take_offline(db, root)
            }
        })
    }
}
