//! What stands in the way for a while takes no picture away: permissions, descriptors, links and pipes in a picture's place.

use std::fs::{self, File, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::lab::{Daemon, Lab, limited, picture, run_by};
use crate::mounts::{NAMESPACE, can_be_apart};

/// Nobody's number: root may read whatever it likes, and so sees no trouble.
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

/// A command that may read only what its files allow.
fn as_nobody(lab: &Lab, mut command: Command) -> Command {
    if is_root() {
        for path in [lab.photos(), lab.labels(), lab.data()] {
            fs::create_dir_all(&path).unwrap();
            fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o777)).unwrap();
            let chown = Command::new("chown")
                .args(["-R", "65534"])
                .arg(&path)
                .status();
            assert!(chown.unwrap().success());
        }
        command.uid(NOBODY);
    }
    command
}

fn serve(lab: &Lab) -> Daemon {
    let mut command = lab.command(&["serve", "--listen", "127.0.0.1:0"]);
    command
        .arg(lab.photos())
        .env("PIXDEX_INGEST__SETTLE_MS", "300");
    Daemon::start(as_nobody(lab, command))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn waiting(daemon: &Daemon) -> Vec<Value> {
    let failures = daemon.get("/api/v1/failures").1;
    assert_eq!(failures["failures"], Value::Array(vec![]));
    failures["waiting"].as_array().unwrap().clone()
}

#[test]
fn a_file_that_may_not_be_read_keeps_its_image_and_is_read_as_soon_as_it_may_be() {
    let lab = Lab::new();
    let known = lab.add("known.png", 1);
    let daemon = serve(&lab);
    daemon.wait_for_images(1);
    let before = daemon.images()[0]["id"].clone();

    // Changed and locked, and one that was never seen: locked before either has its name, so that nobody reads it in between.
    for (name, seed) in [("known.png", 2), ("new.png", 3)] {
        let locked = lab.photo(&format!(".{name}"));
        fs::write(&locked, picture(seed)).unwrap();
        set_mode(&locked, 0);
        fs::rename(&locked, lab.photo(name)).unwrap();
    }
    daemon.wait_until(|daemon| waiting(daemon).len() == 2);
    let images = daemon.images();
    assert_eq!((images.len(), &images[0]["id"]), (1, &before));
    let groups = daemon.get("/api/v1/status").1["waiting"].clone();
    assert_eq!(
        (groups.as_array().unwrap().len(), &groups[0]["files"]),
        (1, &2.into())
    );
    let reason = waiting(&daemon)[0]["reason"].to_string();
    assert!(reason.contains("Permission denied"), "{reason}");
    assert!(waiting(&daemon)[0]["next_try_at"].as_i64() > Some(1_700_000_000));

    set_mode(&known, 0o644);
    set_mode(&lab.photo("new.png"), 0o644);
    daemon.wait_until(|daemon| waiting(daemon).is_empty());
    daemon.wait_for_images(2);
    assert!(daemon.images().iter().all(|image| image["id"] != before));
}

#[test]
fn one_pass_tells_by_its_exit_code_that_files_wait_and_the_next_one_tries_them() {
    let lab = Lab::new();
    lab.add("fine.png", 1);
    let locked = lab.add("locked.png", 2);
    let index = |expected: i32| {
        let photos = lab.photos();
        let arguments = ["index", photos.to_str().unwrap(), "--json"];
        let mut command = as_nobody(&lab, lab.command(&arguments));
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(expected), "{error}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    set_mode(&locked, 0);
    let report = index(3);
    assert_eq!(
        (&report["images"], &report["waiting"]),
        (&1.into(), &1.into())
    );
    assert_eq!(report["failed"], 0);
    index(3);
    set_mode(&locked, 0o644);
    let report = index(0);
    assert_eq!(
        (&report["images"], &report["waiting"]),
        (&2.into(), &0.into())
    );
}

#[test]
fn a_folder_that_cannot_be_looked_into_keeps_what_is_in_it() {
    let lab = Lab::new();
    for (seed, name) in ["closed/a.png", "listed/b.png", "c.png"].iter().enumerate() {
        lab.add(name, seed as u32);
    }
    let daemon = serve(&lab);
    daemon.wait_for_images(3);
    // One cannot be listed; the other can, but nothing in it be looked at.
    set_mode(&lab.photo("closed"), 0);
    set_mode(&lab.photo("listed"), 0o444);
    assert_eq!(daemon.send("POST", "/api/v1/rescan", &[], "").0, 200);
    lab.add("d.png", 9);
    daemon.wait_for_images(4);
    let files = daemon.get("/api/v1/status").1["files"].clone();
    assert_eq!(files, json!({"indexed": 4}), "nothing is taken to be away");
    set_mode(&lab.photo("closed"), 0o755);
    set_mode(&lab.photo("listed"), 0o755);
    assert_eq!(daemon.paths().len(), 4);
}

#[test]
fn no_descriptors_left_is_one_trouble_that_passes() {
    let lab = Lab::new();
    let serve = lab.command(&["serve", "--listen", "127.0.0.1:0"]);
    let daemon = Daemon::start(limited(&lab, &serve, 40));
    let clients: Vec<TcpStream> = (0..100)
        .map_while(|_| TcpStream::connect(&daemon.address).ok())
        .collect();
    for seed in 0..20 {
        lab.add(&format!("{seed}.png"), seed);
    }
    // Of a picture or of the database: whichever meets it first.
    let line = daemon.wait_for_log("indexing pauses");
    assert!(line.contains("Too many open files"), "{line}");
    drop(clients);
    daemon.wait_for_images(20);
    assert!(waiting(&daemon).is_empty());
    assert!(daemon.get("/api/v1/status").1["progress"]["trouble"].is_null());
}

/// A table of the database that has gone for a while stands for a disk that gives and takes nothing.
fn without_table<T>(lab: &Lab, table: &str, meanwhile: impl FnOnce() -> T) -> T {
    let database = Connection::open(lab.data().join("library.db")).unwrap();
    // Views stay as they are, and fail.
    database
        .pragma_update(None, "legacy_alter_table", true)
        .unwrap();
    let rename = |from: &str, to: &str| {
        let rename = format!("ALTER TABLE {from} RENAME TO {to}");
        database.execute_batch(&rename).unwrap();
    };
    rename(table, "away");
    let result = meanwhile();
    rename("away", table);
    result
}

fn trouble(daemon: &Daemon) -> Value {
    daemon.get("/api/v1/status").1["progress"]["trouble"].clone()
}

#[test]
fn a_library_that_fails_while_files_are_read_is_one_trouble_with_growing_pauses() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    daemon.rest_of_log();
    without_table(&lab, "imported", || {
        (2..6).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
        daemon.wait_until(|daemon| trouble(daemon)["attempts"].as_i64() >= Some(3));
        assert_eq!(trouble(&daemon)["stage"], "read");
    });
    let log = daemon.rest_of_log();
    let lines = |text: &str| log.iter().filter(|line| line.contains(text)).count();
    assert_eq!((lines("indexing pauses"), lines("goes on")), (1, 0));
    daemon.wait_for_images(5);
    assert!(trouble(&daemon).is_null());
}

#[test]
fn a_library_that_cannot_be_asked_about_a_file_is_asked_again() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    without_table(&lab, "embeddings", || {
        lab.add("b.png", 2);
        daemon.wait_until(|daemon| trouble(daemon)["stage"] == "look");
    });
    daemon.wait_for_images(2);
    daemon.wait_until(|daemon| trouble(daemon).is_null());
}

