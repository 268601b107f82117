//! Files of one shot: a RAW beside its JPEG, a phone's picture beside the seconds around it. One picture, one hit.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::lab::{COLOURS, Daemon, Lab, jpeg};

/// A camera's file with this picture as its preview: a directory that points to a JPEG.
fn raw(seed: u32) -> Vec<u8> {
    const MAKE: &[u8] = b"Canon\0";
    const FIELDS: u32 = 4;
    let jpeg = jpeg(seed);
    let make_at = 16 + 2 + 12 * FIELDS + 4;
    let jpeg_at = make_at + MAKE.len() as u32;
    let field = |tag: u16, kind: u16, count: u32, value: u32| {
        let start = [tag.to_le_bytes(), kind.to_le_bytes()].concat();
        [
            start,
            count.to_le_bytes().to_vec(),
            value.to_le_bytes().to_vec(),
        ]
        .concat()
    };
    [
        b"II*\0\x10\0\0\0CR\x02\0\0\0\0\0".to_vec(),
        (FIELDS as u16).to_le_bytes().to_vec(),
        field(0x103, 3, 1, 6),
        field(0x10F, 2, MAKE.len() as u32, make_at),
        field(0x111, 4, 1, jpeg_at),
        field(0x117, 4, 1, jpeg.len() as u32),
        vec![0; 4],
        MAKE.to_vec(),
        jpeg,
    ]
    .concat()
}

fn names(item: &Value) -> Vec<String> {
    let paths = item["paths"].as_array().unwrap().iter();
    let name = |path: &Value| {
        let path = Path::new(path.as_str().unwrap());
        path.file_name().unwrap().to_str().unwrap().to_owned()
    };
    paths.map(name).collect()
}

