//! Turns what the system tells into hints, and keeps watches alive with it.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};
use tracing::info;

use super::Hint;
use super::folders::{Folders, Place};
use super::told::{Told, What};
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
            let told = self.folders.read();
            let was_still = told.is_empty();
            for word in told {
                self.take(word);
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

    fn take(&mut self, told: Told) {
        match told {
            Told::Lost => self.push_everything(),
            Told::Unmounted(folder) => drop(self.remounted.insert(folder)),
            Told::Event { path, what } => match self.folders.place(&path) {
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
            What::Made | What::MovedIn(_) if is_folder(&path) => self.folders.watch_tree(&path),
            What::MovedOut | What::Removed => {
                self.folders.leave(&path);
                if is_folder(&path) {
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

/// Links are not followed.
fn is_folder(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}
