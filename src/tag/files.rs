//! The labels folder: one file for each set, named after it. What is wrong with one entry is that entry's answer.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::error::TagError;
use super::set::{LabelSet, SetError};
use crate::store::{NameError, SetName};

/// Why an entry of the labels folder is no label set.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum FileError {
    /// No set can have the file's name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A folder, a pipe, a device.
    #[error("it is no regular file")]
    NotAFile,
    /// Written in another encoding.
    #[error("it is not UTF-8 text")]
    NotText,
    /// A link to nothing, no permission, a failing disk.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// What it says is no label set.
    #[error(transparent)]
    Set(#[from] SetError),
}

/// What a labels folder holds: the text of each file by its name without `.toml`, or what is wrong with it.
pub(super) type Files = BTreeMap<String, Result<String, FileError>>;

/// Reads all label files. An unreadable folder is an error, and not a folder without sets: that would take all tags away.
pub(super) fn read_folder(folder: &Path) -> Result<Files, TagError> {
    let read = |path: PathBuf| {
        let name = name_of(&path)?;
        let text = match name.parse::<SetName>() {
            Ok(_) => read_file(&path).transpose(),
            Err(error) => Some(Err(error.into())),
        };
        Some((name, text?))
    };
    Ok(label_files(folder)?.into_iter().filter_map(read).collect())
}

/// The paths of all label files of a folder, right or wrong, in order.
pub fn label_files(folder: &Path) -> Result<Vec<PathBuf>, TagError> {
    let io = |source| TagError::Io {
        path: folder.to_owned(),
        source,
    };
    let entries = std::fs::read_dir(folder).map_err(io)?;
    let paths: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(io)?;
    paths.retain(|path| name_of(path).is_some());
    paths.sort();
    Ok(paths)
}

/// The set that a label file says, as it would be read in the labels folder, and its text.
pub fn read_set(path: &Path) -> Result<(LabelSet, String), FileError> {
    let name = path.file_stem().unwrap_or_default();
    name.to_string_lossy().parse::<SetName>()?;
    let missing = || FileError::Unreadable("there is no such file".to_owned());
    let text = read_file(path)?.ok_or_else(missing)?;
    Ok((LabelSet::parse(&text)?, text))
}

/// Hidden files are those of editors at work.
fn name_of(path: &Path) -> Option<String> {
    let name = path.file_stem()?.to_string_lossy();
    let is_label_file = path.extension()? == "toml" && !name.starts_with('.');
    is_label_file.then(|| name.into_owned())
}

/// The text of a label file; none where there is no file. Only a regular file is opened: a pipe would be waited for.
pub(super) fn read_file(path: &Path) -> Result<Option<String>, FileError> {
    let bytes = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => std::fs::read(path),
        Ok(_) => return Err(FileError::NotAFile),
        Err(error) => Err(error),
    };
    match bytes {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(FileError::NotText),
        },
        // A link is there, even where it leads to nothing.
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => Ok(None),
        Err(error) => Err(FileError::Unreadable(error.to_string())),
    }
}

pub(super) fn write_whole(folder: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_an_entry_is_its_answer_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, bytes) in [
            ("good.toml", &b"text"[..]),
            ("latin.toml", b"caf\xe9"),
            ("Places.toml", b"text"),
            ("my places.toml", b"text"),
            (".hidden.toml", b"text"),
            ("notes.txt", b"text"),
        ] {
            std::fs::write(at(name), bytes).unwrap();
        }
        std::fs::create_dir(at("folder.toml")).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("nowhere"), at("dangling.toml")).unwrap();
            std::os::unix::fs::symlink(at("good.toml"), at("link.toml")).unwrap();
            let made = std::process::Command::new("mkfifo")
                .arg(at("pipe.toml"))
                .status();
            assert!(made.unwrap().success());
        }
        let files = read_folder(folder.path()).unwrap();
        let answer = |name: &str| match &files[name] {
            Ok(text) => text.clone(),
            Err(error) => error.to_string(),
        };
        for (name, wanted) in [
            ("good", "text"),
            ("latin", "it is not UTF-8 text"),
            ("folder", "it is no regular file"),
            #[cfg(unix)]
            ("pipe", "it is no regular file"),
            #[cfg(unix)]
            ("dangling", "it cannot be read: "),
            #[cfg(unix)]
            ("link", "text"),
            ("Places", "`Places` cannot name a label set"),
            ("my places", "`my places` cannot name a label set"),
        ] {
            assert!(answer(name).starts_with(wanted), "{name}: {}", answer(name));
        }
        assert!(!files.contains_key(".hidden") && !files.contains_key("notes"));
        assert!(matches!(read_folder(&at("gone")), Err(TagError::Io { .. })));
        assert_eq!(read_file(&at("gone.toml")), Ok(None));
    }
}
