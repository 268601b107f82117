//! Whether the program turns, and whether the library answers.

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

/// Whether the database, the model and the index answer, with what is wrong where they do not.
pub(super) fn ready(request: &Request) -> Result<Health, ApiError> {
    let api = &request.api;
    let count = api.library.store.image_count();
    count.map_err(|error| ApiError::not_ready(format!("the database does not answer: {error}")))?;
    let found = api.search.run(&Query::text("ready"), &Slice::first(1));
    found.map_err(|error| ApiError::not_ready(format!("a search is not answered: {error}")))?;
    live(request)
}
