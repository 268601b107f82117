//! One picture: what is known of it, its original and its thumbnails.

use tokio::io::AsyncReadExt;
use warp::http::HeaderValue;
use warp::http::header;
use warp::reply::{self, Reply, Response};

use super::Api;
use super::error::ApiError;
use super::params::{Known, image_hash, one};
use super::request::{Request, blocking};
use crate::pictures::{self, FileError, PictureError, Thumbnail};
use crate::store::ImageRow;
use crate::wire::Item;

type Result<T> = std::result::Result<T, ApiError>;

pub(super) fn image(request: &Request, id: &str) -> Result<Item> {
    Ok(row(&request.api, id)?.into())
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

/// The original file as a stream.
pub(super) async fn original(request: Request, id: String) -> Result<Response> {
    let found = blocking(request, move |Request { api, .. }| {
        let row = row(api, &id)?;
        let mut failure = offline();
        for original in api.library.store.originals(row.id)? {
            match api.library.pictures.open_file(&original) {
                Ok(file) => return Ok((row, file, original.stat.size_bytes as u64)),
                Err(error) => failure = unreadable(&error),
            }
        }
        Err(failure)
    });
    let (row, file, length) = found.await?;
    // No more than it says, should the file grow meanwhile.
    let file = tokio::fs::File::from_std(file).take(length);
    let mut response = reply::stream(tokio_util::io::ReaderStream::new(file)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(row.metadata.format.media_type()),
    );
    Ok(response)
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
pub(super) const THUMBNAIL: Known = &[&[one("size"), one("time_ms")]];

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

pub(super) fn thumbnail(Request { api, params, .. }: &Request, id: &str) -> Result<Response> {
    let wanted = params.get("size").unwrap_or("320");
    let bad_size = |_| {
        ApiError::bad_request(
            "bad_size",
            format!("`size` must be a number of pixels, not `{wanted}`"),
        )
    };
    let size = pictures::thumbnail_size(wanted.parse().map_err(bad_size)?);
    let row = row(api, id)?;
    let time_ms = match params.get("time_ms") {
        None => row.cover_ms,
        Some(text) => Some(frame_time(api, &row, text)?),
    };
    let what = Thumbnail { size, time_ms };
    let image = row.hash.to_string();
    let bytes = if let Some(kept) = api.thumbnails.kept(&image, what) {
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
