//! What is printed: to a terminal, to a reader who stops, and to where there is no room.

#![cfg(unix)]

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};

use crate::lab::{COLOURS, Lab};

fn lab() -> Lab {
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    (0..2).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    lab
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const ANSWERS: [&[&str]; 9] = [
    &["tags"],
    &["tags", "--json"],
    &["status"],
    &["search", "tag:colours/red"],
    &["decisions", "export"],
    &["export", "-"],
    &["labels", "check"],
    &["duplicates", "--by", "hash"],
    &["--help"],
];

#[test]
fn a_reader_may_stop_and_a_full_disk_is_told() {
    let lab = lab();
    lab.index();
    let found = lab.json(&["search", "path:*"]);
    let id = found["items"][0]["id"].as_str().unwrap();
    let confirmed = lab.json(&["decisions", "confirm", "colours/red", id]);
    assert_eq!(confirmed["changed"], 1);
    for arguments in ANSWERS {
        let mut child = lab
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Nobody reads.
        drop(child.stdout.take());
        let Output { status, stderr, .. } = child.wait_with_output().unwrap();
        let told = text(&stderr);
        let is_quiet = !told.contains("error") && !told.contains("panic");
        assert!(
            status.success() && is_quiet,
            "{arguments:?}: {status} {told}"
        );

        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = lab
            .command(arguments)
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let told = text(&output.stderr);
        let last = told.lines().last().unwrap_or_default();
        assert!(
            output.status.code() == Some(1)
                && last.starts_with("error: failed to write to standard output: No space left"),
            "{arguments:?}: {} {told}",
            output.status
        );
    }
}

#[test]
fn decisions_are_answered_in_json() {
    let lab = lab();
    lab.index();
    let found = lab.json(&["search", "path:*"]);
    let id = found["items"][0]["id"].as_str().unwrap();
    for (verb, changed) in [("confirm", 1), ("confirm", 0), ("reject", 1), ("clear", 1)] {
        let decided = lab.json(&["decisions", verb, "colours/red", id]);
        assert_eq!(
            decided,
            serde_json::json!({ "images": 1, "changed": changed }),
            "{verb}"
        );
    }
    lab.json(&["decisions", "reject", "colours/blue", id]);
    let exported = lab.run(&["decisions", "export"]).stdout;
    let file = lab.data().with_extension("jsonl");
    fs::write(&file, exported).unwrap();
    let imported = lab.json(&["decisions", "import", file.to_str().unwrap()]);
    assert_eq!(imported, serde_json::json!({ "images": 1, "changed": 0 }));
}

/// More than 10 MiB, which an answer of the daemon had as its bound.
#[test]
fn all_decisions_are_exported_beside_a_daemon() {
    let lab = lab();
    let line = |at: usize| {
        format!(
            "{{\"image\": \"{at:064x}\", \"set\": \"colours\", \"label\": \"{}\", \"decision\": \"confirmed\"}}\n",
            "x".repeat(180)
        )
    };
    let file = lab.data().with_extension("jsonl");
    fs::write(&file, (0..40_000).map(line).collect::<String>()).unwrap();
    let daemon = lab.serve();
    let imported = lab.json(&["decisions", "import", file.to_str().unwrap()]);
    assert_eq!(imported["changed"], 40_000);
    let exported = lab.run(&["decisions", "export"]);
    assert!(exported.status.success(), "{}", text(&exported.stderr));
    assert!(exported.stdout.len() > 10 * 1024 * 1024);
    assert_eq!(text(&exported.stdout).lines().count(), 40_000);
    drop(daemon);
}

#[test]
fn names_command_no_terminal() {
    let lab = lab();
    let odd = "evil\n[31mWARN\u{1b}]0;x\u{7}\u{9b}31m\u{202e}gnp.exe\u{2066}";
    fs::write(lab.photo(&format!("{odd}.png")), "no picture").unwrap();
    lab.add(&format!("{odd} good.png"), 3);
    fs::write(lab.labels().join(format!("{odd}.toml")), "").unwrap();
    let index = lab.run(&["index", lab.photos().to_str().unwrap(), "--log", "debug"]);
    let mut printed = vec![index];
    for arguments in [
        &["failures"][..],
        &["search", "path:*"],
        &["status"],
        &["labels", "check"],
        &[
            "search",
            "--image",
            &lab.photo(&format!("{odd}.png")).display().to_string(),
        ],
    ] {
        printed.push(lab.run(arguments));
    }
    let daemon = lab.serve();
    printed.push(lab.run(&["status"]));
    printed.push(lab.run(&["failures"]));
    for output in &printed {
        let all = text(&output.stdout) + &text(&output.stderr);
        let is_order = |c: char| c.is_control() && c != '\n' || "\u{202e}\u{2066}".contains(c);
        assert!(!all.contains(is_order), "{all:?}");
        assert!(!all.contains("evil\n"), "{all}");
    }
    let failures = text(&printed[1].stdout);
    assert!(
        failures.contains(r"evil\n[31mWARN\u{1b}]0;x\u{7}\u{9b}31m\u{202e}gnp.exe\u{2066}.png: "),
        "{failures}"
    );
    // JSON stays exact.
    let failures = daemon.get("/api/v1/failures").1;
    let path = failures["failures"][0]["path"].as_str().unwrap();
    assert!(path.ends_with(&format!("{odd}.png")), "{path:?}");
}

#[test]
fn the_demo_says_what_it_leaves_out_and_serve_looks_before_it_makes_a_library() {
    let lab = lab();
    let output = lab.run(&["demo", "--listen", "127.0.0.1:0"]);
    let told = text(&output.stderr);
    assert!(
        output.status.code() == Some(1) && told.contains("leave out --data-dir"),
        "{told}"
    );

    // Inside of what is to be watched, directly or through a link.
    let (inside, link) = (lab.photo("library"), lab.data().with_extension("link"));
    std::os::unix::fs::symlink(lab.photos(), &link).unwrap();
    for library in [inside.clone(), link.join("library")] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pixdex"));
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--model",
            "bundled",
            "--data-dir",
        ]);
        command
            .arg(&library)
            .arg(lab.photos())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let told: Vec<String> = lines.map_while(Result::ok).collect();
        let told = told.join("\n");
        assert_eq!(child.wait().unwrap().code(), Some(1), "{told}");
        assert!(told.contains("lies inside the watched folder"), "{told}");
        assert!(!inside.exists(), "nothing is made");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_colours_unless_its_owner_wants_none() {
    let lab = lab();
    let photos = lab.photos();
    let index = lab.command(&["index", photos.to_str().unwrap()]);
    let words = std::iter::once(index.get_program()).chain(index.get_args());
    let line = words
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect::<Vec<_>>()
        .join(" ");
    let on_a_terminal = |name: &str, value: &str| {
        let mut script = std::process::Command::new("script");
        script.args(["-qec", &line, "/dev/null"]);
        script.env("PIXDEX_MODEL", "bundled").env("TERM", "xterm");
        script.env_remove("NO_COLOR").env(name, value);
        text(&script.stdin(Stdio::null()).output().unwrap().stdout)
    };
    // How the level of a line is coloured; a bar moves the cursor as well.
    let is_coloured = |shown: &str| shown.contains("\u{1b}[33m") || shown.contains("\u{1b}[32m");
    let shown = on_a_terminal("NO_COLOR", "");
    assert!(is_coloured(&shown), "{shown:?}");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let shown = on_a_terminal(name, value);
        assert!(
            shown.contains("indexed") && !is_coloured(&shown),
            "{shown:?}"
        );
    }
}

#[test]
fn the_log_is_as_loud_as_is_asked_for_and_of_the_form() {
    let lab = Lab::new();
    lab.add("a\nb.png", 1);
    let photos = lab.photos();
    let log = |flags: &[&str]| {
        let indexed = lab.run(&[&["index", photos.to_str().unwrap()], flags].concat());
        assert!(indexed.status.success(), "{flags:?}");
        String::from_utf8(indexed.stderr).unwrap()
    };
    let json = log(&["--log-format", "json", "-v"]);
    assert!(json.lines().count() > 3, "{json}");
    for line in json.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            line["message"].is_string() && line["level"].is_string(),
            "{line}"
        );
    }
    assert!(json.contains("a\\nb.png"), "{json}");
    assert!(json.contains("\"DEBUG\"") && !log(&[]).contains("DEBUG"));
    assert!(!log(&["-q"]).contains("INFO") && log(&["-qq"]).is_empty());
    let both = lab.run(&["index", "-v", "-q", photos.to_str().unwrap()]);
    assert!(!both.status.success());
}
