//! What can go wrong while tags are brought up to date.

use std::ffi::OsString;
use std::path::PathBuf;

use thiserror::Error;

use super::file_error::FileError;
use super::set::SetError;
use crate::embed::EmbedError;
use crate::store::{LabelName, StoreError};

/// What can go wrong while tags are brought up to date.
#[derive(Debug, Error)]
pub enum TagError {
    /// The labels folder or a file in it.
    #[error("failed to read or write `{path}`: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// An entry of the labels folder that is in the way.
    #[error("the label file `{}`: {source}", file.to_string_lossy())]
    File {
        /// Its name.
        file: OsString,
        /// What is wrong with it.
        source: FileError,
    },
    /// The folder that the owner named.
    #[error("the labels folder `{0}` does not exist")]
    NoFolder(PathBuf),
    /// A set that was to be written is wrong.
    #[error(transparent)]
    Set(#[from] SetError),
    /// What a set is scored by could not be written down.
    #[error("failed to make the signature of a label set: {0}")]
    Signature(#[from] serde_json::Error),
    /// There is no such set.
    #[error("there is no label set `{0}`")]
    Unknown(String),
    /// The set has no such label.
    #[error("the label set `{set}` has no label `{label}`")]
    UnknownLabel {
        /// The set.
        set: String,
        /// What it has not.
        label: LabelName,
    },
    /// The model failed on a prompt.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The library failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
