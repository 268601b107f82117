//! The table `waiting`: files that could not be read for the time being, and when each is tried again.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::file_state::{FileStat, stat};
use super::ids::FileId;
use super::{Result, Store, paths};
use crate::pause;

/// The pause after the first attempt; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// The longest pause: who mends a drive need not tell pixdex of it.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// What a file waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What is in the way, for people.
    pub reason: String,
    /// Attempts so far on the file as it is.
    pub attempts: u32,
    /// When it is tried again, seconds since 1970.
    pub next_try_at: i64,
    /// What the file looked like when it was last tried.
    pub stat: FileStat,
}

/// A file that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingFile {
    /// The file.
    pub path: PathBuf,
    /// What it waits for.
    pub waiting: Waiting,
}

/// Files that wait for the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaitingGroup {
    /// What is in the way, for people.
    pub reason: String,
    /// How many files.
    pub files: i64,
    /// When the first of them is tried again, seconds since 1970.
    pub next_try_at: i64,
}

impl Store {
    /// What files wait for, and how many for each reason, most first.
    pub fn waiting_groups(&self) -> Result<Vec<WaitingGroup>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT reason, count(*), min(next_try_at) FROM known_files
                 WHERE next_try_at IS NOT NULL AND state <> 'offline' GROUP BY reason ORDER BY 2 DESC, 1",
            )?;
            let rows = select.query_map([], |row| {
                Ok(WaitingGroup {
                    reason: row.get(0)?,
                    files: row.get(1)?,
                    next_try_at: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// All files that wait, the next one first.
    pub fn waiting(&self) -> Result<Vec<WaitingFile>> {
        self.waiting_until(i64::MAX)
    }

    /// The files that wait for no later time than this, in seconds since 1970, the next one first.
    pub fn waiting_until(&self, time_s: i64) -> Result<Vec<WaitingFile>> {
        self.read(|db| {
            let mut select = db.prepare_cached(&format!(
                "SELECT path, {COLUMNS} FROM known_files WHERE next_try_at <= ?1 AND state <> 'offline'
                 ORDER BY next_try_at, path"
            ))?;
            let rows = select.query_map([time_s], |row| {
                let path = paths::from_bytes(row.get(0)?);
                Ok(waiting(row, 1)?.map(|waiting| WaitingFile { path, waiting }))
            })?;
            let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
            Ok(rows.into_iter().flatten().collect())
        })
    }

    /// When the next file is to be tried again after this time, both in seconds since 1970.
    pub fn next_try_after(&self, time_s: i64) -> Result<Option<i64>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT min(next_try_at) FROM known_files WHERE next_try_at > ?1 AND state <> 'offline'",
            )?;
            Ok(select.query_row([time_s], |row| row.get(0))?)
        })
    }
}

/// The columns of `known_files` that [`waiting`] reads.
pub(super) const COLUMNS: &str = "reason, attempts, next_try_at, waiting_size_bytes, waiting_modified_ns, waiting_inode, waiting_changed_ns";

/// Reads [`COLUMNS`], which begin at `first`.
pub(super) fn waiting(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Waiting>> {
    let Some(reason) = row.get(first)? else {
        return Ok(None);
    };
    Ok(Some(Waiting {
        reason,
        attempts: row.get(first + 1)?,
        next_try_at: row.get(first + 2)?,
        stat: stat(row, first + 3)?,
    }))
}

/// Notes an attempt that came to nothing; the file keeps what it has.
pub(super) fn put(db: &Transaction<'_>, file: FileId, stat: FileStat, reason: &str) -> Result<()> {
    // Of a file that has changed since, earlier attempts say nothing.
    let mut select = db.prepare_cached(
        "SELECT attempts FROM waiting
         WHERE file_id = ?1 AND size_bytes = ?2 AND modified_ns = ?3 AND inode = ?4 AND changed_ns = ?5",
    )?;
    let FileStat {
        size_bytes,
        modified_ns,
        changed_ns,
        inode,
    } = stat;
    let earlier = select
        .query_row(
            params![file, size_bytes, modified_ns, inode, changed_ns],
            |row| row.get::<_, u32>(0),
        )
        .optional()?;
    let attempts = earlier.unwrap_or(0).saturating_add(1);
    let mut replace = db.prepare_cached(
        "REPLACE INTO waiting (file_id, reason, attempts, next_try_at, size_bytes, modified_ns, inode, changed_ns)
         VALUES (?1, ?2, ?3, unixepoch('now') + ?4, ?5, ?6, ?7, ?8)",
    )?;
    replace.execute(params![
        file,
        reason,
        attempts,
        pause::doubling(FIRST_PAUSE, LONGEST_PAUSE, attempts).as_secs() as i64,
        size_bytes,
        modified_ns,
        inode,
        changed_ns
    ])?;
    Ok(())
}

/// The file waits for nothing any more.
pub(super) fn clear(db: &Transaction<'_>, file: FileId) -> Result<()> {
    let mut delete = db.prepare_cached("DELETE FROM waiting WHERE file_id = ?1")?;
    delete.execute([file])?;
    Ok(())
}
