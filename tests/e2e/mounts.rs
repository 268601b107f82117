//! Mounts come and go, and the system watches only so much: what cannot be watched is polled, and said.
//!
//! These need namespaces of their own for mounts and limits (`unshare`); where the kernel gives none, they say so and skip.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::fuse::Remote;
use crate::lab::{COLOURS, Daemon, Lab, picture, run_by};

pub(crate) const NAMESPACE: [&str; 3] = ["unshare", "-Urm", "--"];

/// A daemon with mounts and limits of its own.
struct Apart {
    lab: Lab,
    daemon: Daemon,
}

/// Whether namespaces can be had.
pub(crate) fn can_be_apart() -> bool {
    let mut try_it = Command::new(NAMESPACE[0]);
    try_it.args(&NAMESPACE[1..]).args(["sh", "-c"]);
    try_it.arg("mount -t tmpfs none /mnt && echo 1000 > /proc/sys/user/max_inotify_watches");
    let can = try_it.status().is_ok_and(|status| status.success());
    if !can {
        eprintln!("SKIPPED: no namespace for mounts can be had here");
    }
    can
}

impl Apart {
    /// Runs `first` in the namespace, then the daemon, which looks at what it must poll after so many seconds.
    fn start(lab: Lab, root: &Path, poll_interval_s: u64, first: &str) -> Apart {
        let mut serving = lab.serving(root);
        serving.env(
            "PIXDEX_INGEST__POLL_INTERVAL_S",
            poll_interval_s.to_string(),
        );
        let script = format!("set -e; {first}\nexec \"$@\"");
        let script = ["sh", "-c", &script, "sh"];
        let daemon = Daemon::start(run_by(&[&NAMESPACE[..], &script].concat(), &serving));
        Apart { lab, daemon }
    }

    /// Runs a script among the daemon's mounts.
    fn run(&self, script: &str) {
        let pid = self.daemon.pid().to_string();
        let mut enter = Command::new("nsenter");
        enter.args(["-t", &pid, "-U", "-m", "--preserve-credentials"]);
        let status = enter.args(["--", "sh", "-ec", script]).status();
        assert!(status.unwrap().success(), "{script}");
    }

    /// Brings a picture to a path that only the daemon sees.
    fn put(&self, path: &Path, seed: u32) {
        let staged = self.lab.data().with_file_name("staged.png");
        fs::write(&staged, picture(seed)).unwrap();
        let folder = path.parent().unwrap();
        self.run(&format!(
            "mkdir -p '{}'; cp '{}' '{}'",
            folder.display(),
            staged.display(),
            path.display()
        ));
    }

    fn wait_for(&self, path: &Path) {
        let path = path.display().to_string();
        self.daemon
            .wait_until(|daemon| daemon.paths().contains(&path));
    }

    /// New pictures in a folder and in one that is made in it are seen.
    fn assert_followed(&self, folder: &Path, seed: u32) {
        for (name, seed) in [("new.png", seed), ("made/new.png", seed + 1)] {
            self.put(&folder.join(name), seed);
            self.wait_for(&folder.join(name));
        }
    }

    fn watching(&self) -> Value {
        self.daemon.get("/api/v1/status").1["watching"].clone()
    }
}

fn mount(point: &Path) -> String {
    format!("mount -t tmpfs none '{}'", point.display())
}

fn unmount(point: &Path) -> String {
    format!("umount '{}'", point.display())
}

fn is_online(daemon: &Daemon) -> bool {
    daemon.get("/api/v1/status").1["roots"][0]["online"] == true
}

/// A root that is a mount point, or lies below one.
fn comes_and_goes(point: fn(&Lab) -> PathBuf, root: fn(&Lab) -> PathBuf) {
    let lab = Lab::new();
    let (point, root) = (point(&lab), root(&lab));
    fs::create_dir_all(&root).unwrap();
    let apart = Apart::start(lab, &root, 900, "");
    for round in 0..2 {
        apart.run(&mount(&point));
        apart.put(&root.join("day/one.png"), 1);
        apart.wait_for(&root.join("day/one.png"));
        apart.assert_followed(&root.join("day"), 10 + 10 * round);
        apart.run(&unmount(&point));
        apart.daemon.wait_until(|daemon| !is_online(daemon));
    }
    // While nobody looks: the table of mounts is the same again.
    apart.daemon.rest_of_log();
    apart.run(&mount(&point));
    apart.daemon.wait_for_log("mounts changed");
    apart.put(&root.join("three.png"), 3);
    apart.wait_for(&root.join("three.png"));
    apart.daemon.signal("-STOP");
    apart.run(&unmount(&point));
    apart.run(&mount(&point));
    apart.daemon.signal("-CONT");
    apart.put(&root.join("day/two.png"), 2);
    apart.wait_for(&root.join("day/two.png"));
    apart.assert_followed(&root.join("day"), 50);
}

