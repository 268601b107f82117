//! Images, and files that failed, as they are told to people and programs.

use serde::{Deserialize, Serialize};

use crate::decode::DateSource;
use crate::formats::Format;
use crate::store::{ContentHash, ImageRow, Tag};

/// An image as it is shown to people and programs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Identity of the content.
    pub id: ContentHash,
    /// One file that holds it; not to the letter where its name is not UTF-8.
    pub path: String,
    /// All files that hold it.
    pub paths: Vec<String>,
    /// Similarity to the query, -1 to 1; only in answers to a query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    /// Standard deviations of that above the mean of the library.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub z: Option<f32>,
    /// Whether it is here because a file of it is called what was asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_named: bool,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Format of the file.
    pub format: Format,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Length of the file.
    pub size_bytes: i64,
    /// The camera's local time, `YYYY-MM-DDTHH:MM:SS`.
    pub taken_at: Option<String>,
    /// Milliseconds of that time's second.
    pub taken_ms: Option<u16>,
    /// How many minutes the camera's clock was ahead of UTC.
    pub utc_offset_minutes: Option<i16>,
    /// Who says so: the file, or, as a guess, its name (`file_name`) or its time (`file_time`).
    pub date_source: Option<DateSource>,
    /// Make and model.
    pub camera: Option<String>,
    /// The lens.
    pub lens: Option<String>,
    /// Degrees, north is positive.
    pub latitude: Option<f64>,
    /// Degrees, east is positive.
    pub longitude: Option<f64>,
    /// What somebody called the picture.
    pub title: Option<String>,
    /// 0 to 5, and -1 of a picture that its owner rejects.
    pub rating: Option<i8>,
}

impl From<ImageRow> for Item {
    fn from(row: ImageRow) -> Item {
        let paths: Vec<String> = row
            .paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let metadata = row.metadata;
        Item {
            id: row.hash,
            path: paths.first().cloned().unwrap_or_default(),
            paths,
            score: None,
            z: None,
            is_named: false,
            tags: row.tags,
            format: metadata.format,
            width: metadata.width,
            height: metadata.height,
            size_bytes: row.size_bytes,
            taken_at: metadata.taken_at,
            taken_ms: metadata.taken_ms,
            utc_offset_minutes: metadata.utc_offset_minutes,
            date_source: metadata.date_source,
            camera: metadata.camera,
            lens: metadata.lens,
            latitude: metadata.latitude,
            longitude: metadata.longitude,
            title: metadata.title,
            rating: metadata.rating,
        }
    }
}
