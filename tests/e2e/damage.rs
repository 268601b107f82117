//! Damage is told and mended: nothing that was there is replaced in silence, and one bad row never stops the rest.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::lab::{Daemon, Lab};

fn lab(pictures: u32) -> Lab {
    let lab = Lab::new();
    (0..pictures).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    lab.index();
    lab
}

fn database(lab: &Lab) -> Connection {
    Connection::open(lab.data().join("library.db")).unwrap()
}

/// What a command that must fail says.
fn refusal(lab: &Lab, arguments: &[&str]) -> String {
    let output = lab.run(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// All files of a folder, with their bytes.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut contents: Vec<_> = entries
        .filter(|entry| entry.file_name() != "library.lock")
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap_or_default())
        })
        .collect();
    contents.sort();
    contents
}

#[test]
fn a_database_that_is_lost_damaged_or_foreign_is_never_replaced_in_silence() {
    let lab = lab(1);
    let path = lab.data().join("library.db");
    let whole = fs::read(&path).unwrap();
    // What a search for a while leaves.
    fs::create_dir_all(lab.data().join("thumbnails/00")).unwrap();
    let page = 4096;
    let zeroed = |from: usize, to: usize| {
        let mut bytes = whole.clone();
        bytes[from..to].fill(0);
        Some(bytes)
    };
    let other = {
        let path = lab.photos().with_file_name("other.db");
        let other = Connection::open(&path).unwrap();
        other.execute_batch("CREATE TABLE notes (text)").unwrap();
        drop(other);
        fs::read(path).unwrap()
    };
    let kinds = [
        ("missing", None, "is missing"),
        ("emptied", Some(Vec::new()), "is empty"),
        ("a text", Some(b"hello".to_vec()), "no database"),
        ("another program's", Some(other), "another program"),
        ("header overwritten", zeroed(0, 100), "no database"),
        ("cut", Some(whole[..5 * page].to_vec()), "damaged"),
        ("schema zeroed", zeroed(100, page), "damaged"),
        ("all else zeroed", zeroed(page, whole.len()), "damaged"),
    ];
    let photos = lab.photos().display().to_string();
    for (kind, bytes, told) in kinds {
        fs::remove_file(&path).ok();
        if let Some(bytes) = bytes {
            fs::write(&path, bytes).unwrap();
        }
        let before = contents(&lab.data());
        let commands: [&[&str]; 3] = [
            &["index", &photos],
            &["serve", &photos, "--listen", "127.0.0.1:0"],
            &["status"],
        ];
        for command in commands {
            let error = refusal(&lab, command);
            assert!(error.contains(told), "{kind}: {command:?}: {error}");
            let is_told_the_way_out =
                error.contains("pixdex restore") || error.contains("move it away");
            assert!(is_told_the_way_out, "{kind}: {error}");
        }
        let after = contents(&lab.data());
        let names = |contents: &[(String, Vec<u8>)]| -> Vec<String> {
            contents.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(names(&before), names(&after), "{kind}");
        assert!(before == after, "{kind}: something was written");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(lab.index()["unchanged"], 1);
}

/// The log holds what was written last: without it the library is as it was before, and the folders bring it up to date.
#[test]
fn a_lost_log_costs_nothing_that_is_in_the_folders() {
    let lab = lab(2);
    let mut daemon = lab.serve();
    daemon.wait_for_images(2);
    lab.add("new.png", 9);
    daemon.wait_for_images(3);
    daemon.signal("-KILL");
    daemon.wait();
    fs::remove_file(lab.data().join("library.db-wal")).unwrap();
    fs::remove_file(lab.data().join("library.db-shm")).unwrap();
    lab.index();
    assert_eq!(lab.json(&["status"])["images"], 3);
}

#[test]
fn damaged_embeddings_are_made_again_and_stop_nothing() {
    let lab = lab(7);
    let vector: Vec<u8> = database(&lab)
        .query_row(
            "SELECT vector FROM embeddings WHERE image_id = 7",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let values: Vec<f32> = vector
        .chunks(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    let bytes = |values: &[f32]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    let twice: Vec<f32> = values.iter().map(|value| value * 2.0).collect();
    let with = |value: f32| [&[value], &values[1..]].concat();
    let damaged = [
        Vec::new(),
        vec![1, 2, 3],
        bytes(&twice),
        bytes(&with(f32::NAN)),
        bytes(&with(f32::INFINITY)),
        // Of unit length, and of another model's.
        bytes(&[0.6, 0.8]),
    ];
    for (image, vector) in (1..).zip(&damaged) {
        let update = "UPDATE embeddings SET vector = ?2 WHERE image_id = ?1";
        database(&lab)
            .execute(update, rusqlite::params![image, vector])
            .unwrap();
    }
    let found = lab.json(&["search", "anything strictness:0"]);
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let daemon = lab.serve();
    daemon.wait_for_images(7);
    let found = daemon.get("/api/v1/search?q=anything&strictness=0").1;
    assert_eq!(found["items"].as_array().unwrap().len(), 7);
    drop(daemon);
    let again: Vec<u8> = database(&lab)
        .query_row(
            "SELECT vector FROM embeddings WHERE image_id = 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(again.len(), vector.len());
}

#[test]
fn a_damaged_thumbnail_is_made_again_and_one_that_cannot_be_kept_is_served() {
    let lab = lab(1);
    let daemon: Daemon = lab.serve();
    daemon.wait_for_images(1);
    let id = daemon.images()[0]["id"].as_str().unwrap().to_owned();
    let get = || daemon.bytes("GET", &format!("/api/v1/images/{id}/thumbnail"), &[], "");
    let (status, whole) = get();
    assert_eq!(status, 200);
    let folder = lab.data().join("thumbnails");
    let file = folder.join(&id[..2]).join(format!("{id}-320.jpg"));
    for damaged in [&b""[..], b"<html>", &whole[..whole.len() / 2]] {
        fs::write(&file, damaged).unwrap();
        assert!(get() == (200, whole.clone()));
        assert!(fs::read(&file).unwrap() == whole);
    }
    // Neither read nor written any more.
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    assert!(get() == (200, whole));
}
