//! A pixdex that finds more in files, or shows them otherwise, reads again what others have read.

use rusqlite::{Connection, params};
use serde_json::Value;

use crate::lab::{Lab, picture};

/// What a library says of its pictures, by path.
fn sizes(lab: &Lab) -> Vec<(String, Value, Value)> {
    let database = Connection::open(lab.data().join("library.db")).unwrap();
    let mut select = database
        .prepare("SELECT f.path, i.width, i.height FROM files f JOIN images i ON i.id = image_id ORDER BY path")
        .unwrap();
    let rows = select.query_map([], |row| {
        let path: Vec<u8> = row.get(0)?;
        let path = String::from_utf8_lossy(&path).into_owned();
        Ok((
            path,
            row.get::<_, u32>(1)?.into(),
            row.get::<_, u32>(2)?.into(),
        ))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

#[test]
fn files_that_others_have_read_are_read_again_and_embedded_only_where_they_look_otherwise() {
    let lab = Lab::new();
    (0..4).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    // Once more under another name.
    std::fs::write(lab.photo("copy.png"), picture(0)).unwrap();
    lab.index();
    let right = sizes(&lab);
    let database = Connection::open(lab.data().join("library.db")).unwrap();
    let vectors = || -> Vec<Vec<u8>> {
        let mut select = database
            .prepare("SELECT vector FROM embeddings ORDER BY image_id")
            .unwrap();
        let rows = select.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let embedded = vectors();
    // They saw one of them on its side, and refused another.
    let one = "SELECT image_id FROM files WHERE path LIKE ?1";
    let other = "(SELECT vector FROM embeddings WHERE image_id <> (SELECT image_id FROM files WHERE path LIKE ?1) LIMIT 1)";
    for change in [
        "UPDATE files SET read_by = 0".to_owned(),
        format!("UPDATE images SET width = 7, format = 'tiff' WHERE id = ({one})"),
        format!("UPDATE embeddings SET vector = {other} WHERE image_id = ({one})"),
        "UPDATE files SET state = 'failed', reason = 'unknown', decoders = '0', image_id = NULL WHERE path LIKE ?1".to_owned(),
    ] {
        let name = if change.contains("failed") { "%/2.png" } else { "%/1.png" };
        let values = if change.contains("?1") { params![name] } else { params![] };
        database.execute(&change, values).unwrap();
    }
    let output = lab.run(&["index", lab.photos().to_str().unwrap()]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let batches: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("batch embedded"))
        .collect();
    assert!(
        batches.len() == 1 && batches[0].contains("pictures=1"),
        "{log}"
    );
    assert_eq!(sizes(&lab), right);
    assert_eq!(vectors(), embedded);
    let again = String::from_utf8(lab.run(&["index", lab.photos().to_str().unwrap()]).stdout);
    assert!(again.unwrap().starts_with("0 indexed, 5 unchanged"));
}
