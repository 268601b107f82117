//! Who is told of a set's tags: the hooks that its labels name, and the readers of the event stream.

use super::{Applied, Label, LabelSet, TagError, Tagger};
use crate::store::{AppliedChange, AppliedLabel, Event, TagDifference};

impl Tagger {
    /// The hooks that a set names and that nobody declared.
    pub(super) fn hook_warnings(&self, set: &LabelSet) -> Result<Vec<String>, TagError> {
        let hooks = self.store.hooks()?.into_iter();
        let declared = hooks.filter(|(_, hook)| hook.declared);
        Ok(set.warnings(&declared.map(|(name, _)| name).collect()))
    }

    /// Tells that a set was applied.
    pub(super) fn tell(&self, name: String, difference: TagDifference) -> Applied {
        self.store.feed().tell(Event::LabelSet(AppliedChange {
            set: name.clone(),
            difference,
        }));
        Applied { name, difference }
    }
}

/// The labels of a set with the hooks that each names.
pub(super) fn applied_labels(set: &LabelSet) -> Vec<AppliedLabel> {
    let label = |label: &Label| AppliedLabel {
        name: label.name.to_string(),
        hooks: set.hooks_of(label).to_vec(),
    };
    set.labels.iter().map(label).collect()
}
