//! A model's weights as bytes: where they lie, and whether they are whole.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use blake3::Hasher;

use candle_core::pickle::read_pth_tensor_info;
use safetensors::tensor::Metadata;

use super::ModelError;

/// Longest header that the format's own reader accepts.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Bytes that are read at once to be hashed.
const HASHED_AT_ONCE: usize = 4 << 20;

/// The bytes of one safetensors file, read a part at a time: a model is as large as the memory of small machines.
pub struct Shard {
    length: u64,
    bytes: Bytes,
}

enum Bytes {
    /// In the program.
    Static(&'static [u8]),
    /// On the disk, open so that it stays the same file whatever takes its place.
    File {
        path: PathBuf,
        file: Mutex<File>,
        modified: Option<SystemTime>,
    },
}

impl Shard {
    pub(super) fn from_static(bytes: &'static [u8]) -> Shard {
        Shard {
            length: bytes.len() as u64,
            bytes: Bytes::Static(bytes),
        }
    }

    /// Opens a file that is whole.
    pub(super) fn open(path: &Path) -> Result<Shard, ModelError> {
        let failed = |source| ModelError::read(path, source);
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let length = metadata.len();
        check_safetensors(&file, length).map_err(|reason| ModelError::Invalid {
            file: path.display().to_string(),
            reason,
        })?;
        Ok(Shard {
            length,
            bytes: Bytes::File {
                path: path.to_owned(),
                file: Mutex::new(file),
                modified: metadata.modified().ok(),
            },
        })
    }

    /// How many bytes there are.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Fills `part` with the bytes from `offset` on.
    ///
    /// # Errors
    /// If there are fewer, or the disk does not give them.
    pub fn read(&self, offset: u64, part: &mut [u8]) -> io::Result<()> {
        match &self.bytes {
            Bytes::Static(bytes) => {
                let mut rest = bytes.get(offset as usize..).unwrap_or_default();
                rest.read_exact(part)
            }
            Bytes::File { file, .. } => {
                // Where it stands is set before each read, so what a panic left behind does no harm.
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(offset))?;
                file.read_exact(part)
            }
        }
    }

    /// Whether the file is the one that was opened: who writes into it while it is in use makes nonsense of it.
    ///
    /// # Errors
    /// If it is not, or cannot be asked.
    pub fn check_unchanged(&self) -> io::Result<()> {
        let Bytes::File {
            path,
            file,
            modified,
        } = &self.bytes
        else {
            return Ok(());
        };
        let file = file.lock().unwrap_or_else(PoisonError::into_inner);
        let now = file.metadata()?;
        if now.len() == self.length && now.modified().ok() == *modified {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "`{}` was written into while pixdex was using it; start pixdex again",
            path.display()
        )))
    }

    pub(super) fn hash(&self, hasher: &mut Hasher) -> Result<(), ModelError> {
        let (path, mut part) = match &self.bytes {
            Bytes::Static(bytes) => {
                hasher.update_rayon(bytes);
                return Ok(());
            }
            Bytes::File { path, .. } => (path, vec![0; HASHED_AT_ONCE]),
        };
        let mut offset = 0;
        while offset < self.length {
            let left = usize::try_from(self.length - offset).unwrap_or(HASHED_AT_ONCE);
            let part = &mut part[..left.min(HASHED_AT_ONCE)];
            let read = self.read(offset, part);
            read.map_err(|source| ModelError::read(path, source))?;
            hasher.update_rayon(part);
            offset += part.len() as u64;
        }
        Ok(())
    }
}

/// Whether a safetensors file is as long as its header says. `length` is the file's, in bytes.
pub(super) fn check_safetensors(mut file: impl Read, length: u64) -> Result<(), String> {
    let mut start = [0; 8];
    file.read_exact(&mut start)
        .map_err(|_| format!("it is {length} bytes long, too short for safetensors"))?;
    if is_web_page(&start) {
        return Err("it is a web page".to_owned());
    }
    let header_bytes = u64::from_le_bytes(start);
    if header_bytes > MAX_HEADER_BYTES.min(length.saturating_sub(8)) {
        return Err("it is not safetensors, or cut off in its header".to_owned());
    }
    let header: Metadata = serde_json::from_reader(file.take(header_bytes))
        .map_err(|error| format!("its header is damaged: {error}"))?;
    let wanted = 8 + header_bytes + header.data_len() as u64;
    if wanted != length {
        return Err(format!(
            "it is {length} bytes long where its header says {wanted}"
        ));
    }
    Ok(())
}

/// Whether candle can find its way in a `pytorch_model.bin`; one that was cut off has lost the directory at its end.
pub(super) fn check_pickle(path: &Path) -> Result<(), String> {
    let mut start = [0; 4];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut start))
        .map_err(|error| error.to_string())?;
    if is_web_page(&start) {
        return Err("it is a web page".to_owned());
    }
    if &start != b"PK\x03\x04" {
        return Err(
            "it is not in torch's zip format; save it again as `model.safetensors`".to_owned(),
        );
    }
    match read_pth_tensor_info(path, false, None) {
        Ok(tensors) if tensors.is_empty() => Err("it holds no tensors".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Proxies and hubs in trouble answer with a page where a file was asked for; none of a model's files begins like one.
pub(super) fn is_web_page(start: &[u8]) -> bool {
    start.trim_ascii_start().first() == Some(&b'<')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data_bytes: usize) -> Vec<u8> {
        let length = (header.len() as u64).to_le_bytes();
        [&length, header.as_bytes(), &vec![0; data_bytes]].concat()
    }

    fn check(bytes: &[u8]) -> Result<(), String> {
        check_safetensors(bytes, bytes.len() as u64)
    }

    const HEADER: &str = r#"{"__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        "b": {"dtype": "F32", "shape": [1], "data_offsets": [8, 12]}}"#;

    #[test]
    fn a_whole_file_passes() {
        check(&file(HEADER, 12)).unwrap();
    }

    #[test]
    fn every_cut_is_noticed() {
        let whole = file(HEADER, 12);
        for length in 0..whole.len() {
            assert!(check(&whole[..length]).is_err(), "{length}");
        }
        assert!(
            check(&file(HEADER, 13))
                .unwrap_err()
                .contains("where its header says")
        );
    }

    #[test]
    fn says_what_it_found_instead() {
        assert_eq!(
            check(b"<!DOCTYPE html><html></html>").unwrap_err(),
            "it is a web page"
        );
        assert!(
            check(b"version https://git-lfs.github.com/spec/v1")
                .unwrap_err()
                .contains("not safetensors")
        );
        assert!(check(&file("[]", 0)).is_err());
        let hole = r#"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}"#;
        for header in [r#"{"a": {"shape": []}}"#, hole] {
            assert!(
                check(&file(header, 8))
                    .unwrap_err()
                    .contains("header is damaged")
            );
        }
    }
}
