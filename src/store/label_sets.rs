//! The tables `label_sets`, `labels` and `label_hooks`: label sets as they were last applied.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Row, Transaction, params};

use super::ids::LabelId;
use super::{Result, Store};

/// A label set as it was last applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppliedSet {
    /// What decisions know it by.
    pub key: String,
    /// Hash of the model and of all that can change a score.
    pub signature: String,
    /// The text of its file.
    pub definition: String,
    /// What it has learned from the library; none where it learns nothing.
    pub learned: Option<LearnedState>,
}

/// What a set has learned from the library, kept as the part of the program wrote it that knows what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearnedState {
    /// The form that the text has.
    pub version: i64,
    /// What was learned.
    pub text: String,
}

/// A label of a set that is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedLabel {
    /// Its name.
    pub name: String,
    /// The hooks that hear of images that gain it.
    pub hooks: Vec<String>,
}

/// A label with its set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedLabel {
    /// What decisions know its set by.
    pub set_key: String,
    /// Name of its set.
    pub set: String,
    /// Its name.
    pub label: String,
}

impl Store {
    /// The labels of all sets as they were last applied, by set and name.
    pub fn named_labels(&self) -> Result<Vec<NamedLabel>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT set_key, set_name, name FROM named_labels ORDER BY set_name, name",
            )?;
            let rows = select.query_map([], |row| {
                Ok(NamedLabel {
                    set_key: row.get(0)?,
                    set: row.get(1)?,
                    label: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The label sets as they were last applied, by name.
    pub fn label_sets(&self) -> Result<BTreeMap<String, AppliedSet>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT name, key, signature, definition, learned_version, learned FROM label_sets",
            )?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, applied_set(row)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The rows of a set's labels, in the order of `labels`; none where a label is not stored.
    pub fn label_ids(&self, set: &str, labels: &[AppliedLabel]) -> Result<Option<Vec<LabelId>>> {
        self.read(|db| {
            let mut select =
                db.prepare_cached("SELECT name, id FROM named_labels WHERE set_name = ?1")?;
            let rows = select.query_map([set], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let ids: HashMap<String, LabelId> = rows.collect::<rusqlite::Result<_>>()?;
            let ids = labels.iter().map(|label| ids.get(&label.name).copied());
            Ok(ids.collect())
        })
    }

    /// Gives a set another way to write its name.
    pub fn rename_label_set(&self, from: &str, to: &str) -> Result<()> {
        self.write(|db| {
            db.execute(
                "UPDATE label_sets SET name = ?2 WHERE name = ?1",
                [from, to],
            )?;
            Ok(())
        })
    }

    /// Keeps the text of a set that scores as it did, and the hooks that each of its labels names.
    pub fn redefine_label_set(
        &self,
        name: &str,
        definition: &str,
        ids: &[LabelId],
        labels: &[AppliedLabel],
    ) -> Result<()> {
        self.write(|db| {
            let update = "UPDATE label_sets SET definition = ?2 WHERE name = ?1";
            db.execute(update, [name, definition])?;
            for (id, label) in ids.iter().zip(labels) {
                name_hooks(db, *id, &label.hooks)?;
            }
            Ok(())
        })
    }
}

fn applied_set(row: &Row<'_>) -> rusqlite::Result<AppliedSet> {
    let version = row.get(4)?;
    let learned: Option<String> = row.get(5)?;
    Ok(AppliedSet {
        key: row.get(1)?,
        signature: row.get(2)?,
        definition: row.get(3)?,
        learned: learned.map(|text| LearnedState { version, text }),
    })
}

/// Writes a set as it is applied and returns its row.
pub(super) fn put(db: &Transaction<'_>, name: &str, applied: &AppliedSet) -> Result<i64> {
    let mut upsert = db.prepare_cached(
        "INSERT INTO label_sets (name, key, signature, definition, learned_version, learned)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (name) DO UPDATE SET
             key = excluded.key, signature = excluded.signature, definition = excluded.definition,
             learned_version = excluded.learned_version, learned = excluded.learned
         RETURNING id",
    )?;
    let learned = applied.learned.as_ref();
    let values = params![
        name,
        applied.key,
        applied.signature,
        applied.definition,
        learned.map_or(0, |learned| learned.version),
        learned.map(|learned| &learned.text)
    ];
    Ok(upsert.query_row(values, |row| row.get(0))?)
}

/// Forgets the labels that a set has no more and returns how many tags they made.
pub(super) fn drop_other_labels(
    db: &Transaction<'_>,
    set: i64,
    keep: &[AppliedLabel],
) -> Result<usize> {
    let mut select = db.prepare_cached(
        "SELECT l.id, l.name, (SELECT count(*) FROM tags WHERE label_id = l.id) FROM labels l WHERE label_set_id = ?1",
    )?;
    let rows = select.query_map([set], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let stored: Vec<(i64, String, i64)> = rows.collect::<rusqlite::Result<_>>()?;
    let mut removed = 0;
    let is_kept = |name: &String| keep.iter().any(|label| label.name == *name);
    for (id, _, tags) in stored.into_iter().filter(|(_, name, _)| !is_kept(name)) {
        db.execute("DELETE FROM labels WHERE id = ?1", [id])?;
        removed += tags as usize;
    }
    Ok(removed)
}

/// The row of a label, made where there is none.
pub(super) fn label_id(db: &Transaction<'_>, set: i64, label: &str) -> Result<LabelId> {
    let mut upsert = db.prepare_cached(
        "INSERT INTO labels (label_set_id, name) VALUES (?1, ?2)
         ON CONFLICT (label_set_id, name) DO UPDATE SET name = name RETURNING id",
    )?;
    Ok(upsert.query_row(params![set, label], |row| row.get(0))?)
}

/// Makes `hooks` what a label names.
pub(super) fn name_hooks(db: &Transaction<'_>, label: LabelId, hooks: &[String]) -> Result<()> {
    db.prepare_cached("DELETE FROM label_hooks WHERE label_id = ?1")?
        .execute([label])?;
    let mut insert =
        db.prepare_cached("INSERT OR IGNORE INTO label_hooks (label_id, hook) VALUES (?1, ?2)")?;
    for hook in hooks {
        insert.execute(params![label, hook])?;
    }
    Ok(())
}

/// Forgets a set with its labels, and their tags with them.
pub(super) fn delete(db: &Transaction<'_>, name: &str) -> Result<()> {
    db.execute("DELETE FROM label_sets WHERE name = ?1", [name])?;
    Ok(())
}
