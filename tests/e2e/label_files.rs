//! The labels folder as people fill it: names with capitals, blanks and umlauts, links, and what is no label file at all.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::lab::{COLOURS, Daemon, Lab};

/// A set whose one label every picture has.
const EVERY: &str = "templates = ['{label}']\nthreshold = 0.000001\n[[labels]]\nname = 'every'";

fn error_of(daemon: &Daemon, set: &str) -> Value {
    daemon.get("/api/v1/status").1["label_sets"][set]["error"].clone()
}

/// Tags of the first picture, as `set/label`.
fn tags(daemon: &Daemon) -> Vec<String> {
    let image = daemon.images().remove(0);
    let tags = image["tags"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    tags.map(|tag| text(&tag["set"]) + "/" + &text(&tag["label"]))
        .collect()
}

fn count(daemon: &Daemon, tag: &str) -> usize {
    let found = daemon
        .get(&format!("/api/v1/images?tag={}", encoded(tag)))
        .1;
    found["items"].as_array().unwrap().len()
}

/// As a part of an address.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[test]
fn sets_are_named_as_their_owner_likes() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    let names = ["Places", "my places", "orte-übersee", "50% & more", "猫"];
    for name in names {
        lab.write_labels(name, EVERY);
    }
    // As macOS spells it, and with an ending in capitals.
    fs::write(lab.labels().join("Mu\u{308}nchen.TOML"), EVERY).unwrap();
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    let id = daemon.images()[0]["id"].as_str().unwrap().to_owned();
    for name in names.iter().copied().chain(["M\u{fc}nchen"]) {
        assert_eq!(error_of(&daemon, name), Value::Null, "{name}");
        assert!(tags(&daemon).contains(&format!("{name}/every")), "{name}");
        assert_eq!(count(&daemon, &format!("{name}/every")), 1, "{name}");
        let other = name.to_uppercase();
        assert_eq!(count(&daemon, &format!("{other}/every")), 1, "{name}");
        // In an address, whatever its capitals; a label file is there once.
        for spelt in [name, &other] {
            let address = format!("/api/v1/label-sets/{}", encoded(spelt));
            assert_eq!(daemon.get(&address).1["text"], EVERY, "{spelt}");
            let preview = daemon.send("POST", &format!("{address}/preview"), &[], EVERY);
            assert_eq!(
                (preview.0, &preview.1["added"]),
                (200, &json!(0)),
                "{spelt}"
            );
            assert_eq!(daemon.send("PUT", &address, &[], EVERY).0, 200, "{spelt}");
            let decide = |verdict: &str| {
                let set = encoded(spelt);
                let path = format!("/api/v1/images/{id}/decisions/{set}/every");
                let body = json!({ "decision": verdict }).to_string();
                assert_eq!(daemon.send("PUT", &path, &[], &body).0, 200, "{spelt}");
            };
            decide("rejected");
            assert!(!tags(&daemon).contains(&format!("{name}/every")), "{spelt}");
            decide("confirmed");
            let listed = daemon.get(&format!("/api/v1/decisions?set={}", encoded(spelt)));
            assert_eq!(listed.1["decisions"][0]["decision"], "confirmed", "{spelt}");
        }
        let label = format!("{other}/every");
        let confirm = lab.run(&["decisions", "reject", &label, &id]);
        assert!(
            confirm.status.success(),
            "{}",
            String::from_utf8_lossy(&confirm.stderr)
        );
    }
    assert_eq!(fs::read_dir(lab.labels()).unwrap().count(), 6);
    // A preview of a file of such a name goes through the daemon.
    let file = lab.labels().join("my places.toml");
    assert_eq!(
        lab.json(&["labels", "preview", file.to_str().unwrap()])["set"],
        "my places"
    );
    assert_eq!(
        lab.json(&["labels", "check"])["files"]
            .as_array()
            .unwrap()
            .len(),
        6
    );
    // Deleted in other capitals.
    assert_eq!(
        daemon
            .send("DELETE", "/api/v1/label-sets/PLACES", &[], "")
            .0,
        200
    );
    assert!(!lab.labels().join("Places.toml").exists());
    assert_eq!(daemon.get("/api/v1/label-sets/places").0, 404);
}

