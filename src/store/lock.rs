//! One daemon owns a library. The lock is the operating system's, so a killed daemon never leaves a stale one behind.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::private;
use super::tokens::Secret;

/// The owner's lock on a library's folder; given back when dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Why a library could not be owned.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process owns it.
    #[error("the library in `{folder}` is in use by another pixdex{}", owner_text(.owner.as_ref()))]
    Taken {
        /// The library's folder.
        folder: PathBuf,
        /// Where that process listens, once it does.
        owner: Option<Owner>,
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

fn owner_text(owner: Option<&Owner>) -> String {
    owner.map_or_else(String::new, |Owner { address, .. }| {
        format!(", which answers at http://{address}")
    })
}

/// A daemon, as other commands of its user find it.
#[derive(Debug, Clone)]
pub struct Owner {
    /// Where it listens.
    pub address: String,
    /// What is let in for everything, as long as it runs: who can read the lock file may do what the library's owner may.
    pub secret: Secret,
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
        private::make_file(&path).map_err(io)?;
        private::close(&path).map_err(io)?;
        let mut file = OpenOptions::new()
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
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(io)?;
                let owner = text.split_once('\n').map(|(address, secret)| Owner {
                    address: address.to_owned(),
                    secret: Secret::shown(secret),
                });
                Err(LockError::Taken {
                    folder: folder.to_owned(),
                    owner,
                })
            }
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }

    /// Leaves for other commands to find where the library's owner listens.
    pub fn announce(&self, Owner { address, secret }: &Owner) -> std::io::Result<()> {
        let mut file = &self.file;
        file.rewind()?;
        file.write_all(format!("{address}\n{}", secret.reveal()).as_bytes())?;
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
        let secret = Secret::new().unwrap();
        let address = "127.0.0.1:7878".to_owned();
        lock.announce(&Owner {
            address: address.clone(),
            secret: secret.clone(),
        })
        .unwrap();
        let Err(LockError::Taken {
            owner: Some(owner), ..
        }) = Lock::take(folder.path())
        else {
            panic!("it is taken");
        };
        assert!(owner.address == address && owner.secret.is(&secret));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let file = folder.path().join("library.lock");
            let mode = file.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        drop(lock);
        Lock::take(folder.path()).unwrap();
    }
}
