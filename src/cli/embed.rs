//! `pixdex embed`: raw embeddings, for comparing with other programs and for people who want vectors.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;

use super::output;
use crate::config::Config;
use crate::embed::Embedding;
use crate::library;
use crate::pictures::Pictures;

/// Pictures embedded together.
const BATCH: usize = 16;

/// Print the raw embeddings of pictures and texts: unit-length vectors, by name.
#[derive(Debug, Args)]
pub(super) struct Embed {
    /// Picture files
    #[arg(long, value_name = "FILE", num_args = 1..)]
    image: Vec<PathBuf>,
    /// Texts
    #[arg(long, value_name = "TEXT", num_args = 1..)]
    text: Vec<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Default, Serialize)]
struct Report {
    images: BTreeMap<String, Vec<f32>>,
    texts: BTreeMap<String, Vec<f32>>,
}

impl Embed {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        ensure!(
            !self.image.is_empty() || !self.text.is_empty(),
            "nothing to embed: give --image or --text"
        );
        let embedder = library::load_model(&config.model, config, None, &output::download())?;
        let mut report = Report::default();
        let pictures = Pictures::new(config.decode.clone(), embedder.pixels_maker());
        let pixels = |path: &PathBuf| {
            let pixels = pictures.pixels_of_file(path);
            pixels.with_context(|| format!("failed to embed `{}`", path.display()))
        };
        for batch in self.image.chunks(BATCH) {
            let pixels = batch.iter().map(pixels).collect::<Result<_>>()?;
            let names = batch.iter().map(|path| path.to_string_lossy().into_owned());
            report
                .images
                .extend(names.zip(embedder.embed_images(pixels)?.iter().map(values)));
        }
        let embeddings = embedder.embed_texts(self.text.clone())?;
        report.texts = self
            .text
            .into_iter()
            .zip(embeddings.iter().map(values))
            .collect();
        output::print(&report, self.json, print)
    }
}

fn print(report: &Report) {
    for (name, values) in report.images.iter().chain(&report.texts) {
        let values: Vec<String> = values.iter().map(f32::to_string).collect();
        print_line!("{name}\t{}", values.join(" "));
    }
}

fn values(embedding: &Embedding) -> Vec<f32> {
    embedding.as_slice().to_vec()
}
