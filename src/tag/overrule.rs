//! People's word against the model's: decisions win over scores.

use std::collections::BTreeMap;

use super::classifier::Classifier;
use super::error::TagError;
use super::score::{add, sort};
use super::set::Label;
use crate::index::Vectors;
use crate::spelling::composed;
use crate::store::{ContentHash, Decision, ImageId, LibraryTags, Store, Verdict, WhichDecisions};

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
    // A decision can be there before its image.
    let images = store.images_by_hash(by_hash.keys())?.into_iter();
    let decided = images.map(|(hash, image)| (image, places(key, classifier, &by_hash[&hash])));
    Ok(decided.filter(|(_, places)| !places.is_empty()).collect())
}

/// Puts what people decided in the place of what was scored.
pub(super) fn overrule(
    decided: &BTreeMap<ImageId, Decided>,
    classifier: &Classifier,
    vectors: &Vectors,
    tags: &mut LibraryTags,
) {
    if decided.is_empty() {
        return;
    }
    for tags in tags.scores.iter_mut().chain(&mut tags.shares) {
        tags.retain(|tag| !decided.contains_key(&tag.0));
    }
    for (image, decided) in decided {
        let frames = vectors.frames(*image);
        add(
            tags,
            *image,
            classifier.tags_of_image(frames.as_deref(), decided),
        );
    }
    sort(tags);
}

/// Those of an image's decisions that are about this set, by the label's place in it.
pub(super) fn places(key: &str, classifier: &Classifier, decisions: &[Decision]) -> Decided {
    let place = |decision: &Decision| {
        let decided = composed(&decision.label);
        let is_label = |label: &Label| *label.name == *decided;
        let label = classifier.set().labels.iter().position(is_label)?;
        Some((label, decision.verdict?))
    };
    decisions
        .iter()
        .filter(|decision| decision.set == key)
        .filter_map(place)
        .collect()
}

/// All decisions on these images.
pub(super) fn decisions_on(
    store: &Store,
    images: Vec<ContentHash>,
) -> Result<Vec<Decision>, TagError> {
    Ok(store.decisions(&WhichDecisions {
        images: Some(images),
        ..WhichDecisions::default()
    })?)
}
