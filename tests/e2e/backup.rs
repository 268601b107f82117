//! `pixdex check`, `backup` and `restore`: what is wrong is found and mended, and what cannot be made again can be put back.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;

use crate::lab::{Daemon, Lab};

const SET: &str = "
threshold = 0.000001
templates = ['{label}']
[[labels]]
name = 'one'
";

/// A library of three pictures, the first of which was decided about.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.write_labels("set", SET);
    (0..3).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    lab.index();
    let hit = lab.json(&["search", "anything", "--limit", "1"])["items"][0].clone();
    let id = hit["id"].as_str().unwrap();
    let output = lab.run(&["decisions", "reject", "set/one", id]);
    assert!(output.status.success());
    lab
}

fn database(lab: &Lab) -> Connection {
    Connection::open(lab.data().join("library.db")).unwrap()
}

fn refusal(lab: &Lab, arguments: &[&str]) -> String {
    let output = lab.run(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// What `check` finds of each kind: whether it is wrong, and whether it is mended.
fn check(lab: &Lab, repair: bool) -> (bool, Vec<(String, bool, bool)>) {
    let flags: &[&str] = if repair { &["--repair"] } else { &[] };
    let output = lab.run(&[&["check", "--json"], flags].concat());
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let found = report["checks"].as_array().unwrap().iter().map(|check| {
        let is_wrong = !check["wrong"].as_array().unwrap().is_empty();
        let what = check["what"].as_str().unwrap().to_owned();
        (what, is_wrong, !check["mended"].is_null())
    });
    (output.status.success(), found.collect())
}

fn wrong(found: &(bool, Vec<(String, bool, bool)>)) -> Vec<&str> {
    let wrong = found.1.iter().filter(|(_, is_wrong, _)| *is_wrong);
    wrong.map(|(what, ..)| what.as_str()).collect()
}

#[test]
fn what_is_wrong_is_found_and_mended() {
    let lab = lab();
    let well = check(&lab, false);
    assert!(well.0 && wrong(&well).is_empty(), "{well:?}");
    let db = database(&lab);
    db.execute(
        "UPDATE embeddings SET vector = x'00' WHERE image_id = 2",
        [],
    )
    .unwrap();
    db.execute("DELETE FROM decisions", []).unwrap();
    db.pragma_update(None, "foreign_keys", false).unwrap();
    db.execute("INSERT INTO keywords VALUES (99, 'lost')", [])
        .unwrap();
    drop(db);
    fs::create_dir_all(lab.data().join("thumbnails/00")).unwrap();
    let thumbnail = format!("thumbnails/00/{}-320.jpg", "0".repeat(64));
    fs::write(lab.data().join(thumbnail), "").unwrap();
    fs::create_dir_all(lab.data().join("index")).unwrap();
    let status = lab.json(&["status"]);
    let model = &status["model"]["fingerprint"].as_str().unwrap()[..16];
    let segment = format!("index/segment-{model}");
    fs::write(lab.data().join(segment), "hello").unwrap();
    let all = ["database", "embeddings", "index", "thumbnails", "decisions"];
    let found = check(&lab, false);
    assert!(!found.0);
    assert_eq!(wrong(&found), all, "{found:?}");
    let output = lab.run(&["check"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("decisions: 0, WRONG"), "{said}");
    let mended = check(&lab, true);
    assert!(mended.0, "{mended:?}");
    let well = check(&lab, false);
    assert!(well.0 && wrong(&well).is_empty(), "{well:?}");
    assert_eq!(lab.index()["images"], 3);
    let exported = lab.run(&["decisions", "export"]).stdout;
    assert_eq!(String::from_utf8(exported).unwrap().lines().count(), 1);
    // What cannot be told apart from an edit is the scan's.
    fs::remove_file(lab.photo("0.png")).unwrap();
    let well = check(&lab, false);
    assert!(well.0 && wrong(&well).is_empty(), "{well:?}");
}

#[test]
fn a_lost_library_is_made_anew_with_what_people_decided() {
    for kind in ["missing", "emptied", "a text", "cut"] {
        let lab = lab();
        let exported = lab.run(&["decisions", "export"]).stdout;
        let path = lab.data().join("library.db");
        let whole = fs::read(&path).unwrap();
        match kind {
            "missing" => fs::remove_file(&path).unwrap(),
            "emptied" => fs::write(&path, "").unwrap(),
            "a text" => fs::write(&path, "hello").unwrap(),
            _ => fs::write(&path, &whole[..whole.len() / 2]).unwrap(),
        }
        let error = refusal(&lab, &["check"]);
        assert!(error.contains("pixdex check --repair"), "{kind}: {error}");
        let mended = check(&lab, true);
        assert!(mended.0, "{kind}: {mended:?}");
        assert_eq!(lab.run(&["decisions", "export"]).stdout, exported, "{kind}");
        assert_eq!(lab.index()["images"], 3, "{kind}");
        let aside = lab.data().join("library.db.damaged-1");
        assert_eq!(aside.exists(), kind != "missing", "{kind}");
    }
}

#[test]
fn a_backup_taken_while_pictures_come_is_whole_and_is_put_back() {
    let lab = lab();
    let daemon = lab.serve();
    daemon.wait_for_images(3);
    let file = lab.photos().with_file_name("backup.db");
    let file = file.to_str().unwrap();
    (3..6).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    let report = lab.json(&["backup", file]);
    let images = report["images"].as_i64().unwrap();
    assert!((3..=6).contains(&images), "{report}");
    assert_eq!(report["label_files"], 1);
    daemon.wait_for_images(6);
    assert_eq!(lab.json(&["backup", file])["images"], 6);
    let exported = lab.run(&["decisions", "export"]).stdout;
    drop(daemon);
    let error = refusal(&lab, &["restore", file]);
    assert!(error.contains("there is a library"), "{error}");
    let picture = lab.photo("0.png");
    let error = refusal(&lab, &["backup", picture.to_str().unwrap()]);
    assert!(error.contains("no backup"), "{error}");

    // The disk is lost, and the labels with it.
    fs::remove_dir_all(lab.data()).unwrap();
    fs::remove_dir_all(lab.labels()).unwrap();
    let restored = lab.json(&["restore", file]);
    let counts = [&restored["images"], &restored["label_files"]];
    assert_eq!(counts, [6, 1]);
    assert_eq!(lab.run(&["decisions", "export"]).stdout, exported);
    assert_eq!(
        fs::read_to_string(lab.labels().join("set.toml")).unwrap(),
        SET
    );
    assert!(fs::read(lab.data().join("decisions.jsonl")).unwrap() == exported);
    let daemon: Daemon = lab.serve();
    daemon.wait_for_images(6);
    assert_eq!(daemon.get("/api/v1/status").1["progress"]["indexed"], 0);
    drop(daemon);
    // A database that cannot be opened is no library that is there; what people changed since stays.
    fs::write(lab.data().join("library.db"), "hello").unwrap();
    lab.write_labels("set", "[[labels]]\nname = 'other'\n");
    let restored = lab.json(&["restore", file]);
    assert_eq!(restored["kept"].as_array().unwrap().len(), 1);
    assert!(
        restored["moved_aside"]
            .as_str()
            .unwrap()
            .ends_with("damaged-1")
    );
    assert!(check(&lab, false).0);
}

#[test]
fn what_is_no_backup_is_not_put_back() {
    let lab = lab();
    let backup = lab.photos().with_file_name("backup.db");
    lab.json(&["backup", backup.to_str().unwrap()]);
    let whole = fs::read(&backup).unwrap();
    fs::remove_dir_all(lab.data()).unwrap();
    let mut flipped = whole.clone();
    let middle = whole.len() / 2;
    flipped[middle..middle + 4096].fill(0xAA);
    let newer = {
        fs::write(&backup, &whole).unwrap();
        let db = Connection::open(&backup).unwrap();
        db.pragma_update(None, "user_version", 999).unwrap();
        drop(db);
        fs::read(&backup).unwrap()
    };
    for (kind, bytes) in [
        ("empty", &b""[..]),
        ("a text", b"hello"),
        ("cut", &whole[..middle]),
        ("damaged", &flipped),
        ("of a newer pixdex", &newer),
    ] {
        fs::write(&backup, bytes).unwrap();
        let error = refusal(&lab, &["restore", backup.to_str().unwrap()]);
        assert!(error.contains("cannot be put back"), "{kind}: {error}");
        assert!(!lab.data().join("library.db").exists(), "{kind}");
    }
    let error = refusal(&lab, &["restore", "/no/such/file"]);
    assert!(error.contains("/no/such/file"), "{error}");
}

/// A library tells where somebody was: it is its owner's alone, and so is a copy of it.
#[cfg(unix)]
#[test]
fn nobody_else_looks_into_a_library_or_its_backup() {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::new();
    lab.add("a.png", 1);
    lab.write_labels("set", "[[labels]]\nname = 'one'\n");
    let data = lab.data();
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    let id = daemon.images()[0]["id"].as_str().unwrap().to_owned();
    lab.run(&["decisions", "confirm", "set/one", &id]);
    let backup = data.with_extension("backup");
    assert!(
        lab.run(&["backup", backup.to_str().unwrap()])
            .status
            .success()
    );
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for name in ["library.db", "library.db-wal", "decisions.jsonl"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&backup), 0o600);
    // What its owner lets others do stays so.
    drop(daemon);
    fs::set_permissions(&data, fs::Permissions::from_mode(0o750)).unwrap();
    lab.index();
    assert_eq!(mode(&data), 0o750);
}
