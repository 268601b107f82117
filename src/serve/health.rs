//! Whether the program turns, and whether the library answers.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::error::ApiError;
use super::request::Request;
use crate::search::{Query, Slice};
use crate::wire::Health;

/// Who is answered is answered by a program that turns.
pub(super) fn live(_: &Request) -> Health {
    Health {
        status: "ok".to_owned(),
    }
}

/// How ready it was a moment ago: who asks again and again, and need not say who they are, is no load. Cheap to clone; every clone is
/// the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Readiness {
    known: Arc<Mutex<Option<Known>>>,
    /// Held by whoever looks.
    looking: Arc<Mutex<()>>,
}

#[derive(Debug, Clone)]
struct Known {
    since: Instant,
    is_ready: Result<Health, ApiError>,
}

/// For so long nobody looks again.
const KNOWN_FOR: Duration = Duration::from_millis(250);

/// A look that takes longer is no answer.
const LOOKS_WITHIN: Duration = Duration::from_secs(2);

/// Whether the database, the model and the index answer, with what is wrong where they do not.
pub(super) fn ready(request: &Request) -> Result<Health, ApiError> {
    let readiness = &request.api.clients.readiness;
    readiness.known_or(|| look(request))
}

impl Readiness {
    /// What is known, or what `look` finds. While somebody looks, others are told what was known before, and nobody waits for a look
    /// that does not end.
    fn known_or(
        &self,
        look: impl FnOnce() -> Result<Health, ApiError>,
    ) -> Result<Health, ApiError> {
        let known = || {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.clone()
        };
        let fresh = |known: &Known| known.since.elapsed() < KNOWN_FOR;
        if let Some(known) = known().filter(fresh) {
            return known.is_ready;
        }
        let looking = match (self.looking.try_lock(), known()) {
            (Ok(looking), _) => looking,
            (Err(TryLockError::WouldBlock), Some(known)) => {
                return if known.since.elapsed() < LOOKS_WITHIN {
                    known.is_ready
                } else {
                    let message = format!("no search is answered within {LOOKS_WITHIN:?}");
                    Err(ApiError::not_ready(message))
                };
            }
            // Who panicked there looks no more.
            (Err(TryLockError::Poisoned(looking)), _) => looking.into_inner(),
            // The very first look is waited for.
            (Err(TryLockError::WouldBlock), None) => {
                self.looking.lock().unwrap_or_else(PoisonError::into_inner)
            }
        };
        if let Some(known) = known().filter(fresh) {
            return known.is_ready;
        }
        let is_ready = look();
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Known {
            since: Instant::now(),
            is_ready: is_ready.clone(),
        });
        drop(looking);
        is_ready
    }
}

fn look(request: &Request) -> Result<Health, ApiError> {
    let api = &request.api;
    let count = api.library.store.image_count();
    count.map_err(|error| ApiError::not_ready(format!("the database does not answer: {error}")))?;
    let found = api.search.run(&Query::text("ready"), &Slice::first(1));
    found.map_err(|error| ApiError::not_ready(format!("a search is not answered: {error}")))?;
    Ok(live(request))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_a_look_that_hangs() {
        let readiness = Readiness::default();
        let ok = || {
            Ok(Health {
                status: "ok".to_owned(),
            })
        };
        readiness.known_or(ok).unwrap();
        // Somebody looks, and never comes back.
        let _hangs = readiness.looking.lock().unwrap();
        let known_since = |age| {
            let since = Instant::now().checked_sub(age).unwrap();
            readiness.known.lock().unwrap().as_mut().unwrap().since = since;
        };
        known_since(KNOWN_FOR * 2);
        readiness
            .known_or(|| panic!("somebody else looks"))
            .unwrap();
        known_since(LOOKS_WITHIN * 2);
        let late = readiness.known_or(|| panic!("somebody else looks"));
        assert!(late.unwrap_err().message().contains("within 2s"));
    }
}
