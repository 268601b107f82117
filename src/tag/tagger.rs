//! Keeps the library's tags what the label files say.
//!
//! Files are the truth: [`Tagger::sync`] reads them all, and a set whose signature differs from the one stored is scored
//! against every embedding again and applied in one transaction. A broken file keeps the last good state of its set.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use thiserror::Error;
use tracing::info;

use super::decide::{decided_in, decisions_on, overrule};
use super::files::{read_folder, write_whole};
use super::learned::Learned;
use super::preview::{self, Preview};
use super::status::Notes;
use super::told::applied_labels;
use super::{Classifier, LabelSet, SetError, score_library};
use crate::embed::{EmbedError, Embedder};
use crate::index::Vectors;
use crate::store::{
    AppliedLabel, AppliedSet, ContentHash, LabelId, LabelName, SetName, Store, StoreError,
    TagDifference,
};

/// What can go wrong while tags are brought up to date.
#[derive(Debug, Error)]
pub enum TagError {
    /// The labels folder or a file in it.
    #[error("failed to read or write `{path}`: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The folder that the owner named.
    #[error("the labels folder `{0}` does not exist")]
    NoFolder(PathBuf),
    /// A set that was to be written is wrong.
    #[error(transparent)]
    Set(#[from] SetError),
    /// There is no such set.
    #[error("there is no label set `{0}`")]
    Unknown(String),
    /// The set has no such label.
    #[error("the label set `{set}` has no label `{label}`")]
    UnknownLabel {
        /// The set.
        set: String,
        /// What it has not.
        label: LabelName,
    },
    /// The model failed on a prompt.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The library failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A set that was brought up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its name.
    pub name: String,
    /// What that changed.
    pub difference: TagDifference,
}

/// A set in force.
#[derive(Debug)]
pub(super) struct ActiveSet {
    pub(super) classifier: Classifier,
    /// The rows of its labels.
    pub(super) ids: Vec<LabelId>,
    /// What decisions know it by.
    pub(super) key: String,
    pub(super) signature: String,
}

/// The sets in force, by name.
type Active = BTreeMap<String, Arc<ActiveSet>>;

/// The label sets of a library.
#[derive(Debug)]
pub struct Tagger {
    folder: PathBuf,
    pub(super) store: Store,
    pub(super) vectors: Vectors,
    pub(super) embedder: Embedder,
    /// Replaced as a whole, so that who looks at the sets never waits for one that is being applied.
    active: Mutex<Arc<Active>>,
    /// Read while images are recorded, written while a set is applied: no image slips in between with the old tags.
    recording: RwLock<()>,
    pub(super) notes: Mutex<Notes>,
    /// Holds something while there are images or decisions that a set may learn from.
    news: (Sender<()>, Receiver<()>),
    /// One sync at a time.
    pub(super) syncing: Mutex<()>,
}

/// The sets in force, held still: while this lives, no set is applied to the library.
pub struct Sets<'a> {
    active: Arc<Active>,
    store: &'a Store,
    _recording: RwLockReadGuard<'a, ()>,
}

impl Sets<'_> {
    /// The tags of an image with this content and embedding.
    pub fn tags(
        &self,
        image: ContentHash,
        embedding: &[f32],
    ) -> Result<Vec<(LabelId, f32)>, TagError> {
        let decisions = decisions_on(self.store, image)?;
        let sets = self.active.values();
        Ok(sets
            .flat_map(|set| set.tags_of(Some(embedding), &decisions))
            .collect())
    }
}

impl Tagger {
    /// For the label files in `folder`; nothing is read before the first [`Tagger::sync`].
    pub fn new(folder: PathBuf, store: Store, vectors: Vectors, embedder: Embedder) -> Tagger {
        let (active, recording, notes, syncing) = Default::default();
        Tagger {
            folder,
            store,
            vectors,
            embedder,
            active,
            recording,
            notes,
            news: bounded(1),
            syncing,
        }
    }

