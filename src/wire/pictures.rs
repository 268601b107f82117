//! What is told of one picture beside itself, and of pictures as a whole.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::search::{Part, TermScore};
use crate::store::{Cell, ContentHash, SavedSearch};
use crate::tag::{LabelScore, LabelSet, SetEdit};

/// What a query is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Parsed {
    /// Its parts in their order; none where it is wrong.
    pub parts: Vec<Part>,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<QueryError>,
}

/// What is wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueryError {
    /// The character that it is about, from 1.
    pub at: usize,
    /// What is wrong, and what would be right.
    pub mistake: String,
}

/// How an image stands with every label, and with a query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImageScores {
    /// All labels in force, set by set, the highest score first; none where the image is not embedded yet.
    pub labels: Vec<LabelScore>,
    /// The terms of the query.
    pub terms: Vec<TermScore>,
}

/// A picture that was brought to search with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Brought {
    /// What `image:` in a query knows it by, for an hour.
    pub id: ContentHash,
}

/// Where pictures were taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Places {
    /// Cells of the map, those with the most images first.
    pub cells: Vec<Cell>,
    /// Images of no known place.
    pub nowhere: usize,
}

/// Searches that are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SavedSearches {
    /// By name.
    pub searches: Vec<SavedSearch>,
}

/// A search that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveSearch {
    /// Its short form.
    pub q: String,
    /// The order of its hits, where only filters are given.
    #[serde(default)]
    pub order: Option<String>,
}

/// A search that is not kept any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SearchRemoved {
    /// Whether there was one.
    pub removed: bool,
}

/// Files that are to be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Retry {
    /// How many there are.
    pub files: usize,
}

/// A change to the text of a label set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EditText {
    /// The text; that of the set's file where there is none.
    #[serde(default)]
    pub text: Option<String>,
    /// What is to be different.
    pub edit: SetEdit,
}

/// A text as it would be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Edited {
    /// The text.
    pub text: String,
    /// The label set that it is; none where it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<LabelSet>,
    /// Why it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
