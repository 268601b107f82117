//! Watches live as long as what they watch: what was away and is back, or may be read again, is followed as before.
//!
//! Nothing here is found by the clock: scans and polls are a quarter of an hour away.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::lab::{COLOURS, Daemon, Lab, picture, run_by};

/// Serves a folder, and looks at nothing by the clock.
fn serving(lab: &Lab, root: &Path) -> Command {
    let mut command = lab.serving(root);
    command.env("PIXDEX_INGEST__POLL_INTERVAL_S", "900");
    command
}

fn write(path: &Path, seed: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, picture(seed)).unwrap();
}

fn holds(daemon: &Daemon, path: &Path) -> bool {
    daemon.paths().contains(&path.display().to_string())
}

fn unwatched(daemon: &Daemon) -> Value {
    daemon.get("/api/v1/status").1["watching"]["unwatched"].clone()
}

/// New pictures in a folder that is there and in one that is made are seen.
fn assert_followed(daemon: &Daemon, folder: &Path, seed: u32) {
    for (name, seed) in [("new.png", seed), ("made/new.png", seed + 1)] {
        let path = folder.join(name);
        write(&path, seed);
        daemon.wait_until(|daemon| holds(daemon, &path));
    }
}

/// A root below folders that can be taken away as well, with a picture in a folder.
struct Tree {
    lab: Lab,
    top: PathBuf,
    root: PathBuf,
}

impl Tree {
    fn new() -> Tree {
        let lab = Lab::new();
        let top = lab.photos().join("top");
        let root = top.join("deep/root");
        write(&root.join("old/one.png"), 1);
        Tree { lab, top, root }
    }

    fn serve(&self) -> Daemon {
        let daemon = Daemon::start(serving(&self.lab, &self.root));
        daemon.wait_for_images(1);
        daemon
    }

    fn aside(&self) -> PathBuf {
        self.lab.photos().join("aside")
    }
}

#[test]
fn a_root_that_was_away_is_followed_again() {
    type Change = fn(&Tree);
    let ways: [(&str, Change, Change); 5] = [
        (
            "deleted and made again",
            |tree| fs::remove_dir_all(&tree.root).unwrap(),
            |tree| write(&tree.root.join("old/one.png"), 1),
        ),
        (
            "renamed away and back",
            |tree| fs::rename(&tree.root, tree.aside()).unwrap(),
            |tree| fs::rename(tree.aside(), &tree.root).unwrap(),
        ),
        (
            "a folder above renamed away and back",
            |tree| fs::rename(&tree.top, tree.aside()).unwrap(),
            |tree| fs::rename(tree.aside(), &tree.top).unwrap(),
        ),
        (
            "all folders above deleted and made again",
            |tree| fs::remove_dir_all(&tree.top).unwrap(),
            |tree| write(&tree.root.join("old/one.png"), 1),
        ),
        (
            "made elsewhere and renamed into place",
            |tree| fs::remove_dir_all(&tree.top).unwrap(),
            |tree| {
                write(&tree.aside().join("deep/root/old/one.png"), 1);
                fs::rename(tree.aside(), &tree.top).unwrap();
            },
        ),
    ];
    for (way, take_away, bring_back) in ways {
        println!("{way}");
        let tree = Tree::new();
        let daemon = tree.serve();
        // Twice: what is mended once is not used up.
        for round in 0..2 {
            take_away(&tree);
            daemon.wait_until(|daemon| unwatched(daemon) == 1);
            bring_back(&tree);
            daemon.wait_until(|daemon| unwatched(daemon) == 0);
            daemon.wait_until(|daemon| holds(daemon, &tree.root.join("old/one.png")));
            assert_followed(&daemon, &tree.root.join("old"), 10 + 10 * round);
            fs::remove_dir_all(tree.root.join("old/made")).unwrap();
            fs::remove_file(tree.root.join("old/new.png")).unwrap();
        }
    }
}

