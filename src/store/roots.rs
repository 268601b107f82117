//! The table `roots`: which folders are watched, or were in an earlier run, and whether they are there.

use std::path::{Path, PathBuf};

use rusqlite::{Row, params};

use super::ids::RootId;
use super::{Result, Store, absence, paths};

/// A folder that is watched, or was in an earlier run.
#[derive(Debug, Clone)]
pub struct Root {
    /// Its row.
    pub id: RootId,
    /// Absolute.
    pub path: PathBuf,
    /// False: missing or empty although files in it are known. As it was when it was last watched.
    pub online: bool,
    /// When it was first named, `YYYY-MM-DDTHH:MM:SSZ`; none where an older pixdex did not say.
    pub known_since: Option<String>,
    /// When `serve` was first started without it; none while it is watched.
    pub unnamed_since: Option<String>,
    /// The number of its folder when it was last scanned and found to be itself.
    pub inode: Option<i64>,
}

impl Root {
    /// Whether it is among the folders of the last run.
    pub fn is_named(&self) -> bool {
        self.unnamed_since.is_none()
    }
}

const NOW: &str = "strftime('%Y-%m-%dT%H:%M:%SZ', 'now')";

const SELECT: &str = "
    SELECT id, path, state = 'online', known_since, unnamed_since, inode FROM roots";

fn root(row: &Row<'_>) -> rusqlite::Result<Root> {
    Ok(Root {
        id: row.get(0)?,
        path: paths::from_bytes(row.get(1)?),
        online: row.get(2)?,
        known_since: row.get(3)?,
        unnamed_since: row.get(4)?,
        inode: row.get(5)?,
    })
}

impl Store {
    /// The row of a watched folder, made where there is none.
    pub fn root(&self, path: &Path) -> Result<RootId> {
        self.write(|db| {
            let insert = format!(
                "INSERT INTO roots (path, known_since) VALUES (?1, {NOW})
                 ON CONFLICT (path) DO UPDATE SET unnamed_since = NULL RETURNING id"
            );
            Ok(db.query_row(&insert, [paths::to_bytes(path)], |row| row.get(0))?)
        })
    }

    /// All folders that are watched, or were in an earlier run, by path.
    pub fn roots(&self) -> Result<Vec<Root>> {
        self.read(|db| {
            let mut select = db.prepare_cached(&format!("{SELECT} ORDER BY path"))?;
            let rows = select.query_map([], root)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Remembers that of all folders only these are named from now on; what is known of the others stays.
    pub fn name_roots(&self, named: &[PathBuf]) -> Result<()> {
        let others = self.roots()?.into_iter();
        let others = others.filter(|root| root.is_named() && !named.contains(&root.path));
        let others: Vec<RootId> = others.map(|root| root.id).collect();
        self.write(|db| {
            let mut update = db.prepare_cached(&format!(
                "UPDATE roots SET unnamed_since = {NOW} WHERE id = ?1"
            ))?;
            for id in others {
                update.execute([id])?;
            }
            Ok(())
        })
    }

    /// Marks a root as back, or as away, and then its files with it.
    pub fn set_root_online(&self, root: RootId, online: bool) -> Result<()> {
        self.write(|db| {
            let state = if online { "online" } else { "offline" };
            let update = "UPDATE roots SET state = ?2 WHERE id = ?1";
            db.execute(update, params![root, state])?;
            // What is back is found by the scan that follows, file by file.
            if online {
                return Ok(());
            }
            absence::take_offline(db, root)
        })
    }

    /// Remembers the number of a root's own folder.
    pub fn set_root_inode(&self, root: RootId, inode: i64) -> Result<()> {
        self.write(|db| {
            db.execute(
                "UPDATE roots SET inode = ?2 WHERE id = ?1",
                params![root, inode],
            )?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_named_any_more_is_remembered_as_such_until_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let [a, b] = ["/a", "/b"].map(PathBuf::from);
        let named = || -> Vec<PathBuf> {
            let roots = store.roots().unwrap().into_iter();
            roots.filter(Root::is_named).map(|root| root.path).collect()
        };
        let id = store.root(&a).unwrap();
        store.root(&b).unwrap();
        assert_eq!(named(), [a.clone(), b.clone()]);
        store.name_roots(std::slice::from_ref(&b)).unwrap();
        assert_eq!(named(), std::slice::from_ref(&b));
        let unnamed = store.roots().unwrap().remove(0);
        assert!(unnamed.known_since.unwrap() <= unnamed.unnamed_since.unwrap());
        assert_eq!(store.root(&a).unwrap(), id);
        assert_eq!(named(), [a, b]);
    }
}
