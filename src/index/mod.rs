//! Nearest neighbours: an exact scan and an HNSW graph behind one type. A cache of the store.
//!
//! From `hnsw_from` images up a *segment* of them is built in the background and kept as a file: int8 codes, a flat
//! graph, and the embeddings themselves, mapped into memory and read only to be exact. What is newer than the segment is
//! scanned beside it, what has gone is marked, and when much has changed another segment takes its place.
//!
//! After each build the index measures itself and takes for each kind of query the cheapest way that finds enough.

mod build;
mod codes;
mod contents;
mod file;
mod graph;
mod marks;
mod matrix;
mod pairs;
mod scan;
mod segment;
mod snapshot;
#[cfg(test)]
mod tests;
mod tune;
mod walk;

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::Instant;

use rayon::ThreadPoolBuilder;
use serde::Serialize;
use tracing::{error, info, warn};

use crate::config::IndexConfig;
use crate::embed::Embedding;
use crate::store::{ImageId, ModelId, Store, StoreError};
use build::Plan;
use contents::Contents;
use file::BadSegment;
pub use pairs::Pair;
use segment::Segment;
pub use snapshot::{Rows, Snapshot};
use tune::Sample;
pub use tune::{Tuned, Tuning, Way};

/// Text queries that are remembered.
const MOST_ASKED: usize = 256;

/// What a query was made of; texts lie far from all images and need a wider search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryKind {
    /// The embedding of a text.
    Text,
    /// The embedding of an image.
    Image,
}

/// An answer: the nearest images, best first.
#[derive(Debug, Clone, PartialEq)]
pub struct Nearest {
    /// Images with their similarity to the query.
    pub hits: Vec<(ImageId, f32)>,
    /// Whether nothing can be missing: every image was compared, by its embedding or by codes that, however much they
    /// are off, put it behind all hits.
    pub exact: bool,
}

/// How the index stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct IndexStatus {
    /// Images in it.
    pub images: usize,
    /// Images in the segment; none while there is no segment.
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
pub struct Home {
    /// The folder of the segment's file.
    pub folder: PathBuf,
    /// Of the model that made the embeddings.
    pub fingerprint: String,
    /// Length of the embeddings.
    pub embedding_dim: usize,
    /// Asked for once for each build.
    pub texts: TextSamples,
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Home in {}", self.folder.display())
    }
}

impl Home {
    fn file(&self) -> PathBuf {
        self.folder.join("segment")
    }
}

/// The index of one model's embeddings. Cheap to clone; every clone is the same index.
#[derive(Debug, Clone)]
pub struct Index {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    home: Home,
    config: IndexConfig,
    contents: RwLock<Contents>,
    /// The last text queries, to measure with.
    asked: Mutex<VecDeque<Vec<f32>>>,
    is_building: AtomicBool,
    is_stopping: AtomicBool,
}

impl Index {
    /// The index with the segment that an earlier process left, if there is one that fits; else an empty one.
    ///
    /// The segment is taken at its word: [`Index::load`] checks it.
    pub fn open(home: Home, config: IndexConfig) -> Index {
        let mut contents = Contents::new(home.embedding_dim);
        match Segment::open(&home.file(), &home.fingerprint, home.embedding_dim) {
            Ok((segment, tuning)) => contents.adopt(segment, tuning),
            Err(BadSegment::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => warn!(file = %home.file().display(), %error, "index segment discarded"),
        }
        let (asked, is_building, is_stopping) = Default::default();
        Index {
            shared: Arc::new(Shared {
                home,
                config,
                contents: RwLock::new(contents),
                asked,
                is_building,
                is_stopping,
            }),
        }
    }

    /// Brings the index to the state of the store: only embeddings that the segment lacks are read.
    ///
    /// The bytes of the segment are checked in the background; if they are damaged, it is discarded and its images are
    /// read from the store as well.
    pub fn load(&self, store: &Store, model: ModelId) -> Result<(), StoreError> {
        self.fill(store, model)?;
        if self.read().segment.is_some() {
            let (index, store) = (self.clone(), store.clone());
            in_background("index check", move || index.check(&store, model));
        }
        Ok(())
    }

    fn fill(&self, store: &Store, model: ModelId) -> Result<(), StoreError> {
        let live = store.live_images(model)?;
        let missing = self.write().keep_only(&live);
        store.each_embedding(model, &missing, |image, embedding| {
            self.write().insert(image, embedding.as_slice());
        })?;
        self.build_if_due();
        Ok(())
    }

    fn check(&self, store: &Store, model: ModelId) {
        let shared = &self.shared;
        let file = shared.home.file();
        let Err(error) = file::verify(&file, &shared.is_stopping) else {
            return;
        };
        warn!(file = %file.display(), %error, "index segment discarded");
        self.write().discard();
        if let Err(error) = self.fill(store, model) {
            error!(%error, "failed to read the embeddings, pictures are missing from search until the next start");
        }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How the index stands.
    pub fn status(&self) -> IndexStatus {
        let contents = self.read();
        IndexStatus {
            images: contents.len(),
            graph_images: contents.segment.as_ref().map(|segment| segment.len()),
            graph_bytes: contents
                .segment
                .as_ref()
                .map_or(0, |segment| segment.graph_bytes()),
            is_building: self.shared.is_building.load(Ordering::Relaxed),
            tuning: contents.tuning,
        }
    }

    /// Adds images, or replaces their embeddings.
    pub fn insert<'a>(&self, images: impl IntoIterator<Item = (ImageId, &'a Embedding)>) {
        let mut contents = self.write();
        for (image, embedding) in images {
            contents.insert(image, embedding.as_slice());
        }
        drop(contents);
        self.build_if_due();
    }

