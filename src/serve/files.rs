//! One picture: what is known of it, its original and its thumbnails.

use std::time::{Duration, SystemTime};

use super::Api;
use super::answer::{Answer, Cache, Content};
use super::error::ApiError;
use super::params::{Known, Value, image_hash, one};
use super::request::Request;
use crate::figures::FIGURES;
use crate::pictures::{self, FileError, PictureError, Thumbnail};
use crate::search::{self, SearchError};
use crate::store::ImageRow;
use crate::wire::{ImageScores, Item};

type Result<T> = std::result::Result<T, ApiError>;

pub(super) const JPEG: &str = "image/jpeg";

/// Whatever the owner's files are.
pub(super) const ORIGINAL: &str = "*/*";

pub(super) fn image(request: &Request) -> Result<Item> {
    Ok(row(&request.api, request.part(0))?.into())
}

/// A query that the image is compared with.
pub(super) const SCORES: Known = &[&[one(
    "q",
    Value::Text(search::MOST_QUERY_CHARACTERS),
    "A query in its short form, whose terms are told one by one.",
)]];

/// How the image stands with every label, and with each term of a query.
pub(super) fn scores(request: &Request) -> Result<ImageScores> {
    let Request { api, params, .. } = request;
    let id = request.part(0);
    row(api, id)?;
    let image = image_hash(id)?;
    let query = search::parse(params.get("q").unwrap_or_default()).map_err(SearchError::from)?;
    Ok(ImageScores {
        labels: api.library.tagger.scores_of(image)?,
        terms: api.search.terms_of(image, &query)?,
    })
}

fn row(api: &Api, id: &str) -> Result<ImageRow> {
    let hash = image_hash(id)?;
    let unknown = || ApiError::not_found("unknown_image", format!("there is no image `{id}`"));
    let image = api
        .library
        .store
        .image_by_hash(&hash)?
        .ok_or_else(unknown)?;
    api.library
        .store
        .images(&[image])?
        .pop()
        .ok_or_else(unknown)
}

/// The original file, as a stream.
pub(super) fn original(request: &Request) -> Result<Answer> {
    let Request { api, .. } = request;
    let row = row(api, request.part(0))?;
    let mut failure = offline();
    for original in api.library.store.originals(row.id)? {
        match api.library.pictures.open_file(&original) {
            Ok(file) => {
                let length = original.stat.size_bytes as u64;
                let media_type = row.metadata.format.media_type();
                let name = original.path.file_name();
                return Ok(Answer {
                    // The address names the content, but whoever it was deleted for must not find it in a browser.
                    cache: Cache::Asking,
                    tag: Some(row.hash.to_string()),
                    modified: time(original.stat.modified_ns),
                    name: name.map(|name| name.to_string_lossy().into_owned()),
                    ..Answer::new(media_type, Content::File(file, length))
                });
            }
            Err(error) => failure = unreadable(&error),
        }
    }
    Err(failure)
}

fn time(since_1970_ns: i64) -> Option<SystemTime> {
    let since = Duration::from_nanos(since_1970_ns.try_into().ok()?);
    SystemTime::UNIX_EPOCH.checked_add(since)
}

fn unreadable(error: &FileError) -> ApiError {
    ApiError::not_found(
        "offline",
        format!("the file that holds this image is not given: {error}"),
    )
}

fn offline() -> ApiError {
    ApiError::not_found(
        "offline",
        "no file that holds this image can be read now: its folder is away",
    )
}

/// How large a thumbnail is wanted, and of which frame of a video.
pub(super) const THUMBNAIL: Known = &[&[
    one(
        "size",
        Value::Integer(0, u32::MAX as i64),
        "The longer side in pixels; the next larger size that there is, is given.",
    ),
    one(
        "time_ms",
        Value::Integer(0, i64::MAX),
        "Of a video, the frame at this time, as hits tell it.",
    ),
]];

/// The time of a video's frame, which must be one that hits tell.
fn frame_time(api: &Api, row: &ImageRow, text: &str) -> Result<i64> {
    let time_ms = text.parse().ok();
    let is_cover = time_ms == row.cover_ms;
    match time_ms {
        Some(time_ms) if is_cover || api.library.store.has_frame(row.id, time_ms)? => Ok(time_ms),
        _ => Err(ApiError::not_found(
            "unknown_frame",
            format!("of the image `{}` no frame at {text} ms is kept", row.hash),
        )),
    }
}

pub(super) fn thumbnail(request: &Request) -> Result<Answer> {
    let Request { api, params, .. } = request;
    let wanted = params.get("size").unwrap_or("320");
    let bad_size = |_| {
        ApiError::bad_request(
            "bad_size",
            format!("`size` must be a number of pixels, not `{wanted}`"),
        )
    };
    let size = pictures::thumbnail_size(wanted.parse().map_err(bad_size)?);
    let row = row(api, request.part(0))?;
    let time_ms = match params.get("time_ms") {
        None => row.cover_ms,
        Some(text) => Some(frame_time(api, &row, text)?),
    };
    let what = Thumbnail { size, time_ms };
    let image = row.hash.to_string();
    let kept = api.thumbnails.kept(&image, what);
    let from = if kept.is_some() { "kept" } else { "made" };
    FIGURES.thumbnails.add(from, 1);
    let bytes = if let Some(kept) = kept {
        kept
    } else {
        let mut made = Err(offline());
        for original in api.library.store.originals(row.id)? {
            let thumbnail = api.thumbnails.make(&image, what, &original);
            made = thumbnail.map_err(|error| match error {
                PictureError::File(error) => unreadable(&error),
                error => error.into(),
            });
            if made.is_ok() {
                break;
            }
        }
        made?
    };
    Ok(Answer {
        cache: Cache::Forever,
        ..Answer::new(JPEG, Content::Bytes(bytes.into()))
    })
}
