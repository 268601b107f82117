//! Embeddings that were made elsewhere, until their pictures are seen.

use rusqlite::{OptionalExtension, Transaction, params};

use super::images::embedding;
use super::{ContentHash, ImageId, ModelId, Result, Store};
use crate::embed::Embedding;

impl Store {
    /// Keeps embeddings for pictures that have none of this model yet, and returns how many those are.
    pub fn import_embeddings(
        &self,
        model: ModelId,
        embeddings: &[(ContentHash, Embedding)],
    ) -> Result<usize> {
        self.write(|db| {
            let mut insert = db.prepare_cached(
                "INSERT INTO imported (model_id, hash, vector) SELECT ?1, ?2, ?3 WHERE NOT EXISTS (
                     SELECT 1 FROM embeddings e JOIN images i ON i.id = e.image_id
                     WHERE e.model_id = ?1 AND i.hash = ?2)
                 ON CONFLICT DO NOTHING",
            )?;
            let mut imported = 0;
            for (hash, embedding) in embeddings {
                imported += insert.execute(params![model.0, hash.0, embedding.to_le_bytes()])?;
            }
            Ok(imported)
        })
    }

    /// The embedding of a picture that was made elsewhere.
    pub fn imported_embedding(
        &self,
        hash: &ContentHash,
        model: ModelId,
    ) -> Result<Option<Embedding>> {
        self.read(|db| {
            let mut select =
                db.prepare_cached("SELECT vector FROM imported WHERE model_id = ?1 AND hash = ?2")?;
            let vector: Option<Vec<u8>> = select
                .query_row(params![model.0, hash.0], |row| row.get(0))
                .optional()?;
            vector.map(|vector| embedding(&vector)).transpose()
        })
    }

    /// The identities of these images, in their order.
    pub fn hashes(&self, images: &[ImageId]) -> Result<Vec<ContentHash>> {
        self.read(|db| {
            let mut select = db.prepare_cached("SELECT hash FROM images WHERE id = ?1")?;
            let hash = |image: &ImageId| {
                let hash = select.query_row([image.0], |row| row.get(0))?;
                Ok(ContentHash(hash))
            };
            images.iter().map(hash).collect()
        })
    }
}

/// Its picture has an embedding now.
pub(super) fn forget(db: &Transaction<'_>, model: ModelId, hash: &ContentHash) -> Result<()> {
    let mut delete = db.prepare_cached("DELETE FROM imported WHERE model_id = ?1 AND hash = ?2")?;
    delete.execute(params![model.0, hash.0])?;
    Ok(())
}
