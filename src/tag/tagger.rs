//! The label sets of a library: keeps its tags what the label files and people's decisions say.
//!
//! Files are the truth: [`Tagger::sync`] reads them all, plans what differs, and applies that. A set whose signature differs from
//! the one stored is scored against every embedding again and written in one transaction. A broken file keeps the last good state of
//! its set.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLockReadGuard};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use tracing::warn;

use super::active::Active;
use super::ancestors::{Ancestors, ancestors};
use super::apply::apply;
use super::decide::{key_of, retag, set_key};
use super::error::TagError;
use super::file_error::FileError;
use super::files::{self, Files, check_writable, identity, read_file, read_folder, write_whole};
use super::learn::Wanted;
use super::overrule::decisions_on;
use super::plan::{Action, Known, plan, renamed, without_file};
use super::preview::{Closer, Preview, preview};
use super::set::LabelSet;
use super::stand::{LabelScore, Review, review, scores_of};
use super::state::{State, locked};
use super::status::SetStatus;
use crate::embed::Embedder;
use crate::index::Vectors;
use crate::store::{
    AppliedSet, ContentHash, Decision, Event, ImageId, ImageTags, LabelName, LabelRef, SetApplied,
    SetName, Store, Verdict,
};

/// The fact under which a library remembers which folder its sets came from.
const LABELS_FACT: &str = "labels folder";

/// Editors and sync programs move a file away before they put the new one in its place; what is not there for so long is gone.
const REPLACED_WITHIN: Duration = Duration::from_secs(1);

/// The label sets of a library.
#[derive(Debug)]
pub struct Tagger {
    folder: PathBuf,
    state: State,
    /// Whether there are images or decisions that a set has not learned from yet.
    has_news: AtomicBool,
    /// Holds something while somebody should see to that.
    news: (Sender<()>, Receiver<()>),
    /// One change of sets at a time.
    changing: Mutex<()>,
}

/// The sets in force, held still: while this lives, no set is applied to the library.
pub struct Sets<'a> {
    active: Arc<Active>,
    store: &'a Store,
    _held: RwLockReadGuard<'a, ()>,
}

impl Sets<'_> {
    /// The tags of an image with this content, whose frames' embeddings are given row by row; a still has one.
    pub fn tags(&self, image: ContentHash, frames: &[f32]) -> Result<ImageTags, TagError> {
        let decisions = decisions_on(self.store, vec![image])?;
        let mut all = ImageTags::default();
        for set in self.active.values() {
            let ImageTags { scores, shares } = set.tags_of(Some(frames), &decisions);
            all.scores.extend(scores);
            all.shares.extend(shares);
        }
        Ok(all)
    }
}

impl Tagger {
    /// For the label files in `folder`; nothing is read before the first [`Tagger::sync`].
    pub fn new(folder: PathBuf, store: Store, vectors: Vectors, embedder: Embedder) -> Tagger {
        Tagger {
            folder,
            state: State::new(store, vectors, embedder),
            has_news: AtomicBool::default(),
            news: bounded(1),
            changing: Mutex::default(),
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
        let active = self.state.active();
        if active.values().any(|set| set.classifier.set().learns()) {
            self.has_news.store(true, Ordering::SeqCst);
            // Full: it is known already.
            let _ = self.news.0.try_send(());
        }
    }

    /// The sets in force. Images that are recorded while this is held get the tags of these sets; a set that changes
    /// meanwhile waits, and then finds those images in the index.
    pub fn sets(&self) -> Sets<'_> {
        let held = self.state.hold_sets();
        Sets {
            active: self.state.active(),
            store: &self.state.store,
            _held: held,
        }
    }

    /// The labels above each label of the sets in force.
    pub fn ancestors(&self) -> Ancestors {
        ancestors(&self.state.active())
    }

    /// Makes the library's tags what the files say and returns the sets that changed. A set whose file is not there is given the
    /// time in which editors put a new one in its place.
    pub fn sync(&self) -> Result<Vec<SetApplied>, TagError> {
        let mut missing = BTreeSet::new();
        loop {
            let one_at_a_time = locked(&self.changing);
            let stored = self.state.store.label_sets()?;
            let files = self.files(&stored)?;
            let gone = without_file(&files.keys(), stored.keys());
            if gone.is_subset(&missing) {
                return self.sync_with(files, stored);
            }
            drop(one_at_a_time);
            missing.extend(gone);
            thread::sleep(REPLACED_WITHIN);
        }
    }

