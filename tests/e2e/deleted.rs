//! Deleted is deleted: what is gone is kept for its time, then purged, or forgotten at once where its owner says so.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::lab::{Daemon, Lab, picture};

const SET: &str = "
threshold = 0.000001
templates = ['{label}']
[[labels]]
name = 'one'
";

/// A library of `kept.png` and of pictures with telling names.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.write_labels("set", SET);
    lab.add("kept.png", 1);
    lab.add("telling/a.png", 2);
    lab.add("telling/b.png", 3);
    lab
}

fn id(daemon: &Daemon, name: &str) -> String {
    let images = daemon.images();
    let ends = |image: &&Value| image["path"].as_str().unwrap().ends_with(name);
    let image = images.iter().find(ends).unwrap();
    image["id"].as_str().unwrap().to_owned()
}

fn thumbnails(folder: &Path) -> usize {
    let folders = fs::read_dir(folder.join("thumbnails"))
        .into_iter()
        .flatten();
    folders
        .map(|folder| fs::read_dir(folder.unwrap().path()).unwrap().count())
        .sum()
}

/// Whether the bytes of `text` are in any file of the library, but for its index.
fn is_anywhere(lab: &Lab, text: &str) -> bool {
    let files = fs::read_dir(lab.data()).unwrap();
    let files = files.filter_map(|file| fs::read(file.unwrap().path()).ok());
    files.into_iter().any(|bytes| {
        let mut windows = bytes.windows(text.len());
        windows.any(|bytes| bytes == text.as_bytes())
    })
}

