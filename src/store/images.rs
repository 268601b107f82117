//! The tables `models` and `images`, and all that is known about an image.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::hash::{self, ContentHash};
use super::ids::{self, ImageId};
use super::tags::Tag;
use super::{Result, Store, files, paths, tags};
use crate::decode::{DateSource, Metadata};
use crate::embed::Colours;
use crate::formats::Format;

impl ToSql for Format {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.name().into())
    }
}

impl FromSql for Format {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Format> {
        value.as_str()?.parse().map_err(FromSqlError::other)
    }
}

/// All that is known about an image.
#[derive(Debug, Clone)]
pub struct ImageRow {
    /// Its row.
    pub id: ImageId,
    /// Its identity.
    pub hash: ContentHash,
    /// Length of its file.
    pub size_bytes: i64,
    /// Of a video, when the frame is seen that stands for it, in milliseconds from its start.
    pub cover_ms: Option<i64>,
    /// Its colours, as far as the model has seen it here.
    pub colours: Option<Colours>,
    /// What the file says about it.
    pub metadata: Metadata,
    /// The files that hold it, in order, at least one; and then those of the same shot.
    pub paths: Vec<PathBuf>,
    /// Its tags, by set and label.
    pub tags: Vec<Tag>,
}

impl Store {
    /// The image with this content, whether or not a file still holds it.
    pub fn image_by_hash(&self, hash: &ContentHash) -> Result<Option<ImageId>> {
        self.read(|db| {
            let mut select = db.prepare_cached("SELECT id FROM images WHERE hash = ?1")?;
            Ok(select.query_row([hash], |row| row.get(0)).optional()?)
        })
    }

    /// Those of these contents that the library has, whether or not a file still holds them.
    pub fn images_by_hash<'a>(
        &self,
        hashes: impl IntoIterator<Item = &'a ContentHash>,
    ) -> Result<HashMap<ContentHash, ImageId>> {
        let hashes = hash::json(hashes);
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT hash, id FROM images WHERE hash IN (SELECT unhex(value) FROM json_each(?1))",
            )?;
            let rows = select.query_map([hashes], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The image that a file of the library holds, or that of the file that stands for it.
    pub fn image_at(&self, path: &Path) -> Result<Option<(ImageId, ContentHash)>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT i.id, i.hash FROM shot_files f JOIN images i ON i.id = f.image_id WHERE f.path = ?1",
            )?;
            let found = select.query_row([paths::to_bytes(path)], |row| {
                Ok((row.get(0)?, row.get(1)?))
            });
            Ok(found.optional()?)
        })
    }

    /// The identities of these images, in their order.
    pub fn hashes(&self, images: &[ImageId]) -> Result<Vec<ContentHash>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT i.hash FROM json_each(?1) wanted JOIN images i ON i.id = wanted.value ORDER BY wanted.key",
            )?;
            let images = ids::json(images.iter().copied());
            let rows = select.query_map([images], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Number of images that some file holds.
    pub fn image_count(&self) -> Result<i64> {
        self.read(|db| {
            let count =
                "SELECT count(DISTINCT image_id) FROM live_files WHERE image_id IS NOT NULL";
            Ok(db.query_row(count, [], |row| row.get(0))?)
        })
    }

    /// All that is known about these images, in their order; those that no file holds are left out.
    pub fn images(&self, images: &[ImageId]) -> Result<Vec<ImageRow>> {
        self.read(|db| {
            let all = ids::json(images.iter().copied());
            let mut paths = files::paths_of(db, &all)?;
            let mut tags = tags::of_images(db, &all)?;
            let mut select = db.prepare_cached(&format!(
                "SELECT {METADATA}, id, hash, size_bytes, cover_ms, colours FROM images WHERE id IN (SELECT value FROM json_each(?1))"
            ))?;
            let mut rows = select.query([&all])?;
            let mut found = HashMap::new();
            while let Some(row) = rows.next()? {
                let id = row.get("id")?;
                let Some(paths) = paths.remove(&id) else {
                    continue;
                };
                let colours: Option<Vec<u8>> = row.get("colours")?;
                let image = ImageRow {
                    id,
                    hash: row.get("hash")?,
                    size_bytes: row.get("size_bytes")?,
                    cover_ms: row.get("cover_ms")?,
                    colours: colours.and_then(|bytes| Colours::from_bytes(&bytes)),
                    metadata: metadata(row)?,
                    paths,
                    tags: tags.remove(&id).unwrap_or_default(),
                };
                found.insert(id, image);
            }
            Ok(images.iter().filter_map(|id| found.remove(id)).collect())
        })
    }
}

