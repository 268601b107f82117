//! What can be typed in a terminal: one file for each subcommand.

mod backend;
mod backup;
mod check;
mod client;
mod decisions;
pub mod demo;
mod duplicates;
mod embed;
mod eval;
mod export;
mod failures;
mod import;
mod index;
mod labels;
mod model;
mod output;
mod preview;
mod purge;
mod roots;
mod search;
mod serve;
mod status;
mod tags;
mod vectors;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use thiserror::Error;
use toml::Value;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, Device, Precision};

/// Watches picture folders, tags every picture with your labels and finds it by description.
#[derive(Debug, Parser)]
#[command(name = "pixdex", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    settings: Settings,
}

/// Settings that every subcommand takes; each wins over the file and the environment.
#[derive(Debug, Args)]
struct Settings {
    /// A file of settings; config/default.toml lists them all with their defaults
    #[arg(long, global = true, value_name = "FILE", env = "PIXDEX_CONFIG")]
    config: Option<PathBuf>,
    /// Where the library lives [default: the user's data folder]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The CLIP model: `bundled`, `owner/name[@revision]` on the hub, or a folder
    #[arg(long, global = true, value_name = "MODEL")]
    model: Option<String>,
    /// The folder of label sets [default: `labels` in the library]
    #[arg(long, global = true, value_name = "DIR")]
    labels: Option<PathBuf>,
    /// Where the model runs
    #[arg(long, global = true)]
    device: Option<Device>,
    /// Number format of the model
    #[arg(long, global = true)]
    precision: Option<Precision>,
    /// What is logged to standard error: error, warn, info, debug, trace, or a filter
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch folders, and serve search, tags and a web page until told to stop
    Serve(serve::Serve),
    /// Bring the library to the state of folders once, then exit
    Index(index::Index),
    /// Find pictures by a description, or pictures like one of the library
    Search(search::Search),
    /// List files that are the same, or pictures that look the same
    Duplicates(duplicates::Duplicates),
    /// List labels with the number of pictures that carry each
    Tags(tags::Tags),
    /// Check label files, or show what one would change
    #[command(subcommand)]
    Labels(labels::Labels),
    /// Say which tags are right: what a person decided wins over every score, for ever
    #[command(subcommand)]
    Decisions(decisions::Decisions),
    /// Write what is known about each picture, and the embeddings, for other programs
    Export(export::Export),
    /// Read embeddings that were made elsewhere with the same model
    Import(import::Import),
    /// Show how the library stands
    Status(status::Status),
    /// List files that could not be indexed, each with the reason
    Failures(failures::Failures),
    /// List the folders of this run and of earlier ones
    Roots(roots::Roots),
    /// Take out at once what is not there, or not watched any more
    Forget(roots::Forget),
    /// Take out for good what is known of pictures that are gone
    Purge(purge::Purge),
    /// Check the library, and mend it
    Check(check::Check),
    /// Write what cannot be made again into one file
    Backup(backup::Backup),
    /// Put a backup back
    Restore(backup::Restore),
    /// Show or download a model
    #[command(subcommand)]
    Model(model::Model),
    /// Print the raw embeddings of pictures and texts
    Embed(embed::Embed),
    /// Measure how often the model is right on pictures whose classes are known
    Eval(eval::Eval),
    /// Try pixdex on a library of drawn pictures that it makes by itself; needs no network
    Demo(demo::Demo),
}

/// All was done but for files that could not be read for the time being.
#[derive(Debug, Error)]
#[error(
    "{files} files could not be read for the time being; `pixdex failures` lists them, and the next run tries them again"
)]
pub struct FilesWait {
    files: usize,
}

impl Cli {
    /// Runs the subcommand.
    pub fn run(self) -> Result<()> {
        let flags = self
            .settings
            .flags()
            .into_iter()
            .chain(self.command.flags())
            .collect();
        let config = Config::load(self.settings.config.as_deref(), environment(), flags)?;
        start_log(&config.log)?;
        match self.command {
            Command::Serve(command) => command.run(config),
            Command::Index(command) => command.run(&config),
            Command::Search(command) => command.run(&config),
            Command::Duplicates(command) => command.run(&config),
            Command::Tags(command) => command.run(&config),
            Command::Labels(command) => command.run(&config),
            Command::Decisions(command) => command.run(&config),
            Command::Export(command) => command.run(&config),
            Command::Import(command) => command.run(&config),
            Command::Status(command) => command.run(&config),
            Command::Failures(command) => command.run(&config),
            Command::Roots(command) => command.run(&config),
            Command::Forget(command) => command.run(&config),
            Command::Purge(command) => command.run(&config),
            Command::Check(command) => command.run(&config),
            Command::Backup(command) => command.run(&config),
            Command::Restore(command) => command.run(&config),
            Command::Model(command) => command.run(&config),
            Command::Embed(command) => command.run(&config),
            Command::Eval(command) => command.run(&config),
            Command::Demo(command) => command.run(config),
        }
    }
}

impl Command {
    /// Flags of one subcommand that are settings too.
    fn flags(&self) -> Vec<(&'static str, Value)> {
        match self {
            Command::Serve(serve) => serve.flags(),
            Command::Demo(demo) => demo.flags(),
            _ => Vec::new(),
        }
    }
}

impl Settings {
    fn flags(&self) -> Vec<(&'static str, Value)> {
        let path = |path: &PathBuf| Value::String(path.to_string_lossy().into_owned());
        let flags = [
            ("data_dir", self.data_dir.as_ref().map(path)),
            ("model", self.model.clone().map(Value::String)),
            ("labels_dir", self.labels.as_ref().map(path)),
            ("device", self.device.and_then(setting)),
            ("precision", self.precision.and_then(setting)),
            ("log", self.log.clone().map(Value::String)),
        ];
        flags
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect()
    }
}

/// A value as a file of settings has it.
fn setting(value: impl Serialize) -> Option<Value> {
    Value::try_from(value).ok()
}

/// The text of a file that a command is about.
fn read_text(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("failed to read `{}`", file.display()))
}

/// The variables whose names and values are text; no setting can be anything else.
fn environment() -> impl Iterator<Item = (String, String)> {
    let texts = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    texts.filter(|(name, _)| name != "PIXDEX_CONFIG")
}

/// The log goes to standard error: standard output is the answer.
fn start_log(filter: &str) -> Result<()> {
    // notify warns of each folder that it watched and that is gone, which is no news.
    let filter = EnvFilter::try_new(format!("notify=error,hnsw_rs=warn,{filter}"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(output::log_writer)
        .init();
    Ok(())
}