#[test]
fn other_capitals_are_a_new_name_and_no_new_set() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    lab.add("b.png", 2);
    let hook = lab.data().with_extension("heard");
    let script = format!("cat >> '{}'", hook.display());
    lab.write_labels("places", &format!("on_tag = 'hook'\n{EVERY}"));
    let config = lab.data().with_extension("toml");
    let command = json!(["sh", "-c", script]);
    fs::write(&config, format!("[hooks.hook]\ncommand = {command}")).unwrap();
    let serve = || {
        let mut command = lab.command(&["serve", "--listen", "127.0.0.1:0"]);
        command
            .arg(lab.photos())
            .arg("--config")
            .arg(&config)
            .env("PIXDEX_INGEST__SETTLE_MS", "300");
        Daemon::start(command)
    };
    let heard = || {
        fs::read_to_string(&hook)
            .unwrap_or_default()
            .matches("\"event\"")
            .count()
    };
    let daemon = serve();
    daemon.wait_for_images(2);
    daemon.wait_until(|_| heard() == 2);
    daemon.wait_for_hooks();
    let image = daemon.images().remove(0);
    let path = format!(
        "/api/v1/images/{}/decisions/places/every",
        image["id"].as_str().unwrap()
    );
    assert_eq!(
        daemon
            .send("PUT", &path, &[], "{\"decision\": \"rejected\"}")
            .0,
        200
    );

    let rename = |from: &str, to: &str| {
        let inside = |name: &str| lab.labels().join(format!("{name}.toml"));
        fs::rename(inside(from), inside(to)).unwrap();
    };
    let is_named = |daemon: &Daemon, name: &str| {
        let sets = daemon.get("/api/v1/status").1["label_sets"].clone();
        sets.as_object().unwrap().keys().eq([name])
    };
    rename("places", "Places");
    daemon.wait_until(|daemon| is_named(daemon, "Places"));
    let state = |daemon: &Daemon| {
        let tagged = count(daemon, "places/every");
        let rejected = daemon.get("/api/v1/decisions?set=Places").1["decisions"].clone();
        (tagged, rejected.as_array().unwrap().len())
    };
    assert_eq!(state(&daemon), (1, 1));
    // While the program was not there, too.
    drop(daemon);
    rename("Places", "PLACES");
    let daemon = serve();
    daemon.wait_until(|daemon| is_named(daemon, "PLACES"));
    assert_eq!(state(&daemon), (1, 1));
    // A hook that heard again would have heard before this.
    lab.add("c.png", 3);
    daemon.wait_until(|daemon| count(daemon, "places/every") == 2);
    daemon.wait_until(|_| heard() >= 3);
    assert_eq!(heard(), 3);

    // Two files of one name: the last good state stays until one is renamed.
    lab.write_labels("places", COLOURS);
    daemon.wait_until(|daemon| {
        let error = error_of(daemon, "PLACES");
        error
            .as_str()
            .is_some_and(|error| error.contains("`PLACES.toml`, `places.toml`"))
    });
    assert_eq!(count(&daemon, "places/every"), 2);
    let put = daemon.send("PUT", "/api/v1/label-sets/Places", &[], EVERY);
    assert_eq!((put.0, &put.1["code"]), (409, &"bad_label_file".into()));
    let check = lab.run(&["labels", "check"]);
    let told = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(
        !check.status.success() && told.matches("rename all but one").count() == 2,
        "{told}"
    );
    rename("places", "other");
    daemon.wait_until(|daemon| error_of(daemon, "PLACES").is_null() && !is_named(daemon, "PLACES"));
    assert_eq!(count(&daemon, "places/every"), 2);
}

