//! One repository's place in the cache: `blobs/` hold the content, `snapshots/<commit>/` links to it by file name, `refs/`
//! say at which commit a branch was last seen.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use hf_hub::{Cache, CacheRepo, Repo, RepoType};

use super::HubSettings;
use crate::model::{
    HubError, ModelError,
    folder::{self, Located},
    source::is_plain,
};

/// A revision of a repository, as the cache has it.
pub(super) struct RepoCache {
    pub(super) repo: String,
    pub(super) revision: String,
    /// hf-hub's view of the same.
    layout: CacheRepo,
    root: PathBuf,
}

impl RepoCache {
    pub(super) fn new(settings: &HubSettings, repo: &str, revision: Option<&str>) -> Self {
        let revision = revision.unwrap_or("main").to_owned();
        let layout = Repo::with_revision(repo.to_owned(), RepoType::Model, revision.clone());
        let root = settings.cache_dir.join(layout.folder_name());
        Self {
            repo: repo.to_owned(),
            revision,
            layout: Cache::new(settings.cache_dir.clone()).repo(layout),
            root,
        }
    }

    /// The same repository at another revision.
    pub(super) fn at(&self, settings: &HubSettings, revision: &str) -> Self {
        Self::new(settings, &self.repo, Some(revision))
    }

    /// The model at this revision, where all its files are there.
    pub(super) fn cached(&self) -> Option<Located> {
        self.located(&self.commit()?).ok()
    }

    /// The model at a commit.
    pub(super) fn located(&self, commit: &str) -> Result<Located, ModelError> {
        folder::locate(&self.snapshot(commit), &self.weights_folder(commit))
    }

    /// Python writes no reference for a commit, so hf-hub would not find one that was asked for by its hash.
    fn commit(&self) -> Option<String> {
        if is_commit(&self.revision) {
            return Some(self.revision.clone());
        }
        let reference = self.root.join("refs").join(&self.revision);
        let commit = fs::read_to_string(reference).ok()?.trim().to_owned();
        is_plain(&commit).then_some(commit)
    }

    fn snapshot(&self, commit: &str) -> PathBuf {
        self.layout.pointer_path(commit)
    }

    fn weights_folder(&self, commit: &str) -> PathBuf {
        let converted = fs::read_to_string(self.conversion_note(commit))
            .ok()
            .filter(|commit| is_plain(commit));
        self.snapshot(converted.as_deref().unwrap_or(commit))
    }

    /// Says at which commit the safetensors of `commit` lie. Beside the folders that Python knows, so that each of its
    /// snapshots holds only what that commit holds.
    fn conversion_note(&self, commit: &str) -> PathBuf {
        self.root.join("conversions").join(commit)
    }

    pub(super) fn note_conversion(&self, commit: &str, converted: &str) -> Result<(), HubError> {
        let note = self.conversion_note(commit);
        let written = create_parent(&note).and_then(|()| fs::write(&note, converted));
        written.map_err(|source| HubError::write(&note, source))
    }

    /// Where the content with this `ETag` belongs, in a folder that exists.
    pub(super) fn blob(&self, etag: &str) -> Result<PathBuf, HubError> {
        let blob = if is_plain(etag) {
            self.layout.blob_path(etag)
        } else {
            // Mirrors send tags with signs that no file name may have.
            self.layout
                .blob_path(blake3::hash(etag.as_bytes()).to_hex().as_str())
        };
        create_parent(&blob).map_err(|source| HubError::write(&blob, source))?;
        Ok(blob)
    }

    /// Makes `file` of the commit's snapshot lead to its content.
    pub(super) fn link(&self, commit: &str, file: &str, blob: &Path) -> Result<PathBuf, HubError> {
        let pointer = self.snapshot(commit).join(file);
        let leads_there = fs::canonicalize(&pointer).ok() == fs::canonicalize(blob).ok();
        if !leads_there {
            renew_link(&pointer, blob).map_err(|source| HubError::write(&pointer, source))?;
        }
        Ok(pointer)
    }

    /// Remembers where the revision stands, once all of the commit's files are there.
    pub(super) fn remember(&self, commit: &str) -> Result<(), HubError> {
        if is_commit(&self.revision) {
            return Ok(());
        }
        self.layout
            .create_ref(commit)
            .map_err(|source| HubError::write(&self.root, source))
    }
}

fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn create_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn renew_link(pointer: &Path, blob: &Path) -> io::Result<()> {
    create_parent(pointer)?;
    match fs::remove_file(pointer) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    // A file system without links gets a copy, as from Python.
    symlink(pointer, blob).or_else(|_| fs::copy(blob, pointer).map(drop))
}

/// Relative, so that the cache can be moved.
#[cfg(unix)]
fn symlink(pointer: &Path, blob: &Path) -> io::Result<()> {
    let name = blob.file_name().unwrap_or_default();
    std::os::unix::fs::symlink(Path::new("../../blobs").join(name), pointer)
}

#[cfg(not(unix))]
fn symlink(_pointer: &Path, _blob: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings(cache_dir: &Path) -> HubSettings {
        HubSettings {
            endpoint: "http://127.0.0.1:9".to_owned(),
            cache_dir: cache_dir.to_owned(),
            token: None,
            timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn a_snapshot_counts_once_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let settings = settings(folder.path());
        let [main, pinned] =
            [None, Some(commit)].map(|revision| RepoCache::new(&settings, "a/b", revision));
        let root = folder.path().join("models--a--b");
        fs::create_dir_all(root.join("refs")).unwrap();
        fs::create_dir_all(root.join("snapshots").join(commit)).unwrap();
        fs::write(root.join("refs/main"), commit).unwrap();
        for file in [
            "config.json",
            "preprocessor_config.json",
            "vocab.json",
            "merges.txt",
            "pytorch_model.bin",
        ] {
            assert!(
                main.cached().is_none() && pinned.cached().is_none(),
                "before {file}"
            );
            fs::write(root.join("snapshots").join(commit).join(file), "").unwrap();
        }
        assert!(main.cached().is_some() && pinned.cached().is_some());
    }

    #[test]
    fn odd_tags_cannot_leave_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let cache = RepoCache::new(&settings(folder.path()), "a/b", None);
        for etag in ["../../../etc/passwd", "W/x", "", ".."] {
            let blob = cache.blob(etag).unwrap();
            assert_eq!(
                blob.parent().unwrap(),
                folder.path().join("models--a--b/blobs"),
                "{etag}"
            );
            assert_eq!(blob.file_name().unwrap().len(), 64);
        }
    }
}
