//! The last stage: each batch in one transaction, and into the index after it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crossbeam_channel::Receiver;
use tracing::{debug, info, warn};

use super::batch::{Batch, Finding};
use super::job::{Job, Trouble};
use super::{Progress, count, forget_files};
use crate::library::Library;
use crate::store::{Content, Event, FileRecord, Recorded};
use crate::tag::{Sets, TagError};

/// The thread that writes.
pub(super) struct Writer {
    pub(super) library: Library,
    pub(super) progress: Progress,
    pub(super) being_written: Arc<AtomicUsize>,
    pub(super) trouble: Trouble,
}

impl Writer {
    pub(super) fn run(self, batches: &Receiver<Batch>) {
        for Batch {
            paths,
            findings,
            vanished,
        } in batches
        {
            let started = Instant::now();
            match self.record(findings).and_then(|()| self.forget(&vanished)) {
                Ok(()) => self.progress.release(&paths),
                Err(error) => self.trouble.give_up(&paths, error),
            }
            self.being_written.fetch_sub(paths.len(), Ordering::Relaxed);
            self.library.tagger.tell_news();
            let duration_ms = started.elapsed().as_millis() as u64;
            info!(
                files = paths.len(),
                waiting = self.progress.waiting(),
                duration_ms,
                "batch written"
            );
        }
    }

    fn forget(&self, vanished: &[PathBuf]) -> anyhow::Result<()> {
        count(&self.progress.counts.removed, vanished.len());
        Ok(forget_files(&self.library, vanished)?)
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
        let contents = records.iter().map(|record| record.content.as_ref().ok());
        let images = recorded.images.iter().zip(contents);
        self.library
            .index
            .insert(images.filter_map(|(image, content)| Some(((*image)?, &content?.embedding))));
        self.library.index.remove(&recorded.orphaned);
        let indexed = recorded.images.iter().flatten().count();
        count(&self.progress.counts.indexed, indexed);
        count(&self.progress.counts.failed, records.len() - indexed);
        self.announce(&recorded)
    }

    /// Tells readers of the event stream which images are there to be found. Read from the store, and only where there are
    /// readers: an event names all files that hold the image, and tags with their sources, which the batch does not know.
    fn announce(&self, recorded: &Recorded) -> anyhow::Result<()> {
        let store = &self.library.store;
        if !store.feed().has_readers() {
            return Ok(());
        }
        let images: Vec<_> = recorded.images.iter().copied().flatten().collect();
        for image in store.images(&images)? {
            store.feed().tell(Event::Image(image.into()));
        }
        Ok(())
    }
}

fn file_record((job, content): Finding, sets: &Sets<'_>) -> Result<FileRecord, TagError> {
    let Job { root, path, stat } = job;
    match &content {
        Ok(_) => debug!(path = %path.display(), "indexed"),
        Err(reason) => warn!(path = %path.display(), reason, "not indexed"),
    }
    let content = match content {
        Ok((facts, embedding)) => Ok(Content {
            tags: sets.tags(facts.hash, embedding.as_slice())?,
            hash: facts.hash,
            metadata: facts.metadata,
            keywords: facts.keywords,
            embedding,
        }),
        Err(reason) => Err(reason),
    };
    Ok(FileRecord {
        root,
        path,
        stat,
        content,
    })
}
