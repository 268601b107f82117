//! Turns what the system tells into hints, and keeps watches alive with it.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};
use tracing::info;

use super::Hint;
use super::event::{WatchEvent, What};
use super::folders::{Folders, Place};
use crate::stop::Stop;

/// Hints that wait for room in the channel. With more there is one hint to look at everything.
const QUEUE: usize = 16_384;

/// How long a change of mounts, or the word to stop, may go unseen.
const LOOK_AROUND: Duration = Duration::from_millis(500);

/// How soon the reader is offered hints again when there was no room.
const OFFER_AGAIN: Duration = Duration::from_millis(20);

/// The thread behind a watch.
#[derive(Debug)]
pub(super) struct Worker {
    folders: Arc<Folders>,
    hints: Sender<Hint>,
    queue: VecDeque<Hint>,
    /// Where something was mounted or unmounted of late; each folder on it tells so by itself.
    remounted: BTreeSet<PathBuf>,
}

impl Worker {
    pub(super) fn new(folders: Arc<Folders>, hints: Sender<Hint>) -> Worker {
        Worker {
            folders,
            hints,
            queue: VecDeque::new(),
            remounted: BTreeSet::new(),
        }
    }

    /// Works until told to stop, or until nobody reads the hints.
    pub(super) fn run(mut self, stop: &Stop) {
        while !stop.is_asked() && self.offer() {
            self.wait(stop);
            let events = self.folders.read();
            let was_still = events.is_empty();
            for event in events {
                self.take(event);
            }
            let changed = self.folders.changed_mounts();
            if was_still && changed.is_empty() {
                self.follow_mounts();
            }
            self.remounted.extend(changed);
        }
    }

    /// Hands on what there is room for; false when nobody reads it.
    fn offer(&mut self) -> bool {
        while let Some(hint) = self.queue.pop_front() {
            match self.hints.try_send(hint) {
                Ok(()) => {}
                Err(TrySendError::Full(hint)) => {
                    self.queue.push_front(hint);
                    break;
                }
                Err(TrySendError::Disconnected(_)) => return false,
            }
        }
        true
    }

    fn wait(&self, stop: &Stop) {
        let is_idle = self.queue.is_empty() && self.remounted.is_empty();
        let longest = if is_idle { LOOK_AROUND } else { OFFER_AGAIN };
        match self.folders.waiter() {
            Some(waiter) => waiter.wait(longest),
            None => drop(stop.is_asked_within(longest)),
        }
    }

