//! What a set of images has in common, counted from the tables of tags, images and files: labels, times,
//! folders, cameras and formats.

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
    /// Months of those years, the last first.
    #[serde(default)]
    pub months: Vec<Count>,
    /// Folders that hold them, those with the most images first, and at most 100 of them.
    pub folders: Vec<Count>,
    /// Cameras, those with the most images first, and at most 100 of them.
    #[serde(default)]
    pub cameras: Vec<Count>,
    /// Formats, those with the most images first.
    #[serde(default)]
    pub formats: Vec<Count>,
}

/// How many images have a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// The year, the month, the folder, the camera or the format.
    pub value: String,
    /// Images.
    pub count: usize,
}

/// What images are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facet {
    /// Labels.
    Tags,
    /// Years and months.
    Times,
    /// Folders.
    Folders,
    /// Cameras.
    Cameras,
    /// Formats.
    Formats,
}

impl Facet {
    /// All of them.
    pub const ALL: [Facet; 5] = [
        Facet::Tags,
        Facet::Times,
        Facet::Folders,
        Facet::Cameras,
        Facet::Formats,
    ];
}

impl Facets {
    /// Puts what others counted by a facet in the place of what is here.
    pub fn take(&mut self, facet: Facet, others: Facets) {
        match facet {
            Facet::Tags => self.tags = others.tags,
            Facet::Times => {
                self.years = others.years;
                self.months = others.months;
            }
            Facet::Folders => self.folders = others.folders,
            Facet::Cameras => self.cameras = others.cameras,
            Facet::Formats => self.formats = others.formats,
        }
    }
}

impl Store {
    /// Counts over these images by some facets; what is not asked for stays empty.
    pub fn facets(&self, images: &[ImageId], by: &[Facet]) -> Result<Facets> {
        let ids = ids::json(images.iter().copied());
        self.read(|db| {
            let mut facets = Facets::default();
            for facet in by {
                match facet {
                    Facet::Tags => facets.tags = tags(db, &ids)?,
                    Facet::Times => {
                        facets.months = counts(db, &ids, MONTHS)?;
                        facets.years = years(&facets.months);
                    }
                    Facet::Folders => facets.folders = folders(db, &ids)?,
                    Facet::Cameras => facets.cameras = counts(db, &ids, CAMERAS)?,
                    Facet::Formats => facets.formats = counts(db, &ids, FORMATS)?,
                }
            }
            Ok(facets)
        })
    }
}

const MONTHS: &str = "SELECT substr(taken_at, 1, 7) AS month, count(*) FROM images
    WHERE id IN (SELECT value FROM json_each(?1)) AND taken_at IS NOT NULL GROUP BY month ORDER BY month DESC";

const CAMERAS: &str = "SELECT camera, count(*) FROM images
    WHERE id IN (SELECT value FROM json_each(?1)) AND camera IS NOT NULL GROUP BY camera ORDER BY 2 DESC, 1 LIMIT 100";

const FORMATS: &str = "SELECT format, count(*) FROM images
    WHERE id IN (SELECT value FROM json_each(?1)) GROUP BY format ORDER BY 2 DESC, 1";

/// What a statement counts: values with the number of images.
fn counts(db: &Transaction<'_>, ids: &str, select: &str) -> Result<Vec<Count>> {
    let mut select = db.prepare_cached(select)?;
    let count = |row: &Row<'_>| {
        let count: i64 = row.get(1)?;
        Ok(Count {
            value: row.get(0)?,
            count: count as usize,
        })
    };
    Ok(select
        .query_map([ids], count)?
        .collect::<rusqlite::Result<_>>()?)
}

/// Months are in order, so those of a year stand together.
fn years(months: &[Count]) -> Vec<Count> {
    let mut years: Vec<Count> = Vec::new();
    for month in months {
        let year = month.value.get(..4).unwrap_or_default();
        match years.last_mut().filter(|last| last.value == year) {
            Some(last) => last.count += month.count,
            None => years.push(Count {
                value: year.to_owned(),
                count: month.count,
            }),
        }
    }
    years
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
