//! The second stage: fills batches and has them embedded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use tracing::{error, info};

use super::Progress;
use super::breaker::{Breaker, Stage};
use super::job::{Job, Returned, ReturnedSender};
use super::read::{Facts, Outcome, Read};
use crate::config::IngestConfig;
use crate::embed::{EmbedError, Embedded, Embedder, Shot};
use crate::figures::FIGURES;
use crate::store::DecoderVerdict;

/// Files written in one transaction even where none of them has to be embedded.
const LARGEST_BATCH: usize = 256;

/// A file with what became of it.
pub(super) type Finding = (Job, Found);

/// What became of a file.
pub(super) enum Found {
    /// It holds a picture.
    Image(Box<Facts>, Embedded),
    /// A decoder's word that it holds none.
    Failed(DecoderVerdict),
    /// It cannot be read for the time being.
    Waiting(String),
}

/// The thread that fills batches and has them embedded.
pub(super) struct Batcher {
    pub(super) ingest: IngestConfig,
    pub(super) embedder: Embedder,
    pub(super) progress: Progress,
    /// Files that have left this stage and are not written yet.
    pub(super) being_written: Arc<AtomicUsize>,
    pub(super) breaker: Breaker,
    pub(super) returned: ReturnedSender,
}

impl Batcher {
    pub(super) fn run(self, read: &Receiver<Read>, batches: &Sender<Vec<Finding>>) {
        while let Ok(first) = read.recv() {
            let findings = self.embed(self.fill(first, read));
            if findings.is_empty() {
                continue;
            }
            self.being_written
                .fetch_add(findings.len(), Ordering::Relaxed);
            if batches.send(findings).is_err() {
                return error!("the thread that writes has ended");
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
        self.progress.queued().saturating_sub(being_written)
    }

    /// What became of these files; those that nothing can be done about now go back.
    fn embed(&self, read: Vec<Read>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut pictures = Vec::new();
        for (job, outcome) in read {
            match outcome {
                Outcome::Known(facts, embedded) => {
                    FIGURES.embeddings.add("known", 1);
                    findings.push((job, Found::Image(Box::new(facts), embedded)));
                }
                Outcome::Failed(verdict) => findings.push((job, Found::Failed(verdict))),
                Outcome::Waiting(reason) => findings.push((job, Found::Waiting(reason))),
                Outcome::New(facts, shots) => pictures.push((job, facts, shots)),
            }
        }
        match self.embed_pictures(pictures) {
            Ok(embedded) => findings.extend(embedded),
            Err((jobs, reason)) => {
                self.breaker.trip(Stage::Embed, reason);
                for job in jobs {
                    // Nobody listens: the process ends, and the file is pending.
                    let _ = self.returned.send(Returned::Later(job));
                }
            }
        }
        findings
    }

    /// Embeds pictures; where it is not their fault that this fails, they come back with why.
    fn embed_pictures(
        &self,
        pictures: Vec<(Job, Facts, Vec<Shot>)>,
    ) -> Result<Vec<Finding>, (Vec<Job>, String)> {
        if pictures.is_empty() {
            return Ok(Vec::new());
        }
        let started = Instant::now();
        let mut jobs = Vec::new();
        let mut facts = Vec::new();
        let mut shots = Vec::new();
        for (job, of_picture, of_model) in pictures {
            jobs.push(job);
            facts.push(of_picture);
            shots.push(of_model);
        }
        let embedded = match self.embedder.embed_shots(shots) {
            Ok(embedded) => embedded,
            Err(error) => return Err((jobs, error.to_string())),
        };
        self.breaker.succeed(Stage::Embed);
        let took = started.elapsed();
        FIGURES.stages.add("embed", took);
        FIGURES.batches.observe(jobs.len() as f64);
        FIGURES.embeddings.add("model", jobs.len());
        let duration_ms = took.as_millis() as u64;
        info!(pictures = jobs.len(), duration_ms, "batch embedded");
        let found = |(facts, embedded): (Facts, Result<Embedded, EmbedError>)| match embedded {
            Ok(embedded) => Found::Image(Box::new(facts), embedded),
            Err(error) => Found::Waiting(error.to_string()),
        };
        let found = facts.into_iter().zip(embedded).map(found);
        Ok(jobs.into_iter().zip(found).collect())
    }
}

fn to_embed(batch: &[Read]) -> usize {
    let shots = batch.iter().map(|(_, outcome)| match outcome {
        Outcome::New(_, shots) => shots.len(),
        _ => 0,
    });
    shots.sum()
}
