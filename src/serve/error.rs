//! Errors as callers see them: a status, a sentence, and a code that never changes.

use std::convert::Infallible;

use tracing::error;
use warp::Rejection;
use warp::http::StatusCode;
use warp::reject::{LengthRequired, MethodNotAllowed, PayloadTooLarge, Reject};
use warp::reply::{self, Reply, Response};

use super::guard::Refused;
use crate::pictures::PictureError;
use crate::search::SearchError;
use crate::store::{NameError, StoreError};
use crate::tag::TagError;
use crate::upkeep::ForgetError;
use crate::wire::{BadSearch, ErrorBody};

/// Why a request has no better answer.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Reject for ApiError {}

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
        reply::with_status(reply::json(&body), self.status).into_response()
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

/// Turns what warp itself refuses into the same shape.
pub(super) async fn recover(rejection: Rejection) -> Result<Response, Infallible> {
    let refused = |status, code, message: &str| ApiError {
        status,
        code,
        message: message.to_owned(),
    };
    let error = if let Some(Refused(reason)) = rejection.find() {
        ApiError::forbidden(reason.clone())
    } else if let Some(error) = rejection.find::<ApiError>() {
        error.clone()
    } else if rejection.is_not_found() {
        ApiError::not_found("not_found", "there is nothing at this address")
    // The addresses that a request did not fit reject it too, so what is most particular comes first.
    } else if rejection.find::<PayloadTooLarge>().is_some() {
        refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "the request's body is too large",
        )
    } else if rejection.find::<LengthRequired>().is_some() {
        refused(
            StatusCode::LENGTH_REQUIRED,
            "length_required",
            "the request must say how long its body is",
        )
    } else if rejection.find::<MethodNotAllowed>().is_some() {
        refused(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "this address does not take that method",
        )
    } else {
        ApiError::bad_request("bad_request", "the request cannot be understood")
    };
    Ok(error.into_response())
}
