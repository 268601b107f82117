//! The daemon: wires all that works on an open library, takes it over to another model, and stops it within one deadline.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::config::Config;
use crate::hooks;
use crate::ingest::Ingest;
use crate::library::{self, Library, Opened};
use crate::serve::{self, Api, Listeners, Live};
use crate::service;
use crate::sidecar::Sidecars;
use crate::stop::{Stop, Threads};
use crate::store::{Owner, Secret, Store};
use crate::tag;
use crate::upkeep::{self, KeepDays, Reembedding};
use crate::watch::Watch;

/// Runs the daemon until told to stop.
pub(crate) async fn run(
    config: Config,
    folders: Vec<PathBuf>,
    listener: TcpListener,
    Opened { library, next }: Opened,
    stop: &Stop,
) -> Result<()> {
    let address = listener.local_addr()?.to_string();
    let mut listeners = Listeners::new(listener);
    let socket = &config.http.socket;
    if !socket.as_os_str().is_empty() {
        listeners = listeners
            .and_socket(socket)
            .with_context(|| format!("failed to listen on `{}`", socket.display()))?;
    }
    let secret = Secret::new()?;
    let owner = Owner {
        address: address.clone(),
        secret: secret.clone(),
    };
    library
        .announce(&owner)
        .context("failed to write the lock file")?;
    let pictures = library.pictures.clone();
    let roots = roots_of(&library.store, &folders)?;
    library::check_place(&config, &roots)?;
    name_roots(&library.store, &roots)?;
    // Before anything is purged: what there is of the model to come is kept.
    let next = next.map(|embedder| Reembedding::new(&library, embedder));
    let next = next.transpose()?;
    let (ingest, labels) = start(&config, &roots, &library)?;
    let images = library.index.vectors().len();
    let watched = roots.len();
    let api = Api::new(&config, library, ingest, labels, secret, stop);
    let threads = Threads::default();
    let live = match next {
        None => Live::new(api),
        Some(reembedding) => {
            let live = Live::new(api.changing_to(reembedding.progress()));
            let change = ModelChange {
                config,
                roots,
                reembedding,
                live: live.clone(),
                stop: stop.clone(),
            };
            threads.spawn("model change", move || change.run())?;
            live
        }
    };
    info!(%address, folders = watched, images, "listening");
    tokio::spawn(service::tell(stop.clone()));
    serve::run(listeners, &live, stop).await;
    info!("stopping");
    let deadline = stop.deadline();
    let left = tokio::task::spawn_blocking(move || {
        // The change of the model first: it may be starting what works on the library.
        let mut left = threads.join(deadline);
        left.extend(live.now().library().threads.join(deadline));
        left
    });
    let left = left.await?;
    pictures.close();
    if !left.is_empty() {
        warn!(threads = ?left, "work under way took too long and is left for the next start");
    }
    Ok(())
}

/// Starts all that works on a library in the background: what follows folders, and what follows label files.
fn start(config: &Config, roots: &[PathBuf], library: &Library) -> Result<(Ingest, Watch)> {
    let poll_interval = Duration::from_secs(config.ingest.poll_interval_s);
    let tagger = library.tagger.clone();
    let labels = tag::follow(
        tagger,
        poll_interval,
        library.stop.clone(),
        &library.threads,
    )
    .context("failed to watch label files")?;
    hooks::start(&config.hooks, library)?;
    let ingest = Ingest::start(library, roots)?;
    if let Some(sidecars) = Sidecars::new(library, config.sidecars.write) {
        sidecars.start()?;
    }
    upkeep::start(library, KeepDays::of(config))?;
    Ok((ingest, labels))
}

/// Takes a running library over to another model.
struct ModelChange {
    config: Config,
    roots: Vec<PathBuf>,
    reembedding: Reembedding,
    live: Live,
    stop: Stop,
}

impl ModelChange {
    fn run(self) {
        let model = self.reembedding.embedder().name().to_owned();
        info!(
            model,
            "embedding all pictures with another model; the one of before answers meanwhile"
        );
        // Told to stop: the next start goes on.
        if !matches!(self.reembedding.run(|_| {}), Ok(true)) {
            return;
        }
        for attempts in 1.. {
            match self.take_over() {
                Ok(()) => break,
                Err(error) => {
                    let trouble = format!("{error:#}");
                    let progress = self.reembedding.progress();
                    progress.wait_after(&trouble, attempts, &self.stop);
                }
            }
            if self.stop.is_asked() {
                return;
            }
        }
        info!(model, "the library has gone over to another model");
    }

    /// Whatever takes time is done while the model of before still answers. Where it fails, that one goes on answering, and nothing
    /// else works on the library until it is tried again.
    fn take_over(&self) -> Result<()> {
        let before = self.live.now().library().clone();
        let embedder = self.reembedding.embedder().clone();
        let library = before.with_model(&self.config, embedder, self.stop.part())?;
        library.index.wait_until_built();
        ensure!(!self.stop.is_asked(), "told to stop");
        before.stop.ask();
        end(&before);
        // What came and went while this was made ready.
        library.index.catch_up(&library.store, library.model)?;
        drop(before);
        let replaced = self.live.replace(|api| {
            library.put_in_force()?;
            let (ingest, labels) = start(&self.config, &self.roots, &library)?;
            Ok(api.over(library.clone(), ingest, labels))
        });
        if replaced.is_err() {
            library.stop.ask();
            end(&library);
        }
        replaced
    }
}

/// Waits for what works on a library that was told to stop.
fn end(library: &Library) {
    let left = library.threads.join(library.stop.deadline());
    if !left.is_empty() {
        warn!(threads = ?left, "work under way took too long and is done again");
    }
}

/// The folders that were named, else those of the last run.
fn roots_of(store: &Store, folders: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let known = store.roots()?;
    let mut roots = library::resolve_roots(folders, &known)?;
    if roots.is_empty() {
        let named = known.iter().filter(|root| root.is_named());
        roots = named.map(|root| root.path.clone()).collect();
    }
    ensure!(
        !roots.is_empty(),
        "no folder to watch: name one, as in `pixdex serve ~/Pictures`"
    );
    Ok(roots)
}

/// Remembers which folders are watched, and tells of those that are not any more, whose pictures stay as they were.
fn name_roots(store: &Store, roots: &[PathBuf]) -> Result<()> {
    store.name_roots(roots)?;
    for root in store.roots()? {
        if roots.contains(&root.path) {
            continue;
        }
        let (folder, files) = (root.path.display(), store.count_files(root.id)?);
        if files > 0 {
            warn!(
                %folder, files,
                "a folder of an earlier run is not watched any more: `pixdex forget {folder}` takes its pictures out"
            );
        }
    }
    Ok(())
}
