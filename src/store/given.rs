//! The table `given_keywords`: words that other programs keep for themselves, as they were taken over from there.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Row, params};

use super::hash::ContentHash;
use super::{Result, Store};

/// Words of images.
pub type Given = BTreeMap<ContentHash, BTreeSet<String>>;

impl Store {
    /// What was taken over from a program.
    pub fn given_keywords(&self, source: &str) -> Result<Given> {
        self.read(|db| {
            let mut select =
                db.prepare("SELECT hash, keyword FROM given_keywords WHERE source = ?1")?;
            let rows = select.query_map([source], word)?;
            gathered(rows)
        })
    }

    /// Makes these the words that a program has for these images; those of others stay as they are.
    pub fn give_keywords(&self, source: &str, given: &Given) -> Result<()> {
        self.write(|db| {
            let mut delete =
                db.prepare("DELETE FROM given_keywords WHERE hash = ?1 AND source = ?2")?;
            let mut insert = db.prepare(
                "INSERT INTO given_keywords (hash, keyword, source) VALUES (?1, ?2, ?3)",
            )?;
            for (image, words) in given {
                delete.execute(params![image, source])?;
                for word in words {
                    insert.execute(params![image, word, source])?;
                }
            }
            Ok(())
        })
    }

    /// Takes out all that was taken over from a program, and returns how many words that were.
    pub fn forget_given_keywords(&self, source: &str) -> Result<usize> {
        self.write(|db| {
            let delete = "DELETE FROM given_keywords WHERE source = ?1";
            Ok(db.execute(delete, [source])?)
        })
    }

    /// The keywords that files carry, by the image that stands for each.
    pub fn carried_keywords(&self) -> Result<Given> {
        self.read(|db| {
            let mut select = db.prepare(
                "SELECT i.hash, k.keyword FROM keywords k JOIN shot_files f ON f.id = k.file_id JOIN images i ON i.id = f.image_id",
            )?;
            let rows = select.query_map([], word)?;
            gathered(rows)
        })
    }
}

fn word(row: &Row<'_>) -> rusqlite::Result<(ContentHash, String)> {
    Ok((row.get(0)?, row.get(1)?))
}

fn gathered(rows: impl Iterator<Item = rusqlite::Result<(ContentHash, String)>>) -> Result<Given> {
    let mut given = Given::new();
    for row in rows {
        let (image, word) = row?;
        given.entry(image).or_default().insert(word);
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Filter, samples};

    #[test]
    fn words_of_other_programs_are_found_shown_counted_and_taken_out_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let model = store.model("f", "m").unwrap();
        let root = store.root(std::path::Path::new("/photos")).unwrap();
        let [there, gone] = [1, 2].map(|seed| ContentHash([seed; 32]));
        for (path, hash) in [("/photos/a", there), ("/photos/b", gone)] {
            let record = samples::record(root, path, samples::content(hash));
            store.record(model, &[record]).unwrap();
        }
        store.mark_gone(&["/photos/b".into()]).unwrap();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let given = Given::from([(there, words(&["sea", "sun"])), (gone, words(&["sea"]))]);
        store.give_keywords("digikam", &given).unwrap();
        store
            .give_keywords("immich", &Given::from([(there, words(&["sea"]))]))
            .unwrap();
        assert_eq!(store.given_keywords("digikam").unwrap(), given);
        let found = |tag: &str| {
            let filter = Filter {
                all_tags: vec![tag.to_owned()],
                ..Filter::default()
            };
            store.matching(&filter).unwrap()
        };
        let counts = || {
            let counts = store.tag_counts().unwrap().into_iter();
            counts.map(|tag| (tag.label, tag.count)).collect::<Vec<_>>()
        };
        let ids = found("file/sun");
        assert_eq!(ids.len(), 1);
        let tags = store.images(&ids).unwrap().remove(0).tags;
        let tags: Vec<_> = tags.iter().map(|tag| tag.label.as_str()).collect();
        assert_eq!(tags, ["sea", "sun"]);
        assert_eq!(counts(), [("sea".to_owned(), 1), ("sun".to_owned(), 1)]);
        store
            .give_keywords("digikam", &Given::from([(there, words(&["moon"]))]))
            .unwrap();
        assert_eq!((found("sun").len(), found("moon").len()), (0, 1));
        assert_eq!(store.forget_given_keywords("digikam").unwrap(), 2);
        assert_eq!(counts(), [("sea".to_owned(), 1)]);
    }
}
