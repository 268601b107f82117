//! Follows changes in folders and tells which paths are worth a look. A hint may be wrong, late or missing; the scan is the truth.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tracing::{debug, warn};

use crate::stop::{Stop, Threads};

/// Events that wait to be turned into hints. More are dropped, and everything is scanned instead.
const EVENT_QUEUE: usize = 16_384;

/// Hints that wait for the reader.
const HINT_QUEUE: usize = 1024;

/// Something worth a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hint {
    /// This path, or what lies below it, may have changed; `is_final`: whoever wrote it has closed it.
    Path {
        /// Absolute.
        path: PathBuf,
        /// Whether the path need not settle first.
        is_final: bool,
    },
    /// Events were lost: everything may have changed.
    Everything,
}

/// Watched folders; they are watched until told to stop.
#[derive(Debug)]
pub(crate) struct Watch {
    hints: Receiver<Hint>,
}

impl Watch {
    /// Watches these folders and all below them, but for excluded and hidden ones. When this returns, no change goes
    /// unseen any more, so that a scan after it misses nothing.
    pub(crate) fn start(
        folders: &[PathBuf],
        exclude: &[String],
        stop: &Stop,
        threads: &Threads,
    ) -> notify::Result<Watch> {
        let (event_sender, events) = bounded(EVENT_QUEUE);
        let lost = Arc::new(AtomicBool::new(false));
        let watcher = RecommendedWatcher::new(
            on_event(event_sender, Arc::clone(&lost)),
            Config::default().with_follow_symlinks(false),
        )?;
        let (hint_sender, hints) = bounded(HINT_QUEUE);
        let exclude = exclude.iter().cloned().collect();
        let mut worker = Worker {
            watcher,
            exclude,
            hints: hint_sender,
            lost,
            is_complete: true,
        };
        for folder in folders {
            worker.watch_tree(folder);
        }
        let stop = stop.clone();
        threads.spawn("watch", move || worker.run(&events, &stop))?;
        Ok(Watch { hints })
    }

    /// The hints. The channel closes when watching ends.
    pub(crate) fn hints(&self) -> &Receiver<Hint> {
        &self.hints
    }
}

/// Runs on the watcher's own thread, which must never wait.
fn on_event(
    events: Sender<notify::Result<Event>>,
    lost: Arc<AtomicBool>,
) -> impl FnMut(notify::Result<Event>) + Send {
    move |event| {
        if let Err(TrySendError::Full(_)) = events.try_send(event) {
            lost.store(true, Ordering::Relaxed);
        }
    }
}

struct Worker {
    watcher: RecommendedWatcher,
    exclude: HashSet<String>,
    hints: Sender<Hint>,
    lost: Arc<AtomicBool>,
    /// False once a folder could not be watched; one warning is enough.
    is_complete: bool,
}

impl Worker {
    fn run(&mut self, events: &Receiver<notify::Result<Event>>, stop: &Stop) {
        loop {
            let event = select! {
                recv(stop.closed()) -> _ => return,
                recv(events) -> event => event,
            };
            let Ok(event) = event else { return };
            let lost = self.lost.swap(false, Ordering::Relaxed);
            let hints = match event {
                Ok(event) if !lost && !event.need_rescan() => self.hints_of(event),
                Ok(_) => vec![Hint::Everything],
                Err(error) => {
                    warn!(%error, "watching failed, scanning instead");
                    vec![Hint::Everything]
                }
            };
            for hint in hints {
                select! {
                    recv(stop.closed()) -> _ => return,
                    send(self.hints, hint) -> sent => if sent.is_err() {
                        return;
                    },
                }
            }
        }
    }

    fn hints_of(&mut self, event: Event) -> Vec<Hint> {
        let Some(is_final) = finality(event.kind) else {
            return Vec::new();
        };
        let paths: Vec<PathBuf> = event
            .paths
            .into_iter()
            .filter(|path| !is_excluded(path, &self.exclude))
            .collect();
        for path in &paths {
            // A new folder: whatever is in it already gave no event, which the look at the folder makes up for.
            if matches!(
                event.kind,
                EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_))
            ) && path.is_dir()
            {
                self.watch_tree(path);
            }
        }
        paths
            .into_iter()
            .map(|path| Hint::Path { path, is_final })
            .collect()
    }

    /// Watches each folder by itself: notify's own recursion gives up at the first one that it may not read.
    fn watch_tree(&mut self, folder: &Path) {
        let exclude = self.exclude.clone();
        for entry in walk(folder, &exclude) {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => self.watch_one(entry.path()),
                Ok(_) => {}
                Err(error) => debug!(%error, "cannot look into a folder"),
            }
        }
    }

    fn watch_one(&mut self, folder: &Path) {
        let Err(error) = self.watcher.watch(folder, RecursiveMode::NonRecursive) else {
            return;
        };
        if std::mem::replace(&mut self.is_complete, false) {
            let way_out = match error.kind {
                notify::ErrorKind::MaxFilesWatch => "raise the sysctl fs.inotify.max_user_watches",
                _ => "its changes are seen by the regular scan only",
            };
            warn!(folder = %folder.display(), %error, way_out, "cannot watch a folder");
        }
    }
}

/// Whether an event is worth a look, and if so, whether the file is finished.
fn finality(kind: EventKind) -> Option<bool> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both))
        | EventKind::Remove(_) => Some(true),
        // Our own reading makes these.
        EventKind::Access(_) => None,
        _ => Some(false),
    }
}

/// All entries at and below a folder, without hidden and excluded ones; links are not followed.
pub(crate) fn walk<'a>(
    folder: &Path,
    exclude: &'a HashSet<String>,
) -> impl Iterator<Item = walkdir::Result<walkdir::DirEntry>> + use<'a> {
    let entries = walkdir::WalkDir::new(folder)
        .follow_links(false)
        .into_iter();
    entries.filter_entry(move |entry| entry.depth() == 0 || !is_excluded(entry.path(), exclude))
}

/// Whether the last part of the path is a name that is left out.
pub(crate) fn is_excluded(path: &Path, exclude: &HashSet<String>) -> bool {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy())
        .unwrap_or_default();
    name.starts_with('.') || exclude.contains(&*name)
}
