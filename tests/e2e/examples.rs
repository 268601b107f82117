//! What sets learn from the library: from pictures named, from those that people confirmed, and where untrue ends.

use std::fs;

use pixdex::demo::Picture;
use serde_json::{Value, json};

use crate::lab::{Daemon, Lab, demo_library};

/// A word that means nothing to the model.
const LABEL: &str = "zorblax";

/// A set of one label.
fn set(more: &str) -> String {
    format!("[[labels]]\nname = '{LABEL}'\n{more}\n")
}

fn named(examples: &[String]) -> String {
    set(&format!("examples = {}", json!(examples)))
}

/// The demo's pictures of one thing, by their paths under the watched folder.
fn paths_of(pictures: &[Picture], thing: &str) -> Vec<String> {
    let of_thing = pictures.iter().filter(|picture| picture.thing == thing);
    of_thing
        .map(|picture| picture.path.to_str().unwrap().to_owned())
        .collect()
}

/// The pictures that carry the label, by their paths under the watched folder, with their scores.
fn tagged(lab: &Lab, daemon: &Daemon) -> Vec<(String, Value)> {
    let photos = lab.photos();
    let mut tagged = Vec::new();
    for image in daemon.images() {
        let tags = image["tags"].as_array().unwrap();
        let path = std::path::Path::new(image["paths"][0].as_str().unwrap());
        let path = path.strip_prefix(&photos).unwrap().to_str().unwrap();
        let ours = tags.iter().filter(|tag| tag["label"] == LABEL);
        tagged.extend(ours.map(|tag| (path.to_owned(), tag["score"].clone())));
    }
    tagged.sort_by(|a, b| a.0.cmp(&b.0));
    tagged
}

/// How many pictures of `wanted` carry the label, and how many others do.
fn right_and_wrong(tagged: &[(String, Value)], wanted: &[String]) -> (usize, usize) {
    let right = tagged.iter().filter(|tag| wanted.contains(&tag.0)).count();
    (right, tagged.len() - right)
}

fn warnings(daemon: &Daemon) -> Value {
    let status = daemon.get("/api/v1/status").1;
    status["label_sets"]["mine"]["warnings"].clone()
}

fn nearly_all(lab: &Lab, daemon: &Daemon, wanted: &[String]) -> bool {
    let (right, wrong) = right_and_wrong(&tagged(lab, daemon), wanted);
    right * 10 >= wanted.len() * 6 && wrong * 3 <= right
}

#[test]
fn examples_teach_what_a_name_does_not() {
    let lab = Lab::new();
    let pictures = demo_library(&lab.photos());
    let wanted = paths_of(&pictures, "cat");
    lab.write_labels("mine", &set(""));
    let mut daemon = lab.serve();
    daemon.wait_until(|daemon| daemon.get("/api/v1/status").1["images"].as_i64() > Some(100));
    daemon.wait_until(|daemon| daemon.get("/api/v1/status").1["progress"]["queued"] == 0);
    assert_eq!(right_and_wrong(&tagged(&lab, &daemon), &wanted), (0, 0));

    // By path, one of them not there yet, and by id.
    let later = lab.photo("later.png");
    let mut examples = wanted[..2].to_vec();
    examples.push("later.png".to_owned());
    lab.write_labels("mine", &named(&examples));
    daemon.wait_until(|daemon| nearly_all(&lab, daemon, &wanted));
    let missing = "the example `later.png` of the label `zorblax` is no picture of the library";
    assert_eq!(warnings(&daemon), json!([missing]));
    let file = lab.labels().join("mine.toml");
    let file = file.to_str().unwrap();
    let checked = lab.json(&["labels", "check", file]);
    assert_eq!(checked["files"][0]["warnings"], json!([missing]));
    let preview = lab.json(&["labels", "preview", file]);
    assert_eq!(preview["warnings"], json!([missing]));
    assert_eq!([&preview["added"], &preview["removed"]], [0, 0]);
    let signature = |daemon: &Daemon| daemon.get("/api/v1/label-sets/mine").1["signature"].clone();
    let before = signature(&daemon);

    // It counts as soon as it is there.
    let mut bytes = fs::read(lab.photo(&wanted[2])).unwrap();
    bytes.push(b'\n');
    fs::write(&later, bytes).unwrap();
    daemon.wait_until(|daemon| warnings(daemon) == json!([]) && signature(daemon) != before);
    daemon.wait_until(|daemon| nearly_all(&lab, daemon, &wanted));

    // Applied again, and after a restart, all is as it was, to the bit, though the library has others to learn from by now.
    let text = fs::read_to_string(file).unwrap();
    let again = daemon.send("PUT", "/api/v1/label-sets/mine", &[], &text).1;
    assert_eq!(again, json!({ "added": 0, "removed": 0, "rescored": 0 }));
    let count = daemon.images().len();
    (0..20).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    daemon.wait_for_images(count + 20);
    let (before, tags) = (signature(&daemon), tagged(&lab, &daemon));
    daemon.signal("-TERM");
    daemon.wait();
    let checked = lab.json(&["labels", "check", file]);
    assert_eq!(checked["files"][0]["warnings"], json!([]));
    let daemon = lab.serve();
    assert_eq!(signature(&daemon), before);
    assert_eq!(tagged(&lab, &daemon), tags);
    // A picture that comes now is scored with what was learned then.
    let scores: Vec<&Value> = tags.iter().map(|tag| &tag.1).collect();
    let (at, _) = tags
        .iter()
        .enumerate()
        .find(|(_, tag)| tag.0 != "later.png")
        .unwrap();
    let mut bytes = fs::read(lab.photo(&tags[at].0)).unwrap();
    bytes.push(b'\n');
    bytes.push(b'\n');
    fs::write(lab.photo("twin.png"), bytes).unwrap();
    daemon.wait_until(|daemon| tagged(&lab, daemon).len() == tags.len() + 1);
    let now = tagged(&lab, &daemon);
    let twin = now.iter().find(|tag| tag.0 == "twin.png").unwrap();
    assert_eq!(&twin.1, scores[at]);
}

