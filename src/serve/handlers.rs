//! One function for each route: reads the request, asks the library, gives back what is to be said.

use std::collections::BTreeMap;

use serde::Serialize;
use warp::http::HeaderValue;
use warp::http::header;
use warp::hyper::body::Bytes;
use warp::reply::{self, Reply, Response};

use super::error::ApiError;
use super::form::Form;
use super::params::{Params, image_hash};
use super::{Api, thumbnail};
use crate::index::IndexStatus;
use crate::ingest::ProgressReport;
use crate::search::{self, Answer, Duplicates, FailureList, Item, Query, SameBy};
use crate::store::{HookStatus, ImageRow, TagCount};
use crate::tag::{LabelSet, Preview, SetStatus};

type Result<T> = std::result::Result<T, ApiError>;

/// Parameters of a query, and of the part of its answer that is wanted.
const QUERY: [&str; 10] = [
    "q",
    "similar",
    "strictness",
    "tag",
    "path",
    "after",
    "before",
    "limit",
    "cursor",
    "facets",
];

pub(super) fn search(api: &Api, params: &Params) -> Result<Answer> {
    params.only(&QUERY)?;
    let query = params.query()?;
    if query == Query::default() {
        let message =
            "say what to look for: a description or filters in `q`, or an image in `similar`";
        return Err(ApiError::bad_request("empty_query", message));
    }
    Ok(api.search.run(&query, &params.slice()?)?)
}

pub(super) fn search_form(api: &Api, body: &Bytes) -> Result<Answer> {
    let (query, slice) = Form::parse(body)?;
    Ok(api.search.run(&query, &slice)?)
}

pub(super) fn images(api: &Api, params: &Params) -> Result<Answer> {
    params.only(&[
        "q", "tag", "path", "after", "before", "limit", "cursor", "facets",
    ])?;
    let query = params.query()?;
    query.only_filter()?;
    Ok(api.search.run(&query, &params.slice()?)?)
}

pub(super) fn duplicates(api: &Api, params: &Params) -> Result<Duplicates> {
    params.only(&[
        "by",
        "similarity",
        "q",
        "tag",
        "path",
        "after",
        "before",
        "limit",
    ])?;
    let likeness = likeness(params.get("by"), params.get("similarity"))?;
    Ok(api
        .search
        .duplicates(likeness, &params.query()?, params.limit()?)?)
}

fn likeness(by: Option<&str>, similarity: Option<&str>) -> Result<SameBy> {
    let bad = |name, allowed, given: &str| {
        let message = format!("`{name}` is {allowed}, not `{given}`");
        ApiError::bad_request("bad_likeness", message)
    };
    match (by, similarity) {
        (Some("hash"), _) => Ok(SameBy::Hash),
        (None | Some("similarity"), None) => Ok(SameBy::Similarity(search::LEAST_SIMILARITY)),
        (None | Some("similarity"), Some(text)) => text
            .parse()
            .map(SameBy::Similarity)
            .map_err(|_| bad("similarity", "a number from 0.5 to 1", text)),
        (Some(by), _) => Err(bad("by", "`hash` or `similarity`", by)),
    }
}

pub(super) fn image(api: &Api, id: &str) -> Result<Item> {
    Ok(row(api, id)?.into())
}

fn row(api: &Api, id: &str) -> Result<ImageRow> {
    let hash = image_hash(id)?;
    let unknown = || ApiError::not_found("unknown_image", format!("there is no image `{id}`"));
    let image = api.parts.store.image_by_hash(&hash)?.ok_or_else(unknown)?;
    api.parts.store.images(&[image])?.pop().ok_or_else(unknown)
}

/// The original file as a stream.
pub(super) async fn file(api: Api, id: String) -> Result<Response> {
    let found = blocking(&api, move |api| {
        let row = row(api, &id)?;
        let path = api
            .parts
            .store
            .readable_paths(row.id)?
            .into_iter()
            .next()
            .ok_or_else(offline)?;
        Ok((row, path))
    });
    let (row, path) = found.await?;
    let file = tokio::fs::File::open(&path).await.map_err(|_| offline())?;
    let length = file.metadata().await.map_err(ApiError::internal)?.len();
    let mut response = reply::stream(tokio_util::io::ReaderStream::new(file)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CONTENT_TYPE, content_type(&row.metadata.format));
    Ok(response)
}

fn offline() -> ApiError {
    ApiError::not_found(
        "offline",
        "no file that holds this image can be read now: its folder is away",
    )
}

fn content_type(format: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("image/{format}"))
        .unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

pub(super) fn thumbnail(api: &Api, id: &str, params: &Params) -> Result<Response> {
    params.only(&["size"])?;
    let wanted = params.get("size").unwrap_or("320");
    let bad_size = |_| {
        ApiError::bad_request(
            "bad_size",
            format!("`size` must be a number of pixels, not `{wanted}`"),
        )
    };
    let size = thumbnail::nearest_size(wanted.parse().map_err(bad_size)?);
    let row = row(api, id)?;
    let original = api.parts.store.readable_paths(row.id)?.into_iter().next();
    let bytes = thumbnail::get(
        &api.thumbnails,
        &row.hash,
        size,
        original.as_deref(),
        &api.parts.decode,
    )
    .map_err(ApiError::internal)?
    .ok_or_else(offline)?;
    let mut response = Response::new(bytes.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
    // The address names the content, so what it gives never changes.
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=31536000, immutable"),
    );
    Ok(response)
}

