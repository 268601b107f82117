//! The scan: what a folder holds against what the library knows of it. The comparison itself touches no disk.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use tracing::warn;
use walkdir::DirEntry;

use crate::formats::Format;
use crate::sidecar;
use crate::store::{FileStat, FileState, KnownFile, SidecarStamp};
use crate::watch;

/// Picture files at and below a folder.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<(PathBuf, FileStat)>,
    /// What may lie beside them.
    pub(super) sidecars: HashMap<PathBuf, FileStat>,
    /// Folders that could not be read: nothing is known about what is in them.
    pub(super) unreadable: Vec<PathBuf>,
}

/// What must be done so that the library is what the folder is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) to_read: Vec<(PathBuf, FileStat)>,
    pub(super) gone: Vec<PathBuf>,
    pub(super) unchanged: usize,
    /// Unchanged since they failed.
    pub(super) failed: usize,
}

impl Found {
    fn add(&mut self, entry: &DirEntry) {
        let path = entry.path();
        let is_picture = is_picture_name(path);
        if !is_picture && !sidecar::is_sidecar_name(path) {
            return;
        }
        // Gone between listing and looking: as if it had not been listed.
        let Ok(stat) = entry.metadata().map(|metadata| FileStat::of(&metadata)) else {
            return;
        };
        if is_picture {
            self.files.push((path.to_owned(), stat));
        } else {
            self.sidecars.insert(path.to_owned(), stat);
        }
    }
}

/// Looks at every entry below a folder, without opening files.
pub(super) fn find(folder: &Path, exclude: &HashSet<String>) -> Found {
    let mut found = Found::default();
    for entry in watch::walk(folder, exclude) {
        match entry {
            Ok(entry) if entry.file_type().is_file() => found.add(&entry),
            Ok(_) => {}
            Err(error) => {
                warn!(%error, "cannot look into a folder");
                found.unreadable.extend(error.path().map(Path::to_owned));
            }
        }
    }
    found
}

/// What a path looks like now.
pub(super) fn stat(path: &Path) -> Option<FileStat> {
    std::fs::symlink_metadata(path)
        .ok()
        .map(|metadata| FileStat::of(&metadata))
}

