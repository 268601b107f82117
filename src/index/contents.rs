//! What is in the index: a segment, what has gone from it, and what is newer than it.

use std::collections::HashSet;
use std::sync::Arc;

use rayon::prelude::*;

use super::marks::Marks;
use super::matrix::{Best, Matrix};
use super::scan::{Nodes, scan};
use super::segment::Segment;
use super::snapshot::Snapshot;
use super::tune::{Tuning, Way};
use super::{Nearest, QueryKind};
use crate::config::{IndexConfig, IndexMode};
use crate::store::ImageId;

/// A segment is built again when one in so many of its images has come or gone since.
const REBUILD_SHARE: usize = 4;

/// Where nobody has measured yet what is needed, and the owner wants the graph all the same.
const UNMEASURED_EF: usize = 512;

/// More blocks than these are compared by all cores.
const PARALLEL_BLOCKS: usize = 16;

#[derive(Debug)]
pub(super) struct Contents {
    embedding_dim: usize,
    pub(super) segment: Option<Arc<Segment>>,
    pub(super) tuning: Tuning,
    /// Nodes of the segment whose images have gone, or have another embedding now.
    gone: Marks,
    /// Images that are not in the segment, or have another embedding now.
    recent: Matrix,
    /// Images that changed since a build began; nothing while none is under way.
    changed: Option<HashSet<ImageId>>,
}

