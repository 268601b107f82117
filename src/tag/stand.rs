//! How single images stand with labels: what each would get, and what its owner answered so far.

use std::collections::BTreeMap;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::active::ActiveSet;
use super::classifier::Classifier;
use super::error::TagError;
use super::overrule::{decided_in, decisions_on, places};
use super::preview::{Near, shown};
use super::score::BLOCK_ROWS;
use super::state::State;
use crate::index::Vectors;
use crate::priority;
use crate::store::{ContentHash, ImageId, LabelName, SetName, Verdict};

/// How an image stands with a label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LabelScore {
    /// Name of the label set.
    pub set: String,
    /// Name of the label.
    pub label: LabelName,
    /// Probability, 0 to 1, whatever was decided; of a video that of its best frame.
    pub score: f32,
    /// Score from which on the label is kept.
    pub threshold: f32,
    /// What a person decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Verdict>,
}

/// What there is to decide about a label, and what was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Review {
    /// Name of the label set.
    pub set: SetName,
    /// Name of the label.
    pub label: LabelName,
    /// Score from which on it is kept.
    pub threshold: f32,
    /// Images that nobody decided about, the nearest to the threshold first, on either side of it.
    pub queue: Vec<Near>,
    /// Images that carry the label and that nobody decided about.
    pub undecided: usize,
    /// Images whose label was confirmed.
    pub confirmed: usize,
    /// Images whose label was rejected.
    pub rejected: usize,
    /// Of the images that were decided about and that the model gives the label, the share that it is right about; none where there
    /// are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// The lowest threshold at which 95 % of the images that were decided about would be right; none where no threshold gets there,
    /// or too few were decided about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_for_95: Option<f32>,
}

/// A share that was counted on a sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Precision {
    /// The share, 0 to 1.
    pub share: f32,
    /// The least that it may well be: Wilson's interval at 95 %.
    pub low: f32,
    /// The most.
    pub high: f32,
    /// The images that it was counted on.
    pub of: usize,
}

/// Fewer answers say nothing about a threshold.
const ENOUGH_ANSWERS: usize = 10;

/// The precision that a threshold is looked for.
const WANTED: f32 = 0.95;

impl Precision {
    /// So many of so many.
    fn new(right: usize, of: usize) -> Option<Precision> {
        // 1.96 deviations hold 95 % (Wilson, 1927, "Probable inference, the law of succession, and statistical inference").
        const Z: f32 = 1.96;
        (of > 0).then(|| {
            let n = of as f32;
            let share = right as f32 / n;
            let centre = share + Z * Z / (2.0 * n);
            let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
            let scale = 1.0 + Z * Z / n;
            Precision {
                share,
                low: ((centre - half) / scale).max(0.0),
                high: ((centre + half) / scale).min(1.0),
                of,
            }
        })
    }
}

/// The scores of all labels for an image, set by set, the highest first.
pub(super) fn scores_of(state: &State, image: ContentHash) -> Result<Vec<LabelScore>, TagError> {
    let id = state.store.images_by_hash([&image])?.remove(&image);
    let Some(frames) = id.and_then(|id| state.vectors.frames(id)) else {
        return Ok(Vec::new());
    };
    let decisions = decisions_on(&state.store, vec![image])?;
    let mut all = Vec::new();
    for (name, set) in state.active().iter() {
        let ActiveSet {
            classifier, key, ..
        } = &**set;
        let decided = places(key, classifier, &decisions);
        let labels = classifier.set().labels.iter().enumerate();
        let scores = best(classifier, &frames);
        let mut scores: Vec<LabelScore> = labels
            .map(|(at, label)| LabelScore {
                set: name.clone(),
                label: label.name.clone(),
                score: scores[at],
                threshold: classifier.threshold(at),
                decision: decided
                    .iter()
                    .find(|(label, _)| *label == at)
                    .map(|(_, verdict)| *verdict),
            })
            .collect();
        scores.sort_by(|a, b| b.score.total_cmp(&a.score));
        all.extend(scores);
    }
    Ok(all)
}

/// For each label its best score over the frames.
fn best(classifier: &Classifier, frames: &[f32]) -> Vec<f32> {
    let mut best = vec![0.0_f32; classifier.set().labels.len()];
    classifier.each(frames, |_, scores| {
        for (best, score) in best.iter_mut().zip(scores) {
            *best = best.max(*score);
        }
    });
    best
}

