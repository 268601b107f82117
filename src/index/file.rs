//! The file of a segment: a header with a manifest, then arrays that are used where they lie, mapped into memory.
//!
//! A file is written under another name, and its header last, once all else is on the disk; then it is renamed. What a
//! crash leaves behind has no header, and what was changed since has another checksum.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use bytemuck::AnyBitPattern;
use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use thiserror::Error;

use super::segment::upper_nodes;
use super::tuning::Tuning;
use crate::kernels::CODE_LANES;

/// Changes when the meaning of the bytes does.
const FORMAT: u32 = 1;

const MAGIC: &[u8] = b"pixdex index segment\n";

/// The arrays begin here.
const HEADER_BYTES: usize = 4096;

/// Arrays begin at a multiple of this: of a cache line, and of every type in them.
const ALIGNMENT: usize = 64;

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
    pub(super) shape: Shape,
    pub(super) tuning: Tuning,
    /// BLAKE3 of everything behind the header.
    checksum: String,
}

/// What makes a file fit an index, and where its arrays lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    format: u32,
    /// Of the processor that wrote it: the arrays are used as they are.
    is_little_endian: bool,
    pub(super) fingerprint: String,
    pub(super) embedding_dim: usize,
    pub(super) nodes: usize,
    pub(super) upper_links: usize,
    pub(super) links: usize,
}

impl Shape {
    pub(super) fn new(
        fingerprint: &str,
        embedding_dim: usize,
        nodes: usize,
        upper_links: usize,
        links: usize,
    ) -> Shape {
        Shape {
            format: FORMAT,
            is_little_endian: cfg!(target_endian = "little"),
            fingerprint: fingerprint.to_owned(),
            embedding_dim,
            nodes,
            upper_links,
            links,
        }
    }

    fn places(&self) -> [Range<usize>; 10] {
        let stride = self.embedding_dim.next_multiple_of(CODE_LANES);
        let lengths = [
            (self.embedding_dim + 1) * size_of::<f32>(),
            self.nodes * size_of::<i64>(),
            self.nodes * size_of::<u32>(),
            self.nodes * size_of::<f32>(),
            (upper_nodes(self.nodes) + 1) * size_of::<u32>(),
            self.upper_links * size_of::<u32>(),
            (self.nodes + 1) * size_of::<u32>(),
            self.links * size_of::<u32>(),
            self.nodes * stride,
            self.nodes * self.embedding_dim * size_of::<f32>(),
        ];
        let mut start = HEADER_BYTES;
        lengths.map(|length| {
            let place = start..start + length;
            start = place.end.next_multiple_of(ALIGNMENT);
            place
        })
    }
}

/// The arrays of a file, in their order.
#[derive(Debug, Clone, Copy)]
pub(super) enum Array {
    /// f32: the step of the codes, then the mean of all rows.
    Quantizer,
    /// i64 for each node: its image.
    Ids,
    /// u32: the nodes in the order of their images.
    ById,
    /// f32 for each node: how far its row lies from its codes.
    Errors,
    /// u32 for each node of the upper graph, and one more: where its links begin.
    UpperOffsets,
    /// u32: nodes of the upper graph.
    UpperLinks,
    /// u32 for each node, and one more: where its links begin.
    Offsets,
    /// u32: nodes.
    Links,
    /// u8: rows of codes.
    Codes,
    /// f32: rows of embeddings.
    Rows,
}

/// A file of which the arrays are in use.
#[derive(Debug)]
pub(super) struct Mapped {
    map: Mmap,
    places: [Range<usize>; 10],
}

impl Mapped {
    fn of(file: &File, shape: &Shape) -> io::Result<Mapped> {
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
        bytemuck::cast_slice(&self.map[self.places[array as usize].clone()])
    }
}

/// Opens the segment in `path` if it fits; the bytes behind the header are not looked at, see [`verify`].
pub(super) fn open(
    path: &Path,
    fits: impl Fn(&Shape) -> bool,
) -> Result<(Manifest, Mapped), BadSegment> {
    let mut file = File::open(path)?;
    let manifest = read_header(&mut file)?;
    if manifest.shape.format != FORMAT
        || manifest.shape.is_little_endian != cfg!(target_endian = "little")
        || !fits(&manifest.shape)
    {
        return Err(BadSegment::Other);
    }
    let expected = manifest.shape.places()[Array::Rows as usize].end as u64;
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

/// Reads the whole file and compares its checksum; nothing is wrong with it where it was told to stop.
pub(super) fn verify(path: &Path, stop: &AtomicBool) -> Result<(), BadSegment> {
    let mut file = File::open(path)?;
    let manifest = read_header(&mut file)?;
    // Read, not mapped: what was only checked shall not count as memory in use.
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut buffer)?;
        hasher.update(&buffer[..length]);
        if length == 0 || stop.load(Ordering::Relaxed) {
            break;
        }
    }
    let is_right = hasher.finalize().to_hex().as_str() == manifest.checksum;
    if is_right || stop.load(Ordering::Relaxed) {
        return Ok(());
    }
    Err(BadSegment::Checksum)
}

