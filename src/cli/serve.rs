//! `pixdex serve`: the daemon.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use tokio::net::TcpListener;
use toml::Value;
use tracing::info;

use super::{output, token};
use crate::config::Config;
use crate::daemon;
use crate::library::{self, Library};
use crate::stop::Stop;

/// Watch folders, and serve search, tags and a web page until told to stop.
#[derive(Debug, Args)]
#[command(after_long_help = include_str!("help/serve.txt"))]
pub(super) struct Serve {
    /// The folders to watch [default: those of the last run]
    #[arg(value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The address to listen on [default: 127.0.0.1:7878]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Let other machines ask without a token: whoever can reach the address sees every picture and changes every tag
    #[arg(long)]
    allow_anonymous: bool,
}

impl Serve {
    pub(super) fn flags(&self) -> Vec<(&'static str, Value)> {
        let listen = self
            .listen
            .map(|address| ("http.listen", Value::String(address.to_string())));
        let allow_anonymous = self
            .allow_anonymous
            .then_some(("http.allow_anonymous", Value::Boolean(true)));
        listen.into_iter().chain(allow_anonymous).collect()
    }

    pub(super) fn run(self, config: Config) -> Result<()> {
        block_on(serve(config, self.folders))
    }
}

/// Runs the daemon to its end. Work that is left behind when its time is up is cut off, as by a kill: the next start makes up
/// for it.
pub(super) fn block_on(daemon: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(daemon);
    runtime.shutdown_background();
    ended
}

async fn serve(config: Config, folders: Vec<PathBuf>) -> Result<()> {
    let stop = Stop::default();
    stop_on_signal(stop.clone())?;
    token::check_remote(&config)?;
    let listen = config.http.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("failed to listen on `{listen}`"))?;
    let stop_of_library = stop.part();
    let named = folders.clone();
    let opened = tokio::task::spawn_blocking(move || {
        // Before a library is made there. Folders that it remembers were looked at when they were named.
        let roots = library::resolve_roots(&named, &library::known_roots(&config)?)?;
        library::check_place(&config, &roots)?;
        let opened = Library::open(&config, stop_of_library, &output::download())?;
        anyhow::Ok((config, opened))
    });
    // A download can take minutes, and must end at once when it is told to.
    let (config, opened) = tokio::select! {
        opened = opened => opened??,
        () = stop.asked() => std::process::exit(0),
    };
    daemon::run(config, folders, listener, opened, &stop).await
}

/// Passes on that the process is told to stop. Both handlers are in place before anybody learns the address.
pub(super) fn stop_on_signal(stop: Stop) -> Result<()> {
    let signalled = signals()?;
    tokio::spawn(async move {
        signalled.await;
        info!("told to stop");
        stop.ask();
    });
    Ok(())
}

#[cfg(unix)]
fn signals() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the other systems' way can fail")]
fn signals() -> Result<impl Future<Output = ()>> {
    Ok(async {
        drop(tokio::signal::ctrl_c().await);
    })
}
