//! The labels folder: one file for each set, named after it. What is wrong with one entry is that entry's answer.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::error::TagError;
use super::file_error::{FileError, MAX_FILE_BYTES};
use super::set::LabelSet;
use crate::ownership;
use crate::spelling::folded;
use crate::store::{FileStat, SetName};

/// What a labels folder holds: the text of each file by its set's name, or what is wrong with it.
pub(super) type Files = BTreeMap<String, Result<String, FileError>>;

/// One label file, right or wrong.
struct Entry {
    path: PathBuf,
    /// Its name without `.toml`, as it is told.
    name: String,
    /// What is wrong with the name.
    fault: Option<FileError>,
}

impl Entry {
    fn of(path: PathBuf) -> Entry {
        let stem = path.file_stem().unwrap_or_default();
        let (name, fault) = match stem.to_str().map(str::parse::<SetName>) {
            Some(Ok(name)) => (name.to_string(), None),
            Some(Err(error)) => (stem.to_string_lossy().into_owned(), Some(error.into())),
            None => (
                stem.to_string_lossy().into_owned(),
                Some(FileError::NameNotText),
            ),
        };
        Entry { path, name, fault }
    }

    /// Its text; none where the file has just gone.
    fn read(&self) -> Option<Result<String, FileError>> {
        match &self.fault {
            Some(fault) => Some(Err(fault.clone())),
            None => read_file(&self.path).transpose(),
        }
    }
}

/// Reads all label files. An unreadable folder is an error, and not a folder without sets: that would take all tags away.
pub(super) fn read_folder(folder: &Path) -> Result<Files, TagError> {
    let entries = entries(folder)?.into_iter();
    let read = |entry: Entry| entry.read().map(|text| (entry.name, text));
    Ok(entries.filter_map(read).collect())
}

/// The set of each label file of a folder with its text, or what is wrong with it, in order.
pub fn read_sets(folder: &Path) -> Result<Vec<(PathBuf, SetOrFault)>, TagError> {
    let entries = entries(folder)?.into_iter();
    let read = |entry: Entry| {
        let set = entry.read()?.and_then(parse);
        Some((entry.path, set))
    };
    Ok(entries.filter_map(read).collect())
}

/// A label set and its text, or what is wrong with its file.
pub type SetOrFault = Result<(LabelSet, String), FileError>;

fn parse(text: String) -> SetOrFault {
    Ok((LabelSet::parse(&text)?, text))
}

/// The label files of a folder. Those whose names pass for one have that as their fault, and one name.
fn entries(folder: &Path) -> Result<Vec<Entry>, TagError> {
    let mut entries: Vec<Entry> = label_files(folder)?.into_iter().map(Entry::of).collect();
    let mut alike: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        if entry.fault.is_none() {
            alike.entry(folded(&entry.name)).or_default().push(at);
        }
    }
    for group in alike.values().filter(|group| group.len() > 1) {
        let file = |at: &usize| entries[*at].path.file_name().unwrap_or_default();
        let files: Vec<String> = group
            .iter()
            .map(|at| format!("`{}`", file(at).to_string_lossy()))
            .collect();
        let name = entries[group[0]].name.clone();
        for &at in group {
            entries[at].fault = Some(FileError::Alike(files.join(", ")));
            entries[at].name.clone_from(&name);
        }
    }
    Ok(entries)
}

/// The file of a set, in whatever capitals and spelling it has its name, with that name; none where there is none.
pub(super) fn find(folder: &Path, name: &SetName) -> Result<Option<(SetName, PathBuf)>, TagError> {
    let entry = entries(folder)?
        .into_iter()
        .find(|entry| name.is_same(&entry.name));
    let Some(Entry { path, name, fault }) = entry else {
        return Ok(None);
    };
    match fault {
        None => Ok(Some((
            name.parse().map_err(FileError::from).map_err(at(&path))?,
            path,
        ))),
        Some(fault) => Err(at(&path)(fault)),
    }
}

/// Names the file that something is wrong with.
pub(super) fn at(path: &Path) -> impl Fn(FileError) -> TagError + use<'_> {
    |source| TagError::File {
        file: path.file_name().unwrap_or_default().into(),
        source,
    }
}

