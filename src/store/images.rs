//! Images and their embeddings.

use std::path::{Path, PathBuf};

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{ContentHash, Result, Store, StoreError, Tag, paths};
use crate::decode::Metadata;
use crate::embed::Embedding;

/// An image's row. Short-lived: the identity that outlives a library is the [`ContentHash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageId(pub i64);

/// A model's row, one for each fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelId(pub(super) i64);

/// All that is known about an image.
#[derive(Debug, Clone)]
pub struct ImageRow {
    /// Its row.
    pub id: ImageId,
    /// Its identity.
    pub hash: ContentHash,
    /// Length of its file.
    pub size_bytes: i64,
    /// What the file says about it.
    pub metadata: Metadata,
    /// The files that hold it, in order; at least one.
    pub paths: Vec<PathBuf>,
    /// Its tags, by set and label.
    pub tags: Vec<Tag>,
}

impl Store {
    /// The row of a model, made where there is none.
    pub fn model(&self, fingerprint: &str, name: &str) -> Result<ModelId> {
        self.write(|db| {
            let upsert = "INSERT INTO models (fingerprint, name) VALUES (?1, ?2)
                          ON CONFLICT (fingerprint) DO UPDATE SET name = excluded.name RETURNING id";
            Ok(ModelId(db.query_row(upsert, [fingerprint, name], |row| row.get(0))?))
        })
    }

    /// The image with this content, whether or not a file still holds it.
    pub fn image_by_hash(&self, hash: &ContentHash) -> Result<Option<ImageId>> {
        self.read(|db| {
            let mut select = db.prepare_cached("SELECT id FROM images WHERE hash = ?1")?;
            Ok(select
                .query_row([hash.0], |row| row.get(0))
                .optional()?
                .map(ImageId))
        })
    }

    /// The image that a file of the library holds.
    pub fn image_at(&self, path: &Path) -> Result<Option<(ImageId, ContentHash)>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT i.id, i.hash FROM files f JOIN images i ON i.id = f.image_id
                 WHERE f.path = ?1 AND f.state IN ('indexed', 'offline')",
            )?;
            let found = select.query_row([paths::to_bytes(path)], |row| {
                Ok((ImageId(row.get(0)?), ContentHash(row.get(1)?)))
            });
            Ok(found.optional()?)
        })
    }

    /// What is stored of known content under this model: a file with these bytes need not be decoded again.
    pub fn known_content(
        &self,
        hash: &ContentHash,
        model: ModelId,
    ) -> Result<Option<(Metadata, Embedding)>> {
        self.read(|db| {
            let mut select = db.prepare_cached(&format!(
                "SELECT {METADATA}, vector FROM images JOIN embeddings ON image_id = id WHERE hash = ?1 AND model_id = ?2"
            ))?;
            let found = select
                .query_row(params![hash.0, model.0], |row| Ok((metadata(row, 0)?, row.get::<_, Vec<u8>>(7)?)))
                .optional()?;
            found.map(|(metadata, vector)| Ok((metadata, embedding(&vector)?))).transpose()
        })
    }

    /// The images with an embedding of the model that some file holds, in the order of their ids.
    pub fn live_images(&self, model: ModelId) -> Result<Vec<ImageId>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT image_id FROM embeddings e WHERE model_id = ?1 AND EXISTS (
                     SELECT 1 FROM files f WHERE f.image_id = e.image_id AND f.state IN ('indexed', 'offline'))
                 ORDER BY image_id",
            )?;
            let rows = select.query_map([model.0], |row| row.get(0).map(ImageId))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Hands the embedding of the model of each of `images` to `each`, where there is one.
    pub fn each_embedding(
        &self,
        model: ModelId,
        images: &[ImageId],
        mut each: impl FnMut(ImageId, Embedding),
    ) -> Result<()> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT vector FROM embeddings WHERE model_id = ?1 AND image_id = ?2",
            )?;
            for &image in images {
                let mut rows = select.query([model.0, image.0])?;
                if let Some(row) = rows.next()? {
                    each(
                        image,
                        embedding(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?,
                    );
                }
            }
            Ok(())
        })
    }

    /// Number of images that some file holds.
    pub fn image_count(&self) -> Result<i64> {
        self.read(|db| {
            // From the index by image alone; without the plus every row is looked up by its state.
            let count = "SELECT count(DISTINCT image_id) FROM files
                         WHERE image_id IS NOT NULL AND +state IN ('indexed', 'offline')";
            Ok(db.query_row(count, [], |row| row.get(0))?)
        })
    }

    /// All that is known about these images, in their order; those that no file holds are left out.
    pub fn images(&self, ids: &[ImageId]) -> Result<Vec<ImageRow>> {
        self.read(|db| {
            let mut rows = Vec::with_capacity(ids.len());
            for &id in ids {
                rows.extend(image_row(db, id)?);
            }
            Ok(rows)
        })
    }
}

