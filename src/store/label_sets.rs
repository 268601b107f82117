//! Label sets as they were last applied: what each was, and the writing of what it changed.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::gains::{self, Gains};
use super::tags::tags_of_label;
use super::{ImageId, LabelId, Result, Store, TagChange};

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

/// What applying a label set changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Difference {
    /// Tags that were not there before.
    pub added: usize,
    /// Tags that are no longer there.
    pub removed: usize,
    /// Tags that stayed with another score.
    pub rescored: usize,
}

impl Store {
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
            let mut select = db.prepare_cached(
                "SELECT l.id FROM labels l JOIN label_sets s ON s.id = l.label_set_id WHERE s.name = ?1 AND l.name = ?2",
            )?;
            let mut ids = Vec::with_capacity(labels.len());
            for label in labels {
                match select.query_row([set, &label.name], |row| row.get(0)).optional()? {
                    Some(id) => ids.push(LabelId(id)),
                    None => return Ok(None),
                }
            }
            Ok(Some(ids))
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
                gains::name_hooks(db, *id, &label.hooks)?;
            }
            Ok(())
        })
    }

    /// Makes the library's tags of one label set what `tags` says (for each label its images, in order, with their scores), in
    /// one transaction, and returns the labels' rows with what changed.
    pub fn apply_label_set(
        &self,
        name: &str,
        applied: &AppliedSet,
        labels: &[AppliedLabel],
        tags: &[Vec<(ImageId, f32)>],
    ) -> Result<(Vec<LabelId>, Difference)> {
        let applied = self.write_tags(|db| {
            let set = put_set(db, name, applied)?;
            let mut difference = Difference {
                removed: drop_other_labels(db, set, labels)?,
                ..Difference::default()
            };
            let mut ids = Vec::with_capacity(labels.len());
            for label in labels {
                let id = label_id(db, set, &label.name)?;
                gains::name_hooks(db, id, &label.hooks)?;
                ids.push(id);
            }
            let mut gains = Gains::begin(db)?;
            for (id, tags) in ids.iter().zip(tags) {
                apply_label(db, *id, tags, &mut difference, &mut gains)?;
            }
            Ok(((ids, difference), gains))
        })?;
        self.shared.changes.note(TagChange::All);
        Ok(applied)
    }

    /// Forgets a label set with its tags and returns how many there were.
    pub fn delete_label_set(&self, name: &str) -> Result<usize> {
        let removed = self.write(|db| {
            let count = "SELECT count(*) FROM tags t JOIN labels l ON l.id = t.label_id
                         JOIN label_sets s ON s.id = l.label_set_id WHERE s.name = ?1";
            let removed: i64 = db.query_row(count, [name], |row| row.get(0))?;
            db.execute("DELETE FROM label_sets WHERE name = ?1", [name])?;
            Ok(removed as usize)
        })?;
        self.shared.changes.note(TagChange::All);
        Ok(removed)
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

fn put_set(db: &Transaction<'_>, name: &str, applied: &AppliedSet) -> Result<i64> {
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

fn drop_other_labels(db: &Transaction<'_>, set: i64, keep: &[AppliedLabel]) -> Result<usize> {
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

fn label_id(db: &Transaction<'_>, set: i64, label: &str) -> Result<LabelId> {
    let mut upsert = db.prepare_cached(
        "INSERT INTO labels (label_set_id, name) VALUES (?1, ?2)
         ON CONFLICT (label_set_id, name) DO UPDATE SET name = name RETURNING id",
    )?;
    Ok(LabelId(
        upsert.query_row(params![set, label], |row| row.get(0))?,
    ))
}

/// Writes only what differs: on a large library most tags stay as they are. `wanted` is in the order of the images, as
/// the stored ones come, so that both are walked side by side and rows are written in the order of the table.
fn apply_label(
    db: &Transaction<'_>,
    label: LabelId,
    wanted: &[(ImageId, f32)],
    difference: &mut Difference,
    gains: &mut Gains,
) -> Result<()> {
    let mut insert =
        db.prepare_cached("INSERT INTO tags (label_id, image_id, score) VALUES (?1, ?2, ?3)")?;
    let mut update =
        db.prepare_cached("UPDATE tags SET score = ?3 WHERE label_id = ?1 AND image_id = ?2")?;
    let mut delete = db.prepare_cached("DELETE FROM tags WHERE label_id = ?1 AND image_id = ?2")?;
    let mut stored = tags_of_label(db, label)?.into_iter().peekable();
    let mut wanted = wanted.iter().copied().peekable();
    while let Some(next) = next_of(stored.peek(), wanted.peek()) {
        let (old, new) = (
            stored.next_if(|tag| tag.0 == next),
            wanted.next_if(|tag| tag.0 == next),
        );
        match (old, new) {
            (Some(old), Some(new)) if old.1.to_bits() == new.1.to_bits() => {}
            (Some(_), Some((image, score))) => {
                difference.rescored += update.execute(params![label.0, image.0, score])?;
            }
            (None, Some((image, score))) => {
                difference.added += insert.execute(params![label.0, image.0, score])?;
                gains.add(label, image, score);
            }
            (_, None) => difference.removed += delete.execute(params![label.0, next.0])?,
        }
    }
    Ok(())
}

/// The smaller image of the two.
fn next_of(stored: Option<&(ImageId, f32)>, wanted: Option<&(ImageId, f32)>) -> Option<ImageId> {
    stored.into_iter().chain(wanted).map(|tag| tag.0).min()
}
