//! Small files that want much memory, and pictures that take the process with them: the rest goes on.

use std::fs;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64_STANDARD;
use serde_json::{Value, json};

use crate::lab::{DEADLINE, Daemon, Lab, picture};

const SIDE: u16 = 12_000;

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))
        })
    })
}

fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [&kind[..], data].concat();
    let len = (data.len() as u32).to_be_bytes();
    [&len[..], &body, &crc(&body).to_be_bytes()].concat()
}

/// A PNG that promises pixels of sixteen bits and four channels, and has none.
fn png(side: u16, is_interlaced: bool) -> Vec<u8> {
    let side = u32::from(side).to_be_bytes();
    let header = [&side[..], &side, &[16, 6, 0, 0, u8::from(is_interlaced)]].concat();
    let chunks = [
        chunk(*b"IHDR", &header),
        chunk(*b"IDAT", &[0x78, 0x01]),
        chunk(*b"IEND", b""),
    ];
    [b"\x89PNG\r\n\x1A\n".to_vec(), chunks.concat()].concat()
}

/// A GIF with a frame on a screen, of any size each.
fn gif(screen: u16, frame: u16) -> Vec<u8> {
    let mut bytes = b"GIF89a".to_vec();
    bytes.extend([screen; 2].map(u16::to_le_bytes).concat());
    bytes.extend([0x80, 0, 0, 0, 0, 0, 255, 255, 255, 0x2C, 0, 0, 0, 0]);
    bytes.extend([frame; 2].map(u16::to_le_bytes).concat());
    bytes.extend([0, 2, 2, 0x4C, 0x01, 0, 0x3B]);
    bytes
}

/// The marker of a progressive JPEG's frame.
const PROGRESSIVE: u8 = 0xC2;

/// A JPEG of three components whose header is all there is; `kind` is the marker of its frame.
fn jpeg(kind: u8) -> Vec<u8> {
    let [high, low] = SIDE.to_be_bytes();
    let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0];
    bytes.extend([1; 64]);
    bytes.extend([0xFF, kind, 0, 17, 8, high, low, high, low, 3]);
    bytes.extend([1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
    // The first scan of a progressive one has the mean of each block only.
    let last = if kind == PROGRESSIVE { 0 } else { 63 };
    bytes.extend([0xFF, 0xDA, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, last, 0]);
    bytes.extend([0, 0xFF, 0xD9]);
    bytes
}

/// A lossless WebP of which there is the header only.
fn webp(side: u16) -> Vec<u8> {
    let side = u32::from(side) - 1;
    let data = [&[0x2F][..], &(side | side << 14).to_le_bytes(), &[0; 7]].concat();
    let len = |len: usize| (len as u32).to_le_bytes();
    [
        b"RIFF",
        &len(12 + data.len())[..],
        b"WEBPVP8L",
        &len(data.len()),
        &data,
    ]
    .concat()
}

fn bmp(side: u16) -> Vec<u8> {
    let side = u32::from(side).to_le_bytes();
    let mut bytes = b"BM".to_vec();
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0]);
    bytes.extend([side, side].concat());
    bytes.extend([1, 0, 24, 0]);
    bytes.resize(54, 0);
    bytes
}

/// A TIFF in one strip, of sixteen bits and three colours.
fn tiff(side: u16) -> Vec<u8> {
    let side = u32::from(side);
    let fields = [
        (256_u16, side),
        (257, side),
        (258, 16),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, side),
        (279, 2 * side * side),
    ];
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend((fields.len() as u16).to_le_bytes());
    for (tag, value) in fields {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(4_u16.to_le_bytes());
        bytes.extend([1, value].map(u32::to_le_bytes).concat());
    }
    bytes.extend([0; 4]);
    bytes
}

/// Each kind, with what it wants at least in MiB; all are below `decode.max_pixels`.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("screen.gif", gif(SIDE, SIDE)),
        ("screen-and-dot.gif", gif(SIDE, 1)),
        ("frame.gif", gif(1, SIDE)),
        ("sixteen.png", png(SIDE, false)),
        ("interlaced.png", png(SIDE, true)),
        ("baseline.jpg", jpeg(0xC0)),
        ("progressive.jpg", jpeg(PROGRESSIVE)),
        ("lossless.webp", webp(SIDE)),
        ("plain.bmp", bmp(SIDE)),
        ("sixteen.tif", tiff(SIDE)),
    ]
}

/// A lab whose pictures have so little memory to be decoded in.
fn serve_in(lab: &Lab, memory_bytes: u64) -> Daemon {
    let mut command = lab.command(&["serve", "--listen", "127.0.0.1:0"]);
    command
        .arg(lab.photos())
        .env("PIXDEX_INGEST__SETTLE_MS", "300")
        .env("PIXDEX_DECODE__MEMORY_BYTES", memory_bytes.to_string());
    Daemon::start(command)
}

fn failures(daemon: &Daemon) -> Vec<Value> {
    let answer = daemon.get("/api/v1/failures").1;
    answer["failures"].as_array().unwrap().clone()
}

