//! What reaches a handler.

use std::sync::Arc;

use serde::Deserialize;
use warp::http::HeaderMap;
use warp::hyper::body::Bytes;

use super::Api;
use super::access::{Shown, Who};
use super::asker::Asker;
use super::error::ApiError;
use super::params::Params;

/// A request that came to its route.
pub(super) struct Request {
    pub(super) api: Arc<Api>,
    /// The parts of its address that people chose, decoded, in their order.
    pub(super) parts: Vec<String>,
    pub(super) params: Params,
    pub(super) body: Bytes,
    pub(super) headers: HeaderMap,
    pub(super) asker: Asker,
    pub(super) shown: Shown,
    pub(super) who: Who,
}

impl Request {
    /// Its body, which is a document of JSON; `code` is what one that is wrong is refused by.
    pub(super) fn json<'a, T: Deserialize<'a>>(
        &'a self,
        code: &'static str,
    ) -> Result<T, ApiError> {
        let bad = |error| ApiError::bad_request(code, format!("the body is wrong: {error}"));
        serde_json::from_slice(&self.body).map_err(bad)
    }

    /// A part of the address: the route has it.
    pub(super) fn part(&self, place: usize) -> &str {
        self.parts.get(place).map_or("", String::as_str)
    }
}
