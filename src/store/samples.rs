//! Files and pictures for the tests of this room.

use std::path::PathBuf;

use super::absence::SeenFile;
use super::file_state::FileStat;
use super::hash::ContentHash;
use super::ids::RootId;
use super::keywords::FileKeywords;
use super::record::{Content, FileRecord, Reading};
use super::tagging::ImageTags;
use crate::decode::Metadata;
use crate::embed::Embedding;
use crate::formats::Format;

pub(super) const STAT: FileStat = FileStat {
    size_bytes: 1,
    modified_ns: 2,
    changed_ns: 4,
    inode: 3,
};

pub(super) fn seen(path: impl Into<PathBuf>) -> SeenFile {
    SeenFile {
        path: path.into(),
        stat: STAT,
        is_mounted: false,
    }
}

/// A picture of one pixel, without keywords and tags.
pub(super) fn content(hash: ContentHash) -> Content {
    Content {
        hash,
        metadata: Metadata::new(Format::Jpeg, 1, 1),
        keywords: FileKeywords::default(),
        embedded: Embedding::new(vec![1.0]).unwrap().into(),
        tags: ImageTags::default(),
    }
}

pub(super) fn record(root: RootId, path: impl Into<PathBuf>, content: Content) -> FileRecord {
    FileRecord {
        root,
        file: seen(path),
        reading: Reading::Image(Box::new(content)),
    }
}
