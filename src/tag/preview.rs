//! What a label set would do to the library, without doing it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::classifier::Classifier;
use super::error::TagError;
use super::overrule::{Decided, decided_in};
use super::score::BLOCK_ROWS;
use super::set::Label;
use crate::index::{Rows, Vectors};
use crate::priority;
use crate::store::{ImageId, LabelName, SetName, Store};

/// Bars of a histogram: each stands for a twentieth of the scores from 0 to 1.
const BARS: usize = 20;

/// Pictures that are shown on each side of a threshold, where nothing else is asked for.
const NEAREST: usize = 6;

/// The finer steps of the one label that is looked at: where its threshold would be put, to three places.
const STEPS: usize = 1000;

/// The one label that is looked at more closely.
#[derive(Debug, Clone)]
pub struct Closer {
    /// Its name.
    pub label: LabelName,
    /// Pictures on each side of its threshold.
    pub near: usize,
}

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
    /// Of the label that is looked at more closely, what other thresholds would do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Steps>,
}

/// How many images have each score, in thousandths from 0 to 1: those from a threshold on would be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Steps {
    /// Of the images that carry the label now.
    pub carrying: Vec<usize>,
    /// Of those that do not.
    pub others: Vec<usize>,
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
    closer: Option<&Closer>,
) -> Result<Preview, TagError> {
    let decided = decided_in(key, classifier, store)?;
    let mut before = store.tagged(name)?;
    let empty = looks(classifier, closer, &before);
    let mut scored = score(classifier, vectors, &decided, &empty);
    for (image, decided) in &decided {
        let frames = vectors.frames(*image);
        for carried in classifier.tags_of_image(frames.as_deref(), decided) {
            scored[carried.label].kept.push(*image);
        }
    }
    let near = scored
        .iter()
        .flat_map(|label| label.above.iter().chain(&label.below));
    let shown = shown(near.map(|near| near.0).collect(), store)?;
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
    /// How many pictures are kept on each side.
    nearest: usize,
    /// Of the label that is looked at more closely: the images that carry it now.
    carrying: Option<Arc<HashSet<ImageId>>>,
    steps: Option<Steps>,
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
            nearest: NEAREST,
            carrying: None,
            steps: None,
            histogram: [0; BARS],
            kept: Vec::new(),
            above: Vec::new(),
            below: Vec::new(),
        }
    }

    fn add(&mut self, image: ImageId, score: f32, threshold: f32) {
        let bar = (score * BARS as f32) as usize;
        self.histogram[bar.min(BARS - 1)] += 1;
        if let (Some(steps), Some(carrying)) = (&mut self.steps, &self.carrying) {
            let step = ((score * STEPS as f32) as usize).min(STEPS - 1);
            let of = if carrying.contains(&image) {
                &mut steps.carrying
            } else {
                &mut steps.others
            };
            of[step] += 1;
        }
        if score >= threshold {
            keep_nearest(&mut self.above, (image, score), threshold, self.nearest);
        } else {
            keep_nearest(&mut self.below, (image, score), threshold, self.nearest);
        }
    }

    /// Takes in what was found in other images.
    fn join(&mut self, other: Scored, threshold: f32) {
        self.histogram
            .iter_mut()
            .zip(other.histogram)
            .for_each(|(bar, more)| *bar += more);
        self.kept.extend(other.kept);
        for near in other.above {
            keep_nearest(&mut self.above, near, threshold, self.nearest);
        }
        for near in other.below {
            keep_nearest(&mut self.below, near, threshold, self.nearest);
        }
        if let (Some(steps), Some(more)) = (&mut self.steps, other.steps) {
            let pairs = [
                (&mut steps.carrying, more.carrying),
                (&mut steps.others, more.others),
            ];
            for (steps, more) in pairs {
                steps
                    .iter_mut()
                    .zip(more)
                    .for_each(|(step, more)| *step += more);
            }
        }
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
        let near = |near: &(ImageId, f32)| Near::new(near, shown);
        LabelPreview {
            label,
            threshold,
            images: self.kept.len(),
            added: missing_in(&self.kept, before),
            removed: missing_in(before, &self.kept),
            histogram: self.histogram.to_vec(),
            above: self.above.iter().filter_map(near).collect(),
            below: self.below.iter().filter_map(near).collect(),
            steps: self.steps,
        }
    }
}

impl Near {
    /// A picture with its score, if it is among those that are known.
    pub(super) fn new(
        (image, score): &(ImageId, f32),
        shown: &BTreeMap<ImageId, (String, String)>,
    ) -> Option<Near> {
        let (id, path) = shown.get(image)?.clone();
        Some(Near {
            id,
            path,
            score: *score,
        })
    }
}

/// For each label how closely it is looked at, with nothing scored yet. Labels have the `nearest` of all but the closer one.
fn looks(
    classifier: &Classifier,
    closer: Option<&Closer>,
    before: &BTreeMap<String, Vec<ImageId>>,
) -> Vec<Scored> {
    let labels = classifier.set().labels.iter();
    let look = |label: &Label| match closer.filter(|closer| closer.label == label.name) {
        None => Scored::new(),
        Some(closer) => {
            let carrying = before.get(&*label.name).into_iter().flatten().copied();
            Scored {
                nearest: closer.near,
                carrying: Some(Arc::new(carrying.collect())),
                steps: Some(Steps {
                    carrying: vec![0; STEPS],
                    others: vec![0; STEPS],
                }),
                ..Scored::new()
            }
        }
    };
    labels.map(look).collect()
}

/// Puts a picture where it belongs among the nearest to a threshold, nearest first, if it is one of them.
fn keep_nearest(
    nearest: &mut Vec<(ImageId, f32)>,
    near: (ImageId, f32),
    threshold: f32,
    most: usize,
) {
    // By image where scores are the same, so that the answer does not depend on which thread was first.
    let key = |(image, score): &(ImageId, f32)| ((score - threshold).abs(), *image);
    let place = nearest.partition_point(|other| key(other) < key(&near));
    if place < most {
        nearest.truncate(most - 1);
        nearest.insert(place, near);
    }
}

/// Scores every image, label by label as `empty` looks at it; but for those that people decided about.
fn score(
    classifier: &Classifier,
    vectors: &Vectors,
    decided: &BTreeMap<ImageId, Decided>,
    empty: &[Scored],
) -> Vec<Scored> {
    let labels = classifier.set().labels.len();
    let thresholds: Vec<f32> = (0..labels)
        .map(|label| classifier.threshold(label))
        .collect();
    let none = || empty.to_vec();
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
pub(super) fn shown(
    mut images: Vec<ImageId>,
    store: &Store,
) -> Result<BTreeMap<ImageId, (String, String)>, TagError> {
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
