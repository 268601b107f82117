//! The pipeline's threads and the channels that join them: several read and decode, one embeds, one writes.
//!
//! Each stage works while the next one does, and every channel is bounded, so that the slowest sets the pace and nothing
//! piles up: decoders and tower share the cores, and the disk's waiting for a commit is nobody else's.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use crossbeam_channel::{Sender, bounded};

use super::Progress;
use super::batch::Batcher;
use super::job::{Job, Trouble};
use super::read::Reader;
use super::write::Writer;
use crate::library::Library;
use crate::stop::Threads;

/// Jobs that wait for a decoding thread.
const JOB_QUEUE: usize = 64;

/// Batches that wait to be written.
const WRITE_QUEUE: usize = 2;

/// How often who waits for the end is told how far it is.
const TICK: Duration = Duration::from_millis(100);

/// The way into the running threads. They end when this is dropped, having written what was handed to them, and sooner
/// when told to stop: what was not begun then stays pending in the store.
#[derive(Debug)]
pub(super) struct Pipeline {
    /// Not handed to the threads yet; without a bound, as the store's own list of pending files.
    queue: VecDeque<Job>,
    jobs: Sender<Job>,
    progress: Progress,
    trouble: Trouble,
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
        let trouble = Trouble::new(progress.clone());
        for _ in 0..decode_threads(library.ingest.decode_threads) {
            let reader = Reader::new(library.clone());
            let jobs = jobs.clone();
            let read_sender = read_sender.clone();
            threads.spawn("decode", move || reader.run(&jobs, &read_sender))?;
        }
        let batcher = Batcher {
            ingest: library.ingest.clone(),
            embedder: library.embedder.clone(),
            progress: progress.clone(),
            being_written: Arc::clone(&being_written),
            trouble: trouble.clone(),
        };
        threads.spawn("embed", move || batcher.run(&read, &batch_sender))?;
        let writer = Writer {
            library: library.clone(),
            progress: progress.clone(),
            being_written,
            trouble: trouble.clone(),
        };
        threads.spawn("write", move || writer.run(&embedded))?;
        Ok(Pipeline {
            queue: VecDeque::new(),
            jobs: job_sender,
            progress: progress.clone(),
            trouble,
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

    /// Hands jobs to the threads while they take them; whether some are left.
    pub(super) fn feed(&mut self) -> bool {
        while let Some(job) = self.queue.pop_front() {
            if let Err(unsent) = self.jobs.try_send(job) {
                self.queue.push_front(unsent.into_inner());
                return true;
            }
        }
        false
    }

    /// The first failure that was not one file's.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.trouble.check()
    }

    /// Waits until all that was queued is written and `threads` have ended, calling `tick` now and then.
    pub(super) fn finish(
        self,
        threads: &Threads,
        mut tick: impl FnMut(&Progress),
    ) -> anyhow::Result<()> {
        let Pipeline {
            queue,
            jobs,
            progress,
            trouble,
        } = self;
        for job in queue {
            tick(&progress);
            trouble.check()?;
            jobs.send(job)
                .ok()
                .context("the threads that decode have ended")?;
        }
        drop(jobs);
        while !threads.join(Instant::now() + TICK).is_empty() {
            tick(&progress);
            trouble.check()?;
        }
        tick(&progress);
        trouble.check()?;
        ensure!(
            progress.waiting() == 0,
            "a thread of the pipeline ended before its work"
        );
        Ok(())
    }
}

fn decode_threads(wanted: usize) -> usize {
    if wanted > 0 {
        wanted
    } else {
        thread::available_parallelism().map_or(2, usize::from)
    }
}
