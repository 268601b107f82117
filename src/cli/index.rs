//! `pixdex index`: one pass over folders.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use super::FilesWait;
use super::output::{self, IndexBar};
use crate::config::Config;
use crate::ingest::{self, ProgressReport};
use crate::library::{self, Library, Opened};
use crate::sidecar::Sidecars;
use crate::stop::Stop;
use crate::upkeep::Reembedding;
use crate::wire::Failures;

/// Bring the library to the state of folders once, then exit.
///
/// Pictures that are known already, under whatever name, are not read again. Exit code 3 where files could not be read for the
/// time being: they keep the pictures that they had, and the next run tries them again.
#[derive(Debug, Args)]
pub(super) struct Index {
    /// The folders
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Attempts to embed with another model after which this gives up: after some ten seconds.
const MOST_ATTEMPTS: u32 = 4;

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    progress: ProgressReport,
    /// Images embedded because the library went over to another model.
    reembedded: usize,
    /// Images in the library now.
    images: usize,
    /// Files that could not be read for the time being.
    waiting: usize,
}

impl Index {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let roots = library::resolve_roots(&self.folders, &library::known_roots(config)?)?;
        library::check_place(config, &roots)?;
        let config = library::without_graph(config);
        let opened = Library::open(&config, Stop::default(), &output::download())?;
        let (library, reembedded) = go_over(opened, &config)?;
        let store = library.store.clone();
        let index = library.index.clone();
        let sidecars = Sidecars::new(&library, config.sidecars.write);
        let bar = IndexBar::new();
        let progress = ingest::index_once(library, &roots, |progress| bar.show(progress))?;
        bar.finish();
        sidecars.map_or(Ok(()), |sidecars| sidecars.run_once())?;
        let report = Report {
            progress: progress.report(),
            reembedded,
            images: index.vectors().len(),
            waiting: store.waiting()?.len(),
        };
        let failures = Failures::stored(&store)?;
        output::print(&report, self.json, |report| print(report, &failures))?;
        match report.waiting {
            0 => Ok(()),
            files => Err(FilesWait { files }.into()),
        }
    }
}

/// Embeds the library's pictures with the model that it is to go over to, if there is one, and then goes over to it. A run that is
/// stopped before leaves the library as it was, and the next one goes on. Returns how many were embedded, too.
fn go_over(Opened { library, next }: Opened, config: &Config) -> Result<(Library, usize)> {
    let Some(embedder) = next else {
        return Ok((library, 0));
    };
    let reembedding = Reembedding::new(&library, embedder.clone())?.giving_up_after(MOST_ATTEMPTS);
    let report = reembedding.progress().report();
    let bar = output::counting("embedding with another model", report.images);
    reembedding
        .run(|progress| bar.set_position(progress.report().embedded as u64))
        .context("the library stays with its model")?;
    bar.finish_and_clear();
    let next = library.with_model(config, embedder, Stop::default())?;
    next.put_in_force()?;
    Ok((next, reembedding.progress().report().embedded))
}

fn print(report: &Report, failures: &Failures) {
    let ProgressReport {
        indexed,
        unchanged,
        failed,
        removed,
        ..
    } = &report.progress;
    if report.reembedded > 0 {
        print_line!("{} embedded with another model", report.reembedded);
    }
    print_line!(
        "{indexed} indexed, {unchanged} unchanged, {failed} failed, {removed} removed; {} images",
        report.images
    );
    for file in &failures.failures {
        print_line!("  {}: {}", file.path, file.reason);
    }
    for file in &failures.waiting {
        print_line!("  {}: {} (waits)", file.path, file.reason);
    }
}
