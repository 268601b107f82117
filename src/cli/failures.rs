//! `pixdex failures`: what is not indexed, and why.

use anyhow::Result;
use clap::Args;

use super::backend::Backend;
use super::output;
use crate::config::Config;
use crate::wire;

/// List files that are not indexed, each with the reason.
///
/// A file that is no picture is read again when it changes, and by a pixdex that reads more. One that could not be read for the
/// time being keeps the picture that it had, and is tried again with growing pauses, or at once when anything about it changes.
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
    if answer.failures.is_empty() && answer.waiting.is_empty() {
        print_line!("no file failed");
    }
    for file in &answer.failures {
        print_line!("{}: {}", file.path, file.reason);
    }
    for file in &answer.waiting {
        print_line!(
            "{}: {} (waits, {} attempts)",
            file.path,
            file.reason,
            file.attempts
        );
    }
}