/// As editors write: away with the old file, and then the new one in its place.
#[test]
fn a_file_that_is_away_for_a_moment_is_not_deleted() {
    const EDITOR_WRITES: Duration = Duration::from_millis(100);
    let lab = Lab::new();
    lab.add("a.png", 1);
    lab.write_labels("places", EVERY);
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    let [file, aside] = ["places.toml", "places.toml~"].map(|name| lab.labels().join(name));
    fs::rename(&file, &aside).unwrap();
    thread::sleep(EDITOR_WRITES);
    fs::rename(&aside, &file).unwrap();
    lab.write_labels("other", EVERY);
    daemon.wait_until(|daemon| count(daemon, "other/every") == 1);
    assert_eq!(count(&daemon, "places/every"), 1);
    let log = daemon.rest_of_log();
    let is_removal = |line: &&String| line.contains("label set removed");
    assert_eq!(log.iter().find(is_removal), None);
    // And one that stays away is.
    fs::remove_file(&file).unwrap();
    daemon.wait_until(|daemon| count(daemon, "places/every") == 0);
}

#[cfg(unix)]
#[test]
fn what_is_no_label_file_is_in_nobodys_way() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let lab = Lab::new();
    lab.add("a.png", 1);
    lab.write_labels("good", EVERY);
    let inside = |name: &str| lab.labels().join(name);
    fs::create_dir(inside("folder.toml")).unwrap();
    symlink(inside("nowhere"), inside("dangling.toml")).unwrap();
    symlink("/dev/zero", inside("endless.toml")).unwrap();
    let made = Command::new("mkfifo").arg(inside("pipe.toml")).status();
    assert!(made.unwrap().success());
    symlink(inside("pipe.toml"), inside("to-a-pipe.toml")).unwrap();
    fs::write(inside("latin.toml"), b"[[labels]]\nname = 'caf\xe9'").unwrap();
    fs::write(inside("large.toml"), vec![b'#'; 1024 * 1024 + 1]).unwrap();
    fs::write(inside("what?.toml"), EVERY).unwrap();
    fs::write(inside("read-only.toml"), EVERY).unwrap();
    let read_only = fs::Permissions::from_mode(0o444);
    fs::set_permissions(inside("read-only.toml"), read_only).unwrap();
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    for (set, reason) in [
        ("folder", "it is no regular file: move it"),
        ("pipe", "it is no regular file"),
        ("to-a-pipe", "it is no regular file"),
        ("endless", "it is no regular file"),
        ("dangling", "a link to a file that is not there"),
        ("latin", "it is not UTF-8 text: save it"),
        ("large", "it has more than 1048576 bytes"),
        ("what?", "cannot name a label set: take 1 to 64"),
    ] {
        let error = error_of(&daemon, set);
        assert!(
            error.as_str().is_some_and(|error| error.contains(reason)),
            "{set}: {error}"
        );
    }
    assert_eq!(tags(&daemon), ["good/every", "read-only/every"]);
    // Each is told where it is asked for, and stays.
    for set in [
        "folder",
        "pipe",
        "to-a-pipe",
        "endless",
        "dangling",
        "read-only",
    ] {
        let (status, answer) = daemon.send("PUT", &format!("/api/v1/label-sets/{set}"), &[], EVERY);
        assert_eq!(
            (status, &answer["code"]),
            (409, &"bad_label_file".into()),
            "{set}: {answer}"
        );
        let error = answer["error"].as_str().unwrap();
        assert!(
            error.starts_with(&format!("the label file `{set}.toml`: it is ")),
            "{error}"
        );
    }
    assert!(inside("folder.toml").is_dir() && inside("dangling.toml").is_symlink());
    assert_eq!(
        daemon
            .send("DELETE", "/api/v1/label-sets/folder", &[], "")
            .0,
        409
    );
    assert_eq!(
        daemon.send("PUT", "/api/v1/label-sets/latin", &[], EVERY).0,
        200
    );
    assert_eq!(daemon.get("/api/v1/label-sets/pipe").1["text"], Value::Null);
    let check = lab.run(&["labels", "check"]);
    let told = String::from_utf8_lossy(&check.stdout).into_owned();
    let broken = String::from_utf8_lossy(&check.stderr).into_owned();
    assert!(
        broken.contains("7 of 10 label files are broken"),
        "{broken}\n{told}"
    );
    // Others are edited meanwhile.
    lab.write_labels("good", &EVERY.replace("every", "each"));
    daemon.wait_until(|daemon| tags(daemon).contains(&"good/each".to_owned()));
}

