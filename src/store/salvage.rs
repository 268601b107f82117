//! Begins a library anew with what can be read of one whose database is damaged, which is moved aside and kept.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Row, Transaction, params_from_iter};

use super::{DATABASE, Result, Store, StoreError, connect};

/// Tables that others refer to come first.
const FIRST: [&str; 8] = [
    "roots",
    "models",
    "images",
    "files",
    "label_sets",
    "labels",
    "hooks",
    "facts",
];

/// What was kept of a damaged library.
#[derive(Debug)]
pub struct Salvaged {
    /// Where the damaged database lies now; none where there was none.
    pub aside: Option<PathBuf>,
    /// Rows that could be read.
    pub rows: usize,
}

impl Store {
    /// Makes the database of the library in `data_dir` anew, with the rows that can be read of the one that is there.
    pub fn salvage(data_dir: &Path) -> Result<(Store, Salvaged)> {
        let aside = move_aside(data_dir)?;
        let store = Store::create(data_dir)?;
        let mut rows = 0;
        if let Some(aside) = &aside {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
            // What is no database at all has no rows.
            if let Ok(old) = connect(aside, flags) {
                rows = store.write(|db| copy_all(&old, db))?;
            }
        }
        Ok((store, Salvaged { aside, rows }))
    }
}

/// Gives the database, with its log, a name under which nobody looks for it. Nothing is ever deleted.
pub(super) fn move_aside(data_dir: &Path) -> Result<Option<PathBuf>> {
    let path = data_dir.join(DATABASE);
    let names = (1..).map(|number| format!("{DATABASE}.damaged-{number}"));
    let mut free = names.filter(|name| !data_dir.join(name).exists());
    let aside = free.next().unwrap_or_default();
    let mut moved = None;
    for part in ["", "-wal", "-shm"] {
        let from = data_dir.join(format!("{DATABASE}{part}"));
        match fs::rename(&from, data_dir.join(format!("{aside}{part}"))) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(StoreError::Folder { path, source }),
            Ok(()) => moved = moved.or(Some(data_dir.join(&aside))),
        }
    }
    Ok(moved)
}

fn copy_all(old: &Connection, new: &Transaction<'_>) -> Result<usize> {
    let mut tables = tables(new)?;
    tables.sort_by_key(|table| {
        FIRST
            .iter()
            .position(|first| first == table)
            .unwrap_or(FIRST.len())
    });
    let mut rows = 0;
    for table in tables {
        let known = columns(old, &table).unwrap_or_default();
        let columns: Vec<String> = columns(new, &table)?
            .into_iter()
            .filter(|column| known.contains(column))
            .collect();
        if !columns.is_empty() {
            rows += copy(old, new, &table, &columns)?;
        }
    }
    Ok(rows)
}

fn tables(db: &Connection) -> Result<Vec<String>> {
    let mut select = db.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'purged'",
    )?;
    let names = select.query_map([], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

fn columns(db: &Connection, table: &str) -> Result<Vec<String>> {
    let mut select = db.prepare("SELECT name FROM pragma_table_info(?1)")?;
    let names = select.query_map([table], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

/// Reads forwards up to the first damaged page, and backwards down to the last: what lies between two of them is lost. A row that
/// does not fit, since what it refers to is lost, is left out.
fn copy(old: &Connection, new: &Transaction<'_>, table: &str, columns: &[String]) -> Result<usize> {
    let names = columns.join(", ");
    let places = vec!["?"; columns.len()].join(", ");
    let mut insert = new.prepare(&format!(
        "INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})"
    ))?;
    let mut copied = 0;
    for order in ["", "ORDER BY rowid", "ORDER BY rowid DESC"] {
        // Some tables have no rowid.
        let Ok(mut select) = old.prepare(&format!("SELECT {names} FROM {table} {order}")) else {
            continue;
        };
        let value = |row: &Row<'_>| {
            let values = (0..columns.len()).map(|column| row.get(column));
            values.collect::<rusqlite::Result<Vec<Value>>>()
        };
        let Ok(rows) = select.query_map([], value) else {
            continue;
        };
        for row in rows {
            let Ok(row) = row else { break };
            copied += insert.execute(params_from_iter(row)).unwrap_or_default();
        }
    }
    Ok(copied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_is_kept_and_the_rest_is_moved_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DATABASE);
        let store = Store::open(folder.path()).unwrap();
        for number in 0..2000 {
            let name = format!("fact {number:04} {}", "x".repeat(50));
            store.set_fact(&name, "value").unwrap();
        }
        store.root(Path::new("/photos")).unwrap();
        store.shrink(|| true).unwrap();
        drop(store);
        let mut bytes = fs::read(&path).unwrap();
        // Tables lie in front, and their rows behind.
        let middle = bytes.len() * 3 / 4 / 4096 * 4096;
        bytes[middle..middle + 4096].fill(0xAA);
        fs::write(&path, &bytes).unwrap();
        let (store, salvaged) = Store::salvage(folder.path()).unwrap();
        assert_eq!(store.roots().unwrap().len(), 1);
        assert!((100..2001).contains(&salvaged.rows), "{salvaged:?}");
        assert_eq!(fs::read(salvaged.aside.unwrap()).unwrap(), bytes);
        assert_eq!(store.integrity().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn of_what_is_no_database_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(DATABASE), "hello").unwrap();
        let (store, salvaged) = Store::salvage(folder.path()).unwrap();
        assert_eq!(salvaged.rows, 0);
        assert!(salvaged.aside.unwrap().ends_with("library.db.damaged-1"));
        assert!(store.roots().unwrap().is_empty());
    }
}
