//! Scores a whole library against a label set, on all cores, from embeddings that lie ready.

use rayon::prelude::*;

use super::classifier::{Carried, Classifier, Kept};
use crate::index::{Rows, Vectors};
use crate::store::{ImageId, LibraryTags};

/// Images scored together: their embeddings stay in the processor's cache.
pub(super) const BLOCK_ROWS: usize = 256;

/// Adds what one image keeps.
pub(super) fn add(tags: &mut LibraryTags, image: ImageId, carried: Vec<Carried>) {
    for Carried {
        label,
        score,
        share,
    } in carried
    {
        tags.scores[label].push((image, score));
        tags.shares[label].extend(share.map(|share| (image, share)));
    }
}

/// Brings what was added into order.
pub(super) fn sort(tags: &mut LibraryTags) {
    let all = tags.scores.par_iter_mut();
    all.for_each(|scores| scores.sort_unstable_by_key(|tag: &(ImageId, f32)| tag.0));
}

/// For each label the images that keep it with their scores, by image; on all cores.
pub fn score_library(classifier: &Classifier, vectors: &Vectors) -> LibraryTags {
    let snapshot = vectors.snapshot();
    let score = |rows: Rows<'_>| -> Vec<(usize, ImageId, f32)> {
        let kept = classifier.tags(rows.embeddings).into_iter();
        let tag = |kept: Kept| Some((kept.label, rows.images[kept.row]?, kept.score));
        kept.filter_map(tag).collect()
    };
    let blocks = snapshot.blocks(BLOCK_ROWS).par_bridge();
    let scored: Vec<_> = blocks.map(score).collect();
    let mut all = LibraryTags::new(classifier.set().labels.len());
    for (label, image, score) in scored.into_iter().flatten() {
        all.scores[label].push((image, score));
    }
    for video in vectors.videos() {
        let frames = vectors.frames(video);
        add(
            &mut all,
            video,
            classifier.tags_of_image(frames.as_deref(), &[]),
        );
    }
    sort(&mut all);
    all
}