/// The names of all pictures' files, picture by picture, in order.
fn pictures(lab: &Lab) -> Vec<Vec<String>> {
    let output = lab.run(&["export", "-"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut all: Vec<_> = lines.map(|item| names(&item)).collect();
    all.sort();
    all
}

#[test]
fn a_raw_beside_its_jpeg_is_one_picture_in_whatever_order_they_come() {
    let both = ["IMG_1.JPG", "IMG_1.CR2"];
    let shot = [both.map(str::to_owned).to_vec()];
    for order in [["jpg", "raw"], ["raw", "jpg"]] {
        let lab = Lab::new();
        lab.write_labels("colours", COLOURS);
        for kind in order {
            match kind {
                "jpg" => fs::write(lab.photo("IMG_1.JPG"), jpeg(1)).unwrap(),
                _ => fs::write(lab.photo("IMG_1.CR2"), raw(1)).unwrap(),
            }
            lab.index();
        }
        assert_eq!(pictures(&lab), shot, "{order:?}");
        let report = lab.json(&["status"]);
        assert_eq!(report["images"], 1, "{report}");
        // Without what stood for it the RAW is a picture of its own, tagged, and not embedded again.
        let embeddings = || {
            let database = Connection::open(lab.data().join("library.db")).unwrap();
            let count = "SELECT count(*) FROM embeddings";
            database
                .query_row(count, [], |row| row.get::<_, i64>(0))
                .unwrap()
        };
        assert_eq!(embeddings(), 2);
        fs::remove_file(lab.photo("IMG_1.JPG")).unwrap();
        let output = lab.run(&["index", lab.photos().to_str().unwrap()]);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("batch embedded"));
        assert_eq!(pictures(&lab), [vec!["IMG_1.CR2".to_owned()]]);
        let found = lab.json(&["search", "something"]);
        assert_eq!(found["items"].as_array().unwrap().len(), 1);
    }
}

fn all(daemon: &Daemon) -> Vec<Value> {
    let (_, answer) = daemon.get("/api/v1/images?limit=100");
    answer["items"].as_array().unwrap().clone()
}

#[test]
fn a_shot_is_found_by_the_words_and_names_of_all_its_files() {
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    for shot in 1..4 {
        fs::write(lab.photo(&format!("IMG_{shot}.JPG")), jpeg(shot)).unwrap();
        fs::write(lab.photo(&format!("IMG_{shot}.CR2")), raw(shot)).unwrap();
    }
    let sidecar = |keyword: &str| {
        format!(
            "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>\
             <rdf:Description rdf:about='' xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:subject><rdf:Bag>\
             <rdf:li>{keyword}</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
        )
    };
    fs::write(lab.photo("IMG_1.CR2.xmp"), sidecar("harbour")).unwrap();
    let daemon = lab.serve();
    daemon.wait_for_images(3);
    daemon.wait_until(|daemon| {
        let all = all(daemon);
        all.len() == 3 && all.iter().all(|item| names(item).len() == 2)
    });
    let items = |query: &str| {
        let (status, answer) = daemon.get(&format!("/api/v1/images?facets=true&q={query}"));
        assert_eq!(status, 200, "{answer}");
        answer
    };
    let found = items("tag:harbour");
    assert_eq!(found["total"], 1, "{found}");
    assert_eq!(names(&found["items"][0]), ["IMG_1.JPG", "IMG_1.CR2"]);
    assert_eq!(found["items"][0]["format"], "jpeg");
    assert_eq!(items("path:*.CR2")["total"], 3);
    assert_eq!(items("format:raw")["total"], 0);
    let (_, named) = daemon.get("/api/v1/search?q=IMG_2.CR2&strictness=0");
    assert_eq!(names(&named["items"][0]), ["IMG_2.JPG", "IMG_2.CR2"]);
    let (_, tags) = daemon.get("/api/v1/tags");
    let harbour = tags["tags"]
        .as_array()
        .unwrap()
        .iter()
        .find(|tag| tag["label"] == "harbour");
    assert_eq!(harbour.unwrap()["count"], 1);
    let (_, duplicates) = daemon.get("/api/v1/duplicates");
    // These pictures are all alike; no file of a shot is the double of another.
    assert!(!duplicates.to_string().contains("\"raw\""), "{duplicates}");
    // A shot that is parted is two pictures, and one again when its files are together.
    fs::rename(lab.photo("IMG_3.CR2"), lab.photo("elsewhere.CR2")).unwrap();
    daemon.wait_for_images(4);
    fs::rename(lab.photo("elsewhere.CR2"), lab.photo("IMG_3.CR2")).unwrap();
    daemon.wait_for_images(3);
    fs::remove_file(lab.photo("IMG_2.JPG")).unwrap();
    daemon.wait_until(|daemon| {
        let (_, answer) = daemon.get("/api/v1/images?q=format:raw");
        answer["items"]
            .as_array()
            .is_some_and(|items| items.len() == 1)
    });
    assert_eq!(all(&daemon).len(), 3);
}

#[test]
fn a_library_made_before_companions_were_known_finds_them_itself() {
    let lab = Lab::new();
    fs::write(lab.photo("IMG_1.JPG"), jpeg(1)).unwrap();
    fs::write(lab.photo("IMG_1.CR2"), raw(1)).unwrap();
    fs::write(lab.photo("IMG_2.JPG"), jpeg(2)).unwrap();
    fs::write(lab.photo("IMG_2.png"), crate::lab::picture(2)).unwrap();
    lab.index();
    let database = Connection::open(lab.data().join("library.db")).unwrap();
    database
        .execute("UPDATE files SET main_id = NULL, read_by = 0", [])
        .unwrap();
    drop(database);
    assert_eq!(lab.json(&["status"])["images"], json!(4));
    lab.index();
    let shots = pictures(&lab);
    assert_eq!(shots.len(), 3, "a PNG is nobody's companion: {shots:?}");
    assert!(shots.contains(&vec!["IMG_1.JPG".to_owned(), "IMG_1.CR2".to_owned()]));
}

#[test]
fn what_was_decided_beside_a_raw_goes_over_to_the_jpeg_that_comes_later_and_back_when_it_goes() {
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    fs::write(lab.photo("IMG_1.CR2"), raw(1)).unwrap();
    let mut command = lab.command(&["serve", "--listen", "127.0.0.1:0"]);
    command
        .arg(lab.photos())
        .env("PIXDEX_INGEST__SETTLE_MS", "300")
        .env("PIXDEX_SIDECARS__WRITE", "appended");
    let daemon = Daemon::start(command);
    daemon.wait_for_images(1);
    let id = |daemon: &Daemon| all(daemon)[0]["id"].as_str().unwrap().to_owned();
    let of_raw = id(&daemon);
    let decide = |label: &str, decision: &str| {
        let path = format!("/api/v1/images/{of_raw}/decisions/colours/{label}");
        let body = json!({ "decision": decision }).to_string();
        assert_eq!(daemon.send("PUT", &path, &[], &body).0, 200);
    };
    decide("red", "rejected");
    decide("blue", "confirmed");
    let sidecar = |name: &str| fs::read_to_string(lab.photo(name)).unwrap_or_default();
    daemon.wait_until(|_| sidecar("IMG_1.CR2.xmp").contains(">blue<"));
    fs::write(lab.photo("IMG_1.JPG"), jpeg(1)).unwrap();
    daemon.wait_until(|daemon| {
        let all = all(daemon);
        all.len() == 1 && names(&all[0]).len() == 2
    });
    assert_ne!(id(&daemon), of_raw);
    daemon.wait_until(|daemon| {
        let tags = all(daemon)[0]["tags"].clone();
        tags.as_array().is_some_and(|tags| tags.len() == 1)
            && (&tags[0]["label"], &tags[0]["decision"]) == (&json!("blue"), &json!("confirmed"))
    });
    // The sidecar goes where the picture's tags are.
    daemon.wait_until(|_| {
        sidecar("IMG_1.JPG.xmp").contains(">blue<") && !lab.photo("IMG_1.CR2.xmp").exists()
    });
    let exported = lab.run(&["decisions", "export"]).stdout;
    let exported = String::from_utf8(exported).unwrap();
    assert_eq!(exported.lines().count(), 4, "of both pictures: {exported}");

    // What was decided while it stood for the shot goes back to the RAW when it stands alone again.
    let of_jpeg = id(&daemon);
    for (label, decision) in [("blue", "rejected"), ("red", "confirmed")] {
        let path = format!("/api/v1/images/{of_jpeg}/decisions/colours/{label}");
        let body = json!({ "decision": decision }).to_string();
        assert_eq!(daemon.send("PUT", &path, &[], &body).0, 200);
    }
    fs::remove_file(lab.photo("IMG_1.JPG")).unwrap();
    daemon.wait_until(|daemon| {
        let all = all(daemon);
        let tags = &all[0]["tags"];
        all[0]["id"] == of_raw.as_str()
            && tags.as_array().is_some_and(|tags| tags.len() == 1)
            && (&tags[0]["label"], &tags[0]["decision"]) == (&json!("red"), &json!("confirmed"))
    });
}
