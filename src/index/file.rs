//! The file of a segment: a header with a manifest, then arrays that are used where they lie, mapped into memory.
//!
//! A file is written under another name, and its header last, once all else is on the disk; then it is renamed. What a
//! crash leaves behind has no header, and what was changed since has another checksum.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytemuck::AnyBitPattern;
use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use thiserror::Error;

use super::layout::{ALIGNMENT, Array, HEADER_BYTES, LAYOUT, Places, SegmentShape};
use super::tuning::Tuning;
use crate::stop::Stop;

const MAGIC: &[u8] = b"pixdex index segment\n";

/// Why a file is no segment of this index.
#[derive(Debug, Error)]
pub(super) enum BadSegment {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it was not written to its end")]
    Unfinished,
    #[error("its header is damaged")]
    Header,
    #[error("it is of another model or of another version of pixdex")]
    Other,
    #[error("it is {found} bytes long instead of {expected}")]
    Length { found: u64, expected: u64 },
    #[error("its checksum is wrong")]
    Checksum,
}

/// What the header says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) shape: SegmentShape,
    pub(super) tuning: Tuning,
    /// BLAKE3 of everything behind the header.
    checksum: String,
}

/// A file of which the arrays are in use.
#[derive(Debug)]
pub(super) struct Mapped {
    map: Mmap,
    places: Places,
}

impl Mapped {
    fn of(file: &File, shape: &SegmentShape) -> io::Result<Mapped> {
        #[expect(unsafe_code, reason = "mapping a file into memory")]
        // SAFETY: the file lies in the library's folder, and pixdex never changes a finished one: it writes another.
        let map = unsafe { Mmap::map(file)? };
        Ok(Mapped {
            map,
            places: shape.places(),
        })
    }

    /// Bytes of all arrays.
    pub(super) fn len(&self) -> usize {
        self.map.len() - HEADER_BYTES
    }

    /// One array; all values of its type are valid.
    pub(super) fn array<T: AnyBitPattern>(&self, array: Array) -> &[T] {
        bytemuck::cast_slice(&self.map[self.places.of(array)])
    }
}

/// Opens the segment in `path` if it fits such embeddings; the bytes behind the header are not looked at, see [`verify`].
pub(super) fn open(
    path: &Path,
    fingerprint: &str,
    embedding_dim: usize,
) -> Result<(Manifest, Mapped), BadSegment> {
    let mut file = File::open(path)?;
    let manifest = read_header(&mut file)?;
    if !manifest.shape.fits(fingerprint, embedding_dim) {
        return Err(BadSegment::Other);
    }
    let expected = manifest.shape.file_bytes() as u64;
    let found = file.metadata()?.len();
    if found != expected {
        return Err(BadSegment::Length { found, expected });
    }
    let mapped = Mapped::of(&file, &manifest.shape)?;
    Ok((manifest, mapped))
}

fn read_header(file: &mut File) -> Result<Manifest, BadSegment> {
    let mut header = [0; HEADER_BYTES];
    file.read_exact(&mut header)
        .map_err(|_| BadSegment::Unfinished)?;
    let text = header.strip_prefix(MAGIC).ok_or(BadSegment::Unfinished)?;
    let (checksum, manifest) = text.split_at_checked(64).ok_or(BadSegment::Header)?;
    if blake3::hash(manifest).to_hex().as_bytes() != checksum {
        return Err(BadSegment::Header);
    }
    let end = manifest
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(manifest.len());
    serde_json::from_slice(&manifest[..end]).map_err(|_| BadSegment::Other)
}

/// What a file says about itself.
pub(super) fn shape(path: &Path) -> Result<SegmentShape, BadSegment> {
    Ok(read_header(&mut File::open(path)?)?.shape)
}

/// Reads the whole file and compares its checksum; nothing is wrong with it where it was told to stop.
pub(super) fn verify(path: &Path, stop: &Stop) -> Result<(), BadSegment> {
    let mut file = File::open(path)?;
    let manifest = read_header(&mut file)?;
    // Read, not mapped: what was only checked shall not count as memory in use.
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut buffer)?;
        hasher.update(&buffer[..length]);
        if length == 0 || stop.is_asked() {
            break;
        }
    }
    let is_right = hasher.finalize().to_hex().as_str() == manifest.checksum;
    if is_right || stop.is_asked() {
        return Ok(());
    }
    Err(BadSegment::Checksum)
}

/// A file whose arrays are written and whose header is not.
#[derive(Debug)]
pub(super) struct Draft {
    arrays: ArrayWriter,
    path: PathBuf,
    shape: SegmentShape,
}

/// Where the arrays of a draft go, one after another.
#[derive(Debug)]
pub(super) struct ArrayWriter {
    file: BufWriter<NamedTempFile>,
    hasher: blake3::Hasher,
    written: usize,
}

impl ArrayWriter {
    /// Appends to the array that is being written.
    pub(super) fn put<T: bytemuck::NoUninit>(&mut self, values: &[T]) -> io::Result<()> {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        self.hasher.update(bytes);
        self.written += bytes.len();
        self.file.write_all(bytes)
    }
}

