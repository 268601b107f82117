//! `pixdex tags`: labels with counts.

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use super::library::{self, Library};
use super::output;
use crate::config::Config;

/// List labels with the number of pictures that carry each.
#[derive(Debug, Args)]
pub(super) struct Tags {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Tags {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let answer = match Library::find(config)? {
            Library::Daemon(address) => library::ask(&address, "tags", &[])?,
            Library::Own(store) => json!({ "tags": store.tag_counts()? }),
        };
        if self.json {
            output::print_json(&answer)
        } else {
            print(&answer)
        }
    }
}

fn print(answer: &Value) -> Result<()> {
    for tag in answer["tags"]
        .as_array()
        .context("the answer has no tags")?
    {
        let text = |key: &str| tag[key].as_str().unwrap_or_default().to_owned();
        println!("{:>7}  {}/{}", tag["count"], text("set"), text("label"));
    }
    Ok(())
}
