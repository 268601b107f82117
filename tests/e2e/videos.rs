//! Videos: one picture each to whoever searches, found by any of their frames.

use std::fs;
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::lab::{COLOURS, Daemon, Lab};

/// A red disc, from 4 s on a blue one, from 8 s on black.
fn add_video(lab: &Lab, from: &str, name: &str) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/videos");
    fs::create_dir_all(lab.photo(name).parent().unwrap()).unwrap();
    fs::copy(fixtures.join(from), lab.photo(name)).unwrap();
}

/// A label set whose threshold tells discs from the rest: the frames of the video, each in its own colour.
fn tag_of<'a>(item: &'a Value, label: &str) -> &'a Value {
    let tags = item["tags"].as_array().unwrap();
    let found = tags.iter().find(|tag| tag["label"] == label);
    found.unwrap_or_else(|| panic!("{item} has no tag {label}"))
}

fn first(daemon: &Daemon, query: &str) -> Value {
    let (status, answer) = daemon.get(&format!(
        "/api/v1/search?q={query}&strictness=0&facets=true"
    ));
    assert_eq!(status, 200, "{answer}");
    answer["items"][0].clone()
}

fn rows(lab: &Lab, count: &str) -> i64 {
    let database = Connection::open(lab.data().join("library.db")).unwrap();
    database
        .query_row(&format!("SELECT count(*) FROM {count}"), [], |row| {
            row.get(0)
        })
        .unwrap()
}

/// Where the thumbnail's middle is, of a frame that hits tell.
fn middle(daemon: &Daemon, id: &str, query: &str) -> [u8; 3] {
    let address = format!("/api/v1/images/{id}/thumbnail{query}");
    let (status, bytes) = daemon.bytes("GET", &address, &[], "");
    assert_eq!(status, 200, "{address}");
    let thumbnail = image::load_from_memory(&bytes).unwrap().into_rgb8();
    thumbnail
        .get_pixel(thumbnail.width() / 2, thumbnail.height() / 2)
        .0
}

