//! All embeddings in one block of memory, and the exact scan over them.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};

use crate::embed::dot;
use crate::store::ImageId;

/// Embeddings row by row, dense: removing a row moves the last one into its place.
#[derive(Debug, Clone)]
pub(super) struct Matrix {
    embedding_dim: usize,
    ids: Vec<ImageId>,
    values: Vec<f32>,
    row_of: HashMap<ImageId, usize>,
}

impl Matrix {
    pub(super) fn new(embedding_dim: usize) -> Matrix {
        Matrix {
            embedding_dim,
            ids: Vec::new(),
            values: Vec::new(),
            row_of: HashMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn get(&self, image: ImageId) -> Option<&[f32]> {
        self.row_of.get(&image).map(|&row| self.row(row))
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = (ImageId, &[f32])> {
        self.ids
            .iter()
            .copied()
            .zip(self.values.chunks_exact(self.embedding_dim))
    }

    pub(super) fn blocks(&self, rows: usize) -> impl Iterator<Item = (&[ImageId], &[f32])> {
        self.ids
            .chunks(rows)
            .zip(self.values.chunks(rows * self.embedding_dim))
    }

    /// Adds the row of an image, or replaces it.
    pub(super) fn insert(&mut self, image: ImageId, embedding: &[f32]) {
        assert_eq!(
            embedding.len(),
            self.embedding_dim,
            "embeddings of two models must not meet"
        );
        if let Some(&row) = self.row_of.get(&image) {
            self.values[row * self.embedding_dim..][..self.embedding_dim]
                .copy_from_slice(embedding);
            return;
        }
        self.row_of.insert(image, self.ids.len());
        self.ids.push(image);
        self.values.extend_from_slice(embedding);
    }

    /// Takes the row of an image out; whether there was one.
    pub(super) fn remove(&mut self, image: ImageId) -> bool {
        let Some(row) = self.row_of.remove(&image) else {
            return false;
        };
        let last = self.ids.len() - 1;
        let dim = self.embedding_dim;
        self.values.copy_within(last * dim.., row * dim);
        self.values.truncate(last * dim);
        self.ids.swap_remove(row);
        if row < last {
            self.row_of.insert(self.ids[row], row);
        }
        true
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.embedding_dim..][..self.embedding_dim]
    }
}

/// The `k` best images met so far.
pub(super) struct Best {
    k: usize,
    /// The worst on top.
    heap: BinaryHeap<Reverse<Scored>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Scored {
    similarity: f32,
    image: ImageId,
}

impl Eq for Scored {}

impl Ord for Scored {
    /// By similarity; the older image wins a tie, so that answers do not depend on the order of rows.
    fn cmp(&self, other: &Self) -> Ordering {
        self.similarity
            .total_cmp(&other.similarity)
            .then(other.image.cmp(&self.image))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Best {
    pub(super) fn new(k: usize) -> Best {
        Best {
            k,
            heap: BinaryHeap::with_capacity(k.min(1024) + 1),
        }
    }

    pub(super) fn offer(&mut self, image: ImageId, embedding: &[f32], query: &[f32]) {
        let scored = Scored {
            similarity: dot(embedding, query),
            image,
        };
        if self.heap.len() < self.k {
            self.heap.push(Reverse(scored));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && worst.0 < scored
        {
            *worst = Reverse(scored);
        }
    }

    /// Best first.
    pub(super) fn into_sorted(self) -> Vec<(ImageId, f32)> {
        let sorted = self.heap.into_sorted_vec();
        sorted
            .into_iter()
            .map(|Reverse(scored)| (scored.image, scored.similarity))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_follow_insertions_replacements_and_removals() {
        let mut matrix = Matrix::new(2);
        let ids: Vec<ImageId> = (0..4).map(ImageId).collect();
        for &id in &ids {
            matrix.insert(id, &[id.0 as f32, 1.0]);
        }
        matrix.insert(ids[1], &[9.0, 9.0]);
        assert!(matrix.remove(ids[0]) && !matrix.remove(ids[0]));
        assert!(matrix.remove(ids[3]));
        let mut rows: Vec<_> = matrix.rows().map(|(id, row)| (id, row.to_vec())).collect();
        rows.sort_by_key(|row| row.0);
        assert_eq!(rows, [(ids[1], vec![9.0, 9.0]), (ids[2], vec![2.0, 1.0])]);
        assert_eq!((matrix.len(), matrix.get(ids[3])), (2, None));
        assert_eq!(matrix.get(ids[2]), Some([2.0, 1.0].as_slice()));
    }

    #[test]
    fn best_keeps_the_nearest_in_order() {
        let mut best = Best::new(2);
        for (id, value) in [(1, 0.1), (2, 0.9), (3, 0.5), (4, 0.9)] {
            best.offer(ImageId(id), &[value], &[1.0]);
        }
        assert_eq!(best.into_sorted(), [(ImageId(2), 0.9), (ImageId(4), 0.9)]);
        assert_eq!(Best::new(0).into_sorted(), []);
    }
}
