//! `pixdex index`: one pass brings the library to the state of the folders.

use std::fs;

use crate::lab::{COLOURS, Lab, jpeg};

#[test]
fn a_second_pass_reads_nothing() {
    let lab = Lab::new();
    (0..20).for_each(|seed| drop(lab.add(&format!("{}/{seed}.png", seed % 3), seed)));
    let first = lab.index();
    assert_eq!(
        (&first["indexed"], &first["unchanged"], &first["images"]),
        (&20.into(), &0.into(), &20.into())
    );
    let second = lab.index();
    assert_eq!(
        (&second["indexed"], &second["unchanged"], &second["failed"]),
        (&0.into(), &20.into(), &0.into())
    );
}

#[test]
fn one_bad_file_never_stops_the_rest() {
    let lab = Lab::new();
    lab.add("good.png", 1);
    let whole = jpeg(1);
    fs::write(lab.photo("truncated.jpg"), &whole[..whole.len() / 2]).unwrap();
    fs::write(lab.photo("empty.jpg"), "").unwrap();
    fs::write(lab.photo("page.png"), "<html>").unwrap();
    fs::write(lab.photo("notes.txt"), "no picture, and no failure").unwrap();
    let report = lab.index();
    assert_eq!(
        (&report["indexed"], &report["failed"]),
        (&1.into(), &3.into())
    );
    let failures = lab.json(&["failures"]);
    let reason = |name: &str| {
        let failures = failures["failures"].as_array().unwrap();
        let failure = failures
            .iter()
            .find(|failure| failure["path"].as_str().unwrap().ends_with(name))
            .unwrap();
        failure["reason"].as_str().unwrap().to_owned()
    };
    assert!(
        reason("truncated.jpg").contains("truncated"),
        "{}",
        reason("truncated.jpg")
    );
    assert!(reason("empty.jpg").contains("empty"));
    assert!(reason("page.png").contains("not of a format"));
    // Not tried again until it changes, and then at once.
    assert_eq!(lab.index()["indexed"], 0);
    fs::write(lab.photo("truncated.jpg"), &whole).unwrap();
    let repaired = lab.index();
    assert_eq!(
        (
            &repaired["indexed"],
            &repaired["failed"],
            &repaired["images"]
        ),
        (&1.into(), &2.into(), &2.into())
    );
}

#[test]
fn the_same_content_under_many_names_is_one_image() {
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    lab.add("a.png", 7);
    lab.add("b/copy.png", 7);
    assert_eq!(lab.index()["images"], 1);
    let hits = lab.json(&["search", "a picture"]);
    let items = hits["items"].as_array().unwrap();
    assert_eq!(
        (items.len(), items[0]["paths"].as_array().unwrap().len()),
        (1, 2)
    );
    // A rename keeps everything; only the bytes are hashed again.
    fs::rename(lab.photo("a.png"), lab.photo("renamed.png")).unwrap();
    let report = lab.index();
    assert_eq!(
        (&report["removed"], &report["images"]),
        (&1.into(), &1.into())
    );
    assert_eq!(
        lab.json(&["search", "a picture"])["items"][0]["id"],
        items[0]["id"]
    );
    fs::remove_file(lab.photo("renamed.png")).unwrap();
    fs::remove_file(lab.photo("b/copy.png")).unwrap();
    lab.add("other.png", 8);
    let report = lab.index();
    assert_eq!(
        (&report["removed"], &report["images"]),
        (&2.into(), &1.into())
    );
}

#[test]
fn a_vanished_folder_is_not_a_mass_deletion() {
    let lab = Lab::new();
    (0..5).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    lab.index();
    let away = lab.photos().with_file_name("away");
    for is_empty in [false, true] {
        fs::rename(lab.photos(), &away).unwrap();
        if is_empty {
            fs::create_dir(lab.photos()).unwrap();
        }
        let report = lab.index();
        assert_eq!(
            (&report["removed"], &report["images"]),
            (&0.into(), &5.into())
        );
        let status = lab.json(&["status"]);
        assert_eq!(
            (&status["roots"][0]["online"], &status["files"]["offline"]),
            (&false.into(), &5.into())
        );
        assert_eq!(
            lab.json(&["search", "a picture"])["items"]
                .as_array()
                .unwrap()
                .len(),
            5
        );
        if is_empty {
            fs::remove_dir(lab.photos()).unwrap();
        }
        fs::rename(&away, lab.photos()).unwrap();
        let report = lab.index();
        assert_eq!(
            (&report["indexed"], &report["unchanged"]),
            (&0.into(), &5.into())
        );
        assert_eq!(lab.json(&["status"])["files"]["indexed"], 5);
    }
}

#[test]
fn another_model_embeds_everything_again_and_the_first_one_is_remembered() {
    let lab = Lab::new();
    (0..3).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    lab.index();
    let other = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/parity/quick_gelu"
    );
    let photos = lab.photos();
    let index = |model| lab.json(&["index", photos.to_str().unwrap(), "--model", model]);
    assert_eq!(index(other)["reembedded"], 3);
    assert_eq!(
        lab.json(&["search", "anything"])["items"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(
        index("bundled")["reembedded"],
        0,
        "vectors of the first model were kept"
    );
}

#[test]
fn names_may_be_hostile() {
    let lab = Lab::new();
    let names = [
        "new\nline.png",
        "quote\"'.png",
        "emoji 🦊.png",
        "-dash.png",
        "percent%20.png",
        "white  space .png",
    ];
    (0..)
        .zip(names)
        .for_each(|(seed, name)| drop(lab.add(name, seed)));
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt;
        let name = std::ffi::OsStr::from_bytes(b"latin-\xE9.png");
        fs::write(lab.photos().join(name), crate::lab::picture(99)).unwrap();
        assert_eq!(lab.index()["images"], 7);
        assert_eq!(lab.index()["unchanged"], 7);
    }
}
