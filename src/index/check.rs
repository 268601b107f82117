//! Looks at a segment's file from outside, without an index: is it whole, and whose embeddings are in it?

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::file::{self, BadSegment};
use super::segment::Segment;
use crate::stop::Stop;
use crate::store::ImageId;

/// The folder of the index inside the library's.
pub const FOLDER: &str = "index";

/// What the names of all segments' files begin with.
const SEGMENT: &str = "segment";

/// The name of a segment's file: each model has its own, so that going back to one finds it.
pub(super) fn file_name(fingerprint: &str) -> String {
    let short = fingerprint.get(..16).unwrap_or(fingerprint);
    format!("{SEGMENT}-{short}")
}

fn file_of(library: &Path, fingerprint: &str) -> PathBuf {
    library.join(FOLDER).join(file_name(fingerprint))
}

/// The images in a model's segment of the library in this folder, each with the hash of its embedding; none where there is no segment.
/// Fails with what is wrong with it.
pub fn verify_rows(
    library: &Path,
    fingerprint: &str,
) -> Result<Option<Vec<(ImageId, u64)>>, String> {
    let path = file_of(library, fingerprint);
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

/// Removes all segments of the library in this folder: they are built again.
pub fn remove(library: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(library.join(FOLDER)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(SEGMENT) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes the segment of one model.
pub fn remove_of(library: &Path, fingerprint: &str) -> io::Result<()> {
    match std::fs::remove_file(file_of(library, fingerprint)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
