//! Embeddings in blocks of memory, and the best of those that were compared with a query.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use crate::kernels::dot;
use crate::store::ImageId;

/// Rows of a block: what is copied when a row changes while somebody still reads the block as it was.
const BLOCK_ROWS: usize = 1024;

/// Rows that lie one after another.
#[derive(Debug, Clone, Default)]
pub(super) struct Block {
    pub(super) ids: Vec<ImageId>,
    pub(super) values: Vec<f32>,
}

/// Embeddings row by row, dense: removing a row moves the last one into its place. Its blocks can be shared.
#[derive(Debug)]
pub(super) struct Matrix {
    embedding_dim: usize,
    blocks: Vec<Arc<Block>>,
    row_of: HashMap<ImageId, usize>,
}

impl Matrix {
    pub(super) fn new(embedding_dim: usize) -> Matrix {
        Matrix {
            embedding_dim,
            blocks: Vec::new(),
            row_of: HashMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.row_of.len()
    }

    pub(super) fn blocks(&self) -> &[Arc<Block>] {
        &self.blocks
    }

    pub(super) fn get(&self, image: ImageId) -> Option<&[f32]> {
        let row = *self.row_of.get(&image)?;
        let start = row % BLOCK_ROWS * self.embedding_dim;
        Some(&self.blocks[row / BLOCK_ROWS].values[start..][..self.embedding_dim])
    }

    /// Adds the row of an image, or replaces it.
    pub(super) fn insert(&mut self, image: ImageId, embedding: &[f32]) {
        if let Some(&row) = self.row_of.get(&image) {
            self.write(row, image, embedding);
            return;
        }
        let row = self.len();
        if row.is_multiple_of(BLOCK_ROWS) {
            self.blocks.push(Arc::default());
        }
        let block = Arc::make_mut(&mut self.blocks[row / BLOCK_ROWS]);
        block.ids.push(image);
        block.values.extend_from_slice(embedding);
        self.row_of.insert(image, row);
    }

    /// Takes the row of an image out; whether there was one.
    pub(super) fn remove(&mut self, image: ImageId) -> bool {
        let Some(row) = self.row_of.remove(&image) else {
            return false;
        };
        let Some((last_image, last)) = self.pop() else {
            return false;
        };
        if last_image != image {
            self.write(row, last_image, &last);
            self.row_of.insert(last_image, row);
        }
        true
    }

    fn pop(&mut self) -> Option<(ImageId, Vec<f32>)> {
        let block = Arc::make_mut(self.blocks.last_mut()?);
        let image = block.ids.pop()?;
        let last = block.values.split_off(block.ids.len() * self.embedding_dim);
        if block.ids.is_empty() {
            self.blocks.pop();
        }
        Some((image, last))
    }

    fn write(&mut self, row: usize, image: ImageId, embedding: &[f32]) {
        let block = Arc::make_mut(&mut self.blocks[row / BLOCK_ROWS]);
        let at = row % BLOCK_ROWS;
        block.ids[at] = image;
        block.values[at * self.embedding_dim..][..self.embedding_dim].copy_from_slice(embedding);
    }
}

/// The `k` best images met so far.
#[derive(Debug, Clone)]
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

    /// The similarity that a further image must reach; any will do while there is room.
    pub(super) fn bar(&self) -> f32 {
        let worst = self.heap.peek().filter(|_| self.heap.len() == self.k);
        worst.map_or(f32::NEG_INFINITY, |worst| worst.0.similarity)
    }

    pub(super) fn offer(&mut self, image: ImageId, embedding: &[f32], query: &[f32]) {
        self.put(Scored {
            similarity: dot(embedding, query),
            image,
        });
    }

    /// All rows of a block.
    pub(super) fn offer_block(&mut self, block: &Block, query: &[f32]) {
        for (image, embedding) in block.ids.iter().zip(block.values.chunks_exact(query.len())) {
            self.offer(*image, embedding, query);
        }
    }

    /// What was met elsewhere.
    pub(super) fn join(mut self, other: Best) -> Best {
        for Reverse(scored) in other.heap {
            self.put(scored);
        }
        self
    }

    fn put(&mut self, scored: Scored) {
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

    fn rows(matrix: &Matrix) -> Vec<(ImageId, Vec<f32>)> {
        let rows = matrix.blocks.iter().flat_map(|block| {
            let values = block.values.chunks_exact(2).map(<[f32]>::to_vec);
            block.ids.iter().copied().zip(values)
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by_key(|row| row.0);
        rows
    }

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
        assert_eq!(
            rows(&matrix),
            [(ids[1], vec![9.0, 9.0]), (ids[2], vec![2.0, 1.0])]
        );
        assert_eq!((matrix.len(), matrix.get(ids[3])), (2, None));
        assert_eq!(matrix.get(ids[2]), Some([2.0, 1.0].as_slice()));
    }

    #[test]
    fn rows_may_fill_many_blocks_and_leave_them() {
        let mut matrix = Matrix::new(1);
        let count = 2 * BLOCK_ROWS as i64 + 1;
        (0..count).for_each(|id| matrix.insert(ImageId(id), &[id as f32]));
        let before = matrix.blocks().to_vec();
        (0..count)
            .step_by(2)
            .for_each(|id| assert!(matrix.remove(ImageId(id))));
        assert_eq!(matrix.len(), BLOCK_ROWS);
        assert_eq!(matrix.blocks().len(), 1);
        (1..count)
            .step_by(2)
            .for_each(|id| assert_eq!(matrix.get(ImageId(id)), Some([id as f32].as_slice())));
        // Who took the blocks before still has them as they were.
        assert_eq!(before[0].ids[0], ImageId(0));
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
