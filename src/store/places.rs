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
