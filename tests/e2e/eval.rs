//! How often the model is right, told by the program itself on pictures whose classes are known.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::lab::{Lab, demo_library};

/// The demo's pictures, each in a folder named after the thing that it shows.
fn by_thing(drawn: &Path, folder: &Path) -> usize {
    let pictures = demo_library(drawn);
    for (at, picture) in pictures.iter().enumerate() {
        let class = folder.join(picture.thing.replace(' ', "_"));
        fs::create_dir_all(&class).unwrap();
        let extension = picture.path.extension().unwrap().to_str().unwrap();
        fs::copy(
            drawn.join(&picture.path),
            class.join(format!("{at:03}.{extension}")),
        )
        .unwrap();
    }
    pictures.len()
}

#[test]
fn pictures_of_known_classes_are_classified() {
    let lab = Lab::new();
    let drawn = tempfile::tempdir().unwrap();
    let count = by_thing(drawn.path(), &lab.photos());
    let photos = lab.photos();
    let eval = ["eval", photos.to_str().unwrap()];
    let report = lab.json(&eval);
    assert_eq!(report["images"], count);
    let (top1, top5) = (
        report["top1"].as_f64().unwrap(),
        report["top5"].as_f64().unwrap(),
    );
    println!(
        "top-1 {top1}, top-5 {top5}, {} images/s",
        report["images_per_s"]
    );
    assert!(top1 > 0.9 && top5 >= top1, "{top1} {top5}");
    assert_eq!(report["predictions"].as_array().unwrap().len(), count);
    // A broken picture is told, does not count, and does not stop the rest.
    let broken = lab.photos().join("house/broken.jpg");
    fs::create_dir_all(broken.parent().unwrap()).unwrap();
    fs::write(&broken, "no picture").unwrap();
    let output = lab.run(&eval);
    assert!(!output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("broken.jpg: not of a format"), "{text}");
    assert!(text.contains(&format!("{count:>7} ")), "{text}");
}

#[test]
#[ignore = "needs a Python with tests/benches/peers/requirements.txt: name it in PYTHON"]
fn figures_of_eval_agree_with_hugging_face() {
    let lab = Lab::new();
    let drawn = tempfile::tempdir().unwrap();
    by_thing(drawn.path(), &lab.photos());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let report = lab.json(&["eval", lab.photos().to_str().unwrap()]);
    let predictions = drawn.path().join("predictions.json");
    fs::write(&predictions, report.to_string()).unwrap();
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut agree = Command::new(python);
    agree.arg(root.join("tests/benches/peers/agree.py"));
    agree.arg(root.join("src/model/bundled")).arg(predictions);
    assert!(agree.status().unwrap().success(), "they differ");
}

#[test]
fn what_cannot_be_measured_is_refused_with_the_way_out() {
    let lab = Lab::new();
    lab.add("one/a.png", 1);
    let photos = lab.photos();
    let error = |arguments: &[&str]| {
        let all = [&["eval", photos.to_str().unwrap()], arguments].concat();
        String::from_utf8(lab.run(&all).stderr).unwrap()
    };
    assert!(error(&[]).contains("are of one class"));
    assert!(error(&["--template", "a photo"]).contains("lacks {label}"));
    assert!(error(&["--names", "nowhere.csv"]).contains("failed to read `nowhere.csv`"));
}
