//! The table `keywords`: words that files carry, in themselves or in the sidecars beside them. Those that other programs keep stand
//! beside them in answers.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{Transaction, params};

use super::Result;
use super::file_state::SidecarStamp;
use super::ids::{FileId, ImageId};

/// The keywords of a file.
#[derive(Debug, Clone, Default)]
pub struct FileKeywords {
    /// What the sidecars looked like before they were read.
    pub stamp: SidecarStamp,
    /// Those that pixdex did not write.
    pub keywords: BTreeSet<String>,
    /// Why a sidecar could not be read.
    pub error: Option<String>,
}

/// Makes these the keywords of a file.
pub(super) fn replace(
    db: &Transaction<'_>,
    file: FileId,
    keywords: &BTreeSet<String>,
) -> Result<()> {
    let mut delete = db.prepare_cached("DELETE FROM keywords WHERE file_id = ?1")?;
    delete.execute([file])?;
    let mut insert =
        db.prepare_cached("INSERT INTO keywords (file_id, keyword) VALUES (?1, ?2)")?;
    for keyword in keywords {
        insert.execute(params![file, keyword])?;
    }
    Ok(())
}

/// The keywords of the files that hold each of these images, in order.
pub(super) fn of_images(
    db: &Transaction<'_>,
    images: &str,
) -> Result<HashMap<ImageId, Vec<String>>> {
    let mut select = db.prepare_cached(
        "WITH files_of AS (
             SELECT id, image_id FROM live_files WHERE image_id IN (SELECT value FROM json_each(?1)) UNION ALL
             SELECT id, image_id FROM companion_files WHERE image_id IN (SELECT value FROM json_each(?1)))
         SELECT f.image_id, k.keyword FROM files_of f JOIN keywords k ON k.file_id = f.id UNION
         SELECT i.id, g.keyword FROM images i JOIN given_keywords g ON g.hash = i.hash WHERE i.id IN (SELECT value FROM json_each(?1))
         ORDER BY 2",
    )?;
    let mut rows = select.query([images])?;
    let mut keywords: HashMap<ImageId, Vec<String>> = HashMap::new();
    while let Some(row) = rows.next()? {
        keywords.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(keywords)
}
