//! What a handler answers, before it is known in which form the client takes it.

use std::fs::File;
use std::time::SystemTime;

use serde::Serialize;
use warp::hyper::body::Bytes;
use warp::reply::Response;

use super::error::ApiError;

type Result<T> = std::result::Result<T, ApiError>;

/// An answer to what was asked for.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) media_type: &'static str,
    pub(super) content: Content,
    pub(super) cache: Cache,
    /// What tells this content from any other; of bytes it is made of themselves where there is none.
    pub(super) tag: Option<String>,
    /// When it last changed.
    pub(super) modified: Option<SystemTime>,
    /// The name under which a browser saves it.
    pub(super) name: Option<String>,
}

/// What is in it.
#[derive(Debug)]
pub(super) enum Content {
    Bytes(Bytes),
    /// So many bytes of a file, from its start on.
    File(File, u64),
    /// One that is made already: a stream, which goes on for as long as both ends like, or one without content.
    Response(Response),
}

/// How long a client may give it to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    /// Not without asking whether it is still so.
    Asking,
    /// For ever: the address names the content.
    Forever,
    /// Not at all.
    Never,
}

impl Answer {
    pub(super) fn new(media_type: &'static str, content: Content) -> Answer {
        Answer {
            media_type,
            content,
            cache: Cache::Asking,
            tag: None,
            modified: None,
            name: None,
        }
    }

    /// A text that comes with the program.
    pub(super) fn text(media_type: &'static str, text: &'static str) -> Answer {
        Answer::new(media_type, Content::Bytes(text.into()))
    }
}

/// The result of a handler as JSON.
pub(super) fn json<T: Serialize>(result: Result<T>) -> Result<Answer> {
    let bytes = serde_json::to_vec(&result?).map_err(ApiError::internal)?;
    Ok(Answer::new(JSON, Content::Bytes(bytes.into())))
}

pub(super) const JSON: &str = "application/json";