/// What tells a folder from another one that lies in its place, as where a drive is no longer mounted.
pub(super) fn identity(folder: &Path) -> Option<String> {
    let metadata = fs::metadata(folder).ok()?;
    Some(FileStat::of(&metadata).inode.to_string())
}

/// The paths of all label files of a folder, right or wrong, in order.
fn label_files(folder: &Path) -> Result<Vec<PathBuf>, TagError> {
    let io = |source| TagError::Io {
        path: folder.to_owned(),
        source,
    };
    let entries = fs::read_dir(folder).map_err(io)?;
    let paths: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(io)?;
    paths.retain(|path| is_label_file(path));
    paths.sort();
    Ok(paths)
}

/// The set that a label file says, as it would be read in the labels folder, and its text.
pub fn read_set(path: &Path) -> SetOrFault {
    let missing = || FileError::Unreadable("there is no such file".to_owned());
    Entry::of(path.to_owned())
        .read()
        .ok_or_else(missing)?
        .and_then(parse)
}

/// Hidden files are those of editors at work.
fn is_label_file(path: &Path) -> bool {
    let is_toml = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
    let stem = path.file_stem().unwrap_or_default();
    is_toml && !stem.to_string_lossy().starts_with('.')
}

/// The text of a label file; none where there is no file. Only a regular file is opened: a pipe would be waited for.
pub(super) fn read_file(path: &Path) -> Result<Option<String>, FileError> {
    let unreadable = |error: std::io::Error| FileError::Unreadable(error.to_string());
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(FileError::NotAFile),
        Err(error) if error.kind() == ErrorKind::NotFound && path.is_symlink() => {
            return Err(FileError::Dangling);
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    }
    let mut file = match open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(unreadable)?,
    };
    // It may have become something else since.
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(FileError::NotAFile);
    }
    let mut bytes = Vec::new();
    let mut start = (&mut file).take(MAX_FILE_BYTES + 1);
    start.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(FileError::TooLarge);
    }
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| FileError::NotText)
}

/// Opens a file, and waits for nobody at the other end of a pipe.
fn open(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    options.read(true).open(path)
}

/// Whether something can be written to a place: nothing is there, or a file that may be written. A link stands for its file.
pub(super) fn check_writable(path: &Path) -> Result<(), FileError> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(FileError::NotAFile),
        Ok(metadata) if metadata.permissions().readonly() => Err(FileError::ReadOnly),
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(FileError::Unreadable(error.to_string()))
        }
        Err(_) if path.is_symlink() => Err(FileError::Dangling),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Writes a label file, whole or not at all. A link stays and its file is written; a file keeps its mode and owner.
