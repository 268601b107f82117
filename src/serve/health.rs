//! Whether the program turns, and whether the library answers.

use super::error::ApiError;
use super::request::Request;
use crate::search::{Query, Slice};
use crate::wire::Health;

/// Who is answered is answered by a program that turns.
pub(super) fn ok() -> Health {
    Health {
        status: "ok".to_owned(),
    }
}

/// Whether the database, the model and the index answer, with what is wrong where they do not.
pub(super) fn ready(Request { api, .. }: &Request) -> Result<Health, ApiError> {
    let count = api.library.store.image_count();
    count.map_err(|error| ApiError::not_ready(format!("the database does not answer: {error}")))?;
    let found = api.search.run(&Query::text("ready"), &Slice::first(1));
    found.map_err(|error| ApiError::not_ready(format!("a search is not answered: {error}")))?;
    Ok(ok())
}
