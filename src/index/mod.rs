//! Nearest neighbours: an exact scan and an HNSW graph behind one type. A cache of the store, rebuilt at every start.
//!
//! All vectors lie in one matrix. From `hnsw_from` images up a graph over them is built in the background; until it is
//! ready the scan answers, and what came later than the graph is scanned beside it.

mod graph;
mod matrix;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::Instant;

use tracing::{error, info};

use crate::config::IndexConfig;
use crate::embed::Embedding;
use crate::store::ImageId;
use graph::Graph;
use matrix::{Best, Matrix};

/// A filtered search is an exact scan of the images that pass, unless these are more than one in so many of all: the
/// graph must walk past what does not pass, and below about this share the scan is the shorter way.
const SELECTIVE: usize = 5;

/// The graph is built again when one in so many of its images has come or gone since.
const REBUILD_SHARE: usize = 4;

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
    /// Whether all candidates were compared, so that nothing can be missing.
    pub exact: bool,
}

/// How the index stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexStatus {
    /// Images in it.
    pub images: usize,
    /// Images in the graph; none while there is no graph.
    pub graph_images: Option<usize>,
    /// Whether a graph is being built.
    pub is_building: bool,
}

/// The index of one model's embeddings. Cheap to clone; every clone is the same index.
#[derive(Debug, Clone)]
pub struct Index {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: IndexConfig,
    contents: RwLock<Contents>,
    is_building: AtomicBool,
    is_stopping: AtomicBool,
}

#[derive(Debug)]
struct Contents {
    matrix: Matrix,
    graph: Option<Arc<Graph>>,
    /// Images that came after the graph, or that its links do not reach; scanned beside it.
    beside_graph: HashSet<ImageId>,
    /// Images of the graph that have gone.
    gone_from_graph: usize,
}

