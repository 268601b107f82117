//! The HNSW graph (Malkov and Yashunin 2018) of `hnsw_rs` over a snapshot of the matrix. Read-only once built.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use hnsw_rs::anndists::dist::Distance;
use hnsw_rs::prelude::Hnsw;
use rayon::prelude::*;

use super::matrix::Matrix;
use crate::config::IndexConfig;
use crate::embed::dot;
use crate::store::ImageId;

/// `hnsw_rs` asks for the number of layers; it cannot write any other number to disk, and never uses them all.
const LAYERS: usize = 16;

/// Fewer points on the upper layers leave fewer points at the bottom that nothing links to.
const LEVEL_SCALE: f64 = 0.5;

/// Points inserted between two looks at whether to stop.
const STEP: usize = 1024;

/// Candidates looked at when a point is looked for by its own vector.
const EF_SELF: usize = 64;

/// `1 - a · b` of unit vectors. `hnsw_rs`'s own dot distance panics where rounding makes it negative.
#[derive(Debug, Default, Clone, Copy)]
struct CosineDistance;

impl Distance<f32> for CosineDistance {
    fn eval(&self, a: &[f32], b: &[f32]) -> f32 {
        (1.0 - dot(a, b)).max(0.0)
    }
}

pub(super) struct Graph {
    hnsw: Hnsw<'static, f32, CosineDistance>,
    ids: HashSet<ImageId>,
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Graph of {} images", self.len())
    }
}

impl Graph {
    /// Builds the graph on all cores; nothing where it was told to stop.
    pub(super) fn build(matrix: &Matrix, config: &IndexConfig, stop: &AtomicBool) -> Option<Graph> {
        let mut hnsw = Hnsw::new(
            config.m,
            matrix.len(),
            LAYERS,
            config.ef_construction,
            CosineDistance,
        );
        hnsw.modify_level_scale(LEVEL_SCALE);
        let rows: Vec<(&[f32], usize)> = matrix
            .rows()
            .map(|(image, row)| (row, image.0 as usize))
            .collect();
        // The first one alone: of two that find the graph empty, one would never be linked.
        let (first, rest) = rows.split_first()?;
        hnsw.insert(*first);
        for step in rest.chunks(STEP) {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            step.par_iter().for_each(|row| hnsw.insert(*row));
        }
        hnsw.set_searching_mode(true);
        Some(Graph {
            hnsw,
            ids: matrix.rows().map(|(image, _)| image).collect(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn contains(&self, image: ImageId) -> bool {
        self.ids.contains(&image)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ImageId> {
        self.ids.iter().copied()
    }

    /// Up to `k` images near `query`, among those of `filter` (in order) where there is one.
    pub(super) fn search(
        &self,
        query: &[f32],
        k: usize,
        ef: usize,
        filter: Option<&[ImageId]>,
    ) -> Vec<ImageId> {
        let passes =
            filter.map(|ids| move |id: &usize| ids.binary_search(&ImageId(*id as i64)).is_ok());
        let found = match &passes {
            None => self.hnsw.search(query, k, ef.max(k)),
            Some(passes) => self.hnsw.search_filter(query, k, ef.max(k), Some(passes)),
        };
        found
            .into_iter()
            .map(|neighbour| ImageId(neighbour.d_id as i64))
            .collect()
    }

    /// Images that a search for their own vector does not find: linking the points of a burst of near-equal pictures
    /// can drop the last link to one of them.
    pub(super) fn unreached(&self, matrix: &Matrix) -> Vec<ImageId> {
        let rows: Vec<(ImageId, &[f32])> = matrix.rows().collect();
        let is_lost = |(image, row): &(ImageId, &[f32])| {
            let found = self.hnsw.search(row, 1, EF_SELF);
            // Another image with the very same vector is as good an answer, but this one is then still unproven.
            found
                .first()
                .is_none_or(|nearest| nearest.d_id != image.0 as usize)
        };
        rows.into_par_iter()
            .filter(is_lost)
            .map(|(image, _)| image)
            .collect()
    }
}
