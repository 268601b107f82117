//! From a request as it comes to the answer that goes: whoever may not ask, and whatever does not fit its route, is refused on the way,
//! before anything is held in memory for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::Stream;
use percent_encoding::percent_decode_str;
use tokio::time::timeout;
use tracing::{Instrument, Span, debug, info, info_span};
use warp::Buf;
use warp::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CONTENT_TYPE, IF_MATCH,
    IF_NONE_MATCH, VARY,
};
use warp::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use warp::hyper::body::Bytes;
use warp::reply::Response;

use super::accept::{essence, takes_type};
use super::access::{self, Shown, Who};
use super::answer::Answer;
use super::asker::{Asker, Peer};
use super::error::ApiError;
use super::form;
use super::live::Live;
use super::params::Params;
use super::request::Request;
use super::room::{Room, whole};
use super::route::{Body, Handler, Route, Verb, Work};
use super::routes;
use crate::store::Scope;

type Result<T> = std::result::Result<T, ApiError>;

/// Nobody waits longer for a body.
const BODY_WITHIN: Duration = Duration::from_mins(2);

/// What takes longer is told.
const SLOW: Duration = Duration::from_secs(1);

/// What a request is known by in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A longer address, or more of headers, is not read.
const MOST_ADDRESS_BYTES: usize = 16 << 10;
const MOST_HEADERS_BYTES: usize = 64 << 10;

/// A request without its body.
pub(super) struct Head {
    pub(super) method: Method,
    /// As it stands in the address.
    pub(super) path: String,
    /// What stands behind the `?`.
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) peer: Peer,
}

