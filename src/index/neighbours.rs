//! Finds the images nearest to a query: by an exact scan of all of them, or by a walk over the graph.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use super::matrix::{Best, Block};
use super::nearest::Nearest;
use super::scan::{self, Nodes};
use super::snapshot::Snapshot;
use super::state::{SharedState, State};
use super::tuning::Way;
use crate::config::IndexMode;
use crate::kernels::dot;
use crate::store::ImageId;

/// Text queries that are remembered.
const MOST_ASKED: usize = 256;

/// Where nobody has measured yet what is needed, and the owner wants the graph all the same.
const UNMEASURED_EF: usize = 512;

/// More blocks than these are compared by all cores.
const PARALLEL_BLOCKS: usize = 16;

/// What a query was made of; texts lie far from all images and need a wider search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryKind {
    /// The embedding of a text.
    Text,
    /// The embedding of an image.
    Image,
}

/// Finds neighbours in one index. Cheap to clone; every clone searches the same index.
#[derive(Debug, Clone)]
pub struct Neighbours {
    pub(super) state: SharedState,
    mode: IndexMode,
    /// The last text queries, for the index to measure itself with.
    asked: Arc<Mutex<VecDeque<Vec<f32>>>>,
}

impl Neighbours {
    pub(super) fn new(state: SharedState, mode: IndexMode) -> Neighbours {
        Neighbours {
            state,
            mode,
            asked: Arc::default(),
        }
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
        let state = self.state.read();
        let filter = filter.map(|images| state.frames.rows(images));
        // Several frames of one video may be among the nearest.
        let mut rows = k;
        loop {
            let found = self.rows(&state, query, rows, kind, filter.as_deref());
            let is_all = found.hits.len() < rows;
            let mut nearest = state.frames.by_image(found);
            if is_all || nearest.hits.len() >= k {
                nearest.truncate(k);
                return nearest;
            }
            rows *= 2;
        }
    }

    /// The `k` rows nearest to `query`.
    fn rows(
        &self,
        state: &State,
        query: &[f32],
        k: usize,
        kind: QueryKind,
        filter: Option<&[ImageId]>,
    ) -> Nearest {
        // Finding out who passes a filter takes longer than comparing all who do, so those are always all compared.
        let ef_search = match filter {
            Some(_) => None,
            None => ef_search(state, k, kind, self.mode),
        };
        ef_search
            .and_then(|ef_search| walk(state, query, k, ef_search))
            .unwrap_or_else(|| compare_all(state, query, k, filter))
    }

    /// As [`Neighbours::search`] by the graph, looking at `ef_search` candidates; nothing where there is no graph.
    pub fn by_graph(&self, query: &[f32], k: usize, ef_search: usize) -> Option<Nearest> {
        walk(&self.state.read(), query, k, ef_search)
    }

    /// As [`Neighbours::search`] without the graph: the truth that the graph is measured against.
    pub fn by_scan(&self, query: &[f32], k: usize) -> Nearest {
        compare_all(&self.state.read(), query, k, None)
    }

    /// Every image at least `floor` similar to `query`, among those of `filter` (in order) where there is one; best first,
    /// the older image first where two are alike. All images are compared, and nobody waits meanwhile.
    pub fn above(&self, query: &[f32], floor: f32, filter: Option<&[ImageId]>) -> Nearest {
        let snapshot = self.snapshot();
        let gone = &snapshot.gone;
        let filter = filter.map(|images| snapshot.frames.rows(images));
        let filter = filter.as_deref();
        let mut all = match (&snapshot.segment, filter) {
            (None, _) => Vec::new(),
            (Some(segment), None) => scan::above(segment, query, floor, Nodes::all(segment), gone),
            (Some(segment), Some(ids)) => {
                let nodes: Vec<u32> = segment.nodes(ids.iter().copied()).collect();
                scan::above(segment, query, floor, Nodes::These(&nodes), gone)
            }
        };
        all.extend(recent_above(&snapshot, query, floor, filter));
        all.par_sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        snapshot.frames.by_image(Nearest::exact(all))
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.state.read().snapshot()
    }

    /// The last text queries.
    pub(super) fn asked(&self) -> Vec<Vec<f32>> {
        self.lock_asked().iter().cloned().collect()
    }

