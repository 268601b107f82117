//! One daemon owns a library. The lock is the operating system's, so a killed daemon never leaves a stale one behind.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::private;

/// The owner's lock on a library's folder; given back when dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Why a library could not be owned.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process owns it.
    #[error("the library in `{folder}` is in use by another pixdex{}", owner_text(.address.as_deref()))]
    Taken {
        /// The library's folder.
        folder: PathBuf,
        /// Where that process listens, once it does.
        address: Option<String>,
    },
    /// The lock file could not be made.
    #[error("failed to lock the library in `{folder}`: {source}")]
    Io {
        /// The library's folder.
        folder: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

fn owner_text(address: Option<&str>) -> String {
    address.map_or_else(String::new, |address| {
        format!(", which answers at http://{address}")
    })
}

impl Lock {
    /// Takes the library in `folder`, or says who has it.
    pub fn take(folder: &Path) -> Result<Lock, LockError> {
        let io = |source| LockError::Io {
            folder: folder.to_owned(),
            source,
        };
        private::make_folder(folder).map_err(io)?;
        let path = folder.join("library.lock");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).map_err(io)?;
                Ok(Lock { file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut address = String::new();
                file.read_to_string(&mut address).map_err(io)?;
                let address = Some(address).filter(|address| !address.is_empty());
                Err(LockError::Taken {
                    folder: folder.to_owned(),
                    address,
                })
            }
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }

    /// Leaves the address for other commands to find.
    pub fn announce(&self, address: &str) -> std::io::Result<()> {
        let mut file = &self.file;
        file.rewind()?;
        file.write_all(address.as_bytes())?;
        file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_learns_where_the_first_one_listens() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path()).unwrap();
        lock.announce("127.0.0.1:7878").unwrap();
        let error = Lock::take(folder.path()).unwrap_err();
        assert!(
            matches!(&error, LockError::Taken { address: Some(address), .. } if address == "127.0.0.1:7878")
        );
        drop(lock);
        Lock::take(folder.path()).unwrap();
    }
}
