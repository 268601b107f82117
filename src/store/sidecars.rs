//! What of the table `files` is about sidecars: what they looked like, what was written into them, and what went wrong.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use rusqlite::{Row, Transaction, params};

use super::file_state::SidecarStamp;
use super::ids::{self, FileId, ImageId};
use super::keywords::FileKeywords;
use super::{Result, Store, paths};

/// A file with the tags that its sidecar may want.
#[derive(Debug, Clone)]
pub struct TaggedFile {
    /// Its row.
    pub id: FileId,
    /// The picture.
    pub path: PathBuf,
    /// Whether tags are wanted beside it: not where it is no longer there, or another file stands for its shot.
    pub is_wanted: bool,
    /// Label sets and labels of its tags.
    pub tags: Vec<(String, String)>,
    /// What its sidecar was last brought up to date with.
    pub written: Option<String>,
    /// Whether there was a sidecar when it was last looked for.
    pub has_sidecar: bool,
    /// Why that failed the last time.
    pub error: Option<String>,
}

/// What came of bringing a sidecar up to date: with what, or why not.
pub type Written = std::result::Result<Option<String>, String>;

impl Store {
    /// Up to `limit` files behind `after` beside which tags are wanted, or were written and are wanted no more.
    pub fn tagged_files(&self, after: FileId, limit: usize) -> Result<Vec<TaggedFile>> {
        self.read(|db| {
            let mut select = db.prepare_cached(&format!(
                "{SELECT_FILES} WHERE id > ?1 ORDER BY id LIMIT ?2"
            ))?;
            let rows = select.query_map(params![after, limit as i64], row)?;
            with_tags(db, rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The same for the files that hold, or held, these images.
    pub fn tagged_files_of(&self, images: &BTreeSet<ImageId>) -> Result<Vec<TaggedFile>> {
        self.read(|db| {
            let mut select = db.prepare_cached(&format!(
                "{SELECT_FILES} WHERE image_id IN (SELECT value FROM json_each(?1))"
            ))?;
            let rows = select.query_map([ids::json(images.iter().copied())], row)?;
            with_tags(db, rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Pictures that are there and whose paths are `stem` with an ending.
    pub fn files_of_stem(&self, stem: &Path) -> Result<Vec<PathBuf>> {
        let first = [paths::to_bytes(stem), b".".to_vec()].concat();
        // `/` follows `.`, and so ends what begins with `stem.`.
        let end = [paths::to_bytes(stem), b"/".to_vec()].concat();
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT path FROM readable_files WHERE path = ?1 OR path >= ?2 AND path < ?3",
            )?;
            let rows = select.query_map(params![paths::to_bytes(stem), first, end], |row| {
                Ok(paths::from_bytes(row.get(0)?))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Remembers what sidecars look like that are about to be put in place: no reason to read keywords again.
    pub fn expect_sidecars(&self, expected: &[(FileId, SidecarStamp)]) -> Result<()> {
        self.write(|db| {
            let mut update = db.prepare_cached("UPDATE files SET sidecars = ?2 WHERE id = ?1")?;
            for (file, stamp) in expected {
                update.execute(params![file, stamp])?;
            }
            Ok(())
        })
    }

    /// Remembers what came of bringing sidecars up to date.
    pub fn note_written(&self, written: &[(FileId, Written)]) -> Result<()> {
        self.write(|db| {
            let mut succeeded = db.prepare_cached(
                "UPDATE files SET written = ?2, sidecar_error = NULL WHERE id = ?1",
            )?;
            let mut failed =
                db.prepare_cached("UPDATE files SET sidecar_error = ?2 WHERE id = ?1")?;
            for (file, written) in written {
                match written {
                    Ok(written) => succeeded.execute(params![file, written])?,
                    Err(reason) => failed.execute(params![file, reason])?,
                };
            }
            Ok(())
        })
    }
}

/// Remembers what the sidecars of a file looked like when its keywords were read.
pub(super) fn note_read(db: &Transaction<'_>, file: FileId, found: &FileKeywords) -> Result<()> {
    let mut update =
        db.prepare_cached("UPDATE files SET sidecars = ?2, sidecar_error = ?3 WHERE id = ?1")?;
    update.execute(params![file, found.stamp, found.error])?;
    Ok(())
}

const SELECT_FILES: &str =
    "SELECT id, path, is_wanted, written, sidecars, sidecar_error, image_id FROM sidecar_files";

/// A file without its tags, and its image.
fn row(row: &Row<'_>) -> rusqlite::Result<(TaggedFile, Option<ImageId>)> {
    let stamp: Option<SidecarStamp> = row.get(4)?;
    let file = TaggedFile {
        id: row.get(0)?,
        path: paths::from_bytes(row.get(1)?),
        is_wanted: row.get(2)?,
        tags: Vec::new(),
        written: row.get(3)?,
        has_sidecar: stamp.is_some_and(|stamp| stamp.is_there()),
        error: row.get(5)?,
    };
    Ok((file, row.get(6)?))
}

fn with_tags(
    db: &Transaction<'_>,
    files: Vec<(TaggedFile, Option<ImageId>)>,
) -> Result<Vec<TaggedFile>> {
    let mut select = db.prepare_cached(
        "SELECT t.image_id, l.set_name, l.name FROM tags t JOIN named_labels l ON l.id = t.label_id
         WHERE t.image_id IN (SELECT value FROM json_each(?1))",
    )?;
    let images = ids::json(files.iter().filter_map(|(_, image)| *image));
    let mut rows = select.query([images])?;
    let mut tags: HashMap<ImageId, Vec<(String, String)>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let of_image = tags.entry(row.get(0)?).or_default();
        of_image.push((row.get(1)?, row.get(2)?));
    }
    let with_tags = files.into_iter().map(|(mut file, image)| {
        if file.is_wanted {
            let of_image = image.and_then(|image| tags.get(&image));
            file.tags = of_image.cloned().unwrap_or_default();
        }
        file
    });
    Ok(with_tags.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::{self, STAT};
    use crate::store::{Content, ContentHash, Filter};

    /// Records a file with keywords, each image by its seed.
    fn record(store: &Store, path: &str, seed: u8, keywords: &[&str]) -> ImageId {
        let root = store.root(Path::new("/photos")).unwrap();
        let model = store.model("fingerprint", "name").unwrap();
        let content = Content {
            keywords: FileKeywords {
                keywords: keywords.iter().map(|text| (*text).to_owned()).collect(),
                ..FileKeywords::default()
            },
            ..samples::content(ContentHash([seed; 32]))
        };
        let record = samples::record(root, path, content);
        store.record(model, &[record]).unwrap().images[0].unwrap()
    }

    #[test]
    fn keywords_are_of_files_and_found_by_their_images() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let image = record(&store, "/photos/a", 1, &["sea", "sun"]);
        record(&store, "/photos/copy", 1, &["sea"]);
        record(&store, "/photos/b", 2, &["sun"]);
        let labels = || {
            let tags = store.images(&[image]).unwrap().remove(0).tags;
            tags.into_iter().map(|tag| tag.label).collect::<Vec<_>>()
        };
        let found = |tag: &str| {
            let filter = Filter {
                all_tags: vec![tag.to_owned()],
                ..Filter::default()
            };
            store.matching(&filter).unwrap().len()
        };
        assert_eq!(labels(), ["sea", "sun"]);
        assert_eq!((found("sea"), found("sun"), found("file/sun")), (1, 2, 2));
        let counts = store.tag_counts().unwrap();
        let counts: Vec<_> = counts.iter().map(|tag| (&*tag.label, tag.count)).collect();
        assert_eq!(counts, [("sun", 2), ("sea", 1)]);
        record(&store, "/photos/a", 1, &[]);
        assert_eq!(labels(), ["sea"]);
        store.mark_gone(&["/photos/copy".into()]).unwrap();
        assert!(labels().is_empty());
        assert_eq!((found("sea"), found("sun")), (0, 1));
    }

    #[test]
    fn what_was_written_is_remembered_until_its_file_is_gone_and_done_with() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let image = record(&store, "/photos/a", 1, &[]);
        let all = || store.tagged_files(FileId::default(), 9).unwrap();
        let id = all()[0].id;
        store
            .expect_sidecars(&[(id, SidecarStamp::of([Some(STAT), None]))])
            .unwrap();
        store
            .note_written(&[(id, Err("no room".to_owned()))])
            .unwrap();
        assert_eq!(store.failures().unwrap()[0].reason, "no room");
        assert!(all()[0].has_sidecar && all()[0].written.is_none());
        store
            .note_written(&[(id, Ok(Some("dog".to_owned())))])
            .unwrap();
        assert!(store.failures().unwrap().is_empty());
        store.mark_gone(&["/photos/a".into()]).unwrap();
        let of_image = store.tagged_files_of(&BTreeSet::from([image])).unwrap();
        assert!(!of_image[0].is_wanted && of_image[0].written.as_deref() == Some("dog"));
        assert_eq!(all().len(), 1);
        store.note_written(&[(id, Ok(None))]).unwrap();
        assert!(all().is_empty());
    }
}
