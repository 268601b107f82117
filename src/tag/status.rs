//! How the label sets stand: what is in force, and what is wrong with their files.

use std::collections::BTreeMap;

use tracing::warn;

use super::active::{Active, ActiveSet};
use super::file_error::FileError;
use super::set::LabelSet;
use crate::store::SetName;

/// How a label set stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SetStatus {
    /// The set in force, with its signature; none where no good state is known.
    pub active: Option<(LabelSet, String)>,
    /// What is wrong with its file.
    pub error: Option<FileError>,
    /// What will not do what its owner expects: hooks that are not declared, examples that do not count.
    pub warnings: Vec<String>,
}

/// What there is to say about label files, by set.
#[derive(Debug, Default)]
pub(super) struct Notes {
    broken: BTreeMap<String, FileError>,
    warnings: BTreeMap<String, Vec<String>>,
}

impl Notes {
    /// Remembers, and logs once, what is wrong with files. Returns the sets for which that is something else than before, with what it
    /// is now.
    pub(super) fn replace_broken(
        &mut self,
        broken: BTreeMap<String, FileError>,
    ) -> Vec<(String, Option<String>)> {
        let mut changed = Vec::new();
        for (name, error) in &broken {
            if self.broken.get(name) != Some(error) {
                warn!(file = %format_args!("{name}.toml"), %error, "label file is broken, its last good state stays in force");
                changed.push((name.clone(), Some(error.to_string())));
            }
        }
        let mended = self
            .broken
            .keys()
            .filter(|name| !broken.contains_key(*name));
        changed.extend(mended.map(|name| (name.clone(), None)));
        self.broken = broken;
        changed
    }

    /// The file is right again, or gone.
    pub(super) fn mend(&mut self, name: &str) {
        self.broken.remove(name);
    }

    /// Remembers, and logs once, what a set will not do.
    pub(super) fn replace_warnings(&mut self, name: &str, warnings: Vec<String>) {
        if self.warnings.get(name) != Some(&warnings) {
            for warning in &warnings {
                warn!(set = name, "{warning}");
            }
        }
        self.warnings.insert(name.to_owned(), warnings);
    }

    /// The set has its name in other capitals or another spelling now.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        self.mend(from);
        if let Some(warnings) = self.warnings.remove(from) {
            self.warnings.insert(to.to_owned(), warnings);
        }
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.mend(name);
        self.warnings.remove(name);
    }

    /// How every label set stands, by name.
    pub(super) fn status(&self, active: &Active) -> BTreeMap<String, SetStatus> {
        let names = active.keys().chain(self.broken.keys());
        let status = |name: &String| (name.clone(), self.status_named(active, name));
        names.map(status).collect()
    }

    /// However the name is written.
    pub(super) fn status_of(&self, active: &Active, name: &SetName) -> SetStatus {
        let mut names = active.keys().chain(self.broken.keys());
        let name = names.find(|known| name.is_same(known));
        name.map_or_else(SetStatus::default, |name| self.status_named(active, name))
    }

    fn status_named(&self, active: &Active, name: &str) -> SetStatus {
        let in_force = |set: &ActiveSet| (set.classifier.set().clone(), set.signature.clone());
        SetStatus {
            active: active.get(name).map(|set| in_force(set)),
            error: self.broken.get(name).cloned(),
            warnings: self.warnings.get(name).cloned().unwrap_or_default(),
        }
    }
}
