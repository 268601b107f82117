//! The library over HTTP: search, images, tags, label sets, status and a page to look at it all.
//!
//! Handlers wait on nothing themselves: what touches the disk or the model runs on blocking threads, a bounded number at
//! a time.

mod decisions;
mod error;
mod events;
mod files;
mod guard;
mod label_sets;
mod params;
mod request;
mod routes;
mod search;
mod status;
mod thumbnail;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use crossbeam_channel::Sender;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::config::Config;
use crate::ingest::{Parts, Progress};
use crate::search::Search;

/// The longest wait for answers under way when the server stops; a client that reads nothing must not hold it up.
const STOP_DEADLINE: Duration = Duration::from_secs(1);

/// What the handlers work with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    parts: Parts,
    search: Search,
    progress: Progress,
    rescans: Sender<()>,
    thumbnails: PathBuf,
    guard: Arc<guard::Guard>,
    slots: Arc<Semaphore>,
    streams: events::Streams,
}

impl Api {
    /// Over an open library and its running ingest; event streams end when `stop` is cancelled.
    pub fn new(
        config: &Config,
        parts: Parts,
        progress: Progress,
        rescans: Sender<()>,
        stop: CancellationToken,
    ) -> Result<Api> {
        Ok(Api {
            search: Search::new(
                parts.store.clone(),
                parts.index.clone(),
                parts.embedder.clone(),
                parts.decode.clone(),
            ),
            parts,
            progress,
            rescans,
            thumbnails: config.library_dir()?.join("thumbnails"),
            guard: Arc::new(guard::Guard::new(&config.http.hosts)),
            slots: Arc::new(Semaphore::new(config.http.max_requests)),
            streams: events::Streams::new(stop),
        })
    }
}

/// Serves until `stop` is cancelled.
pub async fn run(listener: TcpListener, api: Api, stop: CancellationToken) {
    let graceful = stop.clone();
    let server = warp::serve(routes::all(&api))
        .incoming(listener)
        .graceful(async move { graceful.cancelled().await })
        .run();
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(STOP_DEADLINE).await;
    };
    tokio::select! {
        () = server => {}
        () = overdue => warn!("some answers were cut off"),
    }
}
