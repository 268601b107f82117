//! The hierarchy that the parents of labels make.

use std::collections::BTreeMap;

use super::active::Active;

/// The labels above each label, topmost first, by label set and label.
pub type Ancestors = BTreeMap<(String, String), Vec<String>>;

/// Those of these sets.
pub(super) fn ancestors(active: &Active) -> Ancestors {
    let mut ancestors = Ancestors::new();
    for (name, active) in active {
        let set = active.classifier.set();
        // A set in force is sound, so that there is no circle.
        let places = set.ancestors().unwrap_or_default();
        for (label, places) in set.labels.iter().zip(places) {
            let above = places.into_iter().rev();
            let above = above.map(|place| set.labels[place].name.to_string());
            ancestors.insert((name.clone(), label.name.to_string()), above.collect());
        }
    }
    ancestors
}
