//! Errors as callers see them: a status, a sentence, and a code that never changes.

use std::time::Duration;

use tracing::error;
use warp::http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use warp::http::{HeaderValue, StatusCode};
use warp::reply::{self, Reply, Response};

use super::guard::Refused;
use crate::pictures::PictureError;
use crate::search::SearchError;
use crate::store::{NameError, SaveError, Scope, StoreError, TokenError};
use crate::tag::{EditError, TagError};
use crate::upkeep::ForgetError;
use crate::wire::{BadSearch, ErrorBody};

/// When whoever was turned away may try again, in seconds.
const RETRY_AFTER_S: u64 = 1;

/// Why a request has no better answer.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// When it may be tried again, where that helps.
    retry_after_s: Option<u64>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
        let is_full = status == StatusCode::SERVICE_UNAVAILABLE;
        ApiError {
            status,
            code,
            message: message.into(),
            retry_after_s: is_full.then_some(RETRY_AFTER_S),
        }
    }

    pub(super) fn bad_request(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// Whoever asks must say who they are.
    pub(super) fn unauthorized(message: String) -> ApiError {
        ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// They showed one that opens nothing.
    pub(super) fn token_unknown() -> ApiError {
        ApiError::unauthorized("this token is not known, or was taken back".to_owned())
    }

    /// They said so, and may not.
    pub(super) fn beyond_scope(needed: Scope, scope: Scope) -> ApiError {
        let message = format!(
            "this needs a token of the scope `{}`, and this one is for `{}`",
            needed.name(),
            scope.name()
        );
        ApiError::new(StatusCode::FORBIDDEN, "beyond_scope", message)
    }

    /// They said it wrong too often.
    pub(super) fn slowed(wait: Duration) -> ApiError {
        let wait_s = wait.as_secs() + 1;
        let message =
            format!("too many tokens that there are not came from this address: wait {wait_s} s");
        ApiError {
            retry_after_s: Some(wait_s),
            ..ApiError::new(StatusCode::TOO_MANY_REQUESTS, "slowed", message)
        }
    }

    pub(super) fn not_found(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(super) fn method_not_allowed(allowed: &[&str]) -> ApiError {
        let message = format!("this address takes {}", allowed.join(", "));
        ApiError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            message,
        )
    }

    pub(super) fn not_acceptable(message: String) -> ApiError {
        ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message)
    }

    pub(super) fn unsupported_type(given: &str, wanted: &[&str]) -> ApiError {
        let message = format!(
            "the body is said to be `{given}`; send it with `Content-Type: {}`",
            wanted.join("`, or `")
        );
        ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_type",
            message,
        )
    }

    pub(super) fn too_large(most_bytes: usize) -> ApiError {
        let message = format!("the request's body is larger than {most_bytes} bytes");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    pub(super) fn too_slow() -> ApiError {
        let message = "the request's body did not come in time";
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message)
    }

    pub(super) fn address_too_long(most_bytes: usize) -> ApiError {
        let message = format!(
            "the address is longer than {most_bytes} bytes: long filters go into the body of POST /api/v1/search"
        );
        ApiError::new(StatusCode::URI_TOO_LONG, "address_too_long", message)
    }

    pub(super) fn headers_too_large(most_bytes: usize) -> ApiError {
        let message = format!("the request's headers are longer than {most_bytes} bytes");
        ApiError::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers_too_large",
            message,
        )
    }

    pub(super) fn condition_failed() -> ApiError {
        let message = "what is there is not what the request is about: look at it again";
        ApiError::new(StatusCode::PRECONDITION_FAILED, "condition_failed", message)
    }

    pub(super) fn unsatisfiable(message: String) -> ApiError {
        ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "no_such_part", message)
    }

    pub(super) fn not_ready(message: String) -> ApiError {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", message)
    }

    pub(super) fn busy() -> ApiError {
        ApiError::busy_for("too many requests at once, try again in a moment".to_owned())
    }

    fn busy_for(message: String) -> ApiError {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
    }

    fn conflict(code: &'static str, message: String) -> ApiError {
        ApiError::new(StatusCode::CONFLICT, code, message)
    }

    /// The sentence.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// The caller learns nothing but that it is our fault; the cause goes to the log.
    pub(super) fn internal(cause: impl std::fmt::Display) -> ApiError {
        error!(%cause, "a request failed");
        let message = "internal server error";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    pub(super) fn into_response(self) -> Response {
        let body = ErrorBody {
            error: self.message,
            code: self.code.to_owned(),
        };
        let mut response = reply::with_status(reply::json(&body), self.status).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let way = HeaderValue::from_static("Bearer realm=\"pixdex\"");
            headers.insert(WWW_AUTHENTICATE, way);
        }
        response
    }
}

