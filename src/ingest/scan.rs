//! The scan: what a folder holds against what the library knows of it. The comparison itself touches no disk.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use tracing::{debug, warn};
use walkdir::DirEntry;

use crate::decode;
use crate::formats::Format;
use crate::sidecar;
use crate::store::{FileStat, FileState, KnownFile, SeenFile, SidecarStamp};
use crate::watch::Walk;

/// Picture files at and below a folder.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<SeenFile>,
    /// What may lie beside them.
    pub(super) sidecars: HashMap<PathBuf, FileStat>,
    /// Folders and files that could not be looked at: nothing is known about what is there.
    pub(super) unreadable: Vec<PathBuf>,
    /// Folders, the one that was looked at among them, that lie on another file system than their root.
    pub(super) mounts: Vec<PathBuf>,
}

/// What must be done so that the library is what the folder is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) to_read: Vec<SeenFile>,
    /// Those whose rows are brought up to date without reading them.
    pub(super) to_note: Vec<SeenFile>,
    pub(super) gone: Vec<PathBuf>,
    /// Not there, and perhaps not deleted.
    pub(super) absent: Vec<PathBuf>,
    pub(super) unchanged: usize,
    /// Unchanged since they failed.
    pub(super) failed: usize,
}

/// By what is decided whether a file is read again.
#[derive(Debug, Clone)]
pub(super) struct ReadRules {
    /// Whose verdicts hold.
    pub(super) decoders: String,
    /// Seconds since 1970.
    pub(super) now_s: i64,
    /// Whether what waits is tried at once.
    pub(super) tries_waiting: bool,
}

/// By what is decided whether a file that is not there is deleted.
#[derive(Debug, Clone)]
pub(super) struct AbsenceRules {
    /// So many files gone at once are suspected to come back.
    pub(super) suspect_files: usize,
    /// Missed since then, in seconds since 1970, a file is gone.
    pub(super) believed_until_s: i64,
}

impl Found {
    fn add(&mut self, entry: &DirEntry, root_device: u64) {
        let path = entry.path();
        let is_folder = entry.file_type().is_dir();
        let is_picture = !is_folder && is_picture_name(path);
        if !is_folder && !is_picture && !sidecar::is_sidecar_name(path) {
            return;
        }
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // Gone between listing and looking: as if it had not been listed.
            Err(error) if is_not_found(error.io_error()) => return,
            Err(error) => return self.miss(&error),
        };
        let is_mounted = device(&metadata) != root_device;
        if is_folder {
            self.mounts.extend(is_mounted.then(|| path.to_owned()));
        } else if is_picture {
            self.files.push(SeenFile {
                path: path.to_owned(),
                stat: FileStat::of(&metadata),
                is_mounted,
            });
        } else {
            let stat = FileStat::of(&metadata);
            self.sidecars.insert(path.to_owned(), stat);
        }
    }

    /// Where a path was and nothing is any more.
    pub(super) fn nothing_at(path: &Path, root_device: u64) -> Found {
        let mut ancestors = path.ancestors();
        let above = ancestors.find_map(|folder| std::fs::symlink_metadata(folder).ok());
        let is_mounted = above.is_some_and(|folder| device(&folder) != root_device);
        Found {
            mounts: is_mounted.then(|| path.to_owned()).into_iter().collect(),
            ..Found::default()
        }
    }

    fn miss(&mut self, error: &walkdir::Error) {
        // One line is enough for a tree that is closed as a whole.
        if self.unreadable.is_empty() {
            warn!(%error, "cannot look into a folder, what is in it stays");
        } else {
            debug!(%error, "cannot look into a folder");
        }
        self.unreadable.extend(error.path().map(Path::to_owned));
    }

    /// Whether a path that is not there would lie on another file system than its root.
    fn is_mounted(&self, path: &Path) -> bool {
        self.mounts.iter().any(|mount| path.starts_with(mount))
    }

    fn is_knowable(&self, path: &Path) -> bool {
        let mut unreadable = self.unreadable.iter();
        !unreadable.any(|folder| path.starts_with(folder))
    }
}

