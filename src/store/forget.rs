//! What the owner says is not to be expected back: rows of files and folders, at once and not after a time.

use std::path::{Path, PathBuf};

use rusqlite::{Row, Transaction, params};

use super::file_state::FileState;
use super::ids::{self, FileId, ImageId};
use super::purge::delete_images;
use super::{Result, Store, companions, paths, taken};

/// Rows that go in one transaction.
const BATCH: usize = 200;

/// A file that may be forgotten.
#[derive(Debug, Clone)]
pub struct ForgettableFile {
    id: FileId,
    /// The file.
    pub path: PathBuf,
    /// What became of it, when this was asked for.
    pub state: FileState,
    /// Whether the folder that it lies in is among those of the last run.
    pub is_watched: bool,
}

impl Store {
    /// The file `path`, and all files below it: also those that are gone, and those of folders that are not watched any more.
    pub fn files_at(&self, path: &Path) -> Result<Vec<ForgettableFile>> {
        let file = |row: &Row<'_>| {
            Ok(ForgettableFile {
                id: row.get(0)?,
                path: paths::from_bytes(row.get(1)?),
                state: row.get(2)?,
                is_watched: row.get(3)?,
            })
        };
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT f.id, f.path, f.state, r.unnamed_since IS NULL FROM files f JOIN roots r ON r.id = f.root_id
                 WHERE f.path = ?1 OR f.path >= ?2 AND f.path < ?3 ORDER BY f.path",
            )?;
            let (first, end) = paths::below(path);
            let rows = select.query_map(params![paths::to_bytes(path), first, end], file)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Takes out these files, but for those that became something else meanwhile, and the images that only they held. Returns how
    /// many files that were, and the images.
    pub fn forget_files(&self, files: &[ForgettableFile]) -> Result<(usize, Vec<ImageId>)> {
        let mut forgotten = (0, Vec::new());
        for files in files.chunks(BATCH) {
            let (files, images) = self.write(|db| forget_some(db, files))?;
            forgotten.0 += files;
            forgotten.1.extend(images);
        }
        Ok(forgotten)
    }

    /// Takes out folders that are not watched any more and hold no files, being `path` or below it. Returns how many.
    pub fn forget_roots(&self, path: &Path) -> Result<usize> {
        self.write(|db| {
            let mut delete = db.prepare_cached(
                "DELETE FROM roots WHERE unnamed_since IS NOT NULL AND (path = ?1 OR path >= ?2 AND path < ?3)
                     AND NOT EXISTS (SELECT 1 FROM files f WHERE f.root_id = roots.id)",
            )?;
            let (first, end) = paths::below(path);
            Ok(delete.execute(params![paths::to_bytes(path), first, end])?)
        })
    }
}

fn forget_some(db: &Transaction<'_>, files: &[ForgettableFile]) -> Result<(usize, Vec<ImageId>)> {
    let mut delete = db.prepare_cached(
        "DELETE FROM files WHERE id = ?1 AND path = ?2 AND state = ?3 RETURNING image_id",
    )?;
    let mut forgotten = 0;
    let mut images = Vec::new();
    for file in files {
        let values = params![file.id, paths::to_bytes(&file.path), file.state];
        let rows = delete.query_map(values, |row| row.get::<_, Option<ImageId>>(0))?;
        for image in rows {
            forgotten += 1;
            images.extend(image?);
        }
    }
    taken::derive(db, images.iter().copied())?;
    companions::link(db, files.iter().map(|file| file.path.as_path()))?;
    let mut select = db.prepare_cached(
        "SELECT DISTINCT value FROM json_each(?1)
         WHERE NOT EXISTS (SELECT 1 FROM files WHERE image_id = value)",
    )?;
    let rows = select.query_map([ids::json(images)], |row| row.get(0))?;
    let unheld = rows.collect::<rusqlite::Result<Vec<ImageId>>>()?;
    delete_images(db, &unheld)?;
    Ok((forgotten, unheld))
}
