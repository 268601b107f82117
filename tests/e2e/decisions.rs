//! People's word on tags wins, and stays.

use std::fs;

use serde_json::{Value, json};

use crate::lab::{Daemon, Lab, picture};

/// A set in which every picture is `one`, and none is `two` or `a/b c`.
const SET: &str = "
id = 'things'
threshold = 0.000001
templates = ['{label}']
[[labels]]
name = 'one'
[[labels]]
name = 'two'
threshold = 1.0
[[labels]]
name = 'a/b c'
threshold = 1.0
";

fn id(daemon: &Daemon, name: &str) -> String {
    let images = daemon.images();
    let image = images
        .iter()
        .find(|image| image["path"].as_str().unwrap().ends_with(name));
    image.unwrap_or_else(|| panic!("no {name}: {images:?}"))["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Labels of the picture with this name, those that a person confirmed with a `!`.
fn labels(daemon: &Daemon, name: &str) -> Vec<String> {
    let image = daemon
        .get(&format!("/api/v1/images/{}", id(daemon, name)))
        .1;
    let label = |tag: &Value| {
        let is_confirmed = tag["decision"] == "confirmed" && tag["score"] == 1.0;
        format!(
            "{}{}",
            tag["label"].as_str().unwrap(),
            if is_confirmed { "!" } else { "" }
        )
    };
    let mut labels: Vec<String> = image["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(label)
        .collect();
    labels.sort();
    labels
}

fn decide(daemon: &Daemon, name: &str, label: &str, decision: &str) -> (u16, Value) {
    let path = format!("/api/v1/images/{}/decisions/{label}", id(daemon, name));
    let body = json!({ "decision": decision }).to_string();
    daemon.send("PUT", &path, &[], &body)
}

fn lab() -> Lab {
    let lab = Lab::new();
    for (seed, name) in ["a.png", "b.png", "c.png"].iter().enumerate() {
        lab.add(name, seed as u32);
    }
    lab.write_labels("set", SET);
    lab
}

#[test]
fn decisions_win_and_stay() {
    let lab = lab();
    let daemon = lab.serve();
    daemon.wait_for_images(3);
    assert_eq!(labels(&daemon, "a.png"), ["one"]);
    assert_eq!(
        decide(&daemon, "a.png", "set/one", "rejected").1,
        json!({ "images": 1, "changed": 1 })
    );
    assert_eq!(decide(&daemon, "b.png", "set/two", "confirmed").0, 200);
    assert_eq!(
        decide(&daemon, "b.png", "set/a%2Fb%20c", "confirmed").0,
        200
    );
    let are_kept = |daemon: &Daemon| {
        labels(daemon, "a.png").is_empty()
            && labels(daemon, "b.png") == ["a/b c!", "one", "two!"]
            && labels(daemon, "c.png") == ["one"]
    };
    assert!(are_kept(&daemon));
    // Scored again.
    lab.write_labels("set", &SET.replace("0.000001", "0.000002"));
    daemon.wait_for_log("label set applied");
    assert!(are_kept(&daemon));
    // A label that goes and comes back.
    lab.write_labels("set", &SET.replace("name = 'two'", "name = 'other'"));
    daemon.wait_until(|daemon| labels(daemon, "b.png") == ["a/b c!", "one"]);
    lab.write_labels("set", SET);
    daemon.wait_until(are_kept);
    // Another name of the file, the same `id`.
    fs::rename(
        lab.labels().join("set.toml"),
        lab.labels().join("renamed.toml"),
    )
    .unwrap();
    daemon
        .wait_until(|daemon| daemon.get("/api/v1/label-sets/renamed").0 == 200 && are_kept(daemon));
    // A picture that goes and comes back.
    fs::remove_file(lab.photo("b.png")).unwrap();
    daemon.wait_for_images(2);
    fs::write(lab.photo("again-b.png"), picture(1)).unwrap();
    daemon.wait_for_images(3);
    assert!(are_kept(&daemon));
    drop(daemon);
    let daemon = lab.serve();
    daemon.wait_for_images(3);
    assert!(are_kept(&daemon));
    // Taken back.
    let path = format!(
        "/api/v1/images/{}/decisions/renamed/one",
        id(&daemon, "a.png")
    );
    assert_eq!(
        daemon.send("DELETE", &path, &[], "").1,
        json!({ "images": 1, "changed": 1 })
    );
    assert_eq!(labels(&daemon, "a.png"), ["one"]);
}

#[test]
fn an_exclusive_set_has_room_for_one() {
    let lab = lab();
    lab.write_labels("set", &format!("mode = 'exclusive'\n{SET}"));
    let daemon = lab.serve();
    daemon.wait_for_images(3);
    decide(&daemon, "a.png", "set/two", "confirmed");
    assert_eq!(labels(&daemon, "a.png"), ["two!"]);
}

#[test]
fn decisions_are_made_on_selections_listed_exported_and_imported() {
    let first = lab();
    let daemon = first.serve();
    daemon.wait_for_images(3);
    let post = |body: Value| daemon.send("POST", "/api/v1/decisions", &[], &body.to_string());
    let search = json!({ "q": "anything tag:one" });
    let all =
        post(json!({ "set": "set", "label": "two", "decision": "confirmed", "search": search }));
    assert_eq!(all.1, json!({ "images": 3, "changed": 3 }));
    let c = id(&daemon, "c.png");
    let one = post(json!({ "set": "set", "label": "two", "decision": null, "images": [c] }));
    assert_eq!(one.1["changed"], 1);
    assert_eq!(labels(&daemon, "c.png"), ["one"]);
    let output = first.run(&["decisions", "reject", "set/one", &c]);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "1 of 1 decisions changed\n"
    );
    let listed = daemon.get(&format!("/api/v1/decisions?image={c}")).1;
    assert_eq!(listed["decisions"][0]["decision"], "rejected", "{listed}");
    let exported = first.run(&["decisions", "export"]).stdout;
    assert_eq!(String::from_utf8_lossy(&exported).lines().count(), 3);

    // Into a library that has neither the pictures nor the labels yet.
    let second = Lab::new();
    second.index();
    let file = second.labels().join("decisions.jsonl");
    fs::write(&file, &exported).unwrap();
    let import = ["decisions", "import", file.to_str().unwrap()];
    let output = second.run(&import);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "3 of 3 decisions changed\n"
    );
    for (seed, name) in ["a.png", "b.png", "c.png"].iter().enumerate() {
        second.add(name, seed as u32);
    }
    let daemon = second.serve();
    daemon.wait_for_images(3);
    second.write_labels("elsewhere", SET);
    daemon.wait_until(|daemon| labels(daemon, "b.png") == ["one", "two!"]);
    assert!(labels(&daemon, "c.png").is_empty());
    assert_eq!(second.run(&["decisions", "export"]).stdout, exported);
    fs::write(&file, "\n{\"image\": \"12\"}").unwrap();
    let error = second.run(&import).stderr;
    let error = String::from_utf8_lossy(&error);
    assert!(error.contains("line 2: `12` is not an image id"), "{error}");
}

#[test]
fn what_is_not_there_cannot_be_decided_about() {
    let lab = lab();
    let daemon = lab.serve();
    daemon.wait_for_images(3);
    let code = |answer: (u16, Value)| (answer.0, answer.1["code"].as_str().unwrap().to_owned());
    let refused = |label, decision| code(decide(&daemon, "a.png", label, decision));
    assert_eq!(
        refused("set/three", "confirmed"),
        (404, "unknown_label".to_owned())
    );
    assert_eq!(
        refused("no/one", "confirmed"),
        (404, "unknown_label_set".to_owned())
    );
    assert_eq!(
        refused("set/one", "perhaps"),
        (400, "bad_decision".to_owned())
    );
    let path = format!("/api/v1/images/{}/decisions/set/one", "0".repeat(64));
    let unknown = daemon.send("PUT", &path, &[], "{\"decision\": \"confirmed\"}");
    assert_eq!(code(unknown), (404, "unknown_image".to_owned()));
    let post = |body: Value| code(daemon.send("POST", "/api/v1/decisions", &[], &body.to_string()));
    let undecided = post(json!({ "set": "set", "label": "one", "images": [] }));
    assert_eq!(undecided, (400, "bad_decision".to_owned()));
    let search = json!({ "q": "anything", "limit": 0 });
    let none = json!({ "set": "set", "label": "one", "decision": null, "search": search });
    assert_eq!(post(none), (400, "bad_limit".to_owned()));
}

#[test]
fn a_decision_is_taken_back_when_its_label_is_gone() {
    let lab = lab();
    let daemon = lab.serve();
    daemon.wait_for_images(3);
    let take_back = |label: &str| {
        let path = format!("/api/v1/images/{}/decisions/{label}", id(&daemon, "a.png"));
        daemon.send("DELETE", &path, &[], "").1["changed"].clone()
    };
    for label in ["set/one", "set/two"] {
        assert_eq!(decide(&daemon, "a.png", label, "confirmed").0, 200);
    }
    lab.write_labels("set", &SET.replace("name = 'two'", "name = 'other'"));
    daemon.wait_until(|daemon| labels(daemon, "a.png") == ["one!"]);
    assert_eq!(take_back("set/two"), 1);
    assert_eq!(take_back("set/two"), 0);
    fs::remove_file(lab.labels().join("set.toml")).unwrap();
    daemon.wait_until(|daemon| labels(daemon, "a.png").is_empty());
    // Without its file only the `id` is known.
    assert_eq!(take_back("set/one"), 0);
    assert_eq!(take_back("things/one"), 1);
    let left = daemon.get("/api/v1/decisions").1;
    assert_eq!(left["decisions"], json!([]));
}