    fn sync_with(
        &self,
        files: Files,
        stored: BTreeMap<String, AppliedSet>,
    ) -> Result<Vec<SetApplied>, TagError> {
        let has_news = self.has_news.swap(false, Ordering::SeqCst);
        let applied = self.follow(files, stored, has_news);
        if applied.is_err() {
            self.has_news.fetch_or(has_news, Ordering::SeqCst);
        }
        applied
    }

    /// What the labels folder holds. Where there are sets and none of their files, nor the folder that they came from, they are
    /// not deleted: their drive is away.
    fn files(&self, stored: &BTreeMap<String, AppliedSet>) -> Result<Files, TagError> {
        let store = &self.state.store;
        let files = match read_folder(&self.folder) {
            Err(error) if stored.is_empty() => return Err(error),
            Err(error) => {
                warn!(%error, "the labels folder is away, its sets stay");
                None
            }
            Ok(files) => Some(files),
        };
        let known = store.fact(LABELS_FACT)?;
        let found = identity(&self.folder);
        let is_other = known.is_some() && known != found;
        match files {
            Some(files) if !files.is_empty() => {
                if let Some(found) = found.filter(|found| known.as_ref() != Some(found)) {
                    store.set_fact(LABELS_FACT, &found)?;
                }
                Ok(files)
            }
            Some(files) if !is_other => Ok(files),
            _ => {
                let away = |name: &String| (name.clone(), Err(FileError::Away));
                Ok(stored.keys().map(away).collect())
            }
        }
    }

    fn follow(
        &self,
        files: Files,
        mut stored: BTreeMap<String, AppliedSet>,
        has_news: bool,
    ) -> Result<Vec<SetApplied>, TagError> {
        for (from, to) in renamed(&files.keys(), stored.keys()) {
            self.state.rename(&from, &to)?;
            if let Some(set) = stored.remove(&from) {
                stored.insert(to, set);
            }
        }
        let active = self.state.active();
        let mut known = BTreeMap::new();
        for (name, stored) in &stored {
            let set = active.get(name).map(|active| active.classifier.set());
            let of_set = Known {
                definition: &stored.definition,
                is_in_force: set.is_some(),
                must_learn: has_news && set.is_some_and(LabelSet::learns),
            };
            known.insert(name.as_str(), of_set);
        }
        let plan = plan(files, &known);
        let changed = self.state.notes().replace_broken(plan.broken);
        for (set, error) in changed {
            self.state
                .store
                .feed()
                .tell(Event::LabelFile { set, error });
        }
        apply(&self.state, plan.actions, &stored)
    }

    /// Writes a label file, whole or not at all, and applies it.
    pub fn put(&self, name: &SetName, text: &str) -> Result<Vec<SetApplied>, TagError> {
        let set = LabelSet::parse(text)?;
        // From before the file changes, so that what changes is told to the caller and not to a watch.
        let _one_at_a_time = locked(&self.changing);
        let (name, path) = self.place(name)?;
        check_writable(&path).map_err(files::at(&path))?;
        write_whole(&path, text).map_err(|source| TagError::Io { path, source })?;
        self.state.notes().mend(&name);
        let action = Action::Apply {
            name: name.to_string(),
            set,
            definition: text.to_owned(),
        };
        apply(&self.state, vec![action], &self.state.store.label_sets()?)
    }

    /// What [`Tagger::put`] would change; one label can be looked at more closely.
    pub fn preview(
        &self,
        name: &SetName,
        text: &str,
        closer: Option<&Closer>,
    ) -> Result<Preview, TagError> {
        let set = LabelSet::parse(text)?;
        let mut stored = self.state.store.label_sets()?;
        let known = stored.keys().find(|known| name.is_same(known));
        let name = known
            .and_then(|known| known.parse().ok())
            .unwrap_or_else(|| name.clone());
        let key = set.key(&name);
        let stored = stored.remove(&*name);
        let wanted = Wanted::find(&self.state, &name, &set, stored.as_ref())?;
        let (classifier, _) = wanted.classifier(&self.state, set, stored.as_ref())?;
        let State { store, vectors, .. } = &self.state;
        Ok(Preview {
            warnings: wanted.examples.warnings,
            ..preview(&name, &key, &classifier, store, vectors, closer)?
        })
    }

