//! Embedding the pictures of a library with another model than the one in force, beside everything else.
//!
//! What is embedded is stored as it is made, so that a killed process goes on where it was. Nothing of it is looked at before
//! all of it is there.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::{debug, error, info, warn};

use crate::embed::{Embedder, Embedding, Shot};
use crate::library::Library;
use crate::pause;
use crate::pictures::{FileError, PictureError, Pictures};
use crate::priority;
use crate::stop::Stop;
use crate::store::{ContentHash, ImageId, ModelId, Store};

/// Images that are decoded, embedded and written together.
const BATCH: usize = 32;

/// The pause after a first attempt that failed; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Of so many images one may be unreadable for the time being and the library goes over all the same; it is embedded when it can be
/// read.
const READABLE_FOR_EACH_UNREADABLE: usize = 100;

/// The embedding of all pictures with the model that is to be.
#[derive(Debug)]
pub struct Reembedding {
    store: Store,
    pictures: Pictures,
    embedder: Embedder,
    model: ModelId,
    threads: usize,
    most_attempts: u32,
    stop: Stop,
    progress: ReembeddingProgress,
}

/// How far it is. Every clone is of the same.
#[derive(Debug, Clone)]
pub struct ReembeddingProgress(Arc<Progress>);

#[derive(Debug)]
struct Progress {
    name: String,
    fingerprint: String,
    images: usize,
    embedded: AtomicUsize,
    started: Instant,
    trouble: Mutex<Option<String>>,
}

/// How far the embedding of all pictures with another model is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReembeddingReport {
    /// The model, as its owner named it.
    pub name: String,
    /// What tells its embeddings from those of other models.
    pub fingerprint: String,
    /// Images that this process has to embed.
    pub images: usize,
    /// Those that it has embedded.
    pub embedded: usize,
    /// Time until all are, in seconds, as fast as it went up to now; none before the first.
    pub left_s: Option<u64>,
    /// What stands in the way; it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

impl ReembeddingProgress {
    /// How far it is now.
    pub fn report(&self) -> ReembeddingReport {
        let Progress {
            name,
            fingerprint,
            images,
            embedded,
            started,
            ..
        } = &*self.0;
        let embedded = embedded.load(Ordering::Relaxed);
        let left = images.saturating_sub(embedded) as u64;
        let elapsed_ms = started.elapsed().as_millis() as u64;
        ReembeddingReport {
            name: name.clone(),
            fingerprint: fingerprint.clone(),
            images: (*images).max(embedded),
            embedded,
            left_s: (elapsed_ms * left)
                .checked_div(embedded as u64)
                .map(|left_ms| left_ms / 1000),
            trouble: self.trouble().clone(),
        }
    }

    /// Tells what stands in the way, and waits until it is time to try again after so many attempts, or until told to stop: whether
    /// that is so.
    pub(crate) fn wait_after(&self, trouble: &str, attempts: u32, stop: &Stop) -> bool {
        if self.trouble().replace(trouble.to_owned()).as_deref() != Some(trouble) {
            error!(trouble, "the change of the model waits, and is tried again");
        }
        stop.is_asked_within(pause::doubling(FIRST_PAUSE, LONGEST_PAUSE, attempts))
    }

    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.0
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one pass over all images came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Pass {
    embedded: usize,
    /// Those whose files cannot be read for the time being.
    unreadable: usize,
}

/// An image with what the model is to look at; an embedding that was made elsewhere needs nothing more.
enum Prepared {
    Embedded(Embedding),
    Shots(Vec<Shot>),
    /// None of its files can be read now.
    Unreadable(PictureError),
    /// Nothing to be done: its files have changed or go, or no decoder reads them any more.
    Left,
}

type Image = (ImageId, ContentHash);

impl Reembedding {
    /// Of the pictures of `library`, with `embedder`.
    pub fn new(library: &Library, embedder: Embedder) -> Result<Reembedding> {
        let store = library.store.clone();
        let model = store.model(embedder.fingerprint(), embedder.name())?;
        store.keep_model(model)?;
        let progress = Progress {
            name: embedder.name().to_owned(),
            fingerprint: embedder.fingerprint().to_owned(),
            images: store.count_to_embed(model)?,
            embedded: AtomicUsize::default(),
            started: Instant::now(),
            trouble: Mutex::default(),
        };
        Ok(Reembedding {
            pictures: library.pictures.for_model(embedder.pixels_maker()),
            threads: library.ingest.decoding_threads(),
            most_attempts: u32::MAX,
            stop: library.stop.clone(),
            progress: ReembeddingProgress(Arc::new(progress)),
            store,
            embedder,
            model,
        })
    }

    /// The same, where what fails so many times in a row is given up.
    #[must_use]
    pub fn giving_up_after(self, most_attempts: u32) -> Reembedding {
        Reembedding {
            most_attempts,
            ..self
        }
    }

    /// The model that is to be.
    pub fn embedder(&self) -> &Embedder {
        &self.embedder
    }

    /// How far it is.
    pub fn progress(&self) -> ReembeddingProgress {
        self.progress.clone()
    }

