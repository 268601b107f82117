//! The table `files`: which paths are known, what they looked like when they were last read, and what became of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::file_state::{FileStat, FileState, SidecarStamp};
use super::ids::{self, FileId, ImageId, ModelId, RootId};
use super::{Result, Store, paths};

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
            let mut select = db.prepare_cached(&format!(
                "{SELECT_KNOWN} WHERE +root_id = ?2 AND path >= ?3 AND path < ?4"
            ))?;
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
            let mut select = db.prepare_cached(&format!("{SELECT_KNOWN} WHERE path = ?2"))?;
            let found = select.query_row(params![model, paths::to_bytes(path)], known_file);
            Ok(found.optional()?)
        })
    }

    /// Whether any file is known under a root.
    pub fn knows_files(&self, root: RootId) -> Result<bool> {
        self.read(|db| {
            let mut select = db.prepare_cached("SELECT 1 FROM known_files WHERE root_id = ?1")?;
            Ok(select.exists([root])?)
        })
    }

    /// Remembers files that are to be read, so that a killed process finds them again.
    pub fn add_pending(&self, root: RootId, files: &[(PathBuf, FileStat)]) -> Result<()> {
        self.write(|db| {
            let mut insert = db.prepare_cached(
                "INSERT INTO files (root_id, path, name, size_bytes, modified_ns, inode, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (path) DO NOTHING",
            )?;
            for (path, stat) in files {
                insert.execute(params![
                    root,
                    paths::to_bytes(path),
                    paths::name(path),
                    stat.size_bytes,
                    stat.modified_ns,
                    stat.inode,
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

    /// How many files are in each state.
    pub fn file_counts(&self) -> Result<Vec<(String, i64)>> {
        self.read(|db| {
            let mut select =
                db.prepare_cached("SELECT state, count(*) FROM files GROUP BY state")?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The paths under which an image can be read now, in order.
    pub fn readable_paths(&self, image: ImageId) -> Result<Vec<PathBuf>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT path FROM readable_files WHERE image_id = ?1 ORDER BY path",
            )?;
            let rows = select.query_map([image], |row| Ok(paths::from_bytes(row.get(0)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

const SELECT_KNOWN: &str = "
    SELECT path, size_bytes, modified_ns, inode, state, sidecars,
           EXISTS (SELECT 1 FROM embeddings e WHERE e.model_id = ?1 AND e.image_id = known_files.image_id)
    FROM known_files";

fn known_file(row: &Row<'_>) -> rusqlite::Result<KnownFile> {
    let stat = FileStat {
        size_bytes: row.get(1)?,
        modified_ns: row.get(2)?,
        inode: row.get(3)?,
    };
    Ok(KnownFile {
        stat,
        state: row.get(4)?,
        sidecars: row.get(5)?,
        is_embedded: row.get(6)?,
    })
}

/// Writes what reading a file brought, an image or the reason why there is none, and returns its row with the image that it
/// held before.
pub(super) fn put(
    db: &Transaction<'_>,
    root: RootId,
    path: &Path,
    stat: FileStat,
    content: std::result::Result<ImageId, &str>,
) -> Result<(FileId, Option<ImageId>)> {
    let bytes = paths::to_bytes(path);
    let state = match content {
        Ok(_) => FileState::Indexed,
        Err(_) => FileState::Failed,
    };
    let mut select = db.prepare_cached("SELECT image_id FROM files WHERE path = ?1")?;
    let image_before: Option<Option<ImageId>> =
        select.query_row([&bytes], |row| row.get(0)).optional()?;
    let mut upsert = db.prepare_cached(
        "INSERT INTO files (root_id, path, name, size_bytes, modified_ns, inode, state, reason, image_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (path) DO UPDATE SET
             root_id = excluded.root_id, size_bytes = excluded.size_bytes, modified_ns = excluded.modified_ns,
             inode = excluded.inode, state = excluded.state, reason = excluded.reason, image_id = excluded.image_id
         RETURNING id",
    )?;
    let values = params![
        root,
        bytes,
        paths::name(path),
        stat.size_bytes,
        stat.modified_ns,
        stat.inode,
        state,
        content.err(),
        content.ok()
    ];
    let file = upsert.query_row(values, |row| row.get(0))?;
    Ok((file, image_before.flatten()))
}

/// Marks files as no longer there and returns the images that they held.
pub(super) fn mark_gone(db: &Transaction<'_>, files: &[PathBuf]) -> Result<Vec<ImageId>> {
    let mut update = db.prepare_cached(
        "UPDATE files SET state = ?2, reason = NULL, gone_at = unixepoch() WHERE path = ?1 AND state <> ?2
         RETURNING image_id",
    )?;
    let mut images = Vec::new();
    for path in files {
        let values = params![paths::to_bytes(path), FileState::Gone];
        let image: Option<Option<ImageId>> =
            update.query_row(values, |row| row.get(0)).optional()?;
        images.extend(image.flatten());
    }
    Ok(images)
}

/// Marks the files of a root as away.
pub(super) fn take_offline(db: &Transaction<'_>, root: RootId) -> Result<()> {
    let update = "UPDATE files SET state = ?2, reason = NULL WHERE root_id = ?1 AND state <> ?3";
    db.execute(update, params![root, FileState::Offline, FileState::Gone])?;
    Ok(())
}

/// Marks the files of a root as back: to be read again where they were not images before.
pub(super) fn bring_back(db: &Transaction<'_>, root: RootId) -> Result<()> {
    let update =
        "UPDATE files SET state = iif(image_id IS NULL, ?3, ?4) WHERE root_id = ?1 AND state = ?2";
    let values = params![
        root,
        FileState::Offline,
        FileState::Pending,
        FileState::Indexed
    ];
    db.execute(update, values)?;
    Ok(())
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

/// The files that hold each of these images, in order.
pub(super) fn paths_of(
    db: &Transaction<'_>,
    images: &str,
) -> Result<HashMap<ImageId, Vec<PathBuf>>> {
    let mut select = db.prepare_cached(
        "SELECT image_id, path FROM live_files WHERE image_id IN (SELECT value FROM json_each(?1)) ORDER BY path",
    )?;
    let mut rows = select.query([images])?;
    let mut paths: HashMap<ImageId, Vec<PathBuf>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let of_image = paths.entry(row.get(0)?).or_default();
        of_image.push(paths::from_bytes(row.get(1)?));
    }
    Ok(paths)
}
