//! What can be typed in a terminal: one file for each subcommand.

// What is printed goes through `print_line!`, which panics at nothing and obeys nothing.
#![warn(clippy::print_stdout, clippy::print_stderr)]

/// Prints a line of an answer, as `println!` would.
macro_rules! print_line {
    ($($line:tt)*) => {
        $crate::cli::output::print_line(format_args!($($line)*))
    };
}

mod backend;
mod backup;
mod check;
mod client;
mod decisions;
pub mod demo;
mod doctor;
mod duplicates;
mod embed;
mod eval;
mod export;
mod failures;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
mod import;
mod index;
mod inspect;
mod labels;
mod model;
mod output;
mod preview;
mod purge;
mod roots;
mod search;
mod serve;
mod shell;
mod status;
mod tags;
mod token;
mod vectors;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{ArgAction, Args, Parser, Subcommand};
use serde::Serialize;
use thiserror::Error;
use toml::Value;
use tracing::warn;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::config::{Config, Device, LogFormat, Precision};
use crate::shown::shown;

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
    /// The pixdex to ask, such as `https://photos.example`, with a token in `PIXDEX_TOKEN` [default: that of this machine]
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// What is logged to standard error: error, warn, info, debug, trace, or a filter
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    /// How it is logged: for people, or one JSON document a line
    #[arg(long, global = true)]
    log_format: Option<LogFormat>,
    /// Log more: what is done; twice: all of it
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with_all = ["log", "quiet"])]
    verbose: u8,
    /// Log less: warnings alone; twice: errors alone
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "log")]
    quiet: u8,
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
    /// Take over what was made or said elsewhere: embeddings, and the words of other photo programs
    #[command(subcommand)]
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
    /// Look over this machine, and say what stands in the way and what helps
    Doctor(doctor::Doctor),
    /// Write what cannot be made again into one file
    Backup(backup::Backup),
    /// Put a backup back
    Restore(backup::Restore),
    /// Give out tokens, with which other machines may ask, and take them back
    #[command(subcommand)]
    Token(token::Token),
    /// Show or download a model
    #[command(subcommand)]
    Model(model::Model),
    /// Print the raw embeddings of pictures and texts
    Embed(embed::Embed),
    /// Show what pixdex sees in files: format, size, every date, place and keyword with where it stands, and what is wrong
    Inspect(inspect::Inspect),
    /// Measure how often the model is right on pictures whose classes are known
    Eval(eval::Eval),
    /// Print what completes this command line in a shell
    Completions(shell::Completions),
    /// Write the pages of the manual into a folder
    Man(shell::Man),
    /// Try pixdex on a library of drawn pictures that it makes by itself; needs no network
    Demo(demo::Demo),
}

/// All was done but for files that could not be read for the time being.
#[derive(Debug, Error)]
#[error(
    "{files} files could not be read for the time being; `pixdex failures` lists them, and the next run tries them again"
)]
struct FilesWait {
    files: usize,
}

/// All went well but for what may pass by itself: whoever runs pixdex regularly need not be called.
const FILES_WAIT: u8 = 3;

