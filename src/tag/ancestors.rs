//! The hierarchy that the parents of labels make.

use std::collections::BTreeMap;

use super::active::Active;
use super::set::LabelSet;

/// The labels above each label, topmost first, by label set and label.
pub type Ancestors = BTreeMap<(String, String), Vec<String>>;

/// Those of these sets.
pub(super) fn ancestors(active: &Active) -> Ancestors {
    let mut ancestors = Ancestors::new();
    for (name, active) in active {
        let set = active.classifier.set();
        for (place, label) in set.labels.iter().enumerate() {
            ancestors.insert((name.clone(), label.name.to_string()), above(set, place));
        }
    }
    ancestors
}

/// A set in force is sound, so that there is no circle.
fn above(set: &LabelSet, label: usize) -> Vec<String> {
    let places = set.ancestors(label).unwrap_or_default().into_iter().rev();
    places
        .map(|place| set.labels[place].name.to_string())
        .collect()
}