    /// Deletes a label file, and with it the set's tags.
    pub fn delete(&self, name: &SetName) -> Result<Vec<SetApplied>, TagError> {
        let _one_at_a_time = locked(&self.changing);
        let (name, path) = self.place(name)?;
        if path.is_dir() && !path.is_symlink() {
            return Err(files::at(&path)(FileError::NotAFile));
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(TagError::Unknown(name.to_string()));
            }
            Err(source) => return Err(TagError::Io { path, source }),
            Ok(()) => {}
        }
        let stored = self.state.store.label_sets()?;
        let action = Action::Remove {
            name: name.to_string(),
        };
        let is_stored = stored.contains_key(&*name);
        self.state.notes().mend(&name);
        apply(
            &self.state,
            is_stored.then_some(action).into_iter().collect(),
            &stored,
        )
    }

    /// The text of a label file; none where the file is broken in a way that leaves it none.
    pub fn text(&self, name: &SetName) -> Result<Option<String>, TagError> {
        let (name, path) = match self.place(name) {
            Err(TagError::File { .. }) => return Ok(None),
            place => place?,
        };
        match read_file(&path) {
            Ok(None) => Err(TagError::Unknown(name.to_string())),
            text => Ok(text.ok().flatten()),
        }
    }

    /// The file of a set with the set's name, as it is there in whatever capitals and spelling, or as it is to be made.
    fn place(&self, name: &SetName) -> Result<(SetName, PathBuf), TagError> {
        let new = || (name.clone(), self.folder.join(format!("{name}.toml")));
        Ok(files::find(&self.folder, name)?.unwrap_or_else(new))
    }

    /// How an image stands with every label in force.
    pub fn scores_of(&self, image: ContentHash) -> Result<Vec<LabelScore>, TagError> {
        scores_of(&self.state, image)
    }

    /// What there is to decide about a label in force, up to `most` images of it.
    pub fn review(
        &self,
        set: &SetName,
        label: &LabelName,
        most: usize,
    ) -> Result<Review, TagError> {
        let active = self.state.active();
        let found = active.iter().find(|(name, _)| set.is_same(name));
        let (_, active) = found.ok_or_else(|| TagError::Unknown(set.to_string()))?;
        review(&self.state, (set, active), label, most)
    }

    /// How every label set stands, by name.
    pub fn status(&self) -> BTreeMap<String, SetStatus> {
        self.state.notes().status(&self.state.active())
    }

    /// How one label set stands.
    pub fn status_of(&self, name: &SetName) -> SetStatus {
        self.state.notes().status_of(&self.state.active(), name)
    }

    /// What decisions know the set by that is called so, by its name or by its `id`.
    pub fn key_of(&self, set: &str) -> String {
        key_of(&self.state.active(), set)
    }

    /// Keeps decisions, and changes the tags of their images with them. Returns how many decisions that changed.
    ///
    /// A decision names its set by its `id`, or by its name where it has none; one on a label or an image that is not there is kept
    /// for the time when it is.
    pub fn decide(&self, decisions: &[Decision]) -> Result<usize, TagError> {
        let _one_at_a_time = locked(&self.changing);
        let _no_recording = self.state.hold_recording();
        let State { store, vectors, .. } = &self.state;
        let retagged = retag(decisions, &self.state.active(), store, vectors)?;
        let changed = store.decide(decisions, &retagged)?;
        self.tell_news();
        Ok(changed)
    }

    /// What was decided about the first of each pair counts for the second from now on, unless something else was decided about that
    /// since.
    pub fn hand_on(&self, heirs: &[(ImageId, ImageId)]) -> Result<(), TagError> {
        if heirs.is_empty() {
            return Ok(());
        }
        let decisions = self.state.store.decisions_to_inherit(heirs)?;
        if !decisions.is_empty() {
            self.decide(&decisions)?;
        }
        Ok(())
    }

    /// Decides about one label of a set in force on several images, as [`Tagger::decide`]. What was decided can be taken back when
    /// the label, or its set, is there no more.
    pub fn decide_on(
        &self,
        label: &LabelRef,
        verdict: Option<Verdict>,
        images: Vec<ContentHash>,
    ) -> Result<usize, TagError> {
        let set = set_key(&self.state.active(), label, verdict)?;
        let decision = |image| Decision {
            image,
            set: set.clone(),
            label: label.label.to_string(),
            verdict,
            decided_at: None,
        };
        self.decide(&images.into_iter().map(decision).collect::<Vec<_>>())
    }
}
