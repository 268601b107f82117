//! `pixdex import embeddings`: embeddings that were made elsewhere, so that their pictures need not be embedded here.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;

use super::super::output;
use super::super::vectors::{Reader, Shape};
use crate::config::Config;
use crate::embed::Embedder;
use crate::library::{self, Taken};
use crate::store::Store;

/// Rows that are read, and written, together.
const BATCH: usize = 1024;

/// Read embeddings that another pixdex exported with the same model; their pictures need not be there yet.
///
/// The library must not be in use: stop the daemon first.
#[derive(Debug, Args)]
pub(in crate::cli) struct Embeddings {
    /// The file, as `pixdex export --embeddings FILE.safetensors` writes it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    /// In the file.
    embeddings: usize,
    /// Of these, those that the library had not.
    imported: usize,
}

impl Embeddings {
    pub(in crate::cli) fn run(self, config: &Config) -> Result<()> {
        // Which model is in force is not for this command to change.
        let taken = Taken::take(config)?;
        let store = &taken.store;
        let embedder =
            library::load_model(&config.model, config, Some(store), &output::download())?;
        let report = self.import(store, &embedder);
        let report =
            report.with_context(|| format!("failed to import `{}`", self.file.display()))?;
        output::print(&report, self.json, |report| {
            let Report {
                embeddings,
                imported,
            } = report;
            print_line!("{imported} of {embeddings} embeddings imported");
        })
    }

    fn import(&self, store: &Store, embedder: &Embedder) -> Result<Report> {
        // All are checked before the first is kept.
        let mut check = Reader::open(&self.file)?;
        fits(&check.shape, embedder)?;
        let model = store.model(embedder.fingerprint(), embedder.name())?;
        store.keep_model(model)?;
        while !check.read(BATCH)?.is_empty() {}
        let mut reader = Reader::open(&self.file)?;
        let bar = output::counting("importing", reader.shape.rows);
        let mut imported = 0;
        loop {
            let rows = reader.read(BATCH)?;
            if rows.is_empty() {
                break;
            }
            imported += store.import_embeddings(model, &rows)?;
            bar.inc(rows.len() as u64);
        }
        bar.finish_and_clear();
        Ok(Report {
            embeddings: reader.shape.rows,
            imported,
        })
    }
}

fn fits(shape: &Shape, embedder: &Embedder) -> Result<()> {
    ensure!(
        shape.fingerprint == embedder.fingerprint(),
        "its embeddings are of the model `{}` with the fingerprint {}, and the library's are of `{}` with {}: vectors of two \
         models cannot be compared",
        shape.model,
        shape.fingerprint,
        embedder.name(),
        embedder.fingerprint()
    );
    ensure!(
        shape.embedding_dim == embedder.embedding_dim(),
        "its embeddings have {} values, and the model's have {}",
        shape.embedding_dim,
        embedder.embedding_dim()
    );
    Ok(())
}
