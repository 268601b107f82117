//! Scores a whole library against a label set, on all cores, from embeddings that lie ready.

use rayon::prelude::*;

use super::classifier::{Classifier, Kept};
use crate::index::{Rows, Vectors};
use crate::store::ImageId;

/// Images scored together: their embeddings stay in the processor's cache.
pub(super) const BLOCK_ROWS: usize = 256;

/// For each label the images that keep it with their scores, by image; on all cores.
pub fn score_library(classifier: &Classifier, vectors: &Vectors) -> Vec<Vec<(ImageId, f32)>> {
    let snapshot = vectors.snapshot();
    let score = |rows: Rows<'_>| -> Vec<(usize, ImageId, f32)> {
        let kept = classifier.tags(rows.embeddings).into_iter();
        let tag = |kept: Kept| Some((kept.label, rows.images[kept.row]?, kept.score));
        kept.filter_map(tag).collect()
    };
    let blocks = snapshot.blocks(BLOCK_ROWS).par_bridge();
    let scored: Vec<_> = blocks.map(score).collect();
    let mut tags = vec![Vec::new(); classifier.set().labels.len()];
    for (label, image, score) in scored.into_iter().flatten() {
        tags[label].push((image, score));
    }
    tags.par_iter_mut()
        .for_each(|tags| tags.sort_unstable_by_key(|tag: &(ImageId, f32)| tag.0));
    tags
}
