//! What a decision changes: the set and the label that it is about, and the tags of its images.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::active::{Active, ActiveSet};
use super::error::TagError;
use super::overrule::decisions_on;
use crate::index::Vectors;
use crate::spelling::folded;
use crate::store::{ContentHash, Decision, LabelRef, Retagged, Store, Verdict};

/// What decisions know a label's set by: its `id`, or its name. Only what is there can be decided about, but what was decided can be
/// taken back when the label, or its set, is there no more.
pub(super) fn set_key(
    active: &Active,
    label: &LabelRef,
    verdict: Option<Verdict>,
) -> Result<String, TagError> {
    if verdict.is_none() {
        return Ok(key_of(active, &label.set));
    }
    let found = find(active, &label.set).ok_or_else(|| TagError::Unknown(label.set.clone()))?;
    let labels = &found.classifier.set().labels;
    if labels.iter().any(|other| other.name == label.label) {
        return Ok(found.key.clone());
    }
    Err(TagError::UnknownLabel {
        set: label.set.clone(),
        label: label.label.clone(),
    })
}

/// What decisions know the set by that is called so; the name itself where none is.
pub(super) fn key_of(active: &Active, name: &str) -> String {
    find(active, name).map_or_else(|| name.to_owned(), |set| set.key.clone())
}

/// The set in force with this name, however it is written, or else with this `id`.
fn find<'a>(active: &'a Active, name: &str) -> Option<&'a Arc<ActiveSet>> {
    let with_key = || active.values().find(|other| other.key == name);
    let wanted = folded(name);
    let alike = active.iter().find(|(other, _)| folded(other) == wanted);
    alike.map(|(_, set)| set).or_else(with_key)
}

/// The tags of the images that these decisions are about, as they are to be, in the sets that they are about.
pub(super) fn retag(
    decisions: &[Decision],
    active: &Active,
    store: &Store,
    vectors: &Vectors,
) -> Result<Vec<Retagged>, TagError> {
    let keys: BTreeSet<&str> = decisions
        .iter()
        .map(|decision| decision.set.as_str())
        .collect();
    let after = with_earlier(decisions, store)?;
    let mut retagged = Vec::new();
    for (hash, image) in store.images_by_hash(after.keys())? {
        let frames = vectors.frames(image);
        let sets = active.iter();
        let concerned = sets.filter(|(_, set)| keys.contains(set.key.as_str()));
        retagged.extend(concerned.map(|(name, set)| Retagged {
            set: name.clone(),
            image,
            tags: set.tags_of(frames.as_deref(), &after[&hash]),
        }));
    }
    Ok(retagged)
}

/// All decisions on each image as they will be with these.
fn with_earlier(
    decisions: &[Decision],
    store: &Store,
) -> Result<BTreeMap<ContentHash, Vec<Decision>>, TagError> {
    let images: BTreeSet<ContentHash> = decisions.iter().map(|decision| decision.image).collect();
    let mut after: BTreeMap<ContentHash, Vec<Decision>> = BTreeMap::new();
    for earlier in decisions_on(store, images.into_iter().collect())? {
        after.entry(earlier.image).or_default().push(earlier);
    }
    for decision in decisions {
        let all = after.entry(decision.image).or_default();
        all.retain(|other| (&other.set, &other.label) != (&decision.set, &decision.label));
        all.push(decision.clone());
    }
    Ok(after)
}
