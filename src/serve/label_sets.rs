//! Label sets, and the tags that came of them.

use warp::hyper::body::Bytes;

use super::Api;
use super::error::ApiError;
use super::request::Request;
use crate::tag::SetStatus;
use crate::wire::{Applied, LabelSetReport, LabelSets, Preview, Tags};

type Result<T> = std::result::Result<T, ApiError>;

pub(super) fn list(Request { api, .. }: &Request) -> LabelSets {
    let status = api.library.tagger.status().into_iter();
    LabelSets {
        label_sets: status.map(|(name, status)| (name, status.into())).collect(),
    }
}

pub(super) fn one(Request { api, .. }: &Request, name: &str) -> Result<LabelSetReport> {
    let text = Some(api.library.tagger.text(&name.parse()?)?);
    let status = status_of(api, name);
    Ok(LabelSetReport {
        text,
        ..status.into()
    })
}

fn status_of(api: &Api, name: &str) -> SetStatus {
    api.library.tagger.status().remove(name).unwrap_or_default()
}

pub(super) fn put(Request { api, body, .. }: &Request, name: &str) -> Result<Applied> {
    let applied = Applied::sum(&api.library.tagger.put(&name.parse()?, text(body)?)?);
    Ok(Applied {
        warnings: status_of(api, name).warnings,
        ..applied
    })
}

pub(super) fn preview(Request { api, body, .. }: &Request, name: &str) -> Result<Preview> {
    Ok(api.library.tagger.preview(&name.parse()?, text(body)?)?)
}

fn text(body: &Bytes) -> Result<&str> {
    let not_text = |_| ApiError::bad_request("bad_label_set", "the body is not UTF-8 text");
    std::str::from_utf8(body).map_err(not_text)
}

pub(super) fn delete(Request { api, .. }: &Request, name: &str) -> Result<Applied> {
    Ok(Applied::sum(&api.library.tagger.delete(&name.parse()?)?))
}

pub(super) fn tags(Request { api, .. }: &Request) -> Result<Tags> {
    Ok(Tags {
        tags: api.library.store.tag_counts()?,
    })
}