    /// The labels folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where to learn that a [`Tagger::sync`] may find more examples, or more to see them against.
    pub fn news(&self) -> &Receiver<()> {
        &self.news.1
    }

    /// Images or decisions have changed: says so where a set learns from them.
    pub fn tell_news(&self) {
        let mut sets = self.active().as_ref().clone().into_values();
        if sets.any(|set| set.classifier.set().learns()) {
            // Full: it is known already.
            let _ = self.news.0.try_send(());
        }
    }

    /// The sets in force. Images that are recorded while this is held get the tags of these sets; a set that changes
    /// meanwhile waits, and then finds those images in the index.
    pub fn sets(&self) -> Sets<'_> {
        let recording = self
            .recording
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Sets {
            active: self.active(),
            store: &self.store,
            _recording: recording,
        }
    }

    /// No image is recorded while this lives.
    pub(super) fn hold_recording(&self) -> RwLockWriteGuard<'_, ()> {
        self.recording
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn active(&self) -> Arc<Active> {
        Arc::clone(&locked(&self.active))
    }

    /// Makes the library's tags what the files say and returns the sets that changed.
    pub fn sync(&self) -> Result<Vec<Applied>, TagError> {
        self.sync_alone(&locked(&self.syncing))
    }

    /// The caller holds the lock from before it changed a file, so that what changes is told to it and not to a watch.
    fn sync_alone(&self, _one_at_a_time: &MutexGuard<'_, ()>) -> Result<Vec<Applied>, TagError> {
        // An unreadable folder is an error, and not a folder without sets: that would take all tags away.
        let files = read_folder(&self.folder)?;
        let stored = self.store.label_sets()?;
        let mut applied = self.remove_missing(&files, &stored)?;
        for (name, text) in files {
            let parsed = LabelSet::parse(&text);
            self.note(&name, parsed.as_ref().err());
            let (set, text) = match parsed {
                Ok(set) => (set, text),
                Err(_) if self.is_active(&name) => continue,
                Err(_) => match last_good(stored.get(&name)) {
                    Some(good) => good,
                    None => continue,
                },
            };
            applied.extend(self.activate(name.clone(), set, text, stored.get(&name))?);
        }
        Ok(applied)
    }

    /// Writes a label file, whole or not at all, and applies it.
    pub fn put(&self, name: &SetName, text: &str) -> Result<Vec<Applied>, TagError> {
        LabelSet::parse(text)?;
        let alone = locked(&self.syncing);
        let path = self.file(name);
        write_whole(&self.folder, &path, text).map_err(|source| TagError::Io { path, source })?;
        self.sync_alone(&alone)
    }

    /// What [`Tagger::put`] would change.
    pub fn preview(&self, name: &SetName, text: &str) -> Result<Preview, TagError> {
        let set = LabelSet::parse(text)?;
        let (key, stored) = (set.key(name), self.store.label_sets()?.remove(&**name));
        let wanted = self.wanted(name, &set, stored.as_ref())?;
        let (classifier, _) = self.classifier(set, &wanted, stored.as_ref())?;
        let preview = preview::preview(name, &key, &classifier, &self.store, &self.vectors)?;
        Ok(Preview {
            warnings: wanted.examples.warnings,
            ..preview
        })
    }

    /// Deletes a label file, and with it the set's tags.
    pub fn delete(&self, name: &SetName) -> Result<Vec<Applied>, TagError> {
        let alone = locked(&self.syncing);
        let path = self.file(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(TagError::Unknown(name.to_string()))
            }
            Err(source) => Err(TagError::Io { path, source }),
            Ok(()) => self.sync_alone(&alone),
        }
    }

    /// The text of a label file.
    pub fn text(&self, name: &SetName) -> Result<String, TagError> {
        std::fs::read_to_string(self.file(name)).map_err(|_| TagError::Unknown(name.to_string()))
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.toml"))
    }

    fn is_active(&self, name: &str) -> bool {
        self.active().contains_key(name)
    }

    fn remove_missing(
        &self,
        files: &BTreeMap<String, String>,
        stored: &BTreeMap<String, AppliedSet>,
    ) -> Result<Vec<Applied>, TagError> {
        locked(&self.notes).forget_others(files);
        let mut applied = Vec::new();
        for name in stored.keys().filter(|name| !files.contains_key(*name)) {
            let _no_recording = self.hold_recording();
            let removed = self.store.delete_label_set(name)?;
            Arc::make_mut(&mut locked(&self.active)).remove(name);
            info!(set = name, removed, "label set removed");
            let difference = TagDifference {
                removed,
                ..TagDifference::default()
            };
            applied.push(self.tell(name.clone(), difference));
        }
        Ok(applied)
    }

    /// Puts a set in force; scores the library where its signature is not the one stored.
    fn activate(
        &self,
        name: String,
        set: LabelSet,
        definition: String,
        stored: Option<&AppliedSet>,
    ) -> Result<Option<Applied>, TagError> {
        let wanted = self.wanted(&name, &set, stored)?;
        let mut warnings = self.hook_warnings(&set)?;
        warnings.extend_from_slice(&wanted.examples.warnings);
        self.warn(&name, &warnings);
        let signature = wanted.signature.clone();
        let is_in_force = |active: &Arc<ActiveSet>| {
            active.signature == signature && *active.classifier.set() == set
        };
        if self.active().get(&name).is_some_and(is_in_force) {
            return Ok(None);
        }
        let labels = applied_labels(&set);
        let key = set.key(&name);
        let (classifier, learned) = self.classifier(set, &wanted, stored)?;
        let _no_recording = self.hold_recording();
        let is_applied = stored.is_some_and(|stored| stored.signature == signature);
        let known = if is_applied {
            self.store.label_ids(&name, &labels)?
        } else {
            None
        };
        let (ids, difference) = if let Some(ids) = known {
            if stored.is_some_and(|stored| stored.definition != definition) {
                self.store
                    .redefine_label_set(&name, &definition, &ids, &labels)?;
            }
            (ids, None)
        } else {
            let applied = AppliedSet {
                key: key.clone(),
                signature: signature.clone(),
                definition,
                learned: learned.as_ref().map(Learned::state),
            };
            let (ids, difference) = self.converge(&name, &classifier, &labels, &applied)?;
            (ids, Some(difference))
        };
        let set = ActiveSet {
            classifier,
            ids,
            key,
            signature,
        };
        Arc::make_mut(&mut locked(&self.active)).insert(name.clone(), Arc::new(set));
        Ok(difference.map(|difference| self.tell(name, difference)))
    }

    /// Makes the library's tags of one set what it says. The caller holds recording back, so that no image comes in between.
    fn converge(
        &self,
        name: &str,
        classifier: &Classifier,
        labels: &[AppliedLabel],
        applied: &AppliedSet,
    ) -> Result<(Vec<LabelId>, TagDifference), TagError> {
        let started = Instant::now();
        let mut tags = score_library(classifier, &self.vectors);
        let decided = decided_in(&applied.key, classifier, &self.store)?;
        overrule(&decided, classifier, &self.vectors, &mut tags);
        let scored_ms = started.elapsed().as_millis() as u64;
        let (ids, difference) = self.store.apply_label_set(name, applied, labels, &tags)?;
        let TagDifference {
            added,
            removed,
            rescored,
        } = difference;
        let duration_ms = started.elapsed().as_millis() as u64;
        info!(
            set = name,
            added,
            removed,
            rescored,
            images = self.vectors.len(),
            scored_ms,
            duration_ms,
            "label set applied"
        );
        Ok((ids, difference))
    }
}

fn last_good(stored: Option<&AppliedSet>) -> Option<(LabelSet, String)> {
    let definition = &stored?.definition;
    Some((LabelSet::parse(definition).ok()?, definition.clone()))
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
