//! What label sets and people change about tags: each change one transaction, with the events that hooks are to hear.

use super::changes::TagChange;
use super::decisions::{self, Decision};
use super::feed::Event;
use super::ids::{ImageId, LabelId};
use super::label_sets::{self, AppliedLabel, AppliedSet};
use super::tags::{self, TagDifference};
use super::{Result, Store, frames, journal, tag_events};

/// All the tags that one label set gives an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Retagged {
    /// Name of the label set.
    pub set: String,
    /// The image.
    pub image: ImageId,
    /// Its labels of that set.
    pub tags: ImageTags,
}

/// Labels of an image.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImageTags {
    /// With their scores.
    pub scores: Vec<(LabelId, f32)>,
    /// Of a video, with the share of its frames that carry each.
    pub shares: Vec<(LabelId, f32)>,
}

/// What a label set gives the images of a library, label by label.
#[derive(Debug, Clone, PartialEq)]
pub struct LibraryTags {
    /// The images that carry each label with their scores, in order.
    pub scores: Vec<Vec<(ImageId, f32)>>,
    /// The videos among them with the share of their frames that carry it.
    pub shares: Vec<Vec<(ImageId, f32)>>,
}

impl LibraryTags {
    /// Nothing, for so many labels.
    pub fn new(labels: usize) -> LibraryTags {
        LibraryTags {
            scores: vec![Vec::new(); labels],
            shares: vec![Vec::new(); labels],
        }
    }
}

impl Store {
    /// Makes the library's tags of one label set what `tags` says, in one transaction, and returns the labels' rows with what
    /// changed.
    pub fn apply_label_set(
        &self,
        name: &str,
        applied: &AppliedSet,
        labels: &[AppliedLabel],
        tags: &LibraryTags,
        is_scored: impl Fn(ImageId) -> bool,
    ) -> Result<(Vec<LabelId>, TagDifference)> {
        let applied = self.write_tags(|db| {
            let set = label_sets::put(db, name, applied)?;
            let mut difference = TagDifference {
                removed: label_sets::drop_other_labels(db, set, labels)?,
                ..TagDifference::default()
            };
            let mut ids = Vec::with_capacity(labels.len());
            for label in labels {
                let id = label_sets::label_id(db, set, &label.name)?;
                label_sets::name_hooks(db, id, &label.hooks)?;
                ids.push(id);
            }
            let mut new_tags = tag_events::watched_tags(db)?;
            for (id, scores) in ids.iter().zip(&tags.scores) {
                tags::apply_label(db, *id, scores, &is_scored, &mut difference, &mut new_tags)?;
            }
            for (id, shares) in ids.iter().zip(&tags.shares) {
                for (image, share) in shares {
                    frames::add_shares(db, *image, &[(*id, *share)])?;
                }
            }
            Ok(((ids, difference), new_tags))
        })?;
        self.note_change(TagChange::All);
        Ok(applied)
    }

    /// Forgets a label set with its tags and returns how many there were.
    pub fn delete_label_set(&self, name: &str) -> Result<usize> {
        let removed = self.write(|db| {
            let removed = tags::count_of_set(db, name)?;
            label_sets::delete(db, name)?;
            Ok(removed)
        })?;
        self.note_change(TagChange::All);
        Ok(removed)
    }

