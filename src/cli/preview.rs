//! `pixdex labels preview`: what a label file would change.

use std::path::Path;

use anyhow::{Context, Result};

use super::backend::Backend;
use super::{output, read_text};
use crate::config::Config;
use crate::store::SetName;
use crate::wire::{Dropped, LabelPreview, Near, Preview};

/// One for each height of a bar.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub(super) fn run(file: &Path, json: bool, config: &Config) -> Result<()> {
    let text = read_text(file)?;
    let backend = Backend::find(config)?;
    let preview = set_name(file).and_then(|set| backend.preview(&set, &text));
    let preview = preview.with_context(|| format!("no preview of `{}`", file.display()))?;
    output::print(&preview, json, |preview| {
        for line in lines(preview) {
            print_line!("{line}");
        }
    })
}

/// The set that a label file is for.
pub(super) fn set_name(file: &Path) -> Result<SetName> {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    Ok(name.parse()?)
}

fn lines(preview: &Preview) -> Vec<String> {
    let Preview {
        set,
        images,
        added,
        removed,
        ..
    } = preview;
    let mut lines = vec![format!(
        "{set} on {images} images: +{added} -{removed} tags"
    )];
    lines.extend(preview.warnings.iter().cloned());
    lines.extend(preview.labels.iter().flat_map(label_lines));
    lines.extend(preview.dropped.iter().map(dropped_line));
    lines
}

fn dropped_line(label: &Dropped) -> String {
    let removed = format!("-{}", label.removed);
    format!("{:>8} {removed:>7}  {} is dropped", "", label.label)
}

fn label_lines(label: &LabelPreview) -> Vec<String> {
    let added = format!("+{}", label.added);
    let removed = format!("-{}", label.removed);
    let mut lines = vec![format!(
        "{added:>8} {removed:>7} {:>8} images  {}  {}",
        label.images,
        bars(&label.histogram),
        label.label
    )];
    if label.added != 0 || label.removed != 0 {
        lines.extend(label.above.iter().map(|picture| near("keeps", picture)));
        lines.extend(label.below.iter().map(|picture| near("misses", picture)));
    }
    lines
}

/// A picture on one side of a threshold.
fn near(verb: &str, picture: &Near) -> String {
    format!("{verb:>25} {:.3}  {}", picture.score, picture.path)
}

/// Heights by the logarithm: most pictures score low on most labels, and a few others are what matters.
fn bars(counts: &[usize]) -> String {
    let heights: Vec<f64> = counts
        .iter()
        .map(|count| (1.0 + *count as f64).ln())
        .collect();
    let highest = heights.iter().copied().fold(1e-9, f64::max);
    let steps = (BARS.len() - 1) as f64;
    heights
        .iter()
        .map(|height| BARS[(height / highest * steps).ceil() as usize])
        .collect()
}
