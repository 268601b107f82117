//! Whether the program turns, and whether the library answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::ApiError;
use super::request::Request;
use crate::search::{Query, Slice};
use crate::wire::Health;

/// Who is answered is answered by a program that turns.
#[expect(
    clippy::unnecessary_wraps,
    reason = "handlers are of one shape, so that the document is made of their types"
)]
pub(super) fn live(_: &Request) -> Result<Health, ApiError> {
    Ok(Health {
        status: "ok".to_owned(),
    })
}

/// How ready it was a moment ago: who asks again and again, and need not say who they are, is no load. Cheap to clone; every clone is
/// the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Readiness(Arc<Mutex<Option<Known>>>);

#[derive(Debug)]
struct Known {
    since: Instant,
    is_ready: Result<Health, ApiError>,
}

/// For so long nobody looks again.
const KNOWN_FOR: Duration = Duration::from_millis(250);

/// Whether the database, the model and the index answer, with what is wrong where they do not.
pub(super) fn ready(request: &Request) -> Result<Health, ApiError> {
    let Readiness(known) = &request.api.clients.readiness;
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = known
        .as_ref()
        .filter(|known| known.since.elapsed() < KNOWN_FOR)
    {
        return known.is_ready.clone();
    }
    let is_ready = look(request);
    *known = Some(Known {
        since: Instant::now(),
        is_ready: is_ready.clone(),
    });
    is_ready
}

fn look(request: &Request) -> Result<Health, ApiError> {
    let api = &request.api;
    let count = api.library.store.image_count();
    count.map_err(|error| ApiError::not_ready(format!("the database does not answer: {error}")))?;
    let found = api.search.run(&Query::text("ready"), &Slice::first(1));
    found.map_err(|error| ApiError::not_ready(format!("a search is not answered: {error}")))?;
    live(request)
}
