//! Label files are the truth, and the library's tags follow them.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::lab::{COLOURS, Daemon, Lab};

/// One label that fits every picture, since nothing competes: the background is far away from any picture.
fn any(threshold: f32, names: &[&str]) -> String {
    let labels: Vec<String> = names
        .iter()
        .map(|name| format!("[[labels]]\nname = '{name}'\n"))
        .collect();
    let labels = labels.concat();
    format!("threshold = {threshold}\ntemplates = ['{{label}}']\n{labels}")
}

/// Counts by label.
fn counts(daemon: &Daemon) -> Vec<(String, i64)> {
    let tags = daemon.get("/api/v1/tags").1;
    let tags = tags["tags"].as_array().unwrap().iter();
    let mut counts: Vec<(String, i64)> = tags
        .map(|tag| {
            (
                tag["label"].as_str().unwrap().to_owned(),
                tag["count"].as_i64().unwrap(),
            )
        })
        .collect();
    counts.sort();
    counts
}

#[test]
fn an_edited_file_adds_and_removes_tags() {
    let lab = Lab::new();
    (0..10).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    lab.write_labels("set", &any(0.000_001, &["one"]));
    let daemon = lab.serve();
    daemon.wait_for_images(10);
    assert_eq!(counts(&daemon), [("one".to_owned(), 10)]);
    // Another label, and one less.
    lab.write_labels("set", &any(0.000_001, &["two", "three"]));
    daemon
        .wait_until(|daemon| counts(daemon) == [("three".to_owned(), 10), ("two".to_owned(), 10)]);
    // A threshold that nothing reaches.
    lab.write_labels("set", &any(1.0, &["two"]));
    daemon.wait_until(|daemon| counts(daemon) == [("two".to_owned(), 0)]);
    // A second set, whose pictures come later.
    lab.write_labels("more", &any(0.000_001, &["four"]));
    daemon.wait_until(|daemon| counts(daemon).contains(&("four".to_owned(), 10)));
    lab.add("new.png", 100);
    daemon.wait_until(|daemon| counts(daemon).contains(&("four".to_owned(), 11)));
    // Editors and `git checkout` replace files by renaming.
    fs::write(lab.labels().join("set.toml.new"), any(0.000_001, &["five"])).unwrap();
    fs::rename(
        lab.labels().join("set.toml.new"),
        lab.labels().join("set.toml"),
    )
    .unwrap();
    daemon.wait_until(|daemon| counts(daemon).contains(&("five".to_owned(), 11)));
    fs::remove_file(lab.labels().join("set.toml")).unwrap();
    daemon.wait_until(|daemon| counts(daemon) == [("four".to_owned(), 11)]);
}

#[test]
fn a_preview_says_what_applying_will_change() {
    let lab = Lab::new();
    (0..10).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    lab.write_labels("set", &any(0.000_001, &["one", "kept"]));
    let mut daemon = lab.serve();
    daemon.wait_for_images(10);
    let edited = lab.photos().join("set.toml");
    fs::write(&edited, any(0.000_001, &["two", "kept"])).unwrap();
    let edited_text = fs::read_to_string(&edited).unwrap();
    let post = |daemon: &Daemon, set: &str, text: &str| {
        daemon.send(
            "POST",
            &format!("/api/v1/label-sets/{set}/preview"),
            &[],
            text,
        )
    };
    let before = counts(&daemon);
    let (status, preview) = post(&daemon, "set", &edited_text);
    assert_eq!(status, 200, "{preview}");
    assert_eq!(
        (&preview["added"], &preview["removed"]),
        (&10.into(), &10.into())
    );
    let [two, kept] = preview["labels"].as_array().unwrap().as_slice() else {
        panic!("{preview}");
    };
    assert_eq!(
        (&two["label"], &two["added"], &two["images"]),
        (&"two".into(), &10.into(), &10.into())
    );
    assert_eq!((&kept["added"], &kept["removed"]), (&0.into(), &0.into()));
    assert_eq!(preview["dropped"][0]["label"], "one");
    let histogram: i64 = two["histogram"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_i64)
        .sum();
    assert_eq!(histogram, 10);
    let above: Vec<f64> = two["above"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|near| near["score"].as_f64())
        .collect();
    assert!(above.len() == 6 && above.is_sorted(), "{above:?}");
    // A set that is in no file: all of it is new.
    assert_eq!(post(&daemon, "new", &edited_text).1["added"], 20);
    assert_eq!(post(&daemon, "set", "labels = []").0, 400);
    assert_eq!(post(&daemon, "No%0AName", &edited_text).0, 400);
    assert_eq!(counts(&daemon), before, "a preview changes nothing");
    // From the command line the same, whether a daemon answers or not.
    let file = edited.to_str().unwrap();
    assert_eq!(lab.json(&["labels", "preview", file]), preview);
    let text = String::from_utf8(lab.run(&["labels", "preview", file]).stdout).unwrap();
    assert!(
        text.starts_with("set on 10 images: +10 -10 tags\n"),
        "{text}"
    );
    let applied = daemon
        .send("PUT", "/api/v1/label-sets/set", &[], &edited_text)
        .1;
    assert_eq!(
        (&applied["added"], &applied["removed"]),
        (&10.into(), &10.into())
    );
    daemon.signal("-TERM");
    daemon.wait();
    let after = lab.json(&["labels", "preview", file]);
    assert_eq!((&after["added"], &after["removed"]), (&0.into(), &0.into()));
    assert_eq!(after["labels"][0]["above"], two["above"]);
}