#[test]
fn a_trouble_that_nothing_waits_for_is_none() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    without_table(&lab, "imported", || {
        let path = lab.add("b.png", 2);
        daemon.wait_until(|daemon| trouble(daemon)["stage"] == "read");
        fs::remove_file(path).unwrap();
        daemon.wait_until(|daemon| trouble(daemon).is_null());
    });
}

#[test]
fn an_edit_that_keeps_length_and_time_is_seen() {
    let lab = Lab::new();
    let path = lab.add("a.png", 1);
    let with_length = |seed| {
        // Bytes behind the end of a PNG mean nothing.
        let mut bytes = picture(seed);
        bytes.resize(20_000, 0);
        bytes
    };
    fs::write(&path, with_length(1)).unwrap();
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    let before = daemon.images()[0]["id"].clone();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, with_length(2)).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(modified).unwrap();
    drop(file);
    daemon.wait_until(|daemon| {
        daemon
            .images()
            .first()
            .is_some_and(|image| image["id"] != before)
    });
    assert_eq!(daemon.images().len(), 1);
}

#[test]
fn what_is_put_in_a_pictures_place_is_neither_given_nor_waited_for() {
    let lab = Lab::new();
    let secret = lab.photos().with_file_name("secret");
    fs::write(&secret, "secret").unwrap();
    let names = ["link.png", "pipe.png", "folder.png", "zero.png"];
    for (seed, name) in names.iter().enumerate() {
        lab.add(name, seed as u32);
    }
    // Nobody tells of what happens, where the system can be kept from it: only the door knows.
    let mut serving = lab.serving(&lab.photos());
    serving.env("PIXDEX_INGEST__POLL_INTERVAL_S", "3600");
    if can_be_apart() {
        let blind = "echo 0 > /proc/sys/user/max_inotify_instances; exec \"$@\"";
        serving = run_by(
            &[&NAMESPACE[..], &["sh", "-c", blind, "sh"]].concat(),
            &serving,
        );
    }
    for name in names {
        set_old(&lab.photo(name));
    }
    let daemon = Daemon::start(serving);
    daemon.wait_for_images(4);
    let ids: Vec<(String, Value)> = daemon
        .images()
        .into_iter()
        .map(|image| {
            (
                image["path"].as_str().unwrap().to_owned(),
                image["id"].clone(),
            )
        })
        .collect();
    for name in names {
        fs::remove_file(lab.photo(name)).unwrap();
    }
    symlink(&secret, lab.photo("link.png")).unwrap();
    let fifo = Command::new("mkfifo").arg(lab.photo("pipe.png")).status();
    assert!(fifo.unwrap().success());
    fs::create_dir(lab.photo("folder.png")).unwrap();
    symlink("/dev/zero", lab.photo("zero.png")).unwrap();
    for (path, id) in ids {
        let id = id.as_str().unwrap();
        for what in ["file", "thumbnail"] {
            let address = format!("/api/v1/images/{id}/{what}");
            let (status, bytes) = daemon.bytes("GET", &address, &[], "");
            let text = String::from_utf8_lossy(&bytes).into_owned();
            // A thumbnail that was made before may be given.
            assert!(
                status == 404 && !text.contains("secret"),
                "{path} {what}: {status} {text}"
            );
        }
    }
    daemon.send("POST", "/api/v1/rescan", &[], "");
    lab.add("last.png", 77);
    set_old(&lab.photo("last.png"));
    daemon.send("POST", "/api/v1/rescan", &[], "");
    daemon.wait_for_images(1);
}

