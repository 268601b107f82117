//! The embeddings of a library, and the nearest neighbours among them. A cache of the store.
//!
//! [`Vectors`] lends embeddings, [`Neighbours`] finds by an exact scan or an HNSW graph, and [`Index`] keeps both in step
//! with the store.
//!
//! From `hnsw_from` images up a *segment* of them is built in the background and kept as a file: int8 codes, a flat
//! graph, and the embeddings themselves, mapped into memory and read only to be exact. What is newer than the segment is
//! scanned beside it, what has gone is marked, and when much has changed another segment takes its place.
//!
//! After each build the index measures itself and takes for each kind of query the cheapest way that finds enough.

mod bitset;
mod build;
mod check;
mod file;
mod frames;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
mod graph;
mod layout;
mod matrix;
mod measure;
mod near_duplicates;
mod nearest;
mod neighbours;
mod quantizer;
mod scan;
mod segment;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod tuning;
mod vectors;
mod walk;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use crate::config::IndexConfig;
use crate::embed::Embedding;
use crate::priority;
use crate::stop::{Stop, Threads};
use crate::store::{FrameId, ImageId, ModelId, Store, StoreError};
use build::SegmentPlan;
pub use check::{FOLDER, remove, remove_of, row_hash, verify_rows};
use file::BadSegment;
use frames::Frames;
use measure::TuningQuery;
pub use near_duplicates::SimilarPair;
pub use nearest::Nearest;
pub use neighbours::{Neighbours, QueryKind};
use segment::Segment;
pub use snapshot::{Rows, Snapshot};
use state::{SharedState, State};
pub use tuning::{Tuned, Tuning, Way};
pub use vectors::Vectors;

/// The newest images of a segment are compared with the store when it is opened: a database that was put back by hand may have
/// given their numbers to other images.
const COMPARED: usize = 256;

/// How the index stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IndexStatus {
    /// Images in it.
    pub images: usize,
    /// Images in the segment, and further frames of videos; none while there is no segment.
    pub graph_images: Option<usize>,
    /// Memory that a search may touch, but for the few embeddings that it is exact with: codes, graph and ids.
    pub graph_bytes: usize,
    /// Whether a segment is being built.
    pub is_building: bool,
    /// What was measured when the segment was built.
    #[serde(flatten)]
    pub tuning: Tuning,
}

/// Gives embeddings of texts such as people search for, to measure with.
pub type TextSamples = Box<dyn Fn() -> Vec<Embedding> + Send + Sync>;

/// Where an index keeps its segment, and whose embeddings these are.
pub struct IndexSetup {
    /// The folder of the segment's file.
    pub folder: PathBuf,
    /// Of the model that made the embeddings.
    pub fingerprint: String,
    /// Length of the embeddings.
    pub embedding_dim: usize,
    /// Asked for once for each build.
    pub texts: TextSamples,
}

impl fmt::Debug for IndexSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IndexSetup in {}", self.folder.display())
    }
}

impl IndexSetup {
    fn file(&self) -> PathBuf {
        self.folder.join(check::file_name(&self.fingerprint))
    }
}

/// The index of one model's embeddings. Cheap to clone; every clone is the same index.
#[derive(Debug, Clone)]
pub struct Index {
    vectors: Vectors,
    neighbours: Neighbours,
    state: SharedState,
    builder: Arc<Builder>,
}

/// What builds segments, one at a time.
#[derive(Debug)]
struct Builder {
    setup: IndexSetup,
    config: IndexConfig,
    is_building: AtomicBool,
    stop: Stop,
    threads: Threads,
}

/// What cannot be read is as if it were not there: the next scan reads its files again. A library that cannot be written is searched
/// without them.
fn drop_damaged(store: &Store, model: ModelId, images: &[ImageId]) {
    if images.is_empty() {
        return;
    }
    let count = images.len();
    match store.delete_embeddings(model, images) {
        Ok(()) => warn!(
            images = count,
            "damaged embeddings are thrown away, and made again from the pictures"
        ),
        Err(cause) => warn!(%cause, images = count, "damaged embeddings are left out"),
    }
}