/// What there is to decide about a label of this set, up to `most` images of it.
pub(super) fn review(
    state: &State,
    (name, set): (&SetName, &ActiveSet),
    label: &LabelName,
    most: usize,
) -> Result<Review, TagError> {
    let classifier = &set.classifier;
    let at = classifier
        .set()
        .labels
        .iter()
        .position(|other| other.name == *label);
    let at = at.ok_or_else(|| TagError::UnknownLabel {
        set: name.to_string(),
        label: label.clone(),
    })?;
    let threshold = classifier.threshold(at);
    let decided = decided_in(&set.key, classifier, &state.store)?;
    let mut answers = Vec::new();
    let mut open = Vec::new();
    for (image, score) in scores_with(classifier, &state.vectors, at) {
        let verdict = decided.get(&image).and_then(|decided| {
            decided
                .iter()
                .find(|(label, _)| *label == at)
                .map(|(_, verdict)| *verdict)
        });
        match verdict {
            Some(verdict) => {
                answers.push((score.unwrap_or(0.0), verdict == Verdict::Confirmed));
            }
            None => open.extend(score.map(|score| (image, score))),
        }
    }
    let distance = |near: &(ImageId, f32)| (near.1 - threshold).abs();
    let undecided = open.iter().filter(|near| near.1 >= threshold).count();
    open.sort_by(|a, b| distance(a).total_cmp(&distance(b)).then(a.0.cmp(&b.0)));
    open.truncate(most);
    let known = shown(open.iter().map(|near| near.0).collect(), &state.store)?;
    let kept = || answers.iter().filter(|answer| answer.0 >= threshold);
    let confirmed = answers.iter().filter(|answer| answer.1).count();
    Ok(Review {
        set: name.clone(),
        label: label.clone(),
        threshold,
        queue: open
            .iter()
            .filter_map(|near| Near::new(near, &known))
            .collect(),
        undecided,
        confirmed,
        rejected: answers.len() - confirmed,
        precision: Precision::new(kept().filter(|answer| answer.1).count(), kept().count()),
        threshold_for_95: threshold_for(answers, WANTED),
    })
}

/// The score of one label for every image; of a video that of its best frame. In an exclusive set none for images that have a better
/// label.
fn scores_with(
    classifier: &Classifier,
    vectors: &Vectors,
    label: usize,
) -> Vec<(ImageId, Option<f32>)> {
    let of_label = |scores: &[f32]| {
        let is_candidate = classifier.candidates(scores).contains(&label);
        is_candidate.then(|| scores[label])
    };
    let snapshot = vectors.snapshot();
    let mut all: Vec<(ImageId, Option<f32>)> = priority::beside_searches(|| {
        let blocks = snapshot.blocks(BLOCK_ROWS).par_bridge();
        blocks
            .flat_map_iter(|rows| {
                let mut scored = Vec::with_capacity(rows.images.len());
                classifier.each(rows.embeddings, |row, scores| {
                    scored.extend(rows.images[row].map(|image| (image, of_label(scores))));
                });
                scored
            })
            .collect()
    });
    let mut videos: BTreeMap<ImageId, Option<f32>> = BTreeMap::new();
    for video in vectors.videos() {
        classifier.each(&vectors.frames(video).unwrap_or_default(), |_, scores| {
            let best = videos.entry(video).or_default();
            *best = [*best, of_label(scores)]
                .into_iter()
                .flatten()
                .reduce(f32::max);
        });
    }
    all.extend(videos);
    all
}

/// The lowest threshold at or above which this share of the answers is right.
fn threshold_for(mut answers: Vec<(f32, bool)>, wanted: f32) -> Option<f32> {
    answers.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut right = 0;
    let mut lowest = None;
    for (of, (score, is_right)) in (1..).zip(answers.iter().copied()) {
        right += usize::from(is_right);
        // Images of one score come in together.
        let is_last = answers.get(of).is_none_or(|next| next.0 < score);
        if is_last && of >= ENOUGH_ANSWERS && right as f32 >= wanted * of as f32 {
            lowest = Some(score);
        }
    }
    lowest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_comes_with_the_interval_of_wilson() {
        let precision = Precision::new(38, 40).unwrap();
        // As R's prop.test without continuity correction has it.
        assert!((precision.share - 0.95).abs() < 1e-6);
        assert!((precision.low - 0.8350).abs() < 1e-3, "{precision:?}");
        assert!((precision.high - 0.9862).abs() < 1e-3, "{precision:?}");
        assert_eq!(Precision::new(0, 0), None);
        assert!(Precision::new(3, 3).unwrap().high > 0.999);
    }

    #[test]
    fn the_lowest_threshold_that_keeps_enough_right_is_found() {
        let answers = |wrong: &[usize]| -> Vec<(f32, bool)> {
            (0..20)
                .map(|at| (1.0 - at as f32 * 0.01, !wrong.contains(&at)))
                .collect()
        };
        assert_eq!(threshold_for(answers(&[]), 0.95), Some(1.0 - 0.19));
        assert_eq!(
            threshold_for(answers(&[12, 13, 14]), 0.95),
            Some(1.0 - 0.11)
        );
        assert_eq!(threshold_for(answers(&[0, 1, 2, 3]), 0.95), None);
        assert_eq!(threshold_for(answers(&[])[..9].to_vec(), 0.95), None);
        // Of equal scores none can be left out.
        let equal = [(0.5, true), (0.5, false)].repeat(10);
        assert_eq!(threshold_for(equal, 0.95), None);
    }
}