#[test]
fn a_root_that_is_replaced_by_another_folder_is_followed() {
    let tree = Tree::new();
    write(&tree.root.join("left/behind/three.png"), 3);
    let daemon = Daemon::start(serving(&tree.lab, &tree.root));
    daemon.wait_for_images(2);
    write(&tree.aside().join("old/two.png"), 2);
    fs::rename(&tree.root, tree.root.with_file_name("before")).unwrap();
    fs::rename(tree.aside(), &tree.root).unwrap();
    daemon.wait_until(|daemon| holds(daemon, &tree.root.join("old/two.png")));
    assert_followed(&daemon, &tree.root.join("old"), 10);
    // What was there before is nobody's business any more.
    let status = daemon.get("/api/v1/status").1;
    assert_eq!(status["watching"]["folders"], 3 + 1, "{status:#}");
}

#[test]
fn a_root_that_became_a_link_is_followed() {
    let tree = Tree::new();
    let daemon = tree.serve();
    let elsewhere = tree.lab.data().with_file_name("elsewhere");
    fs::rename(&tree.root, &elsewhere).unwrap();
    symlink(&elsewhere, &tree.root).unwrap();
    daemon.wait_until(|daemon| unwatched(daemon) == 0);
    write(&elsewhere.join("old/two.png"), 2);
    daemon.wait_until(|daemon| holds(daemon, &tree.root.join("old/two.png")));
    // And what the link leads to.
    fs::rename(&elsewhere, tree.aside()).unwrap();
    daemon.wait_until(|daemon| unwatched(daemon) == 1);
    fs::rename(tree.aside(), &elsewhere).unwrap();
    daemon.wait_until(|daemon| unwatched(daemon) == 0);
    assert_followed(&daemon, &tree.root.join("old"), 10);
}

#[test]
fn a_root_that_is_missing_at_the_start_is_followed_once_it_is_there() {
    let tree = Tree::new();
    tree.lab.json(&["index", tree.root.to_str().unwrap()]);
    fs::rename(&tree.top, tree.aside()).unwrap();
    let daemon = Daemon::start(serving(&tree.lab, &tree.root));
    daemon.wait_until(|daemon| unwatched(daemon) == 1);
    let watching = &daemon.get("/api/v1/status").1["watching"];
    assert_eq!(watching["examples"][0]["reason"], "it is not there");
    fs::rename(tree.aside(), &tree.top).unwrap();
    daemon.wait_until(|daemon| unwatched(daemon) == 0);
    assert_followed(&daemon, &tree.root.join("old"), 10);
    let watching = &daemon.get("/api/v1/status").1["watching"];
    assert_eq!(watching["unwatched"], 0, "{watching:#}");
    assert_eq!(watching["polled"], Value::Array(vec![]));
}

#[test]
fn a_folder_that_was_moved_out_is_followed_when_it_is_back() {
    let tree = Tree::new();
    write(&tree.root.join("trip/day/two.png"), 2);
    let daemon = Daemon::start(serving(&tree.lab, &tree.root));
    daemon.wait_for_images(2);
    let trip = tree.root.join("trip");
    for round in 0..2 {
        fs::rename(&trip, tree.aside()).unwrap();
        daemon.wait_until(|daemon| daemon.get("/api/v1/status").1["watching"]["folders"] == 3);
        let seen_outside = tree.aside().join(format!("day/outside {round}.png"));
        write(&seen_outside, 20 + round);
        fs::rename(tree.aside(), &trip).unwrap();
        let back = trip.join(format!("day/outside {round}.png"));
        daemon.wait_until(|daemon| holds(daemon, &back));
        assert_followed(&daemon, &trip.join("day"), 30 + 10 * round);
        fs::remove_dir_all(trip.join("day/made")).unwrap();
        fs::remove_file(trip.join("day/new.png")).unwrap();
    }
    // Into another folder of the root, and under another name.
    let moved = tree.root.join("old/journey");
    fs::rename(&trip, &moved).unwrap();
    daemon.wait_until(|daemon| holds(daemon, &moved.join("day/two.png")));
    assert_followed(&daemon, &moved.join("day"), 60);
}

