//! When images were taken whose bytes do not say so: as the names of their files tell, or else their times.

use rusqlite::Transaction;

use super::Result;
use super::ids::ImageId;

/// Brings the time of images up to date with the files that hold them, where it is not in their bytes. The earliest counts, as
/// copies are made later: an image has the same time in whatever order its files were met.
pub(super) fn derive(
    db: &Transaction<'_>,
    images: impl IntoIterator<Item = ImageId>,
) -> Result<()> {
    let mut update = db.prepare_cached(
        "UPDATE images SET
             taken_at = coalesce(held.named_at, held.written_at),
             date_source = iif(held.named_at IS NULL, 'file_time', 'file_name')
         FROM (SELECT min(named_at) AS named_at,
                      strftime('%Y-%m-%dT%H:%M:%S', min(modified_ns) / 1000000000, 'unixepoch', 'localtime') AS written_at
               FROM files WHERE image_id = ?1 AND +state IN ('indexed', 'offline')) AS held
         WHERE id = ?1 AND (taken_at IS NULL OR date_source IN ('file_name', 'file_time')) AND held.written_at IS NOT NULL",
    )?;
    for image in images {
        update.execute([image])?;
    }
    Ok(())
}
