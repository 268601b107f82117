//! The table `files`: which paths are known, what they looked like when they were last read, and what became of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::absence::SeenFile;
use super::file_state::{DecoderVerdict, FileStat, FileState, SidecarStamp, stat};
use super::hash::ContentHash;
use super::ids::{self, FileId, ImageId, ModelId, RootId};
use super::waiting::Waiting;
use super::{Result, Store, paths, taken, waiting};
use crate::decode;
use crate::pictures::OriginalFile;

/// A file that the library knows.
#[derive(Debug, Clone)]
pub struct KnownFile {
    /// What it looked like when it was last read.
    pub stat: FileStat,
    /// What became of it.
    pub state: FileState,
    /// What its sidecars looked like when its keywords were last read; none where they never were.
    pub sidecars: Option<SidecarStamp>,
    /// Whether its image has an embedding of the model at hand.
    pub is_embedded: bool,
    /// Of a file that failed: the decoders whose word that is.
    pub decoders: Option<String>,
    /// The readers that read it: see [`decode::READERS`].
    pub read_by: u32,
    /// Whether it lay on another file system than its root when it was last seen.
    pub is_mounted: bool,
    /// Since when it is missed, seconds since 1970.
    pub absent_since: Option<i64>,
    /// What it waits for.
    pub waiting: Option<Waiting>,
}

/// A file with the image that stands for its shot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShotFile {
    /// Where it lies, or lay when its root was there.
    pub path: PathBuf,
    /// Its size in bytes when it was read.
    pub size_bytes: i64,
    /// The image.
    pub image: ContentHash,
}

/// A file that could not be indexed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The file.
    pub path: PathBuf,
    /// Why, for people.
    pub reason: String,
}

