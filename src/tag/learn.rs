//! What a label set is scored with: its prompts, and what the library's pictures and its examples teach it.

use std::collections::BTreeMap;

use super::calibration::Calibration;
use super::classifier::Classifier;
use super::covariance::{Covariance, LibrarySample};
use super::error::TagError;
use super::examples::{Examples, LEAST_LIBRARY_IMAGES};
use super::exemplars::{ExampleRows, Exemplar};
use super::learned::Learned;
use super::set::{LabelSet, Scoring};
use super::signature::{LearnsFrom, signature};
use super::state::State;
use crate::store::AppliedSet;

/// What a set is to be scored with.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) examples: Examples,
    /// Images that the library has, or had when the set last learned from it; none where it learns nothing.
    images: Option<usize>,
    pub(super) signature: String,
}

impl Wanted {
    /// Looks up what the set `name` is to be scored with; `stored` is how it was last applied.
    pub(super) fn find(
        state: &State,
        name: &str,
        set: &LabelSet,
        stored: Option<&AppliedSet>,
    ) -> Result<Wanted, TagError> {
        let examples = Examples::find(set, &set.key(name), &state.store, &state.vectors)?;
        let now = state.vectors.len();
        let calibrates = set.scoring == Scoring::Library && now >= LEAST_LIBRARY_IMAGES;
        let learns = calibrates || !examples.is_empty();
        let learns_from = learns.then(|| LearnsFrom {
            images: images_to_learn_from(stored, now),
            examples: examples.content(),
        });
        let signature = signature(set, state.embedder.fingerprint(), learns_from.as_ref())?;
        Ok(Wanted {
            examples,
            images: learns_from.map(|from| from.images),
            signature,
        })
    }

    /// The classifier of a set, with what the library has taught it. What is stored for the same signature is taken as it is, so
    /// that an image is scored alike whenever it comes.
    pub(super) fn classifier(
        &self,
        state: &State,
        set: LabelSet,
        stored: Option<&AppliedSet>,
    ) -> Result<(Classifier, Option<Learned>), TagError> {
        let classifier = Classifier::build(set, &state.embedder)?;
        let Some(images) = self.images else {
            return Ok((classifier, None));
        };
        let stored = stored.filter(|stored| stored.signature == self.signature);
        if let Some(learned) = stored.and_then(learned_before) {
            let classifier = classifier.calibrated(learned.calibration);
            let classifier = classifier.with_exemplars(&learned.exemplars);
            return Ok((classifier, Some(learned)));
        }
        let sample = LibrarySample::take(&state.vectors, state.embedder.embedding_dim());
        let examples = self.examples.rows(&state.vectors);
        let (classifier, learned) = learn(classifier, &examples, &sample, images);
        Ok((classifier, Some(learned)))
    }
}

/// Learns from a sample of the library, which has so many images. Examples are weighed against prompts that are calibrated.
fn learn(
    classifier: Classifier,
    examples: &ExampleRows,
    sample: &LibrarySample,
    images: usize,
) -> (Classifier, Learned) {
    let calibration = match classifier.set().scoring {
        Scoring::Probability => None,
        Scoring::Library => Calibration::of(classifier.log_odds(&sample.rows)),
    };
    let classifier = classifier.calibrated(calibration);
    let exemplars = learn_exemplars(&classifier, examples, sample);
    let classifier = classifier.with_exemplars(&exemplars);
    let learned = Learned {
        images,
        calibration,
        exemplars,
    };
    (classifier, learned)
}

/// What examples teach a classifier that knows none yet, by label.
fn learn_exemplars(
    classifier: &Classifier,
    examples: &ExampleRows,
    sample: &LibrarySample,
) -> BTreeMap<String, Exemplar> {
    if examples.is_empty() {
        return BTreeMap::new();
    }
    let Some(covariance) = Covariance::of(sample) else {
        return BTreeMap::new();
    };
    let in_library = mean_probabilities(classifier, &sample.rows);
    let learn = |(label, rows): (&usize, &Vec<Vec<f32>>)| {
        let of_examples = mean_probabilities(classifier, &rows.concat())[*label];
        let in_library = in_library[*label];
        let told_apart = ((of_examples - in_library) / (1.0 - in_library)).clamp(0.0, 1.0);
        // A prompt that fits every picture of the library tells nothing, and leaves 0/0.
        let prompt_weight = if told_apart.is_finite() {
            told_apart
        } else {
            0.0
        };
        let exemplar = Exemplar::of(&covariance, rows, prompt_weight)?;
        Some((classifier.set().labels[*label].name.to_string(), exemplar))
    };
    examples.iter().filter_map(learn).collect()
}

/// For each label the mean over images of its probability against the background.
fn mean_probabilities(classifier: &Classifier, images: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0; classifier.set().labels.len()];
    let log_odds = classifier.log_odds(images);
    let images = log_odds.chunks_exact(sums.len());
    let count = images.len().max(1) as f32;
    for log_odds in images {
        for (sum, log_odds) in sums.iter_mut().zip(log_odds) {
            *sum += 1.0 / (1.0 + (-log_odds).exp());
        }
    }
    sums.iter().map(|sum| sum / count).collect()
}

