//! The daemon: wires all that works on an open library, and stops it within one deadline.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::config::Config;
use crate::hooks;
use crate::ingest::Ingest;
use crate::library::{self, Library};
use crate::serve::{self, Api};
use crate::sidecar::Sidecars;
use crate::store::Store;
use crate::tag;
use crate::upkeep;

/// Runs the daemon until the library's [`crate::stop::Stop`] is asked for.
pub(crate) async fn run(
    config: Config,
    folders: Vec<PathBuf>,
    listener: TcpListener,
    library: Library,
) -> Result<()> {
    let address = listener.local_addr()?.to_string();
    library
        .announce(&address)
        .context("failed to write the lock file")?;
    let stop = library.stop.clone();
    let threads = library.threads.clone();
    let pictures = library.pictures.clone();
    let roots = roots_of(&library.store, &folders)?;
    library::check_place(&config, &roots)?;
    name_roots(&library.store, &roots)?;
    let poll_interval = Duration::from_secs(config.ingest.poll_interval_s);
    let tagger = library.tagger.clone();
    let labels = tag::follow(tagger, poll_interval, stop.clone(), &threads)
        .context("failed to watch label files")?;
    hooks::start(&config.hooks, &library)?;
    let ingest = Ingest::start(&library, &roots)?;
    if let Some(sidecars) = Sidecars::new(&library, config.sidecars.write) {
        sidecars.start()?;
    }
    let images = library.index.vectors().len();
    upkeep::start(&library, config.keep_deleted_days)?;
    let api = Api::new(&config, library, ingest, labels);
    info!(%address, folders = roots.len(), images, "listening");
    serve::run(listener, api, &stop).await;
    info!("stopping");
    let deadline = stop.deadline();
    let left = tokio::task::spawn_blocking(move || threads.join(deadline)).await?;
    pictures.close();
    if !left.is_empty() {
        warn!(threads = ?left, "work under way took too long and is left for the next start");
    }
    Ok(())
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