/// Answers a request, which has a number in its answer and in the log: that of the proxy, if it gave one.
pub(super) async fn answer<S, B>(live: Live, head: Head, body: S) -> Response
where
    S: Stream<Item = std::result::Result<B, warp::Error>>,
    B: Buf,
{
    let id = id_of(&head.headers);
    let span = info_span!("request", id);
    let mut response = numbered(live, head, body).instrument(span).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn id_of(headers: &HeaderMap) -> String {
    let is_plain = |id: &&str| {
        let mut characters = id.chars();
        (1..=64).contains(&id.len())
            && characters.all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    given.filter(is_plain).map_or_else(new_id, str::to_owned)
}

/// No two of a run are the same.
fn new_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:08x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

async fn numbered<S, B>(live: Live, head: Head, body: S) -> Response
where
    S: Stream<Item = std::result::Result<B, warp::Error>>,
    B: Buf,
{
    let started = Instant::now();
    let (routes, parts) = routes::at(&head.path);
    let answered = match check_sizes(&head).and_then(|()| guarded(&live, &head)) {
        Ok(asker) => routed(&live, &head, asker, (&routes, parts), body).await,
        Err(error) => Err(error),
    };
    let mut response = answered.unwrap_or_else(ApiError::into_response);
    let guard = &live.now().clients.guard;
    if let Some(origin) = guard.origin_let_in(&head.headers) {
        add_rules_for_origin(&mut response, origin);
    }
    // Others are of no address: each would be a figure of its own.
    if let Some(route) = routes.first() {
        let method = routes
            .iter()
            .find(|route| route.method.name() == head.method);
        let method = method.map_or("other", |route| route.method.name());
        let requests = &live.now().clients.requests;
        let took = started.elapsed();
        requests.count(method, route.path, response.status(), took);
        let (status, duration_ms) = (response.status().as_u16(), took.as_millis() as u64);
        let path = route.path;
        if took > SLOW {
            info!(method, path, status, duration_ms, "slow request");
        } else {
            debug!(method, path, status, duration_ms, "request");
        }
    }
    with_rules_for_browsers(response)
}

/// The answer to what is no request.
pub(super) fn not_understood() -> Response {
    let error = ApiError::bad_request("bad_request", "the request cannot be understood");
    with_rules_for_browsers(error.into_response())
}

async fn routed<S, B>(
    live: &Live,
    head: &Head,
    asker: Asker,
    (routes, parts): (&[&'static Route], Vec<&str>),
    body: S,
) -> Result<Response>
where
    S: Stream<Item = std::result::Result<B, warp::Error>>,
    B: Buf,
{
    if routes.is_empty() {
        return Err(ApiError::not_found(
            "not_found",
            "there is nothing at this address",
        ));
    }
    // Whoever asks for the head alone is answered as if for all; the rest is left away where it would be sent.
    let method = match head.method.as_str() {
        "HEAD" => "GET",
        method => method,
    };
    let Some(route) = routes.iter().find(|route| route.method.name() == method) else {
        return Ok(other_method(routes, &head.method));
    };
    let (who, shown) = known(live, &asker, &head.headers, route.scope).await?;
    if !takes_type(&head.headers, route.gives) {
        let message = format!(
            "this address gives `{}`, and the request takes other types",
            route.gives
        );
        return Err(ApiError::not_acceptable(message));
    }
    let params = route.params.map(|known| Params::read(&head.query, known));
    let params = params.transpose()?.unwrap_or_default();
    let parts = parts.into_iter().map(decoded).collect::<Result<_>>()?;
    let room = live.now().clients.room.clone();
    let (body, _held) = match route.body {
        None => (Bytes::new(), Vec::new()),
        Some(wanted) => {
            check_type(&head.headers, &wanted)?;
            let whole = whole(body, wanted.most_bytes, &head.headers, &room);
            timeout(BODY_WITHIN, whole)
                .await
                .map_err(|_| ApiError::too_slow())??
        }
    };
    let request = Request {
        api: live.now(),
        parts,
        params,
        body,
        headers: head.headers.clone(),
        asker,
        shown,
        who,
    };
    let seen = routes.iter().find(|route| route.method == Verb::Get);
    let answer = worked(route, seen.map(|route| route.run), request, live, &room).await?;
    form::give(answer, &head.method, &head.headers)
}

/// Runs a handler where it may do what it does. Whoever reads the same address sees what `seen` answers.
async fn worked(
    route: &Route,
    seen: Option<Handler>,
    request: Request,
    live: &Live,
    room: &Room,
) -> Result<Answer> {
    let handler = route.run;
    match route.work {
        Work::AtOnce => handler(&request),
        Work::Reading => {
            let asker = request.asker.clone();
            room.run_in_turn(&asker, move || handler(&request)).await
        }
        Work::Long => {
            let asker = request.asker.clone();
            room.run(&asker, move || handler(&request)).await
        }
        Work::Changing => {
            let (live, asker) = (live.clone(), request.asker.clone());
            let work = move || change(handler, seen, request, &live);
            room.run(&asker, work).await
        }
        Work::Vital => room.run_vital(move || handler(&request)).await,
    }
}

/// What changes the library changes the one that is served then, and not the one before it.
fn change(
    handler: Handler,
    seen: Option<Handler>,
    mut request: Request,
    live: &Live,
) -> Result<Answer> {
    let _held = live.hold();
    request.api = live.now();
    let is_conditional = [IF_MATCH, IF_NONE_MATCH]
        .iter()
        .any(|name| request.headers.contains_key(name));
    if !is_conditional {
        return handler(&request);
    }
    // Between the look and the change nobody else who looks first changes anything.
    let _one_at_a_time = live.hold_conditional();
    check_conditions(&request.headers, seen.and_then(|seen| seen(&request).ok()))?;
    handler(&request)
}

/// Whether a change is about what is there (RFC 9110, 13.1.1 and 13.1.2).
fn check_conditions(headers: &HeaderMap, there: Option<Answer>) -> Result<()> {
    let tag = there.map(|answer| form::tag_of(&answer.content, answer.tag));
    let names = |header: &HeaderName| {
        let text = headers.get(header)?.to_str().unwrap_or("?");
        let is_it = |tag: &String| {
            // Packed or not, it is the same to whoever changes it.
            let either = [format!("\"{tag}\""), format!("\"{tag}-gzip\"")];
            let mut named = text.split(',').map(str::trim);
            named.any(|name| name == "*" || either.iter().any(|tag| tag == name))
        };
        Some(tag.as_ref().is_some_and(is_it))
    };
    if names(&IF_MATCH) == Some(false) || names(&IF_NONE_MATCH) == Some(true) {
        return Err(ApiError::condition_failed());
    }
    Ok(())
}

/// The address knows others: which, is told to whoever asks for that, and to whoever asked wrong.
fn other_method(routes: &[&Route], asked: &Method) -> Response {
    let mut allowed: Vec<&str> = routes.iter().map(|route| route.method.name()).collect();
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    allowed.push("OPTIONS");
    let mut response = if *asked == Method::OPTIONS {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    } else {
        ApiError::method_not_allowed(&allowed).into_response()
    };
    if let Ok(allowed) = HeaderValue::from_str(&allowed.join(", ")) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

fn check_sizes(head: &Head) -> Result<()> {
    if head.path.len() + head.query.len() > MOST_ADDRESS_BYTES {
        return Err(ApiError::address_too_long(MOST_ADDRESS_BYTES));
    }
    let sizes = head.headers.iter();
    let bytes: usize = sizes
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if bytes > MOST_HEADERS_BYTES {
        return Err(ApiError::headers_too_large(MOST_HEADERS_BYTES));
    }
    Ok(())
}

/// Who asks, where they may ask at all.
fn guarded(live: &Live, head: &Head) -> Result<Asker> {
    let clients = &live.now().clients;
    let asker = Asker::of(head.peer, &head.headers, &clients.trusted_proxies)?;
    let host = asker.host.as_deref();
    clients.guard.check(host, &head.path, &head.headers)?;
    Ok(asker)
}

/// Who asks by what they show, which is looked up where it must be. What is open to everybody asks nobody.
async fn known(
    live: &Live,
    asker: &Asker,
    headers: &HeaderMap,
    needed: Option<Scope>,
) -> Result<(Who, Shown)> {
    let shown = Shown::of(headers);
    let Some(needed) = needed else {
        return Ok((Who::default(), shown));
    };
    let api = live.now();
    if matches!(shown, Shown::Nothing) {
        let who = api.clients.access.anybody(asker);
        access::check(&who, needed)?;
        return Ok((who, shown));
    }
    let asker = asker.clone();
    let span = Span::current();
    let looked_up = tokio::task::spawn_blocking(move || {
        let _request = span.entered();
        let who = api.clients.access.who(&asker, &shown, &api.library.store)?;
        Ok::<_, ApiError>((who, shown))
    });
    let (who, shown) = looked_up.await.map_err(ApiError::internal)??;
    access::check(&who, needed)?;
    Ok((who, shown))
}

/// Who names no type is believed to send what is wanted.
fn check_type(headers: &HeaderMap, wanted: &Body) -> Result<()> {
    let Some(given) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let given = given.to_str().unwrap_or("?");
    let given = essence(given);
    if wanted.media_types.contains(&given.as_str()) {
        return Ok(());
    }
    Err(ApiError::unsupported_type(&given, wanted.media_types))
}

/// A part of an address that people chose: whatever an address cannot hold is written with `%` there.
fn decoded(part: &str) -> Result<String> {
    let text = percent_decode_str(part).decode_utf8();
    let wrong = |_| {
        ApiError::bad_request(
            "bad_address",
            format!("`{part}` in the address is not UTF-8"),
        )
    };
    Ok(text.map_err(wrong)?.into_owned())
}

/// What pages of a site that the owner named may do with an answer. Cookies are not for them: they show a token.
fn add_rules_for_origin(response: &mut Response, origin: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(VARY, HeaderValue::from_static("origin"));
    for (name, value) in [
        (
            ACCESS_CONTROL_ALLOW_METHODS,
            "GET, HEAD, POST, PUT, PATCH, DELETE",
        ),
        (
            ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, if-match, if-none-match, if-range, last-event-id, range",
        ),
        (
            ACCESS_CONTROL_EXPOSE_HEADERS,
            "accept-ranges, content-disposition, content-range, etag, retry-after, x-request-id",
        ),
        (ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// What browsers are told of every answer: to take it for nothing but what it is, and to show it on no page but its own.
fn with_rules_for_browsers(mut response: Response) -> Response {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        // Without one, a form of the page itself would be of no known origin.
        ("referrer-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self'; \
             connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'; \
             require-trusted-types-for 'script'; trusted-types lit-html",
        ),
    ] {
        let headers = response.headers_mut();
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