#[derive(Serialize)]
pub(super) struct Tags {
    tags: Vec<TagCount>,
}

pub(super) fn tags(api: &Api) -> Result<Tags> {
    Ok(Tags {
        tags: api.parts.store.tag_counts()?,
    })
}

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

pub(super) fn label_sets(api: &Api) -> LabelSets {
    let status = api.parts.tagger.status().into_iter();
    LabelSets {
        label_sets: status.map(|(name, status)| (name, status.into())).collect(),
    }
}

pub(super) fn label_set(api: &Api, name: &str) -> Result<LabelSetReport> {
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

pub(super) fn put_label_set(api: &Api, name: &str, body: &Bytes) -> Result<Applied> {
    let applied = sum(&api.parts.tagger.put(name, text(body)?)?);
    Ok(Applied {
        warnings: status_of(api, name).warnings,
        ..applied
    })
}

pub(super) fn preview_label_set(api: &Api, name: &str, body: &Bytes) -> Result<Preview> {
    Ok(api.parts.tagger.preview(name, text(body)?)?)
}

fn text(body: &Bytes) -> Result<&str> {
    let not_text = |_| ApiError::bad_request("bad_label_set", "the body is not UTF-8 text");
    std::str::from_utf8(body).map_err(not_text)
}

pub(super) fn delete_label_set(api: &Api, name: &str) -> Result<Applied> {
    Ok(sum(&api.parts.tagger.delete(name)?))
}

fn sum(applied: &[crate::tag::Applied]) -> Applied {
    let total = |part: fn(&crate::tag::Applied) -> usize| applied.iter().map(part).sum();
    Applied {
        added: total(|set| set.difference.added),
        removed: total(|set| set.difference.removed),
        rescored: total(|set| set.difference.rescored),
        warnings: Vec::new(),
    }
}

#[derive(Serialize)]
pub(super) struct Status {
    version: &'static str,
    model: ModelStatus,
    images: usize,
    /// Files by state.
    files: BTreeMap<String, i64>,
    /// Since the start.
    progress: ProgressReport,
    index: IndexStatus,
    roots: Vec<RootStatus>,
    label_sets: BTreeMap<String, LabelSetStatus>,
    hooks: BTreeMap<String, HookStatus>,
}

#[derive(Serialize)]
struct ModelStatus {
    name: String,
    fingerprint: String,
    embedding_dim: usize,
    device: &'static str,
    precision: &'static str,
}

#[derive(Serialize)]
struct RootStatus {
    path: String,
    online: bool,
}

#[derive(Serialize)]
struct LabelSetStatus {
    labels: usize,
    error: Option<String>,
    warnings: Vec<String>,
}

pub(super) fn status(api: &Api) -> Result<Status> {
    let parts = &api.parts;
    let index = parts.index.status();
    let roots = parts.store.roots()?.into_iter();
    Ok(Status {
        version: env!("CARGO_PKG_VERSION"),
        model: ModelStatus {
            name: parts.embedder.name().to_owned(),
            fingerprint: parts.embedder.fingerprint().to_owned(),
            embedding_dim: parts.embedder.embedding_dim(),
            device: parts.embedder.placement().device(),
            precision: parts.embedder.placement().precision(),
        },
        images: index.images,
        files: parts.store.file_counts()?.into_iter().collect(),
        progress: api.progress.report(),
        index,
        roots: roots
            .map(|root| RootStatus {
                path: root.path.display().to_string(),
                online: root.online,
            })
            .collect(),
        label_sets: parts
            .tagger
            .status()
            .into_iter()
            .map(|(name, status)| (name, status.into()))
            .collect(),
        hooks: parts.store.hooks()?,
    })
}

impl From<SetStatus> for LabelSetStatus {
    fn from(status: SetStatus) -> LabelSetStatus {
        let labels = status.active.map_or(0, |(set, _)| set.labels.len());
        LabelSetStatus {
            labels,
            error: status.error.map(|error| error.to_string()),
            warnings: status.warnings,
        }
    }
}

pub(super) fn failures(api: &Api) -> Result<FailureList> {
    Ok(api.parts.store.failures()?.into())
}

#[derive(Serialize)]
pub(super) struct Rescan {
    rescan: &'static str,
}

pub(super) fn rescan(api: &Api) -> Rescan {
    // Full: one is asked for already.
    let _ = api.rescans.try_send(());
    Rescan {
        rescan: "asked for",
    }
}

/// Runs `work` where it may wait, if there is room for one more.
pub(super) async fn blocking<T: Send + 'static>(
    api: &Api,
    work: impl FnOnce(&Api) -> Result<T> + Send + 'static,
) -> Result<T> {
    let Ok(slot) = api.slots.clone().try_acquire_owned() else {
        return Err(ApiError::busy());
    };
    let api = api.clone();
    let done = tokio::task::spawn_blocking(move || {
        let _slot = slot;
        work(&api)
    });
    done.await.map_err(ApiError::internal)?
}