#[cfg(unix)]
#[test]
fn what_is_written_over_http_keeps_its_mode_and_a_link_its_file() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let lab = Lab::new();
    let (target, link) = (lab.photo("target"), lab.labels().join("link.toml"));
    fs::write(&target, EVERY).unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o664)).unwrap();
    symlink(&target, &link).unwrap();
    let daemon = lab.serve();
    let path = "/api/v1/label-sets/link";
    assert_eq!(daemon.send("PUT", path, &[], COLOURS).0, 200);
    assert!(link.is_symlink());
    assert_eq!(fs::read_to_string(&target).unwrap(), COLOURS);
    assert_eq!(
        fs::metadata(&target).unwrap().permissions().mode() & 0o777,
        0o664
    );
    assert_eq!(daemon.send("DELETE", path, &[], "").0, 200);
    assert!(target.exists() && !link.is_symlink());
}

#[test]
fn any_label_is_found_by_what_is_typed() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    lab.add("b.png", 2);
    let labels = [
        "Paris, France",
        "a 5\" pipe",
        "back\\slash",
        "Mu\u{308}nchen",
        "a/b",
        "-x",
        "tag:y",
    ];
    let label = |name: &&str| format!("[[labels]]\nname = '{name}'\nthreshold = 1.0\n");
    lab.write_labels("my set", &labels.iter().map(label).collect::<String>());
    let daemon = lab.serve();
    daemon.wait_for_images(2);
    let id = daemon.images()[0]["id"].as_str().unwrap().to_owned();
    for label in labels {
        // Half of the library has the label.
        let path = format!("/api/v1/images/{id}/decisions/my%20set/{}", encoded(label));
        let decided = daemon.send("PUT", &path, &[], "{\"decision\": \"confirmed\"}");
        assert_eq!(decided.0, 200, "{label}: {}", decided.1);
        let typed = label.replace('\\', "\\\\").replace('"', "\\\"");
        for name in [label.to_owned(), format!("MY SET/{label}")] {
            let typed = typed.clone();
            let set = name.strip_suffix(label).unwrap();
            let found = |address: &str, query: &str| {
                let address = format!("/api/v1/images?{address}={}", encoded(query));
                daemon.get(&address).1["items"].as_array().unwrap().len()
            };
            assert_eq!(found("q", &format!("tag:\"{set}{typed}\"")), 1, "{name}");
            assert_eq!(found("q", &format!("-tag:\"{set}{typed}\"")), 1, "{name}");
            assert_eq!(
                found("q", &format!("tag:none,\"{set}{typed}\"")),
                1,
                "{name}"
            );
            // The page's form, and the full one, take it as it is.
            assert_eq!(found("tag", &name), 1, "{name}");
            for kind in ["all", "any", "none"] {
                let form = json!({ "filter": { "tags": { kind: [name] } } });
                let answer = daemon
                    .send("POST", "/api/v1/search", &[], &form.to_string())
                    .1;
                assert_eq!(
                    answer["items"].as_array().unwrap().len(),
                    1,
                    "{name} {kind}"
                );
            }
            let output = lab.json(&["search", &format!("tag:\"{set}{typed}\"")]);
            assert_eq!(output["items"].as_array().unwrap().len(), 1, "{name}");
        }
    }
}
