//! What is watched and what is not, at one moment. Nothing here reads a folder.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::mem::{Discriminant, discriminant};
use std::path::{Path, PathBuf};

use tracing::{debug, info, warn};

use super::links::Way;
use super::mounts::Mounts;
use super::report::Reason;
use super::source::Source;

/// What is watched, what is not, and what there is to watch.
#[derive(Debug)]
pub(super) struct State {
    /// Why there is none, else.
    pub(super) source: Result<Source, Reason>,
    /// How each root is reached.
    pub(super) roots: BTreeMap<PathBuf, Way>,
    pub(super) unwatched: BTreeMap<PathBuf, Reason>,
    /// What was said in the log, and still holds.
    said: HashSet<Discriminant<Reason>>,
    pub(super) mounts: Mounts,
}

impl State {
    pub(super) fn new(roots: &[PathBuf]) -> State {
        let roots = roots.iter().map(|root| (root.clone(), Way::default()));
        State {
            source: Source::new(),
            roots: roots.collect(),
            unwatched: BTreeMap::new(),
            said: HashSet::new(),
            mounts: Mounts::open(),
        }
    }

    /// Watches the way to a root, and no more the one that led there before.
    pub(super) fn lead(&mut self, root: &Path, way: Way) {
        let Ok(source) = &mut self.source else {
            self.roots.insert(root.to_owned(), way);
            return;
        };
        for folder in &way.above {
            if let Err(reason) = source.add_names(folder) {
                debug!(folder = %folder.display(), %reason, "cannot watch a folder above a watched one");
            }
        }
        let before = self.roots.insert(root.to_owned(), way).unwrap_or_default();
        let needed: BTreeSet<&PathBuf> = self.roots.values().flat_map(|way| &way.above).collect();
        let unneeded = before.above.iter().filter(|folder| {
            !needed.contains(folder) && !self.roots.keys().any(|root| folder.starts_with(root))
        });
        let unneeded: Vec<PathBuf> = unneeded.cloned().collect();
        source.remove(&unneeded);
    }

    /// Watches a folder, or keeps why that cannot be.
    pub(super) fn add(&mut self, folder: &Path) {
        let added = match &mut self.source {
            Ok(source) => source.add(folder),
            Err(reason) => Err(reason.clone()),
        };
        match added {
            Ok(()) => drop(self.unwatched.remove(folder)),
            // It has gone meanwhile.
            Err(Reason::Missing) if !self.roots.contains_key(folder) => {}
            Err(reason) => {
                self.say(folder, &reason);
                self.unwatched.insert(folder.to_owned(), reason);
            }
        }
    }

    /// One line is enough, however many folders there are.
    fn say(&mut self, folder: &Path, reason: &Reason) {
        if *reason != Reason::Missing && self.said.insert(discriminant(reason)) {
            warn!(folder = %folder.display(), %reason, "cannot watch a folder, and maybe others: `pixdex status` counts them");
        }
    }

    /// What is no longer so is said again when it comes back.
    pub(super) fn take_back(&mut self) {
        let holding: HashSet<_> = self.unwatched.values().map(discriminant).collect();
        if !self.said.is_empty() && holding.is_empty() {
            info!("all folders are watched again");
        }
        self.said.retain(|reason| holding.contains(reason));
    }

    /// Watches none of these any more.
    pub(super) fn remove(&mut self, folders: &[PathBuf]) {
        if let Ok(source) = &mut self.source {
            source.remove(folders);
        }
    }

    /// Nothing is known any more of what could not be watched at and below a path.
    pub(super) fn forget_reasons(&mut self, top: &Path) {
        let from_here = self.unwatched.range(top.to_owned()..);
        let below = from_here.take_while(|(path, _)| path.starts_with(top));
        let below: Vec<PathBuf> = below.map(|(path, _)| path.clone()).collect();
        for path in below {
            self.unwatched.remove(&path);
        }
    }

    /// The number of folders watched at and below a root.
    pub(super) fn watched(&self, root: &Path) -> usize {
        self.source
            .as_ref()
            .map_or(0, |source| source.below(root).count())
    }

    /// Why a root is looked at by the clock, where it is.
    pub(super) fn why_polled(&self, root: &Path) -> Option<String> {
        if let Some(kind) = self.mounts.silent_at(root) {
            return Some(silence(kind));
        }
        let from_here = self.unwatched.range(root.to_owned()..);
        from_here
            .take_while(|(path, _)| path.starts_with(root))
            // A folder below that may not be read cannot be looked at either, and tells when it may.
            .find(|(path, reason)| *path == root || **reason != Reason::Denied)
            .map(|(_, reason)| reason.to_string())
    }
}

/// Why what lies on such a file system is looked at by the clock.
pub(super) fn silence(kind: &str) -> String {
    format!("{kind} does not tell what others change")
}
