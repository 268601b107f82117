//! Taking out for good what is known of pictures that are gone: rows of files and images, with vectors, tags and keywords.
//!
//! Decisions stay: they are kept by what the picture is, and wait for it.

use rusqlite::{Transaction, params};

use super::ids::{self, ImageId};
use super::{Result, Store, frames};

/// Rows that go in one transaction: a few milliseconds, in which nobody else writes.
const BATCH: usize = 200;

/// Pages that are given back to the file system in one transaction.
const VACUUM_PAGES: usize = 500;

/// What was taken out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Rows of files that are gone.
    pub files: usize,
    /// Images that no file holds, with all that belonged to them.
    pub images: usize,
}

impl Purged {
    fn is_nothing(self) -> bool {
        self == Purged::default()
    }
}

/// Whether no file that is there holds an image of the table `images`.
const IS_UNHELD: &str = "NOT EXISTS (
    SELECT 1 FROM files f WHERE f.image_id = images.id AND f.state <> 'gone')";

impl Store {
    /// Takes out files that have been gone for `older_than_s` seconds and images that no file has held for so long, in small
    /// transactions, for as long as `go_on` says so. What comes back meanwhile is written whole again, or stays.
    pub fn purge(&self, older_than_s: i64, go_on: impl Fn() -> bool) -> Result<Purged> {
        self.mark_unheld()?;
        let mut all = Purged::default();
        while go_on() {
            let purged = self.write(|db| purge_some(db, older_than_s))?;
            if purged.is_nothing() {
                break;
            }
            all.files += purged.files;
            all.images += purged.images;
        }
        Ok(all)
    }

