//! `pixdex duplicates`: which pictures are there more than once?

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::library::{self, Library};
use super::output;
use crate::config::Config;
use crate::daemon;
use crate::search::{self, SameBy};

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
        let answer = match Library::find(config)? {
            Library::Daemon(address) => library::ask(&address, "duplicates", &self.parameters())?,
            Library::Own(_) => self.answer(config)?,
        };
        if self.json {
            output::print_json(&answer)
        } else {
            print(&answer)
        }
    }

    fn parameters(&self) -> [(&'static str, String); 4] {
        let by = match self.by {
            By::Hash => "hash",
            By::Similarity => "similarity",
        };
        [
            ("by", by.to_owned()),
            ("similarity", self.similarity.to_string()),
            ("q", self.filters.clone()),
            ("limit", self.limit.to_string()),
        ]
    }

    fn answer(&self, config: &Config) -> Result<Value> {
        let query = search::parse(&self.filters)?;
        let likeness = match self.by {
            By::Hash => SameBy::Hash,
            By::Similarity => SameBy::Similarity(self.similarity),
        };
        let search = daemon::open_search(config, &output::download())?;
        let limit = usize::from(self.limit);
        output::to_value(&search.duplicates(likeness, &query, limit)?)
    }
}

fn print(answer: &Value) -> Result<()> {
    let groups = answer["groups"]
        .as_array()
        .context("the answer has no groups")?;
    if groups.is_empty() {
        println!("no duplicates");
    }
    for group in groups {
        println!("{:.3}", group["similarity"].as_f64().unwrap_or_default());
        let images = group["images"].as_array().into_iter().flatten();
        for image in images {
            let size = format!("{} x {}", image["width"], image["height"]);
            let paths = image["paths"].as_array().into_iter().flatten();
            for path in paths.filter_map(Value::as_str) {
                println!("  {size:>13}  {path}");
            }
        }
    }
    Ok(())
}
