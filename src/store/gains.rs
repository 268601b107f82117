//! Tags that a transaction adds: what their hooks are to hear goes into the outbox in the same transaction.

use std::collections::HashMap;

use rusqlite::{Transaction, params};
use tracing::warn;

use super::feed::{CAPACITY, Event, Feed};
use super::{ContentHash, Gained, HookId, ImageId, LabelId, Result, Store, Verdict, images};

impl Store {
    /// As [`Store::write`], for work that adds tags: what their hooks are to hear goes into the outbox in the same
    /// transaction, and is told when that is kept.
    pub(super) fn write_tags<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<(T, Gains)>,
    ) -> Result<T> {
        let (answer, queued) = self.write(|db| {
            let (answer, gains) = work(db)?;
            Ok((answer, gains.queue(db)?))
        })?;
        queued.tell(self.feed());
        Ok(answer)
    }
}

/// Makes `hooks` what a label names.
pub(super) fn name_hooks(db: &Transaction<'_>, label: LabelId, hooks: &[String]) -> Result<()> {
    db.prepare_cached("DELETE FROM label_hooks WHERE label_id = ?1")?
        .execute([label.0])?;
    let mut insert =
        db.prepare_cached("INSERT OR IGNORE INTO label_hooks (label_id, hook) VALUES (?1, ?2)")?;
    for hook in hooks {
        insert.execute(params![label.0, hook])?;
    }
    Ok(())
}

/// The tags that a transaction adds, of labels that name hooks; of others nothing is noted.
pub(super) struct Gains {
    /// The declared hooks of each label that names any.
    hooks: HashMap<LabelId, Vec<HookId>>,
    gained: Vec<(LabelId, ImageId, f32)>,
}

/// What was put into the outbox.
#[derive(Default)]
struct Queued {
    events: Vec<Event>,
    /// Events that are in no outbox and are too many to be told.
    untold: usize,
    dropped: HashMap<HookId, usize>,
}

impl Gains {
    pub(super) fn begin(db: &Transaction<'_>) -> Result<Gains> {
        let mut select = db.prepare_cached(
            "SELECT l.label_id, h.id FROM label_hooks l LEFT JOIN hooks h ON h.name = l.hook AND h.is_declared",
        )?;
        let mut rows = select.query([])?;
        let mut hooks: HashMap<LabelId, Vec<HookId>> = HashMap::new();
        while let Some(row) = rows.next()? {
            let hook: Option<i64> = row.get(1)?;
            let of_label = hooks.entry(LabelId(row.get(0)?)).or_default();
            of_label.extend(hook.map(HookId));
        }
        Ok(Gains {
            hooks,
            gained: Vec::new(),
        })
    }

    /// Notes a tag that was not there.
    pub(super) fn add(&mut self, label: LabelId, image: ImageId, score: f32) {
        if self.hooks.contains_key(&label) {
            self.gained.push((label, image, score));
        }
    }

    /// Notes those of an image's new tags that it has not yet; the old ones must still be there.
    pub(super) fn add_new(
        &mut self,
        db: &Transaction<'_>,
        image: ImageId,
        tags: &[(LabelId, f32)],
    ) -> Result<()> {
        let mut select =
            db.prepare_cached("SELECT 1 FROM tags WHERE label_id = ?1 AND image_id = ?2")?;
        for &(label, score) in tags {
            if self.hooks.contains_key(&label) && !select.exists([label.0, image.0])? {
                self.gained.push((label, image, score));
            }
        }
        Ok(())
    }

    /// Puts an event for each into the outbox of its hooks, as far as there is room. Comes last in a transaction: events
    /// tell the image's files.
    fn queue(self, db: &Transaction<'_>) -> Result<Queued> {
        let mut queued = Queued::default();
        if self.gained.is_empty() {
            return Ok(queued);
        }
        let mut room = room(db)?;
        for (label, image, score) in self.gained {
            let hooks = self.hooks.get(&label).map_or(&[][..], Vec::as_slice);
            let open = queued.take_room(hooks, &mut room);
            // More than any reader of the stream could keep up with.
            if open.is_empty() && queued.events.len() >= CAPACITY {
                queued.untold += 1;
                continue;
            }
            let event = Event::Tag(gained(db, label, image, score)?);
            insert(db, &open, &event)?;
            queued.events.push(event);
        }
        queued.count_dropped(db)?;
        Ok(queued)
    }
}

impl Queued {
    /// Those of the hooks for which one more event may wait.
    fn take_room(&mut self, hooks: &[HookId], room: &mut HashMap<HookId, i64>) -> Vec<HookId> {
        let mut open = Vec::new();
        for &hook in hooks {
            match room.get_mut(&hook) {
                Some(room) if *room > 0 => {
                    *room -= 1;
                    open.push(hook);
                }
                _ => *self.dropped.entry(hook).or_default() += 1,
            }
        }
        open
    }

    fn count_dropped(&self, db: &Transaction<'_>) -> Result<()> {
        let mut update =
            db.prepare_cached("UPDATE hooks SET dropped = dropped + ?2 WHERE id = ?1")?;
        for (hook, dropped) in &self.dropped {
            update.execute(params![hook.0, *dropped as i64])?;
        }
        Ok(())
    }