fn refusal(lab: &Lab, arguments: &[&str]) -> String {
    let output = lab.run(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_running_daemon_purges_what_is_gone_and_takes_it_back_whole() {
    let lab = lab();
    let daemon = lab.serve();
    daemon.wait_for_images(3);
    let (a, b) = (id(&daemon, "a.png"), id(&daemon, "b.png"));
    for id in [&a, &b, &id(&daemon, "kept.png")] {
        let path = format!("/api/v1/images/{id}/thumbnail?size=160");
        assert_eq!(daemon.bytes("GET", &path, &[], "").0, 200);
    }
    let decision = format!("/api/v1/images/{a}/decisions/set/one");
    let body = "{\"decision\": \"confirmed\"}";
    assert_eq!(daemon.send("PUT", &decision, &[], body).0, 200);
    fs::remove_dir_all(lab.photo("telling")).unwrap();
    daemon.wait_for_images(1);
    assert_eq!(lab.json(&["purge"])["images"], 0, "kept for its time");
    assert!(is_anywhere(&lab, "telling"));
    let purged = lab.json(&["purge", "--older-than-days", "0"]);
    let purged = [&purged["files"], &purged["images"], &purged["thumbnails"]];
    assert_eq!(purged, [2, 2, 2]);
    assert!(!is_anywhere(&lab, "telling"));
    assert_eq!(thumbnails(&lab.data()), 1);
    assert_eq!(
        daemon.get("/api/v1/status").1["files"],
        json!({ "indexed": 1 })
    );
    assert_eq!(daemon.get(&format!("/api/v1/images/{a}")).0, 404);
    let found = daemon.get("/api/v1/search?q=anything&strictness=0").1;
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    assert_eq!(lab.json(&["purge", "--older-than-days", "0"])["files"], 0);
    // What was decided waited for it.
    lab.add("again.png", 2);
    daemon.wait_for_images(2);
    let again = daemon.get(&format!("/api/v1/images/{a}")).1;
    assert_eq!(again["tags"][0]["decision"], "confirmed", "{again:#}");
}

#[test]
fn without_a_daemon_it_is_purged_all_the_same() {
    let lab = lab();
    lab.index();
    // Written over, gone, and moved.
    fs::write(lab.photo("telling/a.png"), picture(9)).unwrap();
    fs::remove_file(lab.photo("kept.png")).unwrap();
    fs::rename(lab.photo("telling/b.png"), lab.photo("b.png")).unwrap();
    lab.index();
    let output = lab.run(&["purge", "--older-than-days", "0"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.starts_with("2 files, 2 images and 0 thumbnails purged"),
        "{said}"
    );
    assert_eq!(lab.json(&["status"])["images"], 2);
    assert_eq!(lab.index()["unchanged"], 2, "what is there is left alone");
}

#[test]
fn the_daemon_purges_by_itself_what_its_owner_keeps_for_no_time() {
    let lab = lab();
    lab.index();
    fs::remove_dir_all(lab.photo("telling")).unwrap();
    lab.index();
    assert_eq!(lab.json(&["status"])["files"]["gone"], 2);
    let mut command = lab.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("PIXDEX_KEEP_DELETED_DAYS", "0");
    let daemon = Daemon::start(command);
    let status = |daemon: &Daemon| daemon.get("/api/v1/status").1;
    daemon.wait_until(|daemon| status(daemon)["files"]["gone"].is_null());
    assert_eq!(status(&daemon)["images"], 1);
}

#[test]
fn what_is_away_is_forgotten_at_once_and_what_is_there_is_not() {
    let lab = lab();
    let daemon = lab.serve();
    daemon.wait_for_images(3);
    let forget = |path: &Path| lab.json(&["forget", path.to_str().unwrap()]);
    let refused = |path: &Path| refusal(&lab, &["forget", path.to_str().unwrap()]);
    for there in ["kept.png", "telling", "."] {
        let error = refused(&lab.photo(there));
        assert!(error.contains("is there and watched"), "{there}: {error}");
    }
    let error = refused(&lab.photo("never.png"));
    assert!(error.contains("knows nothing"), "{error}");
    fs::remove_file(lab.photo("telling/a.png")).unwrap();
    daemon.wait_for_images(2);
    let report = forget(&lab.photo("telling"));
    let counts = [&report["files"], &report["images"], &report["kept"]];
    assert_eq!(counts, [1, 1, 1]);
    assert_eq!(daemon.images().len(), 2);
    // The whole folder is away: kept, until its owner knows better.
    fs::remove_dir_all(lab.photos()).unwrap();
    daemon.send("POST", "/api/v1/rescan", &[], "");
    daemon.wait_until(|daemon| daemon.get("/api/v1/status").1["roots"][0]["online"] == false);
    let report = forget(&lab.photos());
    let counts = [&report["files"], &report["folders"], &report["kept"]];
    assert_eq!(counts, [2, 0, 0], "the folder is watched on");
    daemon.wait_for_images(0);
    assert!(!is_anywhere(&lab, "kept.png"));
}

#[test]
fn folders_of_earlier_runs_are_listed_and_can_be_forgotten() {
    let lab = lab();
    lab.index();
    let other = lab.photos().with_file_name("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("other.png"), picture(7)).unwrap();
    let serve = |folders: &[&Path]| {
        let mut command = lab.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(folders);
        Daemon::start(command)
    };
    let daemon = serve(&[&other]);
    daemon.wait_for_images(4);
    let roots = lab.json(&["roots"])["roots"].clone();
    let state = |root: &Value| {
        let parts = ["watched", "online", "files"].map(|part| root[part].clone());
        json!(parts)
    };
    let photos = lab.photos().display().to_string();
    assert_eq!(roots[1]["path"], photos);
    assert_eq!(state(&roots[0]), json!([true, true, 1]));
    assert_eq!(state(&roots[1]), json!([false, true, 3]));
    assert!(roots[1]["unwatched_since"].as_str() >= roots[1]["known_since"].as_str());
    let said = String::from_utf8(lab.run(&["status"]).stdout).unwrap();
    assert!(said.contains(&format!("pixdex forget {photos}")), "{said}");
    let said = String::from_utf8(lab.run(&["roots"]).stdout).unwrap();
    assert!(
        said.contains("not watched since") && said.contains("3 files"),
        "{said}"
    );
    drop(daemon);
    // The last run's folders are meant where none are named.
    let daemon = serve(&[]);
    daemon.wait_for_images(4);
    fs::remove_dir_all(lab.photos()).unwrap();
    assert_eq!(lab.json(&["roots"])["roots"][1]["online"], false);
    // There or not: nobody watches it.
    let report = lab.json(&["forget", &photos]);
    let counts = [&report["files"], &report["images"], &report["folders"]];
    assert_eq!(counts, [3, 3, 1]);
    daemon.wait_for_images(1);
    assert_eq!(lab.json(&["roots"])["roots"].as_array().unwrap().len(), 1);
}

#[test]
fn a_folder_that_was_never_there_is_an_error_and_not_a_root() {
    let lab = lab();
    let never = lab.photos().with_file_name("never");
    let never = never.to_str().unwrap();
    for is_known in [false, true] {
        for command in ["index", "serve"] {
            let listen: &[&str] = &["--listen", "127.0.0.1:0"];
            let flags = if command == "serve" { listen } else { &[] };
            let error = refusal(&lab, &[&[command, never], flags].concat());
            assert!(
                error.contains(never) && error.contains("no folder"),
                "{error}"
            );
        }
        if is_known {
            let roots = lab.json(&["roots"])["roots"].clone();
            assert_eq!(roots.as_array().unwrap().len(), 1, "{roots}");
        }
        lab.index();
    }
}
