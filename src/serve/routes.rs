//! Which address is answered by which handler.

use std::convert::Infallible;
use std::str::{FromStr, Utf8Error};

use percent_encoding::percent_decode_str;
use warp::filters::BoxedFilter;
use warp::http::header;
use warp::reply::{self, Reply, Response};
use warp::{Filter, Rejection, path};

use super::decisions::About;
use super::error::recover;
use super::live::Live;
use super::request::{
    Request, answer, blocking, delete, get, json, or_error, post, post_change, post_empty, put,
};
use super::{decisions, files, label_sets, search, status, upkeep};
use crate::tag;
use crate::wire::Health;

/// Some pictures to search with, written in base64.
const MAX_QUERY_BYTES: u64 = 64 * 1024 * 1024;

/// A decision, or what is to be purged or forgotten, is a word.
const MAX_DECISION_BYTES: u64 = 64 * 1024;

/// Some hundred thousand decisions.
const MAX_DECISIONS_BYTES: u64 = 64 * 1024 * 1024;

/// An address with its answer.
type Route = BoxedFilter<(Response,)>;

/// All of it, errors included.
pub(super) fn all(
    live: &Live,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + use<> {
    let v1 = path!("api" / "v1" / ..).and(first_of(vec![
        pictures(live),
        labels(live),
        decisions(live),
        daemon(live),
    ]));
    let answers = first_of(vec![page(), health(live), v1.boxed()]);
    guard(live)
        .and(answers)
        .recover(recover)
        .unify()
        .with(reply::with::header("x-content-type-options", "nosniff"))
        .map(Reply::into_response)
}

/// Lets a request through or rejects it.
fn guard(live: &Live) -> impl Filter<Extract = (), Error = Rejection> + Clone + use<> {
    let guard = live.now().clients.guard.clone();
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

fn page() -> Route {
    let file = |content_type: &'static str, text: &'static str| {
        warp::get().map(move || {
            reply::with_header(text, header::CONTENT_TYPE, content_type).into_response()
        })
    };
    let html = file("text/html; charset=utf-8", include_str!("ui/index.html"));
    let script = file("text/javascript; charset=utf-8", include_str!("ui/app.js"));
    let style = file("text/css; charset=utf-8", include_str!("ui/style.css"));
    first_of(vec![
        path::end().and(html).boxed(),
        path!("app.js").and(script).boxed(),
        path!("style.css").and(style).boxed(),
    ])
}

/// The listener is only served when the library is open, so who is answered is answered by a ready program.
fn health(live: &Live) -> Route {
    let ok = get(live, &[]).map(|_| {
        let status = "ok".to_owned();
        json(Ok(Health { status }))
    });
    first_of(vec![
        path!("health" / "live").and(ok.clone()).boxed(),
        path!("health" / "ready").and(ok).boxed(),
    ])
}

fn pictures(live: &Live) -> Route {
    first_of(vec![
        path!("images")
            .and(get(live, search::LIST))
            .then(|request| answer(request, search::images))
            .boxed(),
        path!("images" / String)
            .and(get(live, &[]))
            .then(|id: String, request| answer(request, move |request| files::image(request, &id)))
            .boxed(),
        path!("images" / String / "file")
            .and(get(live, &[]))
            .then(|id, request| async { or_error(files::original(request, id).await) })
            .boxed(),
        path!("images" / String / "thumbnail")
            .and(get(live, files::THUMBNAIL))
            .then(|id: String, request| async {
                or_error(blocking(request, move |request| files::thumbnail(request, &id)).await)
            })
            .boxed(),
        path!("search")
            .and(get(live, search::RANKING))
            .then(|request| answer(request, search::search))
            .boxed(),
        path!("search")
            .and(post(live, MAX_QUERY_BYTES))
            .then(|request| answer(request, search::form))
            .boxed(),
        path!("duplicates")
            .and(get(live, search::DUPLICATES))
            .then(|request| answer(request, search::duplicates))
            .boxed(),
    ])
}

fn labels(live: &Live) -> Route {
    first_of(vec![
        path!("label-sets")
            .and(get(live, &[]))
            .then(|request| answer(request, |request| Ok(label_sets::list(request))))
            .boxed(),
        path!("label-sets" / Text)
            .and(get(live, &[]))
            .then(|Text(name), request| {
                answer(request, move |request| label_sets::one(request, &name))
            })
            .boxed(),
        path!("label-sets" / Text)
            .and(put(live, tag::MAX_FILE_BYTES))
            .then(|Text(name), request| {
                answer(request, move |request| label_sets::put(request, &name))
            })
            .boxed(),
        path!("label-sets" / Text)
            .and(delete(live))
            .then(|Text(name), request| {
                answer(request, move |request| label_sets::delete(request, &name))
            })
            .boxed(),
        path!("label-sets" / Text / "preview")
            .and(post(live, tag::MAX_FILE_BYTES))
            .then(|Text(name), request| {
                answer(request, move |request| label_sets::preview(request, &name))
            })
            .boxed(),
        path!("tags")
            .and(get(live, &[]))
            .then(|request| answer(request, label_sets::tags))
            .boxed(),
    ])
}

fn decisions(live: &Live) -> Route {
    let about = path!("images" / Text / "decisions" / Text / Text)
        .map(|Text(image), Text(set), Text(label)| About { image, set, label });
    first_of(vec![
        path!("decisions")
            .and(get(live, decisions::WHICH))
            .then(|request| answer(request, decisions::list))
            .boxed(),
        path!("decisions")
            .and(post_change(live, MAX_DECISIONS_BYTES))
            .then(|request| answer(request, decisions::post))
            .boxed(),
        path!("decisions" / "import")
            .and(post_change(live, MAX_DECISIONS_BYTES))
            .then(|request| answer(request, decisions::import))
            .boxed(),
        about
            .and(put(live, MAX_DECISION_BYTES))
            .then(|about: About, request| {
                answer(request, move |request| decisions::put(request, &about))
            })
            .boxed(),
        about
            .and(delete(live))
            .then(|about: About, request| {
                answer(request, move |request| decisions::delete(request, &about))
            })
            .boxed(),
    ])
}

/// A part of an address that people chose: whatever an address cannot hold is written with `%` there.
struct Text(String);

impl FromStr for Text {
    type Err = Utf8Error;

    fn from_str(part: &str) -> Result<Text, Utf8Error> {
        Ok(Text(percent_decode_str(part).decode_utf8()?.into_owned()))
    }
}

fn daemon(live: &Live) -> Route {
    first_of(vec![
        path!("status")
            .and(get(live, &[]))
            .then(|request| answer(request, status::status))
            .boxed(),
        path!("failures")
            .and(get(live, &[]))
            .then(|request| answer(request, status::failures))
            .boxed(),
        path!("rescan")
            .and(post_empty(live))
            .then(|request| answer(request, |request| Ok(status::rescan(request))))
            .boxed(),
        path!("purge")
            .and(post_change(live, MAX_DECISION_BYTES))
            .then(|request| answer(request, upkeep::purge))
            .boxed(),
        path!("roots")
            .and(get(live, &[]))
            .then(|request| answer(request, upkeep::roots))
            .boxed(),
        path!("forget")
            .and(post_change(live, MAX_DECISION_BYTES))
            .then(|request| answer(request, upkeep::forget))
            .boxed(),
        path!("events")
            .and(get(live, &[]))
            .map(|Request { api, .. }: Request| {
                or_error(api.clients.streams.open(api.library.store.feed()))
            })
            .boxed(),
    ])
}

/// The first of these that takes a request answers it.
fn first_of(routes: Vec<Route>) -> Route {
    let none = warp::any()
        .and_then(|| async { Err(warp::reject::not_found()) })
        .boxed();
    let either = |first: Route, second: Route| first.or(second).unify().boxed();
    routes.into_iter().fold(none, either)
}
