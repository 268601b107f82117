//! All embeddings at one moment, for those who go through all of them.

use std::sync::Arc;

use super::bitset::BitSet;
use super::frames::{self, Frames};
use super::matrix::Block;
use super::segment::Segment;
use crate::store::ImageId;

/// The index at one moment. Cheap to take; what changes in the index later is not seen, and nobody waits.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(super) embedding_dim: usize,
    pub(super) segment: Option<Arc<Segment>>,
    pub(super) gone: BitSet,
    pub(super) recent: Vec<Arc<Block>>,
    pub(super) frames: Arc<Frames>,
}

/// Embeddings that lie one after another.
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    /// The image of each row; none for a row whose image has gone.
    pub images: Vec<Option<ImageId>>,
    /// The rows, `embedding_dim` values each.
    pub embeddings: &'a [f32],
}

impl Snapshot {
    /// Number of images.
    pub fn len(&self) -> usize {
        let segment = self
            .segment
            .as_ref()
            .map_or(0, |segment| segment.len() - self.gone.len());
        let recent = self.recent.iter().map(|block| block.ids.len());
        (segment + recent.sum::<usize>()).saturating_sub(self.frames.len())
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every image of one frame exactly once, up to `rows` rows at a time, in no order. Rows of videos are there without their
    /// images: whoever wants those asks for all frames of one at a time.
    pub fn blocks(&self, rows: usize) -> impl Iterator<Item = Rows<'_>> {
        let is_still =
            |row: &ImageId| frames::frame_at(*row).is_none() && self.frames.of(*row).is_empty();
        self.row_blocks(rows).map(move |mut block| {
            if !self.frames.is_empty() {
                let rows = block.images.iter_mut();
                rows.for_each(|row| *row = row.filter(is_still));
            }
            block
        })
    }

    /// The same, each row under its own number.
    fn row_blocks(&self, rows: usize) -> impl Iterator<Item = Rows<'_>> {
        let segment = self
            .segment
            .iter()
            .flat_map(move |segment| self.segment_blocks(segment, rows));
        let recent = self.recent.iter().flat_map(move |block| {
            let parts = block
                .ids
                .chunks(rows)
                .zip(block.values.chunks(rows * self.embedding_dim));
            parts.map(|(ids, embeddings)| Rows {
                images: ids.iter().copied().map(Some).collect(),
                embeddings,
            })
        });
        segment.chain(recent)
    }

    /// The embeddings of at most so many images, evenly from the oldest to the newest: the same for the same images.
    pub fn sample(&self, most: usize) -> Vec<f32> {
        let mut images = self.rows();
        images.retain(|(row, _)| frames::frame_at(*row).is_none());
        images.sort_unstable_by_key(|image| image.0);
        let step = images.len().div_ceil(most).max(1);
        let rows = images.into_iter().step_by(step);
        rows.flat_map(|image| image.1).copied().collect()
    }

    fn segment_blocks<'a>(
        &'a self,
        segment: &'a Segment,
        rows: usize,
    ) -> impl Iterator<Item = Rows<'a>> {
        let parts = segment.rows().chunks(rows * self.embedding_dim).enumerate();
        parts.map(move |(part, embeddings)| {
            let first = part * rows;
            let nodes = first as u32..(first + embeddings.len() / self.embedding_dim) as u32;
            Rows {
                images: nodes
                    .map(|node| (!self.gone.contains(node)).then(|| segment.image(node)))
                    .collect(),
                embeddings,
            }
        })
    }

    /// The number of every row.
    pub(super) fn row_ids(&self) -> impl Iterator<Item = ImageId> {
        let segment = self.segment.iter().flat_map(|segment| {
            let nodes = 0..segment.len() as u32;
            nodes
                .filter(|node| !self.gone.contains(*node))
                .map(|node| segment.image(node))
        });
        segment.chain(
            self.recent
                .iter()
                .flat_map(|block| block.ids.iter().copied()),
        )
    }

    /// Every row with its number.
    pub(super) fn rows(&self) -> Vec<(ImageId, &[f32])> {
        const ROWS: usize = 1024;
        let blocks = self.row_blocks(ROWS);
        let rows = blocks.flat_map(|block| {
            block
                .images
                .into_iter()
                .zip(block.embeddings.chunks_exact(self.embedding_dim))
        });
        rows.filter_map(|(image, row)| Some((image?, row)))
            .collect()
    }
}
