//! The originals that are looked at: pictures are held as bytes, videos stay where they are, as nobody could hold them.

use std::fs::File;
use std::io::{Read, Seek};
use std::ops::Deref;
use std::sync::Arc;

use super::budget::Turn;
use super::file::{FileError, OriginalFile};
use crate::formats::Format;

/// So much of a file tells what it is.
const START: usize = 4096;

/// A file or an upload that is open to be looked at. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Original {
    /// A picture, or whatever is no video.
    Picture(PictureBytes),
    /// A video.
    Video(Arc<VideoFile>),
}

/// The bytes of a picture; they count among the memory of decoding while they are held. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PictureBytes {
    held: Arc<Held>,
}

#[derive(Debug)]
struct Held {
    bytes: Vec<u8>,
    _turn: Turn,
}

/// A video that is open.
#[derive(Debug)]
pub struct VideoFile {
    pub(super) file: File,
    pub(super) size_bytes: u64,
    pub(super) hash: blake3::Hash,
    /// Where it was opened as a file of the library, what it looked like then.
    seen: Option<OriginalFile>,
}

impl PictureBytes {
    pub(super) fn new(bytes: Vec<u8>, turn: Turn) -> PictureBytes {
        let held = Arc::new(Held { bytes, _turn: turn });
        PictureBytes { held }
    }
}

impl Deref for PictureBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.held.bytes
    }
}

impl Original {
    /// BLAKE3 of its bytes.
    pub fn hash(&self) -> [u8; 32] {
        match self {
            Original::Picture(bytes) => *blake3::hash(bytes).as_bytes(),
            Original::Video(video) => *video.hash.as_bytes(),
        }
    }

    /// How many they are.
    pub fn size_bytes(&self) -> u64 {
        match self {
            Original::Picture(bytes) => bytes.len() as u64,
            Original::Video(video) => video.size_bytes,
        }
    }

    /// Whether it is a video.
    pub fn is_video(&self) -> bool {
        matches!(self, Original::Video(_))
    }
}

impl VideoFile {
    /// The video in this file, where there is one; its bytes are those of one moment, as those of a picture.
    pub(super) fn open(
        file: &File,
        size_bytes: u64,
        seen: Option<&OriginalFile>,
    ) -> Result<Option<VideoFile>, FileError> {
        let mut start = Vec::with_capacity(START);
        file.take(START as u64).read_to_end(&mut start)?;
        let mut whole = file;
        whole.rewind()?;
        if !Format::of_bytes(&start).is_some_and(Format::is_video) {
            return Ok(None);
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(whole.take(size_bytes))?;
        let video = VideoFile {
            file: file.try_clone()?,
            size_bytes,
            hash: hasher.finalize(),
            seen: seen.cloned(),
        };
        video.check()?;
        if hasher.count() == size_bytes {
            Ok(Some(video))
        } else {
            Err(FileError::Changed)
        }
    }

    /// Fails where it is not the file any more that was opened.
    pub(super) fn check(&self) -> Result<(), FileError> {
        self.seen
            .as_ref()
            .map_or(Ok(()), |seen| seen.check(&self.file))
    }

    /// To be read from wherever it is asked for.
    pub(super) fn reader(&self) -> &File {
        &self.file
    }
}
