//! `pixdex failures`: what could not be indexed, and why.

use anyhow::Result;
use clap::Args;

use super::backend::Backend;
use super::output;
use crate::config::Config;
use crate::wire;

/// List files that could not be indexed, each with the reason.
///
/// A file is tried again when it changes.
#[derive(Debug, Args)]
pub(super) struct Failures {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Failures {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        output::print(&Backend::find(config)?.failures()?, self.json, print)
    }
}

fn print(answer: &wire::Failures) {
    if answer.failures.is_empty() {
        println!("no file failed");
    }
    for file in &answer.failures {
        println!("{}: {}", file.path, file.reason);
    }
}
