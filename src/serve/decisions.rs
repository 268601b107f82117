//! Decisions over HTTP: on one image, on a selection, listed and imported.

use super::Api;
use super::error::ApiError;
use super::paging::{PAGE, Page, page};
use super::params::{Known, Parameter, Value, image_hash, one};
use super::request::Request;
use crate::search::SearchError;
use crate::spelling;
use crate::store::{
    BadDecision, ContentHash, Decision, LABEL_CHARACTERS, LabelRef, SET_NAME_CHARACTERS, Verdict,
    WhichDecisions,
};
use crate::wire::{DecideMany, DecideOne, Decided, Decisions, SearchRequest};

type Result<T> = std::result::Result<T, ApiError>;

/// Which decisions are listed; all of them where nothing is said.
pub(super) const WHICH: Known = &[&ABOUT, &PAGE];

const ABOUT: [Parameter; 3] = [
    one(
        "set",
        Value::Text(SET_NAME_CHARACTERS),
        "Name or `id` of a label set.",
    ),
    one("label", Value::Text(LABEL_CHARACTERS), "Name of a label."),
    one("image", Value::Image, "An image."),
];

pub(super) fn list(Request { api, params, .. }: &Request) -> Result<Decisions> {
    let which = WhichDecisions {
        set: params.get("set").map(|set| api.library.tagger.key_of(set)),
        label: params
            .get("label")
            .map(|label| spelling::composed(label).into_owned()),
        images: params
            .get("image")
            .map(|id| Ok::<_, ApiError>(vec![image_hash(id)?]))
            .transpose()?,
    };
    let all = api.library.store.decisions(&which)?;
    let key = |on: &Decision| vec![on.set.clone(), on.label.clone(), on.image.to_string()];
    let Page {
        entries: decisions,
        cursor,
        total,
    } = page(params, all, key)?;
    Ok(Decisions {
        decisions,
        cursor,
        total,
    })
}

/// The image that one decision is about, and its label, as they stand in the address.
fn about(request: &Request) -> Result<(Vec<ContentHash>, LabelRef)> {
    let image = image_hash(request.part(0))?;
    let label = LabelRef {
        set: request.part(1).to_owned(),
        label: request.part(2).parse()?,
    };
    Ok((vec![image], label))
}

/// Decides about one image.
pub(super) fn put(request: &Request) -> Result<Decided> {
    let DecideOne { decision } = request.json("bad_decision")?;
    let (images, label) = about(request)?;
    decide(&request.api, &label, Some(decision), images)
}

/// Takes the decision on one image back.
pub(super) fn delete(request: &Request) -> Result<Decided> {
    let (images, label) = about(request)?;
    decide(&request.api, &label, None, images)
}

/// Decides about several images.
pub(super) fn post(request: &Request) -> Result<Decided> {
    let api = &request.api;
    let DecideMany {
        set,
        label,
        decision,
        mut images,
        search,
    } = request.json("bad_decision")?;
    if let Some(search) = search {
        images.extend(found(api, search)?);
    }
    decide(api, &LabelRef { set, label }, decision, images)
}

fn found(api: &Api, request: SearchRequest) -> Result<Vec<ContentHash>> {
    let (query, slice) = request.read()?;
    let items = api.search.run(&query, &slice)?.items.into_iter();
    Ok(items.map(|item| item.id).collect())
}

fn decide(
    api: &Api,
    label: &LabelRef,
    verdict: Option<Verdict>,
    images: Vec<ContentHash>,
) -> Result<Decided> {
    let known = api.library.store.images_by_hash(&images)?;
    if let Some(unknown) = images.iter().find(|image| !known.contains_key(image)) {
        return Err(SearchError::UnknownImage(*unknown).into());
    }
    Ok(Decided {
        images: images.len(),
        changed: api.library.tagger.decide_on(label, verdict, images)?,
    })
}

/// Reads decisions as they were exported, a line of JSON each: all of them or, where one is wrong, none.
pub(super) fn import(Request { api, body, .. }: &Request) -> Result<Decided> {
    let bad = |error: BadDecision| ApiError::bad_request("bad_decision", error.to_string());
    let decisions = Decision::parse_lines(body).map_err(bad)?;
    Ok(Decided {
        images: decisions.len(),
        changed: api.library.tagger.decide(&decisions)?,
    })
}
