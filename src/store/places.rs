//! Where images were taken, counted by cells of the map.

use rusqlite::params;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hash::ContentHash;
use super::ids::{self, ImageId};
use super::{Result, Store};

/// Cells of one answer, those with the most images.
pub const MOST_CELLS: usize = 2000;

/// Images that were taken in one cell of the map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cell {
    /// South, west, north and east of where they lie, in degrees: what `area:` takes.
    pub area: [f64; 4],
    /// Where they lie on the whole: latitude and longitude.
    pub centre: [f64; 2],
    /// How many there are.
    pub count: i64,
    /// One of them, the latest.
    pub image: ContentHash,
}

impl Store {
    /// Counts these images by cells of so many degrees, those with the most first; beside them the number of all images whose place
    /// is known.
    pub fn cells(&self, images: &[ImageId], cell_degrees: f64) -> Result<(Vec<Cell>, usize)> {
        let ids = ids::json(images.iter().copied());
        self.read(|db| {
            // Beside a single max() the other columns are those of its row.
            let mut select = db.prepare_cached(&format!(
                "SELECT min(latitude), min(longitude), max(latitude), max(longitude), avg(latitude), avg(longitude), count(*), hash,
                     max(coalesce(taken_at, '') || hex(hash))
                 FROM images WHERE id IN (SELECT value FROM json_each(?1)) AND latitude IS NOT NULL AND longitude IS NOT NULL
                 GROUP BY CAST((latitude + 90) / ?2 AS INTEGER), CAST((longitude + 180) / ?2 AS INTEGER) ORDER BY 7 DESC LIMIT {MOST_CELLS}"
            ))?;
            let rows = select.query_map(params![ids, cell_degrees], |row| {
                Ok(Cell {
                    area: [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?],
                    centre: [row.get(4)?, row.get(5)?],
                    count: row.get(6)?,
                    image: row.get(7)?,
                })
            })?;
            let cells = rows.collect::<rusqlite::Result<_>>()?;
            let mut count = db.prepare_cached(
                "SELECT count(*) FROM images
                 WHERE id IN (SELECT value FROM json_each(?1)) AND latitude IS NOT NULL AND longitude IS NOT NULL",
            )?;
            let placed: i64 = count.query_row([ids.as_str()], |row| row.get(0))?;
            Ok((cells, placed as usize))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::samples;

    #[test]
    fn images_are_counted_by_cells_and_the_latest_stands_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let root = store.root(Path::new("/photos")).unwrap();
        let model = store.model("fingerprint", "name").unwrap();
        let places = [
            (Some((59.25, 10.75)), "2021-01-01T00:00:00"),
            (Some((59.75, 10.25)), "2023-01-01T00:00:00"),
            (Some((-0.5, -0.5)), "2022-01-01T00:00:00"),
            (None, "2024-01-01T00:00:00"),
        ];
        let records = (1..).zip(places).map(|(seed, (place, taken_at))| {
            let mut content = samples::content(ContentHash([seed; 32]));
            let (latitude, longitude) = place.unzip();
            content.metadata.latitude = latitude;
            content.metadata.longitude = longitude;
            content.metadata.taken_at = Some(taken_at.to_owned());
            samples::record(root, format!("/photos/{seed}"), content)
        });
        let records: Vec<_> = records.collect();
        let images = store.record(model, &records).unwrap().images;
        let images: Vec<ImageId> = images.into_iter().flatten().collect();
        let (cells, with_place) = store.cells(&images, 1.0).unwrap();
        let cell = |area, centre, count, seed| Cell {
            area,
            centre,
            count,
            image: ContentHash([seed; 32]),
        };
        let north = cell([59.25, 10.25, 59.75, 10.75], [59.5, 10.5], 2, 2);
        let south = cell([-0.5, -0.5, -0.5, -0.5], [-0.5, -0.5], 1, 3);
        assert_eq!((&cells, with_place), (&vec![north, south.clone()], 3));
        // Of those that are asked about, and no others.
        assert_eq!(store.cells(&images[2..], 90.0).unwrap(), (vec![south], 1));
    }
}
