//! Small answers about the library as a whole.

use serde::{Deserialize, Serialize};

use crate::store::{Failure, TagCount};

/// Labels with the number of images that carry each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tags {
    /// The labels.
    pub tags: Vec<TagCount>,
}

/// Files that could not be indexed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failures {
    /// The files.
    pub failures: Vec<FailedFile>,
}

/// A file that could not be indexed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailedFile {
    /// Where it lies.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What came of asking for a new look at all folders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rescan {
    /// That it is asked for, in words.
    pub rescan: String,
}

/// Whether the daemon is well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// `ok`.
    pub status: String,
}

/// Why a request has no better answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// A sentence.
    pub error: String,
    /// A name for it that never changes.
    pub code: String,
}

impl From<Vec<Failure>> for Failures {
    fn from(failures: Vec<Failure>) -> Failures {
        let failed = |Failure { path, reason }| FailedFile {
            path: path.display().to_string(),
            reason,
        };
        Failures {
            failures: failures.into_iter().map(failed).collect(),
        }
    }
}
