//! A label set that was read, whatever it says.

use super::set::LabelSet;
use super::signature::signature;
use crate::embed::check_text;

/// It has a signature, no text that is too long for a model, and all ancestors of its labels.
pub(crate) fn check(set: &LabelSet) {
    assert!(signature(set, "model", None).is_ok());
    assert!(set.ancestors().is_ok());
    for label in &set.labels {
        let negative = set.negative_prompts(label).into_iter().flatten();
        for prompt in negative.chain(set.prompts(label)) {
            assert_eq!(check_text(&prompt), Ok(()));
        }
    }
}