    fn take(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Lost => self.push_everything(),
            WatchEvent::Unmounted(folder) => drop(self.remounted.insert(folder)),
            WatchEvent::Changed { path, what } => match self.folders.place(&path) {
                Place::OnTheWay(roots) => self.on_the_way(roots, &what),
                Place::Inside => self.inside(path, what),
                Place::Elsewhere => {}
            },
        }
    }

    /// Something happened to a name that roots are reached by.
    fn on_the_way(&mut self, roots: Vec<PathBuf>, what: &What) {
        for root in roots {
            match what {
                What::Written | What::Closed => continue,
                What::Attributes if !self.folders.lacks(&root) => {}
                _ => self.folders.renew_root(&root),
            }
            self.push(root, true);
        }
    }

    fn inside(&mut self, path: PathBuf, what: What) {
        match &what {
            // Whatever is in a new folder already was told to nobody, which the look at the folder makes up for.
            What::Made | What::MovedIn(_) if self.folders.is_folder(&path) => {
                self.folders.watch_tree(&path);
            }
            What::MovedOut | What::Removed => {
                self.folders.leave(&path);
                if self.folders.is_folder(&path) {
                    self.folders.watch_tree(&path);
                }
            }
            What::Attributes if self.folders.lacks(&path) => self.folders.watch_tree(&path),
            _ => {}
        }
        match what {
            What::MovedIn(from) => {
                self.push(path, true);
                // After its new name, so that what it holds is never nowhere.
                if let Some(from) = from {
                    self.push(from, true);
                }
            }
            What::Closed | What::Removed => self.push(path, true),
            What::Made | What::MovedOut | What::Attributes | What::Written => {
                self.push(path, false);
            }
        }
    }

    /// Watches what lies under the mounts that changed, once all is still.
    fn follow_mounts(&mut self) {
        let mut top: Option<PathBuf> = None;
        for point in std::mem::take(&mut self.remounted) {
            if top.as_ref().is_some_and(|top| point.starts_with(top)) {
                continue;
            }
            self.follow_mount(&point);
            top = Some(point);
        }
    }

    fn follow_mount(&mut self, point: &Path) {
        match self.folders.place_of_mount(point) {
            Place::OnTheWay(roots) => {
                for root in roots {
                    info!(root = %root.display(), "mounts changed at or above a folder");
                    self.folders.renew_root(&root);
                    self.push(root, true);
                }
            }
            Place::Inside => {
                info!(folder = %point.display(), "mounts changed in a folder");
                // What was watched here may lie elsewhere, or be mounted there as well.
                self.folders.leave(point);
                self.folders.watch_tree(point);
                self.push(point.to_owned(), true);
            }
            Place::Elsewhere => {}
        }
    }

    fn push(&mut self, path: PathBuf, is_final: bool) {
        let hint = Hint::Path { path, is_final };
        if self.queue.back() == Some(&hint) {
            return;
        }
        if self.queue.len() < QUEUE {
            self.queue.push_back(hint);
        } else {
            self.push_everything();
        }
    }

    fn push_everything(&mut self) {
        self.queue.clear();
        self.queue.push_back(Hint::Everything);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crossbeam_channel::{Receiver, bounded};

    use super::super::folders::Extent;
    use super::super::walk::Walk;
    use super::*;
    use crate::config::Config;

    fn worker(roots: &[PathBuf], exclude: &[&str]) -> (Worker, Receiver<Hint>) {
        let mut config = Config::load(None, std::iter::empty(), Vec::new()).unwrap();
        config.ingest.exclude = exclude.iter().map(|name| (*name).to_owned()).collect();
        let extent = Extent::Tree(Walk::new(&config.ingest));
        let folders = Arc::new(Folders::new(roots, extent));
        let (sender, hints) = bounded(1);
        (Worker::new(folders, sender), hints)
    }

    fn hint(path: impl Into<PathBuf>, is_final: bool) -> Hint {
        Hint::Path {
            path: path.into(),
            is_final,
        }
    }

    #[test]
    fn more_than_can_wait_becomes_one_look_at_everything() {
        let (mut worker, hints) = worker(&[], &[]);
        for number in 0..=QUEUE {
            worker.push(format!("/{number}").into(), false);
        }
        assert_eq!(worker.queue, [Hint::Everything]);
        worker.push("/after".into(), true);
        worker.push("/after".into(), true);
        assert_eq!(worker.queue, [Hint::Everything, hint("/after", true)]);
        // There is room for one at a time.
        for waiting in [Hint::Everything, hint("/after", true)] {
            assert!(worker.offer());
            assert_eq!(hints.try_recv(), Ok(waiting));
        }
        drop(hints);
        worker.push_everything();
        assert!(!worker.offer(), "nobody reads any more");
    }

    #[test]
    fn a_look_at_everything_stands_for_what_waits() {
        let (mut worker, _hints) = worker(&[], &[]);
        worker.push("/before".into(), true);
        worker.take(WatchEvent::Lost);
        worker.take(WatchEvent::Lost);
        assert_eq!(worker.queue, [Hint::Everything]);
    }

    #[test]
    fn what_is_told_becomes_a_hint_where_it_matters() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("root");
        fs::create_dir(&root).unwrap();
        let (mut worker, _hints) = worker(std::slice::from_ref(&root), &["skipped"]);
        worker.folders.renew();
        let inside = |name: &str| root.join(name);
        let moved = What::MovedIn(Some(inside("old.png")));
        for (path, what, hints) in [
            (
                inside("new.png"),
                What::Made,
                vec![hint(inside("new.png"), false)],
            ),
            (
                inside("new.png"),
                What::Closed,
                vec![hint(inside("new.png"), true)],
            ),
            (
                inside("gone.png"),
                What::Removed,
                vec![hint(inside("gone.png"), true)],
            ),
            (
                inside("out.png"),
                What::MovedOut,
                vec![hint(inside("out.png"), false)],
            ),
            (
                inside("in.png"),
                moved,
                vec![hint(inside("in.png"), true), hint(inside("old.png"), true)],
            ),
            (inside(".hidden.png"), What::Closed, vec![]),
            (inside("skipped"), What::Made, vec![]),
            (root.clone(), What::MovedOut, vec![hint(&root, true)]),
            (root.clone(), What::Written, vec![]),
            (
                root.parent().unwrap().to_owned(),
                What::Removed,
                vec![hint(&root, true)],
            ),
            (root.with_file_name("sibling"), What::Made, vec![]),
        ] {
            let shown = format!("{} {what:?}", path.display());
            worker.take(WatchEvent::Changed { path, what });
            assert_eq!(std::mem::take(&mut worker.queue), hints, "{shown}");
        }
    }

    #[test]
    fn mounts_matter_above_at_and_in_a_root() {
        let root = PathBuf::from("/nowhere/at/all");
        let (mut worker, _hints) = worker(std::slice::from_ref(&root), &["skipped"]);
        worker.folders.renew();
        for (point, hints) in [
            ("/nowhere", vec![hint(&root, true)]),
            ("/nowhere/at/all", vec![hint(&root, true)]),
            (
                "/nowhere/at/all/stick",
                vec![hint("/nowhere/at/all/stick", true)],
            ),
            ("/nowhere/at/all/skipped/stick", vec![]),
            ("/nowhere/at/all/.snapshots/one", vec![]),
            ("/nowhere/else", vec![]),
        ] {
            // Each folder of a file system tells that it was unmounted.
            let below = Path::new(point).join("deeper");
            worker.take(WatchEvent::Unmounted(below));
            worker.take(WatchEvent::Unmounted(point.into()));
            worker.follow_mounts();
            assert_eq!(std::mem::take(&mut worker.queue), hints, "{point}");
        }
    }
}
