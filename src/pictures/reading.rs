//! Remembers which pictures are being decoded, for the case that the process does not live to see their end.
//!
//! Only what takes much memory or time is written down: a file that is named by the content's hash, with one byte for each time
//! that it was begun and not ended. A picture that was begun too often without an end is not begun again.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::warn;

use super::PictureError;

/// So many ends of the process while a picture was decoded are no accident.
const MOST_DEATHS: u64 = 2;

/// What is being decoded, if anybody remembers it. Cheap to clone; clones remember the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    memory: Option<Arc<Memory>>,
}

#[derive(Debug)]
struct Memory {
    folder: PathBuf,
    /// How many in this process decode each content.
    at_work: Mutex<HashMap<String, usize>>,
}

impl Reading {
    /// Remembered in this folder, which holds nothing else.
    pub(super) fn new(folder: PathBuf) -> Reading {
        let at_work = Mutex::default();
        Reading {
            memory: Some(Arc::new(Memory { folder, at_work })),
        }
    }

    /// Writes down that a picture is begun, until the answer is dropped.
    ///
    /// # Errors
    /// If the process has not lived to the end of it before. A disk that does not take the note costs the note only.
    pub(super) fn begin(&self, hash: &blake3::Hash) -> Result<Option<Begun>, PictureError> {
        let Some(memory) = &self.memory else {
            return Ok(None);
        };
        let name = hash.to_hex().to_string();
        let path = memory.folder.join(&name);
        let mut at_work = memory.locked();
        let count = at_work.entry(name.clone()).or_default();
        if *count == 0 {
            if fs::metadata(&path).is_ok_and(|note| note.len() >= MOST_DEATHS) {
                at_work.remove(&name);
                return Err(PictureError::EndedProcess(path));
            }
            if let Err(error) = note(&memory.folder, &path) {
                warn!(path = %path.display(), %error, "cannot write down what is decoded");
            }
        }
        *count += 1;
        drop(at_work);
        Ok(Some(Begun {
            name,
            memory: Arc::clone(memory),
        }))
    }

    /// The process ends in order: what has not come to its end by now is not to blame.
    pub(super) fn close(&self) {
        if let Some(memory) = &self.memory {
            for name in memory.locked().keys() {
                memory.clear(name);
            }
        }
    }
}

fn note(folder: &Path, path: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(b".")
}

impl Memory {
    fn clear(&self, name: &str) {
        let path = self.folder.join(name);
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            warn!(path = %path.display(), %error, "cannot forget what was decoded");
        }
    }

    /// A panic elsewhere leaves the counts sound.
    fn locked(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A picture that is being decoded.
#[derive(Debug)]
pub(super) struct Begun {
    name: String,
    memory: Arc<Memory>,
}

impl Drop for Begun {
    fn drop(&mut self) {
        let mut at_work = self.memory.locked();
        let Some(count) = at_work.get_mut(&self.name) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            at_work.remove(&self.name);
            self.memory.clear(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As when the process ends without a word.
    fn die(begun: Option<Begun>) {
        std::mem::forget(begun);
    }

    fn notes(folder: &Path) -> usize {
        fs::read_dir(folder).map_or(0, Iterator::count)
    }

    #[test]
    fn a_picture_is_begun_twice_without_an_end_and_then_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let reading = || Reading::new(folder.path().join("reading"));
        die(reading().begin(&blake3::hash(b"deadly")).unwrap());
        // Another that ended is not to blame for anything.
        drop(reading().begin(&blake3::hash(b"harmless")).unwrap());
        die(reading().begin(&blake3::hash(b"deadly")).unwrap());
        for _ in 0..2 {
            let error = reading().begin(&blake3::hash(b"deadly")).unwrap_err();
            assert!(matches!(error, PictureError::EndedProcess(_)), "{error}");
            assert!(error.to_string().contains("reading"), "{error}");
        }
        reading().begin(&blake3::hash(b"harmless")).unwrap();
    }

    #[test]
    fn an_end_clears_earlier_deaths() {
        let folder = tempfile::tempdir().unwrap();
        let reading = || Reading::new(folder.path().to_owned());
        die(reading().begin(&blake3::hash(b"a")).unwrap());
        drop(reading().begin(&blake3::hash(b"a")).unwrap());
        assert_eq!(notes(folder.path()), 0);
        die(reading().begin(&blake3::hash(b"a")).unwrap());
        reading().begin(&blake3::hash(b"a")).unwrap();
    }

    #[test]
    fn several_at_once_are_one_and_an_orderly_end_is_no_death() {
        let folder = tempfile::tempdir().unwrap();
        let reading = Reading::new(folder.path().to_owned());
        let all: Vec<_> = (0..5)
            .map(|_| reading.begin(&blake3::hash(b"a")).unwrap())
            .collect();
        assert_eq!(notes(folder.path()), 1);
        reading.close();
        assert_eq!(notes(folder.path()), 0);
        all.into_iter().for_each(die);
        // What nobody remembers is never refused.
        let nobody = Reading::default();
        for _ in 0..3 {
            die(nobody.begin(&blake3::hash(b"a")).unwrap());
        }
        nobody.close();
    }

    #[test]
    fn a_disk_that_takes_no_note_costs_the_note_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        drop(Reading::new(file).begin(&blake3::hash(b"a")).unwrap());
    }
}
