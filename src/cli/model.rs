//! `pixdex model`: what a model is, and fetching one ahead of time.

use anyhow::Result;
use clap::Subcommand;
use serde::Serialize;

use super::output;
use crate::config::Config;
use crate::library;
use crate::model::{self, HubSettings, ModelFile, ModelSource};

/// Models.
#[derive(Debug, Subcommand)]
pub(super) enum Model {
    /// Load the model and show what it is
    Info {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Download the model, so that later starts need no network
    Pull {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

#[derive(Serialize)]
struct Info {
    name: String,
    fingerprint: String,
    embedding_dim: usize,
    logit_scale: f32,
    device: &'static str,
    precision: &'static str,
    self_check_cosine: Option<f32>,
}

#[derive(Serialize)]
struct Pulled {
    name: String,
    files: Vec<PulledFile>,
}

#[derive(Serialize)]
struct PulledFile {
    path: String,
    size_bytes: u64,
}

impl Model {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        match self {
            Model::Info { json } => info(config, json),
            Model::Pull { json } => pull(config, json),
        }
    }
}

fn info(config: &Config, json: bool) -> Result<()> {
    let embedder = library::load_model(&config.model, config, None, &output::download())?;
    let info = Info {
        name: embedder.name().to_owned(),
        fingerprint: embedder.fingerprint().to_owned(),
        embedding_dim: embedder.embedding_dim(),
        logit_scale: embedder.similarity().logit_scale(),
        device: embedder.placement().device(),
        precision: embedder.placement().precision(),
        self_check_cosine: embedder.placement().self_check_cosine(),
    };
    output::print(&info, json, print_info)
}

fn print_info(info: &Info) {
    print_line!("name           {}", info.name);
    print_line!("fingerprint    {}", info.fingerprint);
    print_line!("embedding_dim  {}", info.embedding_dim);
    print_line!("logit_scale    {}", info.logit_scale);
    print_line!("runs on        {}, {}", info.device, info.precision);
    if let Some(cosine) = info.self_check_cosine {
        print_line!("self-check     {cosine:.6} (smallest cosine against f32)");
    }
}

fn pull(config: &Config, json: bool) -> Result<()> {
    let source: ModelSource = config.model.parse()?;
    let files = model::pull(&source, &HubSettings::from_env(), &output::download())?;
    let file = |ModelFile { path, size_bytes }| PulledFile {
        path: path.display().to_string(),
        size_bytes,
    };
    let pulled = Pulled {
        name: config.model.clone(),
        files: files.into_iter().map(file).collect(),
    };
    output::print(&pulled, json, print_pulled)
}

fn print_pulled(pulled: &Pulled) {
    if pulled.files.is_empty() {
        print_line!("{} needs no files: it is part of the program", pulled.name);
    }
    for PulledFile { path, size_bytes } in &pulled.files {
        print_line!("{size_bytes:>12}  {path}");
    }
}
