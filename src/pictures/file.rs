//! The one door to originals: opens the very file that was looked at, or says why there is none.
//!
//! A path only says where a picture was. By the time it is opened it may be a link to anything, a pipe that nobody writes, or
//! another file; whoever opens it otherwise hands out what its owner never named, or waits for ever.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use thiserror::Error;

/// What a file looks like from outside; a difference means that it must be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// Length.
    pub size_bytes: i64,
    /// Time of the last change of its bytes, nanoseconds since 1970.
    pub modified_ns: i64,
    /// Time of the last change of anything about it, its permissions and its times included; nobody can set it. 0 where it is
    /// not known.
    pub changed_ns: i64,
    /// The file system's number; 0 where there is none.
    pub inode: i64,
}

impl FileStat {
    /// Reads it off what the file system says.
    pub fn of(metadata: &Metadata) -> FileStat {
        let modified = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        FileStat {
            size_bytes: metadata.len() as i64,
            modified_ns: modified.map_or(0, |age| age.as_nanos() as i64),
            changed_ns: changed_ns(metadata),
            inode: inode(metadata),
        }
    }

    /// Whether two looks saw the same: what one of them does not know tells them not apart.
    pub fn is_like(&self, other: &FileStat) -> bool {
        let knows = |stat: &FileStat| stat.changed_ns != 0;
        let is_time_like = self.changed_ns == other.changed_ns || !knows(self) || !knows(other);
        let without = |stat: &FileStat| (stat.size_bytes, stat.modified_ns, stat.inode);
        is_time_like && without(self) == without(other)
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> i64 {
    std::os::unix::fs::MetadataExt::ino(metadata) as i64
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> i64 {
    0
}

#[cfg(unix)]
fn changed_ns(metadata: &Metadata) -> i64 {
    use std::os::unix::fs::MetadataExt;
    metadata
        .ctime()
        .saturating_mul(1_000_000_000)
        .saturating_add(metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn changed_ns(_: &Metadata) -> i64 {
    0
}

/// A file below a watched folder, as it was when it was looked at.
#[derive(Debug, Clone)]
pub struct OriginalFile {
    /// The watched folder.
    pub root: PathBuf,
    /// The file, below it.
    pub path: PathBuf,
    /// What it looked like.
    pub stat: FileStat,
}

/// Why an original is not opened. The text is shown to people.
#[derive(Debug, Error)]
pub enum FileError {
    /// Nothing is at its path, or what is there is no file: a link, a folder, a pipe.
    #[error("it is not there any more")]
    Gone,
    /// Another file is there, or the file has changed.
    #[error("it has changed since it was last looked at")]
    Changed,
    /// The disk, or whoever owns the file, does not give its bytes.
    #[error("it cannot be read: {0}")]
    Io(io::Error),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> FileError {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileError::Gone,
            _ if is_link(&error) => FileError::Gone,
            _ => FileError::Io(error),
        }
    }
}

/// Whether a link lies where none is followed.
#[cfg(unix)]
fn is_link(error: &io::Error) -> bool {
    let link = rustix::io::Errno::LOOP.raw_os_error();
    error.raw_os_error() == Some(link)
}

#[cfg(not(unix))]
fn is_link(_: &io::Error) -> bool {
    false
}

impl OriginalFile {
    /// Opens the very file. Links on the way to it are only followed where its owner wants that.
    pub fn open(&self, follows_links: bool) -> Result<File, FileError> {
        let file = if follows_links {
            open_following(&self.path)
        } else {
            open_below(&self.root, &self.path)
        }?;
        self.check(&file)?;
        Ok(file)
    }

    /// Its bytes, if they are those of one moment: a file that is written meanwhile gives none.
    pub fn read(&self, file: &File) -> Result<Vec<u8>, FileError> {
        let bytes = read_whole(file, self.stat.size_bytes as u64)?;
        self.check(file)?;
        if bytes.len() as i64 == self.stat.size_bytes {
            Ok(bytes)
        } else {
            Err(FileError::Changed)
        }
    }

    /// Fails where this is not the file that was looked at, or not any more.
    pub(super) fn check(&self, file: &File) -> Result<(), FileError> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            Err(FileError::Gone)
        } else if self.stat.is_like(&FileStat::of(&metadata)) {
            Ok(())
        } else {
            Err(FileError::Changed)
        }
    }
}

/// The bytes of a file of this length, and one more where it has become longer.
pub(super) fn read_whole(file: &File, size_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size_bytes as usize);
    file.take(size_bytes + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a file that its owner named, wherever it lies, and tells its length in bytes.
pub(super) fn open_anywhere(path: &Path) -> io::Result<(File, u64)> {
    let file = open_following(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok((file, metadata.len()))
    } else {
        Err(io::Error::other("it is no regular file"))
    }
}

/// Opens a regular file, and not what a link in its place leads to.
pub(crate) fn open_regular(path: &Path) -> Result<(File, Metadata), FileError> {
    let file = open_unlinked(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok((file, metadata))
    } else {
        Err(FileError::Gone)
    }
}

#[cfg(unix)]
fn open_unlinked(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    Ok(open(path, unix::FILE | OFlags::NOFOLLOW, Mode::empty())?.into())
}

#[cfg(not(unix))]
fn open_unlinked(path: &Path) -> io::Result<File> {
    if std::fs::symlink_metadata(path)?.is_file() {
        File::open(path)
    } else {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// Goes where links lead; never waits for somebody to write into it.
#[cfg(unix)]
fn open_following(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, open};
    Ok(open(path, unix::FILE, Mode::empty())?.into())
}

/// Opens a file below a folder, one part of its path after the other and none of them a link: so no link that is put in the way
/// leads out of the folder, whenever that happens.
#[cfg(unix)]
fn open_below(root: &Path, path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open, openat};
    let inside = path
        .strip_prefix(root)
        .map_err(|_| io::Error::from(io::ErrorKind::NotFound))?;
    let mut opened = open(root, unix::FOLDER, Mode::empty())?;
    let mut parts = inside.components().peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let flags = if is_last { unix::FILE } else { unix::FOLDER };
        let flags = flags | OFlags::NOFOLLOW;
        opened = openat(&opened, part.as_os_str(), flags, Mode::empty())?;
    }
    Ok(opened.into())
}

#[cfg(unix)]
mod unix {
    use rustix::fs::OFlags;

    pub(super) const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

    /// A pipe opens at once, and is then found to be none of ours.
    pub(super) const FILE: OFlags = OFlags::NONBLOCK
        .union(OFlags::NOCTTY)
        .union(OFlags::CLOEXEC);
}

#[cfg(not(unix))]
fn open_following(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(not(unix))]
fn open_below(root: &Path, path: &Path) -> io::Result<File> {
    let is_below = path.canonicalize()?.starts_with(root.canonicalize()?);
    if is_below {
        File::open(path)
    } else {
        Err(io::ErrorKind::NotFound.into())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    struct Case {
        _folder: tempfile::TempDir,
        root: PathBuf,
        path: PathBuf,
    }

    fn case() -> Case {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        let path = root.join("sub/a.jpg");
        fs::write(&path, "bytes!").unwrap();
        Case {
            _folder: folder,
            root,
            path,
        }
    }

    impl Case {
        fn original(&self) -> OriginalFile {
            OriginalFile {
                root: self.root.clone(),
                path: self.path.clone(),
                stat: FileStat::of(&fs::symlink_metadata(&self.path).unwrap()),
            }
        }
    }

    fn read(original: &OriginalFile) -> Result<Vec<u8>, FileError> {
        let file = original.open(false)?;
        original.read(&file)
    }

    #[test]
    fn only_the_file_that_was_looked_at_is_opened() {
        let case = case();
        let original = case.original();
        assert_eq!(read(&original).unwrap(), b"bytes!");
        let older = OriginalFile {
            stat: FileStat {
                changed_ns: 0,
                ..original.stat
            },
            ..original.clone()
        };
        assert_eq!(read(&older).unwrap(), b"bytes!");

        // Only its permissions change, and then only its bytes, with length and time kept.
        fs::set_permissions(&case.path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&original), Err(FileError::Changed)));
        let original = case.original();
        let modified = fs::metadata(&case.path).unwrap().modified().unwrap();
        fs::write(&case.path, "other!").unwrap();
        let file = File::options().write(true).open(&case.path).unwrap();
        file.set_modified(modified).unwrap();
        assert!(matches!(read(&original), Err(FileError::Changed)));

        fs::remove_file(&case.path).unwrap();
        assert!(matches!(read(&original), Err(FileError::Gone)));
    }

    #[test]
    fn a_regular_file_is_opened_by_its_path_and_nothing_else_is() {
        let case = case();
        let (file, metadata) = open_regular(&case.path).unwrap();
        assert_eq!(read_whole(&file, metadata.len()).unwrap(), b"bytes!");
        let beside = |name: &str| case.root.join(name);
        symlink(&case.path, beside("link")).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(beside("pipe"))
            .status();
        assert!(made.unwrap().success());
        for name in ["link", "pipe", "sub", "nothing"] {
            let error = open_regular(&beside(name)).unwrap_err();
            assert!(matches!(error, FileError::Gone), "{name}: {error}");
        }
    }

    #[test]
    fn what_is_no_file_of_the_folder_is_not_opened_and_nothing_waits() {
        let case = case();
        let original = case.original();
        let secret = case.root.parent().unwrap().join("secret");
        let replace_by = |make: &dyn Fn(&Path)| {
            if case.path.is_dir() {
                fs::remove_dir(&case.path).unwrap();
            } else {
                fs::remove_file(&case.path).unwrap();
            }
            make(&case.path);
            assert!(matches!(read(&original), Err(FileError::Gone)));
        };
        replace_by(&|path| symlink(&secret, path).unwrap());
        replace_by(&|path| symlink("nowhere", path).unwrap());
        replace_by(&|path| symlink(path, path).unwrap());
        replace_by(&|path| fs::create_dir(path).unwrap());
        replace_by(&|path| {
            let fifo = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mkfifoat(rustix::fs::CWD, path, fifo).unwrap();
        });
    }

    #[test]
    fn no_link_on_the_way_leads_out_of_the_folder() {
        let case = case();
        let original = case.original();
        let outside = case.root.parent().unwrap().join("outside");
        fs::rename(case.root.join("sub"), &outside).unwrap();
        symlink(&outside, case.root.join("sub")).unwrap();
        assert!(matches!(read(&original), Err(FileError::Gone)));
        // Its owner may want just that.
        assert!(original.open(true).is_ok());
        let beside = OriginalFile {
            path: outside.join("a.jpg"),
            ..original
        };
        assert!(matches!(read(&beside), Err(FileError::Gone)));
    }
}
