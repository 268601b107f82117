//! Files of every maker as they are laid out, with sensors' data that nobody reads, and what is wrong with some.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};

use super::*;
use crate::config::DecodeConfig;
use crate::decode::tests::decode;
use crate::decode::{self as room, Description};
use crate::formats::Format;
use crate::formats::tiff::Order::{self, Big, Little};
use crate::formats::tiff::written::Values::{self, Any, Bytes, Longs, Ratios, Shorts, Text};
use crate::formats::tiff::written::Writer;

const LIMITS: DecodeConfig = DecodeConfig {
    max_pixels: 3_000_000,
    max_file_bytes: 10_000_000,
    memory_bytes: 0,
    max_frames: 0,
    ffmpeg: String::new(),
};

/// Colours that tell one preview from another.
const RED: [u8; 3] = [200, 30, 40];
const GREEN: [u8; 3] = [20, 190, 60];
const BLUE: [u8; 3] = [40, 50, 210];

type Entries = Vec<(u16, Values)>;

fn jpeg(width: u32, height: u32, color: [u8; 3]) -> Vec<u8> {
    jpeg_saying(width, height, color, None)
}

fn jpeg_saying(width: u32, height: u32, color: [u8; 3], exif: Option<Vec<u8>>) -> Vec<u8> {
    let picture = RgbImage::from_pixel(width, height, Rgb(color));
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    if let Some(exif) = exif {
        encoder.set_exif_metadata(exif).unwrap();
    }
    encoder
        .write_image(&picture, width, height, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

/// The same without losses by its head, as sensors' data are packed.
fn lossless(mut jpeg: Vec<u8>) -> Vec<u8> {
    let at = memchr::memmem::find(&jpeg, b"\xFF\xC0").unwrap();
    jpeg[at + 1] = 0xC3;
    jpeg
}

fn short(tag: u16, value: u16) -> (u16, Values) {
    (tag, Shorts(vec![value]))
}

fn long(tag: u16, value: u32) -> (u16, Values) {
    (tag, Longs(vec![value]))
}

/// What every camera says, and how the picture is turned.
fn said(writer: &mut Writer, orientation: u16) -> Entries {
    let exif = writer.directory(&[(0x9003, Text("2023:06:05 14:03:02"))], 0);
    let gps = writer.directory(
        &[
            (1, Text("S")),
            (2, Ratios(vec![[33, 1], [30, 1], [0, 1]])),
            (3, Text("E")),
            (4, Ratios(vec![[151, 1], [15, 1], [0, 1]])),
        ],
        0,
    );
    vec![
        (0x010F, Text("Canon")),
        (0x0110, Text("Canon X1")),
        short(0x0112, orientation),
        (0x0132, Text("2024:01:01 00:00:00")),
        long(0x8769, exif),
        long(0x8825, gps),
    ]
}

/// A JPEG as cameras point to it.
fn pointed_to(writer: &mut Writer, jpeg: &[u8]) -> Entries {
    let at = writer.put(jpeg);
    vec![long(0x0201, at), long(0x0202, jpeg.len() as u32)]
}

/// Something in one strip: its size, compression, what its colours are, and its bytes.
fn strip(writer: &mut Writer, size: (u32, u32), kind: (u16, u16), bytes: &[u8]) -> Entries {
    strips(writer, size, kind, size.1, &[bytes])
}

fn strips(
    writer: &mut Writer,
    (width, height): (u32, u32),
    (compression, photometric): (u16, u16),
    rows: u32,
    parts: &[&[u8]],
) -> Entries {
    let places = parts.iter().map(|part| writer.put(part)).collect();
    vec![
        long(0x0100, width),
        long(0x0101, height),
        (0x0102, Shorts(vec![8, 8, 8])),
        short(0x0103, compression),
        short(0x0106, photometric),
        (0x0111, Longs(places)),
        short(0x0115, 3),
        long(0x0116, rows),
        (
            0x0117,
            Longs(parts.iter().map(|part| part.len() as u32).collect()),
        ),
    ]
}

/// What the sensor saw, and a JPEG that is none.
fn sensor(writer: &mut Writer, compression: u16) -> u32 {
    let trap = jpeg(900, 700, RED);
    let entries = strip(writer, (900, 700), (compression, 32_803), &trap);
    writer.directory(&entries, 0)
}

fn thumbnail(writer: &mut Writer) -> Entries {
    let pixels = RED.repeat(16 * 12);
    [
        vec![long(0x00FE, 1)],
        strip(writer, (16, 12), (1, 2), &pixels),
    ]
    .concat()
}

/// A thumbnail, and all else below it.
fn below_a_thumbnail(order: Order, below: impl FnOnce(&mut Writer) -> Vec<u32>) -> Vec<u8> {
    let mut writer = Writer::plain(order);
    let below = below(&mut writer);
    let first = [
        thumbnail(&mut writer),
        said(&mut writer, 6),
        vec![(0x014A, Longs(below))],
    ];
    let first = writer.directory(&first.concat(), 0);
    writer.finish(first)
}

fn dng(preview: impl FnOnce(&mut Writer) -> Entries) -> Vec<u8> {
    dng_of(|writer| {
        let preview = preview(writer);
        vec![writer.directory(&preview, 0)]
    })
}

/// With these directories beside that of the sensor.
fn dng_of(below: impl FnOnce(&mut Writer) -> Vec<u32>) -> Vec<u8> {
    let mut writer = Writer::plain(Little);
    let mut all = vec![sensor(&mut writer, 7)];
    all.extend(below(&mut writer));
    let first = [
        thumbnail(&mut writer),
        said(&mut writer, 6),
        vec![(0xC612, Bytes(vec![1, 4, 0, 0])), (0x014A, Longs(all))],
    ];
    let first = writer.directory(&first.concat(), 0);
    writer.finish(first)
}

fn cr2() -> Vec<u8> {
    let mut writer = Writer::new(Little, 42, b"CR\x02\0\0\0\0\0");
    let last = strip(
        &mut writer,
        (900, 700),
        (6, 1),
        &lossless(jpeg(900, 700, RED)),
    );
    let last = writer.directory(&last, 0);
    let second = pointed_to(&mut writer, &jpeg(16, 12, RED));
    let second = writer.directory(&second, last);
    let mut first = strip(&mut writer, (300, 200), (6, 6), &jpeg(300, 200, GREEN));
    first.extend(said(&mut writer, 6));
    let first = writer.directory(&first, second);
    writer.finish(first)
}

fn nef(order: Order) -> Vec<u8> {
    below_a_thumbnail(order, |writer| {
        let large = pointed_to(writer, &jpeg(300, 200, GREEN));
        let small = pointed_to(writer, &jpeg(150, 100, RED));
        vec![
            writer.directory(&small, 0),
            sensor(writer, 34_713),
            writer.directory(&large, 0),
        ]
    })
}

fn arw() -> Vec<u8> {
    let mut writer = Writer::plain(Little);
    let third = pointed_to(&mut writer, &jpeg(300, 200, GREEN));
    let third = writer.directory(&third, 0);
    let second = pointed_to(&mut writer, &jpeg(16, 12, RED));
    let second = writer.directory(&second, third);
    let sensor = sensor(&mut writer, 32_767);
    let mut first = pointed_to(&mut writer, &jpeg(150, 100, RED));
    first.extend(said(&mut writer, 6));
    first.push(long(0x014A, sensor));
    let first = writer.directory(&first, second);
    writer.finish(first)
}

fn pef() -> Vec<u8> {
    let mut writer = Writer::plain(Big);
    let third = pointed_to(&mut writer, &jpeg(300, 200, GREEN));
    let third = writer.directory(&third, 0);
    let second = pointed_to(&mut writer, &jpeg(16, 12, RED));
    let second = writer.directory(&second, third);
    let mut first = strip(&mut writer, (900, 700), (65_535, 32_803), &[7; 5_000]);
    first.extend(said(&mut writer, 6));
    let first = writer.directory(&first, second);
    writer.finish(first)
}

fn exif(orientation: u16) -> Vec<u8> {
    let mut writer = Writer::plain(Big);
    let entries = said(&mut writer, orientation);
    let first = writer.directory(&entries, 0);
    writer.finish(first)
}

fn raf() -> Vec<u8> {
    let jpeg = jpeg_saying(300, 200, GREEN, Some(exif(6)));
    let mut bytes = b"FUJIFILMCCD-RAW 0201FF129502X-T4".to_vec();
    bytes.resize(84, 0);
    bytes.extend(148_u32.to_be_bytes());
    bytes.extend((jpeg.len() as u32).to_be_bytes());
    bytes.resize(148, 0);
    [bytes, jpeg, vec![9; 5_000]].concat()
}

/// The preview says itself how it is turned, and is right.
fn rw2() -> Vec<u8> {
    let jpeg = jpeg_saying(300, 200, GREEN, Some(exif(6)));
    let mut writer = Writer::new(Little, 0x55, &[0x88; 16]);
    let mut first = vec![(0x0002, Shorts(vec![5_200])), (0x002E, Any(jpeg))];
    first.extend(said(&mut writer, 1));
    let first = writer.directory(&first, 0);
    writer.finish(first)
}

/// Only the maker's notes point to the preview, and nobody reads them.
fn orf() -> Vec<u8> {
    let mut writer = Writer::new(Little, 0x4F52, b"");
    writer.put(&jpeg(16, 12, RED));
    writer.put(&lossless(jpeg(900, 700, RED)));
    writer.put(&jpeg(300, 200, GREEN));
    let mut first = strip(&mut writer, (900, 700), (1, 1), &[7; 5_000]);
    first.extend(said(&mut writer, 6));
    let first = writer.directory(&first, 0);
    writer.finish(first)
}

fn mrw() -> Vec<u8> {
    let block =
        |name: &[u8], body: &[u8]| [name, &(body.len() as u32).to_be_bytes(), body].concat();
    let blocks = [
        block(b"\0PRD", &[1; 24]),
        block(b"\0TTW", &[exif(6), jpeg(300, 200, GREEN)].concat()),
    ];
    [block(b"\0MRM", &blocks.concat()), vec![7; 5_000]].concat()
}

fn x3f() -> Vec<u8> {
    let jpeg = jpeg_saying(300, 200, GREEN, Some(exif(6)));
    [&b"FOVb"[..], &[3; 5_000], &jpeg, &[3; 100]].concat()
}

fn boxed(kind: &[u8], body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes(), kind, body].concat()
}

/// One whose track is what is given.
fn cr3(track: &[u8]) -> Vec<u8> {
    let table = |kind: &[u8], numbers: &[u32]| {
        let numbers = numbers.iter().flat_map(|number| number.to_be_bytes());
        boxed(kind, &numbers.collect::<Vec<u8>>())
    };
    let of_first = |entries: &[(u16, Values)]| {
        let mut writer = Writer::plain(Little);
        let first = writer.directory(entries, 0);
        writer.finish(first)
    };
    let main = of_first(&[
        (0x010F, Text("Canon")),
        (0x0110, Text("Canon X1")),
        short(0x0112, 6),
    ]);
    let exif = of_first(&[(0x9003, Text("2023:06:05 14:03:02"))]);
    let gps = of_first(&[
        (1, Text("S")),
        (2, Ratios(vec![[33, 1], [30, 1], [0, 1]])),
        (3, Text("E")),
        (4, Ratios(vec![[151, 1], [15, 1], [0, 1]])),
    ]);
    let small = boxed(b"THMB", &[&[0; 16], &jpeg(16, 12, RED)[..]].concat());
    let canon = [
        boxed(b"CMT1", &main),
        boxed(b"CMT2", &exif),
        boxed(b"CMT4", &gps),
        small,
    ];
    let canon = boxed(b"uuid", &[boxes::CANON, &canon.concat()].concat());
    let middle = boxed(b"PRVW", &[&[0; 16], &jpeg(150, 100, BLUE)[..]].concat());
    let middle = boxed(b"uuid", &[boxes::PREVIEW, &[0; 8], &middle].concat());
    let packet = boxed(b"uuid", &[boxes::XMP, &packet("in a box")].concat());
    let start = boxed(b"ftyp", b"crx \0\0\0\x01crx isom");
    let moov = |at: u32| {
        let tables = [
            table(b"stsz", &[0, track.len() as u32, 1]),
            table(b"co64", &[0, 1, 0, at]),
        ];
        let media = boxed(b"mdia", &boxed(b"minf", &boxed(b"stbl", &tables.concat())));
        boxed(b"moov", &[canon.clone(), boxed(b"trak", &media)].concat())
    };
    let at = [start.len(), moov(0).len(), middle.len(), packet.len(), 8]
        .iter()
        .sum::<usize>();
    [
        start,
        moov(at as u32),
        middle,
        packet,
        boxed(b"mdat", track),
    ]
    .concat()
}

fn packet(keyword: &str) -> Vec<u8> {
    format!(
        r#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
        xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag><rdf:li>{keyword}</rdf:li></rdf:Bag></dc:subject>
        </rdf:Description></rdf:RDF></x:xmpmeta>"#
    )
    .into_bytes()
}

fn every_kind() -> Vec<(&'static str, Vec<u8>)> {
    let ycbcr = |writer: &mut Writer| strip(writer, (300, 200), (7, 6), &jpeg(300, 200, GREEN));
    vec![
        ("cr2", cr2()),
        ("cr3", cr3(&jpeg(300, 200, GREEN))),
        ("nef", nef(Big)),
        ("nrw", nef(Little)),
        ("arw", arw()),
        ("dng", dng(ycbcr)),
        ("raf", raf()),
        ("rw2", rw2()),
        ("orf", orf()),
        ("pef", pef()),
        ("mrw", mrw()),
        ("x3f", x3f()),
    ]
}

/// Of a picture of one colour.
fn color(pixels: &RgbImage) -> [u8; 3] {
    pixels.get_pixel(pixels.width() / 2, pixels.height() / 2).0
}

fn is_like(color: [u8; 3], expected: [u8; 3]) -> bool {
    color.iter().zip(expected).all(|(a, b)| a.abs_diff(b) < 8)
}

/// How large the picture is, and whether it is green all over.
fn shown(bytes: &[u8]) -> Result<((u32, u32), bool), String> {
    let (_, pixels) = decode(bytes, &LIMITS).map_err(|error| error.to_string())?;
    let is_green = pixels.pixels().all(|pixel| is_like(pixel.0, GREEN));
    Ok((pixels.dimensions(), is_green))
}

const LARGE: ((u32, u32), bool) = ((200, 300), true);

#[test]
fn the_largest_preview_of_every_maker_is_shown_with_what_the_camera_said() {
    for (name, bytes) in every_kind() {
        assert_eq!(shown(&bytes), Ok(LARGE), "{name}");
        let (Description { metadata, .. }, encoded) = room::open(&bytes, &LIMITS).unwrap();
        assert_eq!(metadata.format, Format::Raw, "{name}");
        assert_eq!((metadata.width, metadata.height), (200, 300), "{name}");
        assert_eq!(
            metadata.taken_at.as_deref(),
            Some("2023-06-05T14:03:02"),
            "{name}"
        );
        assert_eq!(metadata.camera.as_deref(), Some("Canon X1"), "{name}");
        assert_eq!(
            (metadata.latitude, metadata.longitude),
            (Some(-33.5), Some(151.25)),
            "{name}"
        );
        // As every other JPEG it is decoded to no more than is enough.
        let small = encoded.shrunk(50).unwrap();
        assert_eq!(
            (small.dimensions(), is_like(color(&small), GREEN)),
            ((50, 75), true),
            "{name}"
        );
    }
}

#[test]
fn a_preview_that_is_no_jpeg_leaves_the_next_largest() {
    let bytes = cr3(&[5; 3_000]);
    let (_, pixels) = decode(&bytes, &LIMITS).unwrap();
    assert_eq!(
        (pixels.dimensions(), is_like(color(&pixels), BLUE)),
        ((100, 150), true)
    );
}

#[test]
fn strips_and_tiles_that_are_jpegs_are_put_together() {
    let part = |width, height| jpeg(width, height, GREEN);
    let whole = part(300, 200);
    let thirds: Vec<&[u8]> = whole.chunks(whole.len().div_ceil(3) & !1).collect();
    let of_strips = |rows, parts: &[Vec<u8>]| {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        dng(|writer| strips(writer, (300, 200), (7, 6), rows, &parts))
    };
    let tiles = dng(|writer| {
        let tile = part(128, 128);
        let mut entries = strips(writer, (300, 200), (7, 6), 0, &[&tile[..]; 6]);
        for (tag, _) in &mut entries {
            *tag = match *tag {
                0x0111 => 0x0144,
                0x0117 => 0x0145,
                tag => tag,
            };
        }
        entries.extend([long(0x0142, 128), long(0x0143, 128)]);
        entries
    });
    let kinds = [
        ("tiles", tiles),
        (
            "strips",
            of_strips(80, &[part(300, 80), part(300, 80), part(300, 40)]),
        ),
        (
            "one over strips",
            dng(|writer| strips(writer, (300, 200), (7, 6), 70, &thirds)),
        ),
    ];
    for (name, bytes) in kinds {
        assert_eq!(shown(&bytes), Ok(LARGE), "{name}");
    }
    // Where one is missing or too small, there is only the thumbnail.
    for parts in [
        vec![part(300, 80), part(300, 80)],
        vec![part(300, 80), part(300, 40), part(300, 80)],
        vec![part(200, 80), part(200, 80), part(200, 40)],
    ] {
        assert_eq!(shown(&of_strips(80, &parts)), Ok(((12, 16), false)));
    }
}

/// Phones keep where sky and skin are, and how far all is.
#[test]
fn masks_and_maps_of_depths_are_no_previews() {
    for (subfile, photometric) in [
        (0x0001_0004, 52_527),
        (8, 51_177),
        (4, 4),
        (8, 1),
        (0, 32_844),
    ] {
        let bytes = dng_of(|writer| {
            let preview = strip(writer, (300, 200), (7, 6), &jpeg(300, 200, GREEN));
            let mut mask = strip(writer, (900, 700), (7, photometric), &jpeg(900, 700, RED));
            mask.push(long(0x00FE, subfile));
            vec![writer.directory(&mask, 0), writer.directory(&preview, 0)]
        });
        assert_eq!(shown(&bytes), Ok(LARGE), "{subfile} {photometric}");
    }
}

/// Libraries put what all strips have in common in one place, and say that colours are red, green and blue there only.
#[test]
fn strips_share_tables_and_the_colours_that_the_directory_tells() {
    let mut bytes = Vec::new();
    let picture = GREEN.repeat(300 * 200);
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 95);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_4_4);
    // Three channels that are taken as they are.
    encoder
        .encode(&picture, 300, 200, jpeg_encoder::ColorType::Ycbcr)
        .unwrap();
    let without = |jpeg: &[u8], dropped: &[u8]| {
        let mut kept = jpeg[..2].to_vec();
        let mut at = 2;
        loop {
            let length = usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]])) + 2;
            if jpeg[at + 1] == 0xDA {
                break;
            }
            if !dropped.contains(&jpeg[at + 1]) {
                kept.extend_from_slice(&jpeg[at..at + length]);
            }
            at += length;
        }
        (kept, jpeg[at..].to_vec())
    };
    let (head, scan) = without(&bytes, &[0xE0, 0xDB, 0xC4]);
    let (mut tables, _) = without(&bytes, &[0xE0, 0xC0]);
    tables.extend(b"\xFF\xD9");
    let strip_of = [head, scan].concat();
    let file = |photometric| {
        dng(|writer| {
            let mut entries = strip(writer, (300, 200), (7, photometric), &strip_of);
            entries.push((0x015B, Any(tables.clone())));
            entries
        })
    };
    assert_eq!(shown(&file(2)), Ok(LARGE));
}

