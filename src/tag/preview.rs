//! What a label set would do to the library, without doing it.

use std::collections::BTreeMap;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::classifier::Classifier;
use super::error::TagError;
use super::overrule::{Decided, decided_in};
use super::score::BLOCK_ROWS;
use crate::index::{Rows, Vectors};
use crate::priority;
use crate::store::{ImageId, LabelName, SetName, Store};

/// Bars of a histogram: each stands for a twentieth of the scores from 0 to 1.
const BARS: usize = 20;

/// Pictures that are shown on each side of a threshold.
const NEAREST: usize = 6;

/// What applying a label set would change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Preview {
    /// The set's name.
    pub set: SetName,
    /// Images that were scored.
    pub images: usize,
    /// Tags that are not there yet.
    pub added: usize,
    /// Tags that would go.
    pub removed: usize,
    /// The labels of the set, in its order.
    pub labels: Vec<LabelPreview>,
    /// Labels that the set has no more, with the tags that go with them.
    pub dropped: Vec<Dropped>,
    /// What keeps the set from learning from the library.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What applying a set would change for one of its labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LabelPreview {
    /// Its name.
    pub label: LabelName,
    /// Score from which on it is kept.
    pub threshold: f32,
    /// Images that would carry it.
    pub images: usize,
    /// Of them, those that do not yet.
    pub added: usize,
    /// Images that carry it now and would not.
    pub removed: usize,
    /// Number of images by score, from 0 to 1 in equal steps, without those that a person decided about. In an exclusive
    /// set only images that have no better label.
    pub histogram: Vec<usize>,
    /// The pictures that would keep it with the lowest scores, lowest first.
    pub above: Vec<Near>,
    /// The pictures that would miss it with the highest scores, highest first.
    pub below: Vec<Near>,
}

/// A picture near to a threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Near {
    /// Identity of its content.
    pub id: String,
    /// One file that holds it.
    pub path: String,
    /// Its score.
    pub score: f32,
}

/// A label that a set has no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dropped {
    /// Its name.
    pub label: String,
    /// Its tags.
    pub removed: usize,
}

/// Scores the library and compares with the tags that the set `name`, which decisions know by `key`, has given so far.
pub(super) fn preview(
    name: &SetName,
    key: &str,
    classifier: &Classifier,
    store: &Store,
    vectors: &Vectors,
) -> Result<Preview, TagError> {
    let decided = decided_in(key, classifier, store)?;
    let mut scored = score(classifier, vectors, &decided);
    for (image, decided) in &decided {
        let frames = vectors.frames(*image);
        for carried in classifier.tags_of_image(frames.as_deref(), decided) {
            scored[carried.label].kept.push(*image);
        }
    }
    let mut before = store.tagged(name)?;
    let shown = shown(&scored, store)?;
    let labels: Vec<_> = (classifier.set().labels.iter().zip(scored).enumerate())
        .map(|(at, (label, scored))| {
            let before = before.remove(&*label.name).unwrap_or_default();
            scored.report(
                label.name.clone(),
                classifier.threshold(at),
                &before,
                &shown,
            )
        })
        .collect();
    let dropped: Vec<_> = (before.into_iter())
        .map(|(label, tags)| Dropped {
            label,
            removed: tags.len(),
        })
        .collect();
    let removed = |label: &LabelPreview| label.removed;
    Ok(Preview {
        set: name.clone(),
        images: vectors.len(),
        added: labels.iter().map(|label| label.added).sum(),
        removed: labels
            .iter()
            .map(removed)
            .chain(dropped.iter().map(|label| label.removed))
            .sum(),
        labels,
        dropped,
        warnings: Vec::new(),
    })
}

/// The scores of one label.
#[derive(Debug, Clone)]
struct Scored {
    histogram: [usize; BARS],
    kept: Vec<ImageId>,
    /// Lowest first.
    above: Vec<(ImageId, f32)>,
    /// Highest first.
    below: Vec<(ImageId, f32)>,
}

impl Scored {
    fn new() -> Scored {
        Scored {
            histogram: [0; BARS],
            kept: Vec::new(),
            above: Vec::new(),
            below: Vec::new(),
        }
    }

    fn add(&mut self, image: ImageId, score: f32, threshold: f32) {
        let bar = (score * BARS as f32) as usize;
        self.histogram[bar.min(BARS - 1)] += 1;
        if score >= threshold {
            keep_nearest(&mut self.above, (image, score), threshold);
        } else {
            keep_nearest(&mut self.below, (image, score), threshold);
        }
    }

    /// Takes in what was found in other images.
    fn join(&mut self, other: Scored, threshold: f32) {
        self.histogram
            .iter_mut()
            .zip(other.histogram)
            .for_each(|(bar, more)| *bar += more);
        self.kept.extend(other.kept);
        other
            .above
            .into_iter()
            .for_each(|near| keep_nearest(&mut self.above, near, threshold));
        other
            .below
            .into_iter()
            .for_each(|near| keep_nearest(&mut self.below, near, threshold));
    }

