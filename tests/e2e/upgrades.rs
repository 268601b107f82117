//! Libraries of every release are brought along, with all that their owners decided.

use std::fs::{self, File};
use std::io::copy;
use std::path::Path;

use flate2::read::GzDecoder;

use crate::lab::{COLOURS, Daemon, Lab};

#[test]
fn every_release_is_brought_along() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/databases");
    let databases = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut seen = 0;
    for database in databases.filter(|path| path.extension().is_some_and(|ending| ending == "gz")) {
        let lab = Lab::new();
        lab.write_labels("colours", COLOURS);
        fs::create_dir(lab.data()).unwrap();
        let mut unpacked = File::create(lab.data().join("library.db")).unwrap();
        copy(
            &mut GzDecoder::new(File::open(&database).unwrap()),
            &mut unpacked,
        )
        .unwrap();
        check(&lab, &database);
        seen += 1;
    }
    assert!(seen > 0);
}

fn check(lab: &Lab, database: &Path) {
    let release = database.display();
    let status = lab.json(&["status"]);
    assert_eq!(
        (&status["images"], &status["files"]["gone"]),
        (&4.into(), &1.into()),
        "{release}"
    );
    let failures = lab.json(&["failures"]);
    assert_eq!(
        failures["failures"][0]["path"], "/srv/photos/bad.png",
        "{release}"
    );
    assert_eq!(
        lab.json(&["token", "list"])["tokens"][0]["scope"],
        "label",
        "{release}"
    );
    let decided = lab.run(&["decisions", "export"]).stdout;
    let decided = String::from_utf8(decided).unwrap();
    assert!(
        decided.lines().count() == 1 && decided.contains("\"blue\""),
        "{release}: {decided}"
    );
    let found = lab.json(&["search", "something red"]);
    let path = found["items"][0]["path"].as_str().unwrap();
    assert!(path.starts_with("/srv/photos/"), "{release}: {path}");
    // A daemon goes on with it: its folder is away, and nothing in it is believed to be deleted.
    let daemon = Daemon::start(lab.serving(&lab.photos()));
    lab.add("new.png", 1);
    daemon.wait_for_images(5);
    let blue = daemon.get("/api/v1/images?tag=colours/blue").1;
    let paths: Vec<&str> = blue["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["path"].as_str().unwrap())
        .collect();
    assert!(
        paths.contains(&"/srv/photos/red.png"),
        "{release}: {paths:?}"
    );
}
