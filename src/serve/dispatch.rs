//! From a request as it comes to the answer that goes: whoever may not ask, and whatever does not fit its route, is refused on the way,
//! before anything is held in memory for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{Stream, TryStreamExt};
use percent_encoding::percent_decode_str;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::{Instrument, Span, debug, info, info_span};
use warp::Buf;
use warp::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CONTENT_LENGTH, CONTENT_TYPE,
    IF_MATCH, IF_NONE_MATCH, VARY,
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
use super::routes::{self, Body, Handler, Route, Verb, Work};
use crate::store::Scope;

type Result<T> = std::result::Result<T, ApiError>;

/// Memory for the bodies of all requests together.
const BODIES_BYTES: usize = 256 << 20;

/// Memory is handed out in such pieces.
const PIECE_BYTES: usize = 16 << 10;

/// Nobody waits longer for a body.
const BODY_WITHIN: Duration = Duration::from_mins(2);

/// What must be answered is answered within this time, or not well.
const VITAL_WITHIN: Duration = Duration::from_secs(5);

/// What takes longer is told.
const SLOW: Duration = Duration::from_secs(1);

/// What a request is known by in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A longer address, or more of headers, is not read.
const MOST_ADDRESS_BYTES: usize = 16 << 10;
const MOST_HEADERS_BYTES: usize = 64 << 10;

/// Room for what requests take.
#[derive(Debug, Clone)]
pub(super) struct Room {
    /// Handlers that may wait, at once.
    slots: Arc<Semaphore>,
    /// The same for what must be answered however much there is to do.
    vital: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    /// Handlers at once for one client from elsewhere: half of all, so that nobody takes the room of everybody.
    most_each: usize,
    held: Arc<Mutex<HashMap<Peer, usize>>>,
}

/// While it lives, a client has one handler more at work.
#[derive(Debug)]
struct Held {
    peer: Peer,
    held: Arc<Mutex<HashMap<Peer, usize>>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.peer);
            }
        }
    }
}

impl Room {
    pub(super) fn new(most_requests: usize) -> Room {
        Room {
            slots: Arc::new(Semaphore::new(most_requests)),
            vital: Arc::new(Semaphore::new(4)),
            bodies: Arc::new(Semaphore::new(BODIES_BYTES / PIECE_BYTES)),
            most_each: most_requests.div_ceil(2),
            held: Arc::default(),
        }
    }

    /// Room for one handler more of this client. This machine's own may take all there is: many share one address there.
    fn share(&self, asker: &Asker) -> Result<Option<Held>> {
        if asker.is_local {
            return Ok(None);
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(asker.peer).or_default();
        if *count >= self.most_each {
            return Err(ApiError::busy());
        }
        *count += 1;
        Ok(Some(Held {
            peer: asker.peer,
            held: self.held.clone(),
        }))
    }
}

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
            let held = room.share(&request.asker)?;
            let work = move || {
                let _held = held;
                handler(&request)
            };
            blocking(&room.slots, work).await
        }
        Work::Changing => {
            let (live, held) = (live.clone(), room.share(&request.asker)?);
            let work = move || {
                let _held = held;
                change(handler, seen, request, &live)
            };
            blocking(&room.slots, work).await
        }
        Work::Vital => {
            let answered = blocking(&room.vital, move || handler(&request));
            let late = |_| ApiError::not_ready("it takes too long to answer".to_owned());
            timeout(VITAL_WITHIN, answered).await.map_err(late)?
        }
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

/// Runs `work` where it may wait, if there is room for one more.
async fn blocking(
    slots: &Arc<Semaphore>,
    work: impl FnOnce() -> Result<Answer> + Send + 'static,
) -> Result<Answer> {
    let Ok(slot) = slots.clone().try_acquire_owned() else {
        return Err(ApiError::busy());
    };
    let span = Span::current();
    let done = tokio::task::spawn_blocking(move || {
        let _slot = slot;
        span.in_scope(work)
    });
    done.await.map_err(ApiError::internal)?
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

/// Reads a body as it comes, up to so many bytes, and only while there is memory for it.
async fn whole<S, B>(
    body: S,
    most_bytes: usize,
    headers: &HeaderMap,
    room: &Room,
) -> Result<(Bytes, Vec<OwnedSemaphorePermit>)>
where
    S: Stream<Item = std::result::Result<B, warp::Error>>,
    B: Buf,
{
    let said = headers.get(CONTENT_LENGTH);
    let said = said.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|length| length > most_bytes) {
        return Err(ApiError::too_large(most_bytes));
    }
    let mut body = std::pin::pin!(body);
    let (mut bytes, mut held) = (Vec::new(), Vec::new());
    let broken = |_| ApiError::bad_request("bad_request", "the request's body breaks off");
    while let Some(mut piece) = body.try_next().await.map_err(broken)? {
        if bytes.len() + piece.remaining() > most_bytes {
            return Err(ApiError::too_large(most_bytes));
        }
        let wanted = (bytes.len() + piece.remaining()).div_ceil(PIECE_BYTES);
        let more = u32::try_from(wanted.saturating_sub(held.len())).unwrap_or(u32::MAX);
        for _ in 0..more {
            let piece = room.bodies.clone().try_acquire_owned();
            held.push(piece.map_err(|_| ApiError::busy())?);
        }
        while piece.has_remaining() {
            let chunk = piece.chunk();
            bytes.extend_from_slice(chunk);
            let len = chunk.len();
            piece.advance(len);
        }
    }
    Ok((bytes.into(), held))
}

/// What pages of a site that the owner named may do with an answer. Cookies are not for them: they show a token.
fn add_rules_for_origin(response: &mut Response, origin: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(VARY, HeaderValue::from_static("origin"));
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, DELETE"),
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
             connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ] {
        let headers = response.headers_mut();
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_from_elsewhere_takes_half_of_the_room_and_this_machine_all() {
        let room = Room::new(5);
        let asker = |last: u8, is_local| Asker {
            peer: Peer(Some([10, 0, 0, last].into())),
            is_local,
            is_https: false,
            host: None,
        };
        let mut greedy: Vec<_> = (0..3)
            .map(|_| room.share(&asker(1, false)).unwrap())
            .collect();
        assert!(room.share(&asker(1, false)).is_err());
        let other = room.share(&asker(2, false)).unwrap();
        assert!((0..9).all(|_| room.share(&asker(1, true)).unwrap().is_none()));
        greedy.pop();
        greedy.push(room.share(&asker(1, false)).unwrap());
        drop((greedy, other));
        assert!(room.held.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_body_takes_no_more_memory_than_there_is_room_for() {
        let room = Room::new(1);
        let pieces = |count| {
            let pieces = (0..count).map(|_| Ok(Bytes::from(vec![1; 10_000])));
            futures_util::stream::iter(pieces)
        };
        let headers = HeaderMap::new();
        let (bytes, held) = whole(pieces(5), 50_000, &headers, &room).await.unwrap();
        assert_eq!((bytes.len(), held.len()), (50_000, 4));
        assert!(whole(pieces(6), 50_000, &headers, &room).await.is_err());
        let others = room
            .bodies
            .clone()
            .acquire_many_owned(16_379)
            .await
            .unwrap();
        assert!(whole(pieces(5), 50_000, &headers, &room).await.is_err());
        drop(others);
        assert!(whole(pieces(5), 50_000, &headers, &room).await.is_ok());
        drop(held);
    }
}
