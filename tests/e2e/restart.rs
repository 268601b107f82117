//! Nothing is lost: kill -9 at any time, a polite end in time, and one owner at a time.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::{COLOURS, DEADLINE, Lab};

#[test]
fn a_killed_first_index_is_finished_by_the_next_one() {
    const PICTURES: usize = 400;
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    (0..PICTURES).for_each(|seed| drop(lab.add(&format!("{}/{seed}.png", seed % 7), seed as u32)));
    let indexed_files = || {
        let status = lab.run(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
        status["files"]["indexed"].as_u64().unwrap_or_default()
    };
    // Killed again and again, each time after it got on a little.
    let mut done = 0;
    for _ in 0..3 {
        let mut command = lab.command(&["index", lab.photos().to_str().unwrap()]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + DEADLINE;
        while indexed_files() < done + 16 && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline);
            thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        done = indexed_files();
    }
    assert!(done < PICTURES as u64, "killed too late to prove anything");
    let report = lab.index();
    assert_eq!(report["images"], PICTURES);
    assert_eq!(
        report["indexed"].as_u64().unwrap() + report["unchanged"].as_u64().unwrap(),
        PICTURES as u64
    );
    assert_eq!(
        report["unchanged"], done,
        "what was written before the kill is not read again"
    );
    let answer = lab.json(&["search", "anything strictness:0", "--limit", "1000"]);
    let items = answer["items"].as_array().unwrap();
    let paths: BTreeSet<&str> = items
        .iter()
        .map(|item| item["path"].as_str().unwrap())
        .collect();
    assert_eq!(
        (items.len(), paths.len()),
        (PICTURES, PICTURES),
        "every picture is there exactly once"
    );
    assert_eq!(lab.index()["unchanged"], PICTURES);
}

#[test]
fn a_daemon_that_is_told_to_stop_ends_in_time() {
    let lab = Lab::new();
    (0..50).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    for signal in ["-TERM", "-INT"] {
        let mut daemon = lab.serve();
        // An open connection that asks for nothing must not hold it up.
        let _idle = std::net::TcpStream::connect(&daemon.address).unwrap();
        let asked = Instant::now();
        daemon.signal(signal);
        assert_eq!(daemon.wait().code(), Some(0));
        assert!(
            asked.elapsed() < Duration::from_secs(5),
            "{:?}",
            asked.elapsed()
        );
    }
    let daemon = lab.serve();
    daemon.wait_for_images(50);
}

#[test]
fn a_second_daemon_is_refused_and_says_where_the_first_one_is() {
    let lab = Lab::new();
    let daemon = lab.serve();
    let output = lab.run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        lab.photos().to_str().unwrap(),
    ]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && error.contains(&format!("http://{}", daemon.address)),
        "{error}"
    );
}

#[test]
fn what_changed_while_nobody_watched_is_seen_at_the_start() {
    let lab = Lab::new();
    (0..5).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    let mut daemon = lab.serve();
    daemon.wait_for_images(5);
    daemon.signal("-KILL");
    daemon.wait();
    std::fs::remove_file(lab.photo("0.png")).unwrap();
    std::fs::rename(lab.photo("1.png"), lab.photo("moved.png")).unwrap();
    lab.add("2.png", 200);
    lab.add("new.png", 300);
    // The folders are remembered.
    let mut command = lab.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("PIXDEX_INGEST__SETTLE_MS", "100");
    let daemon = crate::lab::Daemon::start(command);
    let names = ["2.png", "3.png", "4.png", "moved.png", "new.png"];
    let expected: Vec<String> = names
        .iter()
        .map(|name| lab.photo(name).display().to_string())
        .collect();
    daemon.wait_until(|daemon| daemon.paths() == expected);
    daemon.wait_for_images(5);
}

#[test]
fn the_index_is_kept_and_a_damaged_one_is_thrown_away() {
    const PICTURES: usize = 60;
    let lab = Lab::new();
    (0..PICTURES as u32).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    lab.index();
    let serve = || {
        let mut command = lab.command(&["serve", "--listen", "127.0.0.1:0"]);
        command
            .arg(lab.photos())
            .env("PIXDEX_INDEX__HNSW_FROM", "50");
        crate::lab::Daemon::start(command)
    };
    let all = |daemon: &crate::lab::Daemon| {
        let status = daemon.get("/api/v1/status").1;
        let found = daemon
            .get("/api/v1/search?q=anything&strictness=0&limit=1000")
            .1;
        assert_eq!(
            found["items"].as_array().unwrap().len(),
            PICTURES,
            "{status:#}"
        );
        status
    };
    let stop = |mut daemon: crate::lab::Daemon| {
        daemon.signal("-KILL");
        daemon.wait();
    };
    let daemon = serve();
    daemon.wait_until(|daemon| daemon.get("/api/v1/status").1["index"]["graph_images"] == PICTURES);
    let measured = all(&daemon)["index"].clone();
    assert!(
        measured["text"]["recall"].as_f64().unwrap() > 0.9,
        "{measured:#}"
    );
    assert!(
        measured["image"]["recall"].as_f64().unwrap() > 0.9,
        "{measured:#}"
    );
    stop(daemon);

    let daemon = serve();
    assert_eq!(
        all(&daemon)["index"],
        measured,
        "what was built and measured outlives the process"
    );
    stop(daemon);

    let mut files = std::fs::read_dir(lab.data().join("index")).unwrap();
    let file = files.next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let daemon = serve();
    // Another one is built from the store.
    daemon.wait_until(|_| std::fs::read(&file).is_ok_and(|new| new != bytes));
    daemon.wait_until(|daemon| daemon.get("/api/v1/status").1["index"]["graph_images"] == PICTURES);
    all(&daemon);
}
