//! The daemon follows what happens in its folders.

use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::events::Stream;
use crate::lab::{Daemon, Lab, demo_library, jpeg, picture};

fn has_paths(daemon: &Daemon, expected: &[&std::path::Path]) -> bool {
    let mut expected: Vec<String> = expected
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    expected.sort();
    daemon.paths() == expected
}

/// The folders that hold pictures, as all pictures are counted by them.
fn folders(daemon: &Daemon) -> Vec<String> {
    let counted = daemon.get("/api/v1/images?limit=1&facets=true").1;
    let folders = counted["facets"]["folders"].as_array().unwrap().iter();
    let name = |folder: &Value| folder["value"].as_str().unwrap().to_owned();
    folders.map(name).collect()
}

#[test]
fn files_come_change_move_and_go() {
    let lab = Lab::new();
    let daemon = lab.serve();
    let first = lab.add("first.png", 1);
    daemon.wait_until(|daemon| has_paths(daemon, &[&first]));
    let id = daemon.images()[0]["id"].clone();

    // Renamed, then moved into a new folder: the same image all the way.
    let renamed = lab.photo("renamed.png");
    fs::rename(&first, &renamed).unwrap();
    daemon.wait_until(|daemon| has_paths(daemon, &[&renamed]));
    assert_eq!(folders(&daemon), [lab.photos().display().to_string()]);
    fs::create_dir(lab.photo("folder")).unwrap();
    let moved = lab.photo("folder/moved.png");
    fs::rename(&renamed, &moved).unwrap();
    daemon.wait_until(|daemon| has_paths(daemon, &[&moved]));
    assert_eq!(
        folders(&daemon),
        [lab.photo("folder").display().to_string()]
    );
    assert_eq!(daemon.images()[0]["id"], id);

    // Changed in place, then replaced by a rename.
    fs::write(&moved, picture(2)).unwrap();
    daemon.wait_until(|daemon| daemon.images().len() == 1 && daemon.images()[0]["id"] != id);
    let changed = daemon.images()[0]["id"].clone();
    let temporary = lab.photo("folder/.temporary");
    fs::write(&temporary, picture(3)).unwrap();
    fs::rename(&temporary, &moved).unwrap();
    daemon.wait_until(|daemon| daemon.images().len() == 1 && daemon.images()[0]["id"] != changed);

    fs::remove_file(&moved).unwrap();
    daemon.wait_for_images(0);
    assert!(folders(&daemon).is_empty());
}

#[test]
fn a_folder_that_is_copied_in_or_renamed_brings_all_its_files() {
    let lab = Lab::new();
    let daemon = lab.serve();
    let outside = lab.photos().with_file_name("outside");
    fs::create_dir_all(outside.join("deep/er")).unwrap();
    (0..6).for_each(|seed| {
        fs::write(outside.join(format!("deep/er/{seed}.png")), picture(seed)).unwrap();
    });
    fs::rename(&outside, lab.photo("inside")).unwrap();
    daemon.wait_for_images(6);
    fs::rename(lab.photo("inside"), lab.photo("other")).unwrap();
    daemon.wait_until(|daemon| {
        daemon
            .paths()
            .iter()
            .all(|path| path.contains("/other/deep/er/"))
    });
    daemon.wait_for_images(6);
    // The renamed folder is watched as well.
    fs::write(lab.photo("other/deep/new.png"), picture(50)).unwrap();
    daemon.wait_for_images(7);
    fs::remove_dir_all(lab.photo("other")).unwrap();
    lab.add("keeps the folder from looking away.png", 60);
    daemon.wait_for_images(1);
}

#[test]
fn a_picture_that_is_written_slowly_is_indexed_when_it_is_whole() {
    let lab = Lab::new();
    let daemon = lab.serve();
    let bytes = jpeg(5);
    let mut file = File::create(lab.photo("slow.jpg")).unwrap();
    for part in bytes.chunks(bytes.len() / 4 + 1) {
        file.write_all(part).unwrap();
        file.flush().unwrap();
    }
    drop(file);
    daemon.wait_for_images(1);
    // A copy that stopped half-way is a failure until the rest comes.
    fs::write(lab.photo("half.jpg"), &jpeg(6)[..4000]).unwrap();
    daemon.wait_until(|daemon| {
        daemon.get("/api/v1/failures").1["failures"]
            .as_array()
            .unwrap()
            .len()
            == 1
    });
    fs::write(lab.photo("half.jpg"), jpeg(6)).unwrap();
    daemon.wait_for_images(2);
    assert_eq!(
        daemon.get("/api/v1/failures").1["failures"],
        Value::Array(vec![])
    );
}

#[test]
fn a_picture_is_found_and_tagged_soon_after_its_last_byte() {
    let lab = Lab::new();
    for name in ["colours", "things"] {
        let shipped = format!(
            "{}/config/labels/drawn/{name}.toml",
            env!("CARGO_MANIFEST_DIR")
        );
        fs::copy(shipped, lab.labels().join(format!("{name}.toml"))).unwrap();
    }
    let drawn = lab.photos().with_file_name("drawn");
    let pictures = demo_library(&drawn);
    let daemon = lab.serve();
    let star = pictures
        .iter()
        .find(|picture| picture.thing == "house" && picture.count == 1)
        .unwrap();
    fs::copy(drawn.join(&star.path), lab.photo("new.jpg")).unwrap();
    let copied = Instant::now();
    let query = format!(
        "/api/v1/search?q=a+{}+house&tag={}",
        star.colour, star.colour
    );
    daemon.wait_until(|daemon| {
        daemon.get(&query).1["items"]
            .as_array()
            .is_some_and(|items| !items.is_empty())
    });
    println!(
        "found and tagged {} ms after its last byte, settle time 300 ms",
        copied.elapsed().as_millis()
    );
    assert!(copied.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_rescan_can_be_asked_for() {
    let lab = Lab::new();
    let daemon = lab.serve();
    assert_eq!(daemon.send("POST", "/api/v1/rescan", &[], "").0, 200);
    lab.add("one.png", 1);
    daemon.wait_for_images(1);
}

#[test]
fn what_could_not_be_read_is_read_again_when_its_owner_says_so() {
    let lab = Lab::new();
    let daemon = lab.serve();
    fs::write(lab.photo("half.jpg"), &jpeg(6)[..4000]).unwrap();
    let has_failed = |daemon: &Daemon| daemon.get("/api/v1/status").1["files"]["failed"] == 1;
    daemon.wait_until(has_failed);
    let mut events = Stream::open(&daemon);
    let (code, answer) = daemon.send("POST", "/api/v1/failures/retry", &[], "");
    assert_eq!((code, &answer["files"]), (200, &Value::from(1)));
    assert!(events.next("failure").contains("half.jpg"));
    assert!(has_failed(&daemon));
}
