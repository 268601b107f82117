//! What stands behind the `?` of an address.

use std::fmt::Display;

use super::error::ApiError;
use crate::search;
use crate::store::{ContentHash, Filter, ImageId};

/// Hits when no `limit` is given.
pub(super) const DEFAULT_LIMIT: usize = 50;

/// The largest `limit`: an answer must fit in memory and in patience.
const MAX_LIMIT: usize = 1000;

/// The parameters of one request, in the order in which they stand; names may repeat.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `name=value&…`; form encoding takes any text, so this cannot fail.
    pub(super) fn parse(raw: &str) -> Params {
        Params(
            form_urlencoded::parse(raw.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// Refuses names that mean nothing here: a misspelt filter must not look like one that lets everything pass.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        match self
            .0
            .iter()
            .find(|(name, _)| !known.contains(&name.as_str()))
        {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::bad_request(
                "unknown_parameter",
                format!(
                    "`{name}` is not a parameter here; known are {}",
                    known.join(", ")
                ),
            )),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn limit(&self) -> Result<usize, ApiError> {
        let Some(text) = self.get("limit") else {
            return Ok(DEFAULT_LIMIT);
        };
        text.parse()
            .map_or_else(|_| Err(bad_limit(text)), checked_limit)
    }

    pub(super) fn cursor(&self) -> Result<Option<ImageId>, ApiError> {
        let parse = |text: &str| {
            let message = format!("`{text}` is not a cursor of an earlier answer");
            text.parse()
                .map(ImageId)
                .map_err(|_| ApiError::bad_request("bad_cursor", message))
        };
        self.get("cursor").map(parse).transpose()
    }

    pub(super) fn filter(&self) -> Filter {
        let tags = self
            .0
            .iter()
            .filter(|(name, _)| name == "tag")
            .map(|(_, value)| value.clone())
            .collect();
        let owned = |name| self.get(name).map(str::to_owned);
        search::filter(tags, owned("path"), owned("after"), owned("before"))
    }
}

/// A limit that an answer can be made for.
pub(super) fn checked_limit(limit: usize) -> Result<usize, ApiError> {
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    Err(bad_limit(limit))
}

fn bad_limit(given: impl Display) -> ApiError {
    let message = format!("`limit` must be a number from 1 to {MAX_LIMIT}, not `{given}`");
    ApiError::bad_request("bad_limit", message)
}

/// Reads an image id from an address.
pub(super) fn image_hash(text: &str) -> Result<ContentHash, ApiError> {
    let message = format!("`{text}` is not an image id, which has 64 hexadecimal digits");
    text.parse()
        .map_err(|_| ApiError::bad_request("bad_image_id", message))
}
