//! What people said elsewhere comes in: digiKam's tags, Immich's, `PhotoPrism`'s, and the keywords that files carry.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::lab::{COLOURS, Lab};

fn lab() -> Lab {
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    lab.add("2023/a.png", 0);
    lab.add("2024/a.png", 1);
    lab.add("2024/b.png", 2);
    lab
}

fn beside(lab: &Lab, name: &str) -> PathBuf {
    lab.labels().with_file_name(name)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A database as digiKam keeps it, with tags for files of these names and sizes.
fn digikam(lab: &Lab, tagged: &[(&str, &str, u64, &[&str])]) -> PathBuf {
    let path = beside(lab, "digikam4.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "CREATE TABLE Albums (id INTEGER PRIMARY KEY, albumRoot INTEGER NOT NULL, relativePath TEXT NOT NULL);
         CREATE TABLE Images (id INTEGER PRIMARY KEY, album INTEGER, name TEXT NOT NULL, status INTEGER NOT NULL, fileSize INTEGER);
         CREATE TABLE Tags (id INTEGER PRIMARY KEY, pid INTEGER, name TEXT NOT NULL);
         CREATE TABLE ImageTags (imageid INTEGER NOT NULL, tagid INTEGER NOT NULL);",
    )
    .unwrap();
    for (at, (album, name, size_bytes, tags)) in tagged.iter().enumerate() {
        let id = at as i64;
        db.execute("INSERT INTO Albums VALUES (?1, 1, ?2)", (id, album))
            .unwrap();
        let image = "INSERT INTO Images VALUES (?1, ?1, ?2, 1, ?3)";
        db.execute(image, (id, name, *size_bytes as i64)).unwrap();
        for tag in *tags {
            db.execute("INSERT INTO Tags (pid, name) VALUES (0, ?1)", [tag])
                .unwrap();
            let tagged = "INSERT INTO ImageTags VALUES (?1, last_insert_rowid())";
            db.execute(tagged, [id]).unwrap();
        }
    }
    path
}

fn size(lab: &Lab, name: &str) -> u64 {
    fs::metadata(lab.photo(name)).unwrap().len()
}

fn hits(lab: &Lab, query: &str) -> usize {
    let answer = lab.json(&["search", query]);
    answer["items"].as_array().unwrap().len()
}

fn lines(lab: &Lab, command: &[&str]) -> Vec<Value> {
    let lines = String::from_utf8(lab.run(command).stdout).unwrap();
    let lines = lines.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn decisions(lab: &Lab) -> Vec<Value> {
    lines(lab, &["decisions", "export"])
}

#[test]
fn digikams_tags_become_keywords_once_it_is_said_and_go_again() {
    let lab = lab();
    lab.index();
    let (first, second) = (size(&lab, "2023/a.png"), size(&lab, "2024/b.png"));
    let path = digikam(
        &lab,
        &[
            ("/2023", "A.PNG", first, &["Sea", "Red"]),
            ("/elsewhere", "b.png", second, &["Sea"]),
            ("/2024", "gone.png", 7, &["Lake"]),
        ],
    );
    let import = ["import", "digikam", text(&path)];
    let report = lab.json(&import);
    let told = |report: &Value| {
        let figure = |name: &str| report[name].as_u64().unwrap();
        ["pictures", "found", "words", "new"].map(figure)
    };
    assert_eq!(told(&report), [3, 2, 3, 3], "{report}");
    assert_eq!(report["not_found"], json!(["2024/gone.png"]));
    assert_eq!(
        (report["applied"].clone(), hits(&lab, "tag:sea")),
        (json!(false), 0)
    );

    // A library in use is not written into beside its owner.
    let daemon = lab.serve();
    daemon.wait_for_images(3);
    let applied = [&import[..], &["--apply"]].concat();
    let refused = lab.run(&applied);
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("in use"), "{said}");
    drop(daemon);

    assert_eq!(told(&lab.json(&applied)), [3, 2, 3, 3]);
    assert_eq!((hits(&lab, "tag:Sea"), hits(&lab, "tag:file/Red")), (2, 1));
    assert_eq!(told(&lab.json(&import)), [3, 2, 3, 0], "nothing is new");
    // They are still there when their files were read again.
    lab.index();
    assert_eq!(hits(&lab, "tag:Sea"), 2);
    let forgotten = lab.json(&["import", "forget", "digikam"]);
    assert_eq!(
        (forgotten, hits(&lab, "tag:Sea")),
        (json!({"forgotten": 3}), 0)
    );
}

#[test]
fn words_that_are_names_of_labels_confirm_these_beside_a_running_daemon() {
    let lab = lab();
    lab.index();
    let sizes = ["2023/a.png", "2024/a.png"].map(|name| size(&lab, name));
    let path = digikam(
        &lab,
        &[
            ("/2023", "a.png", sizes[0], &["RED", "Sea"]),
            ("/2024", "a.png", sizes[1], &["red"]),
        ],
    );
    let daemon = lab.serve();
    daemon.wait_for_images(3);
    let rejected = lines(&lab, &["export", "-"]);
    let rejected = rejected
        .iter()
        .find(|line| line["paths"][0].as_str().unwrap().ends_with("2024/a.png"));
    let rejected = rejected.unwrap()["id"].as_str().unwrap();
    lab.json(&["decisions", "reject", "colours/red", rejected]);
    let import = ["import", "digikam", text(&path), "--as", "decisions"];
    let report = lab.json(&import);
    assert_eq!(
        (report["new"].as_u64(), report["contrary"].as_u64()),
        (Some(1), Some(1)),
        "{report}"
    );
    assert_eq!(report["labels"], json!({"colours/red": 1}));
    assert_eq!(
        report["without_label"],
        json!([{"word": "Sea", "images": 1}])
    );
    assert_eq!(
        decisions(&lab).len(),
        1,
        "nothing is done unless it is said"
    );
    lab.json(&[&import[..], &["--apply"]].concat());
    let decided = decisions(&lab);
    let verdicts: Vec<_> = decided
        .iter()
        .map(|line| line["decision"].as_str().unwrap())
        .collect();
    assert_eq!(verdicts.len(), 2, "{decided:?}");
    assert!(verdicts.contains(&"confirmed") && verdicts.contains(&"rejected"));
    let other = lab.run(&[&import[..], &["--set", "nosuch"]].concat());
    assert!(String::from_utf8(other.stderr).unwrap().contains("nosuch"));
}

#[test]
fn what_one_library_exports_for_immich_another_takes_over() {
    let first = lab();
    first.index();
    let id = lines(&first, &["export", "-"])[0]["id"].clone();
    first.json(&["decisions", "confirm", "colours/red", id.as_str().unwrap()]);
    let file = beside(&first, "immich.json");
    let output = first.run(&["export", text(&file), "--format", "immich"]);
    assert!(output.status.success());
    let written = fs::read_to_string(&file).unwrap();
    let asset = written.lines().find(|line| line.contains("2023/"));
    let asset: Value = serde_json::from_str(asset.unwrap()).unwrap();
    assert!(
        asset["originalPath"]
            .as_str()
            .unwrap()
            .ends_with("/2023/a.png"),
        "{asset}"
    );
    let tags = asset["tags"].as_array().unwrap();
    assert!(
        tags.iter()
            .all(|tag| tag["value"].as_str().unwrap().starts_with("colours/"))
    );
    let tagged = written
        .lines()
        .filter(|line| line.contains("colours/"))
        .count();

    let second = lab();
    second.index();
    let import = [
        "import",
        "immich",
        text(&file),
        "--as",
        "decisions",
        "--apply",
    ];
    let report = second.json(&import);
    assert_eq!(report["found"], tagged, "{report}");
    assert_eq!(
        decisions(&second).len(),
        report["new"].as_u64().unwrap() as usize
    );
    assert!(tagged > 0);
    fs::write(&file, "[{\"originalPath\": ").unwrap();
    let error = second.run(&import).stderr;
    assert!(String::from_utf8(error).unwrap().contains("immich.json"));
}

#[test]
fn photoprisms_keywords_and_those_of_files_are_taken_over() {
    let lab = lab();
    let sidecar = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
        <rdf:Description xmlns:lr='http://ns.adobe.com/lightroom/1.0/'><lr:hierarchicalSubject><rdf:Bag>
        <rdf:li>Colours|Blue</rdf:li></rdf:Bag></lr:hierarchicalSubject></rdf:Description></rdf:RDF></x:xmpmeta>";
    fs::write(lab.photo("2023/a.xmp"), sidecar).unwrap();
    lab.index();
    let report = lab.json(&["import", "keywords", "--apply"]);
    assert_eq!(report["labels"], json!({"colours/blue": 1}), "{report}");
    assert_eq!(
        report["without_label"],
        json!([{"word": "Colours", "images": 1}])
    );
    assert_eq!(decisions(&lab).len(), 1);

    let storage = beside(&lab, "storage");
    fs::create_dir_all(storage.join("sidecar/2024")).unwrap();
    let picture = "UID: p1\nType: image\nDetails:\n  Keywords: red, sea\n  KeywordsSrc: manual\n";
    fs::write(storage.join("sidecar/2024/b.yml"), picture).unwrap();
    fs::write(storage.join("sidecar/2024/bad.yml"), "Type: [").unwrap();
    let report = lab.json(&["import", "photoprism", text(&storage), "--apply"]);
    assert_eq!(
        (report["found"].as_u64(), report["new"].as_u64()),
        (Some(1), Some(2)),
        "{report}"
    );
    let skipped = report["skipped"].as_array().unwrap();
    assert!(skipped[0].as_str().unwrap().contains("bad.yml"), "{report}");
    assert_eq!(hits(&lab, "tag:sea"), 1);
}
