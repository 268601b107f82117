//! The first stage: a file's bytes, read once, to its hash and, where that is new, to the model's input.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, select};

use super::job::Job;
use crate::decode::{self, Metadata};
use crate::embed::{Embedding, Pixels, PixelsMaker};
use crate::library::Library;
use crate::sidecar;
use crate::store::{ContentHash, FileKeywords};

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
    library: Library,
    maker: PixelsMaker,
    /// Held by the one thread that decodes a large picture.
    large: Arc<Mutex<()>>,
}

impl Reader {
    pub(super) fn new(library: Library, large: Arc<Mutex<()>>) -> Reader {
        let maker = library.embedder.pixels_maker();
        Reader {
            library,
            maker,
            large,
        }
    }

    pub(super) fn run(self, jobs: &Receiver<Job>, read: &Sender<Read>) {
        let stop = &self.library.stop;
        // Asked first: while jobs wait, `select!` takes one of them as well as the word to stop.
        while !stop.is_asked() {
            let job = select! {
                recv(stop.closed()) -> _ => return,
                recv(jobs) -> job => job,
            };
            let Ok(job) = job else { return };
            let outcome = self.read(&job);
            if read.send((job, outcome)).is_err() {
                return;
            }
        }
    }

    fn read(&self, job: &Job) -> Outcome {
        match self.try_read(job) {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(format!("{error:#}")),
        }
    }

    fn try_read(&self, job: &Job) -> anyhow::Result<Outcome> {
        decode::check_size(job.stat.size_bytes as u64, &self.library.decode)?;
        let bytes = match std::fs::read(&job.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Outcome::Vanished),
            bytes => bytes.context("the file cannot be read")?,
        };
        let hash = ContentHash::of(&bytes);
        let facts = |metadata, keywords| Facts {
            hash,
            metadata,
            keywords: sidecar::keywords(&job.path, keywords),
        };
        let Library { store, model, .. } = &self.library;
        if let Some((metadata, embedding)) = store.known_content(&hash, *model)? {
            let facts = facts(metadata, decode::keywords(&bytes));
            return Ok(Outcome::Known(facts, embedding));
        }
        if let Some(embedding) = store.imported_embedding(&hash, *model)? {
            let (metadata, keywords) = decode::describe(&bytes, &self.library.decode)?;
            return Ok(Outcome::Known(facts(metadata, keywords), embedding));
        }
        // Held until the picture is small: memory stays bounded whatever the number of threads.
        let _alone = decode::is_large(&bytes).then(|| locked(&self.large));
        let picture =
            decode::decode_enough(&bytes, &self.library.decode, self.maker.enough_side())?;
        let pixels = self.maker.make(&picture.pixels)?;
        let facts = facts(picture.metadata, picture.keywords);
        Ok(Outcome::New(facts, pixels))
    }
}

fn locked(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
