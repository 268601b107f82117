//! The pipeline's threads and the channels that join them: several read and decode, one embeds, one writes.
//!
//! Each stage works while the next one does, and every channel is bounded, so that the slowest sets the pace and nothing
//! piles up: decoders and tower share the cores, and the disk's waiting for a commit is nobody else's.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use tracing::error;

use super::batch::Batcher;
use super::read::Reader;
use super::write::Writer;
use super::{Parts, Progress};
use crate::store::{FileStat, RootId};

/// Jobs that wait for a decoding thread.
const JOB_QUEUE: usize = 64;

/// Batches that wait to be written.
const WRITE_QUEUE: usize = 2;

/// A file to read.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) root: RootId,
    pub(super) path: PathBuf,
    /// What the file looked like before it was read; it is written with the outcome, so that a change in between shows.
    pub(super) stat: FileStat,
}

/// The running threads.
#[derive(Debug)]
pub(super) struct Pipeline {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    progress: Progress,
    is_stopping: Arc<AtomicBool>,
    trouble: Trouble,
}

impl Pipeline {
    pub(super) fn start(parts: &Parts, progress: &Progress) -> io::Result<Pipeline> {
        let (job_sender, jobs) = bounded(JOB_QUEUE);
        let (read_sender, read) = bounded(2 * parts.ingest.batch_size);
        let (batch_sender, embedded) = bounded(WRITE_QUEUE);
        let (is_stopping, being_written) =
            (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let trouble = Trouble {
            progress: progress.clone(),
            first: Arc::default(),
        };
        let (large, mut threads) = (Arc::default(), Vec::new());
        for _ in 0..decode_threads(parts.ingest.decode_threads) {
            let reader = Reader::new(parts.clone(), Arc::clone(&large));
            let (jobs, read_sender, is_stopping) =
                (jobs.clone(), read_sender.clone(), Arc::clone(&is_stopping));
            threads.push(
                named("decode").spawn(move || reader.run(&jobs, &read_sender, &is_stopping))?,
            );
        }
        let batcher = Batcher {
            ingest: parts.ingest.clone(),
            embedder: parts.embedder.clone(),
            progress: progress.clone(),
            being_written: Arc::clone(&being_written),
            trouble: trouble.clone(),
        };
        threads.push(named("embed").spawn(move || batcher.run(&read, &batch_sender))?);
        let writer = Writer {
            parts: parts.clone(),
            progress: progress.clone(),
            being_written,
            trouble: trouble.clone(),
        };
        threads.push(named("write").spawn(move || writer.run(&embedded))?);
        Ok(Pipeline {
            jobs: Some(job_sender),
            threads,
            progress: progress.clone(),
            is_stopping,
            trouble,
        })
    }

    /// Where jobs go in; each one's path must be claimed first.
    pub(super) fn jobs(&self) -> Option<&Sender<Job>> {
        self.jobs.as_ref()
    }

    /// Waits until all that was submitted is written, calling `tick` now and then.
    pub(super) fn wait_idle(&self, mut tick: impl FnMut()) -> anyhow::Result<()> {
        while self.progress.waiting() > 0 {
            tick();
            self.check()?;
            thread::sleep(Duration::from_millis(20));
        }
        tick();
        self.check()
    }

    /// The first failure that was not one file's.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.trouble.take().map_or(Ok(()), Err)
    }

    /// Writes what is under way and ends. What was not begun stays pending in the store.
    pub(super) fn stop(mut self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        self.jobs = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                error!("a thread of the pipeline panicked");
            }
        }
    }
}

/// Failures that are not one file's: a full disk, a broken database, a model that has ended.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    progress: Progress,
    first: Arc<Mutex<Option<anyhow::Error>>>,
}

impl Trouble {
    /// Gives a batch up: its files stay pending.
    pub(super) fn give_up(&self, paths: &[PathBuf], error: anyhow::Error) {
        let error_text = format!("{error:#}");
        error!(
            error = error_text,
            files = paths.len(),
            "failed to write a batch, its files stay pending"
        );
        self.first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
        self.progress.release(paths);
    }

    fn take(&self) -> Option<anyhow::Error> {
        self.first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

fn decode_threads(wanted: usize) -> usize {
    if wanted > 0 {
        wanted
    } else {
        thread::available_parallelism().map_or(2, usize::from)
    }
}

fn named(name: &str) -> thread::Builder {
    thread::Builder::new().name(name.to_owned())
}
