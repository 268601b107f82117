//! The table `tags`: labels that images carry, and how many carry each.

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::{Row, Transaction, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decisions::Verdict;
use super::ids::{ImageId, LabelId};
use super::keywords;
use super::names::FILE_SET;
use super::{Result, Store, frames};

/// Who says that an image has a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tag {
    /// Name of the label set; `file` for keywords of files.
    pub set: String,
    /// Name of the label.
    pub label: String,
    /// Probability, 0 to 1; 1 where a person confirmed it.
    pub score: f32,
    /// Of a video, the share of its frames that carry it, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f32>,
    /// Who says so.
    pub source: Source,
    /// Whether a person confirmed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Verdict>,
}

/// How many images carry a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TagCount {
    /// Name of the label set.
    pub set: String,
    /// Name of the label.
    pub label: String,
    /// Images that a file holds and that carry the label.
    pub count: i64,
}

impl TagCount {
    /// Reads a set, a label and a count.
    pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<TagCount> {
        Ok(TagCount {
            set: row.get(0)?,
            label: row.get(1)?,
            count: row.get(2)?,
        })
    }
}

/// What a change of tags amounts to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TagDifference {
    /// Tags that were not there before.
    pub added: usize,
    /// Tags that are no longer there.
    pub removed: usize,
    /// Tags that stayed with another score.
    pub rescored: usize,
}

/// A tag that was not there before.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewTag {
    pub(super) label: LabelId,
    pub(super) image: ImageId,
    pub(super) score: f32,
}

/// The tags that a transaction adds, of labels that somebody waits for; of others nothing is noted.
pub(super) struct NewTags {
    watched: HashSet<LabelId>,
    pub(super) added: Vec<NewTag>,
}

impl NewTags {
    /// Notes those of these labels.
    pub(super) fn of(watched: HashSet<LabelId>) -> NewTags {
        NewTags {
            watched,
            added: Vec::new(),
        }
    }

    /// Notes a tag that was not there.
    pub(super) fn add(&mut self, label: LabelId, image: ImageId, score: f32) {
        if self.watched.contains(&label) {
            self.added.push(NewTag {
                label,
                image,
                score,
            });
        }
    }
}