    /// Notes from when on images are held by no file, and which are held again. Looked for by a reader: only what is found is
    /// written.
    fn mark_unheld(&self) -> Result<()> {
        for (found, update) in [
            (
                format!("unheld_since IS NULL AND {IS_UNHELD}"),
                "unixepoch()",
            ),
            (
                format!("unheld_since IS NOT NULL AND NOT ({IS_UNHELD})"),
                "NULL",
            ),
        ] {
            let images = self.read(|db| {
                let mut select = db.prepare(&format!("SELECT id FROM images WHERE {found}"))?;
                let rows = select.query_map([], |row| row.get(0))?;
                Ok(rows.collect::<rusqlite::Result<Vec<ImageId>>>()?)
            })?;
            for images in images.chunks(BATCH) {
                self.write(|db| {
                    let mut update = db.prepare_cached(&format!(
                        "UPDATE images SET unheld_since = {update}
                         WHERE id IN (SELECT value FROM json_each(?1)) AND {found}"
                    ))?;
                    update.execute([ids::json(images.iter().copied())])?;
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// Gives the space of what was taken out back to the file system, in small steps, for as long as `go_on` says so. A library that
    /// an older pixdex made uses it for new pictures instead, see [`Store::compact`].
    pub fn shrink(&self, go_on: impl Fn() -> bool) -> Result<()> {
        while go_on() && self.free_pages()? > 0 && self.shrinks_in_steps()? {
            self.write(|db| {
                let mut vacuum =
                    db.prepare(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
                let mut steps = vacuum.query([])?;
                while steps.next()?.is_some() {}
                Ok(())
            })?;
        }
        self.empty_log()
    }

    /// Writes the whole database anew where it cannot shrink in steps, so that from then on it can. Takes as long as copying it, and
    /// as much room; nobody else writes meanwhile.
    pub fn compact(&self) -> Result<()> {
        if self.free_pages()? == 0 || self.shrinks_in_steps()? {
            return Ok(());
        }
        self.with_writer(|db| {
            db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
            Ok(db.execute_batch("VACUUM")?)
        })?;
        self.empty_log()
    }

    /// Moves what stands in the write-ahead log into the database, and leaves nothing of it behind. Where readers hold it, the next
    /// time does.
    fn empty_log(&self) -> Result<()> {
        self.with_writer(|db| {
            Ok(db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
        })
    }

    /// Length of the database.
    pub fn bytes(&self) -> Result<i64> {
        Ok(self.pragma("page_count")? * self.pragma("page_size")?)
    }

    fn free_pages(&self) -> Result<i64> {
        self.pragma("freelist_count")
    }

    fn shrinks_in_steps(&self) -> Result<bool> {
        const INCREMENTAL: i64 = 2;
        Ok(self.pragma("auto_vacuum")? == INCREMENTAL)
    }

    fn pragma(&self, name: &str) -> Result<i64> {
        self.read(|db| Ok(db.pragma_query_value(None, name, |row| row.get(0))?))
    }
}

fn purge_some(db: &Transaction<'_>, older_than_s: i64) -> Result<Purged> {
    let mut delete = db.prepare_cached(
        "DELETE FROM files WHERE id IN (
             SELECT id FROM files WHERE state = 'gone' AND gone_at <= unixepoch() - ?1 ORDER BY gone_at LIMIT ?2)",
    )?;
    let files = delete.execute(params![older_than_s, BATCH as i64])?;
    let mut select = db.prepare_cached(&format!(
        "SELECT id FROM images WHERE unheld_since <= unixepoch() - ?1 AND {IS_UNHELD} LIMIT ?2"
    ))?;
    let rows = select.query_map(params![older_than_s, BATCH as i64], |row| row.get(0))?;
    let images = rows.collect::<rusqlite::Result<Vec<ImageId>>>()?;
    delete_images(db, &images)?;
    Ok(Purged {
        files,
        images: images.len(),
    })
}

/// Deletes images that no file holds that is there, with all that belongs to them.
pub(super) fn delete_images(db: &Transaction<'_>, images: &[ImageId]) -> Result<()> {
    if images.is_empty() {
        return Ok(());
    }
    let ids = ids::json(images.iter().copied());
    frames::forget(db, &ids)?;
    for delete in [
        "UPDATE files SET image_id = NULL WHERE image_id IN (SELECT value FROM json_each(?1))",
        "DELETE FROM tags WHERE image_id IN (SELECT value FROM json_each(?1))",
        "DELETE FROM embeddings WHERE image_id IN (SELECT value FROM json_each(?1))",
        "DELETE FROM imported WHERE (model_id, hash) IN (
             SELECT m.id, i.hash FROM json_each(?1) wanted JOIN images i ON i.id = wanted.value CROSS JOIN models m)",
        "UPDATE purged SET highest_image = max(highest_image, (SELECT max(value) FROM json_each(?1)))",
        "DELETE FROM images WHERE id IN (SELECT value FROM json_each(?1))",
    ] {
        db.prepare_cached(delete)?.execute([&ids])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::embed::Embedding;
    use crate::store::{ContentHash, Decision, ModelId, RootId, Verdict, WhichDecisions, samples};

    const DAY_S: i64 = 24 * 3600;

    const DIM: usize = 512;

    struct Library {
        folder: tempfile::TempDir,
        store: Store,
        root: RootId,
        model: ModelId,
    }

    fn library() -> Library {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        Library {
            root: store.root(Path::new("/photos")).unwrap(),
            model: store.model("fingerprint", "name").unwrap(),
            folder,
            store,
        }
    }

    fn path(seed: u32) -> PathBuf {
        format!("/photos/secretly-named-{seed}").into()
    }

    fn hash(seed: u32) -> ContentHash {
        ContentHash::of(&seed.to_le_bytes())
    }

    impl Library {
        /// A file of its own content for each seed.
        fn add(&self, seeds: impl IntoIterator<Item = u32>) -> Vec<ImageId> {
            let record = |seed: u32| {
                let mut content = samples::content(hash(seed));
                content.metadata.camera = Some("secretly made camera".to_owned());
                content.keywords.keywords = ["secretly given keyword".to_owned()].into();
                content.embedded = Embedding::new(vec![1.0 + seed as f32; DIM]).unwrap().into();
                samples::record(self.root, path(seed), content)
            };
            let records: Vec<_> = seeds.into_iter().map(record).collect();
            let recorded = self.store.record(self.model, &records).unwrap();
            recorded.images.into_iter().flatten().collect()
        }

        fn remove(&self, seeds: impl IntoIterator<Item = u32>) {
            let paths: Vec<PathBuf> = seeds.into_iter().map(path).collect();
            self.store.mark_gone(&paths).unwrap();
        }

        fn purge(&self, older_than_days: i64) -> Purged {
            self.store.purge(older_than_days * DAY_S, || true).unwrap()
        }

        /// Lets a day pass.
        fn wait_a_day(&self) {
            let later = |db: &Transaction<'_>| {
                db.execute("UPDATE files SET gone_at = gone_at - ?1", [DAY_S])?;
                db.execute(
                    "UPDATE images SET unheld_since = unheld_since - ?1",
                    [DAY_S],
                )?;
                Ok(())
            };
            self.store.write(later).unwrap();
        }

        fn count(&self, table: &str) -> i64 {
            let count = |db: &Transaction<'_>| {
                let select = format!("SELECT count(*) FROM {table}");
                Ok(db.query_row(&select, [], |row| row.get(0))?)
            };
            self.store.read(count).unwrap()
        }
    }

    #[test]
    fn what_is_gone_is_kept_for_its_time_and_then_purged_but_for_decisions() {
        let library = library();
        library.add(0..3);
        let decision = Decision {
            image: hash(0),
            set: "set".to_owned(),
            label: "label".to_owned(),
            verdict: Some(Verdict::Confirmed),
            decided_at: None,
        };
        library.store.decide(&[decision], &[]).unwrap();
        let imported = [(hash(1), Embedding::new(vec![1.0; DIM]).unwrap())];
        let other = library.store.model("another", "name").unwrap();
        library.store.import_embeddings(other, &imported).unwrap();
        let add = "INSERT INTO frames (model_id, image_id, time_ms, vector) SELECT 1, id, 5, x'' FROM images WHERE id = 1";
        let add_frame = |db: &Transaction<'_>| Ok(db.execute(add, [])?);
        assert_eq!(library.store.write(add_frame).unwrap(), 1);
        library.remove(0..2);
        assert_eq!(library.purge(30), Purged::default());
        (0..29).for_each(|_| library.wait_a_day());
        assert_eq!(library.purge(30), Purged::default());
        library.wait_a_day();
        let purged = Purged {
            files: 2,
            images: 2,
        };
        assert_eq!(library.purge(30), purged);
        for (table, left) in [
            ("files", 1),
            ("images", 1),
            ("embeddings", 1),
            ("frames", 0),
            ("tag_shares", 0),
            ("keywords", 1),
            ("imported", 0),
            ("decisions", 1),
        ] {
            assert_eq!(library.count(table), left, "{table}");
        }
        let decisions = library.store.decisions(&WhichDecisions::default()).unwrap();
        assert_eq!(decisions[0].image, hash(0));
    }

    /// An image whose file was written over has no file at all, not even one that is gone.
    #[test]
    fn what_was_written_over_is_purged_too_and_what_is_back_is_kept() {
        let library = library();
        let [first, ..] = library.add(0..2)[..] else {
            panic!("two were added");
        };
        let over = |db: &Transaction<'_>| {
            Ok(db.execute("UPDATE files SET image_id = 2 WHERE image_id = ?1", [first])?)
        };
        library.store.write(over).unwrap();
        assert_eq!(library.purge(1), Purged::default());
        library.wait_a_day();
        // Back in time: its time begins anew when it goes again.
        library.add(0..1);
        assert_eq!(library.purge(1), Purged::default());
        library.store.write(over).unwrap();
        assert_eq!(library.purge(1), Purged::default());
        library.wait_a_day();
        assert_eq!(library.purge(1).images, 1);
        assert_eq!(library.count("images"), 1);
    }

    #[test]
    fn the_number_of_an_image_is_never_given_twice() {
        let library = library();
        let last = library.add(0..3).pop().unwrap();
        library.remove(0..3);
        assert_eq!(library.purge(0).images, 3);
        let next = library.add(9..10).pop().unwrap();
        assert!(next.0 > last.0, "{next:?} after {last:?}");
    }

    /// Whoever takes a picture in holds its embedding already, and writes the image anew when it was purged in between.
    #[test]
    fn a_picture_that_comes_back_while_it_is_purged_is_whole() {
        let library = library();
        library.add(0..1);
        library.remove(0..1);
        let known = library.store.known_content(&hash(0), library.model);
        assert!(known.unwrap().is_some());
        assert_eq!(library.purge(0).images, 1);
        let image = library.add(0..1)[0];
        let row = library.store.images(&[image]).unwrap().remove(0);
        assert_eq!(row.paths, [path(0)]);
        assert_eq!(library.store.live_images(library.model).unwrap(), [image]);
        // Pending again, and not read yet.
        library.remove(0..1);
        let pend = |db: &Transaction<'_>| Ok(db.execute("UPDATE files SET state = 'pending'", [])?);
        library.store.write(pend).unwrap();
        assert_eq!(library.purge(0), Purged::default());
    }

    #[test]
    fn nothing_of_what_was_purged_is_left_in_the_files() {
        let library = library();
        library.add(0..500);
        library.remove(0..500);
        library.purge(0);
        library.store.shrink(|| true).unwrap();
        for entry in std::fs::read_dir(library.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let has = bytes.windows(8).any(|bytes| bytes == b"secretly");
            assert!(!has, "{}", path.display());
            assert!(bytes.len() < 600_000, "{}: {}", path.display(), bytes.len());
        }
    }

    #[test]
    fn a_library_stays_in_bounds_through_a_year_of_churn() {
        const A_DAY: u32 = 20;
        let library = library();
        let mut bytes = Vec::new();
        for day in 0..365 {
            let today = day * A_DAY..(day + 1) * A_DAY;
            library.add(today.clone());
            library.remove(today);
            library.wait_a_day();
            library.purge(30);
            library.store.shrink(|| true).unwrap();
            bytes.push(library.store.bytes().unwrap());
        }
        let (month, year) = (bytes[60], bytes[364]);
        println!("{month} bytes after 61 days, {year} after a year");
        assert!(library.count("files") <= i64::from(31 * A_DAY));
        assert!(year < month + month / 10, "{month} -> {year}");
    }

    #[test]
    fn a_library_of_an_older_pixdex_is_written_anew_to_shrink() {
        let library = library();
        let old = |db: &rusqlite::Connection| {
            db.pragma_update(None, "auto_vacuum", "NONE")?;
            Ok(db.execute_batch("VACUUM")?)
        };
        library.store.with_writer(old).unwrap();
        library.add(0..500);
        library.remove(0..500);
        library.purge(0);
        let before = library.store.bytes().unwrap();
        library.store.shrink(|| true).unwrap();
        assert_eq!(library.store.bytes().unwrap(), before);
        library.store.compact().unwrap();
        assert!(library.store.bytes().unwrap() < before / 2);
        assert!(library.store.shrinks_in_steps().unwrap());
    }
}
