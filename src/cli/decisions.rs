//! `pixdex decisions`: a person's word on tags.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use super::backend::Backend;
use super::{output, read_text};
use crate::config::Config;
use crate::store::{ContentHash, LabelRef, Verdict};
use crate::wire::{DecideMany, Decided};

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
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Choice {
    /// The label
    #[arg(value_name = "SET/LABEL")]
    label: LabelRef,
    /// The images, by the ids that other answers give
    #[arg(value_name = "ID", required = true)]
    images: Vec<ContentHash>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Decisions {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        match self {
            Decisions::Confirm(choice) => decide(config, choice, Some(Verdict::Confirmed)),
            Decisions::Reject(choice) => decide(config, choice, Some(Verdict::Rejected)),
            Decisions::Clear(choice) => decide(config, choice, None),
            Decisions::Export => export(config),
            Decisions::Import { file, json } => import(config, &file, json),
        }
    }
}

fn decide(config: &Config, choice: Choice, verdict: Option<Verdict>) -> Result<()> {
    let LabelRef { set, label } = choice.label;
    let json = choice.json;
    let decided = Backend::find(config)?.decide(DecideMany {
        set,
        label,
        decision: verdict,
        images: choice.images,
        search: None,
    })?;
    output::print(&decided, json, print)
}

fn export(config: &Config) -> Result<()> {
    let mut out = BufWriter::new(output::Stdout);
    for decision in Backend::find(config)?.decisions()?.decisions {
        serde_json::to_writer(&mut out, &decision)?;
        writeln!(out)?;
    }
    Ok(out.flush()?)
}

fn import(config: &Config, file: &Path, json: bool) -> Result<()> {
    let text = read_text(file)?;
    let decided = Backend::find(config)?.import_decisions(&text);
    let nothing = || format!("nothing of `{}` was imported", file.display());
    output::print(&decided.with_context(nothing)?, json, print)
}

fn print(Decided { images, changed }: &Decided) {
    print_line!("{changed} of {images} decisions changed");
}
