//! `pixdex decisions`: a person's word on tags.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::library::{self, Library};
use super::output;
use crate::config::Config;
use crate::daemon;
use crate::store::{ContentHash, Decision, Verdict, WhichDecisions};

/// Say which tags are right: what a person decided wins over every score, for ever.
#[derive(Debug, Subcommand)]
pub(super) enum Decisions {
    /// Images have a label, whatever their scores
    Confirm(Choice),
    /// Images have not a label
    Reject(Choice),
    /// Take decisions back: the score counts again
    Clear(Choice),
    /// Print all decisions, one JSON document a line
    Export,
    /// Read decisions as they were exported; one on a picture or label that is not there yet waits for it
    Import {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct Choice {
    /// The label
    #[arg(value_name = "SET/LABEL", value_parser = set_and_label)]
    label: (String, String),
    /// The images, by the ids that other answers give
    #[arg(value_name = "ID", required = true)]
    images: Vec<ContentHash>,
}

fn set_and_label(text: &str) -> Result<(String, String), String> {
    let parts = text
        .split_once('/')
        .ok_or("write the label set, a slash and the label")?;
    Ok((parts.0.to_owned(), parts.1.to_owned()))
}

impl Decisions {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        match self {
            Decisions::Confirm(choice) => decide(config, choice, Some(Verdict::Confirmed)),
            Decisions::Reject(choice) => decide(config, choice, Some(Verdict::Rejected)),
            Decisions::Clear(choice) => decide(config, choice, None),
            Decisions::Export => export(config),
            Decisions::Import { file } => import(config, &file),
        }
    }
}

fn decide(config: &Config, choice: Choice, verdict: Option<Verdict>) -> Result<()> {
    let Choice {
        label: (set, label),
        images,
    } = choice;
    let count = images.len();
    let changed = if let Library::Daemon(address) = Library::find(config)? {
        let body = json!({ "set": set, "label": label, "decision": verdict, "images": images });
        library::post(&address, "decisions", &body.to_string())?["changed"].take()
    } else {
        let library = daemon::Library::open(config, &output::download())?;
        let tagger = library.parts.tagger;
        tagger.decide_on([&set, &label], verdict, images)?.into()
    };
    println!("{changed} of {count} decisions changed");
    Ok(())
}

fn export(config: &Config) -> Result<()> {
    let answer = match Library::find(config)? {
        Library::Daemon(address) => library::ask(&address, "decisions", &[])?["decisions"].take(),
        Library::Own(store) => output::to_value(&store.decisions(&WhichDecisions::default())?)?,
    };
    let mut out = io::stdout().lock();
    for decision in answer.as_array().context("the answer has no decisions")? {
        writeln!(out, "{decision}")?;
    }
    Ok(())
}

fn import(config: &Config, file: &Path) -> Result<()> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("failed to read `{}`", file.display()))?;
    let answer = if let Library::Daemon(address) = Library::find(config)? {
        library::post(&address, "decisions/import", &text)
    } else {
        import_here(config, &text)
    };
    let answer = answer.with_context(|| format!("nothing of `{}` was imported", file.display()))?;
    println!(
        "{} of {} decisions changed",
        answer["changed"], answer["images"]
    );
    Ok(())
}

fn import_here(config: &Config, text: &str) -> Result<Value> {
    let decisions = Decision::parse_lines(text.as_bytes())?;
    let library = daemon::Library::open(config, &output::download())?;
    let changed = library.parts.tagger.decide(&decisions)?;
    Ok(json!({ "images": decisions.len(), "changed": changed }))
}
