//! `pixdex roots` and `pixdex forget`: the folders of this run and of earlier ones, and what is not to be expected back.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use super::backend::Backend;
use super::output;
use crate::config::Config;
use crate::wire::{self, ForgetReport, KnownRoot};

/// List the folders of this run and of earlier ones.
///
/// Pictures of a folder that `serve` was not started with any more stay until `pixdex forget` takes them out.
#[derive(Debug, Args)]
pub(super) struct Roots {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Roots {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        output::print(&Backend::find(config)?.roots()?, self.json, |answer| {
            answer.roots.iter().for_each(print_root);
        })
    }
}

fn print_root(root: &KnownRoot) {
    let KnownRoot {
        path,
        watched: _,
        online,
        files,
        known_since,
        unwatched_since,
    } = root;
    let watched = unwatched_since.as_ref().map_or_else(
        || "watched".to_owned(),
        |since| format!("not watched since {since}"),
    );
    let there = if *online { "there" } else { "not there" };
    let known = known_since.as_deref().unwrap_or("an older version");
    print_line!("{path}: {watched}, {there}, {files} files, known since {known}");
}

/// Take out at once what is not there, or not watched any more: files, and the images that only they held.
///
/// What you decided about a picture stays. What is there and watched is not forgotten: it would be found again.
#[derive(Debug, Args)]
pub(super) struct Forget {
    /// A folder as `pixdex roots` lists it, or a folder or file in one
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Forget {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let given = &self.path;
        let absolute = given.canonicalize().or_else(|_| std::path::absolute(given));
        let path = absolute.with_context(|| format!("`{}` names nothing", given.display()))?;
        let report = Backend::find(config)?.forget(&wire::Forget { path })?;
        output::print(&report, self.json, print)
    }
}

fn print(report: &ForgetReport) {
    let ForgetReport {
        files,
        images,
        thumbnails,
        folders,
        kept,
    } = report;
    print_line!(
        "{files} files, {images} images, {thumbnails} thumbnails and {folders} folders forgotten"
    );
    if *kept > 0 {
        print_line!("{kept} files stay: they are there and watched");
    }
}