#[test]
fn what_never_fits_into_memory_is_refused_with_its_need_and_the_rest_goes_on() {
    let lab = Lab::new();
    for (name, bytes) in bombs() {
        fs::write(lab.photo(name), bytes).unwrap();
    }
    lab.add("good.png", 1);
    let daemon = serve_in(&lab, 128 << 20);
    daemon.wait_for_images(1);
    let status = daemon.get("/api/v1/status").1;
    assert_eq!(status["decoding"]["memory_bytes"], 128 << 20);
    assert_eq!(status["decoding"]["in_use_bytes"], 0);
    let failed = failures(&daemon);
    for (name, bytes) in bombs() {
        let path = lab.photo(name);
        let path = path.to_str().unwrap();
        let reason = failed.iter().find(|failure| failure["path"] == path);
        let reason = reason.unwrap_or_else(|| panic!("{name} is no failure"));
        let reason = reason["reason"].as_str().unwrap();
        assert!(
            reason.contains("MiB") && reason.contains("decode.memory_bytes"),
            "{name}: {reason}"
        );
        // The same as a part of a query.
        let body = json!({ "terms": [{ "upload": BASE64_STANDARD.encode(bytes) }] });
        let (status, answer) = daemon.send("POST", "/api/v1/search", &[], &body.to_string());
        assert_eq!(
            (status, &answer["code"]),
            (400, &json!("bad_picture")),
            "{name}"
        );
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains("decode.memory_bytes"), "{name}: {error}");
    }
    assert_eq!(daemon.get("/api/v1/search?q=red&strictness=0").0, 200);
}

/// A picture that was taken in when there was more memory.
#[test]
fn a_thumbnail_that_takes_too_much_memory_is_refused_with_its_need() {
    let lab = Lab::new();
    let wide = image::RgbImage::from_fn(3_000, 1_500, |x, y| image::Rgb([x as u8, y as u8, 9]));
    wide.save(lab.photo("wide.png")).unwrap();
    lab.add("small.png", 1);
    lab.index();
    let daemon = serve_in(&lab, 8 << 20);
    daemon.wait_for_images(2);
    for image in daemon.images() {
        let id = image["id"].as_str().unwrap();
        let (status, answer) = daemon.get(&format!("/api/v1/images/{id}/thumbnail"));
        if image["width"] == 64 {
            assert_eq!(status, 200);
            continue;
        }
        assert_eq!(
            (status, &answer["code"]),
            (422, &json!("picture_too_large"))
        );
        assert!(
            answer["error"].as_str().unwrap().contains("MiB"),
            "{answer}"
        );
    }
}

/// Ends the process while it decodes the picture that takes long.
fn kill_while_decoding(lab: &Lab) {
    let notes = lab.data().join("reading");
    let mut child = lab
        .command(&["index", lab.photos().to_str().unwrap()])
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + DEADLINE;
    // One that is made and not written yet says nothing.
    let is_written = |note: std::io::Result<fs::DirEntry>| {
        let metadata = note.and_then(|note| note.metadata());
        metadata.is_ok_and(|metadata| metadata.len() > 0)
    };
    while !fs::read_dir(&notes).is_ok_and(|mut notes| notes.any(is_written)) {
        assert!(Instant::now() < deadline, "nothing is being decoded");
        assert!(child.try_wait().unwrap().is_none(), "it came to its end");
        std::thread::sleep(Duration::from_micros(200));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_picture_that_twice_took_the_process_with_it_is_set_aside() {
    let lab = Lab::new();
    let large = image::GrayImage::from_fn(5_000, 5_000, |x, y| {
        image::Luma([(x.wrapping_mul(y) >> 3) as u8])
    });
    large.save(lab.photo("deadly.png")).unwrap();
    kill_while_decoding(&lab);
    // What stands there now is of the first time.
    let notes = lab.data().join("reading");
    let note = fs::read_dir(&notes)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    assert_eq!(fs::read(&note).unwrap().len(), 1);
    fs::rename(&note, lab.photos().join(".note")).unwrap();
    kill_while_decoding(&lab);
    fs::write(&note, "..").unwrap();
    lab.add("other.png", 2);
    let report = lab.json(&["index", lab.photos().to_str().unwrap()]);
    assert_eq!(
        (&report["images"], &report["failed"]),
        (&json!(1), &json!(1))
    );
    let failed = lab.json(&["failures"]);
    let reason = failed["failures"][0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("twice") && reason.contains("reading"),
        "{reason}"
    );

    // The way out that the reason names.
    fs::remove_file(&note).unwrap();
    let file = fs::File::options()
        .write(true)
        .open(lab.photo("deadly.png"))
        .unwrap();
    file.set_modified(std::time::SystemTime::now()).unwrap();
    let report = lab.json(&["index", lab.photos().to_str().unwrap()]);
    assert_eq!(report["images"], 2);
    assert!(fs::read_dir(&notes).unwrap().next().is_none());
}

#[test]
fn an_orderly_stop_is_no_death() {
    let lab = Lab::new();
    fs::write(lab.photo("a.png"), picture(1)).unwrap();
    let mut daemon = lab.serve();
    daemon.wait_for_images(1);
    let large = image::GrayImage::from_fn(5_000, 5_000, |x, y| image::Luma([(x ^ y) as u8]));
    large
        .save_with_format(lab.photos().join("large.part"), image::ImageFormat::Png)
        .unwrap();
    fs::rename(lab.photos().join("large.part"), lab.photo("large.png")).unwrap();
    let notes = lab.data().join("reading");
    daemon.wait_until(|_| fs::read_dir(&notes).is_ok_and(|mut notes| notes.next().is_some()));
    daemon.signal("-TERM");
    assert!(daemon.wait().success());
    assert!(fs::read_dir(&notes).unwrap().next().is_none());
}
