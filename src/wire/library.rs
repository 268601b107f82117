//! Small answers about the library as a whole.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::{self, Failure, Store, StoreError, TagCount};

/// Labels with the number of images that carry each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tags {
    /// The labels.
    pub tags: Vec<TagCount>,
    /// Where the next page begins, of a page that is not the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Entries of all pages, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<usize>,
}

/// Files that are not indexed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failures {
    /// Those that were read and are no pictures.
    pub failures: Vec<FailedFile>,
    /// Those that could not be read for the time being, the next to be tried first.
    pub waiting: Vec<WaitingFile>,
    /// Where the next page begins, of a page that is not the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Entries of all pages, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<usize>,
}

/// A file that could not be read for the time being. Its image, where it had one, stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WaitingFile {
    /// Where it lies.
    pub path: String,
    /// What stood in the way.
    pub reason: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried again, seconds since 1970; at once when anything about it changes.
    pub next_try_at: i64,
}

/// A file that could not be indexed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailedFile {
    /// Where it lies.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What came of asking for a new look at all folders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rescan {
    /// That it is asked for, in words.
    pub rescan: String,
}

/// Whether the daemon is well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
}

/// Why a request has no better answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// A sentence.
    pub error: String,
    /// A name for it that never changes.
    pub code: String,
}

impl Failures {
    /// What the store knows.
    pub fn stored(store: &Store) -> Result<Failures, StoreError> {
        let failed = |Failure { path, reason }| FailedFile {
            path: path.display().to_string(),
            reason,
        };
        let waiting = |store::WaitingFile { path, waiting }| WaitingFile {
            path: path.display().to_string(),
            reason: waiting.reason,
            attempts: waiting.attempts,
            next_try_at: waiting.next_try_at,
        };
        Ok(Failures {
            failures: store.failures()?.into_iter().map(failed).collect(),
            waiting: store.waiting()?.into_iter().map(waiting).collect(),
            cursor: None,
            total: None,
        })
    }
}
