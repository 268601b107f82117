//! Whether the program turns, and whether the library answers.

use super::error::ApiError;
use super::request::Request;
use crate::wire::Health;

/// Who is answered is answered by a program that turns.
pub(super) fn ok() -> Health {
    Health {
        status: "ok".to_owned(),
    }
}

/// Whether the database and the model answer, with what is wrong where they do not.
pub(super) fn ready(Request { api, .. }: &Request) -> Result<Health, ApiError> {
    let library = &api.library;
    let count = library.store.image_count();
    count.map_err(|error| ApiError::not_ready(format!("the database does not answer: {error}")))?;
    let embedded = library.embedder.embed_texts(vec!["ready".to_owned()]);
    embedded.map_err(|error| ApiError::not_ready(format!("the model does not answer: {error}")))?;
    Ok(ok())
}
