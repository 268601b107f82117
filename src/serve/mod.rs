//! The library over HTTP: search, images, tags, label sets, status and a page to look at it all.
//!
//! Handlers wait on nothing themselves: what touches the disk or the model runs on blocking threads, a bounded number at
//! a time.

mod accept;
mod access;
mod albums;
mod answer;
mod asker;
mod connections;
mod decisions;
mod dispatch;
mod error;
mod events;
mod files;
mod form;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
mod guard;
mod health;
mod label_sets;
mod live;
mod login;
mod metrics;
mod openapi;
mod page;
mod paging;
mod params;
mod reference;
mod request;
mod room;
mod route;
mod routes;
mod search;
mod slowed;
mod socket;
mod status;
mod tokens;
mod upkeep;

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use crossbeam_channel::Sender;
use tracing::warn;
use warp::Filter;
use warp::http::{HeaderMap, Method};
use warp::path::FullPath;

use crate::config::{Config, Network};
use crate::ingest::{Ingest, Progress};
use crate::library::Library;
use crate::pictures::Thumbnails;
use crate::search::Search;
use crate::stop::Stop;
use crate::store::Secret;
use crate::upkeep::{KeepDays, ReembeddingProgress};
use crate::watch::Watch;
pub(crate) use live::Live;
use reference::Reference;
pub(crate) use socket::Listeners;

/// What the interface is, made when it is first asked for.
static REFERENCE: LazyLock<Reference> = LazyLock::new(|| Reference::of(&openapi::document()));

/// What the handlers work with. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    library: Library,
    search: Search,
    progress: Progress,
    rescans: Sender<()>,
    /// Of the roots, and of the labels folder.
    watches: [Watch; 2],
    thumbnails: Thumbnails,
    /// How far the embedding with another model is, where the library is to go over to one.
    next_model: Option<ReembeddingProgress>,
    clients: Clients,
}

/// What concerns those who ask, whichever library answers.
#[derive(Debug, Clone)]
struct Clients {
    keep_days: KeepDays,
    access: access::Access,
    trusted_proxies: Arc<[Network]>,
    guard: Arc<guard::Guard>,
    room: room::Room,
    requests: metrics::Requests,
    readiness: health::Readiness,
    most_connections: usize,
    streams: events::Streams,
    reference: &'static LazyLock<Reference>,
}

impl Api {
    /// Over an open library, its running ingest, and the watch on its labels. Who shows `secret` is the library's owner; streams
    /// end when `stop` is asked for.
    pub(crate) fn new(
        config: &Config,
        library: Library,
        ingest: Ingest,
        labels: Watch,
        secret: Secret,
        stop: &Stop,
    ) -> Api {
        let clients = Clients {
            access: access::Access::new(&config.http, secret),
            trusted_proxies: config.http.trusted_proxies.clone().into(),
            keep_days: KeepDays::of(config),
            guard: Arc::new(guard::Guard::new(&config.http.hosts, &config.http.origins)),
            room: room::Room::new(config.http.max_requests),
            requests: metrics::Requests::new(),
            readiness: health::Readiness::default(),
            most_connections: config.http.max_connections,
            streams: events::Streams::new(stop.clone()),
            reference: &REFERENCE,
        };
        Api::answering(clients, library, ingest, labels)
    }

    fn answering(clients: Clients, library: Library, ingest: Ingest, labels: Watch) -> Api {
        Api {
            search: library.search(),
            progress: ingest.progress,
            rescans: ingest.rescans,
            watches: [ingest.watch, labels],
            thumbnails: Thumbnails::new(&library.folder, library.pictures.clone()),
            next_model: None,
            library,
            clients,
        }
    }

    /// The same, where the library is to go over to another model.
    pub(crate) fn changing_to(self, next_model: ReembeddingProgress) -> Api {
        Api {
            next_model: Some(next_model),
            ..self
        }
    }

    /// The same for those who ask, over another library.
    pub(crate) fn over(&self, library: Library, ingest: Ingest, labels: Watch) -> Api {
        Api::answering(self.clients.clone(), library, ingest, labels)
    }

    /// What it is about.
    pub(crate) fn library(&self) -> &Library {
        &self.library
    }
}

/// Serves until told to stop; a client that reads nothing does not hold that up beyond the deadline.
pub(crate) async fn run(listeners: Listeners, live: &Live, stop: &Stop) {
    let most_connections = connections::most(live.now().clients.most_connections);
    let live = live.clone();
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let requests = warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::ext::get())
        .and(warp::body::stream())
        .then(
            move |method: Method, path: FullPath, query: String, headers: HeaderMap, peer, body| {
                let head = dispatch::Head {
                    method,
                    path: path.as_str().to_owned(),
                    query,
                    headers,
                    peer,
                };
                dispatch::answer(live.clone(), head, body)
            },
        )
        .recover(|_| async { Ok::<_, Infallible>(dispatch::not_understood()) })
        .unify();
    let server = connections::serve(listeners, most_connections, requests, stop);
    let overdue = async {
        stop.asked().await;
        tokio::time::sleep_until(stop.deadline().into()).await;
    };
    tokio::select! {
        () = server => {}
        () = overdue => warn!("some answers were cut off"),
    }
}