/// Looks at every entry below a folder of a root on this device, without opening files.
pub(super) fn find(folder: &Path, walk: &Walk, root_device: u64) -> Found {
    let mut found = Found::default();
    for entry in walk.entries(folder) {
        match entry {
            Ok(entry) if entry.file_type().is_symlink() => {}
            Ok(entry) => found.add(&entry, root_device),
            Err(error) => found.miss(&error),
        }
    }
    found
}

fn is_not_found(error: Option<&io::Error>) -> bool {
    error.is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// The number of the file system that something lies on; 0 where there are none.
#[cfg(unix)]
pub(super) fn device(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::dev(metadata)
}

#[cfg(not(unix))]
pub(super) fn device(_: &Metadata) -> u64 {
    0
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

impl ReadRules {
    /// Whether a file must be read, being as `stat` says and its sidecars as `stamp` says.
    pub(super) fn must_read(
        &self,
        stat: &FileStat,
        stamp: &SidecarStamp,
        known: Option<&KnownFile>,
    ) -> bool {
        let Some(known) = known else { return true };
        if let Some(waiting) = &known.waiting {
            return self.tries_waiting
                || waiting.next_try_at <= self.now_s
                || !waiting.stat.is_like(stat);
        }
        if !known.stat.is_like(stat) {
            return true;
        }
        match known.state {
            FileState::Indexed | FileState::Offline => {
                let is_beside = |before: &SidecarStamp| before.is_like(stamp);
                !known.is_embedded
                    || known.read_by != decode::READERS
                    || !known.sidecars.as_ref().is_some_and(is_beside)
            }
            FileState::Failed => known.decoders.as_ref() != Some(&self.decoders),
            FileState::Pending | FileState::Gone => true,
        }
    }
}

/// Compares what was found with what is known.
pub(super) fn plan(
    found: &Found,
    mut known: HashMap<PathBuf, KnownFile>,
    read: &ReadRules,
    absence: &AbsenceRules,
) -> Plan {
    let mut plan = Plan::default();
    for file in &found.files {
        let known = known.remove(&file.path);
        let stamp = sidecar::stamp_among(&file.path, |name| found.sidecars.get(name).copied());
        if read.must_read(&file.stat, &stamp, known.as_ref()) {
            plan.to_read.push(file.clone());
            continue;
        }
        if known.as_ref().is_some_and(|known| is_news(file, known)) {
            plan.to_note.push(file.clone());
        }
        match known.map(|known| (known.state, known.waiting)) {
            Some((FileState::Failed, _)) => plan.failed += 1,
            Some((_, Some(_))) => {}
            _ => plan.unchanged += 1,
        }
    }
    (plan.gone, plan.absent) = missing(found, known, absence);
    plan
}

/// Whether the row of a file that need not be read says something else than what was seen.
fn is_news(file: &SeenFile, known: &KnownFile) -> bool {
    known.state == FileState::Offline
        || known.is_mounted != file.is_mounted
        || known.waiting.is_none() && known.stat != file.stat
}

/// Those of the known files that are taken to be deleted, and those that may come back: they lay on a drive that is not where it
/// was, or are too many to be gone at once.
fn missing(
    found: &Found,
    known: HashMap<PathBuf, KnownFile>,
    rules: &AbsenceRules,
) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let knowable = known
        .into_iter()
        .filter(|(path, _)| found.is_knowable(path));
    let (elsewhere, here): (Vec<_>, Vec<_>) =
        knowable.partition(|(path, file)| file.is_mounted != found.is_mounted(path));
    let (suspected, mut gone) = if here.len() >= rules.suspect_files {
        ([elsewhere, here].concat(), Vec::new())
    } else {
        (elsewhere, here)
    };
    let is_believed = |since: i64| since > rules.believed_until_s;
    let (absent, overdue): (Vec<_>, Vec<_>) = suspected
        .into_iter()
        .partition(|(_, file)| file.absent_since.is_none_or(is_believed));
    gone.extend(overdue);
    let sorted = |files: Vec<(PathBuf, KnownFile)>| {
        let mut paths: Vec<PathBuf> = files.into_iter().map(|(path, _)| path).collect();
        paths.sort();
        paths
    };
    (sorted(gone), sorted(absent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Waiting;

    const NOW_S: i64 = 1_000_000;

    fn changed(modified_ns: i64) -> FileStat {
        FileStat {
            size_bytes: 1,
            modified_ns,
            changed_ns: 1,
            inode: 1,
        }
    }

    fn known(state: FileState, is_embedded: bool) -> KnownFile {
        KnownFile {
            stat: changed(1),
            state,
            sidecars: Some(SidecarStamp::of([None; 2])),
            is_embedded,
            decoders: Some("mine".to_owned()),
            read_by: decode::READERS,
            is_mounted: false,
            absent_since: None,
            waiting: None,
        }
    }

    fn waiting(next_try_at: i64, stat: FileStat) -> KnownFile {
        KnownFile {
            waiting: Some(Waiting {
                reason: String::new(),
                attempts: 1,
                next_try_at,
                stat,
            }),
            ..known(FileState::Indexed, true)
        }
    }

    fn found(names: &[(&str, i64)]) -> Found {
        let file = |(name, time): &(&str, i64)| SeenFile {
            path: PathBuf::from(name),
            stat: changed(*time),
            is_mounted: false,
        };
        Found {
            files: names.iter().map(file).collect(),
            ..Found::default()
        }
    }

    fn compared(found: &Found, library: HashMap<PathBuf, KnownFile>) -> Plan {
        let read = ReadRules {
            decoders: "mine".to_owned(),
            now_s: NOW_S,
            tries_waiting: false,
        };
        let absence = AbsenceRules {
            suspect_files: 3,
            believed_until_s: NOW_S - 100,
        };
        plan(found, library, &read, &absence)
    }

    fn names(files: &[SeenFile]) -> Vec<&str> {
        files
            .iter()
            .map(|file| file.path.to_str().unwrap())
            .collect()
    }

    #[test]
    fn only_what_changed_is_read() {
        let of_others = KnownFile {
            decoders: Some("other".to_owned()),
            ..known(FileState::Failed, false)
        };
        let of_other_readers = KnownFile {
            read_by: 0,
            ..known(FileState::Indexed, true)
        };
        let library = HashMap::from([
            ("/a/read-by-others".into(), of_other_readers),
            ("/a/same".into(), known(FileState::Indexed, true)),
            ("/a/changed".into(), known(FileState::Indexed, true)),
            ("/a/other-model".into(), known(FileState::Indexed, false)),
            ("/a/bad".into(), known(FileState::Failed, false)),
            ("/a/bad-for-others".into(), of_others),
            ("/a/killed".into(), known(FileState::Pending, false)),
            ("/a/later".into(), waiting(NOW_S + 1, changed(1))),
            ("/a/due".into(), waiting(NOW_S, changed(1))),
            ("/a/mended".into(), waiting(NOW_S + 1, changed(0))),
            ("/a/deleted".into(), known(FileState::Indexed, true)),
        ]);
        let folder = [
            ("/a/read-by-others", 1),
            ("/a/same", 1),
            ("/a/changed", 2),
            ("/a/other-model", 1),
            ("/a/bad", 1),
            ("/a/bad-for-others", 1),
            ("/a/killed", 1),
            ("/a/new", 1),
            ("/a/later", 1),
            ("/a/due", 1),
            ("/a/mended", 1),
        ];
        let plan = compared(&found(&folder), library);
        assert_eq!(
            names(&plan.to_read),
            [
                "/a/read-by-others",
                "/a/changed",
                "/a/other-model",
                "/a/bad-for-others",
                "/a/killed",
                "/a/new",
                "/a/due",
                "/a/mended"
            ]
        );
        assert_eq!(plan.gone, [PathBuf::from("/a/deleted")]);
        assert_eq!((plan.unchanged, plan.failed), (1, 1));
    }

    #[test]
    fn what_is_back_or_was_not_known_is_noted_and_not_read() {
        let of_old_library = KnownFile {
            stat: FileStat {
                changed_ns: 0,
                ..changed(1)
            },
            ..known(FileState::Indexed, true)
        };
        let library = HashMap::from([
            ("/a/back".into(), known(FileState::Offline, true)),
            ("/a/old".into(), of_old_library),
            ("/a/same".into(), known(FileState::Indexed, true)),
        ]);
        let plan = compared(
            &found(&[("/a/back", 1), ("/a/old", 1), ("/a/same", 1)]),
            library,
        );
        assert_eq!(names(&plan.to_note), ["/a/back", "/a/old"]);
        assert!(plan.to_read.is_empty());
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
        let all = [
            "/a/same.jpg",
            "/a/changed.jpg",
            "/a/gone.jpg",
            "/a/new.jpg",
            "/a/bad.jpg",
        ];
        let sidecars = all.iter().filter(|name| **name != "/a/gone.jpg");
        let found = Found {
            sidecars: sidecars
                .map(|name| (format!("{name}.xmp").into(), changed(1)))
                .collect(),
            ..found(&all.map(|name| (name, 1)))
        };
        let plan = compared(&found, library);
        assert_eq!(
            names(&plan.to_read),
            ["/a/changed.jpg", "/a/gone.jpg", "/a/new.jpg"]
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
        assert_eq!(compared(&found, library), Plan::default());
    }

    #[test]
    fn what_lay_on_a_drive_that_is_away_or_is_covered_by_one_is_absent() {
        let on_drive = KnownFile {
            is_mounted: true,
            ..known(FileState::Indexed, true)
        };
        let overdue = KnownFile {
            absent_since: Some(NOW_S - 101),
            ..on_drive.clone()
        };
        let library = HashMap::from([
            ("/a/drive/x".into(), on_drive.clone()),
            ("/a/drive/overdue".into(), overdue),
            ("/a/other/deleted".into(), on_drive),
            ("/a/other/covered".into(), known(FileState::Indexed, true)),
            ("/a/deleted".into(), known(FileState::Indexed, true)),
        ]);
        let found = Found {
            mounts: vec!["/a/other".into()],
            ..Found::default()
        };
        let plan = compared(&found, library);
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(plan.absent, paths(&["/a/drive/x", "/a/other/covered"]));
        assert_eq!(
            plan.gone,
            paths(&["/a/deleted", "/a/drive/overdue", "/a/other/deleted"])
        );
    }

    #[test]
    fn many_that_are_gone_at_once_are_absent() {
        let library = |names: &[&str]| {
            let known = |name: &&str| (PathBuf::from(name), known(FileState::Indexed, true));
            names.iter().map(known).collect::<HashMap<_, _>>()
        };
        let two = compared(&Found::default(), library(&["/a/1", "/a/2"]));
        assert_eq!((two.gone.len(), two.absent.len()), (2, 0));
        let three = compared(&Found::default(), library(&["/a/1", "/a/2", "/a/3"]));
        assert_eq!((three.gone.len(), three.absent.len()), (0, 3));
    }

    #[test]
    fn pictures_are_told_by_their_ending() {
        assert!(is_picture_name(Path::new("/a/IMG_1.JPG")) && is_picture_name(Path::new("x.webp")));
        assert!(
            !is_picture_name(Path::new("/a/notes.txt")) && !is_picture_name(Path::new("/a/jpg"))
        );
    }
}
