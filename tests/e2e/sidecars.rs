//! Keywords beside pictures: read, searchable, and written where the owner wants that. Another program is the judge: exiftool.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::lab::{Daemon, Lab, jpeg, picture};

/// A set in which every picture is a `dog`, and so an `animal`, and none is a `tree`.
const SET: &str = "
templates = ['{label}']
threshold = 0.000001
[[labels]]
name = 'dog'
parent = 'animal'
[[labels]]
name = 'animal'
[[labels]]
name = 'tree'
threshold = 1.0
";

fn lab() -> Lab {
    let lab = Lab::new();
    lab.add("a.png", 1);
    lab.write_labels("set", SET);
    lab
}

fn serve(lab: &Lab, write: &str) -> Daemon {
    let mut command = lab.command(&["serve", "--listen", "127.0.0.1:0"]);
    command
        .arg(lab.photos())
        .env("PIXDEX_INGEST__SETTLE_MS", "300")
        .env("PIXDEX_SIDECARS__WRITE", write);
    Daemon::start(command)
}

fn exiftool(arguments: &[&str], file: &Path) -> Vec<u8> {
    let output = Command::new("exiftool")
        .args(arguments)
        .arg(file)
        .output()
        .expect("these tests need exiftool: apt-get install libimage-exiftool-perl");
    assert!(
        output.status.success(),
        "{arguments:?} {}: {}",
        file.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn write_keyword(keyword: &str, file: &Path) {
    let keyword = format!("-XMP-dc:Subject+={keyword}");
    exiftool(&["-overwrite_original", &keyword], file);
}

/// What exiftool reads as one of the two keyword properties.
fn values(property: &str, file: &Path) -> Vec<String> {
    if !file.exists() {
        return Vec::new();
    }
    let answer = exiftool(&["-json", &format!("-{property}")], file);
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    match &answer[0][property] {
        Value::Array(values) => values.iter().map(text).collect(),
        Value::Null => Vec::new(),
        value => vec![text(value)],
    }
}

fn subjects(file: &Path) -> Vec<String> {
    values("Subject", file)
}

fn id(daemon: &Daemon) -> String {
    daemon.images()[0]["id"].as_str().unwrap().to_owned()
}

fn decide(daemon: &Daemon, label: &str, decision: &str) {
    let path = format!("/api/v1/images/{}/decisions/set/{label}", id(daemon));
    let body = json!({ "decision": decision }).to_string();
    assert_eq!(daemon.send("PUT", &path, &[], &body).0, 200);
}

fn reject(daemon: &Daemon, labels: &[&str]) {
    for label in labels {
        decide(daemon, label, "rejected");
    }
}

/// Keywords of the first picture's files.
fn keywords(daemon: &Daemon) -> Vec<String> {
    let image = daemon.images().remove(0);
    let tags = image["tags"].as_array().unwrap().iter();
    let of_file = tags.filter(|tag| tag["source"] == "file");
    of_file
        .map(|tag| tag["label"].as_str().unwrap().to_owned())
        .collect()
}

/// Paths of the pictures that carry a tag.
fn tagged(daemon: &Daemon, tag: &str) -> usize {
    let found = daemon.get(&format!("/api/v1/images?tag={tag}")).1;
    found["items"].as_array().unwrap().len()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The whole library is compared with the folders, and nothing is there to do.
fn assert_settled(daemon: &Daemon) {
    daemon.wait_for_images(1);
    let indexed = |daemon: &Daemon| daemon.get("/api/v1/status").1["progress"]["indexed"].clone();
    let before = indexed(daemon);
    daemon.send("POST", "/api/v1/rescan", &[], "");
    let line = daemon.wait_for_log("scanned folder=");
    let line = if line.contains("to_read=1") && before == 1 {
        // The scan at the start.
        daemon.wait_for_log("scanned folder=")
    } else {
        line
    };
    assert!(line.contains("to_read=0"), "{line}");
    assert_eq!(indexed(daemon), before);
}

#[test]
fn nothing_is_written_unless_the_owner_asked() {
    let lab = lab();
    let daemon = serve(&lab, "off");
    daemon.wait_for_images(1);
    decide(&daemon, "tree", "confirmed");
    drop(daemon);
    lab.index();
    assert_eq!(names(&lab.photos()), ["a.png"]);
}

#[test]
fn tags_are_written_and_go_with_the_tag() {
    let lab = lab();
    let daemon = serve(&lab, "appended");
    let sidecar = lab.photo("a.png.xmp");
    daemon.wait_until(|_| subjects(&sidecar) == ["animal", "dog"]);
    let hierarchy = values("HierarchicalSubject", &sidecar);
    assert_eq!(hierarchy, ["animal", "animal|dog"]);
    assert_settled(&daemon);
    assert_eq!(fs::read(lab.photo("a.png")).unwrap(), picture(1));
    assert!(
        keywords(&daemon).is_empty(),
        "what pixdex wrote is not a person's"
    );

    decide(&daemon, "tree", "confirmed");
    daemon.wait_until(|_| subjects(&sidecar) == ["animal", "dog", "tree"]);
    reject(&daemon, &["dog", "animal", "tree"]);
    daemon.wait_until(|_| names(&lab.photos()) == ["a.png"]);
    decide(&daemon, "tree", "confirmed");
    daemon.wait_until(|_| subjects(&sidecar) == ["tree"]);
    // The label goes from the set.
    lab.write_labels("set", &SET.replace("'tree'", "'bush'"));
    daemon.wait_until(|_| !sidecar.exists());
}

#[test]
fn the_other_name_and_one_pass_do_too() {
    let lab = lab();
    let photos = lab.photos();
    let index = |write: &str| {
        let mut command = lab.command(&["index", photos.to_str().unwrap()]);
        command.env("PIXDEX_SIDECARS__WRITE", write);
        assert!(command.output().unwrap().status.success());
    };
    index("replaced");
    assert_eq!(subjects(&lab.photo("a.xmp")), ["animal", "dog"]);
    // Two pictures cannot share one.
    lab.add("a.bmp.png", 2);
    lab.add("b.png", 3);
    fs::write(lab.photo("b.jpg"), jpeg(4)).unwrap();
    // These do not.
    lab.add("c.png", 5);
    lab.add("c.old.png", 6);
    index("replaced");
    let expected = [
        "a.bmp.png",
        "a.bmp.xmp",
        "a.png",
        "a.xmp",
        "b.jpg",
        "b.jpg.xmp",
        "b.png",
        "b.png.xmp",
        "c.old.png",
        "c.old.xmp",
        "c.png",
        "c.xmp",
    ];
    assert_eq!(names(&photos), expected);
    // Switched off, they stay as they are, also where the picture goes; switched on again, that is made up for.
    fs::remove_file(lab.photo("a.png")).unwrap();
    index("off");
    let without = |gone: &[&str]| {
        let mut left = expected.to_vec();
        left.retain(|name| !gone.contains(name));
        left
    };
    assert_eq!(names(&photos), without(&["a.png"]));
    index("replaced");
    assert_eq!(names(&photos), without(&["a.png", "a.xmp"]));
}

#[test]
fn what_came_from_another_library_goes() {
    let (there, here) = (lab(), Lab::new());
    let index = |lab: &Lab| {
        let mut command = lab.command(&["index", lab.photos().to_str().unwrap()]);
        command.env("PIXDEX_SIDECARS__WRITE", "appended");
        assert!(command.output().unwrap().status.success());
    };
    index(&there);
    for name in ["a.png", "a.png.xmp"] {
        fs::copy(there.photo(name), here.photo(name)).unwrap();
    }
    index(&here);
    assert_eq!(names(&here.photos()), ["a.png"]);
}

#[test]
fn of_two_sidecars_the_one_that_is_written_already_is_kept_up() {
    let lab = lab();
    let daemon = serve(&lab, "replaced");
    let (ours, theirs) = (lab.photo("a.xmp"), lab.photo("a.png.xmp"));
    daemon.wait_until(|_| subjects(&ours) == ["animal", "dog"]);
    exiftool(&["-XMP-dc:Subject=mine", "-o"], &theirs);
    daemon.wait_until(|daemon| keywords(daemon) == ["mine"]);
    decide(&daemon, "tree", "confirmed");
    daemon.wait_until(|_| subjects(&ours) == ["animal", "dog", "tree"]);
    assert_eq!(subjects(&theirs), ["mine"]);
}

#[test]
fn odd_names_are_written_as_other_programs_can_read_them() {
    let lab = lab();
    let odd = SET.replace("name = 'dog'", "name = \"black|white & <dog>\"");
    lab.write_labels("set", &odd);
    let daemon = serve(&lab, "appended");
    let sidecar = lab.photo("a.png.xmp");
    daemon.wait_until(|_| subjects(&sidecar) == ["animal", "black|white & <dog>"]);
    let hierarchy = values("HierarchicalSubject", &sidecar);
    assert_eq!(hierarchy, ["animal", "animal|black/white & <dog>"]);
}

#[test]
fn what_a_person_wrote_stays_to_the_byte() {
    let lab = lab();
    let sidecar = lab.photo("a.xmp");
    exiftool(
        &[
            "-XMP-dc:Subject=mine",
            "-XMP-dc:Subject=dog",
            "-XMP-dc:Title=A & B",
            "-o",
        ],
        &sidecar,
    );
    let original = fs::read(&sidecar).unwrap();
    let daemon = serve(&lab, "appended");
    daemon.wait_until(|_| subjects(&sidecar) == ["mine", "dog", "animal"]);
    assert_eq!(names(&lab.photos()), ["a.png", "a.xmp"]);
    assert_eq!(keywords(&daemon), ["dog", "mine"]);
    assert_settled(&daemon);
    reject(&daemon, &["dog", "animal"]);
    daemon.wait_until(|_| fs::read(&sidecar).unwrap() == original);

    // Rewritten by another program while pixdex has something in it.
    decide(&daemon, "tree", "confirmed");
    daemon.wait_until(|_| subjects(&sidecar).contains(&"tree".to_owned()));
    write_keyword("later", &sidecar);
    daemon.wait_until(|daemon| keywords(daemon) == ["dog", "later", "mine"]);
    assert_settled(&daemon);
    assert_eq!(subjects(&sidecar), ["mine", "dog", "tree", "later"]);
    decide(&daemon, "tree", "rejected");
    daemon.wait_until(|_| subjects(&sidecar) == ["mine", "dog", "later"]);
    assert_eq!(values("Title", &sidecar), ["A & B"]);
}

#[test]
fn a_sidecar_goes_along_with_its_picture() {
    let lab = lab();
    let daemon = serve(&lab, "appended");
    let (old, new) = (lab.photo("a.png.xmp"), lab.photo("folder/b.png.xmp"));
    daemon.wait_until(|_| subjects(&old).len() == 2);
    drop(daemon);
    fs::create_dir(lab.photo("folder")).unwrap();
    fs::rename(lab.photo("a.png"), lab.photo("folder/b.png")).unwrap();
    fs::rename(&old, &new).unwrap();
    let daemon = serve(&lab, "appended");
    daemon.wait_until(|daemon| daemon.paths() == [lab.photo("folder/b.png").display().to_string()]);
    assert!(keywords(&daemon).is_empty());
    reject(&daemon, &["dog", "animal"]);
    daemon.wait_until(|_| !new.exists());
    // Of a picture that goes alone nothing stays.
    decide(&daemon, "tree", "confirmed");
    daemon.wait_until(|_| new.exists());
    lab.add("other.png", 9);
    fs::remove_file(lab.photo("folder/b.png")).unwrap();
    daemon.wait_until(|_| names(&lab.photo("folder")).is_empty());
}

#[test]
fn keywords_are_read_from_pictures_and_sidecars() {
    let lab = Lab::new();
    fs::write(lab.photo("x.jpg"), jpeg(1)).unwrap();
    let formats = ["png", "webp", "tiff", "gif"];
    let drawn = image::load_from_memory(&picture(7)).unwrap();
    for format in formats {
        let path = lab.photo(&format!("x.{format}"));
        drawn.to_rgb8().save(&path).unwrap();
        write_keyword(&format!("in-{format}"), &path);
    }
    write_keyword("in-jpg", &lab.photo("x.jpg"));
    exiftool(
        &[
            "-overwrite_original",
            "-IPTC:Keywords=in iptc",
            "-XMP-lr:HierarchicalSubject=top|below",
        ],
        &lab.photo("x.jpg"),
    );
    let daemon = lab.serve();
    daemon.wait_for_images(5);
    for tag in [
        "in-jpg",
        "in+iptc",
        "below",
        "top",
        "file/in-jpg",
        "in-png",
        "in-webp",
        "in-tiff",
        "in-gif",
    ] {
        assert_eq!(tagged(&daemon, tag), 1, "{tag}");
    }
    assert_eq!(tagged(&daemon, "top|below"), 0);
    let tag = json!({ "set": "file", "label": "below", "count": 1 });
    let tags = daemon.get("/api/v1/tags").1;
    assert!(tags["tags"].as_array().unwrap().contains(&tag), "{tags}");

    // A sidecar comes, changes and goes, and its picture is not embedded again.
    let sidecar = lab.photo("x.png.xmp");
    exiftool(&["-XMP-dc:Subject=first", "-o"], &sidecar);
    daemon.wait_until(|daemon| tagged(daemon, "first") == 1);
    assert_eq!(tagged(&daemon, "in-png"), 1);
    write_keyword("second", &sidecar);
    daemon.wait_until(|daemon| tagged(daemon, "second") == 1);
    fs::rename(&sidecar, lab.photo("x.xmp")).unwrap();
    daemon.wait_until(|daemon| tagged(daemon, "first") == 5);
    drop(daemon);
    fs::remove_file(lab.photo("x.xmp")).unwrap();
    let daemon = lab.serve();
    daemon.wait_until(|daemon| tagged(daemon, "first") == 0);
    assert_eq!(tagged(&daemon, "in-png"), 1);
    daemon.signal("-TERM");
}

#[test]
fn a_sidecar_that_cannot_be_read_or_written_is_a_reason_and_no_more() {
    let lab = lab();
    fs::write(lab.photo("a.png.xmp"), "<x:xmpmeta>").unwrap();
    lab.add("b.png", 2);
    lab.add("c.png", 3);
    // What is to be renamed into place cannot be made.
    fs::create_dir_all(lab.photo(".b.png.xmp.pixdex/x")).unwrap();
    let daemon = serve(&lab, "appended");
    daemon.wait_until(|_| subjects(&lab.photo("c.png.xmp")).len() == 2);
    daemon.wait_until(|daemon| {
        let failures = daemon.get("/api/v1/failures").1;
        let failures = failures["failures"].as_array().unwrap();
        let reason = |place: usize| failures[place]["reason"].as_str().unwrap();
        failures.len() == 2
            && reason(0).contains("a.png.xmp`: it is not well-formed XML")
            && reason(1).contains("b.png.xmp`: it cannot be written")
    });
    daemon.wait_for_images(3);
    assert_eq!(fs::read(lab.photo("a.png.xmp")).unwrap(), b"<x:xmpmeta>");
    fs::remove_dir_all(lab.photo(".b.png.xmp.pixdex")).unwrap();
    fs::remove_file(lab.photo("a.png.xmp")).unwrap();
    drop(daemon);
    let daemon = serve(&lab, "appended");
    daemon.wait_until(|daemon| {
        subjects(&lab.photo("a.png.xmp")).len() == 2
            && subjects(&lab.photo("b.png.xmp")).len() == 2
            && daemon.get("/api/v1/failures").1["failures"] == json!([])
    });
}

#[test]
fn a_killed_process_is_made_up_for() {
    const PICTURES: usize = 40;
    let lab = lab();
    lab.write_labels("set", "labels = []");
    (0..PICTURES as u32).for_each(|seed| drop(lab.add(&format!("p/{seed}.png"), 100 + seed)));
    let folder = lab.photo("p");
    let mut daemon = serve(&lab, "appended");
    daemon.wait_for_images(PICTURES + 1);
    assert_eq!(names(&folder).len(), PICTURES);
    lab.write_labels("set", SET);
    daemon.wait_until(|_| names(&folder).len() > PICTURES);
    daemon.signal("-KILL");
    daemon.wait();
    let daemon = serve(&lab, "appended");
    daemon.wait_until(|_| {
        let names = names(&folder);
        let is_sidecar = |name: &&String| name.ends_with(".png.xmp") && !name.starts_with('.');
        names.len() == 2 * PICTURES && names.iter().filter(is_sidecar).count() == PICTURES
    });
    assert_eq!(subjects(&folder.join("39.png.xmp")), ["animal", "dog"]);
    daemon.send("POST", "/api/v1/rescan", &[], "");
    daemon.wait_for_images(PICTURES + 1);
    let images = daemon.images();
    let mut tags = images
        .iter()
        .flat_map(|image| image["tags"].as_array().unwrap());
    assert!(tags.all(|tag| tag["source"] == "model"));
}

/// As cameras and programs of other systems name them; a file system that tells capitals apart must not get a second one.
#[test]
fn sidecars_in_capitals_are_seen_and_written_to() {
    let lab = lab();
    for (seed, picture, sidecar) in [
        (2, "B.PNG", "B.XMP"),
        (3, "c.png", "c.Xmp"),
        (4, "D.PNG", "D.PNG.xmp"),
        (5, "e.png", "e.png.XMP"),
        (6, "f.png", "f.XMP"),
        (7, "f.png", "f.xmp"),
    ] {
        lab.add(picture, seed);
        let keyword = format!("-XMP-dc:Subject=in {sidecar}");
        let other = lab.photo("made.xmp");
        exiftool(&[&keyword, "-o"], &other);
        fs::rename(other, lab.photo(sidecar)).unwrap();
    }
    let daemon = serve(&lab, "appended");
    daemon.wait_for_images(6);
    for sidecar in ["B.XMP", "c.Xmp", "D.PNG.xmp", "e.png.XMP", "f.xmp"] {
        assert_eq!(tagged(&daemon, &format!("in+{sidecar}")), 1, "{sidecar}");
        let ours = format!("in {sidecar}");
        daemon.wait_until(|_| subjects(&lab.photo(sidecar)) == [ours.as_str(), "animal", "dog"]);
    }
    // Where both are there, the one in small letters counts.
    assert_eq!(tagged(&daemon, "in+f.XMP"), 0);
    assert_eq!(subjects(&lab.photo("f.XMP")), ["in f.XMP"]);
    daemon.wait_until(|_| subjects(&lab.photo("a.png.xmp")).len() == 2);
    assert_eq!(
        names(&lab.photos()).len(),
        6 + 7,
        "{:?}",
        names(&lab.photos())
    );
    // One that changes, comes or goes is read again.
    write_keyword("later", &lab.photo("B.XMP"));
    daemon.wait_until(|daemon| tagged(daemon, "later") == 1);
    fs::remove_file(lab.photo("c.Xmp")).unwrap();
    daemon.wait_until(|daemon| tagged(daemon, "in+c.Xmp") == 0);
    fs::rename(lab.photo("e.png.XMP"), lab.photo("c.XMP")).unwrap();
    let holders = |daemon: &Daemon| {
        let found = daemon.get("/api/v1/images?tag=in+e.png.XMP").1;
        let path = |item: &Value| item["path"].as_str().unwrap().to_owned();
        let items = found["items"].as_array().unwrap().iter();
        items.map(path).collect::<Vec<_>>()
    };
    let c = lab.photo("c.png").display().to_string();
    daemon.wait_until(|daemon| holders(daemon) == [c.clone()]);
}

#[cfg(unix)]
#[test]
fn a_read_only_sidecar_is_left_alone_and_one_that_is_replaced_stays_its_owners() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let lab = lab();
    lab.add("b.png", 2);
    let (locked, open) = (lab.photo("a.png.xmp"), lab.photo("b.png.xmp"));
    for sidecar in [&locked, &open] {
        exiftool(&["-XMP-dc:Subject=mine", "-o"], sidecar);
    }
    let original = fs::read(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o664)).unwrap();
    // Somebody else's, where this is run by root.
    let _ = chown(&open, Some(1234), Some(1234));
    let owner = |path: &Path| {
        let metadata = fs::metadata(path).unwrap();
        (metadata.uid(), metadata.gid(), metadata.mode() & 0o777)
    };
    let before = owner(&open);
    let daemon = serve(&lab, "appended");
    daemon.wait_until(|_| subjects(&open) == ["mine", "animal", "dog"]);
    assert_eq!(owner(&open), before);
    daemon.wait_until(|daemon| {
        let failures = daemon.get("/api/v1/failures").1["failures"].clone();
        let reason = failures[0]["reason"].as_str().unwrap_or_default();
        reason.contains("a.png.xmp`: it is read-only: allow writing it")
    });
    assert_eq!(fs::read(&locked).unwrap(), original);
    assert_eq!(tagged(&daemon, "mine"), 2, "it is read all the same");
    // Nor is it taken away with its picture.
    fs::remove_file(lab.photo("a.png")).unwrap();
    daemon.wait_for_images(1);
    drop(daemon);
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(lab.photo("a.png"), picture(1)).unwrap();
    let daemon = serve(&lab, "appended");
    daemon.wait_until(|_| subjects(&locked) == ["mine", "animal", "dog"]);
    assert_eq!(daemon.get("/api/v1/failures").1["failures"], json!([]));
}