#[test]
fn a_video_is_one_hit_that_tells_when_it_fits_best() {
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    add_video(&lab, "h264.mp4", "discs.mp4");
    add_video(&lab, "h264.mp4", "copies/again.mp4");
    (0..40).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    let daemon = lab.serve();
    daemon.wait_for_images(41);
    let (_, answer) = daemon.get("/api/v1/images?q=format:mp4&facets=true");
    assert_eq!(answer["total"], 1, "{answer}");
    let video = &answer["items"][0];
    let id = video["id"].as_str().unwrap();
    assert_eq!(video["paths"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&video["duration_ms"], &video["width"]),
        (&json!(12_000), &json!(192))
    );
    assert_eq!(video["time_ms"], 2000);
    // The black end shows nothing and is not looked at: half of the frames are red, and half are blue.
    for label in ["red", "blue"] {
        let tag = tag_of(video, label);
        assert_eq!(tag["share"], 0.5, "{tag}");
    }
    assert!(
        answer["facets"]["tags"].to_string().contains("red"),
        "{answer}"
    );
    // The same video as a query finds others, and not itself by another frame.
    let (_, alike) = daemon.get(&format!(
        "/api/v1/search?q=image:{id}&limit=50&strictness=0"
    ));
    let alike = alike["items"].as_array().unwrap();
    assert_eq!(alike.len(), 40);
    assert!(alike.iter().all(|item| item["id"] != id));
    for (query, time_ms) in [("a+red+circle", 2000), ("a+blue+circle", 6000)] {
        let filtered = first(&daemon, &format!("{query}+format:mp4"));
        assert_eq!(
            (&filtered["id"], &filtered["time_ms"]),
            (&json!(id), &json!(time_ms))
        );
        let (_, all) = daemon.get(&format!("/api/v1/search?q={query}&limit=100&strictness=0"));
        let all = all["items"].as_array().unwrap();
        let mine: Vec<_> = all.iter().filter(|item| item["id"] == id).collect();
        assert_eq!((all.len(), mine.len()), (41, 1), "each image is one hit");
        assert_eq!(mine[0]["time_ms"], time_ms);
    }
    let [red, _, blue] = middle(&daemon, id, "?size=160");
    assert!(red > 150 && blue < 100, "the frame that stands for it");
    let [red, _, blue] = middle(&daemon, id, "?size=160&time_ms=6000");
    assert!(red < 100 && blue > 150, "the other");
    let other = format!("/api/v1/images/{id}/thumbnail?time_ms=6001");
    assert_eq!(daemon.get(&other).0, 404);
    let (_, file) = daemon.bytes("GET", &format!("/api/v1/images/{id}/file"), &[], "");
    assert_eq!(file, fs::read(lab.photo("discs.mp4")).unwrap());
    let (_, preview) = daemon.send("POST", "/api/v1/label-sets/colours/preview", &[], COLOURS);
    assert_eq!(
        (&preview["images"], &preview["added"], &preview["removed"]),
        (&json!(41), &json!(0), &json!(0))
    );
    // What a person says holds for the whole of it.
    let decision = format!("/api/v1/images/{id}/decisions/colours/red");
    let (status, _) = daemon.send("PUT", &decision, &[], r#"{"decision":"rejected"}"#);
    assert_eq!(status, 200);
    let (_, video) = daemon.get(&format!("/api/v1/images/{id}"));
    assert!(!video["tags"].to_string().contains("\"red\""), "{video}");
    fs::remove_file(lab.photo("discs.mp4")).unwrap();
    fs::remove_file(lab.photo("copies/again.mp4")).unwrap();
    daemon.wait_for_images(40);
    let (_, all) = daemon.get("/api/v1/search?q=a+red+circle&limit=100&strictness=0");
    assert_eq!(all["items"].as_array().unwrap().len(), 40);
}

#[test]
fn videos_of_every_container_are_indexed_once_and_stay_through_restarts_and_models() {
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    for name in ["h264.mp4", "turned.mov", "hevc.mkv", "av1.webm"] {
        add_video(&lab, name, name);
    }
    let indexed = lab.index();
    assert_eq!(
        (&indexed["indexed"], &indexed["failed"]),
        (&json!(4), &json!(0)),
        "{indexed}"
    );
    assert_eq!((rows(&lab, "images"), rows(&lab, "frames")), (4, 4));
    let again = lab.index();
    assert_eq!(again["unchanged"], 4, "{again}");
    // Renamed, a video keeps its frames.
    let numbers = "frames WHERE id <= 4";
    fs::rename(lab.photo("h264.mp4"), lab.photo("other.mp4")).unwrap();
    assert_eq!(lab.index()["indexed"], 1);
    assert_eq!((rows(&lab, "frames"), rows(&lab, numbers)), (4, 4));
    let found = lab.json(&["search", "a blue circle"]);
    let items = found["items"].as_array().unwrap();
    assert_eq!(items.len(), 4, "{found}");
    assert!(items.iter().all(|item| item["time_ms"] == 6000), "{found}");
    // Another model looks at the frames anew, and the one of before keeps its own.
    let other = lab.other_model();
    let mut command = lab.command(&["index", lab.photos().to_str().unwrap()]);
    assert!(
        command
            .env("PIXDEX_MODEL", other)
            .status()
            .unwrap()
            .success()
    );
    let by_model = "(SELECT DISTINCT model_id, image_id FROM embeddings)";
    assert_eq!((rows(&lab, by_model), rows(&lab, "images")), (8, 4));
    assert!(rows(&lab, "frames") >= 4 && rows(&lab, numbers) == 4);
    let report = lab.json(&["check"]);
    assert!(!report.to_string().contains("\"wrong\":[\""), "{report}");
}

#[cfg(unix)]
#[test]
fn a_video_that_pixdex_does_not_decode_is_told_and_given_to_the_program_that_its_owner_names() {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::new();
    add_video(&lab, "vp9.webm", "vp9.webm");
    let output = lab.run(&["index", lab.photos().to_str().unwrap()]);
    assert!(output.status.success());
    let failures = lab.json(&["failures"]);
    let reason = failures["failures"][0]["reason"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        reason.contains("VP9") && reason.contains("decode.ffmpeg"),
        "{reason}"
    );
    // Stripes of its own, whatever it is asked for.
    let program = lab.data().join("program");
    fs::write(&program, "#!/bin/sh\nyes 'red is all' | head -c 62208\n").unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let index = |program: &Path| -> Value {
        let mut command: Command =
            lab.command(&["index", "--json", lab.photos().to_str().unwrap()]);
        let output = command
            .env("PIXDEX_DECODE__FFMPEG", program)
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| json!(String::from_utf8_lossy(&output.stderr)))
    };
    // One that cannot be run is no verdict.
    let report = index(Path::new("/no/such/program"));
    assert!(report.to_string().contains("waiting"), "{report}");
    let report = index(&program);
    assert_eq!(rows(&lab, "images"), 1, "{report}");
    assert_eq!(lab.json(&["failures"])["failures"], json!([]));
}

#[test]
fn inspect_shows_what_is_in_a_video() {
    let lab = Lab::new();
    add_video(&lab, "h264.mp4", "a.mp4");
    let path = lab.photo("a.mp4");
    let report = lab.json(&["inspect", path.to_str().unwrap()]);
    let file = &report["files"][0];
    assert_eq!(
        (&file["format"], &file["duration_ms"]),
        (&json!("mp4"), &json!(12_000)),
        "{file}"
    );
    assert_eq!(file["taken_at"], "2021-07-03T18:30:05");
    assert!(file["values"].to_string().contains("Discs"), "{file}");
}

/// One vector of a video says nothing of its other frames.
#[test]
fn an_imported_vector_does_not_stand_for_a_videos_frames() {
    let (first, second) = (Lab::new(), Lab::new());
    let other = first.other_model();
    let index = |lab: &Lab| {
        let photos = lab.photos();
        let mut command = lab.command(&["index", photos.to_str().unwrap()]);
        assert!(
            command
                .env("PIXDEX_MODEL", &other)
                .status()
                .unwrap()
                .success()
        );
    };
    for lab in [&first, &second] {
        add_video(lab, "h264.mp4", "discs.mp4");
    }
    index(&first);
    let frames = rows(&first, "frames");
    assert!(frames > 0);
    let file = first.data().with_extension("safetensors");
    first.json(&["export", "--embeddings", file.to_str().unwrap()]);
    second.index();
    let mut import = second.command(&["import", "embeddings", file.to_str().unwrap()]);
    let imported = import.env("PIXDEX_MODEL", &other).output().unwrap();
    assert!(String::from_utf8_lossy(&imported.stdout).starts_with("1 of 1 embeddings imported"));
    index(&second);
    let newest = "frames WHERE model_id = (SELECT max(id) FROM models)";
    assert_eq!(rows(&second, newest), frames);
}
