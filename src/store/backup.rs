//! A library in one file: the database as it is at one moment, and within it the files beside it that cannot be made again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::{DATABASE, Result, Store, StoreError, connect, damage, migrations, private, salvage};

/// A file that lies in a backup beside the rows of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupFile {
    /// Its name, below one of the folders that the caller knows.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Store {
    /// Writes the library as it is now to `path`, which must be empty or not there, with these files. Others go on meanwhile.
    pub fn back_up(&self, path: &Path, files: &[BackupFile]) -> Result<()> {
        private::make_file(path).map_err(|source| StoreError::Folder {
            path: path.to_owned(),
            source,
        })?;
        // A connection of its own: it reads one state of the library for as long as it takes.
        let reader = connect(&self.shared.path, self.shared.flags)?;
        reader.execute("VACUUM INTO ?1", [path.to_string_lossy()])?;
        let copy = Connection::open(path)?;
        copy.execute_batch(
            "CREATE TABLE backup_files (name TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT",
        )?;
        for file in files {
            let insert = "INSERT INTO backup_files (name, bytes) VALUES (?1, ?2)";
            copy.execute(insert, rusqlite::params![file.name, file.bytes])?;
        }
        drop(copy);
        let synced = File::open(path).and_then(|file| file.sync_all());
        synced.map_err(|source| StoreError::Folder {
            path: path.to_owned(),
            source,
        })
    }

    /// Checks that `backup` is a whole library of this or an older pixdex, and returns the files in it.
    pub fn check_backup(backup: &Path) -> Result<Vec<BackupFile>> {
        let bad = |what: String| StoreError::BadBackup(what);
        let db = connect(backup, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        if let Some(wrong) = damage::integrity(&db)?.into_iter().next() {
            return Err(bad(wrong));
        }
        damage::check_owner(&db, backup)?;
        let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            return Err(bad("it is empty".to_owned()));
        }
        if version > newest_version(backup)? {
            return Err(bad("it was written by a newer pixdex".to_owned()));
        }
        let has_files = "SELECT 1 FROM sqlite_schema WHERE name = 'backup_files'";
        let has_files: Option<i64> = db.query_row(has_files, [], |row| row.get(0)).optional()?;
        if has_files.is_none() {
            return Ok(Vec::new());
        }
        let mut select = db.prepare("SELECT name, bytes FROM backup_files ORDER BY name")?;
        let files = select.query_map([], |row| {
            Ok(BackupFile {
                name: row.get(0)?,
                bytes: row.get(1)?,
            })
        })?;
        Ok(files.collect::<rusqlite::Result<_>>()?)
    }

    /// Makes a checked backup the database of the library in `data_dir`, which has none, or one that cannot be opened: that one is
    /// moved aside, and returned.
    pub fn restore(backup: &Path, data_dir: &Path) -> Result<Option<PathBuf>> {
        let io = |source| StoreError::Folder {
            path: data_dir.to_owned(),
            source,
        };
        private::make_folder(data_dir).map_err(io)?;
        let temporary = tempfile::NamedTempFile::new_in(data_dir).map_err(io)?;
        fs::copy(backup, temporary.path()).map_err(io)?;
        let db = Connection::open(temporary.path())?;
        db.execute_batch("DROP TABLE IF EXISTS backup_files")?;
        drop(db);
        temporary.as_file().sync_all().map_err(io)?;
        let aside = salvage::move_aside(data_dir)?;
        temporary
            .persist(data_dir.join(DATABASE))
            .map_err(|error| io(error.error))?;
        Ok(aside)
    }
}

/// The version that all migrations lead to.
fn newest_version(backup: &Path) -> Result<i64> {
    let mut newest = Connection::open_in_memory()?;
    migrations()
        .to_latest(&mut newest)
        .map_err(|source| StoreError::Migrate {
            path: backup.to_owned(),
            source,
        })?;
    Ok(newest.pragma_query_value(None, "user_version", |row| row.get(0))?)
}
