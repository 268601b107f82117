//! Pictures that are looked for: by a query, by a filter, or because they are the same.

use std::time::Instant;

use super::Api;
use super::error::ApiError;
use super::params::Value::{self, Text};
use super::params::{CURSOR, Known, LIMIT, OFFSET, Parameter, TOTAL, list, one};
use super::request::Request;
use crate::figures::FIGURES;
use crate::search::{self, BadQuery, DuplicateCriterion, Query, SearchError, Slice};
use crate::store::{self, Order};
use crate::wire::{Answer, Brought, Duplicates, Parsed, Places, QueryError, SearchRequest};

type Result<T> = std::result::Result<T, ApiError>;

/// Parameters that say which pictures.
const WHICH: [Parameter; 5] = [
    one(
        "q",
        Text(search::MOST_QUERY_CHARACTERS),
        "What is looked for, in plain words; `name:value` terms filter, and a `-` before a word or term is for what is to be avoided.",
    ),
    list(
        "tag",
        Text(store::VALUE_CHARACTERS),
        "A label that images must carry, `label` or `set/label`.",
    ),
    list(
        "path",
        Text(store::VALUE_CHARACTERS),
        "A folder or glob in one of which a file must lie.",
    ),
    one("after", Value::Date, "Taken at this local time or later."),
    one("before", Value::Date, "Taken before this local time."),
];

/// Parameters that say which part of an answer.
pub(super) const PART: [Parameter; 6] = [
    LIMIT,
    CURSOR,
    OFFSET,
    TOTAL,
    one(
        "order",
        Value::OneOf(Order::NAMES),
        "The order, where only filters are given; `-` turns it round. `-added` where none is given.",
    ),
    one(
        "facets",
        Value::Flag,
        "Whether all hits are counted, by tag, month, folder, camera and format; a kind of values that is filtered by, as if it was not.",
    ),
];

/// Parameters that say how images are ranked.
const RANKED: [Parameter; 2] = [
    one(
        "similar",
        Value::Image,
        "An image of the library that they should be like.",
    ),
    one(
        "strictness",
        Value::Integer(0, 100),
        "How much a hit must stand out.",
    ),
];

/// Parameters that say what a duplicate is.
const ALIKE: [Parameter; 2] = [
    one(
        "by",
        Value::OneOf(&["similarity", "hash"]),
        "Whether images must look alike, or be the same to the byte.",
    ),
    one(
        "similarity",
        Value::Number(0.5, 1.0),
        "How similar their embeddings must be.",
    ),
];

/// A list, which nothing ranks.
pub(super) const LIST: Known = &[&WHICH, &PART];

/// A ranking.
pub(super) const RANKING: Known = &[&WHICH, &RANKED, &PART];

/// A look for duplicates.
pub(super) const DUPLICATES: Known = &[&ALIKE, &WHICH, &[LIMIT, CURSOR]];

pub(super) fn search(Request { api, params, .. }: &Request) -> Result<Answer> {
    let query = params.query()?;
    if query == Query::default() {
        let message =
            "say what to look for: a description or filters in `q`, or an image in `similar`";
        return Err(ApiError::bad_request("empty_query", message));
    }
    answered(api, &query, &params.slice()?)
}

pub(super) fn form(request: &Request) -> Result<Answer> {
    let asked: SearchRequest = request.json("bad_query")?;
    let (query, slice) = asked.read()?;
    answered(&request.api, &query, &slice)
}

pub(super) fn images(Request { api, params, .. }: &Request) -> Result<Answer> {
    let query = params.query()?;
    query.only_filter()?;
    answered(api, &query, &params.slice()?)
}

pub(super) fn answered(api: &Api, query: &Query, slice: &Slice) -> Result<Answer> {
    let started = Instant::now();
    let answer = api.search.run(query, slice)?;
    FIGURES.searches.add(query.kind(), started.elapsed());
    Ok(answer)
}

/// A query that is only read.
pub(super) const PARSED: Known = &[&[one(
    "q",
    Text(search::MOST_QUERY_CHARACTERS),
    "A query in its short form.",
)]];

/// What a query is made of, also of one that is wrong.
pub(super) fn parsed(Request { params, .. }: &Request) -> Parsed {
    match search::parts(params.get("q").unwrap_or_default()) {
        Ok(parts) => Parsed { parts, error: None },
        Err(BadQuery { at, mistake }) => Parsed {
            parts: Vec::new(),
            error: Some(QueryError {
                at,
                mistake: mistake.to_string(),
            }),
        },
    }
}

/// A picture that is brought to search with.
pub(super) fn bring(Request { api, body, .. }: &Request) -> Result<Brought> {
    Ok(Brought {
        id: api.search.bring(body)?,
    })
}

/// Where on the map, and how closely it is looked at.
pub(super) const PLACES: Known = &[
    &WHICH,
    &[one(
        "cell_degrees",
        Value::Number(0.0001, 90.0),
        "The side of a cell in degrees, 1 where nothing is said.",
    )],
];

/// Where the pictures were taken that a query finds.
pub(super) fn places(Request { api, params, .. }: &Request) -> Result<Places> {
    let text = params.get("cell_degrees").unwrap_or("1");
    let degrees = text
        .parse()
        .ok()
        .filter(|degrees| (0.0001..=90.0).contains(degrees));
    let bad = || {
        let message = format!("`cell_degrees` is a number from 0.0001 to 90, not `{text}`");
        ApiError::bad_request("bad_parameter", message)
    };
    let found = api.search.found(&params.query()?)?;
    let (cells, placed) = api.library.store.cells(&found, degrees.ok_or_else(bad)?)?;
    Ok(Places {
        cells,
        nowhere: found.len() - placed,
    })
}

pub(super) fn duplicates(Request { api, params, .. }: &Request) -> Result<Duplicates> {
    let likeness = likeness(params.get("by"), params.get("similarity"))?;
    let (limit, cursor) = (params.limit()?, params.get("cursor"));
    let query = params.query()?;
    Ok(api.search.duplicates(likeness, &query, limit, cursor)?)
}

fn likeness(by: Option<&str>, similarity: Option<&str>) -> Result<DuplicateCriterion> {
    match (by, similarity) {
        (Some("hash"), _) => Ok(DuplicateCriterion::Hash),
        (None | Some("similarity"), None) => {
            Ok(DuplicateCriterion::Similarity(search::LEAST_SIMILARITY))
        }
        (None | Some("similarity"), Some(text)) => text
            .parse()
            .map(DuplicateCriterion::Similarity)
            .map_err(|_| SearchError::BadSimilarity(text.to_owned()).into()),
        (Some(by), _) => {
            let message = format!("`by` is `hash` or `similarity`, not `{by}`");
            Err(ApiError::bad_request("bad_likeness", message))
        }
    }
}
