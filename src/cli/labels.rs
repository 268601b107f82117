//! `pixdex labels`: is a label file right, and what would it do to the library?

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Subcommand;
use serde::Serialize;

use super::backend::Backend;
use super::{output, preview};
use crate::config::Config;
use crate::tag::{self, LabelSet, SetOrFault, missing_examples};

/// Label files.
#[derive(Debug, Subcommand)]
pub(super) enum Labels {
    /// Check label files; without names, all of the labels folder
    Check {
        /// The files
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show what a label file would change in the library, without applying it
    ///
    /// The file is compared with the set of its name; it need not lie in the labels folder, and where there is no set of
    /// that name all of its tags are new. `+` and `-` count tags that would come and go; the bars show how many pictures
    /// have which score, from 0 to 1. For each label that changes the pictures nearest to its threshold follow.
    Preview {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

#[derive(Serialize)]
struct Report {
    files: Vec<Checked>,
}

#[derive(Serialize)]
struct Checked {
    path: String,
    /// Number of labels, where the file is right.
    labels: Option<usize>,
    error: Option<String>,
    /// What will not do what the file's owner expects.
    warnings: Vec<String>,
}

impl Labels {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        match self {
            Labels::Check { files, json } => check_all(files, json, config),
            Labels::Preview { file, json } => preview::run(&file, json, config),
        }
    }
}

fn check_all(files: Vec<PathBuf>, json: bool, config: &Config) -> Result<()> {
    let sets = if files.is_empty() {
        tag::read_sets(&config.labels_folder()?)?
    } else {
        let read = |file: PathBuf| {
            let set = tag::read_set(&file);
            (file, set)
        };
        files.into_iter().map(read).collect()
    };
    let checked = sets
        .into_iter()
        .map(|(path, set)| check(&path, set, config));
    let report = Report {
        files: checked.collect::<Result<_>>()?,
    };
    output::print(&report, json, |report| report.files.iter().for_each(print))?;
    let all = report.files.len();
    let is_broken = |file: &&Checked| file.error.is_some();
    let broken = report.files.iter().filter(is_broken).count();
    ensure!(broken == 0, "{broken} of {all} label files are broken");
    Ok(())
}

fn check(path: &Path, set: SetOrFault, config: &Config) -> Result<Checked> {
    let (labels, error, warnings) = match set {
        Ok((set, text)) => {
            let warnings = warnings(path, &text, &set, config)?;
            (Some(set.labels.len()), None, warnings)
        }
        Err(error) => (None, Some(error.to_string()), Vec::new()),
    };
    Ok(Checked {
        path: path.display().to_string(),
        labels,
        error,
        warnings,
    })
}

fn warnings(path: &Path, text: &str, set: &LabelSet, config: &Config) -> Result<Vec<String>> {
    let hooks = config.hooks.keys().cloned().collect();
    let mut warnings = set.warnings(&hooks);
    if set.has_examples() {
        warnings.extend(example_warnings(path, text, set, config)?);
    }
    Ok(warnings)
}

fn example_warnings(
    path: &Path,
    text: &str,
    set: &LabelSet,
    config: &Config,
) -> Result<Vec<String>> {
    match Backend::find(config) {
        Ok(Backend::Own { store, .. }) => Ok(missing_examples(set, &store)?),
        Ok(daemon) => Ok(daemon.preview(&preview::set_name(path)?, text)?.warnings),
        // A file can be checked before there is a library.
        Err(_) => Ok(Vec::new()),
    }
}

fn print(file: &Checked) {
    match (&file.labels, &file.error) {
        (Some(labels), _) => print_line!("{}: {labels} labels", file.path),
        (None, error) => print_line!("{}: {}", file.path, error.as_deref().unwrap_or("broken")),
    }
    for warning in &file.warnings {
        print_line!("  warning: {warning}");
    }
}