impl ToSql for DateSource {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.name().into())
    }
}

impl FromSql for DateSource {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<DateSource> {
        DateSource::named(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

/// The columns of what a file says about its image.
pub(super) const METADATA: &str =
    "format, width, height, taken_at, taken_ms, utc_offset_minutes, date_source, camera, lens,
    latitude, longitude, title, rating, duration_ms, content_identifier";

/// The columns of [`METADATA`], which come first.
pub(super) fn metadata(row: &Row<'_>) -> rusqlite::Result<Metadata> {
    Ok(Metadata {
        format: row.get(0)?,
        width: row.get(1)?,
        height: row.get(2)?,
        taken_at: row.get(3)?,
        taken_ms: row.get(4)?,
        utc_offset_minutes: row.get(5)?,
        date_source: row.get(6)?,
        camera: row.get(7)?,
        lens: row.get(8)?,
        latitude: row.get(9)?,
        longitude: row.get(10)?,
        title: row.get(11)?,
        rating: row.get(12)?,
        duration_ms: row.get(13)?,
        content_identifier: row.get(14)?,
    })
}

/// What an image looks like. What is known stays where this is not.
pub(super) fn put_colours(
    db: &Transaction<'_>,
    image: ImageId,
    colours: Option<Colours>,
) -> Result<()> {
    if let Some(colours) = colours {
        let mut update = db.prepare_cached("UPDATE images SET colours = ?2 WHERE id = ?1")?;
        update.execute(params![image, colours.to_bytes()])?;
    }
    Ok(())
}

/// The row of this content, made or brought up to date.
pub(super) fn put(
    db: &Transaction<'_>,
    hash: &ContentHash,
    size_bytes: i64,
    metadata: &Metadata,
    cover_ms: Option<i64>,
) -> Result<ImageId> {
    let mut upsert = db.prepare_cached(&format!(
        "INSERT INTO images (id, hash, size_bytes, cover_ms, {METADATA}) VALUES (
             1 + max((SELECT coalesce(max(id), 0) FROM images), (SELECT highest_image FROM purged)),
             ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
         ON CONFLICT (hash) DO UPDATE SET unheld_since = NULL, (cover_ms, {METADATA}) = (
             excluded.cover_ms, excluded.format, excluded.width, excluded.height, excluded.taken_at, excluded.taken_ms, excluded.utc_offset_minutes,
             excluded.date_source, excluded.camera, excluded.lens, excluded.latitude, excluded.longitude, excluded.title,
             excluded.rating, excluded.duration_ms, excluded.content_identifier)
         RETURNING id"
    ))?;
    let Metadata {
        format,
        width,
        height,
        taken_at,
        taken_ms,
        utc_offset_minutes,
        date_source,
        camera,
        lens,
        latitude,
        longitude,
        title,
        rating,
        duration_ms,
        content_identifier,
    } = metadata;
    let values = params![
        hash,
        size_bytes,
        cover_ms,
        format,
        width,
        height,
        taken_at,
        taken_ms,
        utc_offset_minutes,
        date_source,
        camera,
        lens,
        latitude,
        longitude,
        title,
        rating,
        duration_ms,
        content_identifier
    ];
    Ok(upsert.query_row(values, |row| row.get(0))?)
}