    /// Takes images out.
    pub fn remove(&self, images: &[ImageId]) {
        let mut contents = self.write();
        for &image in images {
            contents.remove(image);
        }
        drop(contents);
        self.build_if_due();
    }

    /// The embedding of an image.
    pub fn embedding(&self, image: ImageId) -> Option<Vec<f32>> {
        self.read().get(image).map(<[f32]>::to_vec)
    }

    /// Everything that is in the index now.
    pub fn snapshot(&self) -> Snapshot {
        self.read().snapshot()
    }

    /// The `k` images nearest to `query`, among those of `filter` (in order) where there is one; all of those are compared.
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        kind: QueryKind,
        filter: Option<&[ImageId]>,
    ) -> Nearest {
        if kind == QueryKind::Text {
            self.remember(query);
        }
        self.read()
            .search(query, k, kind, filter, &self.shared.config)
    }

    fn remember(&self, text: &[f32]) {
        let mut asked = self
            .shared
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        asked.push_back(text.to_vec());
        if asked.len() > MOST_ASKED {
            asked.pop_front();
        }
    }

    /// Embeddings of texts to measure with: those that the caller has, and what was asked of late.
    fn text_samples(&self) -> Vec<Sample> {
        let given = (self.shared.home.texts)();
        let asked = self
            .shared
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let given = given.iter().map(|text| text.as_slice().to_vec());
        given
            .chain(asked.iter().cloned())
            .map(Sample::of_text)
            .collect()
    }

    /// As [`Index::search`] by the graph, looking at `ef_search` candidates; nothing where there is no graph.
    pub fn search_graph(&self, query: &[f32], k: usize, ef_search: usize) -> Option<Nearest> {
        self.read().walk(query, k, ef_search)
    }

    /// As [`Index::search`] without the graph: the truth that the graph is measured against.
    pub fn search_exact(&self, query: &[f32], k: usize) -> Nearest {
        self.read().scan(query, k, None)
    }

    /// Ends a build under way at its next step, and starts no other.
    pub fn stop(&self) {
        self.shared.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Starts building a segment in the background where there is none yet, or where too much has changed since.
    fn build_if_due(&self) {
        let is_stopping = self.shared.is_stopping.load(Ordering::Relaxed);
        if is_stopping || !self.read().wants_segment(self.shared.config.hnsw_from) {
            return;
        }
        if self.shared.is_building.swap(true, Ordering::AcqRel) {
            return;
        }
        let index = self.clone();
        in_background("index build", move || {
            let built = index.build();
            index.write().end_build(built);
            index.shared.is_building.store(false, Ordering::Release);
        });
    }

    fn build(&self) -> Option<(Segment, Tuning)> {
        let started = Instant::now();
        let shared = &self.shared;
        let snapshot = self.write().begin_build();
        info!(images = snapshot.len(), "building the index segment");
        let texts = self.text_samples();
        let plan = Plan {
            path: &shared.home.file(),
            fingerprint: &shared.home.fingerprint,
            embedding_dim: shared.home.embedding_dim,
            config: &shared.config,
            texts: &texts,
            stop: &shared.is_stopping,
        };
        // Threads of its own: a search must not wait in line behind a build.
        let threads = ThreadPoolBuilder::new().build();
        let built = threads
            .map_err(std::io::Error::other)
            .and_then(|threads| threads.install(|| build::build(&plan, snapshot.images())));
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

    fn read(&self) -> RwLockReadGuard<'_, Contents> {
        self.shared
            .contents
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Contents> {
        self.shared
            .contents
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_background(name: &str, work: impl FnOnce() + Send + 'static) {
    if let Err(cause) = thread::Builder::new().name(name.to_owned()).spawn(work) {
        // The scan goes on answering.
        error!(%cause, name, "failed to start a thread");
    }
}

/// `SplitMix64` (Steele, Lea and Flood 2014): the same numbers every time.
fn random(draw: u64) -> u64 {
    let z = draw.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
