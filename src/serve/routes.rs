//! Which address is answered by which handler.

use std::convert::Infallible;
use std::str::{FromStr, Utf8Error};

use percent_encoding::percent_decode_str;
use serde::Serialize;
use warp::filters::BoxedFilter;
use warp::http::header;
use warp::hyper::body::Bytes;
use warp::reply::{self, Reply, Response};
use warp::{Filter, Rejection};

use super::error::{ApiError, recover};
use super::params::Params;
use super::{Api, decisions, handlers};

/// A label set is a page of text.
const MAX_LABEL_SET_BYTES: u64 = 1024 * 1024;

/// Some pictures to search with, written in base64.
const MAX_QUERY_BYTES: u64 = 64 * 1024 * 1024;

/// Some hundred thousand decisions.
const MAX_DECISIONS_BYTES: u64 = 64 * 1024 * 1024;

type Result<T> = std::result::Result<T, ApiError>;

/// All of it, errors included.
pub(super) fn all(
    api: &Api,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + use<> {
    let answers = page()
        .or(health())
        .unify()
        .or(images(api))
        .unify()
        .or(label_sets(api))
        .unify()
        .or(decided(api))
        .unify()
        .or(library(api))
        .unify()
        .or(events(api))
        .unify();
    guard(api)
        .and(answers)
        .recover(recover)
        .unify()
        .with(reply::with::header("x-content-type-options", "nosniff"))
        .map(Reply::into_response)
}

/// Lets a request through or rejects it.
fn guard(api: &Api) -> impl Filter<Extract = (), Error = Rejection> + Clone + use<> {
    let guard = api.guard.clone();
    warp::host::optional()
        .and(warp::header::optional::<String>("origin"))
        .and_then(
            move |host: Option<warp::host::Authority>, origin: Option<String>| {
                let checked = guard.check(host.as_ref(), origin.as_deref());
                async move { checked.map_err(warp::reject::custom) }
            },
        )
        .untuple_one()
}

fn page() -> BoxedFilter<(Response,)> {
    let file = |content_type: &'static str, text: &'static str| {
        warp::get().map(move || {
            reply::with_header(text, header::CONTENT_TYPE, content_type).into_response()
        })
    };
    let index = warp::path::end().and(file(
        "text/html; charset=utf-8",
        include_str!("ui/index.html"),
    ));
    let script = warp::path!("app.js").and(file(
        "text/javascript; charset=utf-8",
        include_str!("ui/app.js"),
    ));
    let style = warp::path!("style.css").and(file(
        "text/css; charset=utf-8",
        include_str!("ui/style.css"),
    ));
    index.or(script).unify().or(style).unify().boxed()
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// The listener is only served when the library is open, so who is answered is answered by a ready program.
fn health() -> BoxedFilter<(Response,)> {
    let ok = || json(Ok(Health { status: "ok" }));
    let live = warp::path!("health" / "live").and(warp::get()).map(ok);
    let ready = warp::path!("health" / "ready").and(warp::get()).map(ok);
    live.or(ready).unify().boxed()
}

fn images(api: &Api) -> BoxedFilter<(Response,)> {
    let list = warp::path!("api" / "v1" / "images")
        .and(read(api))
        .then(|api, params| answer(api, move |api| handlers::images(api, &params)));
    let one = warp::path!("api" / "v1" / "images" / String)
        .and(read(api))
        .then(|id: String, api, _| answer(api, move |api| handlers::image(api, &id)));
    let file = warp::path!("api" / "v1" / "images" / String / "file")
        .and(read(api))
        .then(|id: String, api, _| async { or_error(handlers::file(api, id).await) });
    let thumbnail = warp::path!("api" / "v1" / "images" / String / "thumbnail")
        .and(read(api))
        .then(|id: String, api: Api, params: Params| async move {
            or_error(
                handlers::blocking(&api, move |api| handlers::thumbnail(api, &id, &params)).await,
            )
        });
    list.or(one)
        .unify()
        .or(file)
        .unify()
        .or(thumbnail)
        .unify()
        .boxed()
}

fn label_sets(api: &Api) -> BoxedFilter<(Response,)> {
    let list = warp::path!("api" / "v1" / "label-sets")
        .and(read(api))
        .then(|api, _| answer(api, |api| Ok(handlers::label_sets(api))));
    let get = warp::path!("api" / "v1" / "label-sets" / String)
        .and(read(api))
        .then(|name: String, api, _| answer(api, move |api| handlers::label_set(api, &name)));
    let text = body(MAX_LABEL_SET_BYTES);
    let put = warp::path!("api" / "v1" / "label-sets" / String)
        .and(warp::put())
        .and(with(api))
        .and(text)
        .then(|name: String, api, body: Bytes| {
            answer(api, move |api| handlers::put_label_set(api, &name, &body))
        });
    let preview = warp::path!("api" / "v1" / "label-sets" / String / "preview")
        .and(warp::post())
        .and(with(api))
        .and(text)
        .then(|name: String, api, body: Bytes| {
            answer(api, move |api| {
                handlers::preview_label_set(api, &name, &body)
            })
        });
    let delete = warp::path!("api" / "v1" / "label-sets" / String)
        .and(warp::delete())
        .and(with(api))
        .then(|name: String, api| answer(api, move |api| handlers::delete_label_set(api, &name)));
    list.or(get)
        .unify()
        .or(put)
        .unify()
        .or(preview)
        .unify()
        .or(delete)
        .unify()
        .boxed()
}

fn decided(api: &Api) -> BoxedFilter<(Response,)> {
    let list = warp::path!("api" / "v1" / "decisions")
        .and(read(api))
        .then(|api, params| answer(api, move |api| decisions::list(api, &params)));
    let post = warp::path!("api" / "v1" / "decisions")
        .and(warp::post())
        .and(with(api))
        .and(body(MAX_DECISIONS_BYTES))
        .then(|api, body: Bytes| answer(api, move |api| decisions::post(api, &body)));
    let import = warp::path!("api" / "v1" / "decisions" / "import")
        .and(warp::post())
        .and(with(api))
        .and(body(MAX_DECISIONS_BYTES))
        .then(|api, body: Bytes| answer(api, move |api| decisions::import(api, &body)));
    let one = warp::path!("api" / "v1" / "images" / Text / "decisions" / Text / Text);
    let put = one
        .and(warp::put())
        .and(with(api))
        .and(body(MAX_LABEL_SET_BYTES))
        .then(|id: Text, set: Text, label: Text, api, body: Bytes| {
            answer(api, move |api| {
                decisions::put(api, [&id.0, &set.0, &label.0], &body)
            })
        });
    let delete =
        one.and(warp::delete())
            .and(with(api))
            .then(|id: Text, set: Text, label: Text, api| {
                answer(api, move |api| {
                    decisions::delete(api, [&id.0, &set.0, &label.0])
                })
            });
    list.or(post)
        .unify()
        .or(import)
        .unify()
        .or(put)
        .unify()
        .or(delete)
        .unify()
        .boxed()
}

/// A part of an address that people chose: whatever an address cannot hold is written with `%` there.
struct Text(String);

impl FromStr for Text {
    type Err = Utf8Error;

    fn from_str(part: &str) -> std::result::Result<Text, Utf8Error> {
        Ok(Text(percent_decode_str(part).decode_utf8()?.into_owned()))
    }
}

fn library(api: &Api) -> BoxedFilter<(Response,)> {
    let search = warp::path!("api" / "v1" / "search")
        .and(read(api))
        .then(|api, params| answer(api, move |api| handlers::search(api, &params)));
    let search_form = warp::path!("api" / "v1" / "search")
        .and(warp::post())
        .and(with(api))
        .and(body(MAX_QUERY_BYTES))
        .then(|api, body: Bytes| answer(api, move |api| handlers::search_form(api, &body)));
    let duplicates = warp::path!("api" / "v1" / "duplicates")
        .and(read(api))
        .then(|api, params| answer(api, move |api| handlers::duplicates(api, &params)));
    let tags = warp::path!("api" / "v1" / "tags")
        .and(read(api))
        .then(|api, _| answer(api, handlers::tags));
    let status = warp::path!("api" / "v1" / "status")
        .and(read(api))
        .then(|api, _| answer(api, handlers::status));
    let failures = warp::path!("api" / "v1" / "failures")
        .and(read(api))
        .then(|api, _| answer(api, handlers::failures));
    let rescan = warp::path!("api" / "v1" / "rescan")
        .and(warp::post())
        .and(with(api))
        .then(|api| answer(api, |api| Ok(handlers::rescan(api))));
    search
        .or(search_form)
        .unify()
        .or(duplicates)
        .unify()
        .or(tags)
        .unify()
        .or(status)
        .unify()
        .or(failures)
        .unify()
        .or(rescan)
        .unify()
        .boxed()
}

fn events(api: &Api) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "v1" / "events")
        .and(warp::get())
        .and(with(api))
        .map(|api: Api| or_error(api.streams.open(api.parts.store.feed())))
        .boxed()
}

/// A GET with its parameters.
fn read(api: &Api) -> impl Filter<Extract = (Api, Params), Error = Rejection> + Clone + use<> {
    let raw = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::get()
        .and(with(api))
        .and(raw.map(|raw: String| Params::parse(&raw)))
}

/// What came with the request, up to so many bytes.
fn body(limit_bytes: u64) -> impl Filter<Extract = (Bytes,), Error = Rejection> + Copy {
    warp::body::content_length_limit(limit_bytes).and(warp::body::bytes())
}

fn with(api: &Api) -> impl Filter<Extract = (Api,), Error = Infallible> + Clone + use<> {
    let api = api.clone();
    warp::any().map(move || api.clone())
}

async fn answer<T: Serialize + Send + 'static>(
    api: Api,
    work: impl FnOnce(&Api) -> Result<T> + Send + 'static,
) -> Response {
    json(handlers::blocking(&api, work).await)
}

fn json<T: Serialize>(result: Result<T>) -> Response {
    or_error(result.map(|value| reply::json(&value).into_response()))
}

fn or_error(result: Result<Response>) -> Response {
    result.unwrap_or_else(ApiError::into_response)
}
