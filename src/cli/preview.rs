//! `pixdex labels preview`: what a label file would change.

use std::borrow::Cow;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::library::{self, Library};
use super::output;
use crate::config::Config;
use crate::daemon;

/// One for each height of a bar.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub(super) fn run(file: &Path, json: bool, config: &Config) -> Result<()> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("failed to read `{}`", file.display()))?;
    let answer = match Library::find(config)? {
        Library::Daemon(address) => ask(&address, file, &text),
        Library::Own(_) => {
            let tagger = daemon::open_tagger(config, &output::download())?;
            let preview = tagger.preview(&set_name(file), &text);
            preview
                .map_err(anyhow::Error::from)
                .and_then(|preview| output::to_value(&preview))
        }
    };
    let answer = answer.with_context(|| format!("no preview of `{}`", file.display()))?;
    if json {
        return output::print_json(&answer);
    }
    for line in lines(&answer) {
        println!("{line}");
    }
    Ok(())
}

/// A daemon's preview of a label file.
pub(super) fn ask(address: &str, file: &Path, text: &str) -> Result<Value> {
    let path = format!("label-sets/{}/preview", set_name(file));
    library::post(address, &path, text)
}

fn set_name(file: &Path) -> Cow<'_, str> {
    file.file_stem().unwrap_or_default().to_string_lossy()
}

/// The examples that do not count, as a preview tells.
pub(super) fn warnings(answer: &Value) -> Vec<String> {
    let warnings = list(&answer["warnings"]).iter();
    let text = |warning: &Value| warning.as_str().unwrap_or_default().to_owned();
    warnings.map(text).collect()
}

fn lines(answer: &Value) -> Vec<String> {
    let head = format!(
        "{} on {} images: +{} -{} tags",
        answer["set"].as_str().unwrap_or_default(),
        answer["images"],
        answer["added"],
        answer["removed"]
    );
    let labels = list(&answer["labels"]).iter().flat_map(label_lines);
    let dropped = list(&answer["dropped"]).iter().map(|label| {
        format!(
            "{:>8} {:>7}  {} is dropped",
            "",
            format!("-{}", label["removed"]),
            name(label)
        )
    });
    let lines = [head].into_iter().chain(warnings(answer));
    lines.chain(labels).chain(dropped).collect()
}

fn label_lines(label: &Value) -> Vec<String> {
    let count = |sign: char, key: &str| format!("{sign}{}", label[key]);
    let (added, removed) = (count('+', "added"), count('-', "removed"));
    let mut lines = vec![format!(
        "{added:>8} {removed:>7} {:>8} images  {}  {}",
        label["images"].to_string(),
        bars(list(&label["histogram"])),
        name(label)
    )];
    if label["added"] != 0 || label["removed"] != 0 {
        lines.extend(near("keeps", &label["above"]));
        lines.extend(near("misses", &label["below"]));
    }
    lines
}

/// The pictures on one side of a threshold.
fn near(verb: &str, pictures: &Value) -> Vec<String> {
    let line = |picture: &Value| {
        let score = picture["score"].as_f64().unwrap_or_default();
        let path = picture["path"].as_str().unwrap_or_default();
        format!("{verb:>25} {score:.3}  {path}")
    };
    list(pictures).iter().map(line).collect()
}

/// Heights by the logarithm: most pictures score low on most labels, and a few others are what matters.
fn bars(counts: &[Value]) -> String {
    let heights: Vec<f64> = counts
        .iter()
        .map(|count| (1.0 + count.as_f64().unwrap_or_default()).ln())
        .collect();
    let highest = heights.iter().copied().fold(1e-9, f64::max);
    let steps = (BARS.len() - 1) as f64;
    heights
        .iter()
        .map(|height| BARS[(height / highest * steps).ceil() as usize])
        .collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn name(label: &Value) -> &str {
    label["label"].as_str().unwrap_or_default()
}
