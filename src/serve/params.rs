//! What stands behind the `?` of an address.

use super::error::ApiError;
use crate::search::{self, Query, SearchError, Slice};
use crate::store::{BadImageId, ContentHash, PartialDate};
use crate::wire::{BadSearch, DEFAULT_LIMIT, read_limit, read_strictness};

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
        let limit = self.get("limit").map_or(Ok(DEFAULT_LIMIT), read_limit);
        Ok(limit?)
    }

    /// The query: its short form in `q`, an image in `similar`, and filters each by its own name, which all hold.
    pub(super) fn query(&self) -> Result<Query, ApiError> {
        let mut query =
            search::parse(self.get("q").unwrap_or_default()).map_err(SearchError::from)?;
        if let Some(id) = self.get("similar") {
            query.terms.extend(Query::similar(image_hash(id)?).terms);
        }
        if let Some(text) = self.get("strictness") {
            query.strictness = Some(read_strictness(text)?);
        }
        let filter = &mut query.filter;
        filter.all_tags.extend(self.all("tag"));
        filter.paths.extend(self.all("path"));
        filter.after = self.date("after")?.or(filter.after.take());
        filter.before = self.date("before")?.or(filter.before.take());
        Ok(query)
    }

    /// The part of an answer that is wanted.
    pub(super) fn slice(&self) -> Result<Slice, ApiError> {
        Ok(Slice {
            limit: self.limit()?,
            cursor: self.given("cursor"),
            facets: self.flag("facets")?,
        })
    }

    fn date(&self, name: &str) -> Result<Option<PartialDate>, ApiError> {
        let date = self.given(name).map(|text| text.parse());
        Ok(date.transpose().map_err(BadSearch::Date)?)
    }

    fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(ApiError::bad_request(
                "bad_parameter",
                format!("`{name}` is true or false, not `{other}`"),
            )),
        }
    }

    /// All values of a name, but for empty ones: forms send those for what nobody filled in.
    fn all(&self, name: &str) -> impl Iterator<Item = String> {
        let named = self
            .0
            .iter()
            .filter(move |(known, value)| known == name && !value.is_empty());
        named.map(|(_, value)| value.clone())
    }

    fn given(&self, name: &str) -> Option<String> {
        self.all(name).next()
    }
}

/// Reads an image id from an address.
pub(super) fn image_hash(text: &str) -> Result<ContentHash, ApiError> {
    text.parse()
        .map_err(|error: BadImageId| ApiError::bad_request("bad_image_id", error.to_string()))
}
