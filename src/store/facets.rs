//! What a set of images has in common, counted from the tables of tags, images and files: labels, years and folders.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::{Row, Transaction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{self, ImageId};
use super::tags::TagCount;
use super::{Result, Store, paths};

/// Folders that are told, those with the most images.
const MOST_FOLDERS: usize = 100;

/// Counts over a set of images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Facets {
    /// Labels that they carry, the most frequent first.
    pub tags: Vec<TagCount>,
    /// Years in which they were taken, the last first.
    pub years: Vec<Count>,
    /// Folders that hold them, those with the most images first, and at most 100 of them.
    pub folders: Vec<Count>,
}

/// How many images have a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// The year, or the folder.
    pub value: String,
    /// Images.
    pub count: usize,
}

impl Store {
    /// Counts over these images.
    pub fn facets(&self, images: &[ImageId]) -> Result<Facets> {
        let ids = ids::json(images.iter().copied());
        self.read(|db| {
            Ok(Facets {
                tags: tags(db, &ids)?,
                years: years(db, &ids)?,
                folders: folders(db, &ids)?,
            })
        })
    }
}

fn tags(db: &Transaction<'_>, ids: &str) -> Result<Vec<TagCount>> {
    let mut select = db.prepare_cached(
        "SELECT l.set_name, l.name, counted.images FROM (
             SELECT label_id, count(*) AS images FROM tags
             WHERE image_id IN (SELECT value FROM json_each(?1)) GROUP BY label_id) counted
         JOIN named_labels l ON l.id = counted.label_id
         ORDER BY counted.images DESC, l.set_name, l.name",
    )?;
    let rows = select.query_map([ids], TagCount::from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn years(db: &Transaction<'_>, ids: &str) -> Result<Vec<Count>> {
    let mut select = db.prepare_cached(
        "SELECT substr(taken_at, 1, 4) AS year, count(*) FROM images
         WHERE id IN (SELECT value FROM json_each(?1)) AND taken_at IS NOT NULL GROUP BY year ORDER BY year DESC",
    )?;
    let year = |row: &Row<'_>| {
        let count: i64 = row.get(1)?;
        Ok(Count {
            value: row.get(0)?,
            count: count as usize,
        })
    };
    Ok(select
        .query_map([ids], year)?
        .collect::<rusqlite::Result<_>>()?)
}

/// An image that lies in a folder twice counts once there.
fn folders(db: &Transaction<'_>, ids: &str) -> Result<Vec<Count>> {
    let mut select = db.prepare_cached(
        "SELECT image_id, path FROM live_files
         WHERE image_id IN (SELECT value FROM json_each(?1)) ORDER BY image_id",
    )?;
    let mut rows = select.query([ids])?;
    let mut counts: BTreeMap<PathBuf, (usize, i64)> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let image: i64 = row.get(0)?;
        let path = paths::from_bytes(row.get(1)?);
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        let (count, last) = counts.entry(folder).or_insert((0, -1));
        *count += usize::from(*last != image);
        *last = image;
    }
    let mut counts: Vec<Count> = counts
        .into_iter()
        .map(|(folder, (count, _))| Count {
            value: folder.display().to_string(),
            count,
        })
        .collect();
    counts.sort_by_key(|folder| std::cmp::Reverse(folder.count));
    counts.truncate(MOST_FOLDERS);
    Ok(counts)
}