#[test]
fn a_filter_on_an_ancestor_finds_its_descendants() {
    let lab = Lab::new();
    (0..3).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    let child = any(0.000_001, &["one"]);
    let family =
        "parent = 'mother'\n[[labels]]\nname = 'mother'\nthreshold = 1.0\nparent = 'grandmother'
                  [[labels]]\nname = 'grandmother'\nthreshold = 1.0\n";
    lab.write_labels("set", &format!("{child}{family}"));
    let daemon = lab.serve();
    daemon.wait_for_images(3);
    let found = daemon.get("/api/v1/images?tag=set/grandmother").1;
    assert_eq!(found["items"].as_array().unwrap().len(), 3, "{found}");
    let text = fs::read_to_string(lab.labels().join("set.toml")).unwrap();
    let preview = daemon
        .send("POST", "/api/v1/label-sets/set/preview", &[], &text)
        .1;
    assert_eq!(
        (&preview["added"], &preview["removed"]),
        (&0.into(), &0.into()),
        "{preview}"
    );
    // No longer its mother's child.
    lab.write_labels(
        "set",
        &format!("{child}{}", family.replacen("parent = 'mother'\n", "", 1)),
    );
    daemon.wait_until(|daemon| counts(daemon).contains(&("grandmother".to_owned(), 0)));
}

#[test]
fn a_broken_file_keeps_the_last_good_state_also_over_a_restart() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    lab.write_labels("set", &any(0.000_001, &["one"]));
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    lab.write_labels("set", "labels = [[[");
    let error =
        |daemon: &Daemon| daemon.get("/api/v1/status").1["label_sets"]["set"]["error"].clone();
    daemon.wait_until(|daemon| {
        error(daemon)
            .as_str()
            .is_some_and(|error| error.contains("line 1"))
    });
    assert_eq!(counts(&daemon), [("one".to_owned(), 1)]);
    drop(daemon);
    let daemon = lab.serve();
    lab.add("b.png", 2);
    daemon.wait_until(|daemon| counts(daemon) == [("one".to_owned(), 2)]);
    assert!(error(&daemon).is_string());
    lab.write_labels("set", &any(0.000_001, &["one"]));
    daemon.wait_until(|daemon| error(daemon).is_null());
}

