//! Labels that images carry, and how many carry each.

use std::collections::BTreeMap;

use rusqlite::{Transaction, params};
use serde::{Deserialize, Serialize};

use super::gains::Gains;
use super::{ImageId, Result, Store, Verdict, keywords};

/// A label's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LabelId(pub(super) i64);

/// Who says that an image has a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagCount {
    /// Name of the label set.
    pub set: String,
    /// Name of the label.
    pub label: String,
    /// Images that a file holds and that carry the label.
    pub count: i64,
}

impl Store {
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

    /// All labels with the number of images that carry each, most first: all tags, less those of the few images that no file
    /// holds any more, which takes a third of the time of asking for each tag.
    pub fn tag_counts(&self) -> Result<Vec<TagCount>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "WITH dead AS MATERIALIZED (
                     SELECT id FROM images WHERE NOT EXISTS (
                         SELECT 1 FROM files WHERE image_id = images.id AND state IN ('indexed', 'offline'))),
                 dead_tags AS MATERIALIZED (
                     SELECT label_id, count(*) AS images FROM dead JOIN tags ON image_id = id GROUP BY label_id)
                 SELECT s.name, l.name, (SELECT count(*) FROM tags WHERE label_id = l.id) - coalesce(d.images, 0)
                 FROM labels l JOIN label_sets s ON s.id = l.label_set_id LEFT JOIN dead_tags d ON d.label_id = l.id
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

pub(super) fn tags_of_label(db: &Transaction<'_>, label: LabelId) -> Result<Vec<(ImageId, f32)>> {
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
    use crate::store::{
        AppliedLabel, AppliedSet, Content, ContentHash, Difference, FileKeywords, FileRecord,
        FileStat, Filter,
    };

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
            learned: None,
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
        assert_eq!(
            store.page(&Filter::default(), Some(images[2]), 1).unwrap(),
            [images[1]]
        );
    }
}