impl Store {
    /// The files known under `folder` of a root, with all but those that are gone.
    pub fn known_files(
        &self,
        root: RootId,
        folder: &Path,
        model: ModelId,
    ) -> Result<HashMap<PathBuf, KnownFile>> {
        self.read(|db| {
            // The plus keeps SQLite from going through all files of the root when it is about a small folder.
            let mut select =
                db.prepare_cached(&select_known("+root_id = ?2 AND path >= ?3 AND path < ?4"))?;
            let (first, end) = paths::below(folder);
            let rows = select.query_map(params![model, root, first, end], |row| {
                Ok((paths::from_bytes(row.get(0)?), known_file(row)?))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// One file, if it is known and not gone.
    pub fn known_file(&self, path: &Path, model: ModelId) -> Result<Option<KnownFile>> {
        self.read(|db| {
            let mut select = db.prepare_cached(&select_known("path = ?2"))?;
            let found = select.query_row(params![model, paths::to_bytes(path)], known_file);
            Ok(found.optional()?)
        })
    }

    /// How many files are known under a root.
    pub fn count_files(&self, root: RootId) -> Result<usize> {
        self.read(|db| {
            let mut select =
                db.prepare_cached("SELECT count(*) FROM files WHERE root_id = ?1 AND state <> ?2")?;
            let count: i64 = select.query_row(params![root, FileState::Gone], |row| row.get(0))?;
            Ok(count as usize)
        })
    }

    /// Remembers files that are to be read, so that a killed process finds them again.
    pub fn add_pending(&self, root: RootId, files: &[SeenFile]) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        self.write(|db| {
            let mut insert = db.prepare_cached(
                "INSERT INTO files (root_id, path, name, size_bytes, modified_ns, inode, changed_ns, is_mounted, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (path) DO UPDATE SET state = excluded.state, image_id = NULL WHERE state = 'gone'",
            )?;
            for SeenFile { path, stat, is_mounted } in files {
                insert.execute(params![
                    root,
                    paths::to_bytes(path),
                    paths::name(path),
                    stat.size_bytes,
                    stat.modified_ns,
                    stat.inode,
                    stat.changed_ns,
                    is_mounted,
                    FileState::Pending
                ])?;
            }
            Ok(())
        })
    }

    /// Files that could not be indexed, or whose sidecars could not be read or written, by path.
    pub fn failures(&self) -> Result<Vec<Failure>> {
        self.read(|db| {
            let mut select =
                db.prepare_cached("SELECT path, reason FROM failures ORDER BY path")?;
            let rows = select.query_map([], |row| {
                Ok(Failure {
                    path: paths::from_bytes(row.get(0)?),
                    reason: row.get(1)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Lets all files that were no pictures, and all that wait, be read again with the next look at their folders; how many there are.
    pub fn retry_failures(&self) -> Result<usize> {
        self.write(|db| {
            let failed = "UPDATE files SET decoders = NULL WHERE +state = ?1";
            let failed = db.execute(failed, [FileState::Failed])?;
            Ok(failed + db.execute("UPDATE waiting SET next_try_at = 0", [])?)
        })
    }

    /// How many files are in each state.
    pub fn file_counts(&self) -> Result<Vec<(String, i64)>> {
        self.read(|db| {
            let mut select =
                db.prepare_cached("SELECT state, count(*) FROM files GROUP BY state")?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// All files that hold an image or accompany one.
    pub fn shot_files(&self) -> Result<Vec<ShotFile>> {
        self.read(|db| {
            let mut select = db.prepare(
                "SELECT s.path, f.size_bytes, i.hash FROM shot_files s JOIN files f ON f.id = s.id JOIN images i ON i.id = s.image_id",
            )?;
            let rows = select.query_map([], |row| {
                Ok(ShotFile {
                    path: paths::from_bytes(row.get(0)?),
                    size_bytes: row.get(1)?,
                    image: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The files that hold an image and can be read now, by path.
    pub fn originals(&self, image: ImageId) -> Result<Vec<OriginalFile>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT r.path, f.path, f.size_bytes, f.modified_ns, f.inode, f.changed_ns
                 FROM readable_files f JOIN roots r ON r.id = f.root_id WHERE f.image_id = ?1 ORDER BY f.path",
            )?;
            let rows = select.query_map([image], |row| {
                Ok(OriginalFile {
                    root: paths::from_bytes(row.get(0)?),
                    path: paths::from_bytes(row.get(1)?),
                    stat: stat(row, 2)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

fn select_known(filter: &str) -> String {
    format!(
        "SELECT path, size_bytes, modified_ns, inode, changed_ns, state, sidecars,
                EXISTS (SELECT 1 FROM embeddings e WHERE e.model_id = ?1 AND e.image_id = known_files.image_id),
                decoders, read_by, is_mounted, absent_since, {}
         FROM known_files WHERE {filter}",
        waiting::COLUMNS
    )
}

fn known_file(row: &Row<'_>) -> rusqlite::Result<KnownFile> {
    Ok(KnownFile {
        stat: stat(row, 1)?,
        state: row.get(5)?,
        sidecars: row.get(6)?,
        is_embedded: row.get(7)?,
        decoders: row.get(8)?,
        read_by: row.get(9)?,
        is_mounted: row.get(10)?,
        absent_since: row.get(11)?,
        waiting: waiting::waiting(row, 12)?,
    })
}

/// The row of a file.
pub(super) fn id(db: &Transaction<'_>, path: &Path) -> Result<Option<FileId>> {
    let mut select = db.prepare_cached("SELECT id FROM files WHERE path = ?1")?;
    let id = select.query_row([paths::to_bytes(path)], |row| row.get(0));
    Ok(id.optional()?)
}

/// Writes what reading a file brought, an image or the verdict on it, and returns its row with the image that it held before.
pub(super) fn put(
    db: &Transaction<'_>,
    root: RootId,
    file: &SeenFile,
    content: std::result::Result<ImageId, &DecoderVerdict>,
) -> Result<(FileId, Option<ImageId>)> {
    let SeenFile {
        path,
        stat,
        is_mounted,
    } = file;
    let bytes = paths::to_bytes(path);
    let state = match content {
        Ok(_) => FileState::Indexed,
        Err(_) => FileState::Failed,
    };
    let mut select = db.prepare_cached("SELECT image_id FROM files WHERE path = ?1")?;
    let image_before: Option<Option<ImageId>> =
        select.query_row([&bytes], |row| row.get(0)).optional()?;
    let mut upsert = db.prepare_cached(
        "INSERT INTO files (root_id, path, name, size_bytes, modified_ns, inode, changed_ns, is_mounted, state, reason,
                            decoders, image_id, read_by, named_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         ON CONFLICT (path) DO UPDATE SET
             root_id = excluded.root_id, size_bytes = excluded.size_bytes, modified_ns = excluded.modified_ns,
             inode = excluded.inode, changed_ns = excluded.changed_ns, is_mounted = excluded.is_mounted,
             state = excluded.state, reason = excluded.reason, decoders = excluded.decoders, image_id = excluded.image_id,
             read_by = excluded.read_by, named_at = excluded.named_at, absent_since = NULL
         RETURNING id",
    )?;
    let values = params![
        root,
        bytes,
        paths::name(path),
        stat.size_bytes,
        stat.modified_ns,
        stat.inode,
        stat.changed_ns,
        is_mounted,
        state,
        content.err().map(|verdict| &verdict.reason),
        content.err().map(|verdict| &verdict.decoders),
        content.ok(),
        decode::READERS,
        path.file_name()
            .and_then(|name| decode::date_in_name(&name.to_string_lossy()))
    ];
    let file = upsert.query_row(values, |row| row.get(0))?;
    waiting::clear(db, file)?;
    Ok((file, image_before.flatten()))
}

/// Marks files as no longer there and returns the images that they held.
pub(super) fn mark_gone(db: &Transaction<'_>, files: &[PathBuf]) -> Result<Vec<ImageId>> {
    let mut update = db.prepare_cached(
        "UPDATE files SET state = ?2, reason = NULL, gone_at = unixepoch(), absent_since = NULL
         WHERE path = ?1 AND state <> ?2 RETURNING id, image_id",
    )?;
    let mut images = Vec::new();
    for path in files {
        let values = params![paths::to_bytes(path), FileState::Gone];
        let gone = update.query_row(values, |row| Ok((row.get(0)?, row.get(1)?)));
        let Some((file, image)) = gone.optional()? else {
            continue;
        };
        waiting::clear(db, file)?;
        images.extend::<Option<ImageId>>(image);
    }
    taken::derive(db, images.iter().copied())?;
    Ok(images)
}

/// Those of the images that no file holds any more, in order.
pub(super) fn orphans(db: &Transaction<'_>, images: Vec<ImageId>) -> Result<Vec<ImageId>> {
    let mut select = db.prepare_cached(
        "SELECT DISTINCT value FROM json_each(?1)
         WHERE NOT EXISTS (SELECT 1 FROM live_files WHERE image_id = value) ORDER BY value",
    )?;
    let rows = select.query_map([ids::json(images)], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The files of each of these images: those that hold it, in order, and then their companions.
pub(super) fn paths_of(
    db: &Transaction<'_>,
    images: &str,
) -> Result<HashMap<ImageId, Vec<PathBuf>>> {
    let mut all: HashMap<ImageId, Vec<PathBuf>> = HashMap::new();
    for files in ["live_files", "companion_files"] {
        let mut select = db.prepare_cached(&format!(
            "SELECT image_id, path FROM {files} WHERE image_id IN (SELECT value FROM json_each(?1)) ORDER BY path"
        ))?;
        let mut rows = select.query([images])?;
        while let Some(row) = rows.next()? {
            let of_image = all.entry(row.get(0)?).or_default();
            of_image.push(paths::from_bytes(row.get(1)?));
        }
    }
    Ok(all)
}
