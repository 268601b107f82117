//! `pixdex demo`: a library of drawn pictures, made, indexed and served, with what to try on it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use tokio::net::TcpListener;

use super::client::Client;
use super::{output, search, serve, token};
use crate::config::Config;
use crate::daemon;
use crate::demo::{self, SEARCHES};
use crate::library::{Library, Opened};
use crate::stop::Stop;
use crate::tag::{self, DRAWN_SETS};
use crate::wire::{Answer, Status, Tags};

/// A new picture is looked at after so long; short, since this is for watching.
const SETTLE_MS: i64 = 500;

/// Hits that are shown of each search.
const SHOWN: &str = "3";

/// Try pixdex on a library of drawn pictures that it makes by itself; needs no network.
///
/// Pictures, library and label files lie in a temporary folder, which goes when the demo ends.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// The address to listen on [default: 127.0.0.1:7878, or any free port where that is taken]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

impl Demo {
    pub(super) fn flags(&self) -> Vec<(&'static str, toml::Value)> {
        let listen = self
            .listen
            .map(|address| ("http.listen", toml::Value::String(address.to_string())));
        [
            ("model", toml::Value::String("bundled".to_owned())),
            ("ingest.settle_ms", toml::Value::Integer(SETTLE_MS)),
            ("log", toml::Value::String("warn".to_owned())),
            // Its own commands are to be typed as they are shown.
            ("http.loopback_needs_token", toml::Value::Boolean(false)),
        ]
        .into_iter()
        .chain(listen)
        .collect()
    }

    pub(super) fn run(self, mut config: Config) -> Result<()> {
        let started = Instant::now();
        let folder = tempfile::Builder::new()
            .prefix("pixdex-demo-")
            .tempdir()
            .context("failed to make a folder")?;
        let places = Places::under(folder.path());
        (config.data_dir, config.labels_dir) = (places.library.clone(), places.labels.clone());
        token::check_remote(&config)?;
        tag::write_sets(&places.labels, DRAWN_SETS)?;
        print_line!("drawing pictures into {}", places.pictures.display());
        let pictures = demo::write_library(&places.pictures, |_| {})?.len();
        let stop = Stop::default();
        let opened = Library::open(&config, stop.part(), &output::download())?;
        serve::block_on(self.serve(config, opened, places, pictures, started, stop))
    }

    async fn serve(
        self,
        config: Config,
        opened: Opened,
        places: Places,
        pictures: usize,
        started: Instant,
        stop: Stop,
    ) -> Result<()> {
        serve::stop_on_signal(stop.clone())?;
        let listener = self.bind(config.http.listen).await?;
        let address = listener.local_addr()?.to_string();
        let folders = vec![places.pictures.clone()];
        let stop_of_daemon = stop.clone();
        let daemon = tokio::spawn(async move {
            daemon::run(config, folders, listener, opened, &stop_of_daemon).await
        });
        let guide =
            tokio::task::spawn_blocking(move || guide(&address, &places, pictures, started));
        let guided = guide.await?;
        daemon.await??;
        // Stopped half-way, the guide finds nobody to ask.
        if stop.is_asked() { Ok(()) } else { guided }
    }

    async fn bind(&self, wanted: SocketAddr) -> Result<TcpListener> {
        match TcpListener::bind(wanted).await {
            Err(_) if self.listen.is_none() => Ok(TcpListener::bind((wanted.ip(), 0)).await?),
            bound => bound.with_context(|| format!("failed to listen on `{wanted}`")),
        }
    }
}

/// The demo's folders.
struct Places {
    pictures: PathBuf,
    library: PathBuf,
    labels: PathBuf,
}

impl Places {
    fn under(folder: &Path) -> Places {
        let inside = |name| folder.join(name);
        Places {
            pictures: inside("pictures"),
            library: inside("library"),
            labels: inside("labels"),
        }
    }
}

/// Waits until all is indexed, then shows what to try.
fn guide(address: &str, places: &Places, pictures: usize, started: Instant) -> Result<()> {
    print_line!("indexing and tagging");
    let client = Client::new(&format!("http://{address}"), "");
    let status = wait_until_indexed(&client, pictures)?;
    let images = status.images;
    let failed = files(&status, "failed");
    let seconds = started.elapsed().as_secs_f32();
    print_line!(
        "{images} pictures are searchable and tagged, {failed} broken file is listed, after {seconds:.1} s"
    );
    print_line!("");
    for text in SEARCHES {
        show_search(&client, text, &places.pictures)?;
    }
    show_tags(&client)?;
    for line in invitation(address, places).lines() {
        print_line!("{line}");
    }
    Ok(())
}

fn wait_until_indexed(client: &Client, pictures: usize) -> Result<Status> {
    loop {
        let status: Status = client.get("status", &[])?;
        let waiting = status
            .running
            .as_ref()
            .map(|running| running.progress.queued);
        if files(&status, "indexed") >= pictures as i64 && waiting == Some(0) {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn files(status: &Status, state: &str) -> i64 {
    status.files.get(state).copied().unwrap_or_default()
}

fn show_search(client: &Client, text: &str, pictures: &Path) -> Result<()> {
    let parameters = [("q", text.to_owned()), ("limit", SHOWN.to_owned())];
    let answer: Answer = client.get("search", &parameters)?;
    print_line!("pixdex search \"{text}\"");
    let folder = format!("{}/", pictures.display());
    for item in &answer.items {
        print_line!("  {}", search::line(item).replace(&folder, ""));
    }
    Ok(())
}

fn show_tags(client: &Client) -> Result<()> {
    let answer: Tags = client.get("tags", &[])?;
    let tags = answer.tags.iter();
    let tags: Vec<String> = tags
        .map(|tag| format!("{} {}", tag.label, tag.count))
        .collect();
    print_line!("");
    print_line!("tags: {}", tags.join(", "));
    Ok(())
}

fn invitation(address: &str, places: &Places) -> String {
    let (pictures, labels, library) = (
        places.pictures.display(),
        places.labels.display(),
        places.library.display(),
    );
    format!(
        "
The bundled model knows drawn pictures only. It is for trying out; for photos see the README.

Open        http://{address}/
Search      pixdex search \"two white clouds\" --data-dir {library}
            curl 'http://{address}/api/v1/search?q=a+green+tree&limit=3'
Watch       copy a picture into {pictures}
            and see it come up on the page, tagged
Re-tag      edit {labels}/things.toml, e.g. remove a label or change
            the threshold, and see the tags follow
Stop        Ctrl-C; the folder goes with it
"
    )
}
