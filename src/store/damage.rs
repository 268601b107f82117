//! Looks at a library before it is opened: a database that was there is never replaced by an empty one in silence.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use super::{DATABASE, Result, Store, StoreError};

/// What a database begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// What an older library leaves beside its database.
const BESIDE: [&str; 5] = [
    "index",
    "thumbnails",
    "library.db-wal",
    "decisions.jsonl",
    "labels",
];

/// Fails where the file of the database in `folder` is not what a library leaves there. A database that is not there, or empty,
/// is none yet, unless something of an older library lies beside it.
pub(super) fn check_file(folder: &Path) -> Result<()> {
    let path = folder.join(DATABASE);
    let lost = |what: &'static str| StoreError::Lost {
        path: path.clone(),
        folder: folder.to_owned(),
        what,
    };
    let io = |source| StoreError::Folder {
        path: path.clone(),
        source,
    };
    match fs::metadata(&path) {
        // Labels can be written before the first start.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let older = is_beside(folder, &BESIDE[..4]);
            return if older {
                Err(lost("is missing"))
            } else {
                Ok(())
            };
        }
        Err(error) => return Err(io(error)),
        Ok(metadata) if !metadata.is_file() => return Err(lost("is no file")),
        Ok(metadata) if metadata.len() == 0 => {
            let older = is_beside(folder, &BESIDE);
            return if older { Err(lost("is empty")) } else { Ok(()) };
        }
        Ok(_) => {}
    }
    let mut start = [0; MAGIC.len()];
    match File::open(&path).map_err(io)?.read_exact(&mut start) {
        Ok(()) if start == MAGIC => Ok(()),
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(io(error)),
        _ => Err(lost("is no database, or its beginning is damaged")),
    }
}

fn is_beside(folder: &Path, names: &[&str]) -> bool {
    names.iter().any(|name| {
        let path = folder.join(name);
        let holds = |folder: fs::ReadDir| folder.flatten().next().is_some();
        fs::read_dir(&path).is_ok_and(holds)
            || fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() > 0)
    })
}

/// Fails where a database is another program's: nothing is added to it.
pub(super) fn check_owner(db: &Connection, path: &Path) -> Result<()> {
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let count = "SELECT count(*), count(*) FILTER (WHERE name IN ('facts', 'roots', 'files', 'images')) FROM sqlite_schema";
    let (all, ours): (i64, i64) = db.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let is_ours = if version == 0 { all == 0 } else { ours == 4 };
    if is_ours {
        return Ok(());
    }
    Err(StoreError::Foreign(path.to_owned()))
}

/// Whether the bytes of the database are to blame.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// What `SQLite` finds wrong with its own structures, and rows that refer to nothing.
pub(super) fn integrity(db: &Connection) -> Result<Vec<String>> {
    let found = find_wrong(db);
    match found {
        Err(error) if is_damage(&error) => Ok(vec![error.to_string()]),
        found => Ok(found?),
    }
}

fn find_wrong(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut select = db.prepare("PRAGMA integrity_check(20)")?;
    let found = select.query_map([], |row| row.get(0))?;
    let mut found = found.collect::<rusqlite::Result<Vec<String>>>()?;
    found.retain(|text| text != "ok");
    let mut select = db.prepare("PRAGMA foreign_key_check")?;
    let orphans = select.query_map([], |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!(
            "a row of `{table}` refers to nothing in `{parent}`"
        ))
    })?;
    found.extend(orphans.collect::<rusqlite::Result<Vec<String>>>()?);
    Ok(found)
}

impl Store {
    /// What is wrong with the database as such; nothing where all is well.
    pub fn integrity(&self) -> Result<Vec<String>> {
        self.read(|db| integrity(db))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_folder_and_one_with_labels_have_no_library_yet() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("labels")).unwrap();
        fs::write(folder.path().join("labels/a.toml"), "").unwrap();
        check_file(folder.path()).unwrap();
        fs::create_dir(folder.path().join("index")).unwrap();
        check_file(folder.path()).unwrap();
        fs::write(folder.path().join("index/segment"), "x").unwrap();
        let error = check_file(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("is missing") && error.contains("pixdex restore"),
            "{error}"
        );
    }

    #[test]
    fn an_empty_database_beside_labels_is_lost_and_alone_is_new() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(DATABASE), "").unwrap();
        check_file(folder.path()).unwrap();
        fs::create_dir(folder.path().join("labels")).unwrap();
        fs::write(folder.path().join("labels/a.toml"), "").unwrap();
        let error = check_file(folder.path()).unwrap_err().to_string();
        assert!(error.contains("is empty"), "{error}");
    }

    #[test]
    fn the_database_of_another_program_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DATABASE);
        for version in [0, 5] {
            let other = Connection::open(&path).unwrap();
            other
                .execute_batch(
                    "CREATE TABLE IF NOT EXISTS files (a); CREATE TABLE IF NOT EXISTS notes (b);",
                )
                .unwrap();
            other.pragma_update(None, "user_version", version).unwrap();
            drop(other);
            let before = fs::read(&path).unwrap();
            let error = Store::open(folder.path()).unwrap_err().to_string();
            assert!(error.contains("another program"), "{error}");
            assert_eq!(fs::read(&path).unwrap(), before);
        }
    }
}