    fn remember(&self, text: &[f32]) {
        let mut asked = self.lock_asked();
        asked.push_back(text.to_vec());
        if asked.len() > MOST_ASKED {
            asked.pop_front();
        }
    }

    fn lock_asked(&self) -> MutexGuard<'_, VecDeque<Vec<f32>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How widely the graph must be walked for this query; nothing where a scan is the better way.
fn ef_search(state: &State, k: usize, kind: QueryKind, mode: IndexMode) -> Option<usize> {
    let tuned = match kind {
        QueryKind::Text => state.tuning.text,
        QueryKind::Image => state.tuning.image,
    };
    let ef_search = tuned
        .map_or(UNMEASURED_EF, |tuned| tuned.ef_search)
        .max(2 * k);
    let is_cheaper = tuned.is_some_and(|tuned| {
        let graph_us = tuned.graph_us * ef_search as f64 / tuned.ef_search as f64;
        tuned.way == Way::Graph && graph_us < tuned.scan_us
    });
    match mode {
        IndexMode::Auto => is_cheaper.then_some(ef_search),
        IndexMode::Hnsw => Some(ef_search.min(state.segment_len().max(1))),
        IndexMode::Exact => None,
    }
}

/// Compares all images, or all of `filter`.
fn compare_all(state: &State, query: &[f32], k: usize, filter: Option<&[ImageId]>) -> Nearest {
    let recent = best_of_recent(state, query, k, filter);
    let best = match (&state.segment, filter) {
        (None, _) => recent,
        (Some(segment), None) => recent.join(scan::scan(
            segment,
            query,
            k,
            Nodes::all(segment),
            &state.gone,
        )),
        (Some(segment), Some(ids)) => {
            let nodes: Vec<u32> = segment.nodes(ids.iter().copied()).collect();
            recent.join(scan::scan(
                segment,
                query,
                k,
                Nodes::These(&nodes),
                &state.gone,
            ))
        }
    };
    Nearest::exact(best.into_sorted())
}

/// Walks the graph and compares what is newer; nothing where that found fewer images than there must be.
fn walk(state: &State, query: &[f32], k: usize, ef_search: usize) -> Option<Nearest> {
    let segment = state.segment.as_ref()?;
    let mut best = best_of_recent(state, query, k, None);
    let is_here = |node| !state.gone.contains(node);
    segment.walk(query, ef_search, k, None, is_here, &mut best);
    let hits = best.into_sorted();
    (hits.len() == k.min(state.rows())).then(|| Nearest {
        exact: false,
        ..Nearest::exact(hits)
    })
}

fn best_of_recent(state: &State, query: &[f32], k: usize, filter: Option<&[ImageId]>) -> Best {
    let mut best = Best::new(k);
    let blocks = state.recent.blocks();
    match filter {
        Some(ids) => {
            for &image in ids {
                if let Some(embedding) = state.recent.get(image) {
                    best.offer(image, embedding, query);
                }
            }
        }
        None if blocks.len() > PARALLEL_BLOCKS => {
            let best_of = |mut best: Best, block: &Arc<_>| {
                best.offer_block(block, query);
                best
            };
            best = blocks
                .par_iter()
                .fold(|| Best::new(k), best_of)
                .reduce(|| Best::new(k), Best::join);
        }
        None => blocks
            .iter()
            .for_each(|block| best.offer_block(block, query)),
    }
    best
}

fn recent_above(
    snapshot: &Snapshot,
    query: &[f32],
    floor: f32,
    filter: Option<&[ImageId]>,
) -> Vec<(ImageId, f32)> {
    let passes = |image: &ImageId| filter.is_none_or(|ids| ids.binary_search(image).is_ok());
    let of_block = |block: &Arc<Block>| -> Vec<(ImageId, f32)> {
        let rows = block.values.chunks_exact(snapshot.embedding_dim);
        let images = block.ids.iter().copied().zip(rows);
        images
            .filter(|(image, _)| passes(image))
            .map(|(image, row)| (image, dot(row, query)))
            .filter(|(_, similarity)| *similarity >= floor)
            .collect()
    };
    snapshot.recent.par_iter().flat_map_iter(of_block).collect()
}
