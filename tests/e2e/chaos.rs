//! The worst days, drawn at random: the real daemon is killed, and its calls to the system fail, while pictures, folders, mounts,
//! label files, decisions and models change under it. Then nothing may be lost: what a daemon without faults makes of what is left must be what
//! a fresh library makes of it, and every decision that was taken must be there.
//!
//! `cargo test --test e2e chaos::`; `CHAOS_ROUNDS` says how many rounds, `CHAOS_SEED` which one is the first. A round that
//! fails names its seed, which draws it again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pixdex::random::Random;
use serde_json::Value;
use tempfile::TempDir;

use crate::lab::{self, Daemon, Lab, picture, run_by};
use crate::mounts::{NAMESPACE, can_be_apart};

/// In continuous integration; many more before a release.
const ROUNDS: u64 = 20;

/// Changes in one life of the daemon.
const CHANGES: usize = 12;

/// The folder below the pictures at which a card is mounted.
const CARD: &str = "card";

/// Lives in one round; the last one has no faults.
const LIVES: usize = 3;

const SETS: [&str; 2] = [
    "mode = 'exclusive'\nthreshold = 0.3\ntemplates = ['something {label}']\n[[labels]]\nname = 'red'\n[[labels]]\nname = 'blue'\n",
    "threshold = 0.5\n[[labels]]\nname = 'red'\n[[labels]]\nname = 'stripes'\n",
];

/// What must be true of a library, as this test has it in mind.
struct World {
    lab: Lab,
    random: Random,
    next_picture: u32,
    /// Understands what the bundled model does, and embeds it otherwise.
    other_model: PathBuf,
    /// What is mounted below the pictures, on a file system of its own; none where this system lets nobody mount.
    card: Option<TempDir>,
    /// By image and label, the decisions that were answered; several where the daemon died before its answer.
    decisions: BTreeMap<(String, String), BTreeSet<Option<String>>>,
}

impl World {
    fn new(seed: u64) -> World {
        let lab = Lab::new();
        lab.write_labels("colours", SETS[0]);
        let card = can_be_apart().then(|| TempDir::new_in("/dev/shm").unwrap());
        fs::create_dir(lab.photo(CARD)).unwrap();
        World {
            other_model: lab.other_model(),
            card,
            lab,
            random: Random::new(seed),
            next_picture: (seed as u32).wrapping_mul(1000),
            decisions: BTreeMap::new(),
        }
    }

    fn new_picture(&mut self) -> Vec<u8> {
        self.next_picture += 1;
        picture(self.next_picture)
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let card = self.card.iter().map(|card| card.path().to_owned());
        let mut folders: Vec<PathBuf> = card.chain([self.lab.photos()]).collect();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        files.sort();
        files
    }

    fn any_file(&mut self) -> Option<PathBuf> {
        let files = self.files();
        (!files.is_empty()).then(|| files[self.random.below(files.len())].clone())
    }