#[test]
fn a_thumbnail_of_plain_pixels_is_shown_where_there_is_nothing_else() {
    for order in [Little, Big] {
        let bytes = below_a_thumbnail(order, |writer| vec![sensor(writer, 1)]);
        let (_, pixels) = decode(&bytes, &LIMITS).unwrap();
        assert_eq!(
            (pixels.dimensions(), is_like(color(&pixels), RED)),
            ((12, 16), true)
        );
    }
}

#[test]
fn a_file_without_a_preview_is_refused_by_that_name() {
    let mut writer = Writer::plain(Little);
    let first = sensor(&mut writer, 1);
    let error = shown(&writer.finish(first)).unwrap_err();
    assert!(error.contains("holds no preview"), "{error}");
    for start in [
        &b"IIU\0"[..],
        b"FUJIFILMCCD-RAW ",
        b"\0MRM",
        b"FOVb",
        b"\0\0\0\x0Cftypcrx ",
    ] {
        assert!(
            matches!(room::open(start, &LIMITS), Err(DecodeError::NoPreview)),
            "{start:?}"
        );
    }
}

/// Smaller previews stand in front of larger ones.
#[test]
fn a_file_that_was_cut_off_shows_all_or_nothing() {
    for (name, bytes) in every_kind() {
        for kept in (0..bytes.len()).step_by(bytes.len() / 100) {
            if let Ok(shown) = shown(&bytes[..kept]) {
                assert_eq!(shown, LARGE, "{name} cut to {kept} of {}", bytes.len());
            }
        }
    }
}

