//! `pixdex search`: a query in, pictures out.

use std::path::PathBuf;

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::Args;

use super::backend::Backend;
use super::output;
use crate::config::Config;
use crate::wire::{Answer, Count, Facets, Item, SearchRequest, TermRequest};

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
        let answer = Backend::find(config)?.search(self.request()?)?;
        output::print(&answer, self.json, print)
    }

    fn request(&self) -> Result<SearchRequest> {
        Ok(SearchRequest {
            q: self.query.clone(),
            terms: self.image.iter().map(upload).collect::<Result<_>>()?,
            limit: Some(usize::from(self.limit)),
            facets: self.facets,
            ..SearchRequest::default()
        })
    }
}

fn upload(file: &PathBuf) -> Result<TermRequest> {
    let bytes =
        std::fs::read(file).with_context(|| format!("failed to read `{}`", file.display()))?;
    Ok(TermRequest {
        upload: Some(BASE64_STANDARD.encode(bytes)),
        ..TermRequest::default()
    })
}

fn print(answer: &Answer) {
    if answer.items.is_empty() {
        print_line!("nothing found; strictness:0 shows what comes nearest");
    } else if answer.fits == Some(false) {
        print_line!("nothing fits well; the nearest:");
    }
    for item in &answer.items {
        print_line!("{}", line(item));
    }
    if let Some(total) = answer.total {
        print_line!("{total} in all");
    }
    if let Some(facets) = &answer.facets {
        print_facets(facets);
    }
}

fn print_facets(facets: &Facets) {
    for tag in &facets.tags {
        print_line!("{:>8}  {}", tag.count, tag.label);
    }
    for Count { value, count } in facets.years.iter().chain(&facets.folders) {
        print_line!("{count:>8}  {value}");
    }
}

/// Score, path and tags of one hit.
pub(super) fn line(item: &Item) -> String {
    let tags: Vec<&str> = item.tags.iter().map(|tag| tag.label.as_str()).collect();
    let rest = format!("{}  [{}]", item.path, tags.join(", "));
    match item.score {
        Some(score) => format!("{score:.3}  {rest}"),
        None => rest,
    }
}
