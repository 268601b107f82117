//! What can be wrong with one entry of the labels folder.

use thiserror::Error;

use super::set::SetError;
use crate::store::NameError;

/// A larger file is no label set. What comes over HTTP has the same bound.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Why an entry of the labels folder is no label set.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum FileError {
    /// No set can have the file's name.
    #[error("{0}; rename the file")]
    Name(#[from] NameError),
    /// A name that is no text.
    #[error("its name is not UTF-8 text: rename it")]
    NameNotText,
    /// Some systems, and pixdex, take these names for one.
    #[error(
        "these names differ in capitals or spelling only, which is one label set: {0}; rename all but one"
    )]
    Alike(String),
    /// A folder, a pipe, a device, or a link to one.
    #[error("it is no regular file: move it out of the labels folder")]
    NotAFile,
    /// A link to nothing.
    #[error("it is a link to a file that is not there")]
    Dangling,
    /// Written in another encoding.
    #[error("it is not UTF-8 text: save it in that encoding")]
    NotText,
    /// Far more than a person writes.
    #[error("it has more than {MAX_FILE_BYTES} bytes: make several sets of it")]
    TooLarge,
    /// Its owner allows nobody to write it.
    #[error("it is read-only: allow writing it, as by chmod u+w")]
    ReadOnly,
    /// No permission, a failing disk.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// The whole folder is missing, or is another one with nothing in it.
    #[error(
        "its folder is away: the set stays as it was last applied, until its file is back or the set is deleted"
    )]
    Away,
    /// What it says is no label set.
    #[error(transparent)]
    Set(#[from] SetError),
}
