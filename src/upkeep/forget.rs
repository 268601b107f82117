//! Forgetting: what is not there, or not watched any more, goes at once where its owner says so.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::purge::sweep_thumbnails;
use crate::stop::Stop;
use crate::store::{FileState, ForgettableFile, ImageId, Root, Store, StoreError};

/// What was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForgetReport {
    /// Files.
    pub files: usize,
    /// Images that only they held.
    pub images: usize,
    /// Thumbnails of images that are not in the library.
    pub thumbnails: usize,
    /// Folders of earlier runs.
    pub folders: usize,
    /// Files that stay: they are there, in a folder that is watched.
    pub kept: usize,
}

/// Why nothing is forgotten.
#[derive(Debug, Error)]
pub enum ForgetError {
    /// Neither a folder of a run nor a file in one.
    #[error("the library knows nothing at or below `{0}`: `pixdex roots` lists its folders")]
    Unknown(PathBuf),
    /// It would be found again at once.
    #[error(
        "`{0}` is there and watched, and would be found again: delete it, or start `pixdex serve` with the folders that are to \
         stay"
    )]
    Watched(PathBuf),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes what is not there, or not watched any more, at and below `path` out of the library in `folder`, with what belongs to it.
/// Returns the images that it has no more, too.
pub fn forget(
    store: &Store,
    folder: &Path,
    path: &Path,
    stop: &Stop,
) -> Result<(ForgetReport, Vec<ImageId>), ForgetError> {
    let path = &plain(path);
    let files = store.files_at(path)?;
    let roots = store.roots()?;
    let mut roots = roots.iter().filter(|root| root.path.starts_with(path));
    if files.is_empty() && roots.clone().next().is_none() {
        return Err(ForgetError::Unknown(path.clone()));
    }
    let all = files.len();
    let absent: Vec<ForgettableFile> = files.into_iter().filter(is_forgettable).collect();
    if absent.is_empty() && roots.all(Root::is_named) {
        return Err(ForgetError::Watched(path.clone()));
    }
    let kept = all - absent.len();
    let (files, images) = store.forget_files(&absent)?;
    let report = ForgetReport {
        files,
        images: images.len(),
        thumbnails: sweep_thumbnails(store, folder, stop)?,
        folders: store.forget_roots(path)?,
        kept,
    };
    store.shrink(|| !stop.is_asked())?;
    Ok((report, images))
}

/// What is watched must be known not to be there: a folder that cannot be looked into may hold it.
fn is_forgettable(file: &ForgettableFile) -> bool {
    let is_absent = || {
        std::fs::symlink_metadata(&file.path).is_err_and(|error| {
            matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        })
    };
    !file.is_watched || file.state == FileState::Gone || is_absent()
}

/// As paths are kept: without `.` and a `/` at the end.
fn plain(path: &Path) -> PathBuf {
    let parts = path.components();
    parts.filter(|part| *part != Component::CurDir).collect()
}