fn learned_before(stored: &AppliedSet) -> Option<Learned> {
    Learned::read(stored.learned.as_ref()?)
}

/// The number of images that a set learned from, until the library has twice as many, or half.
fn images_to_learn_from(stored: Option<&AppliedSet>, now: usize) -> usize {
    let before = stored
        .and_then(learned_before)
        .map_or(0, |learned| learned.images);
    if before > now / 2 && before < now * 2 {
        before
    } else {
        now
    }
}

#[cfg(test)]
mod tests {
    use super::super::classifier::tests::classifier;
    use super::*;
    use crate::embed::Embedding;

    fn unit(vector: [f32; 3]) -> Vec<f32> {
        let unit = Embedding::new(vector.to_vec()).unwrap();
        unit.as_slice().to_vec()
    }

    /// Most pictures lie about the background, a few along y, and as many along x.
    fn sample() -> LibrarySample {
        let about = |i: i32| [0.1 * (i % 5 - 2) as f32, 0.1 * (i % 7 - 3) as f32, 1.0];
        let along = |i: i32| {
            let tilt = 0.1 * i as f32;
            [[tilt, 1.0, 0.3], [1.0, tilt, 0.3]]
        };
        let rows = (0..40).map(about).chain((0..4).flat_map(along));
        LibrarySample {
            rows: rows.flat_map(unit).collect(),
            embedding_dim: 3,
        }
    }

    fn learned(classifier: &Classifier, examples: &[[f32; 3]]) -> BTreeMap<String, Exemplar> {
        let rows = examples.iter().copied().map(unit).collect();
        learn_exemplars(classifier, &BTreeMap::from([(0, rows)]), &sample())
    }

    fn labels(classifier: &Classifier, image: [f32; 3]) -> Vec<usize> {
        let kept = classifier.tags(&unit(image)).into_iter();
        kept.map(|kept| kept.label).collect()
    }

    #[test]
    fn a_prompt_that_tells_nothing_yields_to_the_examples() {
        // The label called x is what lies along -y, which no prompt says.
        for mode in ["independent", "exclusive"] {
            let plain = classifier(mode, "");
            assert!(labels(&plain, [0.05, -0.9, 0.3]).is_empty(), "{mode}");
            let exemplars = learned(&plain, &[[0.0, -1.0, 0.3], [0.1, -0.8, 0.4]]);
            assert!(exemplars["x"].prompt_weight < 0.05, "{exemplars:?}");
            let adjusted = plain.with_exemplars(&exemplars);
            assert_eq!(labels(&adjusted, [0.05, -0.9, 0.3]), [0], "{mode}");
            assert!(labels(&adjusted, [0.1, 0.1, 1.0]).is_empty(), "{mode}");
            assert_eq!(
                labels(&adjusted, [0.0, 1.0, 0.3]),
                [1],
                "{mode}: no examples"
            );
        }
    }

    #[test]
    fn a_prompt_that_tells_the_examples_stays_in_force() {
        let plain = classifier("independent", "");
        let exemplars = learned(&plain, &[[1.0, 0.0, 0.2]]);
        assert!(exemplars["x"].prompt_weight > 0.95, "{exemplars:?}");
        let scores = |classifier: &Classifier| {
            let kept = classifier.tags(&unit([0.8, 0.3, 0.4]));
            kept[0].score
        };
        let before = scores(&plain);
        let after = scores(&plain.with_exemplars(&exemplars));
        assert!((before - after).abs() < 0.03, "{before} {after}");
    }

    #[test]
    fn examples_that_are_the_whole_library_teach_nothing() {
        let sample = LibrarySample {
            rows: unit([0.2, 0.3, 0.9]).repeat(30),
            embedding_dim: 3,
        };
        let examples = BTreeMap::from([(0, vec![unit([0.2, 0.3, 0.9])])]);
        let plain = classifier("independent", "");
        assert!(learn_exemplars(&plain, &examples, &sample).is_empty());
    }

    #[test]
    fn an_image_is_scored_alike_in_any_company_by_what_was_learned() {
        let plain = classifier("independent", "");
        let exemplars = learned(&plain, &[[0.3, -1.0, 0.3]]);
        let adjusted = plain.with_exemplars(&exemplars);
        let images = sample();
        let together = adjusted.logits(&images.rows);
        let alone = images
            .rows
            .chunks(3)
            .flat_map(|image| adjusted.logits(image));
        assert_eq!(together, alone.collect::<Vec<_>>());
    }

    #[test]
    fn a_set_learns_again_when_its_library_has_doubled_or_halved() {
        let learned = Learned {
            images: 100,
            ..Learned::default()
        };
        let stored = AppliedSet {
            learned: Some(learned.state()),
            ..AppliedSet::default()
        };
        let images = |now| images_to_learn_from(Some(&stored), now);
        assert_eq!([images(51), images(100), images(199)], [100; 3]);
        assert_eq!([images(50), images(200)], [50, 200]);
        assert_eq!(images_to_learn_from(None, 7), 7);
    }
}
