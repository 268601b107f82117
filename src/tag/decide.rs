//! People's word against the model's: decisions win over scores.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::tagger::{ActiveSet, Tagger, locked};
use super::{Classifier, TagError};
use crate::index::Vectors;
use crate::store::{
    ContentHash, Decision, ImageId, LabelId, LabelRef, Retagged, Store, Verdict, WhichDecisions,
};

/// What people decided about one image, by the label's place in the set.
pub(super) type Decided = Vec<(usize, Verdict)>;

/// What people decided in one set, by image. Decisions on labels that the set has not are left out.
pub(super) fn decided_in(
    key: &str,
    classifier: &Classifier,
    store: &Store,
) -> Result<BTreeMap<ImageId, Decided>, TagError> {
    let which = WhichDecisions {
        set: Some(key.to_owned()),
        ..WhichDecisions::default()
    };
    let mut by_hash: BTreeMap<ContentHash, Vec<Decision>> = BTreeMap::new();
    for decision in store.decisions(&which)? {
        by_hash.entry(decision.image).or_default().push(decision);
    }
    let mut decided = BTreeMap::new();
    for (hash, decisions) in by_hash {
        let places = places(key, classifier, &decisions);
        // A decision can be there before its image.
        if let (false, Some(image)) = (places.is_empty(), store.image_by_hash(&hash)?) {
            decided.insert(image, places);
        }
    }
    Ok(decided)
}

/// Puts what people decided in the place of what was scored.
pub(super) fn overrule(
    decided: &BTreeMap<ImageId, Decided>,
    classifier: &Classifier,
    vectors: &Vectors,
    tags: &mut [Vec<(ImageId, f32)>],
) {
    if decided.is_empty() {
        return;
    }
    for tags in &mut *tags {
        tags.retain(|tag| !decided.contains_key(&tag.0));
    }
    for (image, decided) in decided {
        let embedding = vectors.embedding(*image);
        for (label, score) in classifier.tags_of_decided(embedding.as_deref(), decided) {
            tags[label].push((*image, score));
        }
    }
    for tags in tags {
        tags.sort_unstable_by_key(|tag| tag.0);
    }
}

/// Those of an image's decisions that are about this set, by the label's place in it.
fn places(key: &str, classifier: &Classifier, decisions: &[Decision]) -> Decided {
    let place = |decision: &Decision| {
        let is_label = |label: &super::Label| *label.name == decision.label;
        let label = classifier.set().labels.iter().position(is_label)?;
        Some((label, decision.verdict?))
    };
    decisions
        .iter()
        .filter(|decision| decision.set == key)
        .filter_map(place)
        .collect()
}

impl ActiveSet {
    /// The tags of an image; without an embedding of it, those that people confirmed.
    pub(super) fn tags_of(
        &self,
        embedding: Option<&[f32]>,
        decisions: &[Decision],
    ) -> Vec<(LabelId, f32)> {
        let decided = places(&self.key, &self.classifier, decisions);
        let tags = self
            .classifier
            .tags_of_decided(embedding, &decided)
            .into_iter();
        tags.map(|(label, score)| (self.ids[label], score))
            .collect()
    }
}

impl Tagger {
    /// Keeps decisions, and changes the tags of their images with them. Returns how many decisions that changed.
    ///
    /// A decision names its set by its `id`, or by its name where it has none; one on a label or an image that is not there is kept
    /// for the time when it is.
    pub fn decide(&self, decisions: &[Decision]) -> Result<usize, TagError> {
        let _one_at_a_time = locked(&self.syncing);
        let _no_recording = self.hold_recording();
        let mut after: BTreeMap<ContentHash, Vec<Decision>> = BTreeMap::new();
        for decision in decisions {
            let all = match after.entry(decision.image) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(decisions_on(&self.store, decision.image)?),
            };
            all.retain(|other| (&other.set, &other.label) != (&decision.set, &decision.label));
            all.push(decision.clone());
        }
        let keys: BTreeSet<&str> = decisions
            .iter()
            .map(|decision| decision.set.as_str())
            .collect();
        let mut retagged = Vec::new();
        for (hash, decisions) in &after {
            if let Some(image) = self.store.image_by_hash(hash)? {
                retagged.extend(self.retag(image, decisions, &keys));
            }
        }
        let changed = self.store.decide(decisions, &retagged)?;
        self.tell_news();
        Ok(changed)
    }

    /// Decides about one label of a set in force on several images, as [`Tagger::decide`]; `set` is its name or its `id`. What was
    /// decided can be taken back when the label, or its set, is there no more.
    pub fn decide_on(
        &self,
        label: &LabelRef,
        verdict: Option<Verdict>,
        images: Vec<ContentHash>,
    ) -> Result<usize, TagError> {
        let set = match verdict {
            Some(_) => self.set_key(label)?,
            None => self
                .set(&label.set)
                .map_or(label.set.clone(), |set| set.key.clone()),
        };
        let decision = |image| Decision {
            image,
            set: set.clone(),
            label: label.label.to_string(),
            verdict,
            decided_at: None,
        };
        self.decide(&images.into_iter().map(decision).collect::<Vec<_>>())
    }

    /// The tags that the sets with these keys give an image.
    fn retag<'a>(
        &'a self,
        image: ImageId,
        decisions: &'a [Decision],
        keys: &'a BTreeSet<&str>,
    ) -> impl Iterator<Item = Retagged> + 'a {
        let embedding = self.vectors.embedding(image);
        let sets = self.active().as_ref().clone().into_iter();
        sets.filter(|(_, set)| keys.contains(set.key.as_str()))
            .map(move |(name, set)| Retagged {
                set: name,
                image,
                tags: set.tags_of(embedding.as_deref(), decisions),
            })
    }

    /// The set in force with this name, or else with this `id`.
    fn set(&self, name: &str) -> Option<Arc<ActiveSet>> {
        let active = self.active();
        let found = active.get(name);
        let found = found.or_else(|| active.values().find(|other| other.key == name));
        found.cloned()
    }

    /// What decisions know a label of a set in force by: the set's `id`, or its name.
    fn set_key(&self, label: &LabelRef) -> Result<String, TagError> {
        let unknown = || TagError::Unknown(label.set.clone());
        let found = self.set(&label.set).ok_or_else(unknown)?;
        let labels = &found.classifier.set().labels;
        if labels.iter().any(|other| other.name == label.label) {
            return Ok(found.key.clone());
        }
        Err(TagError::UnknownLabel {
            set: label.set.clone(),
            label: label.label.clone(),
        })
    }
}

/// All decisions on an image.
pub(super) fn decisions_on(store: &Store, image: ContentHash) -> Result<Vec<Decision>, TagError> {
    Ok(store.decisions(&WhichDecisions {
        image: Some(image),
        ..WhichDecisions::default()
    })?)
}
