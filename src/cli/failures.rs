//! `pixdex failures`: what could not be indexed, and why.

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;

use super::library::{self, Library};
use super::output;
use crate::config::Config;
use crate::search::FailureList;

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
        let answer = match Library::find(config)? {
            Library::Daemon(address) => library::ask(&address, "failures", &[])?,
            Library::Own(store) => serde_json::to_value(FailureList::from(store.failures()?))?,
        };
        if self.json {
            output::print_json(&answer)
        } else {
            print(&answer)
        }
    }
}

fn print(answer: &Value) -> Result<()> {
    let failures = answer["failures"]
        .as_array()
        .context("the answer has no failures")?;
    if failures.is_empty() {
        println!("no file failed");
    }
    for failure in failures {
        let text = |key: &str| failure[key].as_str().unwrap_or_default().to_owned();
        println!("{}: {}", text("path"), text("reason"));
    }
    Ok(())
}