    /// `before`: the images that carry the label now.
    fn report(
        mut self,
        label: LabelName,
        threshold: f32,
        before: &[ImageId],
        shown: &BTreeMap<ImageId, (String, String)>,
    ) -> LabelPreview {
        self.kept.sort_unstable();
        let missing_in = |images: &[ImageId], others: &[ImageId]| {
            images
                .iter()
                .filter(|image| others.binary_search(image).is_err())
                .count()
        };
        let near = |(image, score): &(ImageId, f32)| {
            let (id, path) = shown.get(image)?.clone();
            Some(Near {
                id,
                path,
                score: *score,
            })
        };
        LabelPreview {
            label,
            threshold,
            images: self.kept.len(),
            added: missing_in(&self.kept, before),
            removed: missing_in(before, &self.kept),
            histogram: self.histogram.to_vec(),
            above: self.above.iter().filter_map(near).collect(),
            below: self.below.iter().filter_map(near).collect(),
        }
    }
}

/// Puts a picture where it belongs among the nearest to a threshold, nearest first, if it is one of them.
fn keep_nearest(nearest: &mut Vec<(ImageId, f32)>, near: (ImageId, f32), threshold: f32) {
    // By image where scores are the same, so that the answer does not depend on which thread was first.
    let key = |(image, score): &(ImageId, f32)| ((score - threshold).abs(), *image);
    let place = nearest.partition_point(|other| key(other) < key(&near));
    if place < NEAREST {
        nearest.truncate(NEAREST - 1);
        nearest.insert(place, near);
    }
}

/// Scores every image, label by label; but for those that people decided about.
fn score(
    classifier: &Classifier,
    vectors: &Vectors,
    decided: &BTreeMap<ImageId, Decided>,
) -> Vec<Scored> {
    let labels = classifier.set().labels.len();
    let thresholds: Vec<f32> = (0..labels)
        .map(|label| classifier.threshold(label))
        .collect();
    let none = || vec![Scored::new(); labels];
    let add = |mut scored: Vec<Scored>, rows: Rows<'_>| {
        classifier.each(rows.embeddings, |row, scores| {
            let Some(image) = rows.images[row].filter(|image| !decided.contains_key(image)) else {
                return;
            };
            for label in classifier.candidates(scores) {
                scored[label].add(image, scores[label], thresholds[label]);
            }
            for (label, _) in classifier.tags_of(scores) {
                scored[label].kept.push(image);
            }
        });
        scored
    };
    let join = |mut all: Vec<Scored>, more: Vec<Scored>| {
        for ((all, more), threshold) in all.iter_mut().zip(more).zip(&thresholds) {
            all.join(more, *threshold);
        }
        all
    };
    let snapshot = vectors.snapshot();
    let mut scored = priority::beside_searches(|| {
        snapshot
            .blocks(BLOCK_ROWS)
            .par_bridge()
            .fold(none, add)
            .reduce(none, join)
    });
    let videos = vectors.videos().into_iter();
    for video in videos.filter(|video| !decided.contains_key(video)) {
        add_video(&mut scored, classifier, vectors, video);
    }
    scored
}

/// Adds one video, each label by the frame that has most of it.
fn add_video(scored: &mut [Scored], classifier: &Classifier, vectors: &Vectors, video: ImageId) {
    let frames = vectors.frames(video).unwrap_or_default();
    let mut best: BTreeMap<usize, f32> = BTreeMap::new();
    classifier.each(&frames, |_, scores| {
        for label in classifier.candidates(scores) {
            let best = best.entry(label).or_default();
            *best = best.max(scores[label]);
        }
    });
    for (label, score) in best {
        scored[label].add(video, score, classifier.threshold(label));
    }
    for carried in classifier.tags_of_image(Some(&frames), &[]) {
        scored[carried.label].kept.push(video);
    }
}

/// Identity and path of every picture that is shown.
fn shown(
    scored: &[Scored],
    store: &Store,
) -> Result<BTreeMap<ImageId, (String, String)>, TagError> {
    let near = scored
        .iter()
        .flat_map(|label| label.above.iter().chain(&label.below));
    let mut images: Vec<ImageId> = near.map(|near| near.0).collect();
    images.sort_unstable();
    images.dedup();
    let rows = store.images(&images)?.into_iter();
    Ok(rows
        .map(|row| {
            let path = row.paths.first().map(|path| path.display().to_string());
            (row.id, (row.hash.to_string(), path.unwrap_or_default()))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_of_each_side_are_kept_in_order() {
        let values = [0.1, 0.7, 0.59, 0.61, 0.95, 0.6, 0.2, 0.3, 0.4, 0.5, 0.55];
        let of = |values: &[(i64, f32)]| {
            let mut scored = Scored::new();
            for (image, score) in values {
                scored.add(ImageId(*image), *score, 0.6);
            }
            scored
        };
        let numbered: Vec<(i64, f32)> = (0..).zip(values).collect();
        let mut joined = of(&numbered[6..]);
        joined.join(of(&numbered[..6]), 0.6);
        for scored in [of(&numbered), joined] {
            let scores_of =
                |near: &[(ImageId, f32)]| -> Vec<f32> { near.iter().map(|near| near.1).collect() };
            assert_eq!(scores_of(&scored.above), [0.6, 0.61, 0.7, 0.95]);
            assert_eq!(scores_of(&scored.below), [0.59, 0.55, 0.5, 0.4, 0.3, 0.2]);
            assert_eq!(scored.histogram.iter().sum::<usize>(), values.len());
        }
    }
}
