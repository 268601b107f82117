//! A video's file, of which only what is asked for is read.

use std::io::{self, Read, Seek, SeekFrom};

use super::super::DecodeError;

/// No frame takes more bytes: a key frame of 8K has a third of it.
pub(super) const MOST_SAMPLE_BYTES: u64 = 32 << 20;

/// Where parts of a file are read from.
pub(super) struct Source<'a, R> {
    from: &'a mut R,
    len: u64,
}

impl<'a, R: Read + Seek> Source<'a, R> {
    pub(super) fn new(from: &'a mut R, len: u64) -> Source<'a, R> {
        Source { from, len }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// So many bytes from here on, or those that are left of them; no more than `most`.
    pub(super) fn read(&mut self, at: u64, len: u64, most: u64) -> Result<Vec<u8>, DecodeError> {
        if len > most {
            return Err(DecodeError::Broken(
                "a part of the video is larger than any is",
            ));
        }
        let len = len.min(self.len.saturating_sub(at));
        // Systems refuse to go to places that no file has.
        if len == 0 {
            return Ok(Vec::new());
        }
        let mut bytes = Vec::with_capacity(len as usize);
        self.from.seek(SeekFrom::Start(at)).map_err(failed)?;
        self.from
            .by_ref()
            .take(len)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        Ok(bytes)
    }

    /// All of these bytes.
    pub(super) fn whole(&mut self, at: u64, len: u64, most: u64) -> Result<Vec<u8>, DecodeError> {
        let bytes = self.read(at, len, most)?;
        if bytes.len() as u64 == len {
            Ok(bytes)
        } else {
            Err(DecodeError::Truncated)
        }
    }
}

/// The disk does not give what is asked for.
fn failed(error: io::Error) -> DecodeError {
    DecodeError::Io(error)
}
