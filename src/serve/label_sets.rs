//! Label sets, and the tags that came of them.

use std::collections::BTreeMap;

use serde::Serialize;
use warp::hyper::body::Bytes;

use super::Api;
use super::error::ApiError;
use super::request::Request;
use crate::store::TagCount;
use crate::tag::{self, LabelSet, Preview, SetStatus};

type Result<T> = std::result::Result<T, ApiError>;

#[derive(Serialize)]
pub(super) struct LabelSets {
    label_sets: BTreeMap<String, LabelSetReport>,
}

/// A label set as it is told to callers.
#[derive(Serialize)]
pub(super) struct LabelSetReport {
    /// The set in force.
    #[serde(flatten)]
    set: Option<LabelSet>,
    signature: Option<String>,
    /// What is wrong with its file; what is in force is then the last good state.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What will not do what its owner expects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// The text of its file.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl From<SetStatus> for LabelSetReport {
    fn from(status: SetStatus) -> LabelSetReport {
        let (set, signature) = status.active.unzip();
        LabelSetReport {
            set,
            signature,
            error: status.error.map(|error| error.to_string()),
            warnings: status.warnings,
            text: None,
        }
    }
}

pub(super) fn list(Request { api, .. }: &Request) -> LabelSets {
    let status = api.parts.tagger.status().into_iter();
    LabelSets {
        label_sets: status.map(|(name, status)| (name, status.into())).collect(),
    }
}

pub(super) fn one(Request { api, .. }: &Request, name: &str) -> Result<LabelSetReport> {
    let text = Some(api.parts.tagger.text(name)?);
    let status = status_of(api, name);
    Ok(LabelSetReport {
        text,
        ..status.into()
    })
}

fn status_of(api: &Api, name: &str) -> SetStatus {
    api.parts.tagger.status().remove(name).unwrap_or_default()
}

/// What a change of label sets did to the library's tags.
#[derive(Serialize)]
pub(super) struct Applied {
    added: usize,
    removed: usize,
    rescored: usize,
    /// What will not do what the set's owner expects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

pub(super) fn put(Request { api, body, .. }: &Request, name: &str) -> Result<Applied> {
    let applied = sum(&api.parts.tagger.put(name, text(body)?)?);
    Ok(Applied {
        warnings: status_of(api, name).warnings,
        ..applied
    })
}

pub(super) fn preview(Request { api, body, .. }: &Request, name: &str) -> Result<Preview> {
    Ok(api.parts.tagger.preview(name, text(body)?)?)
}

fn text(body: &Bytes) -> Result<&str> {
    let not_text = |_| ApiError::bad_request("bad_label_set", "the body is not UTF-8 text");
    std::str::from_utf8(body).map_err(not_text)
}

pub(super) fn delete(Request { api, .. }: &Request, name: &str) -> Result<Applied> {
    Ok(sum(&api.parts.tagger.delete(name)?))
}

fn sum(applied: &[tag::Applied]) -> Applied {
    let total = |part: fn(&tag::Applied) -> usize| applied.iter().map(part).sum();
    Applied {
        added: total(|set| set.difference.added),
        removed: total(|set| set.difference.removed),
        rescored: total(|set| set.difference.rescored),
        warnings: Vec::new(),
    }
}

#[derive(Serialize)]
pub(super) struct Tags {
    tags: Vec<TagCount>,
}

pub(super) fn tags(Request { api, .. }: &Request) -> Result<Tags> {
    Ok(Tags {
        tags: api.parts.store.tag_counts()?,
    })
}
