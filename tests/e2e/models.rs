//! Another model without an outage: the one of before answers until all pictures are embedded with the new one.

use std::fs;
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::lab::{Daemon, Lab};

/// A set whose one label every picture has, of which a hook hears.
const EVERY: &str = "
on_tag = 'hook'
templates = ['{label}']
threshold = 0.000001
[[labels]]
name = 'every'
";

/// The same, of which no hook hears.
fn unheard() -> String {
    EVERY.replace("on_tag = 'hook'", "")
}

fn with_model(mut command: Command, model: &Path) -> Command {
    command.env("PIXDEX_MODEL", model);
    command
}

fn fingerprint(daemon: &Daemon) -> Value {
    daemon.get("/api/v1/status").1["model"]["fingerprint"].clone()
}

fn next(daemon: &Daemon) -> Value {
    daemon.get("/api/v1/status").1["model"]["next"].clone()
}

/// The pictures that are found, best first.
fn hits(daemon: &Daemon) -> Vec<String> {
    let answer = daemon.get("/api/v1/search?q=red+stripes&limit=10&strictness=0");
    assert_eq!(answer.0, 200, "{}", answer.1);
    let items = answer.1["items"].as_array().unwrap();
    let path = |item: &Value| item["path"].as_str().unwrap().to_owned();
    items.iter().map(path).collect()
}

fn tagged(daemon: &Daemon, tag: &str) -> usize {
    let found = daemon
        .get(&format!("/api/v1/images?limit=1000&tag={tag}"))
        .1;
    found["items"].as_array().unwrap().len()
}

#[test]
fn the_model_of_before_answers_until_the_other_one_takes_over() {
    const PICTURES: usize = 120;
    let lab = Lab::new();
    (0..PICTURES as u32).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    lab.write_labels("set", EVERY);
    let heard = lab.data().with_extension("heard");
    let config = lab.data().with_extension("toml");
    let command = json!(["sh", "-c", format!("cat >> '{}'", heard.display())]);
    fs::write(&config, format!("[hooks.hook]\ncommand = {command}")).unwrap();
    let serving = || {
        let mut command = lab.serving(&lab.photos());
        command.arg("--config").arg(&config);
        command
    };
    let events = || {
        let text = fs::read_to_string(&heard).unwrap_or_default();
        text.matches("\"event\"").count()
    };
    let daemon = Daemon::start(serving());
    daemon.wait_for_images(PICTURES);
    daemon.wait_until(|_| events() == PICTURES);
    daemon.wait_for_hooks();
    let (before, found) = (fingerprint(&daemon), hits(&daemon));
    assert_eq!(found.len(), 10);
    drop(daemon);

    let other = lab.other_model();
    let daemon = Daemon::start(with_model(serving(), &other));
    assert_eq!(next(&daemon)["name"], other.to_str().unwrap());
    // What comes meanwhile is found, decided and tagged too.
    let put = daemon.send("PUT", "/api/v1/label-sets/late", &[], &unheard());
    assert_eq!(put.0, 200, "{}", put.1);
    let image = daemon.images()[0]["id"].as_str().unwrap().to_owned();
    let decision = format!("/api/v1/images/{image}/decisions/set/every");
    let decided = daemon.send("PUT", &decision, &[], "{\"decision\": \"rejected\"}");
    assert_eq!(decided.0, 200, "{}", decided.1);
    daemon.wait_until(|daemon| {
        assert_eq!(hits(daemon), found);
        assert_eq!(tagged(daemon, "set/every"), PICTURES - 1);
        assert_eq!(tagged(daemon, "late/every"), PICTURES);
        fingerprint(daemon) != before
    });
    assert!(next(&daemon).is_null());
    assert_eq!(hits(&daemon), found, "it understands the same");
    lab.add("new.png", 9999);
    daemon.wait_for_images(PICTURES + 1);
    daemon.wait_until(|daemon| tagged(daemon, "set/every") == PICTURES);
    daemon.wait_until(|_| events() == PICTURES + 1);
    daemon.wait_for_hooks();
    let after = fingerprint(&daemon);
    drop(daemon);

    // Without the new picture, all that is needed is there.
    fs::remove_file(lab.photo("new.png")).unwrap();
    let daemon = Daemon::start(with_model(serving(), &other));
    daemon.wait_for_images(PICTURES);
    assert_eq!(fingerprint(&daemon), after);
    drop(daemon);
    let daemon = Daemon::start(serving());
    assert_eq!((fingerprint(&daemon), next(&daemon)), (before, Value::Null));
    assert_eq!(hits(&daemon), found);
    assert_eq!(tagged(&daemon, "set/every"), PICTURES - 1);
    daemon.wait_for_images(PICTURES);
    assert_eq!(events(), PICTURES + 1, "nothing was heard twice");
}

