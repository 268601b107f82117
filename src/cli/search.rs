//! `pixdex search`: a description in, pictures out.

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;

use super::library::{self, Library};
use super::output;
use crate::config::Config;
use crate::daemon;
use crate::search::{self, Query};

/// Find pictures by a description, or pictures like one of the library.
#[derive(Debug, Args)]
pub(super) struct Search {
    /// What the picture shows, in plain words
    #[arg(
        value_name = "TEXT",
        required_unless_present = "similar",
        conflicts_with = "similar"
    )]
    text: Option<String>,
    /// Pictures like this one: an image id from another answer
    #[arg(long, value_name = "ID")]
    similar: Option<String>,
    /// How many
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Only pictures that carry this label, as `label` or `set/label`; may be given several times
    #[arg(long, value_name = "LABEL")]
    tag: Vec<String>,
    /// Only pictures in this folder, absolute or relative to a watched one
    #[arg(long, value_name = "DIR")]
    path: Option<String>,
    /// Only pictures taken then or later, e.g. 2023 or 2023-05-01
    #[arg(long, value_name = "DATE")]
    after: Option<String>,
    /// Only pictures taken before
    #[arg(long, value_name = "DATE")]
    before: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Search {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let answer = match Library::find(config)? {
            Library::Daemon(address) => library::ask(&address, "search", &self.parameters())?,
            Library::Own(_) => self.answer(config)?,
        };
        if self.json {
            output::print_json(&answer)
        } else {
            print(&answer)
        }
    }

    fn parameters(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("q", &self.text),
            ("similar", &self.similar),
            ("path", &self.path),
            ("after", &self.after),
            ("before", &self.before),
        ];
        let given = given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.clone()?)));
        let tags = self.tag.iter().map(|tag| ("tag", tag.clone()));
        given
            .chain(tags)
            .chain([("limit", self.limit.to_string())])
            .collect()
    }

    fn answer(&self, config: &Config) -> Result<Value> {
        let query = match (&self.text, &self.similar) {
            (_, Some(id)) => Query::Similar(
                id.parse()
                    .with_context(|| format!("`{id}` is not an image id"))?,
            ),
            (text, None) => Query::Text(text.clone().unwrap_or_default()),
        };
        let filter = search::filter(
            self.tag.clone(),
            self.path.clone(),
            self.after.clone(),
            self.before.clone(),
        );
        let search = daemon::open_search(config, &output::download())?;
        output::to_value(&search.run(&query, &filter, usize::from(self.limit))?)
    }
}

fn print(answer: &Value) -> Result<()> {
    let items = answer["items"]
        .as_array()
        .context("the answer has no items")?;
    if items.is_empty() {
        println!("nothing found");
    }
    for item in items {
        println!("{}", line(item));
    }
    Ok(())
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
    let score = item["score"].as_f64().unwrap_or_default();
    format!(
        "{score:.3}  {}  [{}]",
        item["path"].as_str().unwrap_or_default(),
        tags.join(", ")
    )
}