const METADATA: &str = "format, width, height, taken_at, camera, latitude, longitude";

fn metadata(row: &Row<'_>, first: usize) -> rusqlite::Result<Metadata> {
    Ok(Metadata {
        format: row.get(first)?,
        width: row.get(first + 1)?,
        height: row.get(first + 2)?,
        taken_at: row.get(first + 3)?,
        camera: row.get(first + 4)?,
        latitude: row.get(first + 5)?,
        longitude: row.get(first + 6)?,
    })
}

pub(super) fn embedding(bytes: &[u8]) -> Result<Embedding> {
    Embedding::from_le_bytes(bytes)
        .map_err(|error| StoreError::Damaged(format!("a bad embedding ({error})")))
}

fn image_row(db: &Transaction<'_>, id: ImageId) -> Result<Option<ImageRow>> {
    let paths = paths_of(db, id)?;
    if paths.is_empty() {
        return Ok(None);
    }
    let mut select = db.prepare_cached(&format!(
        "SELECT hash, size_bytes, {METADATA} FROM images WHERE id = ?1"
    ))?;
    let row = select
        .query_row([id.0], |row| {
            Ok((ContentHash(row.get(0)?), row.get(1)?, metadata(row, 2)?))
        })
        .optional()?;
    let Some((hash, size_bytes, metadata)) = row else {
        return Ok(None);
    };
    Ok(Some(ImageRow {
        id,
        hash,
        size_bytes,
        metadata,
        paths,
        tags: super::tags::of_image(db, id)?,
    }))
}

/// The files that hold an image, in order.
pub(super) fn paths_of(db: &Transaction<'_>, id: ImageId) -> Result<Vec<PathBuf>> {
    let mut select = db.prepare_cached(
        "SELECT path FROM files WHERE image_id = ?1 AND state IN ('indexed', 'offline') ORDER BY path",
    )?;
    let rows = select.query_map([id.0], |row| Ok(paths::from_bytes(row.get(0)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The row of this content, made or brought up to date.
pub(super) fn upsert(
    db: &Transaction<'_>,
    hash: &ContentHash,
    size_bytes: i64,
    metadata: &Metadata,
) -> Result<ImageId> {
    let mut upsert = db.prepare_cached(&format!(
        "INSERT INTO images (hash, size_bytes, {METADATA}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (hash) DO UPDATE SET
             taken_at = excluded.taken_at, camera = excluded.camera,
             latitude = excluded.latitude, longitude = excluded.longitude
         RETURNING id"
    ))?;
    let Metadata {
        format,
        width,
        height,
        taken_at,
        camera,
        latitude,
        longitude,
    } = metadata;
    let values = params![
        hash.0, size_bytes, format, width, height, taken_at, camera, latitude, longitude
    ];
    Ok(ImageId(upsert.query_row(values, |row| row.get(0))?))
}

pub(super) fn put_embedding(
    db: &Transaction<'_>,
    model: ModelId,
    image: ImageId,
    embedding: &Embedding,
) -> Result<()> {
    let mut insert = db.prepare_cached(
        "INSERT OR REPLACE INTO embeddings (model_id, image_id, vector) VALUES (?1, ?2, ?3)",
    )?;
    insert.execute(params![model.0, image.0, embedding.to_le_bytes()])?;
    Ok(())
}
