//! The first stage: a file's bytes, read once, to its hash and, where that is new, to the model's input.

use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, select};

use super::breaker::{Breaker, Stage};
use super::job::{Job, Returned, ReturnedSender};
use crate::decode::{Description, Metadata};
use crate::embed::{Embedded, Shot};
use crate::figures::FIGURES;
use crate::library::Library;
use crate::pictures::{FfmpegError, FileError, PictureError};
use crate::priority;
use crate::sidecar;
use crate::store::{ContentHash, DecoderVerdict, FileKeywords, StoreError};

/// What reading a file brought.
pub(super) enum Outcome {
    /// Content that the library knows, with all that it would be decoded for.
    Known(Facts, Embedded),
    /// A picture to embed, or the frames of a video.
    New(Facts, Vec<Shot>),
    /// A decoder's word on its bytes.
    Failed(DecoderVerdict),
    /// It cannot be read for the time being.
    Waiting(String),
}

/// Why there is no outcome.
enum Failure {
    /// It is not what was looked at.
    Changed,
    /// Something stands in the way of all files.
    Trouble(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::Trouble(error.to_string())
    }
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
    pub(super) library: Library,
    pub(super) breaker: Breaker,
    pub(super) returned: ReturnedSender,
}

impl Reader {
    pub(super) fn run(self, jobs: &Receiver<Job>, read: &Sender<Read>) {
        priority::give_way();
        let stop = &self.library.stop;
        // Asked first: while jobs wait, `select!` takes one of them as well as the word to stop.
        while !stop.is_asked() {
            let job = select! {
                recv(stop.closed()) -> _ => return,
                recv(jobs) -> job => job,
            };
            let Ok(job) = job else { return };
            let started = Instant::now();
            let read_now = self.read(&job);
            FIGURES.stages.add("decode", started.elapsed());
            let is_sent = match read_now {
                Ok(outcome) => {
                    // Of a file that waits, neither its bytes nor the library may have been asked.
                    if !matches!(outcome, Outcome::Waiting(_)) {
                        self.breaker.succeed(Stage::Read);
                    }
                    read.send((job, outcome)).is_ok()
                }
                Err(Failure::Changed) => self
                    .returned
                    .send(Returned::Look(job.original.path))
                    .is_ok(),
                Err(Failure::Trouble(reason)) => {
                    self.breaker.trip(Stage::Read, reason);
                    self.returned.send(Returned::Later(job)).is_ok()
                }
            };
            if !is_sent {
                return;
            }
        }
    }

    fn read(&self, job: &Job) -> Result<Outcome, Failure> {
        let Library {
            store,
            model,
            pictures,
            ..
        } = &self.library;
        let original = match pictures.read(&job.original) {
            Ok(original) => original,
            Err(error) => return self.without_picture(error),
        };
        let hash = ContentHash(original.hash());
        let facts = |metadata, keywords| Facts {
            hash,
            metadata,
            keywords: sidecar::keywords(&job.original.path, keywords),
        };
        let known = store.known_content(&hash, *model)?;
        let known = if let Some(known) = known {
            // Others may have read it, and seen it on its side.
            let size = (known.metadata.width, known.metadata.height);
            Some((known.embedded, Some(size)))
        } else {
            let imported = store.imported_embedding(&hash, *model)?;
            imported
                .filter(|_| !original.is_video())
                .map(|embedding| (embedding.into(), None))
        };
        if let Some((embedded, size)) = known {
            match pictures.describe(&original) {
                Ok(Description { metadata, keywords })
                    if size.is_none_or(|size| size == (metadata.width, metadata.height)) =>
                {
                    return Ok(Outcome::Known(facts(metadata, keywords), embedded));
                }
                Ok(_) => {}
                Err(error) => return self.without_picture(error),
            }
        }
        match pictures.shots(&original) {
            Ok((shots, Description { metadata, keywords })) => {
                Ok(Outcome::New(facts(metadata, keywords), shots))
            }
            Err(error) => self.without_picture(error),
        }
    }

    /// A decoder's word on bytes that were read whole is a verdict; whatever else goes wrong may pass, and is tried again.
    fn without_picture(&self, error: PictureError) -> Result<Outcome, Failure> {
        match error {
            error @ (PictureError::Decode(_)
            | PictureError::Ffmpeg(FfmpegError::Refused(_) | FfmpegError::TooSlow(_))
            | PictureError::TooMuchMemory { .. }
            | PictureError::EndedProcess(_)) => Ok(Outcome::Failed(DecoderVerdict {
                reason: error.to_string(),
                decoders: self.library.pictures.decoders(),
            })),
            PictureError::File(FileError::Gone | FileError::Changed) => Err(Failure::Changed),
            PictureError::File(FileError::Io(error)) if is_of_the_machine(&error) => {
                Err(Failure::Trouble(error.to_string()))
            }
            error => Ok(Outcome::Waiting(error.to_string())),
        }
    }
}

/// Whether whatever file is opened next meets the same error.
#[cfg(unix)]
fn is_of_the_machine(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let all = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];
    error
        .raw_os_error()
        .is_some_and(|code| all.contains(&Errno::from_raw_os_error(code)))
}

#[cfg(not(unix))]
fn is_of_the_machine(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::OutOfMemory
}
