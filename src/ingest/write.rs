//! The last stage: each batch in one transaction, and into the index after it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use tracing::{debug, info, warn};

use super::batch::{Finding, Found};
use super::breaker::{Breaker, Stage};
use super::job::{Job, Returned, ReturnedSender};
use super::{Progress, count};
use crate::figures::FIGURES;
use crate::library::Library;
use crate::store::{Content, Event, FileRecord, Reading, Recorded, StoreError};
use crate::tag::{Sets, TagError};

/// How often readers of the event stream hear how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// The thread that writes.
pub(super) struct Writer {
    pub(super) library: Library,
    pub(super) progress: Progress,
    pub(super) being_written: Arc<AtomicUsize>,
    pub(super) breaker: Breaker,
    pub(super) returned: ReturnedSender,
}

impl Writer {
    pub(super) fn run(self, batches: &Receiver<Vec<Finding>>) {
        let mut told: Option<Instant> = None;
        for findings in batches {
            let started = Instant::now();
            let jobs: Vec<Job> = findings.iter().map(|(job, _)| job.clone()).collect();
            let files = jobs.len();
            match self.record(findings) {
                Ok(()) => {
                    self.breaker.succeed(Stage::Write);
                    let paths: Vec<PathBuf> =
                        jobs.into_iter().map(|job| job.original.path).collect();
                    self.progress.release(&paths);
                }
                Err(error) => self.put_back(jobs, &error),
            }
            self.being_written.fetch_sub(files, Ordering::Relaxed);
            self.library.tagger.tell_news();
            let queued = self.progress.queued();
            let took = started.elapsed();
            FIGURES.stages.add("write", took);
            let duration_ms = took.as_millis() as u64;
            info!(files, queued, duration_ms, "batch written");
            if queued == 0 || told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
                told = Some(Instant::now());
                self.tell_progress(queued);
            }
        }
    }

    fn tell_progress(&self, queued: usize) {
        let feed = self.library.store.feed();
        // It is of no use to whoever comes later, and would take the place of what is.
        if !feed.is_followed() {
            return;
        }
        let report = self.progress.report();
        feed.tell(Event::Progress {
            queued,
            indexed: report.indexed,
            failed: report.failed,
        });
    }

    /// Nothing of them was written: they are read again when there is room.
    fn put_back(&self, jobs: Vec<Job>, error: &anyhow::Error) {
        self.breaker.trip(Stage::Write, format!("{error:#}"));
        for job in jobs {
            // Nobody listens: the process ends, and the file is pending.
            let _ = self.returned.send(Returned::Later(job));
        }
    }

    /// Writes files and images in one transaction, and the index after it.
    fn record(&self, findings: Vec<Finding>) -> anyhow::Result<()> {
        // Held until the index has the images too: a label set that changes meanwhile will find them there.
        let sets = self.library.tagger.sets();
        let records: Vec<FileRecord> = findings
            .into_iter()
            .map(|finding| file_record(finding, &sets))
            .collect::<Result<_, _>>()?;
        let recorded = self.library.store.record(self.library.model, &records)?;
        let contents = records.iter().map(|record| record.reading.content());
        let images = recorded.images.iter().zip(contents);
        let images: Vec<_> = images
            .filter_map(|(image, content)| Some(((*image)?, &content?.embedded)))
            .collect();
        let index = &self.library.index;
        index.insert(images.iter().map(|(image, of)| (*image, &of.embedding)));
        for (image, of) in images {
            if let (Some(video), Some(numbers)) = (&of.video, recorded.frames.get(&image)) {
                let embeddings = video.others.iter().map(|frame| &frame.embedding);
                index.insert_frames(image, numbers.iter().copied().zip(embeddings));
            }
        }
        drop(sets);
        for path in &recorded.parted {
            let _ = self.returned.send(Returned::Look(path.clone()));
        }
        self.tell(&records);
        if let Err(error) = self.library.let_go(&recorded.orphaned) {
            warn!(%error, "the event stream is not told of images that are gone");
        }
        if let Err(error) = self.announce(&recorded) {
            warn!(%error, "the event stream is not told of images");
        }
        // The batch is written and told, and stays so.
        if let Err(error) = self.library.tagger.hand_on(&recorded.heirs) {
            warn!(%error, "what was decided about files of one shot does not count for the one that stands for them");
        }
        Ok(())
    }

    /// Counts what became of files, and tells the owner: what stands in the way of many is one line.
    fn tell(&self, records: &[FileRecord]) {
        let (counts, feed) = (&self.progress.counts, self.library.store.feed());
        let mut waiting: BTreeMap<&str, Vec<&FileRecord>> = BTreeMap::new();
        for record in records {
            let path = record.file.path.display();
            match &record.reading {
                Reading::Image(_) => {
                    debug!(%path, "indexed");
                    count(&counts.indexed, 1);
                }
                Reading::Failed(verdict) => {
                    warn!(%path, reason = verdict.reason, "not indexed");
                    feed.tell(Event::Failure {
                        path: path.to_string(),
                        reason: verdict.reason.clone(),
                    });
                    count(&counts.failed, 1);
                }
                Reading::Waiting(reason) => waiting.entry(reason).or_default().push(record),
            }
        }
        if !waiting.is_empty() {
            let _ = self.returned.send(Returned::Waits);
        }
        for (reason, files) in waiting {
            let first = files[0].file.path.display();
            warn!(reason, files = files.len(), %first, "cannot be read now, to be tried again");
        }
    }

    /// Tells readers of the event stream which images are there to be found. Read from the store, and only where there are
    /// readers: an event names all files that hold the image, and tags with their sources, which the batch does not know.
    fn announce(&self, recorded: &Recorded) -> Result<(), StoreError> {
        let store = &self.library.store;
        if !store.feed().is_followed() {
            return Ok(());
        }
        let images: Vec<_> = recorded.images.iter().copied().flatten().collect();
        for image in store.images(&images)? {
            store.feed().tell(Event::Image(image.into()));
        }
        Ok(())
    }
}

fn file_record((job, found): Finding, sets: &Sets<'_>) -> Result<FileRecord, TagError> {
    let reading = match found {
        Found::Image(facts, embedded) => Reading::Image(Box::new(Content {
            tags: sets.tags(facts.hash, &embedded.rows())?,
            hash: facts.hash,
            metadata: facts.metadata,
            keywords: facts.keywords,
            embedded,
        })),
        Found::Failed(verdict) => Reading::Failed(verdict),
        Found::Waiting(reason) => Reading::Waiting(reason),
    };
    Ok(FileRecord {
        root: job.root,
        file: job.seen(),
        reading,
    })
}
