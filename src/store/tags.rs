//! Label sets as they were last applied, and the tags that they gave.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction, params};
use serde::Serialize;

use super::gains::{self, Gains};
use super::{ImageId, Learned, Result, Store, TagChange, Verdict, keywords, learned};

/// A label's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LabelId(pub(super) i64);

/// Who says that an image has a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The model, by its score.
    Model,
    /// A person, who confirmed it.
    Person,
    /// A keyword in a file or in the sidecar beside it.
    File,
}

/// A label kept for an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tag {
    /// Name of the label set; `file` for keywords of files.
    pub set: String,
    /// Name of the label.
    pub label: String,
    /// Probability, 0 to 1; 1 where a person confirmed it.
    pub score: f32,
    /// Who says so.
    pub source: Source,
    /// Whether a person confirmed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Verdict>,
}

/// How many images carry a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TagCount {
    /// Name of the label set.
    pub set: String,
    /// Name of the label.
    pub label: String,
    /// Images that a file holds and that carry the label.
    pub count: i64,
}

/// A label set as it was last applied.
#[derive(Debug, Clone, PartialEq)]
pub struct AppliedSet {
    /// What decisions know it by.
    pub key: String,
    /// Hash of the model and of all that can change a score.
    pub signature: String,
    /// The text of its file.
    pub definition: String,
    /// What its examples have taught.
    pub learned: Learned,
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
            let mut select =
                db.prepare_cached("SELECT name, key, signature, definition FROM label_sets")?;
            let rows = select.query_map([], |row| {
                Ok((
                    row.get(0)?,
                    AppliedSet {
                        key: row.get(1)?,
                        signature: row.get(2)?,
                        definition: row.get(3)?,
                        learned: Learned::default(),
                    },
                ))
            })?;
            let mut sets: BTreeMap<String, AppliedSet> = rows.collect::<rusqlite::Result<_>>()?;
            for (name, set) in &mut sets {
                set.learned = learned::of_set(db, name)?;
            }
            Ok(sets)
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
            let upsert =
                "INSERT INTO label_sets (name, key, signature, definition) VALUES (?1, ?2, ?3, ?4)
                          ON CONFLICT (name) DO UPDATE SET key = excluded.key,
                              signature = excluded.signature, definition = excluded.definition
                          RETURNING id";
            let AppliedSet {
                key,
                signature,
                definition,
                learned,
            } = applied;
            let set: i64 =
                db.query_row(upsert, [name, key, signature, definition], |row| row.get(0))?;
            learned::replace_of_set(db, set, learned)?;
            let mut difference = Difference {
                removed: drop_other_labels(db, set, labels)?,
                ..Difference::default()
            };
            let mut ids = Vec::with_capacity(labels.len());
            for label in labels {
                let id = label_id(db, set, &label.name)?;
                gains::name_hooks(db, id, &label.hooks)?;
                learned::replace_of_label(db, id, &label.name, learned)?;
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

    /// The images that carry each label of a set, in the order of their rows.
    pub fn tagged(&self, set: &str) -> Result<BTreeMap<String, Vec<ImageId>>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT l.id, l.name FROM labels l JOIN label_sets s ON s.id = l.label_set_id WHERE s.name = ?1",
            )?;
            let labels = select.query_map([set], |row| Ok((LabelId(row.get(0)?), row.get(1)?)))?;
            let mut tagged = BTreeMap::new();
            for label in labels {
                let (label, name) = label?;
                let images = tags_of_label(db, label)?.into_iter().map(|tag| tag.0);
                tagged.insert(name, images.collect());
            }
            Ok(tagged)
        })
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

    /// All labels with the number of images that carry each, most first.
    pub fn tag_counts(&self) -> Result<Vec<TagCount>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT s.name, l.name, count(live.image_id) AS images
                 FROM labels l JOIN label_sets s ON s.id = l.label_set_id
                 LEFT JOIN tags t ON t.label_id = l.id
                 LEFT JOIN (SELECT DISTINCT image_id FROM files WHERE state IN ('indexed', 'offline')) live
                     ON live.image_id = t.image_id
                 GROUP BY l.id
                 UNION ALL
                 SELECT 'file', keyword, count(DISTINCT f.image_id) FROM keywords k JOIN files f ON f.id = k.file_id
                 WHERE f.state IN ('indexed', 'offline') GROUP BY keyword
                 ORDER BY 3 DESC, 1, 2",
            )?;
            let rows = select
                .query_map([], |row| Ok(TagCount { set: row.get(0)?, label: row.get(1)?, count: row.get(2)? }))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
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

