//! Watched folders: which there are, and whether they are there.

use std::path::{Path, PathBuf};

use rusqlite::params;

use super::{Result, Store, paths};

/// A watched folder's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RootId(pub(super) i64);

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
            Ok(RootId(db.query_row(insert, [paths::to_bytes(path)], |row| row.get(0))?))
        })
    }

    /// All watched folders, also those of earlier runs.
    pub fn roots(&self) -> Result<Vec<Root>> {
        self.read(|db| {
            let mut select =
                db.prepare_cached("SELECT id, path, state = 'online' FROM roots ORDER BY path")?;
            let rows = select.query_map([], |row| {
                Ok(Root {
                    id: RootId(row.get(0)?),
                    path: paths::from_bytes(row.get(1)?),
                    online: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Marks the files of a root as away, or as back: read again where they were not images before.
    pub fn set_root_online(&self, root: RootId, online: bool) -> Result<()> {
        self.write(|db| {
            let state = if online { "online" } else { "offline" };
            db.execute("UPDATE roots SET state = ?2 WHERE id = ?1", params![root.0, state])?;
            let files = if online {
                "UPDATE files SET state = iif(image_id IS NULL, 'pending', 'indexed') WHERE root_id = ?1 AND state = 'offline'"
            } else {
                "UPDATE files SET state = 'offline', reason = NULL WHERE root_id = ?1 AND state <> 'gone'"
            };
            db.execute(files, [root.0])?;
            Ok(())
        })
    }
}