#[test]
fn offsets_and_lengths_that_lie_are_survived() {
    let good = jpeg(300, 200, GREEN);
    let length = good.len() as u32;
    let with = |at: u32, length: u32| {
        let mut writer = Writer::plain(Little);
        let preview = pointed_to(&mut writer, &good);
        let preview = writer.directory(&preview, 0);
        let mut first = said(&mut writer, 6);
        first.extend([
            long(0x0201, at),
            long(0x0202, length),
            long(0x014A, preview),
        ]);
        first.push((0xC612, Bytes(vec![1, 4, 0, 0])));
        let first = writer.directory(&first, 0);
        writer.finish(first)
    };
    for (at, length) in [
        (0, length),
        (8, 0),
        (8, u32::MAX),
        (u32::MAX, 1),
        (u32::MAX, u32::MAX),
        (0x7FFF_FFFF, 1_000_000_000),
        (9, length),
    ] {
        assert_eq!(shown(&with(at, length)), Ok(LARGE), "{at} {length}");
    }
    // Where a larger one may have been cut off, the smaller is not shown for it.
    assert!(
        shown(&with(1_000_000, 2 * length))
            .unwrap_err()
            .contains("truncated")
    );
}

#[test]
fn damage_anywhere_ends_in_a_picture_or_in_none() {
    for (name, bytes) in every_kind() {
        for at in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            let opened = room::open(&damaged, &LIMITS);
            assert!(
                !matches!(opened, Err(DecodeError::Panicked)),
                "{name} at {at}"
            );
            room::need_to_open(&damaged);
        }
    }
}

