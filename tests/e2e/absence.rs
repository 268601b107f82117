//! What is not there is not deleted yet: folders that are swapped, emptied at once, or come back.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::lab::{COLOURS, Daemon, Lab, demo_library, picture};

fn fill(lab: &Lab, folder: &str, count: u32) {
    for seed in 0..count {
        lab.add(&format!("{folder}/{seed}.png"), seed);
    }
}

fn files(daemon: &Daemon, state: &str) -> Value {
    let status = daemon.get("/api/v1/status").1;
    status["files"]
        .get(state)
        .cloned()
        .unwrap_or(Value::from(0))
}

fn rescan(daemon: &Daemon) {
    assert_eq!(daemon.send("POST", "/api/v1/rescan", &[], "").0, 200);
}

#[test]
fn a_folder_with_nothing_of_ours_in_the_place_of_a_root_is_a_drive_that_is_away() {
    for left_behind in [".directory", "README", "lost+found"] {
        let lab = Lab::new();
        fill(&lab, "a", 3);
        let report = lab.index();
        assert_eq!(report["images"], 3);
        let away = lab.photos().with_file_name("away");
        fs::rename(lab.photos(), &away).unwrap();
        fs::create_dir(lab.photos()).unwrap();
        fs::write(lab.photo(left_behind), "").unwrap();
        assert_eq!(lab.index()["images"], 3, "{left_behind}");
        let daemon = lab.serve();
        daemon.wait_until(|daemon| files(daemon, "offline") == 3);
        assert_eq!(daemon.paths().len(), 3);
        fs::remove_dir_all(lab.photos()).unwrap();
        fs::rename(&away, lab.photos()).unwrap();
        rescan(&daemon);
        daemon.wait_until(|daemon| files(daemon, "indexed") == 3 && files(daemon, "offline") == 0);
    }
}

#[test]
fn what_its_owner_deletes_is_gone_and_what_goes_at_once_is_missed() {
    let lab = Lab::new();
    fill(&lab, "a", 25);
    fill(&lab, "b", 5);
    lab.index();
    // A few.
    for seed in 0..5 {
        fs::remove_file(lab.photo(&format!("a/{seed}.png"))).unwrap();
    }
    let report = lab.index();
    assert_eq!(
        (&report["removed"], &report["images"]),
        (&5.into(), &25.into())
    );
    // Most of it.
    let away = lab.photos().with_file_name("away");
    fs::rename(lab.photo("a"), &away).unwrap();
    let report = lab.index();
    assert_eq!(
        (&report["removed"], &report["images"]),
        (&0.into(), &25.into())
    );
    let daemon = lab.serve();
    daemon.wait_until(|daemon| files(daemon, "offline") == 20);
    fs::rename(&away, lab.photo("a")).unwrap();
    daemon.wait_until(|daemon| files(daemon, "offline") == 0 && files(daemon, "indexed") == 25);
    // Whoever deletes before our eyes is believed.
    fs::remove_dir_all(lab.photo("a")).unwrap();
    daemon.wait_for_images(5);
}

#[test]
fn files_that_are_missed_for_too_long_are_gone() {
    let lab = Lab::new();
    fill(&lab, "a", 25);
    lab.index();
    fs::rename(lab.photo("a"), lab.photos().with_file_name("away")).unwrap();
    fs::write(lab.photo("keeps the folder.txt"), "").unwrap();
    assert_eq!(lab.index()["images"], 25);
    let mut command = lab.command(&["index", lab.photos().to_str().unwrap(), "--json"]);
    command.env("PIXDEX_INGEST__KEEP_ABSENT_DAYS", "0");
    let output = command.output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["removed"], &report["images"]),
        (&25.into(), &0.into())
    );
}

#[test]
fn pictures_that_come_back_in_another_folder_are_the_same() {
    let lab = Lab::new();
    fill(&lab, "a", 3);
    let daemon = lab.serve();
    daemon.wait_for_images(3);
    let ids = |daemon: &Daemon| {
        let mut ids: Vec<String> = daemon
            .images()
            .iter()
            .map(|image| image["id"].to_string())
            .collect();
        ids.sort();
        ids
    };
    let before = ids(&daemon);
    // Copied to a new drive, which lies where the old one was.
    let copy = lab.photos().with_file_name("copy");
    copy_all(&lab.photos(), &copy);
    fs::rename(lab.photos(), lab.photos().with_file_name("old")).unwrap();
    fs::rename(&copy, lab.photos()).unwrap();
    fs::write(lab.photo("new.png"), picture(50)).unwrap();
    rescan(&daemon);
    daemon.wait_for_images(4);
    assert!(before.iter().all(|id| ids(&daemon).contains(id)));
    daemon.wait_until(|daemon| files(daemon, "offline") == 0);
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn tags(daemon: &Daemon) -> usize {
    daemon.get("/api/v1/tags").1["tags"]
        .as_array()
        .unwrap()
        .len()
}

#[test]
fn label_sets_stay_while_their_folder_is_away() {
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    demo_library(&lab.photos());
    let daemon = lab.serve();
    daemon.wait_until(|daemon| tags(daemon) > 0);
    daemon.wait_until(|daemon| daemon.get("/api/v1/status").1["progress"]["queued"] == 0);
    let before = tags(&daemon);
    let error = |daemon: &Daemon| {
        let set = &daemon.get("/api/v1/status").1["label_sets"]["colours"];
        set["error"].as_str().unwrap_or_default().to_owned()
    };
    let away = lab.labels().with_file_name("away");
    drop(daemon);
    for is_empty in [true, false] {
        fs::rename(lab.labels(), &away).unwrap();
        if is_empty {
            fs::create_dir(lab.labels()).unwrap();
        }
        let daemon = lab.serve();
        assert_eq!(tags(&daemon), before, "{is_empty}");
        assert!(
            error(&daemon).contains("its folder is away"),
            "{}",
            error(&daemon)
        );
        drop(daemon);
        let _ = fs::remove_dir(lab.labels());
        fs::rename(&away, lab.labels()).unwrap();
    }
    let daemon = lab.serve();
    assert_eq!((tags(&daemon), error(&daemon)), (before, String::new()));
    // Deleted from the folder itself, it is deleted.
    fs::remove_file(lab.labels().join("colours.toml")).unwrap();
    daemon.wait_until(|daemon| tags(daemon) == 0);
}
