//! The table `models`: the model that a library is searched and tagged with, those that it was, and the one that it is to be.

use rusqlite::{OptionalExtension, params};

use super::embeddings;
use super::frames;
use super::hash::ContentHash;
use super::ids::{ImageId, ModelId};
use super::images;
use super::{Result, Store};
use crate::embed::Embedded;

/// The fact under which a library remembers the name of the model in force.
const NAME_FACT: &str = "model";

/// The fact under which it remembers that model's fingerprint.
const FINGERPRINT_FACT: &str = "model fingerprint";

/// Rows that go in one transaction: a few milliseconds, in which nobody else writes.
const BATCH: usize = 200;

/// Images that have to be embedded and can be: those of which some file is there to be read. `?1` is the model.
const TO_EMBED: &str = "
    FROM images i
    WHERE NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.model_id = ?1 AND e.image_id = i.id)
      AND EXISTS (SELECT 1 FROM readable_files f WHERE f.image_id = i.id)";

/// A model that a library has embeddings of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownModel {
    /// As its owner named it.
    pub name: String,
    /// What tells its embeddings from those of other models.
    pub fingerprint: String,
}

impl Store {
    /// The row of a model, made where there is none.
    pub fn model(&self, fingerprint: &str, name: &str) -> Result<ModelId> {
        let known = self.read(|db| {
            let select = "SELECT id FROM models WHERE fingerprint = ?1 AND name = ?2";
            let row = db.query_row(select, [fingerprint, name], |row| row.get(0));
            Ok(row.optional()?)
        })?;
        if let Some(id) = known {
            return Ok(ModelId(id));
        }
        self.write(|db| {
            let upsert = "INSERT INTO models (fingerprint, name) VALUES (?1, ?2)
                          ON CONFLICT (fingerprint) DO UPDATE SET name = excluded.name RETURNING id";
            Ok(db.query_row(upsert, [fingerprint, name], |row| row.get(0))?)
        })
    }

    /// The row of the model with this fingerprint, if there is one.
    pub fn known_model(&self, fingerprint: &str) -> Result<Option<ModelId>> {
        self.read(|db| {
            let select = "SELECT id FROM models WHERE fingerprint = ?1";
            let row = db.query_row(select, [fingerprint], |row| row.get(0));
            Ok(row.optional()?.map(ModelId))
        })
    }

    /// The model that the library is searched and tagged with; none before its first use.
    pub fn model_in_force(&self) -> Result<Option<KnownModel>> {
        let known = [self.fact(NAME_FACT)?, self.fact(FINGERPRINT_FACT)?];
        let [Some(name), Some(fingerprint)] = known else {
            return Ok(None);
        };
        Ok(Some(KnownModel { name, fingerprint }))
    }

    /// From now on the library is searched and tagged with this model.
    pub fn set_model_in_force(&self, model: &KnownModel) -> Result<()> {
        if self.model_in_force()?.as_ref() == Some(model) {
            return Ok(());
        }
        self.write(|db| {
            let mut replace =
                db.prepare_cached("REPLACE INTO facts (name, value) VALUES (?1, ?2)")?;
            replace.execute([NAME_FACT, &model.name])?;
            replace.execute([FINGERPRINT_FACT, &model.fingerprint])?;
            db.execute(
                "UPDATE models SET left_at = iif(fingerprint = ?1, NULL, coalesce(left_at, unixepoch('now')))",
                [&model.fingerprint],
            )?;
            Ok(())
        })
    }

    /// Keeps what there is of this model until the library has gone over to it, or to another one.
    pub fn keep_model(&self, model: ModelId) -> Result<()> {
        self.write(|db| {
            db.execute("UPDATE models SET left_at = NULL WHERE id = ?1", [model])?;
            Ok(())
        })
    }

    /// How many images have to be embedded with this model and can be.
    pub fn count_to_embed(&self, model: ModelId) -> Result<usize> {
        self.read(|db| {
            let mut select = db.prepare_cached(&format!("SELECT count(*) {TO_EMBED}"))?;
            let count: i64 = select.query_row([model], |row| row.get(0))?;
            Ok(count as usize)
        })
    }

