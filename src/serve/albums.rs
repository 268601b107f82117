//! Searches that their owner keeps: albums that fill themselves.

use super::error::ApiError;
use super::params::Known;
use super::request::Request;
use super::search::{PART, answered};
use crate::search::{self, SearchError};
use crate::store::{Order, SavedSearch};
use crate::wire::{Answer, BadSearch, SaveSearch, SavedSearches, SearchRemoved};

type Result<T> = std::result::Result<T, ApiError>;

pub(super) fn list(Request { api, .. }: &Request) -> Result<SavedSearches> {
    Ok(SavedSearches {
        searches: api.library.store.searches()?,
    })
}

/// Keeps a search that can be read.
pub(super) fn put(request: &Request) -> Result<SavedSearch> {
    let SaveSearch { q, order } = request.json("bad_search")?;
    search::parse(&q).map_err(SearchError::from)?;
    read_order(order.as_deref())?;
    let store = &request.api.library.store;
    store.save_search(request.part(0), &q, order.as_deref())?;
    one(request)
}

pub(super) fn delete(request: &Request) -> Result<SearchRemoved> {
    let store = &request.api.library.store;
    Ok(SearchRemoved {
        removed: store.remove_search(request.part(0))?,
    })
}

/// What is asked of an album.
pub(super) const ALBUM: Known = &[&PART];

/// The images that it finds now.
pub(super) fn images(request: &Request) -> Result<Answer> {
    let search = one(request)?;
    let query = search::parse(&search.q).map_err(SearchError::from)?;
    let mut slice = request.params.slice()?;
    if query.terms.is_empty() {
        slice.order = slice.order.or(read_order(search.order.as_deref())?);
    }
    answered(&request.api, &query, &slice)
}

fn one(request: &Request) -> Result<SavedSearch> {
    let name = request.part(0);
    let found = request.api.library.store.search(name)?;
    found.ok_or_else(|| {
        ApiError::not_found("unknown_search", format!("no search is kept as `{name}`"))
    })
}

fn read_order(order: Option<&str>) -> Result<Option<Order>> {
    let order = order.map(str::parse);
    Ok(order.transpose().map_err(BadSearch::Order)?)
}
