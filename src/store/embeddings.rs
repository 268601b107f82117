//! The tables `embeddings` and `imported`: vectors of the library's images, and those that were made elsewhere, until their
//! pictures are seen.

use rusqlite::{Transaction, params};

use super::frames::{self, vector};
use super::hash::ContentHash;
use super::ids::{ImageId, ModelId};
use super::images::{METADATA, metadata};
use super::{Result, Store};
use crate::decode::Metadata;
use crate::embed::{Embedded, Embedding, VideoFrames};

/// What is stored of content that was embedded before.
#[derive(Debug)]
pub struct KnownContent {
    /// What the file said about it.
    pub metadata: Metadata,
    /// Its vectors.
    pub embedded: Embedded,
}

impl Store {
    /// What is stored of known content under this model: a file with these bytes need not be decoded again. None where one of its
    /// embeddings is damaged, so that they are made again.
    pub fn known_content(
        &self,
        hash: &ContentHash,
        model: ModelId,
    ) -> Result<Option<KnownContent>> {
        self.read(|db| {
            let mut select = db.prepare_cached(&format!(
                "SELECT {METADATA}, vector, id, cover_ms FROM images JOIN embeddings ON image_id = id
                 WHERE hash = ?1 AND model_id = ?2"
            ))?;
            let mut rows = select.query(params![hash, model])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            let Ok(embedding) = vector(row)? else {
                return Ok(None);
            };
            let video = match row.get("cover_ms")? {
                None => None,
                Some(cover_ms) => match frames::of_image(db, model, row.get("id")?)? {
                    None => return Ok(None),
                    Some(others) => Some(VideoFrames { cover_ms, others }),
                },
            };
            Ok(Some(KnownContent {
                metadata: metadata(row)?,
                embedded: Embedded {
                    embedding,
                    video,
                    colours: None,
                },
            }))
        })
    }

    /// The images with an embedding of the model that some file holds, in the order of their ids.
    pub fn live_images(&self, model: ModelId) -> Result<Vec<ImageId>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT image_id FROM embeddings e WHERE model_id = ?1
                     AND EXISTS (SELECT 1 FROM live_files f WHERE f.image_id = e.image_id)
                 ORDER BY image_id",
            )?;
            let rows = select.query_map([model], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// How many these are.
    pub fn count_live_images(&self, model: ModelId) -> Result<usize> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT count(*) FROM embeddings e WHERE model_id = ?1
                     AND EXISTS (SELECT 1 FROM live_files f WHERE f.image_id = e.image_id)",
            )?;
            let count: i64 = select.query_row([model], |row| row.get(0))?;
            Ok(count as usize)
        })
    }

    /// Hands the embedding of the model of each of `images` to `each`, where there is one. One look-up each: most of the
    /// time goes into reading the vectors, and a million ids in one statement would be no faster. Returns those whose embeddings are
    /// damaged.
    pub fn each_embedding(
        &self,
        model: ModelId,
        images: &[ImageId],
        mut each: impl FnMut(ImageId, Embedding),
    ) -> Result<Vec<ImageId>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT vector FROM embeddings WHERE model_id = ?1 AND image_id = ?2",
            )?;
            let mut damaged = Vec::new();
            for &image in images {
                let mut rows = select.query(params![model, image])?;
                match rows.next()?.map(vector).transpose()? {
                    Some(Ok(embedding)) => each(image, embedding),
                    Some(Err(_)) => damaged.push(image),
                    None => {}
                }
            }
            Ok(damaged)
        })
    }

    /// Deletes embeddings, so that the files of their images are read again.
    pub fn delete_embeddings(&self, model: ModelId, images: &[ImageId]) -> Result<()> {
        self.write(|db| {
            let mut delete =
                db.prepare_cached("DELETE FROM embeddings WHERE model_id = ?1 AND image_id = ?2")?;
            let mut delete_frames =
                db.prepare_cached("DELETE FROM frames WHERE model_id = ?1 AND image_id = ?2")?;
            for image in images {
                delete.execute(params![model, image])?;
                delete_frames.execute(params![model, image])?;
            }
            Ok(())
        })
    }

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
                imported += insert.execute(params![model, hash, embedding.to_le_bytes()])?;
            }
            Ok(imported)
        })
    }

    /// The embedding of a picture that was made elsewhere, unless it is damaged.
    pub fn imported_embedding(
        &self,
        hash: &ContentHash,
        model: ModelId,
    ) -> Result<Option<Embedding>> {
        self.read(|db| {
            let mut select =
                db.prepare_cached("SELECT vector FROM imported WHERE model_id = ?1 AND hash = ?2")?;
            let mut rows = select.query(params![model, hash])?;
            let embedding = rows.next()?.map(vector).transpose()?;
            Ok(embedding.and_then(std::result::Result::ok))
        })
    }
}

pub(super) fn put(
    db: &Transaction<'_>,
    model: ModelId,
    image: ImageId,
    embedding: &Embedding,
) -> Result<()> {
    let mut insert = db.prepare_cached(
        "INSERT OR REPLACE INTO embeddings (model_id, image_id, vector) VALUES (?1, ?2, ?3)",
    )?;
    insert.execute(params![model, image, embedding.to_le_bytes()])?;
    Ok(())
}

/// Its picture has an embedding now.
pub(super) fn forget_imported(
    db: &Transaction<'_>,
    model: ModelId,
    hash: &ContentHash,
) -> Result<()> {
    let mut delete = db.prepare_cached("DELETE FROM imported WHERE model_id = ?1 AND hash = ?2")?;
    delete.execute(params![model, hash])?;
    Ok(())
}
