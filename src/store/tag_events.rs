//! From new tags to the events that hooks and readers of the stream hear of: written into the outbox in the transaction that
//! adds the tags, and told when that is kept.

use std::collections::HashMap;

use rusqlite::{Transaction, params};
use tracing::warn;

use super::decisions::Verdict;
use super::feed::{CAPACITY, Event, Feed};
use super::ids::{self, HookId, LabelId};
use super::outbox::{self, TagEvent};
use super::tags::{NewTag, NewTags};
use super::{Result, Store, files};

impl Store {
    /// As [`Store::write`], for work that adds tags: what their hooks are to hear goes into the outbox in the same
    /// transaction, and is told when that is kept.
    pub(super) fn write_tags<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<(T, NewTags)>,
    ) -> Result<T> {
        let (answer, queued) = self.write(|db| {
            let (answer, new_tags) = work(db)?;
            Ok((answer, queue(db, new_tags.added)?))
        })?;
        queued.tell(self.feed());
        Ok(answer)
    }
}

/// A place for the new tags of labels that name hooks.
pub(super) fn watched_tags(db: &Transaction<'_>) -> Result<NewTags> {
    Ok(NewTags::of(hooks_by_label(db)?.into_keys().collect()))
}

/// The declared hooks of each label that names any hook.
fn hooks_by_label(db: &Transaction<'_>) -> Result<HashMap<LabelId, Vec<HookId>>> {
    let mut select = db.prepare_cached(
        "SELECT l.label_id, h.id FROM label_hooks l LEFT JOIN hooks h ON h.name = l.hook AND h.is_declared",
    )?;
    let mut rows = select.query([])?;
    let mut hooks: HashMap<LabelId, Vec<HookId>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let of_label = hooks.entry(row.get(0)?).or_default();
        of_label.extend(row.get::<_, Option<HookId>>(1)?);
    }
    Ok(hooks)
}

/// What came of new tags.
#[derive(Default)]
struct Queued {
    events: Vec<Event>,
    /// Events that are in no outbox and are too many to be told.
    untold: usize,
    dropped: HashMap<HookId, usize>,
}

/// Puts an event for each tag into the outbox of its label's hooks, as far as there is room. Comes last in a transaction:
/// events tell the image's files.
fn queue(db: &Transaction<'_>, new_tags: Vec<NewTag>) -> Result<Queued> {
    let mut queued = Queued::default();
    if new_tags.is_empty() {
        return Ok(queued);
    }
    let hooks = hooks_by_label(db)?;
    let mut room = outbox::room(db)?;
    let mut wanted = Vec::new();
    let mut open_hooks = Vec::new();
    for tag in new_tags {
        let hooks = hooks.get(&tag.label).map_or(&[][..], Vec::as_slice);
        let open = queued.take_room(hooks, &mut room);
        // More than any reader of the stream could keep up with.
        if open.is_empty() && wanted.len() >= CAPACITY {
            queued.untold += 1;
            continue;
        }
        wanted.push(tag);
        open_hooks.push(open);
    }
    for (event, hooks) in events(db, &wanted)?.into_iter().zip(open_hooks) {
        let event = Event::Tag(event);
        let text = serde_json::to_string(&event)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        outbox::put(db, &hooks, &text)?;
        queued.events.push(event);
    }
    for (hook, dropped) in &queued.dropped {
        outbox::count_dropped(db, *hook, *dropped)?;
    }
    Ok(queued)
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

/// The events of tags that were just written, in their order.
fn events(db: &Transaction<'_>, tags: &[NewTag]) -> Result<Vec<TagEvent>> {
    let paths = files::paths_of(db, &ids::json(tags.iter().map(|tag| tag.image)))?;
    let pairs: Vec<[i64; 2]> = tags.iter().map(|tag| [tag.label.0, tag.image.0]).collect();
    let mut select = db.prepare_cached(
        "SELECT lower(hex(randomblob(16))), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), l.set_name, l.name, i.hash, EXISTS (
             SELECT 1 FROM decisions d
             WHERE d.hash = i.hash AND d.label_set = l.set_key AND d.label = l.name AND d.verdict = ?2)
         FROM json_each(?1) pair JOIN named_labels l ON l.id = pair.value ->> 0 JOIN images i ON i.id = pair.value ->> 1
         ORDER BY pair.key",
    )?;
    let mut rows = select.query(params![format!("{pairs:?}"), Verdict::Confirmed])?;
    let mut events = Vec::with_capacity(tags.len());
    for tag in tags {
        let Some(row) = rows.next()? else {
            return Err(rusqlite::Error::QueryReturnedNoRows.into());
        };
        let paths = paths.get(&tag.image).map_or(&[][..], Vec::as_slice).iter();
        events.push(TagEvent {
            id: row.get(0)?,
            time: row.get(1)?,
            set: row.get(2)?,
            label: row.get(3)?,
            score: tag.score,
            decision: row.get::<_, bool>(5)?.then_some(Verdict::Confirmed),
            image: row.get(4)?,
            paths: paths.map(|path| path.display().to_string()).collect(),
        });
    }
    Ok(events)
}
