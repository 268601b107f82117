//! What people decide about tags, and what comes of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SearchRequest;
use crate::store::{ContentHash, Decision, LabelName, Verdict};

/// Decisions that were made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decisions {
    /// By label set, label and image.
    pub decisions: Vec<Decision>,
    /// Where the next page begins, of a page that is not the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Entries of all pages, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<usize>,
}

/// A decision on the image and the label that the address names.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideOne {
    /// What is decided.
    pub decision: Verdict,
}

/// A decision on a selection of images.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideMany {
    /// Name or `id` of the label set.
    pub set: String,
    /// Name of the label.
    pub label: LabelName,
    /// `null` takes earlier decisions back; it must be said.
    #[serde(deserialize_with = "Option::deserialize")]
    pub decision: Option<Verdict>,
    /// The images.
    #[serde(default)]
    pub images: Vec<ContentHash>,
    /// A search whose hits are decided about too.
    pub search: Option<SearchRequest>,
}

/// What came of deciding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decided {
    /// Images that were decided about.
    pub images: usize,
    /// Of these decisions, those that were not so before.
    pub changed: usize,
}
