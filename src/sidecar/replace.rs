//! Puts a file in the place of another, whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::ownership;
use crate::store::FileStat;

/// What is to stand at a place, ready on the disk beside it.
#[derive(Debug)]
pub(super) struct Replacement {
    place: PathBuf,
    /// What stands there now.
    before: Option<FileStat>,
    /// None takes away what stands there.
    temporary: Option<(PathBuf, FileStat)>,
}

impl Replacement {
    /// `before` is what the caller read and worked on; `bytes` shall stand there instead, or nothing.
    pub(super) fn prepare(
        place: &Path,
        before: Option<&Metadata>,
        bytes: Option<&[u8]>,
    ) -> io::Result<Replacement> {
        let temporary = bytes.map(|bytes| write_beside(place, bytes, before));
        Ok(Replacement {
            place: place.to_owned(),
            before: before.map(FileStat::of),
            temporary: temporary.transpose()?,
        })
    }

    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// What will stand there: a file keeps its times and its number when it is renamed.
    pub(super) fn after(&self) -> Option<FileStat> {
        self.temporary.as_ref().map(|(_, stat)| *stat)
    }

    /// Does it, unless another program changed the file meanwhile.
    pub(super) fn commit(self) -> io::Result<()> {
        if super::stat(&self.place) != self.before {
            self.discard();
            return Err(io::Error::other("it was changed meanwhile"));
        }
        match &self.temporary {
            Some((temporary, _)) => fs::rename(temporary, &self.place),
            None => fs::remove_file(&self.place),
        }
    }

    fn discard(self) {
        // Overwritten the next time, where it stays.
        let _ = self.temporary.map(|(path, _)| fs::remove_file(path));
    }
}

/// Hidden, so that nobody looks at it, and always the same, so that what a killed process leaves is found again.
fn temporary_name(place: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(place.file_name().unwrap_or_default());
    name.push(".pixdex");
    place.with_file_name(name)
}

fn write_beside(
    place: &Path,
    bytes: &[u8],
    before: Option<&Metadata>,
) -> io::Result<(PathBuf, FileStat)> {
    let path = temporary_name(place);
    let written = write_new(&path, bytes, before);
    if written.is_err() {
        // A full disk wants nothing left on it.
        let _ = fs::remove_file(&path);
    }
    Ok((path, written?))
}

fn write_new(path: &Path, bytes: &[u8], before: Option<&Metadata>) -> io::Result<FileStat> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // New, so that a link that somebody put there is not followed.
    let mut file: File = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    if let Some(before) = before {
        ownership::keep(&file, before)?;
    }
    file.sync_all()?;
    // Putting it in its place changes that time.
    Ok(FileStat {
        changed_ns: 0,
        ..FileStat::of(&file.metadata()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_program_wrote_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a.xmp");
        fs::write(&place, "as it was read").unwrap();
        let before = fs::metadata(&place).unwrap();
        let prepare = |bytes| Replacement::prepare(&place, Some(&before), bytes).unwrap();
        let (replacing, removing) = (prepare(Some("ours".as_bytes())), prepare(None));
        fs::write(&place, "as another program wrote it").unwrap();
        for replacement in [replacing, removing] {
            let error = replacement.commit().unwrap_err();
            assert!(error.to_string().contains("changed meanwhile"), "{error}");
        }
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing of ours");
        assert_eq!(
            fs::read_to_string(&place).unwrap(),
            "as another program wrote it"
        );
        // Where nobody was in between, it is done.
        let before = fs::metadata(&place).unwrap();
        Replacement::prepare(&place, Some(&before), Some(b"ours"))
            .unwrap()
            .commit()
            .unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "ours");
    }
}
