//! How the label sets stand: what is in force, and what is wrong with their files.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::warn;

use super::tagger::{ActiveSet, Tagger, locked};
use super::{LabelSet, SetError};

/// How a label set stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SetStatus {
    /// The set in force, with its signature; none where no good state is known.
    pub active: Option<(LabelSet, String)>,
    /// What is wrong with its file.
    pub error: Option<SetError>,
    /// What will not do what its owner expects: hooks that are not declared, examples that do not count.
    pub warnings: Vec<String>,
}

/// What there is to say about label files, by set.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) broken: BTreeMap<String, SetError>,
    pub(super) warnings: BTreeMap<String, Vec<String>>,
}

impl Notes {
    /// Keeps what is said about these files only.
    pub(super) fn forget_others(&mut self, files: &BTreeMap<String, String>) {
        self.broken.retain(|name, _| files.contains_key(name));
        self.warnings.retain(|name, _| files.contains_key(name));
    }
}

impl Tagger {
    /// How every label set stands, by name.
    pub fn status(&self) -> BTreeMap<String, SetStatus> {
        let active = self.active();
        let in_force = |(name, set): (&String, &Arc<ActiveSet>)| {
            let active = (set.classifier.set().clone(), set.signature.clone());
            let status = SetStatus {
                active: Some(active),
                ..SetStatus::default()
            };
            (name.clone(), status)
        };
        let mut all: BTreeMap<String, SetStatus> = active.iter().map(in_force).collect();
        let notes = locked(&self.notes);
        for (name, error) in &notes.broken {
            all.entry(name.clone()).or_default().error = Some(error.clone());
        }
        for (name, warnings) in &notes.warnings {
            all.entry(name.clone())
                .or_default()
                .warnings
                .clone_from(warnings);
        }
        all
    }

    /// Remembers, and logs once, what is wrong with a file.
    pub(super) fn note(&self, name: &str, error: Option<&SetError>) {
        let broken = &mut locked(&self.notes).broken;
        match error {
            None => drop(broken.remove(name)),
            Some(error) if broken.get(name) == Some(error) => {}
            Some(error) => {
                let file = self.file(name);
                warn!(file = %file.display(), %error, "label file is broken, its last good state stays in force");
                broken.insert(name.to_owned(), error.clone());
            }
        }
    }

    /// Remembers, and logs once, what a set will not do.
    pub(super) fn warn(&self, name: &str, warnings: &[String]) {
        let before = locked(&self.notes)
            .warnings
            .insert(name.to_owned(), warnings.to_vec());
        if before.as_deref().unwrap_or_default() != warnings {
            for warning in warnings {
                warn!(set = name, "{warning}");
            }
        }
    }
}