/// Parses the command line, runs the command and tells what went wrong. The exit code is 0 only when all went well.
pub fn main() -> ExitCode {
    let done = match Cli::try_parse() {
        Ok(cli) => cli.run(),
        Err(asked) => match asked.print() {
            Err(error) if error.kind() != ErrorKind::BrokenPipe && !asked.use_stderr() => {
                Err(error).context("failed to write to standard output")
            }
            _ => return ExitCode::from(u8::try_from(asked.exit_code()).unwrap_or(2)),
        },
    };
    match output::finish(done) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::tell(&error);
            if error.is::<FilesWait>() {
                ExitCode::from(FILES_WAIT)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

impl Cli {
    /// Runs the subcommand.
    fn run(self) -> Result<()> {
        if matches!(self.command, Command::Demo(_)) {
            self.settings.check_for_demo()?;
        }
        let flags = self
            .settings
            .flags()
            .into_iter()
            .chain(self.command.flags())
            .collect();
        let config = Config::load(self.settings.config.as_deref(), environment(), flags)?;
        start_log(&config.log, config.log_format)?;
        for note in &config.notes {
            warn!("{note}");
        }
        ensure!(
            config.server.is_empty() || self.command.asks(),
            "this command works on a library of this machine: leave out --server (and `server` in the settings)"
        );
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
            Command::Doctor(command) => command.run(&config),
            Command::Backup(command) => command.run(&config),
            Command::Restore(command) => command.run(&config),
            Command::Token(command) => command.run(&config),
            Command::Model(command) => command.run(&config),
            Command::Embed(command) => command.run(&config),
            Command::Inspect(command) => command.run(&config),
            Command::Eval(command) => command.run(&config),
            Command::Completions(command) => command.run(),
            Command::Man(command) => command.run(),
            Command::Demo(command) => command.run(config),
        }
    }
}

impl Command {
    /// Whether it asks a daemon, wherever that is, or has nothing to do with any library.
    fn asks(&self) -> bool {
        match self {
            Command::Search(_)
            | Command::Duplicates(_)
            | Command::Tags(_)
            | Command::Decisions(_)
            | Command::Status(_)
            | Command::Failures(_)
            | Command::Roots(_)
            | Command::Forget(_)
            | Command::Purge(_)
            | Command::Token(_)
            | Command::Completions(_)
            | Command::Man(_)
            | Command::Labels(_) => true,
            Command::Serve(_)
            | Command::Index(_)
            | Command::Export(_)
            | Command::Import(_)
            | Command::Check(_)
            | Command::Doctor(_)
            | Command::Backup(_)
            | Command::Restore(_)
            | Command::Model(_)
            | Command::Embed(_)
            | Command::Inspect(_)
            | Command::Eval(_)
            | Command::Demo(_) => false,
        }
    }

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
    /// The demo says what it has of its own, rather than leave a flag out.
    fn check_for_demo(&self) -> Result<()> {
        for (flag, is_given) in [
            ("--data-dir", self.data_dir.is_some()),
            ("--labels", self.labels.is_some()),
            ("--model", self.model.is_some()),
        ] {
            ensure!(
                !is_given,
                "the demo has a library, labels and a model of its own, in a folder that goes when it ends: leave out {flag}, or \
                 take `pixdex serve`"
            );
        }
        Ok(())
    }

    fn log_filter(&self) -> Option<String> {
        let filter = match (self.quiet, self.verbose) {
            (0, 0) => return self.log.clone(),
            (0, 1) => "info,pixdex=debug",
            (0, _) => "info,pixdex=trace",
            (1, _) => "warn",
            _ => "error",
        };
        Some(filter.to_owned())
    }

    fn flags(&self) -> Vec<(&'static str, Value)> {
        let path = |path: &PathBuf| Value::String(path.to_string_lossy().into_owned());
        let flags = [
            ("data_dir", self.data_dir.as_ref().map(path)),
            ("model", self.model.clone().map(Value::String)),
            ("labels_dir", self.labels.as_ref().map(path)),
            ("device", self.device.and_then(setting)),
            ("precision", self.precision.and_then(setting)),
            ("server", self.server.clone().map(Value::String)),
            ("log", self.log_filter().map(Value::String)),
            ("log_format", self.log_format.and_then(setting)),
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

/// Names and reasons are in the fields: nothing in them may pass for another line, or command the terminal.
fn log_field(
    log: &mut Writer<'_>,
    field: &tracing::field::Field,
    value: &dyn std::fmt::Debug,
) -> std::fmt::Result {
    let value = format!("{value:?}");
    match field.name() {
        "message" => write!(log, "{}", shown(&value)),
        name => write!(log, "{name}={}", shown(&value)),
    }
}

/// The log goes to standard error: standard output is the answer.
fn start_log(filter: &str, format: LogFormat) -> Result<()> {
    // notify warns of each folder that it watched and that is gone, which is no news; the others tell where they were built.
    let filter = EnvFilter::try_new(format!(
        "notify=error,hnsw_rs=warn,rusqlite_migration=warn,{filter}"
    ))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(output::log_writer);
    match format {
        LogFormat::Text => {
            let fields = debug_fn(log_field).delimited(" ");
            log.with_ansi(output::has_colours())
                .fmt_fields(fields)
                .init();
        }
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}