#[test]
fn what_links_lead_to_is_followed_where_the_owner_wants_it() {
    let tree = Tree::new();
    let elsewhere = tree.lab.data().with_file_name("elsewhere");
    write(&elsewhere.join("day/two.png"), 2);
    let mut command = serving(&tree.lab, &tree.root);
    command.env("PIXDEX_INGEST__FOLLOW_LINKS", "true");
    let daemon = Daemon::start(command);
    daemon.wait_for_images(1);
    let link = tree.root.join("link");
    symlink(&elsewhere, &link).unwrap();
    daemon.wait_until(|daemon| holds(daemon, &link.join("day/two.png")));
    // Also after everything was watched again.
    daemon.rest_of_log();
    daemon.send("POST", "/api/v1/rescan", &[], "");
    daemon.wait_for_log("scanned");
    assert_followed(&daemon, &link.join("day"), 10);
    fs::remove_file(&link).unwrap();
    daemon.wait_until(|daemon| daemon.get("/api/v1/status").1["watching"]["folders"] == 3);
}

/// A user who is not almighty: permissions count. None where that cannot be had.
fn bound_by_permissions(command: Command) -> Option<Command> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| {
        use std::os::unix::fs::MetadataExt;
        own.uid() == 0
    });
    if !is_root {
        return Some(command);
    }
    let powers = "--bounding-set=-dac_override,-dac_read_search";
    let runner = ["setpriv", powers, "--"];
    let tried = Command::new(runner[0]).args([powers, "true"]).status();
    if !tried.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: the test runs as root, and setpriv cannot take that away");
        return None;
    }
    Some(run_by(&runner, &command))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_becomes_readable_is_followed() {
    for (mode, what) in [
        (0o000, "old"),
        (0o444, "old"),
        (0o111, "old"),
        (0o000, ""),
        (0o000, "old/inner"),
    ] {
        let tree = Tree::new();
        write(&tree.root.join("other.png"), 3);
        write(&tree.root.join("old/inner/two.png"), 2);
        let Some(command) = bound_by_permissions(serving(&tree.lab, &tree.root)) else {
            return;
        };
        let closed = tree.root.join(what);
        println!("{} with mode {mode:o}", closed.display());
        if what.is_empty() {
            tree.lab.json(&["index", tree.root.to_str().unwrap()]);
        }
        set_mode(&closed, mode);
        let daemon = Daemon::start(command);
        daemon.wait_until(|daemon| unwatched(daemon) != 0);
        let watching = &daemon.get("/api/v1/status").1["watching"];
        let reason = watching["examples"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("permissions"), "{watching:#}");
        set_mode(&closed, 0o755);
        for (name, seed) in [("old/one.png", 1), ("old/inner/two.png", 2)] {
            daemon.wait_until(|daemon| holds(daemon, &tree.root.join(name)));
            let folder = tree.root.join(name);
            assert_followed(&daemon, folder.parent().unwrap(), 10 * seed);
        }
        let watching = &daemon.get("/api/v1/status").1["watching"];
        assert_eq!(watching["unwatched"], 0, "{watching:#}");
    }
}

#[test]
fn a_folder_that_is_made_while_events_are_lost_is_followed() {
    let tree = Tree::new();
    let daemon = tree.serve();
    let queue = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let queue: usize = queue.trim().parse().unwrap();
    daemon.signal("-STOP");
    // Each is made, and goes: two words at least.
    for number in 0..queue {
        let noise = tree.root.join(format!("old/{number}.txt"));
        fs::write(&noise, "").unwrap();
        fs::remove_file(&noise).unwrap();
    }
    write(&tree.root.join("late/er/two.png"), 2);
    daemon.signal("-CONT");
    daemon.wait_until(|daemon| holds(daemon, &tree.root.join("late/er/two.png")));
    assert_followed(&daemon, &tree.root.join("late/er"), 10);
}

