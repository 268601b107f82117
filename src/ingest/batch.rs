//! The second stage: fills batches and has them embedded.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use crossbeam_channel::{Receiver, Sender};
use tracing::{info, warn};

use super::Progress;
use super::job::{Job, Trouble};
use super::read::{Facts, Outcome, Read};
use crate::config::IngestConfig;
use crate::embed::{EmbedError, Embedder, Embedding, Pixels};

/// Files written in one transaction even where none of them has to be embedded.
const LARGEST_BATCH: usize = 256;

/// A file with its content, or with the reason why it has none.
pub(super) type Finding = (Job, Result<(Facts, Embedding), String>);

/// Files that are written in one transaction.
pub(super) struct Batch {
    /// Of all its files.
    pub(super) paths: Vec<PathBuf>,
    pub(super) findings: Vec<Finding>,
    pub(super) vanished: Vec<PathBuf>,
}

/// The thread that fills batches and has them embedded.
pub(super) struct Batcher {
    pub(super) ingest: IngestConfig,
    pub(super) embedder: Embedder,
    pub(super) progress: Progress,
    /// Files that have left this stage and are not written yet.
    pub(super) being_written: Arc<AtomicUsize>,
    pub(super) trouble: Trouble,
}

impl Batcher {
    pub(super) fn run(self, read: &Receiver<Read>, batches: &Sender<Batch>) {
        while let Ok(first) = read.recv() {
            let read = self.fill(first, read);
            let paths: Vec<PathBuf> = read.iter().map(|(job, _)| job.path.clone()).collect();
            match self.embed(read) {
                Ok((findings, vanished)) => {
                    self.being_written.fetch_add(paths.len(), Ordering::Relaxed);
                    let batch = Batch {
                        paths,
                        findings,
                        vanished,
                    };
                    if let Err(unsent) = batches.send(batch) {
                        let error = anyhow!("the thread that writes has ended");
                        return self.trouble.give_up(&unsent.into_inner().paths, error);
                    }
                }
                Err(error) => self.trouble.give_up(&paths, error.into()),
            }
        }
    }

    /// A batch is full, or its oldest file has waited long enough, or nothing else is on its way.
    fn fill(&self, first: Read, read: &Receiver<Read>) -> Vec<Read> {
        let due = Instant::now() + Duration::from_millis(self.ingest.batch_wait_ms);
        let mut batch = vec![first];
        while to_embed(&batch) < self.ingest.batch_size
            && batch.len() < LARGEST_BATCH.min(self.on_their_way())
        {
            match read.recv_deadline(due) {
                Ok(next) => batch.push(next),
                Err(_) => break,
            }
        }
        batch
    }

    /// Files that this stage has or will get.
    fn on_their_way(&self) -> usize {
        let being_written = self.being_written.load(Ordering::Relaxed);
        self.progress.waiting().saturating_sub(being_written)
    }

    fn embed(&self, read: Vec<Read>) -> Result<(Vec<Finding>, Vec<PathBuf>), EmbedError> {
        let mut findings = Vec::new();
        let mut pictures = Vec::new();
        let mut vanished = Vec::new();
        for (job, outcome) in read {
            match outcome {
                Outcome::Known(facts, embedding) => findings.push((job, Ok((facts, embedding)))),
                Outcome::Failed(reason) => findings.push((job, Err(reason))),
                Outcome::New(facts, pixels) => pictures.push((job, facts, pixels)),
                Outcome::Vanished => vanished.push(job.path),
            }
        }
        findings.extend(self.embed_pictures(pictures)?);
        Ok((findings, vanished))
    }

    /// Embeds pictures together; where that fails, each alone, so that one bad picture costs only itself.
    fn embed_pictures(
        &self,
        pictures: Vec<(Job, Facts, Pixels)>,
    ) -> Result<Vec<Finding>, EmbedError> {
        if pictures.is_empty() {
            return Ok(Vec::new());
        }
        let started = Instant::now();
        let (files, pixels): (Vec<_>, Vec<Pixels>) = pictures
            .into_iter()
            .map(|(job, facts, pixels)| ((job, facts), pixels))
            .unzip();
        let embeddings: Vec<Result<Embedding, EmbedError>> =
            match self.embedder.embed_images(pixels.clone()) {
                Ok(embeddings) => embeddings.into_iter().map(Ok).collect(),
                Err(EmbedError::Stopped) => return Err(EmbedError::Stopped),
                Err(error) => {
                    warn!(%error, "a batch failed, embedding its pictures one by one");
                    pixels
                        .into_iter()
                        .map(|pixels| self.embed_one(pixels))
                        .collect()
                }
            };
        let duration_ms = started.elapsed().as_millis() as u64;
        info!(pictures = files.len(), duration_ms, "batch embedded");
        let finding = |((job, facts), embedding): (_, Result<Embedding, EmbedError>)| {
            let content = embedding.map(|embedding| (facts, embedding));
            (job, content.map_err(|error| error.to_string()))
        };
        Ok(files.into_iter().zip(embeddings).map(finding).collect())
    }

    fn embed_one(&self, pixels: Pixels) -> Result<Embedding, EmbedError> {
        self.embedder
            .embed_images(vec![pixels])?
            .pop()
            .ok_or(EmbedError::Stopped)
    }
}

fn to_embed(batch: &[Read]) -> usize {
    batch
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Outcome::New(..)))
        .count()
}