    fn place(&mut self) -> PathBuf {
        let folder = self.random.below(5);
        let name = format!("{}.png", self.random.below(1000));
        let path = match (["", "a", "a/b", "c d"].get(folder), &self.card) {
            (Some(folder), _) => self.lab.photo(folder).join(name),
            (None, Some(card)) => card.path().join(name),
            (None, None) => self.lab.photo(&name),
        };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// Something that an owner, or a camera, does.
    fn change(&mut self, daemon: &Daemon) {
        match self.random.below(11) {
            0..=3 => {
                let path = self.place();
                fs::write(path, self.new_picture()).unwrap();
            }
            4 => {
                if let Some(path) = self.any_file() {
                    fs::write(path, self.new_picture()).unwrap();
                }
            }
            5 => {
                if let Some(path) = self.any_file() {
                    fs::remove_file(path).unwrap();
                }
            }
            6 => {
                if let Some(path) = self.any_file() {
                    let to = self.place();
                    // Between file systems, files are copied and then removed.
                    if fs::rename(&path, &to).is_err() {
                        fs::copy(&path, to).unwrap();
                        fs::remove_file(path).unwrap();
                    }
                }
            }
            7 => {
                let (from, to) = (self.lab.photo("a"), self.lab.photo("moved"));
                let _ = fs::rename(&from, &to).or_else(|_| fs::rename(&to, &from));
            }
            8 => {
                let set = SETS[self.random.below(SETS.len())];
                self.lab.write_labels("colours", set);
            }
            9 => self.change_mount(daemon),
            _ => self.decide(daemon),
        }
    }

    /// Takes the card out, or puts it in, unless the daemon is dead.
    fn change_mount(&self, daemon: &Daemon) {
        let Some(card) = &self.card else { return };
        let point = self.lab.photo(CARD);
        let script = format!(
            "umount '{0}' || mount --bind '{1}' '{0}'",
            point.display(),
            card.path().display()
        );
        let pid = daemon.pid().to_string();
        let mut enter = Command::new("nsenter");
        enter.args(["-t", &pid, "-U", "-m", "--preserve-credentials"]);
        let _ = enter.args(["--", "sh", "-c", &script]).output();
    }

    /// Decides about an image through HTTP, which may not be answered any more.
    fn decide(&mut self, daemon: &Daemon) {
        let Some(images) = get(daemon, "/api/v1/images?limit=1000") else {
            return;
        };
        let images = images["items"].as_array().cloned().unwrap_or_default();
        if images.is_empty() {
            return;
        }
        let image = images[self.random.below(images.len())]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let verdict = ["confirmed", "rejected"][self.random.below(2)];
        let address = format!(
            "http://{}/api/v1/images/{image}/decisions/colours/red",
            daemon.address
        );
        let body = format!("{{\"decision\": \"{verdict}\"}}");
        let answered = agent().put(&address).send(body.as_bytes());
        let kept = self
            .decisions
            .entry((image, "red".to_owned()))
            .or_insert_with(|| BTreeSet::from([None]));
        match answered.map(|answer| answer.status().as_u16()) {
            Ok(200) => *kept = BTreeSet::from([Some(verdict.to_owned())]),
            // Refused as a whole, or nobody knows.
            _ => drop(kept.insert(Some(verdict.to_owned()))),
        }
    }

    /// One life of the daemon, with faults that are drawn.
    fn live(&mut self, faults: &Path) {
        let Some(daemon) = self.start(faults) else {
            return;
        };
        for _ in 0..CHANGES {
            self.change(&daemon);
            let pause = self.random.below(60);
            std::thread::sleep(Duration::from_millis(pause as u64));
        }
        // Dropped, it is killed.
    }

    /// The daemon, unless it ends before it answers, as it may with faults.
    fn start(&mut self, faults: &Path) -> Option<Daemon> {
        let model = self.any_model();
        let is_mounted = self.random.below(3) > 0;
        let kinds = [
            ("write", 0),
            ("write", 28),
            ("write", 5),
            ("read", 5),
            ("open", 24),
            ("open", 5),
        ];
        let (kind, code) = kinds[self.random.below(kinds.len())];
        let faults = format!(
            "env LD_PRELOAD='{}' FAULT_KIND={kind} FAULT_ERRNO={code} FAULT_AT={} FAULT_COUNT={}",
            faults.display(),
            self.random.below(1500),
            1 + self.random.below(20)
        );
        let serving = self.serving(&self.lab.data(), &model);
        Daemon::try_start(self.among_mounts(&serving, is_mounted, &faults))
    }

    fn any_model(&mut self) -> PathBuf {
        match self.random.below(3) {
            0 => self.other_model.clone(),
            _ => "bundled".into(),
        }
    }

    fn serving(&self, library: &Path, model: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pixdex"));
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .arg(self.lab.photos())
            .arg("--data-dir")
            .arg(library)
            .arg("--labels")
            .arg(self.lab.labels())
            .env("PIXDEX_MODEL", model)
            .env("PIXDEX_INGEST__SETTLE_MS", "20");
        command
    }

    /// The same with mounts of its own, run by `runner`.
    fn among_mounts(&self, serving: &Command, is_mounted: bool, runner: &str) -> Command {
        let Some(card) = &self.card else {
            return run_by(
                &["sh", "-c", &format!("exec {runner} \"$@\""), "sh"],
                serving,
            );
        };
        let mount = format!(
            "mount --bind '{}' '{}'",
            card.path().display(),
            self.lab.photo(CARD).display()
        );
        let first = if is_mounted { &*mount } else { "" };
        let script = format!("set -e\n{first}\nexec {runner} \"$@\"");
        let script = ["sh", "-c", &script, "sh"];
        run_by(&[&NAMESPACE[..], &script].concat(), serving)
    }

    /// What a daemon without faults makes of it all.
    fn check(&mut self, seed: u64) {
        let model = self.any_model();
        let serving = self.serving(&self.lab.data(), &model);
        let daemon = Daemon::start(self.among_mounts(&serving, true, ""));
        let expected: BTreeSet<String> = self
            .files()
            .iter()
            .map(|path| blake3::hash(&fs::read(path).unwrap()).to_string())
            .collect();
        wait_until(
            &daemon,
            seed,
            "the images are those of the files",
            |daemon| {
                let status = get(daemon, "/api/v1/status").unwrap_or_default();
                status["progress"]["queued"] == 0
                    && status["model"]["name"] == model.to_str().unwrap()
                    && status["images"] == expected.len()
                    && ids(daemon) == expected
            },
        );
        let failures = get(&daemon, "/api/v1/failures").unwrap();
        assert_eq!(failures["failures"], Value::Array(vec![]), "seed {seed}");
        let exported = get(&daemon, "/api/v1/decisions").unwrap();
        self.check_decisions(&exported, seed);
        let fresh = self.fresh(&exported, &model);
        wait_until(
            &daemon,
            seed,
            "tags are those of a fresh library",
            |daemon| tags(daemon) == fresh,
        );
    }

    fn check_decisions(&self, exported: &Value, seed: u64) {
        let mut found = BTreeMap::new();
        for decision in exported["decisions"].as_array().unwrap() {
            let text = |name: &str| decision[name].as_str().unwrap().to_owned();
            found.insert((text("image"), text("label")), text("decision"));
        }
        for (key, allowed) in &self.decisions {
            let kept = found.get(key).cloned();
            assert!(
                allowed.contains(&kept),
                "seed {seed}: {key:?} is {kept:?}, not one of {allowed:?}"
            );
        }
    }

    /// The tags of a library that never saw a fault.
    fn fresh(&self, decisions: &Value, model: &Path) -> BTreeSet<String> {
        let library = self.lab.photos().with_file_name("fresh");
        let _ = fs::remove_dir_all(&library);
        let serving = self.serving(&library, model);
        let daemon = Daemon::start(self.among_mounts(&serving, true, ""));
        daemon.wait_for_images(ids_of(&self.files()));
        let lines: Vec<String> = decisions["decisions"]
            .as_array()
            .unwrap()
            .iter()
            .map(Value::to_string)
            .collect();
        let answer = daemon.send("POST", "/api/v1/decisions/import", &[], &lines.join("\n"));
        assert_eq!(answer.0, 200, "{}", answer.1);
        tags(&daemon)
    }
}

fn ids_of(files: &[PathBuf]) -> usize {
    let hashes: BTreeSet<_> = files
        .iter()
        .map(|path| *blake3::hash(&fs::read(path).unwrap()).as_bytes())
        .collect();
    hashes.len()
}

fn ids(daemon: &Daemon) -> BTreeSet<String> {
    let images = get(daemon, "/api/v1/images?limit=1000").unwrap_or_default();
    let items = images["items"].as_array().cloned().unwrap_or_default();
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

/// A line for each tag: image, set, label, who says so, and the score to three digits.
fn tags(daemon: &Daemon) -> BTreeSet<String> {
    let images = get(daemon, "/api/v1/images?limit=1000").unwrap_or_default();
    let mut lines = BTreeSet::new();
    for item in images["items"].as_array().cloned().unwrap_or_default() {
        for tag in item["tags"].as_array().unwrap() {
            let score = tag["score"].as_f64().unwrap();
            lines.insert(format!(
                "{} {} {} {} {score:.3}",
                item["id"], tag["set"], tag["label"], tag["source"]
            ));
        }
    }
    lines
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        .build();
    config.into()
}

/// An answer, unless the daemon is dead.
fn get(daemon: &Daemon, path: &str) -> Option<Value> {
    let mut answer = agent()
        .get(format!("http://{}{path}", daemon.address))
        .call()
        .ok()?;
    serde_json::from_slice(&answer.body_mut().read_to_vec().ok()?).ok()
}

fn wait_until(daemon: &Daemon, seed: u64, what: &str, is_so: impl Fn(&Daemon) -> bool) {
    let deadline = Instant::now() + lab::DEADLINE;
    while !is_so(daemon) {
        let status = || get(daemon, "/api/v1/status").unwrap_or_default();
        let failures = || get(daemon, "/api/v1/failures").unwrap_or_default();
        assert!(
            Instant::now() < deadline,
            "seed {seed}: not so: {what}\n{:#}\n{:#}",
            status(),
            failures()
        );
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// Builds the library of faults; whoever builds pixdex has a C compiler.
fn build_faults(folder: &Path) -> PathBuf {
    let library = folder.join("faults.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/faults/faults.c");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .status();
    assert!(built.unwrap().success());
    library
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn nothing_is_lost_whatever_fails_and_whenever() {
    let folder = tempfile::tempdir().unwrap();
    let faults = build_faults(folder.path());
    let first = setting("CHAOS_SEED", 1);
    for seed in first..first + setting("CHAOS_ROUNDS", ROUNDS) {
        let started = Instant::now();
        let mut world = World::new(seed);
        for _ in 1..LIVES {
            world.live(&faults);
        }
        world.check(seed);
        println!(
            "seed {seed}: {} files, {:?}",
            world.files().len(),
            started.elapsed()
        );
    }
}
