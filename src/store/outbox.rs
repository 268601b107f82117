//! The tables `hooks` and `outbox`: who hears of new tags, and what each has not taken yet.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{OptionalExtension, Transaction, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::decisions::Verdict;
use super::hash::ContentHash;
use super::ids::HookId;
use super::{Result, Store};

/// What waits for a hook that is no longer declared is kept for so long: it may have been left out by accident.
const KEPT_UNDECLARED_S: i64 = 7 * 24 * 3600;

/// An image gained a label that names hooks; in JSON with `"event": "tag"` what hooks get.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TagEvent {
    /// Another one for each event, the same each time that it is delivered.
    pub id: String,
    /// When, `YYYY-MM-DDTHH:MM:SS.SSSZ`.
    pub time: String,
    /// Name of the label set.
    pub set: String,
    /// Name of the label.
    pub label: String,
    /// Probability, 0 to 1; 1 where a person confirmed it.
    pub score: f32,
    /// Whether a person confirmed it.
    pub decision: Option<Verdict>,
    /// Identity of the image's content.
    pub image: ContentHash,
    /// The files that held it then.
    pub paths: Vec<String>,
}

/// How a hook stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HookStatus {
    /// Whether the configuration of the last start has it.
    pub declared: bool,
    /// Events that it has not taken yet.
    pub waiting: i64,
    /// Events that it took.
    pub delivered: i64,
    /// Events that came when too many were waiting.
    pub dropped: i64,
    /// Events that it would not take.
    pub given_up: i64,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// Why the last event was given up.
    pub given_up_for: Option<String>,
}

/// An event that waits for its hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedEvent {
    id: i64,
    /// The JSON that the hook gets.
    pub event: String,
    /// How long it has waited.
    pub age_s: i64,
    /// Attempts at which the hook answered, and not well.
    pub refusals: i64,
}

impl Store {
    /// Makes these the declared hooks, each with the number of events that may wait for it, and returns their rows.
    pub fn declare_hooks(&self, hooks: &[(&str, usize)]) -> Result<Vec<HookId>> {
        self.write(|db| {
            db.execute("UPDATE hooks SET is_declared = 0", [])?;
            let upsert = "INSERT INTO hooks (name, is_declared, max_waiting) VALUES (?1, 1, ?2)
                          ON CONFLICT (name) DO UPDATE SET is_declared = 1, max_waiting = excluded.max_waiting
                          RETURNING id";
            let id = |&(name, max_waiting): &(&str, usize)| {
                Ok(db.query_row(upsert, params![name, max_waiting as i64], |row| row.get(0))?)
            };
            let ids = hooks.iter().map(id).collect::<Result<_>>()?;
            forget_undeclared(db)?;
            Ok(ids)
        })
    }

    /// How every hook stands that is declared or has events waiting, by name.
    pub fn hooks(&self) -> Result<BTreeMap<String, HookStatus>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT name, is_declared, (SELECT count(*) FROM outbox o WHERE o.hook_id = h.id),
                        delivered, dropped, given_up, error, given_up_for FROM hooks h",
            )?;
            let rows = select.query_map([], |row| {
                let status = HookStatus {
                    declared: row.get(1)?,
                    waiting: row.get(2)?,
                    delivered: row.get(3)?,
                    dropped: row.get(4)?,
                    given_up: row.get(5)?,
                    error: row.get(6)?,
                    given_up_for: row.get(7)?,
                };
                Ok((row.get(0)?, status))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The oldest event that waits for a hook.
    pub fn next_queued(&self, hook: HookId) -> Result<Option<QueuedEvent>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT id, event, unixepoch() - queued_at, refusals FROM outbox WHERE hook_id = ?1
                 ORDER BY id LIMIT 1",
            )?;
            let event = select.query_row([hook], |row| {
                Ok(QueuedEvent {
                    id: row.get(0)?,
                    event: row.get(1)?,
                    age_s: row.get(2)?,
                    refusals: row.get(3)?,
                })
            });
            Ok(event.optional()?)
        })
    }

    /// The hook took the event: it is forgotten.
    pub fn delivered(&self, hook: HookId, event: &QueuedEvent) -> Result<()> {
        self.write(|db| {
            db.execute("DELETE FROM outbox WHERE id = ?1", [event.id])?;
            let update = "UPDATE hooks SET delivered = delivered + 1, error = NULL WHERE id = ?1";
            db.execute(update, [hook])?;
            Ok(())
        })
    }

    /// The hook did not take the event, which waits on; `is_refused` where it answered.
    pub fn not_delivered(
        &self,
        hook: HookId,
        event: &QueuedEvent,
        is_refused: bool,
        reason: &str,
    ) -> Result<()> {
        self.write(|db| {
            let update = "UPDATE outbox SET refusals = refusals + ?2 WHERE id = ?1";
            db.execute(update, params![event.id, is_refused])?;
            let update = "UPDATE hooks SET error = ?2 WHERE id = ?1";
            db.execute(update, params![hook, reason])?;
            Ok(())
        })
    }

    /// The event is forgotten although the hook did not take it.
    pub fn give_up(&self, hook: HookId, event: &QueuedEvent, reason: &str) -> Result<()> {
        self.write(|db| {
            db.execute("DELETE FROM outbox WHERE id = ?1", [event.id])?;
            let update = "UPDATE hooks SET given_up = given_up + 1, error = ?2, given_up_for = ?2 WHERE id = ?1";
            db.execute(update, params![hook, reason])?;
            Ok(())
        })
    }
}

fn forget_undeclared(db: &Transaction<'_>) -> Result<()> {
    let mut delete = db.prepare(
        "DELETE FROM hooks WHERE NOT is_declared AND NOT EXISTS (
             SELECT 1 FROM outbox o WHERE o.hook_id = hooks.id AND o.queued_at > unixepoch() - ?1)
         RETURNING name",
    )?;
    let mut names = delete.query([KEPT_UNDECLARED_S])?;
    while let Some(row) = names.next()? {
        let hook: String = row.get(0)?;
        warn!(
            hook,
            "a hook that is no longer declared is forgotten, with what waited for it"
        );
    }
    Ok(())
}

/// How many more events may wait for each declared hook.
pub(super) fn room(db: &Transaction<'_>) -> Result<HashMap<HookId, i64>> {
    let mut select = db.prepare_cached(
        "SELECT id, max_waiting - (SELECT count(*) FROM outbox o WHERE o.hook_id = h.id) FROM hooks h WHERE is_declared",
    )?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Queues an event for each of these hooks.
pub(super) fn put(db: &Transaction<'_>, hooks: &[HookId], event: &str) -> Result<()> {
    let mut insert = db.prepare_cached(
        "INSERT INTO outbox (hook_id, event, queued_at) VALUES (?1, ?2, unixepoch())",
    )?;
    for hook in hooks {
        insert.execute(params![hook, event])?;
    }
    Ok(())
}

/// Counts events for which a hook had no room.
pub(super) fn count_dropped(db: &Transaction<'_>, hook: HookId, dropped: usize) -> Result<()> {
    let mut update = db.prepare_cached("UPDATE hooks SET dropped = dropped + ?2 WHERE id = ?1")?;
    update.execute(params![hook, dropped as i64])?;
    Ok(())
}
