//! `pixdex duplicates`: which pictures are there more than once?

use anyhow::Result;
use clap::{Args, ValueEnum};

use super::backend::Backend;
use super::output;
use crate::config::Config;
use crate::search::{self, DuplicateCriterion};
use crate::wire;

/// List groups of files that are the same, or of pictures that look the same.
#[derive(Debug, Args)]
pub(super) struct Duplicates {
    /// What makes pictures the same
    #[arg(long, value_enum, default_value_t = By::Similarity)]
    by: By,
    /// How alike two pictures must look, from 0.5 to 1
    #[arg(long, default_value_t = search::LEAST_SIMILARITY)]
    similarity: f32,
    /// Only among the pictures that pass these filters, as in `pixdex search`, e.g. 'path:2023 -tag:people'
    #[arg(value_name = "FILTERS", default_value = "")]
    filters: String,
    /// How many groups, the largest first
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum By {
    /// The bytes of their files.
    Hash,
    /// Their embeddings.
    Similarity,
}

impl Duplicates {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let by = match self.by {
            By::Hash => DuplicateCriterion::Hash,
            By::Similarity => DuplicateCriterion::Similarity(self.similarity),
        };
        let backend = Backend::find(config)?;
        let answer = backend.duplicates(by, &self.filters, usize::from(self.limit))?;
        output::print(&answer, self.json, print)
    }
}

fn print(answer: &wire::Duplicates) {
    if answer.groups.is_empty() {
        print_line!("no duplicates");
    }
    for group in &answer.groups {
        print_line!("{:.3}", group.similarity);
        for image in &group.images {
            let size = format!("{} x {}", image.metadata.width, image.metadata.height);
            for path in &image.paths {
                print_line!("  {size:>13}  {path}");
            }
        }
    }
}
