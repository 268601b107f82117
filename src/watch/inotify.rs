//! Folders watched by Linux's inotify: it tells of each watch that ends, so that what is known here is what is watched.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, Event, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tracing::warn;

use super::event::{WatchEvent, What};
use super::report::Reason;

/// What is told of folders on the way to a root.
const NAMES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// What is told of folders with pictures in them.
const ALL: WatchFlags = NAMES
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE);

/// Bytes of events read at once; the longest one takes 272.
const BUFFER: usize = 16 * 1024;

/// Words that are taken at once; the kernel holds no more by default.
const MOST_AT_ONCE: usize = 16_384;

/// Watched folders.
#[derive(Debug)]
pub(super) struct Source {
    inotify: Arc<OwnedFd>,
    /// The paths of each watch: it is one for a folder that is mounted at two places, or was renamed just now.
    paths: HashMap<i32, Vec<PathBuf>>,
    watches: BTreeMap<PathBuf, i32>,
    /// The name that a file was last moved away from, with what marks the name that it is moved to.
    moved_out: Option<(u32, PathBuf)>,
}

/// Waits for a [`Source`] without holding it.
#[derive(Debug, Clone)]
pub(super) struct Waiter(Arc<OwnedFd>);

impl Waiter {
    /// Waits until something is told, but no longer than this.
    pub(super) fn wait(&self, longest: Duration) {
        let longest = Timespec {
            tv_sec: longest.as_secs() as i64,
            tv_nsec: longest.subsec_nanos().into(),
        };
        // Interrupted: whoever waits looks around, and waits again.
        let _ = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&longest));
    }
}

impl Source {
    pub(super) fn new() -> Result<Source, Reason> {
        let flags = CreateFlags::NONBLOCK | CreateFlags::CLOEXEC;
        Ok(Source {
            inotify: Arc::new(inotify::init(flags).map_err(reason)?),
            paths: HashMap::new(),
            watches: BTreeMap::new(),
            moved_out: None,
        })
    }

    pub(super) fn waiter(&self) -> Waiter {
        Waiter(Arc::clone(&self.inotify))
    }

    /// Watches a folder with all that happens in it, or again where it is watched already.
    pub(super) fn add(&mut self, folder: &Path) -> Result<(), Reason> {
        self.watch(folder, ALL)
    }

    /// Watches which names come to a folder and which go.
    pub(super) fn add_names(&mut self, folder: &Path) -> Result<(), Reason> {
        self.watch(folder, NAMES | WatchFlags::MASK_ADD)
    }

    fn watch(&mut self, folder: &Path, flags: WatchFlags) -> Result<(), Reason> {
        let watch = inotify::add_watch(&*self.inotify, folder, flags).map_err(reason)?;
        let before = self.watches.insert(folder.to_owned(), watch);
        if before != Some(watch) {
            self.paths.entry(watch).or_default().push(folder.to_owned());
        }
        // Another folder was there.
        if let Some(before) = before.filter(|before| *before != watch) {
            self.leave(before, folder);
        }
        Ok(())
    }

    /// A watch has one path less, and ends with the last one.
    fn leave(&mut self, watch: i32, folder: &Path) {
        let Some(paths) = self.paths.get_mut(&watch) else {
            return;
        };
        paths.retain(|path| path != folder);
        if paths.is_empty() {
            self.paths.remove(&watch);
            // It may have ended by itself.
            let _ = inotify::remove_watch(&*self.inotify, watch);
        }
    }

    /// The watched folders at and below a path.
    pub(super) fn below(&self, top: &Path) -> impl Iterator<Item = &PathBuf> {
        let from_here = self.watches.range(top.to_owned()..);
        from_here
            .map(|(path, _)| path)
            .take_while(move |path| path.starts_with(top))
    }

    /// Watches none of these any more.
    pub(super) fn remove(&mut self, folders: &[PathBuf]) {
        for folder in folders {
            if let Some(watch) = self.watches.remove(folder) {
                self.leave(watch, folder);
            }
        }
    }

    /// What was told since this was last called; does not wait.
    pub(super) fn read(&mut self) -> Vec<WatchEvent> {
        let mut events = Vec::new();
        let inotify = Arc::clone(&self.inotify);
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(&*inotify, &mut buffer);
        while events.len() < MOST_AT_ONCE || !reader.is_buffer_empty() {
            match reader.next() {
                Ok(event) => self.take(&event, &mut events),
                Err(Errno::AGAIN | Errno::INTR) => return events,
                Err(error) => {
                    warn!(%error, "watching failed, scanning instead");
                    events.push(WatchEvent::Lost);
                    return events;
                }
            }
        }
        events
    }

    fn take(&mut self, event: &Event<'_>, events: &mut Vec<WatchEvent>) {
        let flags = event.events();
        if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            events.push(WatchEvent::Lost);
            return;
        }
        let watch = event.wd();
        if flags.contains(ReadFlags::IGNORED) {
            self.forget(watch);
            return;
        }
        let name = event
            .file_name()
            .map(|name| OsStr::from_bytes(name.to_bytes()));
        for folder in self.paths.get(&watch).cloned().unwrap_or_default() {
            if flags.contains(ReadFlags::UNMOUNT) {
                events.push(WatchEvent::Unmounted(folder));
                continue;
            }
            let path = name.map_or_else(|| folder.clone(), |name| folder.join(name));
            if let Some(what) = self.what(flags, event.cookie(), &path) {
                events.push(WatchEvent::Changed { path, what });
            }
        }
    }

    /// A watch has ended by itself.
    fn forget(&mut self, watch: i32) {
        for path in self.paths.remove(&watch).unwrap_or_default() {
            if self.watches.get(&path) == Some(&watch) {
                self.watches.remove(&path);
            }
        }
    }

    fn what(&mut self, events: ReadFlags, cookie: u32, path: &Path) -> Option<What> {
        if events.contains(ReadFlags::MOVED_TO) {
            let from = self.moved_out.take_if(|(mark, _)| *mark == cookie);
            return Some(What::MovedIn(from.map(|(_, path)| path)));
        }
        if events.contains(ReadFlags::MOVED_FROM) {
            self.moved_out = Some((cookie, path.to_owned()));
            return Some(What::MovedOut);
        }
        let mut kinds = KINDS.iter();
        kinds.find_map(|(flag, what)| events.contains(*flag).then(|| what.clone()))
    }
}

/// What each event means, but for renames.
const KINDS: [(ReadFlags, What); 7] = [
    (ReadFlags::CREATE, What::Made),
    (ReadFlags::DELETE, What::Removed),
    (ReadFlags::DELETE_SELF, What::Removed),
    (ReadFlags::MOVE_SELF, What::MovedOut),
    (ReadFlags::CLOSE_WRITE, What::Closed),
    (ReadFlags::MODIFY, What::Written),
    (ReadFlags::ATTRIB, What::Attributes),
];

fn reason(error: Errno) -> Reason {
    match error {
        Errno::NOSPC => Reason::NoWatchLeft,
        Errno::MFILE | Errno::NFILE => Reason::NoInstanceLeft,
        Errno::NOENT | Errno::NOTDIR => Reason::Missing,
        Errno::ACCESS | Errno::PERM => Reason::Denied,
        error => Reason::Other(error.to_string()),
    }
}
