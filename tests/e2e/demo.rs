//! `pixdex demo`: what a newcomer types first.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::lab::{Lab, demo_library};

#[test]
fn the_demo_shows_searches_and_tags_and_cleans_up() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pixdex"));
    command
        .args(["demo", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    // Held to the end: what is printed behind the last line that is looked at needs a reader too.
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut shown = Vec::new();
    for line in lines.by_ref() {
        let is_last = line.starts_with("Stop");
        shown.push(line);
        if is_last {
            break;
        }
    }
    let shown_text = shown.join("\n");
    assert!(
        shown_text.contains("145 pictures are searchable and tagged, 1 broken file"),
        "{shown_text}"
    );
    assert_eq!(
        shown
            .iter()
            .filter(|line| line.starts_with("pixdex search"))
            .count(),
        5
    );
    let folder = shown[0]
        .strip_prefix("drawing pictures into ")
        .unwrap()
        .to_owned();
    assert!(std::path::Path::new(&folder).is_dir());
    assert!(
        Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!std::path::Path::new(&folder).exists());
}

/// Pictures that other code drew than the bundled model was trained on.
#[test]
fn searches_and_tags_of_the_demo_are_right() {
    let lab = Lab::new();
    for name in ["colours", "scenes", "things"] {
        let shipped = format!(
            "{}/config/labels/drawn/{name}.toml",
            env!("CARGO_MANIFEST_DIR")
        );
        std::fs::copy(shipped, lab.labels().join(format!("{name}.toml"))).unwrap();
    }
    let pictures = demo_library(&lab.photos());
    lab.index();
    let truth_of = |item: &Value| {
        let path = item["path"].as_str().unwrap();
        pictures
            .iter()
            .find(|picture| lab.photos().join(&picture.path).to_str() == Some(path))
            .unwrap()
    };
    let hits = |text: &str, limit: &str| {
        lab.json(&["search", text, "--limit", limit])["items"]
            .as_array()
            .unwrap()
            .clone()
    };
    for item in hits("a house at night", "3") {
        let truth = truth_of(&item);
        assert_eq!(
            (truth.thing, truth.background),
            ("house", "night sky"),
            "{item}"
        );
    }
    for item in hits("a red star", "1") {
        let truth = truth_of(&item);
        assert_eq!((truth.thing, truth.colour), ("star", "red"), "{item}");
    }
    // How often the tag is the truth.
    let all = hits("a picture strictness:0", "1000");
    let label = |item: &Value, set: &str| {
        let tags = item["tags"].as_array().unwrap();
        tags.iter()
            .find(|tag| tag["set"] == set)
            .map(|tag| tag["label"].as_str().unwrap().to_owned())
    };
    let right = |set: &str, truth: fn(&pixdex::demo::Picture) -> &str| {
        let right = all
            .iter()
            .filter(|item| label(item, set).as_deref() == Some(truth(truth_of(item))))
            .count();
        right as f64 / all.len() as f64
    };
    let (things, colours) = (
        right("things", |picture| picture.thing),
        right("colours", |picture| picture.colour),
    );
    println!("tags that are the truth: things {things:.3}, colours {colours:.3}");
    assert!(
        things > THINGS_RIGHT && colours > COLOURS_RIGHT,
        "things {things:.3}, colours {colours:.3}"
    );
}

/// Shares of the demo's pictures whose tag is the truth; what the shipped model reaches, less a little.
const THINGS_RIGHT: f64 = 0.88;
const COLOURS_RIGHT: f64 = 0.96;