/// The labels folder's sets, as the daemon has them.
fn has_set(daemon: &Daemon, name: &str) -> bool {
    daemon.get("/api/v1/status").1["label_sets"][name]["labels"] == 2
}

#[test]
fn a_labels_folder_that_was_away_is_followed_again() {
    type Change = fn(&Lab, &Path);
    /// Puts a folder with these sets in place.
    fn make(folder: &Path, sets: &[&str]) {
        fs::create_dir_all(folder).unwrap();
        for set in sets {
            fs::write(folder.join(format!("{set}.toml")), COLOURS).unwrap();
        }
    }
    fn switch(link: &Path, target: &str) {
        let temporary = link.with_file_name("switching");
        symlink(target, &temporary).unwrap();
        fs::rename(&temporary, link).unwrap();
    }
    let ways: [(&str, Change, Change); 6] = [
        (
            "deleted and made again",
            |_, _| {},
            |_, labels| {
                fs::remove_dir_all(labels).unwrap();
                make(labels, &["colours", "second"]);
            },
        ),
        (
            "replaced by a rename",
            |_, _| {},
            |_, labels| {
                let next = labels.with_file_name("next");
                make(&next, &["colours", "second"]);
                fs::rename(labels, labels.with_file_name("before")).unwrap();
                fs::rename(&next, labels).unwrap();
            },
        ),
        (
            "a link that leads elsewhere",
            |_, labels| {
                fs::rename(labels, labels.with_file_name("v1")).unwrap();
                symlink("v1", labels).unwrap();
            },
            |_, labels| {
                make(&labels.with_file_name("v2"), &["colours", "second"]);
                switch(labels, "v2");
            },
        ),
        (
            "a link to a link that leads elsewhere",
            |_, labels| {
                let versions = labels.with_file_name("versions");
                fs::create_dir(&versions).unwrap();
                fs::rename(labels, versions.join("v1")).unwrap();
                symlink("v1", versions.join("current")).unwrap();
                symlink("versions/current", labels).unwrap();
            },
            |_, labels| {
                let versions = labels.with_file_name("versions");
                make(&versions.join("v2"), &["colours", "second"]);
                switch(&versions.join("current"), "v2");
            },
        ),
        (
            "what the link leads to, deleted and made again",
            |_, labels| {
                fs::rename(labels, labels.with_file_name("target")).unwrap();
                symlink("target", labels).unwrap();
            },
            |_, labels| {
                let target = labels.with_file_name("target");
                fs::remove_dir_all(&target).unwrap();
                make(&target, &["colours", "second"]);
            },
        ),
        (
            "files that are links through a hidden one, as Kubernetes mounts them",
            |_, labels| {
                make(&labels.join("..one"), &["colours"]);
                symlink("..one", labels.join("..data")).unwrap();
                fs::remove_file(labels.join("colours.toml")).unwrap();
                symlink("..data/colours.toml", labels.join("colours.toml")).unwrap();
                symlink("..data/second.toml", labels.join("second.toml")).unwrap();
            },
            |_, labels| {
                make(&labels.join("..two"), &["colours", "second"]);
                switch(&labels.join("..data"), "..two");
            },
        ),
    ];
    for (way, prepare, change) in ways {
        println!("{way}");
        let lab = Lab::new();
        lab.write_labels("colours", COLOURS);
        prepare(&lab, &lab.labels());
        let daemon = Daemon::start(serving(&lab, &lab.photos()));
        daemon.wait_until(|daemon| has_set(daemon, "colours"));
        change(&lab, &lab.labels());
        daemon.wait_until(|daemon| has_set(daemon, "second"));
        // And the folder of now is followed.
        lab.write_labels("third", COLOURS);
        daemon.wait_until(|daemon| has_set(daemon, "third"));
    }
}