pub(super) fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let place = match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
        place => place?,
    };
    let mut new = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any program makes a file, less what the user's mask takes away.
        new.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = new.tempfile_in(place.parent().unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    if let Ok(before) = fs::metadata(&place) {
        ownership::keep(file.as_file(), &before)?;
    }
    file.as_file().sync_all()?;
    file.persist(place)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_an_entry_is_its_answer_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let large = vec![b'#'; MAX_FILE_BYTES as usize + 1];
        for (name, bytes) in [
            ("good.toml", &b"text"[..]),
            ("latin.toml", b"caf\xe9"),
            ("Places.toml", b"text"),
            ("my places.TOML", b"text"),
            ("orte-u\u{308}bersee.toml", b"text"),
            ("what?.toml", b"text"),
            ("new\nline.toml", b"text"),
            ("Twice.toml", b"text"),
            ("twice.toml", b"text"),
            ("large.toml", &large),
            (".hidden.toml", b"text"),
            ("notes.txt", b"text"),
        ] {
            fs::write(at(name), bytes).unwrap();
        }
        fs::create_dir(at("folder.toml")).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            use std::os::unix::fs::symlink;
            symlink(at("nowhere"), at("dangling.toml")).unwrap();
            symlink(at("good.toml"), at("link.toml")).unwrap();
            symlink(at("itself.toml"), at("itself.toml")).unwrap();
            symlink("/dev/zero", at("endless.toml")).unwrap();
            let made = std::process::Command::new("mkfifo")
                .arg(at("pipe.toml"))
                .status();
            assert!(made.unwrap().success());
            symlink(at("pipe.toml"), at("to-a-pipe.toml")).unwrap();
            let latin = std::ffi::OsStr::from_bytes(b"caf\xe9.toml");
            fs::write(folder.path().join(latin), "text").unwrap();
        }
        let files = read_folder(folder.path()).unwrap();
        let answer = |name: &str| match &files[name] {
            Ok(text) => text.clone(),
            Err(error) => error.to_string(),
        };
        for (name, wanted) in [
            ("good", "text"),
            ("latin", "it is not UTF-8 text: save it"),
            ("folder", "it is no regular file"),
            #[cfg(unix)]
            ("pipe", "it is no regular file"),
            #[cfg(unix)]
            ("to-a-pipe", "it is no regular file"),
            #[cfg(unix)]
            ("endless", "it is no regular file"),
            #[cfg(unix)]
            ("dangling", "it is a link to a file that is not there"),
            #[cfg(unix)]
            ("itself", "it cannot be read: "),
            #[cfg(unix)]
            ("link", "text"),
            #[cfg(unix)]
            ("caf\u{fffd}", "its name is not UTF-8 text"),
            ("Places", "text"),
            ("my places", "text"),
            ("orte-\u{fc}bersee", "text"),
            ("what?", "`what?` cannot name a label set"),
            ("new\nline", r"`new\nline` cannot name a label set"),
            ("large", "it has more than 1048576 bytes"),
            ("Twice", "these names differ in capitals or spelling only"),
        ] {
            assert!(answer(name).starts_with(wanted), "{name}: {}", answer(name));
        }
        assert!(answer("Twice").contains("`Twice.toml`, `twice.toml`"));
        for ignored in [".hidden", "notes", "twice"] {
            assert!(!files.contains_key(ignored), "{ignored}");
        }
        let sets = read_sets(folder.path()).unwrap();
        let of_twice = |(path, set): &&(PathBuf, SetOrFault)| {
            path.to_string_lossy().ends_with("wice.toml") && matches!(set, Err(FileError::Alike(_)))
        };
        assert_eq!(sets.iter().filter(of_twice).count(), 2);
        assert!(matches!(read_folder(&at("gone")), Err(TagError::Io { .. })));
        assert_eq!(read_file(&at("gone.toml")), Ok(None));
    }

    #[test]
    fn a_set_is_found_in_whatever_capitals_and_spelling() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("U\u{308}bersee.Toml");
        fs::write(&path, "").unwrap();
        let found = |name: &str| find(folder.path(), &name.parse().unwrap()).unwrap();
        let name = "\u{dc}bersee".parse().unwrap();
        assert_eq!(found("\u{fc}bersee"), Some((name, path)));
        assert_eq!(found("uebersee"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_written_stays_what_it_was() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let inside = |name: &str| folder.path().join(name);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let allow = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        fs::create_dir(inside("elsewhere")).unwrap();
        let (target, link) = (inside("elsewhere/target"), inside("a.toml"));
        fs::write(&target, "before").unwrap();
        allow(&target, 0o664);
        std::os::unix::fs::symlink(&target, &link).unwrap();
        check_writable(&link).unwrap();
        write_whole(&link, "after").unwrap();
        assert!(link.is_symlink());
        assert_eq!(
            (fs::read_to_string(&target).unwrap().as_str(), mode(&target)),
            ("after", 0o664)
        );
        // A new one is as every program makes it here.
        fs::write(inside("other"), "").unwrap();
        write_whole(&inside("new.toml"), "").unwrap();
        assert_eq!(mode(&inside("new.toml")), mode(&inside("other")));
        allow(&target, 0o444);
        assert_eq!(check_writable(&link), Err(FileError::ReadOnly));
        fs::remove_file(&target).unwrap();
        assert_eq!(check_writable(&link), Err(FileError::Dangling));
        assert_eq!(
            check_writable(&inside("elsewhere")),
            Err(FileError::NotAFile)
        );
        assert_eq!(check_writable(&inside("none.toml")), Ok(()));
        let entries = fs::read_dir(folder.path()).unwrap();
        assert_eq!(entries.count(), 4, "nothing else is left");
    }
}
