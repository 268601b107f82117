//! What a label set has learned from the library, frozen when the set is applied, so that later pictures are scored alike.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::store::LearnedState;

/// The form in which it is kept. A set that learned in another one is scored again.
pub(super) const VERSION: i64 = 1;

/// How to tell from an embedding whether a picture is like the examples of a label, and what the label's prompt counts
/// beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Likeness {
    /// How far the prompt tells the examples from the library, 0 to 1.
    pub(super) worth: f32,
    /// The log-odds of being like the examples are `way · embedding + bias`.
    pub(super) way: Vec<f32>,
    /// See `way`.
    pub(super) bias: f32,
}

/// Where the log-odds of a set's labels lie in a library, most of which has none of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Standard {
    /// Their median.
    pub(super) middle: f32,
    /// Their deviation.
    pub(super) spread: f32,
}

/// What a set has learned from the library.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Learned {
    /// Images that the library had then.
    pub(super) images: usize,
    /// The measure that its scores are in; none where they are plain probabilities.
    pub(super) standard: Option<Standard>,
    /// What examples have taught, by the label's name.
    pub(super) likenesses: BTreeMap<String, Likeness>,
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
        let likeness = Likeness {
            worth: 0.1,
            way: vec![1.0 / 3.0, -1e-30, f32::MAX, 0.0],
            bias: -5.0,
        };
        let learned = Learned {
            images: 7,
            standard: Some(Standard {
                middle: -1.7,
                spread: 0.3,
            }),
            likenesses: BTreeMap::from([("a".to_owned(), likeness)]),
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