/// Hands the embedding of each of these rows to `each`. Returns those whose embeddings are damaged.
fn each_row(
    store: &Store,
    model: ModelId,
    rows: &[ImageId],
    mut each: impl FnMut(ImageId, Embedding),
) -> Result<Vec<ImageId>, StoreError> {
    let (images, others): (Vec<_>, Vec<_>) = rows
        .iter()
        .partition(|row| frames::frame_at(**row).is_none());
    let numbers: Vec<FrameId> = others.into_iter().filter_map(frames::frame_at).collect();
    let mut damaged = store.each_embedding(model, &images, &mut each)?;
    let of_frames = store.each_frame(&numbers, |frame, embedding| {
        each(frames::row(frame), embedding);
    })?;
    damaged.extend(of_frames.into_iter().map(frames::row));
    Ok(damaged)
}

impl Index {
    /// The index with the segment that an earlier process left, if there is one that fits; else an empty one.
    ///
    /// The segment is taken at its word: [`Index::load`] checks it. What checks and builds is among `threads`, and ends at
    /// its next step when told to stop.
    pub fn open(setup: IndexSetup, config: IndexConfig, stop: Stop, threads: Threads) -> Index {
        let mut state = State::new(setup.embedding_dim);
        match Segment::open(&setup.file(), &setup.fingerprint, setup.embedding_dim) {
            Ok((segment, tuning)) => state.adopt(segment, tuning),
            Err(BadSegment::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => warn!(file = %setup.file().display(), %error, "index segment discarded"),
        }
        let state = SharedState::new(state);
        Index {
            vectors: Vectors::new(state.clone()),
            neighbours: Neighbours::new(state.clone(), config.mode),
            state,
            builder: Arc::new(Builder {
                setup,
                config,
                is_building: AtomicBool::new(false),
                stop,
                threads,
            }),
        }
    }

    /// The embeddings in it.
    pub fn vectors(&self) -> &Vectors {
        &self.vectors
    }

    /// What finds neighbours in it.
    pub fn neighbours(&self) -> &Neighbours {
        &self.neighbours
    }

    /// Brings the index to the state of the store: only embeddings that the segment lacks are read.
    ///
    /// The bytes of the segment are checked in the background; if they are damaged, it is discarded and its images are
    /// read from the store as well.
    pub fn load(&self, store: &Store, model: ModelId) -> Result<(), StoreError> {
        if self.disagrees(store, model)? {
            let file = self.builder.setup.file();
            warn!(file = %file.display(), "index segment discarded: it is not of this database");
            self.state.write().discard();
        }
        self.catch_up(store, model)?;
        if self.state.read().segment.is_some() {
            let index = self.clone();
            let store = store.clone();
            self.in_background("index check", move || index.check(&store, model));
        }
        Ok(())
    }

    /// Whether the segment has other embeddings of its newest images than the store.
    fn disagrees(&self, store: &Store, model: ModelId) -> Result<bool, StoreError> {
        let rows = {
            let state = self.state.read();
            let Some(segment) = &state.segment else {
                return Ok(false);
            };
            let mut ids = segment.ids().to_vec();
            ids.sort_unstable();
            ids
        };
        // The newest images have the highest numbers, and the newest frames of videos the lowest.
        let newest = rows.iter().rev().take(COMPARED);
        let newest = newest.chain(rows.iter().take(COMPARED));
        let newest: Vec<ImageId> = newest.copied().map(ImageId).collect();
        let mut disagrees = false;
        each_row(store, model, &newest, |row, embedding| {
            let state = self.state.read();
            let known = state.get(row);
            disagrees |= known.is_some_and(|known| known != embedding.as_slice());
        })?;
        Ok(disagrees)
    }

    /// Takes in what the store has more, and drops what it has no more.
    pub(crate) fn catch_up(&self, store: &Store, model: ModelId) -> Result<(), StoreError> {
        let images = store.live_images(model)?;
        let frames = Frames::new(&store.live_frames(model)?);
        let missing = self.state.write().keep_only(&images, frames);
        let mut misfits = Vec::new();
        let mut damaged = each_row(store, model, &missing, |row, embedding| {
            if embedding.as_slice().len() == self.builder.setup.embedding_dim {
                self.state.write().insert(row, embedding.as_slice());
            } else {
                misfits.push(row);
            }
        })?;
        damaged.extend(misfits);
        let state = self.state.read();
        let damaged: Vec<ImageId> = damaged
            .into_iter()
            .filter_map(|row| state.frames.image_at(row))
            .collect();
        drop(state);
        drop_damaged(store, model, &damaged);
        self.build_if_due();
        Ok(())
    }

    fn check(&self, store: &Store, model: ModelId) {
        let builder = &self.builder;
        let file = builder.setup.file();
        let Err(error) = file::verify(&file, &builder.stop) else {
            return;
        };
        warn!(file = %file.display(), %error, "index segment discarded");
        self.state.write().discard();
        if let Err(error) = self.catch_up(store, model) {
            error!(%error, "failed to read the embeddings, pictures are missing from search until the next start");
        }
    }

    /// Waits until no segment is being built, as another one answers faster than a scan; not once it is told to stop.
    pub(crate) fn wait_until_built(&self) {
        const LOOK_AGAIN: Duration = Duration::from_millis(100);
        let Builder {
            is_building, stop, ..
        } = &*self.builder;
        while is_building.load(Ordering::Acquire) && !stop.is_asked_within(LOOK_AGAIN) {}
    }

    /// How the index stands.
    pub fn status(&self) -> IndexStatus {
        let state = self.state.read();
        IndexStatus {
            images: state.len(),
            graph_images: state.segment.as_ref().map(|segment| segment.len()),
            graph_bytes: state
                .segment
                .as_ref()
                .map_or(0, |segment| segment.graph_bytes()),
            is_building: self.builder.is_building.load(Ordering::Relaxed),
            tuning: state.tuning,
        }
    }

    /// Adds images, or replaces their embeddings.
    pub fn insert<'a>(&self, images: impl IntoIterator<Item = (ImageId, &'a Embedding)>) {
        let mut state = self.state.write();
        for (image, embedding) in images {
            state.insert(image, embedding.as_slice());
        }
        drop(state);
        self.build_if_due();
    }

    /// Makes these all the further frames of a video, beside the one whose embedding is the image's.
    pub fn insert_frames<'a>(
        &self,
        video: ImageId,
        frames: impl IntoIterator<Item = (FrameId, &'a Embedding)>,
    ) {
        let frames: Vec<_> = frames
            .into_iter()
            .map(|(frame, embedding)| (frame, embedding.as_slice()))
            .collect();
        self.state.write().insert_frames(video, &frames);
        self.build_if_due();
    }

    /// Takes images out, videos with all their frames.
    pub fn remove(&self, images: &[ImageId]) {
        let mut state = self.state.write();
        for &image in images {
            state.remove(image);
        }
        drop(state);
        self.build_if_due();
    }

    /// Texts to measure with: those that the caller has, and what was asked of late.
    fn tuning_texts(&self) -> Vec<TuningQuery> {
        let given = (self.builder.setup.texts)();
        let given = given.iter().map(|text| text.as_slice().to_vec());
        given
            .chain(self.neighbours.asked())
            .map(TuningQuery::of_text)
            .collect()
    }

    /// Starts building a segment in the background where there is none yet, or where too much has changed since.
    fn build_if_due(&self) {
        if self.builder.stop.is_asked()
            || !self
                .state
                .read()
                .wants_segment(self.builder.config.hnsw_from)
        {
            return;
        }
        if self.builder.is_building.swap(true, Ordering::AcqRel) {
            return;
        }
        let index = self.clone();
        self.in_background("index build", move || {
            let built = index.build();
            index.state.write().end_build(built);
            index.builder.is_building.store(false, Ordering::Release);
        });
    }

    fn build(&self) -> Option<(Segment, Tuning)> {
        let started = Instant::now();
        let builder = &self.builder;
        let snapshot = self.state.write().begin_build();
        info!(images = snapshot.len(), "building the index segment");
        let texts = self.tuning_texts();
        let plan = SegmentPlan {
            path: &builder.setup.file(),
            fingerprint: &builder.setup.fingerprint,
            embedding_dim: builder.setup.embedding_dim,
            config: &builder.config,
            texts: &texts,
            stop: &builder.stop,
        };
        let built = priority::beside_searches(|| build::build(&plan, snapshot.rows()));
        let duration_ms = started.elapsed().as_millis() as u64;
        match &built {
            Ok(Some((segment, Tuning { text, image }))) => {
                info!(
                    images = segment.len(),
                    duration_ms,
                    ?text,
                    ?image,
                    "index segment ready"
                );
            }
            Ok(None) => {}
            Err(error) => {
                warn!(%error, "failed to write the index segment, the scan goes on answering");
            }
        }
        built.ok().flatten()
    }

    fn in_background(&self, name: &str, work: impl FnOnce() + Send + 'static) {
        if let Err(cause) = self.builder.threads.spawn(name, work) {
            // The scan goes on answering.
            error!(%cause, name, "failed to start a thread");
        }
    }
}
