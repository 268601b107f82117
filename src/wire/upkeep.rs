//! What is asked of the library as a whole.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::upkeep::KnownRoot;

/// Take out what is known of pictures that are gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Purge {
    /// Gone for so many days; none for as many as the configuration keeps them.
    pub older_than_days: Option<u32>,
}

/// Take out what is not there, or not watched any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Forget {
    /// Absolute: a folder of a run, or a folder or file in one.
    #[schemars(with = "String")]
    pub path: PathBuf,
}

/// The folders of this run and of earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Roots {
    /// By path.
    pub roots: Vec<KnownRoot>,
}
