//! Scores that mean the same under another model: log-odds calibrated on the library at hand.
//!
//! How far a true label lies above "a photo." differs from model to model, and where nothing in a model's training said so it
//! may lie below. What all labels of a set say of a sample of the library, most of which is untrue, shows where untrue ends.
//! It is taken over all labels together: one that most pictures have would hide itself in a measure of its own.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::embed::log_sum_exp;

/// Where log-odds are even, in deviations above the median. From 2 to 3.5 was best on three models and eight libraries
/// (`tests/benches/scores`).
const EVEN: f32 = 2.6;

/// Log-odds for each deviation.
const GAIN: f32 = 2.0;

/// A normal distribution's deviation, in median absolute deviations.
const NORMAL: f32 = 1.4826;

/// Where the log-odds of a set's labels lie in a library, most of which has none of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Calibration {
    pub(super) median: f32,
    pub(super) deviation: f32,
}

impl Calibration {
    /// Of the log-odds of all labels on a sample, by prompts alone; none where all are the same.
    pub(super) fn of(mut log_odds: Vec<f32>) -> Option<Calibration> {
        let median = median_of(&mut log_odds)?;
        for log_odds in &mut log_odds {
            *log_odds = (*log_odds - median).abs();
        }
        let deviation = NORMAL * median_of(&mut log_odds)?;
        (deviation > 1e-6).then_some(Calibration { median, deviation })
    }

    /// Calibrates the logits of one image, but those of the background.
    pub(super) fn apply(self, logits: &mut [f32], background: &Range<usize>) {
        let ground = log_sum_exp(&logits[background.clone()]);
        for (at, logit) in logits.iter_mut().enumerate() {
            if !background.contains(&at) {
                let deviations = (*logit - ground - self.median) / self.deviation;
                *logit = ground + GAIN * (deviations - EVEN);
            }
        }
    }
}

fn median_of(values: &mut [f32]) -> Option<f32> {
    let at = values.len() / 2;
    (at < values.len()).then(|| *values.select_nth_unstable_by(at, f32::total_cmp).1)
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
            let calibration = Calibration {
                median: median_of(&mut all).unwrap(),
                deviation: stretch,
            };
            let mut logits = [shift + stretch * 6.0 + 1.5, shift + 1.5, 1.5];
            calibration.apply(&mut logits, &background);
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
            let calibration = Calibration::of(plain.log_odds(&sample));
            assert!(calibration.is_some(), "{mode}");
            let calibrated = plain.calibrated(calibration);
            let labels: Vec<usize> = calibrated.tags(&one).iter().map(|tag| tag.label).collect();
            assert_eq!(labels, [0], "{mode}");
            assert!(calibrated.tags(&sample).is_empty(), "{mode}");
        }
    }

    #[test]
    fn pictures_that_are_all_alike_have_no_measure() {
        assert_eq!(Calibration::of(Vec::new()), None);
        let plain = classifier("exclusive", "");
        let alike = plain.log_odds(&[0.0, 0.0, 1.0].repeat(9));
        assert_eq!(Calibration::of(alike), None);
    }
}