    /// Keeps decisions, the tags that follow from them with them. Returns how many decisions that changed.
    pub fn decide(&self, decisions: &[Decision], retagged: &[Retagged]) -> Result<usize> {
        let changed = self.write_tags(|db| {
            let mut changed = Vec::new();
            let now = decisions::now(db)?;
            for decision in decisions {
                let mut decision = decision.clone();
                decision.decided_at.get_or_insert_with(|| now.clone());
                if decisions::put(db, &decision)? > 0 {
                    journal::put(db, &decision)?;
                    changed.push(decision);
                }
            }
            let mut new_tags = tag_events::watched_tags(db)?;
            for Retagged { set, image, tags } in retagged {
                tags::replace_of_set(db, set, *image, &tags.scores, &mut new_tags)?;
                frames::add_shares(db, *image, &tags.shares)?;
            }
            Ok((changed, new_tags))
        })?;
        self.try_write_journal();
        let images = retagged.iter().map(|retagged| retagged.image);
        self.note_change(TagChange::Images(images.collect()));
        let count = changed.len();
        for decision in changed.into_iter().filter(|_| self.feed().is_followed()) {
            self.feed().tell(Event::Decision(decision));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Transaction;

    use super::super::feed::CAPACITY;
    use super::super::tag_events::watched_tags;
    use super::*;
    use crate::store::{ContentHash, Filter, Order, Place, TagCount, TagEvent, samples};

    /// A library of three images.
    fn library() -> (tempfile::TempDir, Store, Vec<ImageId>) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let root = store.root(std::path::Path::new("/photos")).unwrap();
        let model = store.model("fingerprint", "name").unwrap();
        let record = |seed: u8| {
            let mut content = samples::content(ContentHash([seed; 32]));
            content.metadata.taken_at = Some(format!("202{seed}-05-01T10:00:00"));
            samples::record(root, format!("/photos/{seed}/x"), content)
        };
        let records: Vec<_> = (0..3).map(record).collect();
        let images = store
            .record(model, &records)
            .unwrap()
            .images
            .into_iter()
            .flatten()
            .collect();
        (folder, store, images)
    }

    fn stills(scores: Vec<Vec<(ImageId, f32)>>) -> LibraryTags {
        let shares = Vec::new();
        LibraryTags { scores, shares }
    }

    fn apply(store: &Store, labels: &[&str], tags: &[Vec<(ImageId, f32)>]) -> TagDifference {
        let applied = AppliedSet {
            key: "set".to_owned(),
            signature: "s".to_owned(),
            definition: String::new(),
            learned: None,
        };
        let label = |name: &&str| AppliedLabel {
            name: (*name).to_owned(),
            hooks: Vec::new(),
        };
        let labels: Vec<_> = labels.iter().map(label).collect();
        store
            .apply_label_set("set", &applied, &labels, &stills(tags.to_vec()), |_| true)
            .unwrap()
            .1
    }

    #[test]
    fn applying_a_set_writes_the_difference() {
        let (_folder, store, images) = library();
        let difference = apply(
            &store,
            &["a", "b"],
            &[
                vec![(images[0], 0.5), (images[1], 0.5)],
                vec![(images[0], 0.9)],
            ],
        );
        assert_eq!(
            difference,
            TagDifference {
                added: 3,
                removed: 0,
                rescored: 0
            }
        );
        let difference = apply(
            &store,
            &["a", "c"],
            &[vec![(images[0], 0.5), (images[2], 0.5)], vec![]],
        );
        assert_eq!(
            difference,
            TagDifference {
                added: 1,
                removed: 2,
                rescored: 0
            }
        );
        let difference = apply(
            &store,
            &["a", "c"],
            &[vec![(images[0], 0.75), (images[2], 0.5)], vec![]],
        );
        assert_eq!(
            difference,
            TagDifference {
                added: 0,
                removed: 0,
                rescored: 1
            }
        );
        let count = |label: &str, count| TagCount {
            set: "set".to_owned(),
            label: label.to_owned(),
            count,
        };
        assert_eq!(store.tag_counts().unwrap(), [count("a", 2), count("c", 0)]);
        assert_eq!(store.delete_label_set("set").unwrap(), 2);
        assert!(store.tag_counts().unwrap().is_empty());
    }

    #[test]
    fn filters_narrow_by_all_that_is_asked() {
        let (_folder, store, images) = library();
        apply(&store, &["a"], &[vec![(images[0], 0.5), (images[1], 0.5)]]);
        let matching = |filter: Filter| store.matching(&filter).unwrap();
        let tagged = |tag: &str| Filter {
            all_tags: vec![tag.to_owned()],
            ..Filter::default()
        };
        assert_eq!(matching(tagged("a")), images[..2]);
        assert_eq!(matching(tagged("set/a")), images[..2]);
        assert_eq!(matching(tagged("b")), []);
        let after = Filter {
            after: Some("2021".parse().unwrap()),
            ..tagged("a")
        };
        assert_eq!(matching(after), [images[1]]);
        assert_eq!(
            matching(Filter {
                before: Some("2021-05".parse().unwrap()),
                ..Filter::default()
            }),
            [images[0]]
        );
        assert_eq!(
            matching(Filter {
                paths: vec!["2".to_owned()],
                ..Filter::default()
            }),
            [images[2]]
        );
        assert_eq!(
            matching(Filter {
                paths: vec!["/photos/1".to_owned()],
                ..Filter::default()
            }),
            [images[1]]
        );
        let page = |behind: Option<&Place>| {
            let order = Order::NEWEST_FIRST;
            let mut page = store.page(&Filter::default(), order, behind, 0, 1).unwrap();
            page.pop().unwrap()
        };
        let (newest, place) = page(None);
        assert_eq!((newest, page(Some(&place)).0), (images[2], images[1]));
    }

    /// Gives a set's one label, which names the hooks `x` and `y`, to these images.
    fn give(store: &Store, images: &[ImageId]) {
        let applied = AppliedSet {
            key: "set".to_owned(),
            signature: String::new(),
            definition: String::new(),
            learned: None,
        };
        let label = AppliedLabel {
            name: "a".to_owned(),
            hooks: ["x", "y"].map(str::to_owned).to_vec(),
        };
        let tags = images.iter().map(|image| (*image, 0.5)).collect();
        store
            .apply_label_set("set", &applied, &[label], &stills(vec![tags]), |_| true)
            .unwrap();
    }

    #[test]
    fn what_an_image_gains_waits_for_the_hooks_of_its_label() {
        let (_folder, store, images) = library();
        let [x, _z] = store.declare_hooks(&[("x", 9), ("z", 9)]).unwrap()[..] else {
            panic!("two were declared");
        };
        let filled = store.feed().outbox_filled();
        let mut told = store.feed().read();
        give(&store, &images[..1]);
        let first = store.next_queued(x).unwrap().unwrap();
        let event: TagEvent = serde_json::from_str(&first.event).unwrap();
        assert_eq!((&*event.set, &*event.label, event.score), ("set", "a", 0.5));
        assert_eq!(
            (event.decision, event.paths),
            (None, vec!["/photos/0/x".to_owned()])
        );
        let told = serde_json::to_string(&told.try_recv().unwrap().event).unwrap();
        assert_eq!(told, first.event, "the stream says the same");
        assert_eq!(filled.try_iter().count(), 1);
        // The same again is no gain, and another image is.
        give(&store, &images[..1]);
        assert!(filled.is_empty());
        give(&store, &images[..2]);
        assert_eq!(store.hooks().unwrap()["x"].waiting, 2);
        assert_eq!(store.hooks().unwrap()["z"].waiting, 0);
        // Kept until it was taken.
        store.not_delivered(x, &first, true, "no").unwrap();
        let again = store.next_queued(x).unwrap().unwrap();
        assert_eq!((&again.event, again.refusals), (&first.event, 1));
        assert_eq!(store.hooks().unwrap()["x"].error.as_deref(), Some("no"));
        store.delivered(x, &again).unwrap();
        let next = store.next_queued(x).unwrap().unwrap();
        assert!(next.event != first.event && next.refusals == 0);
        store.give_up(x, &next, "never").unwrap();
        let status = store.hooks().unwrap().remove("x").unwrap();
        assert_eq!(
            (status.waiting, status.delivered, status.given_up),
            (0, 1, 1)
        );
        assert_eq!(status.given_up_for.as_deref(), Some("never"));
    }

    #[test]
    fn only_so_many_wait_and_the_newest_are_dropped() {
        let (_folder, store, images) = library();
        let hooks = store.declare_hooks(&[("x", 2), ("y", 9)]).unwrap();
        let oldest = |hook: usize| store.next_queued(hooks[hook]).unwrap().unwrap();
        give(&store, &images);
        let counts = |hook: &str| {
            let status = store.hooks().unwrap().remove(hook).unwrap();
            (status.waiting, status.dropped)
        };
        assert_eq!((counts("x"), counts("y")), ((2, 1), (3, 0)));
        assert_eq!(oldest(0).event, oldest(1).event, "one event for all hooks");
        // What waits for a hook that is not declared any more waits on, and nothing is added.
        store.declare_hooks(&[("y", 9)]).unwrap();
        give(&store, &[]);
        give(&store, &images);
        assert_eq!((counts("x"), counts("y")), ((2, 1), (6, 0)));
    }

    #[test]
    fn what_is_too_much_for_the_stream_is_told_as_missed() {
        let (_folder, store, images) = library();
        let mut told = store.feed().read();
        give(&store, &images);
        let label = AppliedLabel {
            name: "a".to_owned(),
            hooks: Vec::new(),
        };
        let label = store.label_ids("set", &[label]).unwrap().unwrap()[0];
        let added = |db: &Transaction<'_>| {
            let mut new_tags = watched_tags(db)?;
            (0..CAPACITY + 5).for_each(|_| new_tags.add(label, images[0], 0.5));
            Ok(((), new_tags))
        };
        store.write_tags(added).unwrap();
        let mut last = None;
        loop {
            match told.try_recv() {
                Ok(told) => last = Some(told.event),
                Err(tokio::sync::broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => break,
            }
        }
        assert_eq!(last, Some(Event::Missed { count: 5 }));
    }
}