    /// The first so many of these images after one of them, in the order of their ids.
    pub fn to_embed(
        &self,
        model: ModelId,
        after: ImageId,
        limit: usize,
    ) -> Result<Vec<(ImageId, ContentHash)>> {
        self.read(|db| {
            let mut select = db.prepare_cached(&format!(
                "SELECT i.id, i.hash {TO_EMBED} AND i.id > ?2 ORDER BY i.id LIMIT ?3"
            ))?;
            let rows = select.query_map(params![model, after, limit as i64], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Keeps embeddings of images that the library has; one that was purged meanwhile is left out.
    pub fn add_embeddings(
        &self,
        model: ModelId,
        embeddings: &[(ImageId, ContentHash, Embedded)],
    ) -> Result<()> {
        self.write(|db| {
            let mut is_there = db.prepare_cached("SELECT 1 FROM images WHERE id = ?1")?;
            for (image, hash, embedded) in embeddings {
                if is_there.exists([image])? {
                    embeddings::put(db, model, *image, &embedded.embedding)?;
                    if let Some(video) = &embedded.video {
                        frames::replace(db, model, *image, &video.others)?;
                    }
                    embeddings::forget_imported(db, model, hash)?;
                    images::put_colours(db, *image, embedded.colours)?;
                }
            }
            Ok(())
        })
    }

    /// Deletes the embeddings of a model that the library left so many seconds ago or earlier, in small transactions, for as long
    /// as `go_on` says so. Returns the fingerprint of that model; none where there is none, or where some are left.
    pub fn purge_left_model(
        &self,
        older_than_s: i64,
        go_on: impl Fn() -> bool,
    ) -> Result<Option<String>> {
        let left = self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT id, fingerprint FROM models WHERE left_at <= unixepoch('now') - ?1 LIMIT 1",
            )?;
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            Ok(select.query_row([older_than_s], row).optional()?)
        })?;
        let Some((model, fingerprint)): Option<(ModelId, String)> = left else {
            return Ok(None);
        };
        while go_on() {
            let deleted = self.write(|db| {
                let mut is_left = db
                    .prepare_cached("SELECT 1 FROM models WHERE id = ?1 AND left_at IS NOT NULL")?;
                if !is_left.exists([model])? {
                    return Ok(None);
                }
                let mut deleted = 0;
                for (table, key) in [
                    ("embeddings", "image_id"),
                    ("imported", "hash"),
                    ("frames", "id"),
                ] {
                    let mut delete = db.prepare_cached(&format!(
                        "DELETE FROM {table} WHERE model_id = ?1 AND {key} IN (
                             SELECT {key} FROM {table} WHERE model_id = ?1 LIMIT ?2)"
                    ))?;
                    deleted += delete.execute(params![model, BATCH as i64])?;
                }
                if deleted == 0 {
                    db.execute("DELETE FROM models WHERE id = ?1", [model])?;
                }
                Ok(Some(deleted))
            })?;
            match deleted {
                // The library goes back to it: what is deleted is embedded again.
                None => return Ok(None),
                Some(0) => return Ok(Some(fingerprint)),
                Some(_) => {}
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::Embedding;

    fn known(fingerprint: &str) -> KnownModel {
        KnownModel {
            name: format!("name of {fingerprint}"),
            fingerprint: fingerprint.to_owned(),
        }
    }

    #[test]
    fn a_model_that_was_left_is_purged_after_its_time_and_not_the_one_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.model_in_force().unwrap(), None);
        let [a, b] = ["a", "b"].map(|model| store.model(model, "name").unwrap());
        let embedding = Embedding::new(vec![1.0]).unwrap();
        let all: Vec<_> = (0..3 * BATCH as u32)
            .map(|at| (ContentHash::of(&at.to_le_bytes()), embedding.clone()))
            .collect();
        for model in [a, b] {
            assert_eq!(store.import_embeddings(model, &all).unwrap(), all.len());
        }
        store.set_model_in_force(&known("a")).unwrap();
        store.set_model_in_force(&known("b")).unwrap();
        assert_eq!(store.model_in_force().unwrap(), Some(known("b")));
        let purge = |older_than_s| store.purge_left_model(older_than_s, || true).unwrap();
        assert_eq!(purge(60), None);
        assert_eq!(purge(0).as_deref(), Some("a"));
        assert_eq!(purge(0), None);
        let left = |model| {
            store
                .imported_embedding(&all[0].0, model)
                .unwrap()
                .is_some()
        };
        assert_eq!((left(a), left(b)), (false, true));
        // The library is to go back to it while it is purged: nothing more of it goes.
        let a = store.model("a", "name").unwrap();
        assert_eq!(store.import_embeddings(a, &all).unwrap(), all.len());
        store.set_model_in_force(&known("a")).unwrap();
        store.set_model_in_force(&known("b")).unwrap();
        let steps = std::cell::Cell::new(0);
        let keep_after_one = || {
            if steps.replace(steps.get() + 1) == 1 {
                store.keep_model(a).unwrap();
            }
            true
        };
        assert_eq!(store.purge_left_model(0, keep_after_one).unwrap(), None);
        let kept = all
            .iter()
            .filter(|(hash, _)| store.imported_embedding(hash, a).unwrap().is_some());
        assert_eq!(kept.count(), all.len() - BATCH);
        // Back in time is back for good.
        let a = store.model("a", "name").unwrap();
        store.set_model_in_force(&known("a")).unwrap();
        store.set_model_in_force(&known("b")).unwrap();
        store.keep_model(a).unwrap();
        assert_eq!(purge(0), None);
        store.set_model_in_force(&known("a")).unwrap();
        assert_eq!(store.model_in_force().unwrap(), Some(known("a")));
    }
}
