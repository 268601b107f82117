//! Browsers log in with a token, and out. What they keep then is of no use to a page, nor to any other site.

use std::fmt::Write;

use warp::http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use warp::http::{HeaderValue, StatusCode};
use warp::hyper::body::Bytes;
use warp::reply::Response;

use super::access::{COOKIE, Shown};
use super::answer::{Answer, Cache, Content};
use super::error::ApiError;
use super::page;
use super::request::Request;
use crate::store::Secret;

/// A browser is remembered for so many days.
const DAYS: i64 = 30;

/// The page that asks for a token.
pub(super) fn form() -> Answer {
    Answer::new(page::HTML, Content::Bytes(page("").into()))
}

/// With what is to be said about the token that was shown.
fn page(words: &str) -> String {
    page::with_folder(include_str!("ui/login.html")).replace("{words}", words)
}

/// The page again, for whoever was not let in.
fn refused(error: &ApiError) -> Answer {
    let words = format!("{}.", error.message());
    let mut response = Response::new(page(&words).into());
    *response.status_mut() = error.status();
    let html = HeaderValue::from_static(page::HTML);
    response.headers_mut().insert(CONTENT_TYPE, html);
    Answer::new(page::HTML, Content::Response(response))
}

/// Logs a browser in that shows a token, and sends it to the page.
pub(super) fn log_in(request: &Request) -> Result<Answer, ApiError> {
    let Some(secret) = token(&request.body) else {
        let nothing = ApiError::bad_request("no_token", "paste a token");
        return Ok(refused(&nothing));
    };
    let clients = &request.api.clients;
    let store = &request.api.library.store;
    let token = match clients.access.token(&request.asker, &secret, store) {
        Ok(token) => token,
        Err(error) => return Ok(refused(&error)),
    };
    let session = Secret::new().map_err(ApiError::internal)?;
    store.add_session(&session, &token.name, DAYS)?;
    sent_on("/", &cookie(request, session.reveal(), DAYS * 86_400))
}

/// Forgets the browser that asks.
pub(super) fn log_out(request: &Request) -> Result<Answer, ApiError> {
    if let Shown::Session(secret) = &request.shown {
        request.api.library.store.remove_session(secret)?;
    }
    sent_on("/login", &cookie(request, "", 0))
}

fn token(body: &Bytes) -> Option<Secret> {
    let mut fields = form_urlencoded::parse(body);
    let (_, token) = fields.find(|(name, _)| name == "token")?;
    let token = token.trim();
    (!token.is_empty()).then(|| Secret::shown(token))
}

fn cookie(request: &Request, value: &str, seconds: i64) -> String {
    let mut cookie =
        format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict");
    if request.asker.is_https {
        // Writing to a text does not fail.
        let _ = write!(cookie, "; Secure");
    }
    cookie
}

fn sent_on(to: &'static str, cookie: &str) -> Result<Answer, ApiError> {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_static(to));
    let cookie = cookie.parse().map_err(ApiError::internal)?;
    headers.insert(SET_COOKIE, cookie);
    Ok(Answer {
        cache: Cache::Never,
        ..Answer::new(page::HTML, Content::Response(response))
    })
}
