//! What the handlers work with at the moment: when a library goes over to another model, its successor takes its place between two
//! requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use super::Api;

/// What is served now. Cheap to clone; every clone is the same.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    api: Arc<RwLock<Arc<Api>>>,
    /// Held by whoever changes the library through what is served.
    changes: Arc<RwLock<()>>,
    /// Held by whoever looks whether to change something.
    conditional: Arc<Mutex<()>>,
}

impl Live {
    /// This, until something takes its place.
    pub(crate) fn new(api: Api) -> Live {
        Live {
            api: Arc::new(RwLock::new(Arc::new(api))),
            changes: Arc::default(),
            conditional: Arc::default(),
        }
    }

    /// What is served now.
    pub(crate) fn now(&self) -> Arc<Api> {
        let api = self.api.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&api)
    }

    /// While this lives, nothing takes the place of what is served.
    pub(super) fn hold(&self) -> RwLockReadGuard<'_, ()> {
        self.changes.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// While this lives, nobody else looks whether to change something.
    pub(super) fn hold_conditional(&self) -> MutexGuard<'_, ()> {
        self.conditional
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves what `make` makes from now on. Who only asks is answered all the while; who changes something waits.
    pub(crate) fn replace<E>(&self, make: impl FnOnce(&Api) -> Result<Api, E>) -> Result<(), E> {
        let _no_changes = self.changes.write().unwrap_or_else(PoisonError::into_inner);
        let next = make(&self.now())?;
        *self.api.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }
}
