//! Looks at a segment's file from outside, without an index: is it whole, and whose embeddings are in it?

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::SEGMENT;
use super::file::{self, BadSegment};
use super::segment::Segment;
use crate::stop::Stop;
use crate::store::ImageId;

/// The folder of the index inside the library's.
pub const FOLDER: &str = "index";

fn file_of(library: &Path) -> PathBuf {
    library.join(FOLDER).join(SEGMENT)
}

/// The images in the segment of the library in this folder, each with the hash of its embedding; none where there is no segment.
/// Fails with what is wrong with it.
pub fn verify_rows(library: &Path) -> Result<Option<Vec<(ImageId, u64)>>, String> {
    let path = file_of(library);
    let described = |error: &BadSegment| format!("`{}`: {error}", path.display());
    match file::verify(&path, &Stop::default()) {
        Err(BadSegment::Io(error)) if error.kind() == ErrorKind::NotFound => return Ok(None),
        verified => verified.map_err(|error| described(&error))?,
    }
    let shape = file::shape(&path).map_err(|error| described(&error))?;
    let (segment, _) = Segment::open(&path, &shape.fingerprint, shape.embedding_dim)
        .map_err(|error| described(&error))?;
    let rows = segment.rows().chunks_exact(shape.embedding_dim.max(1));
    let rows = segment.ids().iter().zip(rows);
    Ok(Some(
        rows.map(|(id, row)| (ImageId(*id), row_hash(row)))
            .collect(),
    ))
}

/// What tells an embedding from another.
pub fn row_hash(row: &[f32]) -> u64 {
    let hash = blake3::hash(bytemuck::cast_slice(row));
    let (first, _) = hash.as_bytes().split_at(8);
    first
        .iter()
        .fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

/// Removes the segment of the library in this folder: it is built again.
pub fn remove(library: &Path) -> io::Result<()> {
    match std::fs::remove_file(file_of(library)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