    fn tell(self, feed: &Feed) {
        for dropped in self.dropped.values() {
            warn!(
                dropped,
                "too many events wait for a hook: the newest are dropped; `pixdex status` tells which hook and why"
            );
        }
        if !self.events.is_empty() {
            feed.tell_outbox_filled();
        }
        self.events.into_iter().for_each(|event| feed.tell(event));
        if self.untold > 0 {
            feed.tell(Event::Missed { count: self.untold });
        }
    }
}

/// How many more events may wait for each declared hook.
fn room(db: &Transaction<'_>) -> Result<HashMap<HookId, i64>> {
    let mut select = db.prepare_cached(
        "SELECT id, max_waiting - (SELECT count(*) FROM outbox o WHERE o.hook_id = h.id) FROM hooks h WHERE is_declared",
    )?;
    let rows = select.query_map([], |row| Ok((HookId(row.get(0)?), row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The event of a tag that was just written.
fn gained(db: &Transaction<'_>, label: LabelId, image: ImageId, score: f32) -> Result<Gained> {
    let paths = images::paths_of(db, image)?;
    let mut select = db.prepare_cached(
        "SELECT lower(hex(randomblob(16))), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), s.name, l.name, i.hash, EXISTS (
             SELECT 1 FROM decisions d
             WHERE d.hash = i.hash AND d.label_set = s.key AND d.label = l.name AND d.verdict = 'confirmed')
         FROM labels l JOIN label_sets s ON s.id = l.label_set_id JOIN images i ON i.id = ?2 WHERE l.id = ?1",
    )?;
    let event = select.query_row([label.0, image.0], |row| {
        Ok(Gained {
            id: row.get(0)?,
            time: row.get(1)?,
            set: row.get(2)?,
            label: row.get(3)?,
            score,
            decision: row.get::<_, bool>(5)?.then_some(Verdict::Confirmed),
            image: ContentHash(row.get(4)?),
            paths: paths
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
        })
    })?;
    Ok(event)
}

fn insert(db: &Transaction<'_>, hooks: &[HookId], event: &Event) -> Result<()> {
    let mut insert = db.prepare_cached(
        "INSERT INTO outbox (hook_id, event, queued_at) VALUES (?1, ?2, unixepoch())",
    )?;
    let event = serde_json::to_string(event)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    for hook in hooks {
        insert.execute(params![hook.0, event])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tags::tests::library;
    use super::super::{AppliedLabel, AppliedSet};
    use super::*;

    /// Gives a set's one label, which names the hooks `x` and `y`, to these images.
    fn apply(store: &Store, images: &[ImageId]) {
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
            .apply_label_set("set", &applied, &[label], &[tags])
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
        apply(&store, &images[..1]);
        let first = store.next_waiting(x).unwrap().unwrap();
        let event: Gained = serde_json::from_str(&first.event).unwrap();
        assert_eq!((&*event.set, &*event.label, event.score), ("set", "a", 0.5));
        assert_eq!(
            (event.decision, event.paths),
            (None, vec!["/photos/0/x".to_owned()])
        );
        let told = serde_json::to_string(&told.try_recv().unwrap()).unwrap();
        assert_eq!(told, first.event, "the stream says the same");
        assert_eq!(filled.try_iter().count(), 1);
        // The same again is no gain, and another image is.
        apply(&store, &images[..1]);
        assert!(filled.is_empty());
        apply(&store, &images[..2]);
        assert_eq!(store.hooks().unwrap()["x"].waiting, 2);
        assert_eq!(store.hooks().unwrap()["z"].waiting, 0);
        // Kept until it was taken.
        store.not_delivered(x, &first, true, "no").unwrap();
        let again = store.next_waiting(x).unwrap().unwrap();
        assert_eq!((&again.event, again.refusals), (&first.event, 1));
        assert_eq!(store.hooks().unwrap()["x"].error.as_deref(), Some("no"));
        store.delivered(x, &again).unwrap();
        let next = store.next_waiting(x).unwrap().unwrap();
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
        let oldest = |hook: usize| store.next_waiting(hooks[hook]).unwrap().unwrap();
        apply(&store, &images);
        let counts = |hook: &str| {
            let status = store.hooks().unwrap().remove(hook).unwrap();
            (status.waiting, status.dropped)
        };
        assert_eq!((counts("x"), counts("y")), ((2, 1), (3, 0)));
        assert_eq!(oldest(0).event, oldest(1).event, "one event for all hooks");
        // What waits for a hook that is not declared any more waits on, and nothing is added.
        store.declare_hooks(&[("y", 9)]).unwrap();
        apply(&store, &[]);
        apply(&store, &images);
        assert_eq!((counts("x"), counts("y")), ((2, 1), (6, 0)));
    }

    #[test]
    fn what_is_too_much_for_the_stream_is_told_as_missed() {
        let (_folder, store, images) = library();
        let mut told = store.feed().read();
        apply(&store, &images);
        let label = store.write(|db| Ok(*Gains::begin(db)?.hooks.keys().next().unwrap()));
        let gains = |db: &Transaction<'_>| {
            let mut gains = Gains::begin(db)?;
            let label = *label.as_ref().unwrap();
            (0..CAPACITY + 5).for_each(|_| gains.add(label, images[0], 0.5));
            Ok(((), gains))
        };
        store.write_tags(gains).unwrap();
        let mut last = None;
        loop {
            match told.try_recv() {
                Ok(event) => last = Some(event),
                Err(tokio::sync::broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => break,
            }
        }
        assert_eq!(last, Some(Event::Missed { count: 5 }));
    }
}