#[test]
fn a_root_that_is_mounted_and_unmounted_is_followed() {
    if can_be_apart() {
        comes_and_goes(Lab::photos, Lab::photos);
    }
}

#[test]
fn a_root_below_a_mount_is_followed() {
    if can_be_apart() {
        comes_and_goes(Lab::photos, |lab| lab.photos().join("in/it"));
    }
}

#[test]
fn a_mount_below_a_root_is_followed() {
    if !can_be_apart() {
        return;
    }
    let lab = Lab::new();
    lab.add("kept.png", 3);
    let stick = lab.photo("my \"stick\"");
    fs::create_dir(&stick).unwrap();
    let root = lab.photos();
    let apart = Apart::start(lab, &root, 900, "");
    apart.daemon.wait_for_images(1);
    for round in 0..2 {
        apart.run(&mount(&stick));
        apart.put(&stick.join("day/one.png"), 1);
        apart.wait_for(&stick.join("day/one.png"));
        apart.assert_followed(&stick.join("day"), 10 + 10 * round);
        apart.run(&unmount(&stick));
        // The root, and the point that is empty now; the labels folder.
        apart
            .daemon
            .wait_until(|_| apart.watching()["folders"] == 3);
    }
}

#[test]
fn a_folder_that_is_mounted_a_second_time_stays_followed() {
    if !can_be_apart() {
        return;
    }
    let lab = Lab::new();
    lab.add("one/day/one.png", 1);
    let (root, one, other) = (lab.photos(), lab.photo("one"), lab.photo("other"));
    fs::create_dir(&other).unwrap();
    let apart = Apart::start(lab, &root, 900, "");
    apart.wait_for(&one.join("day/one.png"));
    let (one_shown, other_shown) = (one.display(), other.display());
    apart.run(&format!("mount --bind '{one_shown}' '{other_shown}'"));
    apart.wait_for(&other.join("day/one.png"));
    apart.assert_followed(&one.join("day"), 10);
    // One file, seen under both of its names.
    apart.wait_for(&other.join("day/new.png"));
    apart.wait_for(&other.join("day/made/new.png"));
    apart.run(&unmount(&other));
    apart
        .daemon
        .wait_until(|_| apart.watching()["folders"] == 6);
    apart.put(&one.join("day/late.png"), 20);
    apart.wait_for(&one.join("day/late.png"));
    apart.assert_followed(&other, 30);
}

#[test]
fn a_mounted_labels_folder_is_followed() {
    if !can_be_apart() {
        return;
    }
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    let (root, labels) = (lab.photos(), lab.labels());
    let apart = Apart::start(lab, &root, 900, "");
    let has_set = |daemon: &Daemon, name: &str| {
        daemon.get("/api/v1/status").1["label_sets"][name]["labels"] == 2
    };
    let copy = |name: &str| {
        let folder = labels.display();
        format!("cp '{folder}/../colours.toml' '{folder}/{name}.toml'")
    };
    fs::write(labels.with_file_name("colours.toml"), COLOURS).unwrap();
    apart.run(&format!("{}; {}", mount(&labels), copy("colours")));
    apart.run(&copy("second"));
    apart.daemon.wait_until(|daemon| has_set(daemon, "second"));
    apart.run(&unmount(&labels));
    apart.run(&copy("third"));
    apart.daemon.wait_until(|daemon| has_set(daemon, "third"));
}

fn limit(name: &str, count: usize) -> String {
    format!("echo {count} > /proc/sys/user/max_inotify_{name}")
}