#[test]
fn keywords_of_the_container_and_of_the_preview_count() {
    let bytes = below_a_thumbnail(Big, |writer| {
        let preview = pointed_to(writer, &jpeg(300, 200, GREEN));
        vec![writer.directory(&preview, 0)]
    });
    assert!(room::keywords(&bytes).is_empty());
    let mut writer = Writer::plain(Big);
    let mut first = thumbnail(&mut writer);
    first.extend([(0x02BC, Bytes(packet("in a field"))), short(0x828D, 2)]);
    first.push((0x83BB, Any(b"\x1C\x02\x19\0\x05heron".to_vec())));
    let below = sensor(&mut writer, 1);
    first.extend([long(0x014A, below), (0x010F, Text("NIKON"))]);
    let first = writer.directory(&first, 0);
    let bytes = writer.finish(first);
    let expected = ["heron", "in a field"].map(str::to_owned);
    assert_eq!(room::keywords(&bytes), expected.clone().into());
    assert_eq!(
        room::open(&bytes, &LIMITS).unwrap().0.keywords,
        expected.into()
    );
    assert_eq!(
        room::keywords(&cr3(&[0; 99])),
        ["in a box".to_owned()].into()
    );
}

#[test]
fn the_search_finds_what_lies_between_what_is_none() {
    let starts = b"\xFF\xD8\xFF\xE0".repeat(50_000);
    let heads = jpeg(16, 12, RED)[..300].repeat(100);
    for (noise, is_found) in [(starts, true), (heads, false)] {
        let bytes = [&b"IIRO\x08\0\0\0\0\0"[..], &noise, &jpeg(300, 200, GREEN)].concat();
        assert_eq!(shown(&bytes).is_ok(), is_found);
    }
}