/// Gives a file a time at which it is still, however long that takes.
fn set_old(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    let long_ago =
        std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000);
    file.set_modified(long_ago).unwrap();
}

#[test]
fn a_model_that_gives_nonsense_is_refused_before_it_touches_anything() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    lab.add("b.png", 2);
    assert_eq!(lab.index()["images"], 2);
    for (folder, value) in [
        ("nan", f32::NAN),
        ("zero", 0.0),
        ("infinite", f32::INFINITY),
    ] {
        let model = damaged_model(&lab, folder, value);
        let mut command = lab.command(&["index", lab.photos().to_str().unwrap()]);
        command.env("PIXDEX_MODEL", &model);
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("is damaged"), "{folder}: {error}");
    }
    let report = lab.index();
    assert_eq!(
        (&report["images"], &report["unchanged"]),
        (&2.into(), &2.into())
    );
}

/// The bundled model with one value in all places of its last weight for pictures.
fn damaged_model(lab: &Lab, name: &str, value: f32) -> PathBuf {
    lab.model(name, &["visual_projection.weight"], |weight| {
        let bytes = match weight.dtype {
            "F32" => value.to_le_bytes().to_vec(),
            "F16" => half_bits(value).to_le_bytes().to_vec(),
            other => panic!("{other}"),
        };
        let numbers = weight.bytes.chunks_exact_mut(bytes.len());
        numbers.for_each(|number| number.copy_from_slice(&bytes));
    })
}

fn half_bits(value: f32) -> u16 {
    match value {
        0.0 => 0,
        value if value.is_nan() => 0x7e00,
        _ => 0x7c00,
    }
}
