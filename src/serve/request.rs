//! What a route is given, and how its work becomes an answer.

use std::sync::Arc;

use serde::Serialize;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::hyper::body::Bytes;
use warp::reply::{self, Reply, Response};

use super::Api;
use super::error::ApiError;
use super::live::Live;
use super::params::{Known, Params};

type Result<T> = std::result::Result<T, ApiError>;

/// A request that came to a route, without the parts of its address.
pub(super) struct Request {
    pub(super) api: Arc<Api>,
    pub(super) params: Params,
    pub(super) body: Bytes,
    live: Live,
    /// Whether it changes the library.
    is_change: bool,
}

impl Request {
    /// What changes the library changes the one that is served then, and not the one before it.
    fn work<T>(mut self, work: impl FnOnce(&Request) -> T) -> T {
        if !self.is_change {
            return work(&self);
        }
        let live = self.live.clone();
        let _held = live.hold();
        self.api = live.now();
        work(&self)
    }
}

/// Lets requests of one kind through, with what they hold.
type Requests = BoxedFilter<(Request,)>;

pub(super) fn get(live: &Live, known: Known) -> Requests {
    warp::get().and(without_body(live, known)).boxed()
}

pub(super) fn delete(live: &Live) -> Requests {
    changing(warp::delete().and(without_body(live, &[])).boxed())
}

/// A POST whose address says all.
pub(super) fn post_empty(live: &Live) -> Requests {
    warp::post().and(without_body(live, &[])).boxed()
}

/// A POST with a body of up to so many bytes.
pub(super) fn post(live: &Live, limit_bytes: u64) -> Requests {
    warp::post().and(with_body(live, limit_bytes)).boxed()
}

/// A PUT with a body of up to so many bytes.
pub(super) fn put(live: &Live, limit_bytes: u64) -> Requests {
    changing(warp::put().and(with_body(live, limit_bytes)).boxed())
}

/// A POST with a body of up to so many bytes, which changes the library.
pub(super) fn post_change(live: &Live, limit_bytes: u64) -> Requests {
    changing(post(live, limit_bytes))
}

fn changing(requests: Requests) -> Requests {
    let change = |request| Request {
        is_change: true,
        ..request
    };
    requests.map(change).boxed()
}

/// What has a body says all in it.
fn with_body(live: &Live, limit_bytes: u64) -> Requests {
    without_body(live, &[])
        .and(warp::body::content_length_limit(limit_bytes))
        .and(warp::body::bytes())
        .map(|request: Request, body| Request { body, ..request })
        .boxed()
}

fn without_body(live: &Live, known: Known) -> Requests {
    let live = live.clone();
    let raw = warp::query::raw().or(warp::any().map(String::new)).unify();
    raw.and_then(move |raw: String| {
        let params = Params::read(&raw, known).map_err(warp::reject::custom);
        let live = live.clone();
        async {
            params.map(|params| Request {
                api: live.now(),
                params,
                body: Bytes::new(),
                live,
                is_change: false,
            })
        }
    })
    .boxed()
}

/// Does the work of a route and tells its result as JSON.
pub(super) async fn answer<T: Serialize + Send + 'static>(
    request: Request,
    work: impl FnOnce(&Request) -> Result<T> + Send + 'static,
) -> Response {
    json(blocking(request, work).await)
}

/// Runs `work` where it may wait, if there is room for one more.
pub(super) async fn blocking<T: Send + 'static>(
    request: Request,
    work: impl FnOnce(&Request) -> Result<T> + Send + 'static,
) -> Result<T> {
    let Ok(slot) = request.api.clients.slots.clone().try_acquire_owned() else {
        return Err(ApiError::busy());
    };
    let done = tokio::task::spawn_blocking(move || {
        let _slot = slot;
        request.work(work)
    });
    done.await.map_err(ApiError::internal)?
}

pub(super) fn json<T: Serialize>(result: Result<T>) -> Response {
    or_error(result.map(|value| reply::json(&value).into_response()))
}

pub(super) fn or_error(result: Result<Response>) -> Response {
    result.unwrap_or_else(ApiError::into_response)
}
