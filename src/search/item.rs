//! Images, and files that failed, as they are told to people and programs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decode::Metadata;
use crate::embed::Colours;
use crate::store::{ContentHash, ImageRow, Tag};

/// An image as it is shown to people and programs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// Identity of the content.
    pub id: ContentHash,
    /// One file that holds it; not to the letter where its name is not UTF-8.
    pub path: String,
    /// All files that hold it, and then those of the same shot: a camera's RAW, the clip of a live photo.
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
    /// Of a video, when the frame is seen that fits best, or else the one that stands for it, in milliseconds from its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<i64>,
    /// Its colours, of whatever was embedded since they are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colours: Option<Colours>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Length of the file.
    pub size_bytes: i64,
    /// What the file says.
    #[serde(flatten)]
    pub metadata: Metadata,
}

impl From<ImageRow> for Item {
    fn from(row: ImageRow) -> Item {
        let paths: Vec<String> = row
            .paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        Item {
            id: row.hash,
            path: paths.first().cloned().unwrap_or_default(),
            paths,
            score: None,
            z: None,
            is_named: false,
            time_ms: row.cover_ms,
            colours: row.colours,
            tags: row.tags,
            size_bytes: row.size_bytes,
            metadata: row.metadata,
        }
    }
}