impl Draft {
    /// Writes a file that will replace `path`: `write` puts each array in turn, in the order of [`LAYOUT`].
    pub(super) fn write(
        path: &Path,
        shape: SegmentShape,
        write: impl Fn(Array, &mut ArrayWriter) -> io::Result<()>,
    ) -> io::Result<Draft> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        remove_leftovers(folder, path)?;
        let mut file = BufWriter::new(NamedTempFile::new_in(folder)?);
        file.write_all(&[0; HEADER_BYTES])?;
        let mut arrays = ArrayWriter {
            file,
            hasher: blake3::Hasher::new(),
            written: HEADER_BYTES,
        };
        let places = shape.places();
        for (array, _) in LAYOUT {
            let place = places.of(array);
            arrays.put(&[0_u8; ALIGNMENT][..place.start - arrays.written])?;
            write(array, &mut arrays)?;
            debug_assert_eq!(arrays.written, place.end, "{array:?}");
        }
        Ok(Draft {
            arrays,
            path: path.to_owned(),
            shape,
        })
    }

    /// The arrays, for use before the file is finished.
    pub(super) fn map(&mut self) -> io::Result<Mapped> {
        self.arrays.file.flush()?;
        Mapped::of(self.arrays.file.get_ref().as_file(), &self.shape)
    }

    /// Writes the header and puts the file in its place; whoever has the one before mapped keeps it.
    pub(super) fn finish(self, tuning: Tuning) -> io::Result<()> {
        let manifest = Manifest {
            shape: self.shape,
            tuning,
            checksum: self.arrays.hasher.finalize().to_hex().to_string(),
        };
        let file = self
            .arrays
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        let mut handle = file.as_file();
        handle.seek(SeekFrom::Start(0))?;
        handle.write_all(&header(serde_json::to_vec(&manifest)?))?;
        handle.sync_all()?;
        // What is mapped must not become shorter: to read beyond its end would end the process. Nobody has a reason to write it.
        let mut permissions = handle.metadata()?.permissions();
        permissions.set_readonly(true);
        handle.set_permissions(permissions)?;
        file.persist(&self.path)?;
        Ok(())
    }
}

/// What a file begins with.
pub(super) fn header(mut manifest: Vec<u8>) -> Vec<u8> {
    manifest.resize(HEADER_BYTES - MAGIC.len() - 64, 0);
    let checksum = blake3::hash(&manifest).to_hex();
    [MAGIC, checksum.as_bytes(), &manifest].concat()
}

/// Takes away what a killed process had begun to write: nobody else writes here while this one owns the library.
fn remove_leftovers(folder: &Path, keep: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path != keep {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Where an array lies in a file.
#[cfg(test)]
pub(super) fn place(path: &Path, array: Array) -> std::ops::Range<usize> {
    let manifest = read_header(&mut File::open(path).unwrap()).unwrap();
    manifest.shape.places().of(array)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::build::tests::{DIM, segment};
    use crate::index::segment::Segment;

    fn opened(path: &Path) -> Result<(), BadSegment> {
        Segment::open(path, "model", DIM).map(drop)
    }

    #[test]
    fn a_whole_file_is_opened_by_its_own_model_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        segment(&path, 100);
        assert!(opened(&path).is_ok() && verify(&path, &Stop::default()).is_ok());
        assert!(path.metadata().unwrap().permissions().readonly());
        assert!(matches!(
            Segment::open(&path, "another model", DIM),
            Err(BadSegment::Other)
        ));
        assert!(matches!(
            Segment::open(&path, "model", DIM + 1),
            Err(BadSegment::Other)
        ));
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        segment(&path, 100);
        let whole = std::fs::read(&path).unwrap();
        let write = |bytes: &[u8]| {
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, bytes).unwrap();
        };
        write(&whole[..whole.len() - 1]);
        assert!(matches!(opened(&path), Err(BadSegment::Length { .. })));
        write(&whole[..100]);
        assert!(matches!(opened(&path), Err(BadSegment::Unfinished)));
        for place in [0, MAGIC.len() + 3, MAGIC.len() + 80, HEADER_BYTES - 1] {
            let mut flipped = whole.clone();
            flipped[place] ^= 1;
            write(&flipped);
            assert!(opened(&path).is_err(), "{place}");
        }
        for place in [HEADER_BYTES, whole.len() / 2, whole.len() - 1] {
            let mut flipped = whole.clone();
            flipped[place] ^= 1;
            write(&flipped);
            assert!(
                matches!(verify(&path, &Stop::default()), Err(BadSegment::Checksum)),
                "{place}"
            );
        }
    }

    #[test]
    fn a_shape_that_no_file_has_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        for what in ["nodes", "upper_links", "links"] {
            for count in [1_u64 << 33, 1 << 60, u64::MAX] {
                let mut shape = serde_json::json!(SegmentShape::new("model", DIM));
                shape[what] = count.into();
                let manifest = serde_json::json!({ "shape": shape, "tuning": {}, "checksum": "" });
                std::fs::write(&path, header(manifest.to_string().into_bytes())).unwrap();
                assert!(
                    matches!(opened(&path), Err(BadSegment::Other)),
                    "{count} {what}"
                );
            }
        }
    }

    /// As a process that is killed leaves it, at any point before the rename.
    #[test]
    fn what_was_not_finished_harms_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        segment(&path, 100);
        let shape = SegmentShape::new("model", DIM);
        let zeros = |array, writer: &mut ArrayWriter| {
            writer.put(&vec![0_u8; shape.places().of(array).len()])
        };
        let mut draft = Draft::write(&path, shape.clone(), zeros).unwrap();
        let file = &mut draft.arrays.file;
        file.flush().unwrap();
        let left = file.get_ref().path().to_owned();
        file.get_mut().disable_cleanup(true);
        drop(draft);
        assert!(left.exists() && opened(&path).is_ok() && verify(&path, &Stop::default()).is_ok());
        // Even under the right name it is nothing but unfinished.
        assert!(matches!(opened(&left), Err(BadSegment::Unfinished)));
        segment(&path, 120);
        assert!(!left.exists());
    }
}
