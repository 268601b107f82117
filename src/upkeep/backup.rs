//! Backups: one file that holds what cannot be made again, taken while all else goes on, and put back where there is no library.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::index;
use crate::store::{BackupFile, Store, StoreError};

/// Where label files lie in a backup.
const LABELS: &str = "labels/";

/// Where the journal of decisions lies in a backup.
const JOURNAL: &str = "decisions.jsonl";

/// What a backup is, and what an empty file is.
const DATABASE_MAGIC: &[u8] = b"SQLite format 3\0";

/// What was backed up or put back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupReport {
    /// Length of the backup.
    pub bytes: u64,
    /// Images in it.
    pub images: i64,
    /// Label files in it.
    pub label_files: usize,
    /// Where a database that could not be opened lies now.
    pub moved_aside: Option<PathBuf>,
    /// Files that were there and are kept as they are.
    pub kept: Vec<PathBuf>,
}

/// Writes a backup of the library to `file`, whole or not at all. `begun` hears where it grows, and how long it becomes at most.
pub fn back_up(
    store: &Store,
    labels: &Path,
    file: &Path,
    begun: impl FnOnce(&Path, u64),
) -> Result<BackupReport> {
    let name = || format!("failed to write `{}`", file.display());
    ensure!(
        may_be_replaced(file).with_context(name)?,
        "`{}` is there and no backup: name another file",
        file.display()
    );
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let temporary = NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).with_context(name)?;
    begun(temporary.path(), store.bytes()? as u64);
    let mut files = label_files(labels)?;
    let label_files = files.len();
    let journal = store.journal_path();
    if let Some(bytes) = read_if_there(&journal)? {
        let name = JOURNAL.to_owned();
        files.push(BackupFile { name, bytes });
    }
    store.back_up(temporary.path(), &files).with_context(name)?;
    let bytes = temporary.as_file().metadata().with_context(name)?.len();
    temporary.persist(file).with_context(name)?;
    Ok(BackupReport {
        bytes,
        images: store.image_count()?,
        label_files,
        ..BackupReport::default()
    })
}

/// An earlier backup may.
fn may_be_replaced(file: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    match fs::File::open(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        opened => opened?
            .take(DATABASE_MAGIC.len() as u64)
            .read_to_end(&mut start)?,
    };
    Ok(start.is_empty() || start == DATABASE_MAGIC)
}

fn label_files(labels: &Path) -> Result<Vec<BackupFile>> {
    let mut files = Vec::new();
    let entries = match fs::read_dir(labels) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(files),
        entries => entries.with_context(|| format!("failed to read `{}`", labels.display()))?,
    };
    for entry in entries.flatten() {
        let path = entry.path();
        // What is no text of a label set is none of ours.
        let is_label_file = path
            .extension()
            .is_some_and(|extension| extension == "toml");
        if let (Some(name), true, true) =
            (entry.file_name().to_str(), is_label_file, path.is_file())
            && let Some(bytes) = read_if_there(&path)?
        {
            let name = format!("{LABELS}{name}");
            files.push(BackupFile { name, bytes });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        bytes => {
            Ok(Some(bytes.with_context(|| {
                format!("failed to read `{}`", path.display())
            })?))
        }
    }
}

/// Puts a backup back as the library in `folder`, where there is none that can be opened. Label files and decisions that are there
/// stay as they are.
pub fn restore(file: &Path, folder: &Path, labels: &Path) -> Result<BackupReport> {
    let files = Store::check_backup(file)
        .with_context(|| format!("`{}` cannot be put back", file.display()))?;
    match Store::open_existing(folder) {
        Err(StoreError::NoLibrary(_) | StoreError::Lost { .. } | StoreError::Corrupt(_)) => {}
        Err(error) => return Err(error.into()),
        Ok(_) => bail!(
            "there is a library in `{}`: move it away, or put the backup elsewhere with --data-dir",
            folder.display()
        ),
    }
    let moved_aside = Store::restore(file, folder)?;
    // It belongs to what was there before, and may know images by the same numbers.
    index::remove(folder).context("failed to remove the index of what was there before")?;
    let mut report = BackupReport {
        bytes: fs::metadata(file)?.len(),
        moved_aside,
        ..BackupReport::default()
    };
    for BackupFile { name, bytes } in files {
        let label_file = name.strip_prefix(LABELS);
        report.label_files += usize::from(label_file.is_some());
        let place = match label_file {
            Some(label_file) => labels.join(plain_name(label_file)?),
            None => folder.join(plain_name(&name)?),
        };
        if place.exists() {
            if fs::read(&place).ok() != Some(bytes) {
                report.kept.push(place);
            }
            continue;
        }
        fs::create_dir_all(labels)?;
        fs::write(&place, bytes)
            .with_context(|| format!("failed to write `{}`", place.display()))?;
    }
    report.images = Store::open_existing(folder)?.image_count()?;
    Ok(report)
}

/// A backup that somebody else made leads nowhere else.
fn plain_name(name: &str) -> Result<&str> {
    let is_plain = Path::new(name).file_name().is_some_and(|file| file == name);
    ensure!(
        is_plain,
        "the backup holds a file named `{name}`, which pixdex does not write"
    );
    Ok(name)
}
