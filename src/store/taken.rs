//! When images were taken whose bytes do not say so: as the names of their files tell, or else their times.

use std::collections::BTreeSet;

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
         WHERE id = ?1 AND (taken_at IS NULL OR date_source IN ('file_name', 'file_time')) AND held.written_at IS NOT NULL
             AND taken_at IS NOT coalesce(held.named_at, held.written_at)",
    )?;
    // Each goes through all files that hold it.
    let images: BTreeSet<ImageId> = images.into_iter().collect();
    for image in images {
        update.execute([image])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::hash::ContentHash;
    use super::super::{Store, samples};
    use super::*;

    #[test]
    fn the_earliest_name_counts_until_its_file_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let root = store.root(Path::new("/photos")).unwrap();
        let model = store.model("fingerprint", "name").unwrap();
        let copy = |name: &str| {
            samples::record(
                root,
                format!("/photos/{name}"),
                samples::content(ContentHash([1; 32])),
            )
        };
        let copies = [
            "IMG_20210302_101112.jpg",
            "IMG_20190708_040506.jpg",
            "x.jpg",
        ]
        .map(copy);
        let image = store.record(model, &copies).unwrap().images[0].unwrap();
        let taken_at = || store.images(&[image]).unwrap()[0].metadata.taken_at.clone();
        assert_eq!(taken_at().as_deref(), Some("2019-07-08T04:05:06"));
        let changes = || {
            let count = |db: &Transaction<'_>| {
                derive(db, [image, image])?;
                Ok(db.changes())
            };
            store.write(count).unwrap()
        };
        assert_eq!(changes(), 0, "what is known is not written again");
        let earliest = store
            .files_at(Path::new("/photos/IMG_20190708_040506.jpg"))
            .unwrap();
        assert_eq!(store.forget_files(&earliest).unwrap().0, 1);
        assert_eq!(taken_at().as_deref(), Some("2021-03-02T10:11:12"));
    }
}
