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

#[cfg(test)]
pub(in crate::index) mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::config::{Config, IndexMode};
    use build::tests::{DIM, vector};

    pub(in crate::index) fn open(folder: &std::path::Path) -> Index {
        let home = Home {
            folder: folder.to_owned(),
            fingerprint: "model".to_owned(),
            embedding_dim: DIM,
            texts: Box::new(Vec::new),
        };
        let flags = vec![("index.hnsw_from", toml::Value::Integer(100))];
        let config = Config::load(None, std::iter::empty(), flags).unwrap();
        Index::open(home, config.index)
    }

    fn embedding(seed: u64) -> Embedding {
        Embedding::new(vector(seed)).unwrap()
    }

    pub(in crate::index) fn wait_for_build(index: &Index) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while index.status().is_building {
            assert!(Instant::now() < deadline);
            thread::yield_now();
        }
    }

    /// The index and a plain map hold the same, by every way to look.
    fn check(index: &Index, map: &BTreeMap<ImageId, Embedding>, query: &Embedding) {
        assert_eq!(index.len(), map.len());
        let mut nearest: Vec<(ImageId, f32)> = map
            .iter()
            .map(|(image, embedding)| {
                (
                    *image,
                    crate::kernels::dot(embedding.as_slice(), query.as_slice()),
                )
            })
            .collect();
        nearest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        nearest.truncate(5);
        assert_eq!(index.search_exact(query.as_slice(), 5).hits, nearest);
        if let Some(last) = nearest.last() {
            assert_eq!(
                index.snapshot().above(query.as_slice(), last.1, None),
                nearest
            );
        }
        let odd: Vec<ImageId> = map
            .keys()
            .copied()
            .filter(|image| image.0 % 2 == 1)
            .collect();
        let filtered = index.search(query.as_slice(), 1, QueryKind::Text, Some(&odd));
        assert!(filtered.hits.iter().all(|hit| odd.contains(&hit.0)));
        assert_eq!(filtered.hits.is_empty(), odd.is_empty());
        let snapshot = index.snapshot();
        let mut held = BTreeMap::new();
        for rows in snapshot.blocks(64) {
            for (image, row) in rows.images.iter().zip(rows.embeddings.chunks_exact(DIM)) {
                if let Some(image) = image {
                    assert!(
                        held.insert(*image, row.to_vec()).is_none(),
                        "{image:?} is there twice"
                    );
                }
            }
        }
        assert_eq!(snapshot.len(), held.len());
        let expected = map
            .iter()
            .map(|(image, embedding)| (*image, embedding.as_slice().to_vec()));
        assert_eq!(held, expected.collect());
    }

    #[test]
    fn any_sequence_of_changes_leaves_what_a_map_would_hold() {
        let folder = tempfile::tempdir().unwrap();
        let index = open(folder.path());
        let mut map = BTreeMap::new();
        for step in 0..1500_u64 {
            let image = ImageId((random(step) % 300) as i64);
            // Few embeddings, so that one often comes back to an image that had it before.
            let seed = image.0 as u64 * 3 + random(step + 10_000) % 2;
            if random(step + 20_000).is_multiple_of(3) {
                index.remove(&[image]);
                map.remove(&image);
            } else {
                index.insert([(image, &embedding(seed))]);
                map.insert(image, embedding(seed));
            }
            if step % 100 == 50 {
                // While a segment may be under construction, too.
                check(&index, &map, &embedding(step));
            }
            if step % 300 == 299 {
                wait_for_build(&index);
                check(&index, &map, &embedding(step));
            }
        }
        assert!(index.status().graph_images.is_some());
    }

    #[test]
    fn a_restart_takes_over_what_is_still_true() {
        let folder = tempfile::tempdir().unwrap();
        let index = open(folder.path());
        let rows: Vec<Embedding> = (0..200).map(embedding).collect();
        index.insert((0..).map(ImageId).zip(&rows));
        wait_for_build(&index);
        let again = open(folder.path());
        assert_eq!(again.status(), index.status());
        let query = embedding(5000);
        assert_eq!(
            again.search_exact(query.as_slice(), 10),
            index.search_exact(query.as_slice(), 10)
        );
        // Meanwhile every tenth image went and two came.
        let live: Vec<ImageId> = (0..202).filter(|id| id % 10 != 0).map(ImageId).collect();
        assert_eq!(again.write().keep_only(&live), [ImageId(201)]);
        assert_eq!(again.len(), 180);
        assert_eq!(again.embedding(ImageId(10)), None);
    }

    #[test]
    fn what_the_owner_asks_for_is_what_happens() {
        let folder = tempfile::tempdir().unwrap();
        let rows: Vec<Embedding> = (0..200).map(embedding).collect();
        let index = open(folder.path());
        index.insert((0..).map(ImageId).zip(&rows));
        wait_for_build(&index);
        let query = embedding(5000);
        let search = |mode| {
            let contents = index.read();
            let config = IndexConfig {
                mode,
                ..index.shared.config.clone()
            };
            contents.search(query.as_slice(), 10, QueryKind::Image, None, &config)
        };
        let (walked, scanned) = (search(IndexMode::Hnsw), search(IndexMode::Exact));
        assert!(!walked.exact && scanned.exact);
        assert_eq!(walked.hits, scanned.hits);
        // Of this kind there was nothing to measure with.
        assert!(
            index
                .search(query.as_slice(), 10, QueryKind::Text, None)
                .exact
        );
    }
}
