//! Folders watched by whatever the system has for it, where that is not Linux's inotify.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::event::{WatchEvent, What};
use super::report::Reason;

/// Events that wait to be read. More are dropped, and everything is scanned instead.
const QUEUE: usize = 16_384;

/// Watched folders.
#[derive(Debug)]
pub(super) struct Source {
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    events: Receiver<WatchEvent>,
    lost: Arc<AtomicBool>,
    waiter: Waiter,
}

/// Waits for a [`Source`] without holding it.
#[derive(Debug, Clone)]
pub(super) struct Waiter(Receiver<()>);

impl Waiter {
    /// Waits until something is told, but no longer than this.
    pub(super) fn wait(&self, longest: Duration) {
        // Nothing came: whoever waits looks around, and waits again.
        let _ = self.0.recv_timeout(longest);
    }
}

impl Source {
    pub(super) fn new() -> Result<Source, Reason> {
        let (sender, events) = bounded(QUEUE);
        let (waker, woken) = bounded(1);
        let lost = Arc::new(AtomicBool::new(false));
        let watcher = RecommendedWatcher::new(
            on_event(sender, waker, Arc::clone(&lost)),
            Config::default().with_follow_symlinks(false),
        );
        Ok(Source {
            watcher: watcher.map_err(|error| reason(&error))?,
            watched: BTreeSet::new(),
            events,
            lost,
            waiter: Waiter(woken),
        })
    }

    pub(super) fn waiter(&self) -> Waiter {
        self.waiter.clone()
    }

    /// Watches a folder with all that happens in it, or again where it is watched already.
    pub(super) fn add(&mut self, folder: &Path) -> Result<(), Reason> {
        let watched = self.watcher.watch(folder, RecursiveMode::NonRecursive);
        watched.map_err(|error| reason(&error))?;
        self.watched.insert(folder.to_owned());
        Ok(())
    }

    /// Nothing is needed: these systems watch a path, whether or not it is there, and would tell all that happens below it.
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "Linux watches what a path leads to"
    )]
    pub(super) fn add_names(&mut self, _: &Path) -> Result<(), Reason> {
        Ok(())
    }

    /// The watched folders at and below a path.
    pub(super) fn below(&self, top: &Path) -> impl Iterator<Item = &PathBuf> {
        let from_here = self.watched.range(top.to_owned()..);
        from_here.take_while(move |path| path.starts_with(top))
    }

    /// Watches none of these any more.
    pub(super) fn remove(&mut self, folders: &[PathBuf]) {
        for folder in folders {
            self.watched.remove(folder);
            // It may have ended by itself.
            let _ = self.watcher.unwatch(folder);
        }
    }

    /// What was told since this was last called; does not wait.
    pub(super) fn read(&mut self) -> Vec<WatchEvent> {
        let mut events: Vec<WatchEvent> = self.events.try_iter().collect();
        if self.lost.swap(false, Ordering::Relaxed) {
            events.push(WatchEvent::Lost);
        }
        events
    }
}

/// Runs on the watcher's own thread, which must never wait.
fn on_event(
    events: Sender<WatchEvent>,
    waker: Sender<()>,
    lost: Arc<AtomicBool>,
) -> impl FnMut(notify::Result<Event>) + Send {
    move |event| {
        let all = event.map_or_else(|_| vec![WatchEvent::Lost], watch_events);
        for event in all {
            if events.try_send(event).is_err() {
                lost.store(true, Ordering::Relaxed);
            }
        }
        // Full: the reader is woken already.
        let _ = waker.try_send(());
    }
}

fn watch_events(event: Event) -> Vec<WatchEvent> {
    if event.need_rescan() {
        return vec![WatchEvent::Lost];
    }
    let kind = event.kind;
    if let (EventKind::Modify(ModifyKind::Name(RenameMode::Both)), [from, to]) =
        (kind, event.paths.as_slice())
    {
        return vec![WatchEvent::Changed {
            path: to.clone(),
            what: What::MovedIn(Some(from.clone())),
        }];
    }
    let events = event.paths.into_iter().filter_map(|path| {
        let what = what_of(kind, &path)?;
        Some(WatchEvent::Changed { path, what })
    });
    events.collect()
}

fn what_of(kind: EventKind, path: &Path) -> Option<What> {
    Some(match kind {
        EventKind::Create(_) => What::Made,
        EventKind::Remove(_) => What::Removed,
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) => What::MovedOut,
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => What::MovedIn(None),
        // Either end of a rename.
        EventKind::Modify(ModifyKind::Name(_)) if path.is_symlink() || path.exists() => {
            What::MovedIn(None)
        }
        EventKind::Modify(ModifyKind::Name(_)) => What::MovedOut,
        EventKind::Modify(ModifyKind::Metadata(_)) => What::Attributes,
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => What::Closed,
        // Our own reading makes these.
        EventKind::Access(_) => return None,
        _ => What::Written,
    })
}

fn reason(error: &notify::Error) -> Reason {
    match &error.kind {
        notify::ErrorKind::PathNotFound => Reason::Missing,
        notify::ErrorKind::Io(error) if error.kind() == ErrorKind::NotFound => Reason::Missing,
        notify::ErrorKind::Io(error) if error.kind() == ErrorKind::PermissionDenied => {
            Reason::Denied
        }
        _ => Reason::Other(error.to_string()),
    }
}
