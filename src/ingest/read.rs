//! The first stage: a file's bytes, read once, to its hash and, where that is new, to the model's input.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::Parts;
use super::pipeline::Job;
use crate::decode::{self, Metadata};
use crate::embed::{Embedding, Pixels, PixelsMaker};
use crate::sidecar;
use crate::store::{ContentHash, FileKeywords};

/// How often a thread that waits looks whether it should stop.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// What reading a file brought.
pub(super) enum Outcome {
    /// Content that the library knows, with all that it would be decoded for.
    Known(Facts, Embedding),
    /// A picture to embed.
    New(Facts, Pixels),
    Failed(String),
    Vanished,
}

/// What a file tells about itself and its picture.
pub(super) struct Facts {
    pub(super) hash: ContentHash,
    pub(super) metadata: Metadata,
    pub(super) keywords: FileKeywords,
}

pub(super) type Read = (Job, Outcome);

/// A decoding thread.
pub(super) struct Reader {
    parts: Parts,
    maker: PixelsMaker,
    /// Held by the one thread that decodes a large picture.
    large: Arc<Mutex<()>>,
}

impl Reader {
    pub(super) fn new(parts: Parts, large: Arc<Mutex<()>>) -> Reader {
        let maker = parts.embedder.pixels_maker();
        Reader {
            parts,
            maker,
            large,
        }
    }

    pub(super) fn run(self, jobs: &Receiver<Job>, read: &Sender<Read>, is_stopping: &AtomicBool) {
        while !is_stopping.load(Ordering::Relaxed) {
            let job = match jobs.recv_timeout(STOP_CHECK) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let outcome = self.read(&job);
            if read.send((job, outcome)).is_err() {
                return;
            }
        }
    }

    fn read(&self, job: &Job) -> Outcome {
        match self.try_read(job) {
            Ok(outcome) => outcome,
            Err(error) if is_not_found(&error) => Outcome::Vanished,
            Err(error) => Outcome::Failed(format!("{error:#}")),
        }
    }

    fn try_read(&self, job: &Job) -> anyhow::Result<Outcome> {
        decode::check_size(job.stat.size_bytes as u64, &self.parts.decode)?;
        let bytes = std::fs::read(&job.path).context("the file cannot be read")?;
        let hash = ContentHash::of(&bytes);
        let facts = |metadata, keywords| Facts {
            hash,
            metadata,
            keywords: sidecar::keywords(&job.path, keywords),
        };
        let Parts { store, model, .. } = &self.parts;
        if let Some((metadata, embedding)) = store.known_content(&hash, *model)? {
            let facts = facts(metadata, decode::keywords(&bytes));
            return Ok(Outcome::Known(facts, embedding));
        }
        if let Some(embedding) = store.imported_embedding(&hash, *model)? {
            let (metadata, keywords) = decode::describe(&bytes, &self.parts.decode)?;
            return Ok(Outcome::Known(facts(metadata, keywords), embedding));
        }
        // Held until the picture is small: memory stays bounded whatever the number of threads.
        let _alone = decode::is_large(&bytes).then(|| locked(&self.large));
        let picture = decode::decode_enough(&bytes, &self.parts.decode, self.maker.enough_side())?;
        let pixels = self.maker.make(&picture.pixels)?;
        let facts = facts(picture.metadata, picture.keywords);
        Ok(Outcome::New(facts, pixels))
    }
}

fn locked(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_not_found(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}
