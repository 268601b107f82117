//! `pixdex search`: a query in, pictures out.

use std::path::PathBuf;

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use serde_json::{Value, json};

use super::library::{self, Library};
use super::output;
use crate::config::Config;
use crate::daemon;
use crate::search::{self, Slice, Term, Upload, What};

/// Find pictures by a description, by pictures like them, and by filters.
#[derive(Debug, Args)]
#[command(after_long_help = include_str!("help/search.txt"))]
pub(super) struct Search {
    /// What to look for, e.g. 'a dog on grass -snow tag:outdoors after:2023-05'
    #[arg(required_unless_present = "image")]
    query: Option<String>,
    /// Pictures like the one in this file; may be given several times
    #[arg(long, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// How many
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Count all hits, by tag, year and folder
    #[arg(long)]
    facets: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Search {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let answer = match Library::find(config)? {
            Library::Daemon(address) => {
                library::post(&address, "search", &self.form()?.to_string())?
            }
            Library::Own(_) => self.answer(config)?,
        };
        if self.json {
            output::print_json(&answer)
        } else {
            print(&answer)
        }
    }

    fn text(&self) -> &str {
        self.query.as_deref().unwrap_or_default()
    }

    fn pictures(&self) -> Result<Vec<Vec<u8>>> {
        let read = |path: &PathBuf| {
            std::fs::read(path).with_context(|| format!("failed to read `{}`", path.display()))
        };
        self.image.iter().map(read).collect()
    }

    fn form(&self) -> Result<Value> {
        let term = |bytes| json!({ "upload": BASE64_STANDARD.encode(bytes) });
        let terms: Vec<Value> = self.pictures()?.into_iter().map(term).collect();
        let (text, limit, facets) = (self.text(), self.limit, self.facets);
        Ok(json!({ "q": text, "terms": terms, "limit": limit, "facets": facets }))
    }

    fn answer(&self, config: &Config) -> Result<Value> {
        let mut query = search::parse(self.text())?;
        query
            .terms
            .extend(self.pictures()?.into_iter().map(|bytes| Term {
                what: What::Upload(Upload(bytes)),
                weight: 1.0,
            }));
        let slice = Slice {
            facets: self.facets,
            ..Slice::first(usize::from(self.limit))
        };
        let search = daemon::open_search(config, &output::download())?;
        output::to_value(&search.run(&query, &slice)?)
    }
}

fn print(answer: &Value) -> Result<()> {
    let items = answer["items"]
        .as_array()
        .context("the answer has no items")?;
    match (items.is_empty(), answer["fits"].as_bool()) {
        (true, _) => println!("nothing found; strictness:0 shows what comes nearest"),
        (false, Some(false)) => println!("nothing fits well; the nearest:"),
        (false, _) => {}
    }
    for item in items {
        println!("{}", line(item));
    }
    print_facets(answer);
    Ok(())
}

fn print_facets(answer: &Value) {
    if let Some(total) = answer["total"].as_u64() {
        println!("{total} in all");
    }
    for (facet, name) in [("tags", "label"), ("years", "value"), ("folders", "value")] {
        for count in answer["facets"][facet].as_array().into_iter().flatten() {
            let value = count[name].as_str().unwrap_or_default();
            println!("{:>8}  {value}", count["count"]);
        }
    }
}

/// Score, path and tags of one hit.
pub(super) fn line(item: &Value) -> String {
    let tags = item["tags"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let tags: Vec<&str> = tags
        .iter()
        .filter_map(|tag| tag["label"].as_str())
        .collect();
    let path = item["path"].as_str().unwrap_or_default();
    let tags = tags.join(", ");
    match item["score"].as_f64() {
        Some(score) => format!("{score:.3}  {path}  [{tags}]"),
        None => format!("{path}  [{tags}]"),
    }
}