/// Whether anything is in a folder.
pub(super) fn has_entries(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// Whether a file of this name is worth opening.
pub(super) fn is_picture_name(path: &Path) -> bool {
    Format::of_path(path).is_some()
}

/// Whether a file must be read, being as `stat` says and its sidecars as `stamp` says.
pub(super) fn must_read(stat: FileStat, stamp: &SidecarStamp, known: Option<&KnownFile>) -> bool {
    known.is_none_or(|known| match known.state {
        _ if known.stat != stat => true,
        FileState::Indexed | FileState::Offline => {
            !known.is_embedded || known.sidecars.as_ref() != Some(stamp)
        }
        FileState::Failed => false,
        FileState::Pending | FileState::Gone => true,
    })
}

/// Compares what was found with what is known.
pub(super) fn plan(found: Found, mut known: HashMap<PathBuf, KnownFile>) -> Plan {
    let mut plan = Plan::default();
    for (path, stat) in found.files {
        let known = known.remove(&path);
        let stamp = sidecar::stamp_among(&path, |name| found.sidecars.get(name).copied());
        if must_read(stat, &stamp, known.as_ref()) {
            plan.to_read.push((path, stat));
        } else if known.is_some_and(|known| known.state == FileState::Failed) {
            plan.failed += 1;
        } else {
            plan.unchanged += 1;
        }
    }
    let is_unknowable = |path: &PathBuf| {
        found
            .unreadable
            .iter()
            .any(|folder| path.starts_with(folder))
    };
    plan.gone = known
        .into_keys()
        .filter(|path| !is_unknowable(path))
        .collect();
    plan.gone.sort();
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(modified_ns: i64) -> FileStat {
        FileStat {
            size_bytes: 1,
            modified_ns,
            inode: 1,
        }
    }

    fn known(state: FileState, is_embedded: bool) -> KnownFile {
        KnownFile {
            stat: changed(1),
            state,
            sidecars: Some(SidecarStamp::of([None; 2])),
            is_embedded,
        }
    }

    fn found(names: &[(&str, i64)]) -> Found {
        let files = names
            .iter()
            .map(|(name, time)| (PathBuf::from(name), changed(*time)))
            .collect();
        Found {
            files,
            ..Found::default()
        }
    }

    #[test]
    fn only_what_changed_is_read() {
        let library = HashMap::from([
            ("/a/same".into(), known(FileState::Indexed, true)),
            ("/a/changed".into(), known(FileState::Indexed, true)),
            ("/a/other-model".into(), known(FileState::Indexed, false)),
            ("/a/bad".into(), known(FileState::Failed, false)),
            ("/a/killed".into(), known(FileState::Pending, false)),
            ("/a/deleted".into(), known(FileState::Indexed, true)),
        ]);
        let folder = [
            ("/a/same", 1),
            ("/a/changed", 2),
            ("/a/other-model", 1),
            ("/a/bad", 1),
            ("/a/killed", 1),
            ("/a/new", 1),
        ];
        let plan = plan(found(&folder), library);
        let names: Vec<_> = plan
            .to_read
            .iter()
            .map(|(path, _)| path.to_str().unwrap())
            .collect();
        assert_eq!(
            names,
            ["/a/changed", "/a/other-model", "/a/killed", "/a/new"]
        );
        assert_eq!(plan.gone, [PathBuf::from("/a/deleted")]);
        assert_eq!((plan.unchanged, plan.failed), (1, 1));
    }

    #[test]
    fn a_picture_is_read_again_when_its_sidecar_comes_changes_or_goes() {
        let beside = |stat| SidecarStamp::of([stat, None]);
        let was = |state, time: Option<i64>| KnownFile {
            sidecars: Some(beside(time.map(changed))),
            ..known(state, true)
        };
        let library = HashMap::from([
            ("/a/same.jpg".into(), was(FileState::Indexed, Some(1))),
            ("/a/changed.jpg".into(), was(FileState::Indexed, Some(2))),
            ("/a/gone.jpg".into(), was(FileState::Indexed, Some(1))),
            ("/a/new.jpg".into(), was(FileState::Indexed, None)),
            ("/a/bad.jpg".into(), was(FileState::Failed, None)),
        ]);
        let names = [
            "/a/same.jpg",
            "/a/changed.jpg",
            "/a/gone.jpg",
            "/a/new.jpg",
            "/a/bad.jpg",
        ];
        let sidecars = names.iter().filter(|name| **name != "/a/gone.jpg");
        let found = Found {
            sidecars: sidecars
                .map(|name| (format!("{name}.xmp").into(), changed(1)))
                .collect(),
            ..found(&names.map(|name| (name, 1)))
        };
        let plan = plan(found, library);
        let to_read: Vec<_> = plan.to_read.iter().map(|(path, _)| path.clone()).collect();
        assert_eq!(
            to_read,
            ["/a/changed.jpg", "/a/gone.jpg", "/a/new.jpg"].map(PathBuf::from)
        );
        assert_eq!((plan.unchanged, plan.failed), (1, 1));
    }

    #[test]
    fn what_an_unreadable_folder_holds_is_not_gone() {
        let library = HashMap::from([("/a/locked/x".into(), known(FileState::Indexed, true))]);
        let found = Found {
            unreadable: vec!["/a/locked".into()],
            ..Found::default()
        };
        assert_eq!(plan(found, library), Plan::default());
    }

    #[test]
    fn pictures_are_told_by_their_ending() {
        assert!(is_picture_name(Path::new("/a/IMG_1.JPG")) && is_picture_name(Path::new("x.webp")));
        assert!(
            !is_picture_name(Path::new("/a/notes.txt")) && !is_picture_name(Path::new("/a/jpg"))
        );
    }
}
