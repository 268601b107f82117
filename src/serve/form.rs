//! From an answer to what HTTP says of it: whether the client has it already, which part is wanted, packed or not (RFC 9110).

use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;

use flate2::Compression;
use flate2::write::GzEncoder;
use headers::{ETag, HeaderMapExt, IfModifiedSince, IfNoneMatch, IfRange, LastModified};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;
use warp::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_TYPE, RANGE, VARY,
};
use warp::http::{HeaderMap, HeaderValue, Method, StatusCode};
use warp::hyper::body::Bytes;
use warp::reply::{self, Reply, Response};

use super::accept::takes_gzip;
use super::answer::{self, Answer, Cache, Content};
use super::error::ApiError;
use super::metrics;

/// What is shorter is sent as it is: packed it would hardly be shorter.
const LEAST_PACKED_BYTES: usize = 1_024;

/// Whatever a name in a header cannot hold (RFC 8187).
const NOT_IN_NAMES: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'%')
    .add(b'\'')
    .add(b'(')
    .add(b')')
    .add(b'*')
    .add(b',')
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'<')
    .add(b'=')
    .add(b'>')
    .add(b'?')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'{')
    .add(b'}');

/// The answer in the form that these headers ask for. Only what is read may be there already, or be asked for in parts.
pub(super) fn give(
    answer: Answer,
    method: &Method,
    asked: &HeaderMap,
) -> Result<Response, ApiError> {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let Answer {
        media_type,
        content,
        cache,
        tag,
        modified,
        name,
    } = answer;
    let cache = if is_read { cache } else { Cache::Never };
    let content = match content {
        Content::Response(response) => return Ok(with_cache(response, cache)),
        content => content,
    };
    let is_packed = is_text(media_type) && takes_gzip(asked) && is_long(&content);
    let tag = tag_of(&content, tag);
    // Packed it is another representation, and a strong tag is of one.
    let tag = format!("\"{tag}{}\"", if is_packed { "-gzip" } else { "" });
    let tag: ETag = tag.parse().map_err(ApiError::internal)?;
    let modified = modified.map(LastModified::from);
    let mut response = if is_read && is_known(asked, &tag, modified) {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        match content {
            Content::Bytes(bytes) if is_packed => packed(&bytes, cache)?,
            Content::Bytes(bytes) => Response::new(bytes.into()),
            Content::File(file, length) => {
                let range = asked.get(RANGE).filter(|_| *method == Method::GET);
                part(file, length, range, asked, &tag, modified)?
            }
            Content::Response(response) => response,
        }
    };
    let is_whole = response.status() != StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    if is_read {
        headers.typed_insert(tag);
    }
    if let Some(modified) = modified {
        headers.typed_insert(modified);
    }
    if is_text(media_type) {
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    if is_whole {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        if let Some(name) = name {
            headers.insert(CONTENT_DISPOSITION, disposition(&name)?);
        }
    }
    Ok(with_cache(response, cache))
}

/// What tells this content from any other.
pub(super) fn tag_of(content: &Content, given: Option<String>) -> String {
    match (content, given) {
        (Content::Bytes(bytes), None) => blake3::hash(bytes).to_hex()[..32].to_owned(),
        (_, given) => given.unwrap_or_default(),
    }
}

fn with_cache(mut response: Response, cache: Cache) -> Response {
    let cache = match cache {
        Cache::Asking => "private, no-cache",
        Cache::Forever => "private, max-age=31536000, immutable",
        Cache::Never => "no-store",
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

/// The condition on the tag goes before that on the time.
fn is_known(asked: &HeaderMap, tag: &ETag, modified: Option<LastModified>) -> bool {
    if let Some(others) = asked.typed_get::<IfNoneMatch>() {
        return !others.precondition_passes(tag);
    }
    let since = asked.typed_get::<IfModifiedSince>();
    since
        .zip(modified)
        .is_some_and(|(since, modified)| !since.is_modified(modified.into()))
}

/// Texts are worth packing; pictures are packed already.
fn is_text(media_type: &str) -> bool {
    let is_other = [answer::JSON, metrics::MEDIA_TYPE].contains(&media_type);
    is_other || media_type.starts_with("text/")
}

fn is_long(content: &Content) -> bool {
    matches!(content, Content::Bytes(bytes) if bytes.len() >= LEAST_PACKED_BYTES)
}

fn packed(bytes: &Bytes, cache: Cache) -> Result<Response, ApiError> {
    // What a client asks for once is worth some time.
    let effort = match cache {
        Cache::Forever => Compression::best(),
        Cache::Asking | Cache::Never => Compression::fast(),
    };
    let mut encoder = GzEncoder::new(Vec::new(), effort);
    encoder.write_all(bytes).map_err(ApiError::internal)?;
    let packed = encoder.finish().map_err(ApiError::internal)?;
    let mut response = Response::new(packed.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Ok(response)
}

/// Of a file all that is wanted: one part or the whole.
fn part(
    mut file: std::fs::File,
    length: u64,
    range_asked: Option<&HeaderValue>,
    asked: &HeaderMap,
    tag: &ETag,
    modified: Option<LastModified>,
) -> Result<Response, ApiError> {
    let is_of_other = asked
        .typed_get::<IfRange>()
        .is_some_and(|if_range| if_range.is_modified(Some(tag), modified.as_ref()));
    let wanted = range_asked.filter(|_| !is_of_other);
    let wanted = wanted.and_then(|value| range(value.to_str().ok()?, length));
    let (status, bytes) = match wanted {
        None => (StatusCode::OK, 0..length),
        Some(Wanted::Part(bytes)) => (StatusCode::PARTIAL_CONTENT, bytes),
        Some(Wanted::Nothing) => return Ok(unsatisfiable(length)),
    };
    let start = SeekFrom::Start(bytes.start);
    file.seek(start).map_err(ApiError::internal)?;
    // No more than it says, should the file grow meanwhile.
    let file = tokio::fs::File::from_std(file).take(bytes.end - bytes.start);
    let stream = reply::stream(ReaderStream::new(file));
    let mut response = reply::with_status(stream, status).into_response();
    let headers = response.headers_mut();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.end - bytes.start));
    if status == StatusCode::PARTIAL_CONTENT {
        let said = format!("bytes {}-{}/{length}", bytes.start, bytes.end - 1);
        headers.insert(CONTENT_RANGE, said.parse().map_err(ApiError::internal)?);
    }
    Ok(response)
}

fn unsatisfiable(length: u64) -> Response {
    let message =
        format!("of the {length} bytes of this file none lies in the part that is asked for");
    let mut response = ApiError::unsatisfiable(message).into_response();
    if let Ok(said) = format!("bytes */{length}").parse() {
        response.headers_mut().insert(CONTENT_RANGE, said);
    }
    response
}

/// What a client wants of a file.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Part(Range<u64>),
    /// What it does not have.
    Nothing,
}

/// One part; who asks for several, or in words that are none, is given the whole (RFC 9110, 14.2).
fn range(text: &str, length: u64) -> Option<Wanted> {
    let (start, end) = text.trim().strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        // What is too large lies behind the end of every file.
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let bytes = match (start, end) {
        ("", "") => return None,
        ("", last) => length.saturating_sub(number(last)?)..length,
        (start, "") => number(start)?..length,
        (start, last) => {
            let (start, last) = (number(start)?, number(last)?);
            if last < start {
                return None;
            }
            start..last.saturating_add(1).min(length)
        }
    };
    Some(if bytes.start < bytes.end {
        Wanted::Part(bytes)
    } else {
        Wanted::Nothing
    })
}

/// For old clients a name of letters that cannot do harm, for others the name itself (RFC 6266).
fn disposition(name: &str) -> Result<HeaderValue, ApiError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let plain: String = name
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    let whole = utf8_percent_encode(name, NOT_IN_NAMES);
    let said = format!("inline; filename=\"{plain}\"; filename*=UTF-8''{whole}");
    said.parse().map_err(ApiError::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_is_given_and_whatever_else_is_asked_for_is_the_whole() {
        let part = |bytes| Some(Wanted::Part(bytes));
        for (text, expected) in [
            ("bytes=0-9", part(0..10)),
            ("bytes=90-", part(90..100)),
            ("bytes=90-1000", part(90..100)),
            ("bytes=-10", part(90..100)),
            ("bytes=-1000", part(0..100)),
            ("bytes=99-99", part(99..100)),
            ("bytes=0-99999999999999999999999", part(0..100)),
            ("bytes=100-", Some(Wanted::Nothing)),
            ("bytes=-0", Some(Wanted::Nothing)),
            ("bytes=99999999999999999999999-", Some(Wanted::Nothing)),
            ("bytes=9-0", None),
            ("bytes=0-1,3-4", None),
            ("bytes=-", None),
            ("bytes=a-b", None),
            ("lines=0-9", None),
        ] {
            assert_eq!(range(text, 100), expected, "{text}");
        }
        assert_eq!(range("bytes=0-", 0), Some(Wanted::Nothing));
    }

    #[test]
    fn no_name_leaves_its_header() {
        let said = disposition("a\"; x=\r\n\u{e9}/..\u{1F600}.jpg").unwrap();
        let said = said.to_str().unwrap();
        assert_eq!(
            said,
            "inline; filename=\"a___x_____.._.jpg\"; filename*=UTF-8''a%22%3B%20x%3D%0D%0A%C3%A9%2F..%F0%9F%98%80.jpg"
        );
    }
}