impl From<Refused> for ApiError {
    fn from(Refused(reason): Refused) -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, "forbidden", reason)
    }
}

fn unusable(code: &'static str, message: String) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
}

/// Of a picture of the library, of which no thumbnail can be made.
impl From<PictureError> for ApiError {
    fn from(error: PictureError) -> ApiError {
        let message = error.to_string();
        match error {
            PictureError::Busy(_) => ApiError::busy_for(message),
            PictureError::TooMuchMemory { .. } => unusable("picture_too_large", message),
            PictureError::EndedProcess(_) => unusable("picture_set_aside", message),
            _ => ApiError::internal(message),
        }
    }
}

impl From<SearchError> for ApiError {
    fn from(error: SearchError) -> ApiError {
        let message = error.to_string();
        match error {
            SearchError::EmptyQuery => ApiError::bad_request("empty_query", message),
            SearchError::BadQuery(_)
            | SearchError::Cancelled
            | SearchError::OnlyFilters
            | SearchError::TooLong(_) => ApiError::bad_request("bad_query", message),
            SearchError::Ranked => ApiError::bad_request("bad_order", message),
            SearchError::TooMuchFilter(_) => ApiError::bad_request("bad_filter", message),
            SearchError::BadSimilarity(_) => ApiError::bad_request("bad_likeness", message),
            SearchError::BadPicture(PictureError::Busy(_)) => ApiError::busy_for(message),
            SearchError::BadPicture(_) => ApiError::bad_request("bad_picture", message),
            SearchError::BadCursor(_) => ApiError::bad_request("bad_cursor", message),
            SearchError::OtherModel => ApiError::conflict("cursor_of_another_model", message),
            SearchError::UnknownImage(_) => ApiError::not_found("unknown_image", message),
            SearchError::NotEmbedded(_) => {
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_embedded", message)
            }
            SearchError::Embed(_) | SearchError::Store(_) => ApiError::internal(message),
        }
    }
}

impl From<BadSearch> for ApiError {
    fn from(error: BadSearch) -> ApiError {
        let code = match error {
            BadSearch::Date(_) | BadSearch::Area(_) => "bad_filter",
            BadSearch::Strictness(_) => "bad_strictness",
            BadSearch::Order(_) => "bad_order",
            BadSearch::Limit(_) => "bad_limit",
            BadSearch::Query(_)
            | BadSearch::TooLong { .. }
            | BadSearch::TooManyTerms
            | BadSearch::Term
            | BadSearch::Upload(_)
            | BadSearch::Weight => "bad_query",
        };
        ApiError::bad_request(code, error.to_string())
    }
}

impl From<EditError> for ApiError {
    fn from(error: EditError) -> ApiError {
        ApiError::bad_request("bad_edit", error.to_string())
    }
}

impl From<SaveError> for ApiError {
    fn from(error: SaveError) -> ApiError {
        let message = error.to_string();
        match error {
            SaveError::Name => ApiError::bad_request("bad_name", message),
            SaveError::TooMany => ApiError::conflict("too_many_searches", message),
            SaveError::Store(_) => ApiError::internal(message),
        }
    }
}

impl From<TagError> for ApiError {
    fn from(error: TagError) -> ApiError {
        let message = error.to_string();
        match error {
            TagError::Set(_) => ApiError::bad_request("bad_label_set", message),
            TagError::File { .. } => ApiError::conflict("bad_label_file", message),
            TagError::Unknown(_) => ApiError::not_found("unknown_label_set", message),
            TagError::UnknownLabel { .. } => ApiError::not_found("unknown_label", message),
            TagError::Io { .. }
            | TagError::NoFolder(_)
            | TagError::Signature(_)
            | TagError::Embed(_)
            | TagError::Store(_) => ApiError::internal(message),
        }
    }
}

impl From<NameError> for ApiError {
    fn from(error: NameError) -> ApiError {
        let code = match error {
            NameError::Set(_) | NameError::OfKeywords => "bad_label_set_name",
            NameError::Label(_) | NameError::LabelRef(_) => "bad_label_name",
        };
        ApiError::bad_request(code, error.to_string())
    }
}

impl From<ForgetError> for ApiError {
    fn from(error: ForgetError) -> ApiError {
        let message = error.to_string();
        match error {
            ForgetError::Unknown(_) => ApiError::not_found("unknown_path", message),
            ForgetError::Watched(_) => ApiError::conflict("still_there", message),
            ForgetError::Store(_) => ApiError::internal(message),
        }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> ApiError {
        let message = error.to_string();
        match error {
            TokenError::Taken(_) => ApiError::conflict("token_exists", message),
            TokenError::TooMany => ApiError::conflict("too_many_tokens", message),
            TokenError::NoRandomness(_) | TokenError::Store(_) => ApiError::internal(message),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        ApiError::internal(error)
    }
}
