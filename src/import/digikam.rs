//! digiKam's database in `SQLite`. Its tables are those of its schema of version 10 and later, which is that of digiKam 5 to 8.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{Described, Descriptions};
use crate::xmp::sound_keywords;

/// Above what digiKam marks pictures with for itself: labels in colours, picks, versions.
const INTERNAL: &str = "_Digikam_Internal_Tags_";

/// How it marks pictures that it shows; others are hidden, in the bin or gone.
const VISIBLE: i64 = 1;

pub(super) fn read(path: &Path) -> rusqlite::Result<Descriptions> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let words = words_of_tags(&db)?;
    let mut pictures = visible_pictures(&db)?;
    let mut select = db.prepare("SELECT imageid, tagid FROM ImageTags")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (picture, tag): (i64, i64) = (row.get(0)?, row.get(1)?);
        if let (Some(picture), Some(words)) = (pictures.get_mut(&picture), words.get(&tag)) {
            picture.words.extend(sound_keywords(words));
        }
    }
    let pictures = pictures.into_values();
    Ok(Descriptions {
        pictures: pictures.filter(|one| !one.words.is_empty()).collect(),
        skipped: Vec::new(),
    })
}

/// Each tag's name with those above it.
fn words_of_tags(db: &Connection) -> rusqlite::Result<HashMap<i64, Vec<String>>> {
    // Each row once: tags of a broken database may stand above themselves.
    let mut select = db.prepare(
        "WITH RECURSIVE named(tag, name, above) AS (
             SELECT id, name, pid FROM Tags UNION
             SELECT n.tag, t.name, t.pid FROM named n JOIN Tags t ON t.id = n.above)
         SELECT tag, name FROM named",
    )?;
    let mut rows = select.query([])?;
    let mut words: HashMap<i64, Vec<String>> = HashMap::new();
    let mut internal = HashSet::new();
    while let Some(row) = rows.next()? {
        let (tag, name): (i64, String) = (row.get(0)?, row.get(1)?);
        if name == INTERNAL {
            internal.insert(tag);
        }
        words.entry(tag).or_default().push(name);
    }
    words.retain(|tag, _| !internal.contains(tag));
    Ok(words)
}

fn visible_pictures(db: &Connection) -> rusqlite::Result<HashMap<i64, Described>> {
    let mut select = db.prepare(
        "SELECT i.id, a.relativePath, i.name, i.fileSize FROM Images i JOIN Albums a ON a.id = i.album WHERE i.status = ?1",
    )?;
    let rows = select.query_map([VISIBLE], |row| {
        let (album, name): (String, String) = (row.get(1)?, row.get(2)?);
        let path = format!("{}/{name}", album.trim_matches('/'));
        let picture = Described {
            path: path.trim_start_matches('/').to_owned(),
            size_bytes: row.get(3)?,
            ..Described::default()
        };
        Ok((row.get(0)?, picture))
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_with_those_above_them_and_none_of_digikams_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("digikam4.db");
        let db = Connection::open(&path).unwrap();
        db.execute_batch(
            "CREATE TABLE Albums (id INTEGER PRIMARY KEY, albumRoot INTEGER NOT NULL, relativePath TEXT NOT NULL);
             CREATE TABLE Images (id INTEGER PRIMARY KEY, album INTEGER, name TEXT NOT NULL, status INTEGER NOT NULL, fileSize INTEGER);
             CREATE TABLE Tags (id INTEGER PRIMARY KEY, pid INTEGER, name TEXT NOT NULL);
             CREATE TABLE ImageTags (imageid INTEGER NOT NULL, tagid INTEGER NOT NULL);
             INSERT INTO Albums VALUES (1, 1, '/'), (2, 1, '/2024/Rügen');
             INSERT INTO Images VALUES (1, 1, 'a.jpg', 1, 100), (2, 2, 'b.jpg', 1, 200), (3, 2, 'bin.jpg', 3, 300), (4, 2, 'none.jpg', 1, 400);
             INSERT INTO Tags VALUES (1, 0, 'Places'), (2, 1, 'Beach'), (3, 0, '_Digikam_Internal_Tags_'), (4, 3, 'Color Label Red'),
                 (5, 6, 'hen'), (6, 5, 'egg');
             INSERT INTO ImageTags VALUES (1, 2), (1, 4), (2, 5), (3, 2), (9, 2), (4, 4);",
        )
        .unwrap();
        let mut read = read(&path).unwrap().pictures;
        read.sort_by(|a, b| a.path.cmp(&b.path));
        let told = read.iter().map(|one| {
            (
                one.path.as_str(),
                one.size_bytes,
                one.words.iter().map(String::as_str).collect::<Vec<_>>(),
            )
        });
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                ("2024/Rügen/b.jpg", Some(200), vec!["egg", "hen"]),
                ("a.jpg", Some(100), vec!["Beach", "Places"]),
            ]
        );
    }
}
