//! Label sets, and the tags that came of them.

use warp::hyper::body::Bytes;

use super::error::ApiError;
use super::paging::{PAGE, Page, page};
use super::params::Known;
use super::request::Request;
use crate::store::TagCount;
use crate::wire::{Applied, LabelSetReport, LabelSets, Preview, Tags};

type Result<T> = std::result::Result<T, ApiError>;

pub(super) fn list(Request { api, .. }: &Request) -> LabelSets {
    let status = api.library.tagger.status().into_iter();
    LabelSets {
        label_sets: status.map(|(name, status)| (name, status.into())).collect(),
    }
}

pub(super) fn one(request: &Request) -> Result<LabelSetReport> {
    let tagger = &request.api.library.tagger;
    let name = request.part(0).parse()?;
    let text = tagger.text(&name)?;
    Ok(LabelSetReport {
        text,
        ..tagger.status_of(&name).into()
    })
}

pub(super) fn put(request: &Request) -> Result<Applied> {
    let tagger = &request.api.library.tagger;
    let name = request.part(0).parse()?;
    let applied = Applied::sum(&tagger.put(&name, text(&request.body)?)?);
    Ok(Applied {
        warnings: tagger.status_of(&name).warnings,
        ..applied
    })
}

pub(super) fn preview(request: &Request) -> Result<Preview> {
    let name = request.part(0).parse()?;
    let tagger = &request.api.library.tagger;
    Ok(tagger.preview(&name, text(&request.body)?)?)
}

fn text(body: &Bytes) -> Result<&str> {
    let not_text = |_| ApiError::bad_request("bad_label_set", "the body is not UTF-8 text");
    std::str::from_utf8(body).map_err(not_text)
}

pub(super) fn delete(request: &Request) -> Result<Applied> {
    let name = request.part(0).parse()?;
    let tagger = &request.api.library.tagger;
    Ok(Applied::sum(&tagger.delete(&name)?))
}

/// What is asked of the list of tags.
pub(super) const TAGS: Known = &[&PAGE];

/// All tags, the most frequent first; page by page by set and label.
pub(super) fn tags(Request { api, params, .. }: &Request) -> Result<Tags> {
    let all = api.library.store.tag_counts()?;
    let key = |tag: &TagCount| vec![tag.set.clone(), tag.label.clone()];
    let Page {
        entries: tags,
        cursor,
        total,
    } = page(params, all, key)?;
    Ok(Tags {
        tags,
        cursor,
        total,
    })
}
