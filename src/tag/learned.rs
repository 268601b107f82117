//! What a label set has learned from the library, frozen when the set is applied, so that later pictures are scored alike.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calibration::Calibration;
use super::exemplars::Exemplar;
use crate::store::LearnedState;

/// The form in which it is kept. A set that learned in another one is scored again.
pub(super) const VERSION: i64 = 1;

/// What a set has learned from the library.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Learned {
    /// Images that the library had then.
    pub(super) images: usize,
    /// What its scores are calibrated with; none where they are plain probabilities.
    pub(super) calibration: Option<Calibration>,
    /// What examples have taught, by the label's name.
    pub(super) exemplars: BTreeMap<String, Exemplar>,
}

impl Learned {
    /// Reads what the store keeps; none where it is of another version.
    pub(super) fn read(state: &LearnedState) -> Option<Learned> {
        let is_readable = state.version == VERSION;
        is_readable
            .then(|| serde_json::from_str(&state.text).ok())
            .flatten()
    }

    /// What the store is to keep.
    pub(super) fn state(&self) -> LearnedState {
        LearnedState {
            version: VERSION,
            // Numbers and names can always be written; were they not, the set would learn again.
            text: serde_json::to_string(self).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_is_read_back_to_the_bit() {
        let exemplar = Exemplar {
            prompt_weight: 0.1,
            direction: vec![1.0 / 3.0, -1e-30, f32::MAX, 0.0],
            bias: -5.0,
        };
        let learned = Learned {
            images: 7,
            calibration: Some(Calibration {
                median: -1.7,
                deviation: 0.3,
            }),
            exemplars: BTreeMap::from([("a".to_owned(), exemplar)]),
        };
        let state = learned.state();
        assert_eq!(Learned::read(&state), Some(learned));
        let later = LearnedState {
            version: VERSION + 1,
            ..state
        };
        assert_eq!(Learned::read(&later), None);
    }
}