#[test]
fn a_label_learns_from_what_people_confirm() {
    let lab = Lab::new();
    let pictures = demo_library(&lab.photos());
    let wanted = paths_of(&pictures, "house");
    lab.write_labels("mine", &set("learn = true"));
    lab.index();
    let daemon = lab.serve();
    assert_eq!(tagged(&lab, &daemon), []);
    let id = |path: &String| {
        let path = lab.photo(path);
        let images = daemon.images();
        let image = images
            .iter()
            .find(|image| image["paths"][0] == path.to_str().unwrap());
        image.unwrap()["id"].clone()
    };
    let ids: Vec<Value> = wanted[..3].iter().map(id).collect();
    let body = json!({ "set": "mine", "label": LABEL, "decision": "confirmed", "images": ids });
    let decided = daemon.send("POST", "/api/v1/decisions", &[], &body.to_string());
    assert_eq!(decided.1["changed"], 3, "{decided:?}");
    daemon.wait_until(|daemon| nearly_all(&lab, daemon, &wanted));
    // A person's word still wins.
    let (path, _) = (tagged(&lab, &daemon).into_iter())
        .find(|tag| !wanted[..3].contains(&tag.0))
        .unwrap();
    let body =
        json!({ "set": "mine", "label": LABEL, "decision": "rejected", "images": [id(&path)] });
    daemon.send("POST", "/api/v1/decisions", &[], &body.to_string());
    assert!(tagged(&lab, &daemon).iter().all(|tag| tag.0 != path));
    // Taken back, there is nothing to learn from.
    let body = json!({ "set": "mine", "label": LABEL, "decision": null, "images": ids });
    daemon.send("POST", "/api/v1/decisions", &[], &body.to_string());
    daemon.wait_until(|daemon| tagged(&lab, daemon).is_empty());
}

#[test]
fn scores_in_the_measure_of_the_library_are_right_and_stay() {
    let lab = Lab::new();
    let pictures = demo_library(&lab.photos());
    let shipped = include_str!("../../config/labels/drawn/colours.toml");
    lab.write_labels("colours", &format!("scoring = 'library'\n{shipped}"));
    lab.index();
    let colours = |daemon: &Daemon| -> Vec<(String, Value)> {
        let images = daemon.images().into_iter();
        let path = |image: &Value| image["paths"][0].as_str().unwrap().to_owned();
        images
            .map(|image| (path(&image), image["tags"].clone()))
            .collect()
    };
    let mut daemon = lab.serve();
    let tags = colours(&daemon);
    let is_right = |(path, tags): &&(String, Value)| {
        let truth = (pictures.iter())
            .find(|picture| lab.photo(picture.path.to_str().unwrap()).to_str() == Some(path));
        tags[0]["label"] == truth.unwrap().colour
    };
    let right = tags.iter().filter(is_right).count();
    assert!(right * 10 > tags.len() * 8, "{right} of {}", tags.len());
    let text = fs::read_to_string(lab.labels().join("colours.toml")).unwrap();
    let again = daemon
        .send("PUT", "/api/v1/label-sets/colours", &[], &text)
        .1;
    assert_eq!(again, json!({ "added": 0, "removed": 0, "rescored": 0 }));
    daemon.signal("-TERM");
    daemon.wait();
    assert_eq!(colours(&lab.serve()), tags);
}
