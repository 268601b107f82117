//! What a set of images has in common, counted from the tables of tags, images and files: labels, times,
//! folders, cameras and formats.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::Transaction;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{self, ImageId};
use super::tags::TagCount;
use super::{Result, Store, paths};

/// Folders that are told, those with the most images.
const MOST_FOLDERS: usize = 100;

/// The same of cameras.
const MOST_CAMERAS: usize = 100;

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
    /// Counts over these images by some facets. Of the others those may be there too that are counted on the way.
    pub fn facets(&self, images: &[ImageId], by: &[Facet]) -> Result<Facets> {
        let ids = ids::json(images.iter().copied());
        self.read(|db| {
            let of_metadata = [Facet::Times, Facet::Cameras, Facet::Formats];
            let mut facets = if of_metadata.iter().any(|facet| by.contains(facet)) {
                count_metadata(db, &ids)?
            } else {
                Facets::default()
            };
            if by.contains(&Facet::Tags) {
                facets.tags = tags(db, &ids)?;
            }
            if by.contains(&Facet::Folders) {
                facets.folders = folders(db, &ids)?;
            }
            Ok(facets)
        })
    }
}

/// Months, years, cameras and formats: in one pass, as looking the images up is what takes the time.
fn count_metadata(db: &Transaction<'_>, ids: &str) -> Result<Facets> {
    let mut select = db.prepare_cached(
        "SELECT substr(taken_at, 1, 7), camera, format, count(*) FROM images
         WHERE id IN (SELECT value FROM json_each(?1)) GROUP BY 1, 2, 3",
    )?;
    let mut rows = select.query([ids])?;
    let mut counted: [BTreeMap<String, usize>; 3] = Default::default();
    while let Some(row) = rows.next()? {
        let count: i64 = row.get(3)?;
        for (column, counts) in counted.iter_mut().enumerate() {
            if let Some(value) = row.get(column)? {
                *counts.entry(value).or_default() += count as usize;
            }
        }
    }
    let [months, cameras, formats] = counted.map(|counts| {
        let counts = counts.into_iter();
        counts.map(|(value, count)| Count { value, count })
    });
    let months: Vec<Count> = months.rev().collect();
    Ok(Facets {
        years: years(&months),
        months,
        cameras: most(cameras, MOST_CAMERAS),
        formats: most(formats, usize::MAX),
        ..Facets::default()
    })
}

/// Those with the most images, the first.
fn most(counts: impl Iterator<Item = Count>, at_most: usize) -> Vec<Count> {
    let mut counts: Vec<Count> = counts.collect();
    counts.sort_by_key(|one| Reverse(one.count));
    counts.truncate(at_most);
    counts
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
             SELECT t.label_id, count(*) AS images FROM json_each(?1) wanted CROSS JOIN tags t ON t.image_id = wanted.value
             GROUP BY t.label_id) counted
         JOIN named_labels l ON l.id = counted.label_id
         ORDER BY counted.images DESC, l.set_name, l.name",
    )?;
    let rows = select.query_map([ids], TagCount::from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// An image that lies in a folder twice counts once there.
fn folders(db: &Transaction<'_>, ids: &str) -> Result<Vec<Count>> {
    let mut select = db.prepare_cached(
        "SELECT f.image_id, f.path FROM json_each(?1) wanted CROSS JOIN live_files f ON f.image_id = wanted.value
         ORDER BY wanted.key",
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
    let counts = counts.into_iter().map(|(folder, (count, _))| Count {
        value: folder.display().to_string(),
        count,
    });
    Ok(most(counts, MOST_FOLDERS))
}
