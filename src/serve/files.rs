//! One picture: what is known of it, its original and its thumbnails.

use warp::http::HeaderValue;
use warp::http::header;
use warp::reply::{self, Reply, Response};

use super::Api;
use super::error::ApiError;
use super::params::{Known, image_hash, one};
use super::request::{Request, blocking};
use crate::pictures;
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
        let path = api
            .library
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
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(row.metadata.format.media_type()),
    );
    Ok(response)
}

fn offline() -> ApiError {
    ApiError::not_found(
        "offline",
        "no file that holds this image can be read now: its folder is away",
    )
}

/// How large a thumbnail is wanted.
pub(super) const THUMBNAIL: Known = &[&[one("size")]];

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
    let image = row.hash.to_string();
    let bytes = if let Some(kept) = api.thumbnails.kept(&image, size) {
        kept
    } else {
        let originals = api.library.store.readable_paths(row.id)?;
        let original = originals.first().ok_or_else(offline)?;
        api.thumbnails.make(&image, size, original)?
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