fn tags_of_label(db: &Transaction<'_>, label: LabelId) -> Result<Vec<(ImageId, f32)>> {
    let mut select = db
        .prepare_cached("SELECT image_id, score FROM tags WHERE label_id = ?1 ORDER BY image_id")?;
    let rows = select.query_map([label.0], |row| Ok((ImageId(row.get(0)?), row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn replace_of_image(
    db: &Transaction<'_>,
    image: ImageId,
    tags: &[(LabelId, f32)],
    gains: &mut Gains,
) -> Result<()> {
    gains.add_new(db, image, tags)?;
    db.prepare_cached("DELETE FROM tags WHERE image_id = ?1")?
        .execute([image.0])?;
    insert_of_image(db, image, tags)
}

/// Gives an image other tags of one label set.
pub(super) fn replace_of_set(
    db: &Transaction<'_>,
    set: &str,
    image: ImageId,
    tags: &[(LabelId, f32)],
    gains: &mut Gains,
) -> Result<()> {
    gains.add_new(db, image, tags)?;
    let mut delete = db.prepare_cached(
        "DELETE FROM tags WHERE image_id = ?1 AND label_id IN (
             SELECT l.id FROM labels l JOIN label_sets s ON s.id = l.label_set_id WHERE s.name = ?2)",
    )?;
    delete.execute(params![image.0, set])?;
    insert_of_image(db, image, tags)
}

fn insert_of_image(db: &Transaction<'_>, image: ImageId, tags: &[(LabelId, f32)]) -> Result<()> {
    let mut insert =
        db.prepare_cached("INSERT INTO tags (label_id, image_id, score) VALUES (?1, ?2, ?3)")?;
    for &(label, score) in tags {
        insert.execute(params![label.0, image.0, score])?;
    }
    Ok(())
}

pub(super) fn of_image(db: &Transaction<'_>, image: ImageId) -> Result<Vec<Tag>> {
    let mut select = db.prepare_cached(
        "SELECT s.name, l.name, t.score, EXISTS (
             SELECT 1 FROM decisions d JOIN images i ON i.hash = d.hash
             WHERE i.id = t.image_id AND d.label_set = s.key AND d.label = l.name AND d.verdict = 'confirmed')
         FROM tags t JOIN labels l ON l.id = t.label_id JOIN label_sets s ON s.id = l.label_set_id
         WHERE t.image_id = ?1 ORDER BY s.name, t.score DESC, l.name",
    )?;
    let rows = select.query_map([image.0], |row| {
        let is_confirmed = row.get(3)?;
        Ok(Tag {
            set: row.get(0)?,
            label: row.get(1)?,
            score: row.get(2)?,
            source: if is_confirmed {
                Source::Person
            } else {
                Source::Model
            },
            decision: is_confirmed.then_some(Verdict::Confirmed),
        })
    })?;
    let mut tags: Vec<Tag> = rows.collect::<rusqlite::Result<_>>()?;
    tags.extend(keywords::of_image(db, image)?);
    Ok(tags)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::decode::Metadata;
    use crate::embed::Embedding;
    use crate::store::{Content, ContentHash, FileKeywords, FileRecord, FileStat, Filter};

    /// A library of three images.
    pub(in crate::store) fn library() -> (tempfile::TempDir, Store, Vec<ImageId>) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let root = store.root(std::path::Path::new("/photos")).unwrap();
        let model = store.model("fingerprint", "name").unwrap();
        let record = |seed: u8| FileRecord {
            root,
            path: format!("/photos/{seed}/x").into(),
            stat: FileStat {
                size_bytes: 1,
                modified_ns: 1,
                inode: 1,
            },
            content: Ok(Content {
                hash: ContentHash([seed; 32]),
                metadata: Metadata {
                    taken_at: Some(format!("202{seed}-05-01T10:00:00")),
                    ..Metadata::default()
                },
                keywords: FileKeywords::none(),
                embedding: Embedding::new(vec![1.0]).unwrap(),
                tags: Vec::new(),
            }),
        };
        let records: Vec<FileRecord> = (0..3).map(record).collect();
        let images = store
            .record(model, &records)
            .unwrap()
            .images
            .into_iter()
            .flatten()
            .collect();
        (folder, store, images)
    }

    fn apply(store: &Store, labels: &[&str], tags: &[Vec<(ImageId, f32)>]) -> Difference {
        let applied = AppliedSet {
            key: "set".to_owned(),
            signature: "s".to_owned(),
            definition: String::new(),
            learned: Learned::default(),
        };
        let label = |name: &&str| AppliedLabel {
            name: (*name).to_owned(),
            hooks: Vec::new(),
        };
        let labels: Vec<_> = labels.iter().map(label).collect();
        store
            .apply_label_set("set", &applied, &labels, tags)
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
            Difference {
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
            Difference {
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
            Difference {
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
            after: Some("2021".to_owned()),
            ..tagged("a")
        };
        assert_eq!(matching(after), [images[1]]);
        assert_eq!(
            matching(Filter {
                before: Some("2021-05".to_owned()),
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
        assert_eq!(
            store.page(&Filter::default(), Some(images[2]), 1).unwrap(),
            [images[1]]
        );
    }
}