impl Contents {
    pub(super) fn new(embedding_dim: usize) -> Contents {
        Contents {
            embedding_dim,
            segment: None,
            tuning: Tuning::default(),
            gone: Marks::default(),
            recent: Matrix::new(embedding_dim),
            changed: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.segment_len() - self.gone.count() + self.recent.len()
    }

    fn segment_len(&self) -> usize {
        self.segment.as_ref().map_or(0, |segment| segment.len())
    }

    pub(super) fn get(&self, image: ImageId) -> Option<&[f32]> {
        self.recent.get(image).or_else(|| {
            let segment = self.segment.as_ref()?;
            Some(segment.row(self.node(image)?))
        })
    }

    /// The node of an image of which the segment has the embedding.
    fn node(&self, image: ImageId) -> Option<u32> {
        let node = self.segment.as_ref()?.node(image)?;
        (!self.gone.has(node)).then_some(node)
    }

    pub(super) fn insert(&mut self, image: ImageId, embedding: &[f32]) {
        assert_eq!(
            embedding.len(),
            self.embedding_dim,
            "embeddings of two models must not meet"
        );
        if self.get(image) == Some(embedding) {
            return;
        }
        self.forget(image);
        self.recent.insert(image, embedding);
    }

    pub(super) fn remove(&mut self, image: ImageId) {
        if self.get(image).is_some() {
            self.forget(image);
            self.recent.remove(image);
        }
    }

    fn forget(&mut self, image: ImageId) {
        if let Some(node) = self.node(image) {
            self.gone.set(node);
        }
        if let Some(changed) = &mut self.changed {
            changed.insert(image);
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            embedding_dim: self.embedding_dim,
            segment: self.segment.clone(),
            gone: self.gone.clone(),
            recent: self.recent.blocks().to_vec(),
        }
    }

    /// Whether so much has changed since the segment was built that it should be built again.
    pub(super) fn wants_segment(&self, hnsw_from: usize) -> bool {
        match &self.segment {
            None => self.len() >= hnsw_from,
            Some(segment) => {
                self.recent.len() + self.gone.count()
                    > (segment.len() / REBUILD_SHARE).max(hnsw_from / 2)
            }
        }
    }

    /// What is there now, for a segment to be built from; what changes from here on is remembered until it is ready.
    pub(super) fn begin_build(&mut self) -> Snapshot {
        self.changed = Some(HashSet::new());
        self.snapshot()
    }

    pub(super) fn end_build(&mut self, built: Option<(Segment, Tuning)>) {
        let changed = self.changed.take().unwrap_or_default();
        let Some((segment, tuning)) = built else {
            return;
        };
        let mut recent = Matrix::new(self.embedding_dim);
        let mut gone = Marks::new(segment.len());
        for &image in &changed {
            if let Some(row) = self.get(image) {
                recent.insert(image, row);
            }
            if let Some(node) = segment.node(image) {
                gone.set(node);
            }
        }
        (self.recent, self.gone) = (recent, gone);
        (self.segment, self.tuning) = (Some(Arc::new(segment)), tuning);
    }

    /// Puts a segment from a file in force, of an index that is empty.
    pub(super) fn adopt(&mut self, segment: Segment, tuning: Tuning) {
        self.gone = Marks::new(segment.len());
        (self.segment, self.tuning) = (Some(Arc::new(segment)), tuning);
    }

    /// Takes a segment that is not to be trusted out of force. Its images are missing then.
    pub(super) fn discard(&mut self) {
        (self.segment, self.tuning) = (None, Tuning::default());
        self.gone = Marks::default();
    }

    /// Forgets what is not among `live` (in order); those of `live` that are missing.
    pub(super) fn keep_only(&mut self, live: &[ImageId]) -> Vec<ImageId> {
        let mut is_here = vec![false; live.len()];
        let mut mark = |image: ImageId| {
            let place = live.binary_search(&image);
            place.map(|place| is_here[place] = true).is_ok()
        };
        let snapshot = self.snapshot();
        let dead: Vec<ImageId> = snapshot.ids().filter(|image| !mark(*image)).collect();
        drop(snapshot);
        for image in dead {
            self.remove(image);
        }
        live.iter()
            .zip(is_here)
            .filter(|(_, is_here)| !is_here)
            .map(|(image, _)| *image)
            .collect()
    }

    /// The `k` nearest images, among those of `filter` (in order) where there is one.
    pub(super) fn search(
        &self,
        query: &[f32],
        k: usize,
        kind: QueryKind,
        filter: Option<&[ImageId]>,
        config: &IndexConfig,
    ) -> Nearest {
        // Finding out who passes a filter takes longer than comparing all who do, so those are always all compared.
        let ef = match filter {
            Some(_) => None,
            None => self.ef_search(k, kind, config.mode),
        };
        ef.and_then(|ef| self.walk(query, k, ef))
            .unwrap_or_else(|| self.scan(query, k, filter))
    }

    /// How widely the graph must be walked for this query; nothing where a scan is the better way.
    fn ef_search(&self, k: usize, kind: QueryKind, mode: IndexMode) -> Option<usize> {
        let tuned = match kind {
            QueryKind::Text => self.tuning.text,
            QueryKind::Image => self.tuning.image,
        };
        let ef = tuned
            .map_or(UNMEASURED_EF, |tuned| tuned.ef_search)
            .max(2 * k);
        let is_cheaper = tuned.is_some_and(|tuned| {
            let graph_us = tuned.graph_us * ef as f64 / tuned.ef_search as f64;
            tuned.way == Way::Graph && graph_us < tuned.scan_us
        });
        match mode {
            IndexMode::Auto => is_cheaper.then_some(ef),
            IndexMode::Hnsw => Some(ef.min(self.segment_len().max(1))),
            IndexMode::Exact => None,
        }
    }

    /// Compares all images, or all of `filter`.
    pub(super) fn scan(&self, query: &[f32], k: usize, filter: Option<&[ImageId]>) -> Nearest {
        let best = self.best_of_recent(query, k, filter);
        let best = match (&self.segment, filter) {
            (None, _) => best,
            (Some(segment), None) => {
                let all = Nodes::Range(0..segment.len() as u32);
                best.join(scan(segment, query, k, all, &self.gone))
            }
            (Some(segment), Some(ids)) => {
                let nodes: Vec<u32> = segment.nodes(ids.iter().copied()).collect();
                best.join(scan(segment, query, k, Nodes::These(&nodes), &self.gone))
            }
        };
        Nearest {
            hits: best.into_sorted(),
            exact: true,
        }
    }

    /// Walks the graph and compares what is newer; nothing where that found fewer images than there must be.
    pub(super) fn walk(&self, query: &[f32], k: usize, ef: usize) -> Option<Nearest> {
        let segment = self.segment.as_ref()?;
        let mut best = self.best_of_recent(query, k, None);
        segment.walk(query, ef, k, None, |node| !self.gone.has(node), &mut best);
        let hits = best.into_sorted();
        (hits.len() == k.min(self.len())).then_some(Nearest { hits, exact: false })
    }

    fn best_of_recent(&self, query: &[f32], k: usize, filter: Option<&[ImageId]>) -> Best {
        let mut best = Best::new(k);
        let blocks = self.recent.blocks();
        match filter {
            Some(ids) => {
                for &image in ids {
                    if let Some(embedding) = self.recent.get(image) {
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
}
