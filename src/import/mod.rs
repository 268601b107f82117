//! What other photo programs know: the words that people gave their pictures there, read from what those programs keep or give out,
//! and which pictures of the library they are about.

mod digikam;
mod immich;
mod matching;
mod photoprism;

use std::collections::BTreeSet;
use std::path::PathBuf;

use thiserror::Error;

pub use matching::{Library, Match};

/// Why nothing can be read.
#[derive(Debug, Error)]
pub enum ImportError {
    /// A file or folder cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// digiKam's database is another one, or none.
    #[error("`{path}` is no database of digiKam that pixdex understands: {source}")]
    Database {
        /// Which file.
        path: PathBuf,
        /// What `SQLite` says.
        source: rusqlite::Error,
    },
    /// What Immich gave out is not whole, or is something else.
    #[error("`{path}` is not what Immich's API gives out: {source}")]
    Json {
        /// Which file.
        path: PathBuf,
        /// Where it is wrong.
        source: serde_json::Error,
    },
}

/// A picture with its words, as another program knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// The end of its path, from the root of what that program watches; `/` stands between its parts.
    pub path: String,
    /// Another name that its file may have.
    pub other_name: Option<String>,
    /// The path lacks the ending of the file's name.
    pub is_stem: bool,
    /// Its size in bytes.
    pub size_bytes: Option<i64>,
    /// What people call what is in it. The parts of a hierarchy stand one by one.
    pub words: BTreeSet<String>,
}

/// All that was read.
#[derive(Debug, Default)]
pub struct Descriptions {
    /// Pictures that have words.
    pub pictures: Vec<Described>,
    /// What could not be read, each with the reason.
    pub skipped: Vec<String>,
}

/// A program whose words can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Its database, `digikam4.db`.
    Digikam,
    /// What its API answered, in a file: any number of pages of a search for pictures, of pictures, and of albums.
    Immich,
    /// The folder of the YAML files that it writes.
    Photoprism,
}

impl Program {
    /// What its keywords are known by in the library.
    pub fn name(self) -> &'static str {
        match self {
            Program::Digikam => "digikam",
            Program::Immich => "immich",
            Program::Photoprism => "photoprism",
        }
    }

    /// Reads what it kept or gave out.
    pub fn read(self, path: &std::path::Path) -> Result<Descriptions, ImportError> {
        match self {
            Program::Digikam => digikam::read(path).map_err(|source| ImportError::Database {
                path: path.to_owned(),
                source,
            }),
            Program::Immich => immich::read(path),
            Program::Photoprism => photoprism::read(path),
        }
    }
}
