//! Any text behind the `?` of an address.

use super::params::Params;
use super::{decisions, files, search};
use crate::search::Query;

/// What each route that takes parameters makes of it: the query that it asks for.
pub(crate) fn address(raw: &str) -> Option<Query> {
    let known = [
        search::RANKING,
        search::LIST,
        search::DUPLICATES,
        decisions::WHICH,
        files::THUMBNAIL,
    ];
    let read = known.map(|known| Params::read(raw, known).ok());
    let params = read.into_iter().flatten().next()?;
    params.slice().ok()?;
    params.query().ok()
}
