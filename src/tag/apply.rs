//! Carries out what was planned: puts sets in force, scores the library where scores may differ, and tells what that changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tracing::info;

use super::active::ActiveSet;
use super::classifier::Classifier;
use super::error::TagError;
use super::learn::Wanted;
use super::overrule::{decided_in, overrule};
use super::plan::Action;
use super::score::score_library;
use super::set::{Label, LabelSet};
use super::state::State;
use crate::figures::FIGURES;
use crate::priority;
use crate::store::{AppliedLabel, AppliedSet, Event, LabelId, SetApplied, TagDifference};

/// Takes these actions and returns the sets whose tags were brought up to date; `stored` is how sets were last applied.
pub(super) fn apply(
    state: &State,
    actions: Vec<Action>,
    stored: &BTreeMap<String, AppliedSet>,
) -> Result<Vec<SetApplied>, TagError> {
    let mut applied = Vec::new();
    for action in actions {
        let started = Instant::now();
        let (set, difference) = match action {
            Action::Remove { name } => {
                let difference = remove(state, &name)?;
                (name, Some(difference))
            }
            Action::Apply {
                name,
                set,
                definition,
            } => {
                let difference = put_in_force(state, &name, set, definition, stored.get(&name))?;
                (name, difference)
            }
        };
        if let Some(difference) = difference {
            FIGURES.stages.add("label_set", started.elapsed());
            FIGURES.tags.add("added", difference.added);
            FIGURES.tags.add("removed", difference.removed);
            let change = SetApplied { set, difference };
            state.store.feed().tell(Event::LabelSet(change.clone()));
            applied.push(change);
        }
    }
    Ok(applied)
}

fn remove(state: &State, name: &str) -> Result<TagDifference, TagError> {
    let _no_recording = state.hold_recording();
    let removed = state.store.delete_label_set(name)?;
    state.take_out_of_force(name);
    state.notes().forget(name);
    info!(set = name, removed, "label set removed");
    Ok(TagDifference {
        removed,
        ..TagDifference::default()
    })
}

/// Puts a set in force, and scores the library with it where tags may differ.
fn put_in_force(
    state: &State,
    name: &str,
    set: LabelSet,
    definition: String,
    stored: Option<&AppliedSet>,
) -> Result<Option<TagDifference>, TagError> {
    let wanted = Wanted::find(state, name, &set, stored)?;
    let mut warnings = hook_warnings(state, &set)?;
    warnings.extend_from_slice(&wanted.examples.warnings);
    state.notes().replace_warnings(name, warnings);
    let is_same_text = stored.is_some_and(|stored| stored.definition == definition);
    let is_in_force = |active: &Arc<ActiveSet>| {
        active.signature == wanted.signature && *active.classifier.set() == set
    };
    if is_same_text && state.active().get(name).is_some_and(is_in_force) {
        return Ok(None);
    }
    let key = set.key(name);
    let labels = applied_labels(&set);
    let (classifier, learned) = wanted.classifier(state, set, stored)?;
    let applied = AppliedSet {
        key,
        signature: wanted.signature,
        definition,
        learned: learned.map(|learned| learned.state()),
    };
    let _no_recording = state.hold_recording();
    let known = scored_before(state, name, &applied, &labels, stored)?;
    let (ids, difference) = if let Some(ids) = known {
        (ids, None)
    } else {
        let score = || score(state, name, &classifier, &labels, &applied);
        let (ids, difference) = priority::beside_searches(score)?;
        (ids, Some(difference))
    };
    let set = ActiveSet {
        classifier,
        ids,
        key: applied.key,
        signature: applied.signature,
    };
    state.put_in_force(name.to_owned(), set);
    Ok(difference)
}

/// The rows of a set's labels where the library's tags are already what it says: a text that scores as the one before it is merely
/// kept, with the hooks that its labels name. Under another key other decisions count, so that tags may differ.
fn scored_before(
    state: &State,
    name: &str,
    set: &AppliedSet,
    labels: &[AppliedLabel],
    stored: Option<&AppliedSet>,
) -> Result<Option<Vec<LabelId>>, TagError> {
    let is_scored =
        |stored: &&AppliedSet| stored.signature == set.signature && stored.key == set.key;
    let Some(stored) = stored.filter(is_scored) else {
        return Ok(None);
    };
    let ids = state.store.label_ids(name, labels)?;
    if let Some(ids) = ids.as_ref().filter(|_| stored.definition != set.definition) {
        state
            .store
            .redefine_label_set(name, &set.definition, ids, labels)?;
    }
    Ok(ids)
}

/// Makes the library's tags of one set what it says. The caller holds recording back, so that no image comes in between.
fn score(
    state: &State,
    name: &str,
    classifier: &Classifier,
    labels: &[AppliedLabel],
    applied: &AppliedSet,
) -> Result<(Vec<LabelId>, TagDifference), TagError> {
    let started = Instant::now();
    let mut tags = score_library(classifier, &state.vectors);
    let decided = decided_in(&applied.key, classifier, &state.store)?;
    overrule(&decided, classifier, &state.vectors, &mut tags);
    let is_scored = |image| state.vectors.contains(image);
    let scored_ms = started.elapsed().as_millis() as u64;
    let (ids, difference) = state
        .store
        .apply_label_set(name, applied, labels, &tags, is_scored)?;
    let duration_ms = started.elapsed().as_millis() as u64;
    info!(
        set = name,
        added = difference.added,
        removed = difference.removed,
        rescored = difference.rescored,
        images = state.vectors.len(),
        scored_ms,
        duration_ms,
        "label set applied"
    );
    Ok((ids, difference))
}

/// The hooks that a set names and that nobody declared.
fn hook_warnings(state: &State, set: &LabelSet) -> Result<Vec<String>, TagError> {
    let hooks = state.store.hooks()?.into_iter();
    let declared = hooks.filter(|(_, hook)| hook.declared);
    Ok(set.warnings(&declared.map(|(name, _)| name).collect()))
}

/// The labels of a set with the hooks that each names.
fn applied_labels(set: &LabelSet) -> Vec<AppliedLabel> {
    let label = |label: &Label| AppliedLabel {
        name: label.name.to_string(),
        hooks: set.hooks_of(label).to_vec(),
    };
    set.labels.iter().map(label).collect()
}