/// A file that is being written, array by array.
#[derive(Debug)]
pub(super) struct Draft {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
    shape: Shape,
    hasher: blake3::Hasher,
    written: usize,
}

impl Draft {
    /// Begins a file that will replace `path`.
    pub(super) fn new(path: &Path, shape: Shape) -> io::Result<Draft> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        remove_leftovers(folder, path)?;
        let mut file = BufWriter::new(NamedTempFile::new_in(folder)?);
        file.write_all(&[0; HEADER_BYTES])?;
        Ok(Draft {
            file,
            path: path.to_owned(),
            shape,
            hasher: blake3::Hasher::new(),
            written: HEADER_BYTES,
        })
    }

    /// Appends to `array`; arrays come in their order.
    pub(super) fn write<T: bytemuck::NoUninit>(
        &mut self,
        array: Array,
        values: &[T],
    ) -> io::Result<()> {
        let start = self.shape.places()[array as usize].start;
        if self.written < start {
            self.put(&[0; ALIGNMENT][..start - self.written])?;
        }
        self.put(bytemuck::cast_slice(values))
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.written += bytes.len();
        self.file.write_all(bytes)
    }

    /// The arrays, all of them written, for use before the file is finished.
    pub(super) fn map(&mut self) -> io::Result<Mapped> {
        self.file.flush()?;
        Mapped::of(self.file.get_ref().as_file(), &self.shape)
    }

    /// Writes the header and puts the file in its place; whoever has the one before mapped keeps it.
    pub(super) fn finish(self, tuning: Tuning) -> io::Result<()> {
        let manifest = Manifest {
            shape: self.shape,
            tuning,
            checksum: self.hasher.finalize().to_hex().to_string(),
        };
        let file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        let mut text = serde_json::to_vec(&manifest)?;
        text.resize(HEADER_BYTES - MAGIC.len() - 64, 0);
        let mut handle = file.as_file();
        handle.seek(SeekFrom::Start(0))?;
        handle.write_all(&[MAGIC, blake3::hash(&text).to_hex().as_bytes(), &text].concat())?;
        handle.sync_all()?;
        file.persist(&self.path)?;
        Ok(())
    }
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
pub(super) fn place(path: &Path, array: Array) -> Range<usize> {
    let manifest = read_header(&mut File::open(path).unwrap()).unwrap();
    manifest.shape.places()[array as usize].clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::build::tests::{DIM, segment};
    use crate::index::segment::Segment;

    static NEVER: AtomicBool = AtomicBool::new(false);

    fn opened(path: &Path) -> Result<(), BadSegment> {
        Segment::open(path, "model", DIM).map(drop)
    }

    #[test]
    fn a_whole_file_is_opened_by_its_own_model_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        segment(&path, 100);
        assert!(opened(&path).is_ok() && verify(&path, &NEVER).is_ok());
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
                matches!(verify(&path, &NEVER), Err(BadSegment::Checksum)),
                "{place}"
            );
        }
    }

    /// As a process that is killed leaves it, at any point before the rename.
    #[test]
    fn what_was_not_finished_harms_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        segment(&path, 100);
        let mut draft = Draft::new(&path, Shape::new("model", DIM, 100, 10, 10)).unwrap();
        draft.write(Array::Quantizer, &[1.0_f32; DIM + 1]).unwrap();
        draft.file.flush().unwrap();
        let left = draft.file.get_ref().path().to_owned();
        draft.file.get_mut().disable_cleanup(true);
        drop(draft);
        assert!(left.exists() && opened(&path).is_ok() && verify(&path, &NEVER).is_ok());
        // Even under the right name it is nothing but unfinished.
        assert!(matches!(opened(&left), Err(BadSegment::Unfinished)));
        segment(&path, 120);
        assert!(!left.exists());
    }
}
