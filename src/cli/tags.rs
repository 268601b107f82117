//! `pixdex tags`: labels with counts.

use anyhow::Result;
use clap::Args;

use super::backend::Backend;
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
        let answer = Backend::find(config)?.tags()?;
        if self.json {
            return output::print_json(&answer);
        }
        for tag in answer.tags {
            println!("{:>7}  {}/{}", tag.count, tag.set, tag.label);
        }
        Ok(())
    }
}
