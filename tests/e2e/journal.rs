//! Decisions have a second copy, in a file that a person can read.

use std::fs;

use serde_json::Value;

use crate::lab::{Daemon, Lab};

const SET: &str = "
threshold = 0.000001
templates = ['{label}']
[[labels]]
name = 'one'
[[labels]]
name = 'two'
";

fn lab() -> Lab {
    let lab = Lab::new();
    lab.write_labels("set", SET);
    lab.add("a.png", 1);
    lab
}

fn decide(daemon: &Daemon, label: &str, decision: &str) {
    let id = daemon.images()[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/images/{id}/decisions/set/{label}");
    let body = format!("{{\"decision\": \"{decision}\"}}");
    assert_eq!(daemon.send("PUT", &path, &[], &body).0, 200);
}

fn lines(lab: &Lab) -> Vec<Value> {
    let text = fs::read_to_string(lab.data().join("decisions.jsonl")).unwrap();
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    lines.collect()
}

#[test]
fn the_journal_is_what_is_exported_and_outlives_a_kill() {
    let lab = lab();
    let mut daemon = lab.serve();
    daemon.wait_for_images(1);
    decide(&daemon, "one", "confirmed");
    decide(&daemon, "two", "rejected");
    let exported = lab.run(&["decisions", "export"]).stdout;
    let path = lab.data().join("decisions.jsonl");
    assert_eq!(fs::read(&path).unwrap(), exported);
    daemon.signal("-KILL");
    daemon.wait();
    // As a power cut leaves it: the last line is torn.
    fs::write(&path, &exported[..exported.len() - 20]).unwrap();
    let daemon = lab.serve();
    assert_eq!(lines(&lab).len(), 2, "what was torn is written again");
    decide(&daemon, "two", "confirmed");
    let last = lines(&lab).pop().unwrap();
    assert_eq!(
        (&last["label"], &last["decision"]),
        (&"two".into(), &"confirmed".into())
    );
}

#[test]
fn a_journal_that_cannot_be_written_is_told_and_caught_up() {
    let lab = lab();
    lab.index();
    let path = lab.data().join("decisions.jsonl");
    // As long as the disk is full; what has no end is not read either.
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    decide(&daemon, "one", "confirmed");
    daemon.wait_for_log("has no second copy yet");
    assert_eq!(lab.json(&["status"])["decisions_waiting"], 1);
    let said = String::from_utf8(lab.run(&["status"]).stdout).unwrap();
    assert!(said.contains("1 are not in decisions.jsonl yet"), "{said}");
    fs::remove_file(&path).unwrap();
    decide(&daemon, "two", "rejected");
    assert_eq!(lines(&lab).len(), 2);
    assert_eq!(lab.json(&["status"])["decisions_waiting"], 0);
}

#[test]
fn decisions_that_the_database_lost_are_told_at_the_start() {
    let lab = lab();
    let mut daemon = lab.serve();
    daemon.wait_for_images(1);
    decide(&daemon, "one", "confirmed");
    daemon.signal("-TERM");
    daemon.wait();
    let database = rusqlite::Connection::open(lab.data().join("library.db")).unwrap();
    database.execute("DELETE FROM decisions", []).unwrap();
    drop(database);
    let output = lab.run(&["index", lab.photos().to_str().unwrap()]);
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && log.contains("pixdex check --repair"),
        "{log}"
    );
}
