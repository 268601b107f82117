//! What the label sets of a library work on, and which of them are in force.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::active::{Active, ActiveSet};
use super::status::Notes;
use crate::embed::Embedder;
use crate::index::Vectors;
use crate::store::{Store, StoreError};

/// Shared by all that applies sets, and all that asks what they say.
#[derive(Debug)]
pub(super) struct State {
    pub(super) store: Store,
    pub(super) vectors: Vectors,
    pub(super) embedder: Embedder,
    /// Replaced as a whole, so that who looks at the sets never waits for one that is being applied.
    active: Mutex<Arc<Active>>,
    /// Read while images are recorded, written while a set is applied: no image slips in between with the old tags.
    recording: RwLock<()>,
    notes: Mutex<Notes>,
}

impl State {
    pub(super) fn new(store: Store, vectors: Vectors, embedder: Embedder) -> State {
        State {
            store,
            vectors,
            embedder,
            active: Mutex::default(),
            recording: RwLock::default(),
            notes: Mutex::default(),
        }
    }

    pub(super) fn active(&self) -> Arc<Active> {
        Arc::clone(&locked(&self.active))
    }

    pub(super) fn put_in_force(&self, name: String, set: ActiveSet) {
        Arc::make_mut(&mut locked(&self.active)).insert(name, Arc::new(set));
    }

    /// Gives a set another way to write its name; nothing else about it changes.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), StoreError> {
        self.store.rename_label_set(from, to)?;
        let mut active = locked(&self.active);
        if let Some(set) = Arc::make_mut(&mut active).remove(from) {
            Arc::make_mut(&mut active).insert(to.to_owned(), set);
        }
        self.notes().rename(from, to);
        Ok(())
    }

    pub(super) fn take_out_of_force(&self, name: &str) {
        Arc::make_mut(&mut locked(&self.active)).remove(name);
    }

    pub(super) fn notes(&self) -> MutexGuard<'_, Notes> {
        locked(&self.notes)
    }

    /// No set is applied while this lives.
    pub(super) fn hold_sets(&self) -> RwLockReadGuard<'_, ()> {
        self.recording
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// No image is recorded while this lives.
    pub(super) fn hold_recording(&self) -> RwLockWriteGuard<'_, ()> {
        self.recording
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A panic elsewhere leaves what is locked here whole.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