#[test]
fn sets_are_read_written_and_deleted_over_http() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    let put = |text: &str| daemon.send("PUT", "/api/v1/label-sets/my-set", &[], text);
    assert_eq!(
        put(&any(0.000_001, &["one"])),
        (
            200,
            serde_json::json!({"added": 1, "removed": 0, "rescored": 0})
        )
    );
    assert_eq!(counts(&daemon), [("one".to_owned(), 1)]);
    assert_eq!(
        fs::read_to_string(lab.labels().join("my-set.toml")).unwrap(),
        any(0.000_001, &["one"])
    );
    let (status, set) = daemon.get("/api/v1/label-sets/my-set");
    assert_eq!(
        (status, &set["labels"][0]["name"], &set["mode"]),
        (200, &"one".into(), &"independent".into())
    );
    assert_eq!(set["text"], any(0.000_001, &["one"]));
    let (status, error) = put("threshold = 2\n[[labels]]\nname = 'x'");
    assert_eq!((status, &error["code"]), (400, &"bad_label_set".into()));
    assert_eq!(
        counts(&daemon),
        [("one".to_owned(), 1)],
        "a refused set changes nothing"
    );
    let (status, error) = daemon.send("PUT", "/api/v1/label-sets/..%2Fevil", &[], COLOURS);
    assert_eq!(
        (status, &error["code"]),
        (400, &"bad_label_set_name".into())
    );
    assert_eq!(
        daemon.get("/api/v1/label-sets").1["label_sets"]
            .as_object()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        daemon
            .send("DELETE", "/api/v1/label-sets/my-set", &[], "")
            .1["removed"],
        1
    );
    assert_eq!(
        daemon
            .send("DELETE", "/api/v1/label-sets/my-set", &[], "")
            .0,
        404
    );
    assert_eq!(daemon.get("/api/v1/tags").1["tags"], Value::Array(vec![]));
}

#[cfg(unix)]
#[test]
fn a_bad_entry_stops_neither_the_start_nor_other_sets() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    lab.write_labels("good", &any(0.000_001, &["one"]));
    lab.write_labels("kept", &any(0.000_001, &["two"]));
    let mut daemon = lab.serve();
    daemon.wait_for_images(1);
    let wanted = [("one".to_owned(), 1), ("two".to_owned(), 1)];
    assert_eq!(counts(&daemon), wanted);
    daemon.signal("-TERM");
    daemon.wait();
    let at = |name: &str| lab.labels().join(name);
    fs::remove_file(at("kept.toml")).unwrap();
    for pipe in ["kept.toml", "pipe.toml"] {
        let made = Command::new("mkfifo").arg(at(pipe)).status();
        assert!(made.unwrap().success());
    }
    fs::create_dir(at("folder.toml")).unwrap();
    std::os::unix::fs::symlink("nowhere", at("dangling.toml")).unwrap();
    fs::write(at("latin.toml"), b"# caf\xe9\n[[labels]]\nname = 'x'").unwrap();
    fs::write(at("what?.toml"), any(0.5, &["x"])).unwrap();
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    assert_eq!(counts(&daemon), wanted, "also the set whose file is bad");
    let status = daemon.get("/api/v1/status").1;
    for (name, error) in [
        ("kept", "no regular file"),
        ("pipe", "no regular file"),
        ("folder", "no regular file"),
        ("dangling", "a link to a file that is not there"),
        ("latin", "not UTF-8"),
        ("what?", "cannot name a label set"),
    ] {
        let found = status["label_sets"][name]["error"].as_str();
        assert!(
            found.is_some_and(|found| found.contains(error)),
            "{name}: {status}"
        );
    }
    assert_eq!(status["label_sets"]["good"]["error"], Value::Null);
    assert_eq!(status["label_sets"]["kept"]["labels"], 1);
    let checked = lab.run(&["labels", "check", "--json"]);
    assert!(!checked.status.success());
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    let broken = checked["files"].as_array().unwrap().iter();
    let broken = broken.filter(|file| !file["error"].is_null()).count();
    assert_eq!(broken, 6, "{checked}");
    // Neither an edit nor a PUT of another set is held up.
    lab.write_labels("good", &any(0.000_001, &["three"]));
    daemon.wait_until(|daemon| counts(daemon).contains(&("three".to_owned(), 1)));
    let put = daemon.send(
        "PUT",
        "/api/v1/label-sets/good",
        &[],
        &any(0.000_001, &["four"]),
    );
    assert_eq!((put.0, &put.1["added"]), (200, &1.into()), "{put:?}");
}
