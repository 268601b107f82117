//! What is done to the library as a whole, when it is asked for.

use super::error::ApiError;
use super::request::Request;
use crate::upkeep;
use crate::wire::{Forget, ForgetReport, Purge, PurgeReport, Roots};

type Result<T> = std::result::Result<T, ApiError>;

/// Takes out what has been gone for so long.
pub(super) fn purge(request: &Request) -> Result<PurgeReport> {
    let asked: Purge = request.json("bad_request")?;
    let api = &request.api;
    let days = api.clients.keep_days.or_deleted(asked.older_than_days);
    let library = &api.library;
    let report = upkeep::purge(&library.store, &library.folder, days, &library.stop);
    Ok(report?)
}

pub(super) fn roots(Request { api, .. }: &Request) -> Result<Roots> {
    Ok(Roots {
        roots: upkeep::known_roots(&api.library.store)?,
    })
}

/// Takes out what is not there, or not watched any more.
pub(super) fn forget(request: &Request) -> Result<ForgetReport> {
    let Forget { path } = request.json("bad_request")?;
    let library = &request.api.library;
    let (report, images) = upkeep::forget(&library.store, &library.folder, &path, &library.stop)?;
    library.let_go(&images)?;
    library.tagger.tell_news();
    Ok(report)
}