#[test]
fn a_killed_change_of_the_model_goes_on_where_it_was() {
    const PICTURES: usize = 160;
    let lab = Lab::new();
    (0..PICTURES as u32).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    assert_eq!(lab.index()["images"], PICTURES);
    let other = lab.other_model();
    let serve = || Daemon::start(with_model(lab.serving(&lab.photos()), &other));
    let mut daemon = serve();
    let before = fingerprint(&daemon);
    daemon.wait_until(|daemon| next(daemon)["embedded"].as_u64() > Some(0));
    daemon.signal("-KILL");
    daemon.wait();
    let database = Connection::open(lab.data().join("library.db")).unwrap();
    let count = "SELECT count(*) FROM embeddings JOIN models m ON m.id = model_id
                 WHERE m.fingerprint <> ?1";
    let made: i64 = database
        .query_row(count, [before.as_str().unwrap()], |row| row.get(0))
        .unwrap();
    drop(database);
    let made = made as usize;
    assert!((1..PICTURES).contains(&made), "{made}");
    let daemon = serve();
    assert_eq!(next(&daemon)["images"], PICTURES - made);
    daemon.wait_until(|daemon| next(daemon).is_null());
    assert_ne!(fingerprint(&daemon), before);
    daemon.wait_for_images(PICTURES);
}

/// A drive that is away cannot be read: its pictures keep their tags, and are found again by words when it is back.
#[test]
fn pictures_that_cannot_be_read_keep_their_tags() {
    let lab = Lab::new();
    lab.add("here/a.png", 1);
    lab.add("drive/b.png", 2);
    lab.write_labels("set", &unheard());
    let other = lab.other_model();
    let serving = || {
        let mut command = lab.serving(&lab.photo("here"));
        command.arg(lab.photo("drive"));
        command
    };
    let daemon = Daemon::start(serving());
    daemon.wait_for_images(2);
    drop(daemon);
    let away = lab.data().with_file_name("away");
    fs::rename(lab.photo("drive"), &away).unwrap();
    // Seen to be away before the model changes.
    let daemon = Daemon::start(serving());
    daemon.wait_until(|daemon| daemon.get("/api/v1/status").1["files"]["offline"] == 1);
    let before = fingerprint(&daemon);
    drop(daemon);
    let daemon = Daemon::start(with_model(serving(), &other));
    daemon.wait_until(|daemon| fingerprint(daemon) != before);
    assert_eq!(tagged(&daemon, "set/every"), 2);
    daemon.wait_for_images(1);
    fs::rename(&away, lab.photo("drive")).unwrap();
    daemon.wait_for_images(2);
    assert_eq!(tagged(&daemon, "set/every"), 2);
}

#[test]
fn one_pass_goes_over_too_and_other_commands_leave_the_model_as_it_is() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    lab.add("b.png", 2);
    lab.write_labels("set", &unheard());
    lab.index();
    let model = || lab.json(&["status"])["model"]["fingerprint"].clone();
    let before = model();
    let other = lab.other_model();
    let run = |arguments: &[&str]| {
        let output = with_model(lab.command(arguments), &other).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    };
    let image = lab.json(&["search", "red"])["items"][0]["id"].clone();
    run(&["decisions", "confirm", "set/every", image.as_str().unwrap()]);
    run(&["search", "red"]);
    assert_eq!(model(), before);
    run(&["index", lab.photos().to_str().unwrap()]);
    assert_ne!(model(), before);
    assert_eq!(lab.json(&["search", "red"])["items"][0]["id"], image);

    // What was left is purged when its time is over, and then made again where it is wanted.
    let mut purge = with_model(lab.command(&["purge"]), &other);
    let output = purge.env("PIXDEX_KEEP_MODEL_DAYS", "0").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("1 models purged"), "{said}");
    assert_eq!(lab.index()["images"], 2);
    assert_eq!(model(), before);
}

/// Also where nothing would have to be embedded anew.
#[test]
fn an_import_leaves_the_model_as_it_is() {
    let first = Lab::new();
    first.add("a.png", 1);
    let other = first.other_model();
    let index = ["index", first.photos().to_str().unwrap()].map(str::to_owned);
    let index = index.each_ref().map(String::as_str);
    let filled = with_model(first.command(&index), &other).output().unwrap();
    assert!(filled.status.success());
    let file = first.data().with_extension("safetensors");
    let file = file.to_str().unwrap();
    first.json(&["export", "--embeddings", file]);

    let second = Lab::new();
    second.add("a.png", 1);
    second.index();
    // Its drive is away, so that no picture can be embedded.
    fs::rename(second.photos(), second.data().with_file_name("away")).unwrap();
    second.index();
    let model = || second.json(&["status"])["model"]["fingerprint"].clone();
    let before = model();
    let import = with_model(second.command(&["import", "embeddings", file]), &other).output();
    let import = import.unwrap();
    let said = String::from_utf8_lossy(&import.stdout);
    assert!(said.starts_with("1 of 1 embeddings imported"), "{said}");
    assert_eq!(model(), before);
}
