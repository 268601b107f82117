//! `pixdex tags`: labels with counts.

use anyhow::Result;
use clap::Args;

use super::backend::Backend;
use super::output;
use crate::config::Config;
use crate::wire;

/// List labels with the number of pictures that carry each.
#[derive(Debug, Args)]
pub(super) struct Tags {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Tags {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        output::print(&Backend::find(config)?.tags()?, self.json, print)
    }
}

fn print(answer: &wire::Tags) {
    for tag in &answer.tags {
        print_line!("{:>7}  {}/{}", tag.count, tag.set, tag.label);
    }
}
