//! What is seen in a file, and what an image's time is taken from.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::lab::{Lab, jpeg, picture};

fn inspect(lab: &Lab, names: &[&str]) -> (bool, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_pixdex"))
        .args(["inspect", "--json"])
        .args(names.iter().map(|name| lab.photo(name)))
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.success(), report)
}

#[test]
fn a_file_is_inspected_wherever_it_lies() {
    let lab = Lab::new();
    let [png, text, cut] = ["a.jpg", "b.png", "c.jpg"].map(|name| lab.photo(name));
    fs::create_dir_all(lab.photos()).unwrap();
    fs::write(&png, picture(1)).unwrap();
    fs::write(text, "no picture").unwrap();
    fs::write(cut, &jpeg(1)[..300]).unwrap();
    let (all_well, report) = inspect(&lab, &["a.jpg", "b.png", "c.jpg", "nowhere.png"]);
    assert!(!all_well);
    let files = report["files"].as_array().unwrap();
    let first = &files[0];
    assert_eq!(
        (&first["format"], &first["width"]),
        (&json!("png"), &json!(64))
    );
    assert_eq!(
        first["warnings"],
        json!(["its name does not say that it is png"])
    );
    assert_eq!(first["id"], blake3::hash(&picture(1)).to_string());
    assert!(first["error"].is_null());
    for (file, reason) in files[1..]
        .iter()
        .zip(["not of a format", "truncated", "cannot be read"])
    {
        let error = file["error"].as_str().unwrap();
        assert!(error.contains(reason), "{error}");
    }

    let out = lab.data().with_extension("out.png");
    let output = Command::new(env!("CARGO_BIN_EXE_pixdex"))
        .arg("inspect")
        .arg(&png)
        .arg("--out")
        .arg(&out)
        .env("PIXDEX_MODEL", "bundled")
        .output()
        .unwrap();
    assert!(output.status.success());
    let seen = image::open(&out).unwrap();
    assert!(seen.width() == seen.height() && seen.width() >= 32);
}

fn set_time(path: &Path, seconds: u64) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .unwrap();
}

/// The same files give the same time, in whatever order they were met, and whichever of them went.
#[test]
fn a_picture_without_a_date_has_that_of_its_earliest_name_or_file() {
    const YEAR_2001: u64 = 1_000_000_000;
    let lab = Lab::new();
    set_time(&lab.add("a.png", 1), YEAR_2001 + 100 * 86_400);
    let taken = || {
        lab.index();
        let output = lab.run(&["export", "-"]);
        let line: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |key: &str| line[key].as_str().unwrap().to_owned();
        (text("taken_at")[..7].to_owned(), text("date_source"))
    };
    let of = |at: &str, source: &str| (at.to_owned(), source.to_owned());
    assert_eq!(taken(), of("2001-12", "file_time"));
    set_time(&lab.add("b.png", 1), YEAR_2001);
    assert_eq!(taken(), of("2001-09", "file_time"));
    lab.add("IMG_20190501_120000.png", 1);
    assert_eq!(taken(), of("2019-05", "file_name"));
    lab.add("2018-04-03.png", 1);
    assert_eq!(taken(), of("2018-04", "file_name"));
    fs::remove_file(lab.photo("2018-04-03.png")).unwrap();
    assert_eq!(taken(), of("2019-05", "file_name"));
    for name in ["IMG_20190501_120000.png", "b.png"] {
        fs::remove_file(lab.photo(name)).unwrap();
    }
    assert_eq!(taken(), of("2001-12", "file_time"));
}
