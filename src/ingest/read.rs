//! The first stage: a file's bytes, read once, to its hash and, where that is new, to the model's input.

use std::io;

use crossbeam_channel::{Receiver, Sender, select};

use super::job::Job;
use crate::decode::{Description, Metadata};
use crate::embed::{Embedding, Pixels};
use crate::library::Library;
use crate::pictures::PictureError;
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
}

impl Reader {
    pub(super) fn new(library: Library) -> Reader {
        Reader { library }
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
        let Library {
            store,
            model,
            pictures,
            ..
        } = &self.library;
        let bytes = match pictures.read(&job.path) {
            Err(PictureError::Read(error)) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Outcome::Vanished);
            }
            bytes => bytes?,
        };
        let hash = ContentHash::of(&bytes);
        let facts = |metadata, keywords| Facts {
            hash,
            metadata,
            keywords: sidecar::keywords(&job.path, keywords),
        };
        if let Some((metadata, embedding)) = store.known_content(&hash, *model)? {
            let facts = facts(metadata, pictures.keywords(&bytes)?);
            return Ok(Outcome::Known(facts, embedding));
        }
        if let Some(embedding) = store.imported_embedding(&hash, *model)? {
            let Description { metadata, keywords } = pictures.describe(&bytes)?;
            return Ok(Outcome::Known(facts(metadata, keywords), embedding));
        }
        let (pixels, Description { metadata, keywords }) = pictures.pixels(&bytes)?;
        Ok(Outcome::New(facts(metadata, keywords), pixels))
    }
}
