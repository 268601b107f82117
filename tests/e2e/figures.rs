//! The figures that `tests/benches/README.md` quotes. They take a while and depend on the machine, so they run when asked for:
//!
//! `cargo test --release --test e2e -- --ignored --nocapture figures`

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::{COLOURS, Daemon, Lab, demo_library};

fn library(count: u32) -> Lab {
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    (0..count).for_each(|seed| drop(lab.add(&format!("{}/{seed}.png", seed % 100), seed)));
    lab
}

#[test]
#[ignore = "a measurement: a minute and more"]
fn figures_of_ten_thousand_pictures() {
    let lab = library(10_000);
    let started = Instant::now();
    assert_eq!(lab.index()["indexed"], 10_000);
    println!(
        "first pass over 10,000 pictures: {:.1} s",
        started.elapsed().as_secs_f32()
    );
    let started = Instant::now();
    assert_eq!(lab.index()["unchanged"], 10_000);
    println!(
        "second pass, nothing changed: {:.2} s",
        started.elapsed().as_secs_f32()
    );

    let daemon = lab.serve();
    daemon.wait_until(|daemon| daemon.get("/api/v1/status").1["images"] == 10_000);
    let has_green = |tags: &serde_json::Value| {
        tags["tags"]
            .as_array()
            .unwrap()
            .iter()
            .any(|tag| tag["label"] == "green")
    };
    lab.write_labels("colours", &COLOURS.replace("red", "green"));
    let started = Instant::now();
    let mut slowest = Duration::ZERO;
    loop {
        let asked = Instant::now();
        assert_eq!(daemon.get("/api/v1/search?q=a+red+star&limit=10").0, 200);
        let (status, tags) = daemon.get("/api/v1/tags");
        assert_eq!(status, 200);
        slowest = slowest.max(asked.elapsed());
        if has_green(&tags) {
            break;
        }
        assert!(started.elapsed() < Duration::from_mins(1));
    }
    println!(
        "10,000 images converged to an edited label file after {:.2} s; the slowest search and tag query meanwhile took {} ms",
        started.elapsed().as_secs_f32(),
        slowest.as_millis(),
    );
}

#[test]
#[ignore = "a measurement: a minute"]
fn figures_of_a_killed_first_index() {
    let lab = library(2_000);
    let mut command = lab.command(&["index", lab.photos().to_str().unwrap()]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_secs(3));
    child.kill().unwrap();
    child.wait().unwrap();
    let before = lab.json(&["status"])["files"]["indexed"].as_u64().unwrap();
    let report = lab.index();
    println!("killed after {before} of 2,000 pictures; the next pass: {report}");
    assert_eq!(
        (&report["images"], &report["unchanged"]),
        (&2_000.into(), &before.into())
    );
}

#[test]
#[ignore = "a measurement"]
fn figures_of_a_picture_that_lands() {
    let lab = Lab::new();
    lab.write_labels(
        "colours",
        include_str!("../../config/labels/drawn/colours.toml"),
    );
    let drawn = lab.photos().with_file_name("drawn");
    let pictures = demo_library(&drawn);
    let star = pictures
        .iter()
        .find(|picture| (picture.thing, picture.colour) == ("star", "red"))
        .unwrap();
    let mut command = lab.command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        lab.photos().to_str().unwrap(),
    ]);
    command.env("PIXDEX_INGEST__SETTLE_MS", "1000");
    let daemon = Daemon::start(command);
    fs::copy(drawn.join(&star.path), lab.photo("new.jpg")).unwrap();
    let written = Instant::now();
    let is_tagged = |daemon: &Daemon| {
        let items = daemon.get("/api/v1/search?q=a+red+star&tag=red").1;
        items["items"]
            .as_array()
            .is_some_and(|items| !items.is_empty())
    };
    daemon.wait_until(is_tagged);
    println!(
        "found and tagged {} ms after its last byte, settle time 1 s",
        written.elapsed().as_millis()
    );
}