impl Store {
    /// The images that carry each label of a set, in the order of their rows.
    pub fn tagged(&self, set: &str) -> Result<BTreeMap<String, Vec<ImageId>>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT l.name, t.image_id FROM named_labels l LEFT JOIN tags t ON t.label_id = l.id
                 WHERE l.set_name = ?1",
            )?;
            let mut rows = select.query([set])?;
            let mut tagged: BTreeMap<String, Vec<ImageId>> = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let images = tagged.entry(row.get(0)?).or_default();
                images.extend(row.get::<_, Option<ImageId>>(1)?);
            }
            // They come in order mostly, which sorting them all in the statement would not make use of.
            for images in tagged.values_mut() {
                images.sort_unstable();
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
                     SELECT id FROM images WHERE NOT EXISTS (SELECT 1 FROM live_files WHERE image_id = images.id)),
                 dead_tags AS MATERIALIZED (
                     SELECT label_id, count(*) AS images FROM dead JOIN tags ON image_id = id GROUP BY label_id)
                 SELECT l.set_name, l.name, (SELECT count(*) FROM tags WHERE label_id = l.id) - coalesce(d.images, 0)
                 FROM named_labels l LEFT JOIN dead_tags d ON d.label_id = l.id
                 UNION ALL
                 SELECT ?1, keyword, count(DISTINCT image_id) FROM (
                     SELECT k.keyword, f.image_id FROM keywords k JOIN shot_files f ON f.id = k.file_id UNION ALL
                     SELECT g.keyword, i.id FROM given_keywords g JOIN images i ON i.hash = g.hash WHERE i.id NOT IN dead)
                 GROUP BY keyword
                 ORDER BY 3 DESC, 1, 2",
            )?;
            let rows = select.query_map([FILE_SET], TagCount::from_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// How many tags a set's labels make.
pub(super) fn count_of_set(db: &Transaction<'_>, set: &str) -> Result<usize> {
    let count =
        "SELECT count(*) FROM tags JOIN named_labels l ON l.id = label_id WHERE l.set_name = ?1";
    let count: i64 = db.query_row(count, [set], |row| row.get(0))?;
    Ok(count as usize)
}

/// Makes these all the tags of an image.
pub(super) fn replace_of_image(
    db: &Transaction<'_>,
    image: ImageId,
    tags: &[(LabelId, f32)],
    new_tags: &mut NewTags,
) -> Result<()> {
    let mut select = db.prepare_cached("SELECT label_id, score FROM tags WHERE image_id = ?1")?;
    let stored = select.query_map([image], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let stored = stored.collect::<rusqlite::Result<_>>()?;
    replace(db, image, stored, tags, new_tags)
}

/// Makes these the tags that one label set gives an image.
pub(super) fn replace_of_set(
    db: &Transaction<'_>,
    set: &str,
    image: ImageId,
    tags: &[(LabelId, f32)],
    new_tags: &mut NewTags,
) -> Result<()> {
    let mut select = db.prepare_cached(
        "SELECT t.label_id, t.score FROM tags t JOIN named_labels l ON l.id = t.label_id
         WHERE t.image_id = ?1 AND l.set_name = ?2",
    )?;
    let stored = select.query_map(params![image, set], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let stored = stored.collect::<rusqlite::Result<_>>()?;
    replace(db, image, stored, tags, new_tags)
}

/// Writes only what differs from what is stored: most of it is the same when a picture is read again.
fn replace(
    db: &Transaction<'_>,
    image: ImageId,
    mut stored: HashMap<LabelId, f32>,
    tags: &[(LabelId, f32)],
    new_tags: &mut NewTags,
) -> Result<()> {
    let mut put = db.prepare_cached(
        "INSERT OR REPLACE INTO tags (label_id, image_id, score) VALUES (?1, ?2, ?3)",
    )?;
    for &(label, score) in tags {
        let before = stored.remove(&label);
        if before.is_none_or(|before| before.to_bits() != score.to_bits()) {
            put.execute(params![label, image, score])?;
        }
        if before.is_none() {
            new_tags.add(label, image, score);
        }
    }
    let mut delete = db.prepare_cached("DELETE FROM tags WHERE label_id = ?1 AND image_id = ?2")?;
    for label in stored.keys() {
        delete.execute(params![label, image])?;
    }
    Ok(())
}

/// Makes these the images of a label, among those that were scored; one that was not, as it has no embedding of the model yet, keeps
/// what it has. Writes only what differs: on a large library most tags stay as they are. `wanted` is in the order of the images, as
/// the stored ones come, so that both are walked side by side and rows are written in the order of the table.
pub(super) fn apply_label(
    db: &Transaction<'_>,
    label: LabelId,
    wanted: &[(ImageId, f32)],
    is_scored: impl Fn(ImageId) -> bool,
    difference: &mut TagDifference,
    new_tags: &mut NewTags,
) -> Result<()> {
    let mut insert =
        db.prepare_cached("INSERT INTO tags (label_id, image_id, score) VALUES (?1, ?2, ?3)")?;
    let mut update =
        db.prepare_cached("UPDATE tags SET score = ?3 WHERE label_id = ?1 AND image_id = ?2")?;
    let mut delete = db.prepare_cached("DELETE FROM tags WHERE label_id = ?1 AND image_id = ?2")?;
    let mut select = db
        .prepare_cached("SELECT image_id, score FROM tags WHERE label_id = ?1 ORDER BY image_id")?;
    let stored = select.query_map([label], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let stored: Vec<(ImageId, f32)> = stored.collect::<rusqlite::Result<_>>()?;
    let mut stored = stored.into_iter().peekable();
    let mut wanted = wanted.iter().copied().peekable();
    while let Some(next) = next_of(stored.peek(), wanted.peek()) {
        let old = stored.next_if(|tag| tag.0 == next);
        let new = wanted.next_if(|tag| tag.0 == next);
        match (old, new) {
            (Some(old), Some(new)) if old.1.to_bits() == new.1.to_bits() => {}
            (Some(_), Some((image, score))) => {
                difference.rescored += update.execute(params![label, image, score])?;
            }
            (None, Some((image, score))) => {
                difference.added += insert.execute(params![label, image, score])?;
                new_tags.add(label, image, score);
            }
            (_, None) if is_scored(next) => {
                difference.removed += delete.execute(params![label, next])?;
            }
            (_, None) => {}
        }
    }
    Ok(())
}

/// The smaller image of the two.
fn next_of(stored: Option<&(ImageId, f32)>, wanted: Option<&(ImageId, f32)>) -> Option<ImageId> {
    stored.into_iter().chain(wanted).map(|tag| tag.0).min()
}

/// The tags of each of these images: those of label sets, and then the keywords of its files.
pub(super) fn of_images(db: &Transaction<'_>, images: &str) -> Result<HashMap<ImageId, Vec<Tag>>> {
    let mut select = db.prepare_cached(
        "SELECT t.image_id, l.set_name, l.name, t.score, EXISTS (
             SELECT 1 FROM decisions d JOIN images i ON i.hash = d.hash
             WHERE i.id = t.image_id AND d.label_set = l.set_key AND d.label = l.name AND d.verdict = ?2), t.label_id
         FROM tags t JOIN named_labels l ON l.id = t.label_id
         WHERE t.image_id IN (SELECT value FROM json_each(?1)) ORDER BY l.set_name, t.score DESC, l.name",
    )?;
    let mut rows = select.query(params![images, Verdict::Confirmed])?;
    let shares = frames::shares_of(db, images)?;
    let mut tags: HashMap<ImageId, Vec<Tag>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let (image, is_confirmed) = (row.get(0)?, row.get(4)?);
        let tag = Tag {
            set: row.get(1)?,
            label: row.get(2)?,
            score: row.get(3)?,
            share: shares.get(&(image, row.get(5)?)).copied(),
            source: if is_confirmed {
                Source::Person
            } else {
                Source::Model
            },
            decision: is_confirmed.then_some(Verdict::Confirmed),
        };
        tags.entry(image).or_default().push(tag);
    }
    for (image, keywords) in keywords::of_images(db, images)? {
        let of_image = tags.entry(image).or_default();
        of_image.extend(keywords.into_iter().map(keyword_tag));
    }
    Ok(tags)
}

fn keyword_tag(keyword: String) -> Tag {
    Tag {
        set: FILE_SET.to_owned(),
        label: keyword,
        score: 1.0,
        share: None,
        source: Source::File,
        decision: None,
    }
}
