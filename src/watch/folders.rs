//! Which folders are watched, and which should be: roots with all that lies in them, and the ways that lead there.

use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::debug;

use super::event::WatchEvent;
use super::links::{Way, way_to};
use super::report::{WatchNote, WatchReport, first_few};
use super::source::{Source, Waiter};
use super::state::{State, silence};
use super::walk::Walk;

/// What of a root is watched.
#[derive(Debug)]
pub(super) enum Extent {
    /// All folders in it, but for hidden ones and those of these names.
    Tree(Walk),
    /// The folder alone, with each name in it.
    Folder,
}

/// Where a path lies.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// These roots are reached through it, or are it.
    OnTheWay(Vec<PathBuf>),
    /// In a root, and not left out.
    Inside,
    /// Nobody asked for it.
    Elsewhere,
}

/// The watched folders. Held for a moment at a time: never while a folder is read.
#[derive(Debug)]
pub(super) struct Folders {
    extent: Extent,
    state: Mutex<State>,
}

impl Folders {
    /// Nothing is watched before [`Folders::renew`].
    pub(super) fn new(roots: &[PathBuf], extent: Extent) -> Folders {
        Folders {
            extent,
            state: Mutex::new(State::new(roots)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches everything that should be watched, again where it is already. When this returns, no change goes unseen any
    /// more, so that a scan after it misses nothing.
    pub(super) fn renew(&self) {
        let roots: Vec<PathBuf> = {
            let mut state = self.state();
            if state.source.is_err() {
                state.source = Source::new();
            }
            state.roots.keys().cloned().collect()
        };
        for root in &roots {
            self.renew_root(root);
        }
        self.state().take_back();
    }

    /// The same for one root, also where it has come, gone, or leads elsewhere now.
    pub(super) fn renew_root(&self, root: &Path) {
        // What is watched from now on may have changed before.
        const TRIES: usize = 3;
        let mut way = way_to(root);
        for _ in 0..TRIES {
            self.state().lead(root, way);
            way = way_to(root);
            if self.state().roots.get(root) == Some(&way) {
                break;
            }
        }
        self.watch_tree(root);
        let watched: Vec<PathBuf> = self.state().source.as_ref().map_or_else(
            |_| Vec::new(),
            |source| source.below(root).cloned().collect(),
        );
        let is_gone = |path: &PathBuf| match self.metadata(path, path == root) {
            Ok(metadata) => !metadata.is_dir(),
            // Where it cannot be known, it is there.
            Err(error) => error.kind() == ErrorKind::NotFound,
        };
        let gone: Vec<PathBuf> = watched.into_iter().filter(is_gone).collect();
        self.state().remove(&gone);
    }

    /// A root may be a link; in it, links lead on only where their owner said so.
    fn metadata(&self, path: &Path, is_root: bool) -> io::Result<Metadata> {
        match &self.extent {
            Extent::Tree(walk) if !is_root => walk.metadata(path),
            _ => std::fs::metadata(path),
        }
    }

    /// Whether a folder lies at a path in a root.
    pub(super) fn is_folder(&self, path: &Path) -> bool {
        self.metadata(path, false)
            .is_ok_and(|metadata| metadata.is_dir())
    }

    /// Watches a folder, and what lies in it.
    pub(super) fn watch_tree(&self, top: &Path) {
        {
            let mut state = self.state();
            state.forget_reasons(top);
            // Before it is read, so that what comes meanwhile is told or found.
            state.add(top);
            if state.source.is_err() {
                return;
            }
        }
        let Extent::Tree(walk) = &self.extent else {
            return;
        };
        for entry in walk.entries(top) {
            match entry {
                Ok(entry) if entry.depth() > 0 && entry.file_type().is_dir() => {
                    self.state().add(entry.path());
                }
                Ok(_) => {}
                Err(error) => debug!(%error, "cannot look into a folder"),
            }
        }
    }

    /// A path is there no more, or is another one: neither it nor what lay in it is watched.
    pub(super) fn leave(&self, path: &Path) {
        let mut state = self.state();
        state.forget_reasons(path);
        let watched: Vec<PathBuf> = match &state.source {
            Ok(source) => source.below(path).cloned().collect(),
            Err(_) => return,
        };
        state.remove(&watched);
    }

    /// Whether something at or below a path should be watched and is not.
    pub(super) fn lacks(&self, path: &Path) -> bool {
        let state = self.state();
        let mut from_here = state.unwatched.range(path.to_owned()..);
        from_here
            .next()
            .is_some_and(|(unwatched, _)| unwatched.starts_with(path))
    }

    /// What to wait with; none where nothing can be watched.
    pub(super) fn waiter(&self) -> Option<Waiter> {
        self.state().source.as_ref().ok().map(Source::waiter)
    }

    /// What happened since this was last called.
    pub(super) fn read(&self) -> Vec<WatchEvent> {
        self.state()
            .source
            .as_mut()
            .map_or_else(|_| Vec::new(), Source::read)
    }

    /// Where something was mounted or unmounted since this was last called.
    pub(super) fn changed_mounts(&self) -> Vec<PathBuf> {
        self.state().mounts.changed()
    }

    /// Where a path lies.
    pub(super) fn place(&self, path: &Path) -> Place {
        let state = self.state();
        let reached = state
            .roots
            .iter()
            .filter(|(_, way)| way.steps.contains(path));
        let reached: Vec<PathBuf> = reached.map(|(root, _)| root.clone()).collect();
        if !reached.is_empty() {
            return Place::OnTheWay(reached);
        }
        let is_inside = match &self.extent {
            Extent::Folder => path
                .parent()
                .is_some_and(|folder| state.roots.contains_key(folder)),
            Extent::Tree(walk) => {
                !walk.excludes(path) && state.roots.keys().any(|root| path.starts_with(root))
            }
        };
        if is_inside {
            Place::Inside
        } else {
            Place::Elsewhere
        }
    }

    /// What a mount or its end at this point matters to: roots that are reached through it, or else the point itself.
    pub(super) fn place_of_mount(&self, point: &Path) -> Place {
        let state = self.state();
        let is_through = |way: &Way| way.steps.iter().any(|step| step.starts_with(point));
        let reached = state.roots.iter().filter(|(_, way)| is_through(way));
        let reached: Vec<PathBuf> = reached.map(|(root, _)| root.clone()).collect();
        if !reached.is_empty() {
            Place::OnTheWay(reached)
        } else if state.roots.keys().any(|root| self.holds(root, point)) {
            Place::Inside
        } else {
            Place::Elsewhere
        }
    }

    /// Whether a path lies in a root, and is watched with it.
    fn holds(&self, root: &Path, path: &Path) -> bool {
        let Extent::Tree(walk) = &self.extent else {
            return false;
        };
        path.strip_prefix(root)
            .is_ok_and(|inside| !inside.iter().any(|part| walk.excludes(Path::new(part))))
    }

    /// The folders that must be looked at by the clock, as their changes are not told, or not all of them: each with why.
    pub(super) fn polled(&self) -> Vec<(PathBuf, String)> {
        let state = self.state();
        let mut polled = Vec::new();
        for root in state.roots.keys() {
            if let Some(reason) = state.why_polled(root) {
                polled.push((root.clone(), reason));
                continue;
            }
            let below = state.mounts.silent_below(root);
            let below = below.filter(|(point, _)| self.holds(root, point));
            polled.extend(below.map(|(point, kind)| (point.to_owned(), silence(kind))));
        }
        polled.dedup_by(|one, other| one.0 == other.0);
        polled
    }

    /// How folders are watched.
    pub(super) fn report(&self) -> WatchReport {
        let note = |(path, reason): (PathBuf, String)| WatchNote {
            path: path.display().to_string(),
            reason,
        };
        let polled = self.polled().into_iter().map(note).collect();
        let state = self.state();
        let unwatched = state.unwatched.iter();
        let unwatched = unwatched.map(|(path, reason)| note((path.clone(), reason.to_string())));
        WatchReport {
            folders: state.roots.keys().map(|root| state.watched(root)).sum(),
            unwatched: state.unwatched.len(),
            examples: first_few(unwatched),
            polled,
            poll_interval_s: 0,
        }
    }
}