impl Index {
    /// An empty index for embeddings of this length.
    pub fn new(embedding_dim: usize, config: IndexConfig) -> Index {
        let contents = Contents {
            matrix: Matrix::new(embedding_dim),
            graph: None,
            beside_graph: HashSet::new(),
            gone_from_graph: 0,
        };
        let (is_building, is_stopping) = Default::default();
        Index {
            shared: Arc::new(Shared {
                config,
                contents: RwLock::new(contents),
                is_building,
                is_stopping,
            }),
        }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.read().matrix.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How the index stands.
    pub fn status(&self) -> IndexStatus {
        let contents = self.read();
        IndexStatus {
            images: contents.matrix.len(),
            graph_images: contents.graph.as_ref().map(|graph| graph.len()),
            is_building: self.shared.is_building.load(Ordering::Relaxed),
        }
    }

    /// Adds images, or replaces their embeddings.
    pub fn insert<'a>(&self, images: impl IntoIterator<Item = (ImageId, &'a Embedding)>) {
        let mut contents = self.write();
        for (image, embedding) in images {
            contents.insert(image, embedding);
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

    /// Whether the image is in the index.
    pub fn contains(&self, image: ImageId) -> bool {
        self.read().matrix.get(image).is_some()
    }

    /// The embedding of an image.
    pub fn embedding(&self, image: ImageId) -> Option<Vec<f32>> {
        self.read().matrix.get(image).map(<[f32]>::to_vec)
    }

    /// Hands every image with its embedding to `each`, in no order. New images wait meanwhile.
    pub fn for_each(&self, mut each: impl FnMut(ImageId, &[f32])) {
        for (image, embedding) in self.read().matrix.rows() {
            each(image, embedding);
        }
    }

    /// Everything in the index at this moment; holds no lock.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            matrix: self.read().matrix.clone(),
        }
    }

    /// The `k` images nearest to `query`, among those of `filter` (in order) where there is one.
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        kind: QueryKind,
        filter: Option<&[ImageId]>,
    ) -> Nearest {
        let contents = self.read();
        let is_selective = |ids: &[ImageId]| ids.len() * SELECTIVE < contents.matrix.len();
        match (&contents.graph, filter) {
            (_, Some(ids)) if contents.graph.is_none() || is_selective(ids) => {
                contents.scan_some(query, k, ids)
            }
            (Some(graph), filter) => contents
                .walk(graph, query, k, self.ef_search(kind), filter)
                .unwrap_or_else(|| {
                    filter.map_or_else(
                        || contents.scan(query, k),
                        |ids| contents.scan_some(query, k, ids),
                    )
                }),
            (None, _) => contents.scan(query, k),
        }
    }

    /// As [`Index::search`] without the graph: the truth that the graph is measured against.
    pub fn search_exact(&self, query: &[f32], k: usize) -> Nearest {
        self.read().scan(query, k)
    }

    /// Ends a build under way at its next step, and starts no other.
    pub fn stop(&self) {
        self.shared.is_stopping.store(true, Ordering::Relaxed);
    }

    fn ef_search(&self, kind: QueryKind) -> usize {
        match kind {
            QueryKind::Text => self.shared.config.ef_search_text,
            QueryKind::Image => self.shared.config.ef_search_image,
        }
    }

    /// Starts building a graph in the background where there is none yet, or where too much has changed since.
    fn build_if_due(&self) {
        let is_stopping = self.shared.is_stopping.load(Ordering::Relaxed);
        if is_stopping || !self.read().wants_graph(self.shared.config.hnsw_from) {
            return;
        }
        if self.shared.is_building.swap(true, Ordering::AcqRel) {
            return;
        }
        let index = self.clone();
        let spawned = thread::Builder::new()
            .name("hnsw build".to_owned())
            .spawn(move || {
                index.build();
                index.shared.is_building.store(false, Ordering::Release);
            });
        if let Err(cause) = spawned {
            // The scan goes on answering.
            error!(%cause, "failed to start building the index");
            self.shared.is_building.store(false, Ordering::Release);
        }
    }

    fn build(&self) {
        let started = Instant::now();
        let matrix = self.read().matrix.clone();
        info!(images = matrix.len(), "building the HNSW graph");
        let Some(graph) = Graph::build(&matrix, &self.shared.config, &self.shared.is_stopping)
        else {
            return;
        };
        let unreached = graph.unreached(&matrix);
        let duration_ms = started.elapsed().as_millis() as u64;
        info!(
            images = graph.len(),
            unreached = unreached.len(),
            duration_ms,
            "HNSW graph ready"
        );
        self.write().replace_graph(graph, unreached);
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

impl Contents {
    fn insert(&mut self, image: ImageId, embedding: &Embedding) {
        let is_same = self.matrix.get(image) == Some(embedding.as_slice());
        if is_same {
            return;
        }
        self.matrix.insert(image, embedding.as_slice());
        // Also where the graph knows it already: it may have been gone, or have had another embedding.
        self.beside_graph.insert(image);
    }

    fn remove(&mut self, image: ImageId) {
        if self.matrix.remove(image) && !self.beside_graph.remove(&image) {
            self.gone_from_graph += 1;
        }
    }

    fn wants_graph(&self, hnsw_from: usize) -> bool {
        match &self.graph {
            None => self.matrix.len() >= hnsw_from,
            Some(graph) => {
                self.beside_graph.len() + self.gone_from_graph
                    > (graph.len() / REBUILD_SHARE).max(hnsw_from / 2)
            }
        }
    }

    fn replace_graph(&mut self, graph: Graph, unreached: Vec<ImageId>) {
        let later = self
            .matrix
            .rows()
            .map(|(image, _)| image)
            .filter(|image| !graph.contains(*image));
        self.beside_graph = later.chain(unreached).collect();
        self.gone_from_graph = graph.len()
            - graph
                .ids()
                .filter(|image| self.matrix.get(*image).is_some())
                .count();
        self.graph = Some(Arc::new(graph));
    }

    fn scan(&self, query: &[f32], k: usize) -> Nearest {
        let mut best = Best::new(k);
        self.matrix
            .rows()
            .for_each(|(image, embedding)| best.offer(image, embedding, query));
        Nearest {
            hits: best.into_sorted(),
            exact: true,
        }
    }

    fn scan_some(&self, query: &[f32], k: usize, ids: &[ImageId]) -> Nearest {
        let mut best = Best::new(k);
        for &image in ids {
            if let Some(embedding) = self.matrix.get(image) {
                best.offer(image, embedding, query);
            }
        }
        Nearest {
            hits: best.into_sorted(),
            exact: true,
        }
    }

    /// Asks the graph and scans what is beside it; nothing where the graph found fewer images than there must be.
    fn walk(
        &self,
        graph: &Graph,
        query: &[f32],
        k: usize,
        ef: usize,
        filter: Option<&[ImageId]>,
    ) -> Option<Nearest> {
        let passes = |image: ImageId| filter.is_none_or(|ids| ids.binary_search(&image).is_ok());
        let mut best = Best::new(k);
        for image in graph.search(query, k + self.gone_from_graph.min(k), ef, filter) {
            if let Some(embedding) = self
                .matrix
                .get(image)
                .filter(|_| !self.beside_graph.contains(&image))
            {
                best.offer(image, embedding, query);
            }
        }
        for &image in self.beside_graph.iter().filter(|image| passes(**image)) {
            if let Some(embedding) = self.matrix.get(image) {
                best.offer(image, embedding, query);
            }
        }
        let hits = best.into_sorted();
        let possible = filter.map_or(self.matrix.len(), <[_]>::len);
        (hits.len() == k.min(possible)).then_some(Nearest { hits, exact: false })
    }
}

/// Everything in the index at one moment.
#[derive(Debug)]
pub struct Snapshot {
    matrix: Matrix,
}

/// Some rows.
#[derive(Debug)]
pub struct Block<'a> {
    /// values
    pub rows: &'a [f32],
    images: &'a [ImageId],
}

impl Snapshot {
    /// blocks
    pub fn blocks(&self, rows: usize) -> Vec<Block<'_>> {
        self.matrix
            .blocks(rows)
            .map(|(images, rows)| Block { rows, images })
            .collect()
    }
}

impl Block<'_> {
    /// image
    pub fn image(&self, row: usize) -> Option<ImageId> {
        self.images.get(row).copied()
    }
}
