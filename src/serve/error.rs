//! Errors as callers see them: a status, a sentence, and a code that never changes.

use tracing::error;
use warp::http::header::{CACHE_CONTROL, RETRY_AFTER};
use warp::http::{HeaderValue, StatusCode};
use warp::reply::{self, Reply, Response};

use super::guard::Refused;
use crate::pictures::PictureError;
use crate::search::SearchError;
use crate::store::{NameError, StoreError};
use crate::tag::TagError;
use crate::upkeep::ForgetError;
use crate::wire::{BadSearch, ErrorBody};

/// When whoever was turned away may try again, in seconds.
const RETRY_AFTER_S: &str = "1";

/// Why a request has no better answer.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl ApiError {
    pub(super) fn bad_request(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError {
            status: StatusCode::BAD_REQUEST,
            code,
            message: message.into(),
        }
    }

    pub(super) fn not_found(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError {
            status: StatusCode::NOT_FOUND,
            code,
            message: message.into(),
        }
    }

    pub(super) fn method_not_allowed(allowed: &[&str]) -> ApiError {
        ApiError {
            status: StatusCode::METHOD_NOT_ALLOWED,
            code: "method_not_allowed",
            message: format!("this address takes {}", allowed.join(", ")),
        }
    }

    pub(super) fn not_acceptable(message: String) -> ApiError {
        ApiError {
            status: StatusCode::NOT_ACCEPTABLE,
            code: "not_acceptable",
            message,
        }
    }

    pub(super) fn unsupported_type(given: &str, wanted: &[&str]) -> ApiError {
        ApiError {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            code: "unsupported_type",
            message: format!(
                "the body is said to be `{given}`; send it with `Content-Type: {}`",
                wanted.join("`, or `")
            ),
        }
    }

    pub(super) fn too_large(most_bytes: usize) -> ApiError {
        ApiError {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            code: "too_large",
            message: format!("the request's body is larger than {most_bytes} bytes"),
        }
    }

    pub(super) fn too_slow() -> ApiError {
        ApiError {
            status: StatusCode::REQUEST_TIMEOUT,
            code: "too_slow",
            message: "the request's body did not come in time".to_owned(),
        }
    }

    pub(super) fn address_too_long(most_bytes: usize) -> ApiError {
        ApiError {
            status: StatusCode::URI_TOO_LONG,
            code: "address_too_long",
            message: format!(
                "the address is longer than {most_bytes} bytes: long filters go into the body of POST /api/v1/search"
            ),
        }
    }

    pub(super) fn headers_too_large(most_bytes: usize) -> ApiError {
        ApiError {
            status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            code: "headers_too_large",
            message: format!("the request's headers are longer than {most_bytes} bytes"),
        }
    }

    pub(super) fn unsatisfiable(message: String) -> ApiError {
        ApiError {
            status: StatusCode::RANGE_NOT_SATISFIABLE,
            code: "no_such_part",
            message,
        }
    }

    pub(super) fn not_ready(message: String) -> ApiError {
        ApiError {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "not_ready",
            message,
        }
    }

    pub(super) fn busy() -> ApiError {
        ApiError::busy_for("too many requests at once, try again in a moment".to_owned())
    }

    fn busy_for(message: String) -> ApiError {
        ApiError {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "busy",
            message,
        }
    }

    fn forbidden(message: String) -> ApiError {
        ApiError {
            status: StatusCode::FORBIDDEN,
            code: "forbidden",
            message,
        }
    }

    /// The caller learns nothing but that it is our fault; the cause goes to the log.
    pub(super) fn internal(cause: impl std::fmt::Display) -> ApiError {
        error!(%cause, "a request failed");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        ApiError {
            status,
            code: "internal",
            message: "internal server error".to_owned(),
        }
    }

    pub(super) fn into_response(self) -> Response {
        let body = ErrorBody {
            error: self.message,
            code: self.code.to_owned(),
        };
        let mut response = reply::with_status(reply::json(&body), self.status).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        response
    }
}

impl From<Refused> for ApiError {
    fn from(Refused(reason): Refused) -> ApiError {
        ApiError::forbidden(reason)
    }
}

fn unusable(code: &'static str, message: String) -> ApiError {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    ApiError {
        status,
        code,
        message,
    }
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
            SearchError::TooMuchFilter(_) => ApiError::bad_request("bad_filter", message),
            SearchError::BadSimilarity(_) => ApiError::bad_request("bad_likeness", message),
            SearchError::BadPicture(PictureError::Busy(_)) => ApiError::busy_for(message),
            SearchError::BadPicture(_) => ApiError::bad_request("bad_picture", message),
            SearchError::BadCursor(_) => ApiError::bad_request("bad_cursor", message),
            SearchError::OtherModel => ApiError {
                status: StatusCode::CONFLICT,
                code: "cursor_of_another_model",
                message,
            },
            SearchError::UnknownImage(_) => ApiError::not_found("unknown_image", message),
            SearchError::NotEmbedded(_) => ApiError {
                status: StatusCode::SERVICE_UNAVAILABLE,
                code: "not_embedded",
                message,
            },
            SearchError::Embed(_) | SearchError::Store(_) => ApiError::internal(message),
        }
    }
}

impl From<BadSearch> for ApiError {
    fn from(error: BadSearch) -> ApiError {
        let code = match error {
            BadSearch::Date(_) | BadSearch::Area(_) => "bad_filter",
            BadSearch::Strictness(_) => "bad_strictness",
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

impl From<TagError> for ApiError {
    fn from(error: TagError) -> ApiError {
        let message = error.to_string();
        match error {
            TagError::Set(_) => ApiError::bad_request("bad_label_set", message),
            TagError::File { .. } => ApiError {
                status: StatusCode::CONFLICT,
                code: "bad_label_file",
                message,
            },
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
            ForgetError::Watched(_) => ApiError {
                status: StatusCode::CONFLICT,
                code: "still_there",
                message,
            },
            ForgetError::Store(_) => ApiError::internal(message),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        ApiError::internal(error)
    }
}
