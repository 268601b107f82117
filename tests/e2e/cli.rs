//! The command line: commands ask the daemon where there is one, and mistakes are told.

use std::fs;

use serde_json::Value;

use crate::lab::{COLOURS, Lab};

#[test]
fn commands_answer_alike_with_and_without_a_daemon() {
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    (0..5).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    fs::write(lab.photo("bad.png"), "no picture").unwrap();
    lab.index();
    let commands: [&[&str]; 4] = [
        &["search", "something red", "--limit", "3"],
        &["search", "tag:red -blue"],
        &["tags"],
        &["failures"],
    ];
    let alone: Vec<Value> = commands.iter().map(|command| lab.json(command)).collect();
    assert_eq!(alone[0]["items"].as_array().unwrap().len(), 3);
    assert_eq!(alone[3]["failures"].as_array().unwrap().len(), 1);
    let daemon = lab.serve();
    daemon.wait_for_images(5);
    let asked: Vec<Value> = commands.iter().map(|command| lab.json(command)).collect();
    assert_eq!(alone, asked);
    assert_eq!(
        lab.json(&["status"])["daemon"],
        format!("http://{}", daemon.address)
    );
    // The library has an owner now.
    let output = lab.run(&["index", lab.photos().to_str().unwrap()]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && error.contains(&daemon.address),
        "{error}"
    );
}

/// As a user who may not write the library; root may write everything, and is somebody else for this.
#[cfg(unix)]
#[test]
fn a_library_that_cannot_be_written_is_searched_and_looked_at() {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    (0..3).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    lab.index();
    let allow = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for entry in fs::read_dir(lab.data()).unwrap() {
        let entry = entry.unwrap();
        let is_folder = entry.file_type().unwrap().is_dir();
        allow(&entry.path(), if is_folder { 0o555 } else { 0o444 });
    }
    allow(&lab.data(), 0o555);
    allow(lab.data().parent().unwrap(), 0o755);
    let is_root = fs::write(lab.data().join("root"), "").is_ok();
    let commands: [&[&str]; 5] = [
        &["search", "something red"],
        &["tags"],
        &["status"],
        &["failures"],
        &["export", "-"],
    ];
    for arguments in commands {
        let command = lab.command(arguments);
        let output = if is_root {
            let mut lowered = std::process::Command::new("setpriv");
            lowered.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
            lowered.arg(command.get_program()).args(command.get_args());
            lowered.env("PIXDEX_MODEL", "bundled").output()
        } else {
            Ok(lab.run(arguments))
        };
        let output = output.unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
    }
    allow(&lab.data(), 0o755);
}

#[test]
fn mistakes_name_the_thing_and_the_way_out() {
    let lab = Lab::new();
    let error = |arguments: &[&str]| {
        let output = lab.run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(error(&["search", "a"]).contains("pixdex index"));
    assert!(error(&["tags"]).contains("there is no library"));
    assert!(error(&["serve", "--listen", "0.0.0.0:0", "."]).contains("--allow-anonymous"));
    assert!(error(&["embed"]).contains("--image"));
    assert!(error(&["embed", "--text", "x", "--device", "cuda"]).contains("--device cpu"));
    assert!(error(&["embed", "--text", "x", "--model", "nonsense"]).contains("owner/name"));
    assert!(
        error(&["embed", "--text", "x", "--model", "/no/such/folder"]).contains("/no/such/folder")
    );
    assert!(error(&["index", "Cargo.toml"]).contains("is a file"));
    let above = lab.photos().parent().unwrap().display().to_string();
    assert!(error(&["index", &above]).contains("lies inside the watched folder"));
    lab.write_labels("broken", "threshold = 3\n[[labels]]\nname = 'x'");
    let output = lab.run(&["labels", "check", "--json"]);
    assert!(!output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        report["files"][0]["error"]
            .as_str()
            .unwrap()
            .contains("threshold")
    );
}

#[test]
fn raw_embeddings_are_unit_vectors_that_understand() {
    let lab = Lab::new();
    let folder = lab.photos();
    let pictures = crate::lab::demo_library(&folder);
    let star = pictures
        .iter()
        .find(|picture| picture.thing == "star" && picture.colour == "red")
        .unwrap();
    let file = folder.join(&star.path).display().to_string();
    let answer = lab.json(&[
        "embed",
        "--image",
        &file,
        "--text",
        "a red star",
        "a blue boat",
    ]);
    let vector = |kind: &str, name: &str| -> Vec<f64> {
        answer[kind][name]
            .as_array()
            .unwrap()
            .iter()
            .map(|value| value.as_f64().unwrap())
            .collect()
    };
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let (image, right, wrong) = (
        vector("images", &file),
        vector("texts", "a red star"),
        vector("texts", "a blue boat"),
    );
    for vector in [&image, &right, &wrong] {
        assert!((dot(vector, vector) - 1.0).abs() < 1e-5);
    }
    assert!(dot(&image, &right) > dot(&image, &wrong) + 0.1);
    let info = lab.json(&["model", "info"]);
    assert_eq!(
        (&info["name"], info["embedding_dim"].as_u64()),
        (&"bundled".into(), Some(image.len() as u64))
    );
    assert_eq!(info["device"], "cpu");
}

#[test]
fn the_doctor_says_what_stands_in_the_way_and_what_helps() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    lab.index();
    let look = || {
        let output = lab.run(&["doctor", "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (
            output.status.success(),
            report["findings"].as_array().unwrap().clone(),
        )
    };
    let of = |findings: &[Value], what: &str| {
        let found = findings.iter().find(|finding| finding["what"] == what);
        found
            .unwrap_or_else(|| panic!("{what}: {findings:?}"))
            .clone()
    };
    let (is_well, findings) = look();
    assert!(is_well, "{findings:?}");
    assert_eq!(of(&findings, "model")["state"], "note");
    assert_eq!(
        of(&findings, "database")["is"],
        "1 images; `pixdex check` looks at all of it"
    );
    assert_eq!(of(&findings, "daemon")["is"], "none runs on this library");
    for what in [
        "processor",
        "memory",
        "clock",
        "disk",
        "library",
        "pictures",
        "labels",
    ] {
        of(&findings, what);
    }
    let daemon = lab.serve();
    let said = of(&look().1, "daemon")["is"].to_string();
    assert!(said.contains(&daemon.address), "{said}");
    drop(daemon);
    fs::remove_dir_all(lab.photos()).unwrap();
    let (is_well, findings) = look();
    let pictures = of(&findings, "pictures");
    assert!(
        !is_well && pictures["state"] == "wrong" && pictures["helps"].is_string(),
        "{pictures}"
    );
    fs::write(lab.data().join("library.db"), "no database").unwrap();
    assert_eq!(of(&look().1, "database")["state"], "wrong");
    let words = lab.run(&["doctor"]);
    assert!(String::from_utf8_lossy(&words.stdout).contains("WRONG"));
}
