//! Reads, decodes, embeds and writes. Decoding threads and the writing thread work side by side, joined by bounded
//! channels; a batch is embedded and written as a whole.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use tracing::{debug, error, info, warn};

use super::{Parts, Progress, count};
use crate::decode::{self, Metadata};
use crate::embed::{EmbedError, Embedding, Pixels, PixelsMaker};
use crate::store::{Content, ContentHash, FileRecord, FileStat, RootId};

/// Files written in one transaction even where none of them has to be embedded.
const LARGEST_BATCH: usize = 256;

/// Jobs that wait for a decoding thread.
const JOB_QUEUE: usize = 64;

/// How often a thread that waits looks whether it should stop.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// A file to read.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) root: RootId,
    pub(super) path: PathBuf,
    /// What the file looked like before it was read; it is written with the outcome, so that a change in between shows.
    pub(super) stat: FileStat,
}

/// What reading a file brought.
enum Outcome {
    /// Content that the library knows, with all that it would be decoded for.
    Known(ContentHash, Metadata, Embedding),
    /// A picture to embed.
    New(ContentHash, Metadata, Pixels),
    Failed(String),
    Vanished,
}

type Read = (Job, Outcome);

/// A file with its content, or with the reason why it has none.
type Finding = (Job, Result<(ContentHash, Metadata, Embedding), String>);

/// The running threads.
#[derive(Debug)]
pub(super) struct Pipeline {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    progress: Progress,
    is_stopping: Arc<AtomicBool>,
    /// The first failure that was not one file's: a full disk, a broken database.
    failure: Arc<Mutex<Option<anyhow::Error>>>,
}

