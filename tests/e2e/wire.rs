//! What HTTP answers and what commands print is of the types that `wire` has for it, to the last field.

use pixdex::wire;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::lab::{COLOURS, Daemon, Lab};

/// Reads an answer as its type and writes it again: a field that one of them lacks is a difference.
fn is<T: DeserializeOwned + Serialize>(answer: &Value) {
    let read: T = serde_json::from_value(answer.clone())
        .unwrap_or_else(|error| panic!("{error}: {answer:#}"));
    // Through text, in which a 32-bit score keeps its short form.
    let written = serde_json::to_string(&read).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), *answer);
}

fn answer(daemon: &Daemon, method: &str, path: &str, body: &str) -> Value {
    let (status, answer) = daemon.send(method, path, &[], body);
    assert!(answer.is_object(), "{method} {path}: {status}");
    answer
}

/// What commands print, whoever answers them.
fn check_commands(lab: &Lab) {
    let mut status = lab.json(&["status"]);
    status.as_object_mut().unwrap().remove("daemon").unwrap();
    is::<wire::Status>(&status);
    is::<wire::Answer>(&lab.json(&["search", "red strictness:0", "--facets"]));
    is::<wire::Duplicates>(&lab.json(&["duplicates", "--by", "hash"]));
    is::<wire::Duplicates>(&lab.json(&["duplicates", "--similarity", "0.5"]));
    is::<wire::Tags>(&lab.json(&["tags"]));
    is::<wire::Failures>(&lab.json(&["failures"]));
    let file = lab.labels().join("colours.toml");
    is::<wire::Preview>(&lab.json(&["labels", "preview", file.to_str().unwrap()]));
    let exported = lab.run(&["decisions", "export"]).stdout;
    is::<wire::Decision>(&serde_json::from_slice(&exported).unwrap());
}

#[test]
fn answers_hold_the_fields_of_their_types_and_no_others() {
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    for (name, seed) in [("a.png", 1), ("copy.png", 1), ("b.png", 2)] {
        lab.add(name, seed);
    }
    std::fs::write(lab.photo("broken.png"), "no picture").unwrap();
    let daemon = lab.serve();
    daemon.wait_for_images(2);
    let get = |path: &str| answer(&daemon, "GET", path, "");

    let found = get("/api/v1/search?q=red&strictness=0&facets=true&limit=1");
    let id = found["items"][0]["id"].as_str().unwrap().to_owned();
    is::<wire::Answer>(&found);
    is::<wire::Answer>(&get("/api/v1/images?facets=true"));
    is::<wire::Item>(&get(&format!("/api/v1/images/{id}")));
    let form = json!({ "terms": [{ "image": id }], "filter": { "width": { "from": 8 } } });
    let form_answer = answer(&daemon, "POST", "/api/v1/search", &form.to_string());
    is::<wire::Answer>(&form_answer);
    is::<wire::Duplicates>(&get("/api/v1/duplicates?by=hash"));
    is::<wire::Status>(&get("/api/v1/status"));
    is::<wire::Failures>(&get("/api/v1/failures"));
    is::<wire::Tags>(&get("/api/v1/tags"));
    is::<wire::Health>(&get("/health/live"));
    is::<wire::ErrorBody>(&get("/api/v1/nothing"));
    is::<wire::Rescan>(&answer(&daemon, "POST", "/api/v1/rescan", ""));

    let set = "/api/v1/label-sets/colours";
    is::<wire::LabelSets>(&get("/api/v1/label-sets"));
    is::<wire::LabelSetReport>(&get(set));
    let preview = answer(&daemon, "POST", &format!("{set}/preview"), COLOURS);
    is::<wire::Preview>(&preview);
    let unheard = format!("on_tag = 'nobody'\n{COLOURS}");
    is::<wire::Applied>(&answer(&daemon, "PUT", set, &unheard));
    is::<wire::LabelSetReport>(&get(set));
    is::<wire::Status>(&get("/api/v1/status"));

    let decided =
        json!({ "set": "colours", "label": "red", "decision": "confirmed", "images": [id] });
    let decided = answer(&daemon, "POST", "/api/v1/decisions", &decided.to_string());
    is::<wire::Decided>(&decided);
    is::<wire::Decisions>(&get("/api/v1/decisions"));

    check_commands(&lab);
    drop(daemon);
    check_commands(&lab);
}
