//! Label sets, and the tags that came of them.

use std::ops::RangeInclusive;

use warp::hyper::body::Bytes;

use super::error::ApiError;
use super::paging::{PAGE, Page, page};
use super::params::{Known, LIMIT, Value, one};
use super::request::Request;
use crate::store::{LABEL_CHARACTERS, SetName, TagCount};
use crate::tag::{Closer, LabelSet, SetEdit};
use crate::wire::{Applied, EditText, Edited, LabelSetReport, LabelSets, Preview, Review, Tags};

type Result<T> = std::result::Result<T, ApiError>;

pub(super) fn list(Request { api, .. }: &Request) -> LabelSets {
    let status = api.library.tagger.status().into_iter();
    LabelSets {
        label_sets: status.map(|(name, status)| (name, status.into())).collect(),
    }
}

pub(super) fn by_name(request: &Request) -> Result<LabelSetReport> {
    let tagger = &request.api.library.tagger;
    let name = request.part(0).parse()?;
    let text = tagger.text(&name)?;
    Ok(LabelSetReport {
        text,
        ..tagger.status_of(&name).into()
    })
}

pub(super) fn put(request: &Request) -> Result<Applied> {
    let name = request.part(0).parse()?;
    written(request, &name, text(&request.body)?)
}

fn written(request: &Request, name: &SetName, text: &str) -> Result<Applied> {
    let tagger = &request.api.library.tagger;
    let applied = Applied::sum(&tagger.put(name, text)?);
    Ok(Applied {
        warnings: tagger.status_of(name).warnings,
        ..applied
    })
}

pub(super) fn preview(request: &Request) -> Result<Preview> {
    let name = request.part(0).parse()?;
    let tagger = &request.api.library.tagger;
    let closer = match request.params.get("label") {
        None => None,
        Some(label) => Some(Closer {
            label: label.parse()?,
            near: request.params.number("near", NEAR)?.unwrap_or(24),
        }),
    };
    Ok(tagger.preview(&name, text(&request.body)?, closer.as_ref())?)
}

/// So many pictures are shown on each side of a threshold.
const NEAR: RangeInclusive<i64> = 1..=100;

/// What is asked of a preview.
pub(super) const PREVIEW: Known = &[&[
    one(
        "label",
        Value::Text(LABEL_CHARACTERS),
        "A label that is looked at more closely: what other thresholds would do, and more pictures near to its own.",
    ),
    one(
        "near",
        Value::Integer(*NEAR.start(), *NEAR.end()),
        "So many pictures on each side of that label's threshold.",
    ),
]];

/// The text of a set with a change, which is not written.
pub(super) fn edited(request: &Request) -> Result<Edited> {
    let EditText { text, edit } = request.json("bad_edit")?;
    let text = match text {
        Some(text) => text,
        None => request
            .api
            .library
            .tagger
            .text(&request.part(0).parse()?)?
            .unwrap_or_default(),
    };
    let text = edit.apply(&text)?;
    let (set, error) = match LabelSet::parse(&text) {
        Ok(set) => (Some(set), None),
        Err(error) => (None, Some(error.to_string())),
    };
    Ok(Edited { text, set, error })
}

/// Changes a set's file and leaves the rest of its text as it is.
pub(super) fn patch(request: &Request) -> Result<Applied> {
    let edit: SetEdit = request.json("bad_edit")?;
    let tagger = &request.api.library.tagger;
    let name = request.part(0).parse()?;
    let text = tagger.text(&name)?.unwrap_or_default();
    written(request, &name, &edit.apply(&text)?)
}

/// What is asked of a review.
pub(super) const REVIEW: Known = &[&[LIMIT]];

pub(super) fn review(request: &Request) -> Result<Review> {
    let tagger = &request.api.library.tagger;
    let (set, label) = (request.part(0).parse()?, request.part(1).parse()?);
    Ok(tagger.review(&set, &label, request.params.limit()?)?)
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