    /// Goes on until all pictures that can be read are embedded, and says whether that is so: not where it was told to stop. What
    /// fails is tried again.
    pub fn run(&self, mut tick: impl FnMut(&ReembeddingProgress)) -> Result<bool> {
        let mut attempts = 0;
        while !self.stop.is_asked() {
            let trouble = match self.pass(&mut tick) {
                Ok(Pass { embedded, .. }) if embedded > 0 => {
                    // Some may have come meanwhile.
                    attempts = 0;
                    continue;
                }
                Ok(Pass { unreadable, .. }) => match self.are_few(unreadable) {
                    Ok(true) => return Ok(!self.stop.is_asked()),
                    Ok(false) => format!("{unreadable} pictures cannot be read for the time being"),
                    Err(error) => format!("{error:#}"),
                },
                Err(error) => format!("{error:#}"),
            };
            attempts += 1;
            if attempts >= self.most_attempts {
                bail!(trouble);
            }
            self.progress.wait_after(&trouble, attempts, &self.stop);
        }
        Ok(false)
    }

    fn are_few(&self, unreadable: usize) -> Result<bool> {
        let all = self.store.count_live_images(self.model)?;
        Ok(unreadable * READABLE_FOR_EACH_UNREADABLE <= all)
    }

    /// Embeds what is not embedded: the next images are decoded while the model looks at these.
    fn pass(&self, tick: &mut impl FnMut(&ReembeddingProgress)) -> Result<Pass> {
        let mut pass = Pass::default();
        let images = self.store.to_embed(self.model, ImageId::default(), BATCH)?;
        let mut last = images.last().map(|image| image.0);
        let mut prepared = self.prepare(images);
        while let Some(after) = last.filter(|_| !self.stop.is_asked()) {
            let images = self.store.to_embed(self.model, after, BATCH)?;
            last = images.last().map(|image| image.0);
            let (done, following) = thread::scope(|scope| {
                let following = scope.spawn(|| self.prepare(images));
                let done = self.embed(prepared);
                (done, following.join())
            });
            let done = done?;
            pass.embedded += done.embedded;
            pass.unreadable += done.unreadable;
            prepared = following.unwrap_or_default();
            if done.embedded > 0 {
                self.progress.trouble().take();
            }
            self.progress
                .0
                .embedded
                .fetch_add(done.embedded, Ordering::Relaxed);
            tick(&self.progress);
        }
        Ok(pass)
    }

    /// Reads and decodes images on several threads.
    fn prepare(&self, images: Vec<Image>) -> Vec<(Image, Prepared)> {
        let queue = Mutex::new(VecDeque::from(images));
        let take = || {
            queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front()
        };
        let work = || {
            priority::give_way();
            let mut prepared = Vec::new();
            while let Some(image) = take().filter(|_| !self.stop.is_asked()) {
                prepared.push((image, self.prepare_one(image)));
            }
            prepared
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads).map(|_| scope.spawn(work)).collect();
            let all = threads.into_iter().filter_map(|thread| thread.join().ok());
            all.flatten().collect()
        })
    }

    fn prepare_one(&self, (image, hash): Image) -> Prepared {
        let imported = self.store.imported_embedding(&hash, self.model);
        if let Ok(Some(embedding)) = imported
            && !self.is_video(image)
        {
            return Prepared::Embedded(embedding);
        }
        let mut prepared = Prepared::Left;
        for original in self.store.originals(image).unwrap_or_default() {
            let shots = self.pictures.read(&original).and_then(|bytes| {
                if ContentHash(bytes.hash()) == hash {
                    Ok(self.pictures.shots(&bytes)?.0)
                } else {
                    Err(FileError::Changed.into())
                }
            });
            match shots {
                Ok(shots) => return Prepared::Shots(shots),
                Err(
                    error @ (PictureError::File(FileError::Io(_))
                    | PictureError::Busy(_)
                    | PictureError::Thread(_)),
                ) => prepared = Prepared::Unreadable(error),
                Err(error) => debug!(path = %original.path.display(), %error, "not embedded anew"),
            }
        }
        prepared
    }

    /// One vector says nothing of a video's other frames, so it is looked at again.
    fn is_video(&self, image: ImageId) -> bool {
        let rows = self.store.images(&[image]).unwrap_or_default();
        rows.iter().any(|row| row.metadata.format.is_video())
    }

    fn embed(&self, prepared: Vec<(Image, Prepared)>) -> Result<Pass> {
        let mut pass = Pass::default();
        let (mut embedded, mut images, mut pictures) = (Vec::new(), Vec::new(), Vec::new());
        for ((image, hash), prepared) in prepared {
            match prepared {
                Prepared::Embedded(embedding) => embedded.push((image, hash, embedding.into())),
                Prepared::Shots(shots) => {
                    images.push((image, hash));
                    pictures.push(shots);
                }
                Prepared::Unreadable(error) => {
                    debug!(%error, "not embedded anew for the time being");
                    pass.unreadable += 1;
                }
                Prepared::Left => {}
            }
        }
        let results = self.embedder.embed_shots(pictures)?;
        for ((image, hash), result) in images.into_iter().zip(results) {
            match result {
                Ok(of_image) => embedded.push((image, hash, of_image)),
                Err(error) => warn!(%hash, %error, "not embedded with the model to come"),
            }
        }
        self.store.add_embeddings(self.model, &embedded)?;
        pass.embedded = embedded.len();
        info!(images = pass.embedded, "embedded with the model to come");
        Ok(pass)
    }
}
