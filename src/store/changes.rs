//! Which images may have other tags than a moment ago, for whoever keeps something else up with them.

use std::collections::BTreeSet;
use std::mem;
use std::sync::Mutex;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::ids::ImageId;
use super::{Store, locked};

/// More changed images than this are told as all of them.
const MOST_IMAGES: usize = 100_000;

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagChange {
    /// Perhaps all images.
    All,
    /// These.
    Images(BTreeSet<ImageId>),
}

/// What changed since it was last asked for; nothing is kept while nobody follows.
#[derive(Debug, Default)]
pub(super) struct Changes {
    followed: Mutex<Option<Followed>>,
}

#[derive(Debug)]
struct Followed {
    change: TagChange,
    /// Full while there is something to take.
    wake: Sender<()>,
}

impl Changes {
    fn note(&self, change: TagChange) {
        let mut followed = locked(&self.followed);
        let Some(followed) = &mut *followed else {
            return;
        };
        match (&mut followed.change, change) {
            (_, TagChange::Images(new)) if new.is_empty() => return,
            (TagChange::Images(images), TagChange::Images(new))
                if images.len() + new.len() <= MOST_IMAGES =>
            {
                images.extend(new);
            }
            (change, _) => *change = TagChange::All,
        }
        // Full: woken already.
        let _ = followed.wake.try_send(());
    }
}

impl Store {
    /// Notes it for who follows.
    pub(super) fn note_change(&self, change: TagChange) {
        self.shared.changes.note(change);
    }

    /// From now on changes are kept for [`Store::take_tag_change`], and there is something to receive whenever there are any.
    /// There is one follower at a time.
    pub fn follow_tags(&self) -> Receiver<()> {
        let (wake, woken) = bounded(1);
        *locked(&self.shared.changes.followed) = Some(Followed {
            change: TagChange::Images(BTreeSet::new()),
            wake,
        });
        self.note_change(TagChange::All);
        woken
    }

    /// What changed since the last time; everything, at first.
    pub fn take_tag_change(&self) -> TagChange {
        let nothing = TagChange::Images(BTreeSet::new());
        match &mut *locked(&self.shared.changes.followed) {
            Some(followed) => mem::replace(&mut followed.change, nothing),
            None => nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_once_and_all_of_them_when_there_are_many() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let images = |ids: std::ops::Range<i64>| TagChange::Images(ids.map(ImageId).collect());
        let note = |change| store.note_change(change);
        note(images(0..1));
        let woken = store.follow_tags();
        woken.try_recv().unwrap();
        assert_eq!(store.take_tag_change(), TagChange::All, "at first");
        note(images(0..0));
        assert!(woken.try_recv().is_err(), "nothing changed");
        note(images(1..3));
        note(images(2..5));
        woken.try_recv().unwrap();
        assert!(woken.try_recv().is_err());
        assert_eq!(store.take_tag_change(), images(1..5));
        note(images(0..1));
        note(images(0..MOST_IMAGES as i64));
        assert_eq!(store.take_tag_change(), TagChange::All);
        assert_eq!(store.take_tag_change(), images(0..0));
    }
}
