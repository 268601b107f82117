//! The pipeline's threads and the channels that join them: several read and decode, one embeds, one writes.
//!
//! Each stage works while the next one does, and every channel is bounded, so that the slowest sets the pace and nothing
//! piles up: decoders and tower share the cores, and the disk's waiting for a commit is nobody else's.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use tracing::warn;

use super::Progress;
use super::batch::Batcher;
use super::breaker::Breaker;
use super::job::{Job, Returned};
use super::read::Reader;
use super::write::Writer;
use crate::library::Library;
use crate::stop::Threads;

/// Jobs that wait for a decoding thread.
const JOB_QUEUE: usize = 64;

/// Batches that wait to be written.
const WRITE_QUEUE: usize = 2;

/// How soon the threads are offered jobs again when their line was full.
const FEED_INTERVAL: Duration = Duration::from_millis(20);

/// The longest that threads without work may take to end.
const LONGEST_END: Duration = Duration::from_secs(10);

/// Attempts after which one pass over folders gives up, where something stands in the way of all files: after half a minute.
const MOST_ATTEMPTS: u32 = 6;

/// The way into the running threads. They end when this is dropped, having written what was handed to them, and sooner
/// when told to stop: what was not begun then stays pending in the store.
#[derive(Debug)]
pub(super) struct Pipeline {
    /// Not handed to the threads yet; without a bound, as the store's own list of pending files.
    queue: VecDeque<Job>,
    jobs: Sender<Job>,
    /// What comes back; never more than was handed to the threads.
    returned: Receiver<Returned>,
    progress: Progress,
    breaker: Breaker,
}

impl Pipeline {
    pub(super) fn start(
        library: &Library,
        progress: &Progress,
        threads: &Threads,
    ) -> io::Result<Pipeline> {
        let (job_sender, jobs) = bounded(JOB_QUEUE);
        let (read_sender, read) = bounded(2 * library.ingest.batch_size);
        let (batch_sender, embedded) = bounded(WRITE_QUEUE);
        let being_written = Arc::<AtomicUsize>::default();
        let (returned_sender, returned) = unbounded();
        let breaker = progress.counts.breaker.clone();
        for _ in 0..library.ingest.decoding_threads() {
            let reader = Reader {
                library: library.clone(),
                breaker: breaker.clone(),
                returned: returned_sender.clone(),
            };
            let jobs = jobs.clone();
            let read_sender = read_sender.clone();
            threads.spawn("decode", move || reader.run(&jobs, &read_sender))?;
        }
        let batcher = Batcher {
            ingest: library.ingest.clone(),
            embedder: library.embedder.clone(),
            progress: progress.clone(),
            being_written: Arc::clone(&being_written),
            breaker: breaker.clone(),
            returned: returned_sender.clone(),
        };
        threads.spawn("embed", move || batcher.run(&read, &batch_sender))?;
        let writer = Writer {
            library: library.clone(),
            progress: progress.clone(),
            being_written,
            breaker: breaker.clone(),
            returned: returned_sender,
        };
        threads.spawn("write", move || writer.run(&embedded))?;
        Ok(Pipeline {
            queue: VecDeque::new(),
            jobs: job_sender,
            returned,
            progress: progress.clone(),
            breaker,
        })
    }

    /// Takes a job whose path is claimed.
    pub(super) fn queue(&mut self, job: Job, is_urgent: bool) {
        if is_urgent {
            self.queue.push_front(job);
        } else {
            self.queue.push_back(job);
        }
    }

    /// Hands jobs to the threads while they take them, and tells in how long to come again, where some are left.
    pub(super) fn feed(&mut self) -> Option<Duration> {
        if self.progress.queued() == 0 {
            self.breaker.rest();
        }
        while !self.queue.is_empty() {
            let may_go = match self.breaker.pause() {
                None => true,
                Some(pause) if !pause.is_zero() => return Some(pause),
                // One alone, to see whether it gets through.
                Some(_) => self.progress.queued() <= self.queue.len(),
            };
            if !may_go {
                return Some(FEED_INTERVAL);
            }
            let job = self.queue.pop_front()?;
            if let Err(unsent) = self.jobs.try_send(job) {
                self.queue.push_front(unsent.into_inner());
                return Some(FEED_INTERVAL);
            }
        }
        None
    }

    /// What comes back from the threads.
    pub(super) fn returned(&self) -> Receiver<Returned> {
        self.returned.clone()
    }

    /// Takes one of these back: the path where it must be looked at again.
    pub(super) fn take(&mut self, returned: Returned) -> Option<PathBuf> {
        match returned {
            // Last in the line: should it be the one that stands in the way, others get their turn.
            Returned::Later(job) => self.queue.push_back(job),
            Returned::Look(path) => {
                self.progress.release(std::slice::from_ref(&path));
                return Some(path);
            }
            Returned::Waits => {}
        }
        None
    }

    /// Where it is told what stands in the way of all files.
    pub(super) fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// Whether nothing is under way any more.
    pub(super) fn is_done(&self) -> bool {
        self.returned.is_empty() && self.progress.queued() == 0
    }

    /// What stands in the way of all files, once that was tried often enough for who waits.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        match self.breaker.trouble() {
            Some(trouble) if trouble.attempts >= MOST_ATTEMPTS => {
                bail!("{}; what is not indexed yet stays pending", trouble.reason)
            }
            _ => Ok(()),
        }
    }

    /// Ends the threads, and waits until they have.
    pub(super) fn end(self, threads: &Threads) {
        drop(self.jobs);
        let late = threads.join(Instant::now() + LONGEST_END);
        if !late.is_empty() {
            warn!(threads = ?late, "threads do not end");
        }
    }

    /// Waits for a moment while the threads work.
    pub(super) fn wait(&self, threads: &Threads) -> anyhow::Result<()> {
        let running = threads.join(Instant::now() + FEED_INTERVAL);
        ensure!(
            !running.is_empty() || self.is_done(),
            "a thread of the pipeline ended before its work"
        );
        Ok(())
    }
}
