//! What a route is given, and how its work becomes an answer.

use serde::Serialize;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::hyper::body::Bytes;
use warp::reply::{self, Reply, Response};

use super::Api;
use super::error::ApiError;
use super::params::{Known, Params};

type Result<T> = std::result::Result<T, ApiError>;

/// A request that came to a route, without the parts of its address.
pub(super) struct Request {
    pub(super) api: Api,
    pub(super) params: Params,
    pub(super) body: Bytes,
}

/// Lets requests of one kind through, with what they hold.
type Requests = BoxedFilter<(Request,)>;

pub(super) fn get(api: &Api, known: Known) -> Requests {
    warp::get().and(without_body(api, known)).boxed()
}

pub(super) fn delete(api: &Api) -> Requests {
    warp::delete().and(without_body(api, &[])).boxed()
}

/// A POST whose address says all.
pub(super) fn post_empty(api: &Api) -> Requests {
    warp::post().and(without_body(api, &[])).boxed()
}

/// A POST with a body of up to so many bytes.
pub(super) fn post(api: &Api, limit_bytes: u64) -> Requests {
    warp::post().and(with_body(api, limit_bytes)).boxed()
}

/// A PUT with a body of up to so many bytes.
pub(super) fn put(api: &Api, limit_bytes: u64) -> Requests {
    warp::put().and(with_body(api, limit_bytes)).boxed()
}

/// What has a body says all in it.
fn with_body(api: &Api, limit_bytes: u64) -> Requests {
    without_body(api, &[])
        .and(warp::body::content_length_limit(limit_bytes))
        .and(warp::body::bytes())
        .map(|request: Request, body| Request { body, ..request })
        .boxed()
}

fn without_body(api: &Api, known: Known) -> Requests {
    let api = api.clone();
    let raw = warp::query::raw().or(warp::any().map(String::new)).unify();
    raw.and_then(move |raw: String| {
        let params = Params::read(&raw, known).map_err(warp::reject::custom);
        let api = api.clone();
        async {
            params.map(|params| Request {
                api,
                params,
                body: Bytes::new(),
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
    let Ok(slot) = request.api.slots.clone().try_acquire_owned() else {
        return Err(ApiError::busy());
    };
    let done = tokio::task::spawn_blocking(move || {
        let _slot = slot;
        work(&request)
    });
    done.await.map_err(ApiError::internal)?
}

pub(super) fn json<T: Serialize>(result: Result<T>) -> Response {
    or_error(result.map(|value| reply::json(&value).into_response()))
}

pub(super) fn or_error(result: Result<Response>) -> Response {
    result.unwrap_or_else(ApiError::into_response)
}