#[test]
fn folders_beyond_what_the_system_watches_are_polled_and_told_once() {
    const FOLDERS: usize = 3000;
    if !can_be_apart() {
        return;
    }
    let lab = Lab::new();
    for number in 0..FOLDERS {
        fs::create_dir_all(lab.photo(&format!("{number:04}"))).unwrap();
    }
    let root = lab.photos();
    let apart = Apart::start(lab, &root, 1, &limit("watches", 100));
    let last = |number| root.join(format!("{:04}", FOLDERS - number));
    for number in 1..3 {
        let path = last(number).join("new.png");
        apart.put(&path, number as u32);
        apart.wait_for(&path);
    }
    let watching = apart.watching();
    let unwatched = watching["unwatched"].as_u64().unwrap();
    assert!(unwatched > 2900 - 100, "{watching:#}");
    let examples = watching["examples"].as_array().unwrap();
    assert_eq!(examples.len(), 5);
    for note in examples
        .iter()
        .chain(watching["polled"].as_array().unwrap())
    {
        let reason = note["reason"].as_str().unwrap();
        assert!(reason.contains("fs.inotify.max_user_watches"), "{note:#}");
    }
    assert_eq!(watching["polled"][0]["path"], root.to_str().unwrap());
    let told = apart.daemon.rest_of_log();
    let told = told
        .iter()
        .filter(|line| line.contains("cannot watch a folder"));
    let told: Vec<_> = told.collect();
    // One line of the watch on the roots; the labels folder may have one of its own.
    assert!((1..=2).contains(&told.len()), "{told:#?}");
    let text = apart.lab.run(&["status"]).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("CANNOT BE WATCHED") && text.contains("fs.inotify.max_user_watches"),
        "{text}"
    );

    // The way out, without a restart.
    apart.run(&limit("watches", 100_000));
    apart.daemon.send("POST", "/api/v1/rescan", &[], "");
    apart.daemon.wait_until(|_| {
        let watching = apart.watching();
        watching["unwatched"] == 0 && watching["folders"] == FOLDERS + 2
    });
    assert_eq!(apart.watching()["polled"], Value::Array(vec![]));
}

#[test]
fn without_an_inotify_instance_folders_are_polled() {
    if !can_be_apart() {
        return;
    }
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    let root = lab.photos();
    let apart = Apart::start(lab, &root, 1, &limit("instances", 0));
    apart.assert_followed(&root, 1);
    apart.lab.write_labels("second", COLOURS);
    apart
        .daemon
        .wait_until(|daemon| daemon.get("/api/v1/status").1["label_sets"]["second"]["labels"] == 2);
    let watching = apart.watching();
    assert_eq!(watching["folders"], 0);
    for kind in ["examples", "polled"] {
        let reason = watching[kind][0]["reason"].as_str().unwrap();
        assert!(
            reason.contains("fs.inotify.max_user_instances"),
            "{watching:#}"
        );
    }
    // The way out, without a restart.
    apart.run(&limit("instances", 100));
    apart.daemon.send("POST", "/api/v1/rescan", &[], "");
    apart
        .daemon
        .wait_until(|_| apart.watching()["unwatched"] == 0);
    assert_eq!(apart.watching()["folders"], 3);
}

/// A folder on a drive that others write to: in the root, or the root itself.
fn polls(root: fn(&Lab) -> PathBuf, point: fn(&Lab) -> PathBuf) {
    let lab = Lab::new();
    let (root, point) = (root(&lab), point(&lab));
    fs::create_dir_all(&point).unwrap();
    let Some(remote) = Remote::start() else {
        eprintln!("SKIPPED: this user may not serve a file system");
        return;
    };
    let mut serving = lab.serving(&root);
    serving.env("PIXDEX_INGEST__POLL_INTERVAL_S", "1");
    let script = format!("{}; exec \"$@\"", remote.mount(point.to_str().unwrap()));
    let runner = ["unshare", "-m", "--", "sh", "-ec", &script, "sh"];
    let daemon = Daemon::start(run_by(&runner, &serving));
    for number in 0..2 {
        let name = format!("{number}.png");
        remote.add(&name, picture(10 + number));
        let path = point.join(&name).display().to_string();
        daemon.wait_until(|daemon| daemon.paths().contains(&path));
    }
    let watching = &daemon.get("/api/v1/status").1["watching"];
    let polled = &watching["polled"][0];
    assert_eq!(polled["path"], point.to_str().unwrap(), "{watching:#}");
    assert_eq!(polled["reason"], "fuse does not tell what others change");
    assert_eq!(watching["poll_interval_s"], 1);
}

#[test]
fn a_drive_that_tells_nothing_is_polled() {
    polls(Lab::photos, |lab| lab.photo("nas"));
    polls(Lab::photos, Lab::photos);
}