impl Pipeline {
    pub(super) fn start(parts: &Parts, progress: &Progress) -> io::Result<Pipeline> {
        let batch_size = parts.ingest.batch_size;
        let (job_sender, jobs) = bounded(JOB_QUEUE);
        let (read_sender, read) = bounded(2 * batch_size);
        let (is_stopping, failure) = (Arc::<AtomicBool>::default(), Arc::default());
        let mut threads = Vec::new();
        for _ in 0..decode_threads(parts.ingest.decode_threads) {
            let reader = Reader {
                parts: parts.clone(),
                maker: parts.embedder.pixels_maker(),
            };
            let (jobs, read_sender, is_stopping) =
                (jobs.clone(), read_sender.clone(), Arc::clone(&is_stopping));
            threads.push(
                named("decode").spawn(move || reader.run(&jobs, &read_sender, &is_stopping))?,
            );
        }
        let writer = Writer {
            parts: parts.clone(),
            progress: progress.clone(),
            failure: Arc::clone(&failure),
        };
        threads.push(named("write").spawn(move || writer.run(&read))?);
        Ok(Pipeline {
            jobs: Some(job_sender),
            threads,
            progress: progress.clone(),
            is_stopping,
            failure,
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
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .map_or(Ok(()), Err)
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

/// A decoding thread.
struct Reader {
    parts: Parts,
    maker: PixelsMaker,
}

impl Reader {
    fn run(self, jobs: &Receiver<Job>, read: &Sender<Read>, is_stopping: &AtomicBool) {
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
        if let Some((metadata, embedding)) =
            self.parts.store.known_content(&hash, self.parts.model)?
        {
            return Ok(Outcome::Known(hash, metadata, embedding));
        }
        let picture = decode::decode_enough(&bytes, &self.parts.decode, self.maker.enough_side())?;
        let pixels = self.maker.make(&picture.pixels)?;
        Ok(Outcome::New(hash, picture.metadata, pixels))
    }
}

fn is_not_found(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// The thread that fills batches, embeds and writes them.
struct Writer {
    parts: Parts,
    progress: Progress,
    failure: Arc<Mutex<Option<anyhow::Error>>>,
}

impl Writer {
    fn run(self, read: &Receiver<Read>) {
        while let Ok(first) = read.recv() {
            let batch = self.fill(first, read);
            let paths: Vec<PathBuf> = batch.iter().map(|(job, _)| job.path.clone()).collect();
            if let Err(error) = self.write(batch) {
                error!(
                    error = format!("{error:#}"),
                    files = paths.len(),
                    "failed to write a batch, its files stay pending"
                );
                self.failure
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get_or_insert(error);
            }
            for path in &paths {
                self.progress.release(path);
            }
        }
    }

    /// A batch is full, or its oldest file has waited long enough, or nothing else is on its way.
    fn fill(&self, first: Read, read: &Receiver<Read>) -> Vec<Read> {
        let due = Instant::now() + Duration::from_millis(self.parts.ingest.batch_wait_ms);
        let mut batch = vec![first];
        let to_embed = |batch: &[Read]| {
            batch
                .iter()
                .filter(|(_, outcome)| matches!(outcome, Outcome::New(..)))
                .count()
        };
        while to_embed(&batch) < self.parts.ingest.batch_size
            && batch.len() < LARGEST_BATCH.min(self.progress.waiting())
        {
            match read.recv_deadline(due) {
                Ok(next) => batch.push(next),
                Err(_) => break,
            }
        }
        batch
    }

    fn write(&self, batch: Vec<Read>) -> anyhow::Result<()> {
        let started = Instant::now();
        let (mut known, mut pictures, mut vanished) = (Vec::new(), Vec::new(), Vec::new());
        for (job, outcome) in batch {
            match outcome {
                Outcome::Known(hash, metadata, embedding) => {
                    known.push((job, Ok((hash, metadata, embedding))));
                }
                Outcome::Failed(reason) => known.push((job, Err(reason))),
                Outcome::New(hash, metadata, pixels) => {
                    pictures.push((job, hash, metadata, pixels));
                }
                Outcome::Vanished => vanished.push(job.path),
            }
        }
        let embedded = pictures.len();
        known.extend(self.embed(pictures)?);
        self.record(known)?;
        count(&self.progress.counts.removed, vanished.len());
        self.parts.forget_files(&vanished)?;
        let duration_ms = started.elapsed().as_millis() as u64;
        let waiting = self.progress.waiting();
        info!(embedded, waiting, duration_ms, "batch written");
        Ok(())
    }

    /// Embeds pictures together; where that fails, each alone, so that one bad picture costs only itself.
    fn embed(
        &self,
        pictures: Vec<(Job, ContentHash, Metadata, Pixels)>,
    ) -> anyhow::Result<Vec<Finding>> {
        let pixels: Vec<Pixels> = pictures
            .iter()
            .map(|(_, _, _, pixels)| pixels.clone())
            .collect();
        let embeddings: Vec<Result<Embedding, EmbedError>> =
            match self.parts.embedder.embed_images(pixels.clone()) {
                Ok(embeddings) => embeddings.into_iter().map(Ok).collect(),
                Err(EmbedError::Stopped) => return Err(EmbedError::Stopped.into()),
                Err(error) => {
                    warn!(%error, "a batch failed, embedding its pictures one by one");
                    pixels
                        .into_iter()
                        .map(|pixels| self.embed_one(pixels))
                        .collect()
                }
            };
        let join = |((job, hash, metadata, _), embedding): (
            (_, _, _, _),
            Result<Embedding, EmbedError>,
        )| {
            (
                job,
                embedding
                    .map(|embedding| (hash, metadata, embedding))
                    .map_err(|error| error.to_string()),
            )
        };
        Ok(pictures.into_iter().zip(embeddings).map(join).collect())
    }

    fn embed_one(&self, pixels: Pixels) -> Result<Embedding, EmbedError> {
        self.parts
            .embedder
            .embed_images(vec![pixels])?
            .pop()
            .ok_or(EmbedError::Stopped)
    }

    /// Writes files and images in one transaction, and the index after it.
    fn record(&self, read: Vec<Finding>) -> anyhow::Result<()> {
        // Held until the index has the images too: a label set that changes meanwhile will find them there.
        let sets = self.parts.tagger.sets();
        let records: Vec<FileRecord> = read
            .into_iter()
            .map(|(Job { root, path, stat }, content)| {
                let content = content.map(|(hash, metadata, embedding)| {
                    let tags = sets.tags(embedding.as_slice());
                    Content {
                        hash,
                        metadata,
                        embedding,
                        tags,
                    }
                });
                if let Err(reason) = &content {
                    warn!(path = %path.display(), reason, "not indexed");
                } else {
                    debug!(path = %path.display(), "indexed");
                }
                FileRecord {
                    root,
                    path,
                    stat,
                    content,
                }
            })
            .collect();
        let recorded = self.parts.store.record(self.parts.model, &records)?;
        let contents = records.iter().map(|record| record.content.as_ref().ok());
        let images = recorded.images.iter().zip(contents);
        self.parts
            .index
            .insert(images.filter_map(|(image, content)| Some(((*image)?, &content?.embedding))));
        self.parts.index.remove(&recorded.orphaned);
        let indexed = recorded.images.iter().flatten().count();
        count(&self.progress.counts.indexed, indexed);
        count(&self.progress.counts.failed, records.len() - indexed);
        Ok(())
    }
}
