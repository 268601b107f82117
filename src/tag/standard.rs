//! Scores that mean the same under another model: log-odds in the library's own measure.
//!
//! How far a true label lies above "a photo." differs from model to model, and where nothing in a model's training said so it
//! may lie below. What all labels of a set say of a sample of the library, most of which is untrue, shows where untrue ends.
//! It is taken over all labels together: one that most pictures have would hide itself in a measure of its own.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Classifier;
use super::learned::Standard;
use crate::embed::log_sum_exp;

/// Where log-odds are even, in deviations above the median. From 2 to 3.5 was best on three models and eight libraries
/// (`tests/benches/scores`).
const EVEN: f32 = 2.6;

/// Log-odds for each deviation.
const GAIN: f32 = 2.0;

/// A normal distribution's deviation, in median absolute deviations.
const NORMAL: f32 = 1.4826;

/// What a score is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scoring {
    /// The probability against the background.
    #[default]
    Probability,
    /// How far the odds against the background stand out in the library.
    Library,
}

/// The measure of a library, by a classifier that was built from prompts alone; none where all odds are the same.
pub(super) fn measure(classifier: &Classifier, sample: &[f32]) -> Option<Standard> {
    let mut odds = classifier.odds(sample);
    let middle = median(&mut odds)?;
    for odds in &mut odds {
        *odds = (*odds - middle).abs();
    }
    let spread = NORMAL * median(&mut odds)?;
    (spread > 1e-6).then_some(Standard { middle, spread })
}

fn median(values: &mut [f32]) -> Option<f32> {
    let at = values.len() / 2;
    (at < values.len()).then(|| *values.select_nth_unstable_by(at, f32::total_cmp).1)
}

/// Puts the logits of one image, but those of the background, in a library's measure.
pub(super) fn standardise(logits: &mut [f32], background: &Range<usize>, standard: Standard) {
    let ground = log_sum_exp(&logits[background.clone()]);
    for (at, logit) in logits.iter_mut().enumerate() {
        if !background.contains(&at) {
            let deviations = (*logit - ground - standard.middle) / standard.spread;
            *logit = ground + GAIN * (deviations - EVEN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::classifier::tests::classifier;
    use super::*;

    #[test]
    fn a_shift_and_a_stretch_of_all_odds_change_nothing() {
        let background = 2..3;
        let scored = |shift: f32, stretch: f32| {
            let odds = |i: i32| {
                [
                    shift + stretch * (i % 7) as f32,
                    shift + stretch * (i % 5) as f32,
                ]
            };
            let mut all: Vec<f32> = (0..70).flat_map(odds).collect();
            let middle = median(&mut all).unwrap();
            let standard = Standard {
                middle,
                spread: stretch,
            };
            let mut logits = [shift + stretch * 6.0 + 1.5, shift + 1.5, 1.5];
            standardise(&mut logits, &background, standard);
            logits
        };
        let (here, there) = (scored(0.0, 1.0), scored(-40.0, 3.0));
        for (a, b) in here.iter().zip(there) {
            assert!((a - b).abs() < 1e-3, "{here:?} {there:?}");
        }
    }

    #[test]
    fn what_stands_out_in_a_library_reaches_the_threshold() {
        for mode in ["independent", "exclusive"] {
            // Both labels lie far below the background for all pictures, x a little less for one.
            let image = |i: i32| [0.01 * (i % 5) as f32, 0.01 * (i % 7) as f32, 1.0];
            let sample: Vec<f32> = (0..40).flat_map(image).collect();
            let plain = classifier(mode, "");
            let one = [0.3, 0.0, 1.0];
            assert!(plain.tags(&one).is_empty(), "{mode}");
            let standard = measure(&plain, &sample).unwrap();
            let standardised = plain.standardised(Some(standard));
            let labels: Vec<usize> = standardised
                .tags(&one)
                .iter()
                .map(|tag| tag.label)
                .collect();
            assert_eq!(labels, [0], "{mode}");
            assert!(standardised.tags(&sample).is_empty(), "{mode}");
        }
    }

    #[test]
    fn pictures_that_are_all_alike_have_no_measure() {
        assert_eq!(measure(&classifier("independent", ""), &[]), None);
        let background = measure(&classifier("exclusive", ""), &[0.0, 0.0, 1.0].repeat(9));
        assert_eq!(background, None);
    }
}
