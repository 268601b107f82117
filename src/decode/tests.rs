//! Every format, every limit, and files that are cut or damaged.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{ImageEncoder, Rgb};

use super::gif::tests::gif;
use super::ifd::tests::{ascii, bytes, rationals, short, tiff};
use super::*;

pub(in crate::decode) const LIMITS: DecodeConfig = DecodeConfig {
    max_pixels: 10_000,
    max_file_bytes: 100_000,
    memory_bytes: 0,
    max_frames: 4,
    ffmpeg: String::new(),
};

pub(in crate::decode) fn decode(
    bytes: &[u8],
    limits: &DecodeConfig,
) -> Result<(Description, RgbImage), DecodeError> {
    let (description, encoded) = open(bytes, limits)?;
    Ok((description, encoded.whole()?))
}

/// As much of the picture as is enough.
fn enough(bytes: &[u8], limits: &DecodeConfig, side: u32) -> Result<RgbImage, DecodeError> {
    let (_, encoded) = open(bytes, limits)?;
    encoded.shrunk(side).map_or_else(|| encoded.whole(), Ok)
}

/// Cameras write RAW files, and nobody else; other formats are written by no crate at hand: see `own`.
fn written() -> impl Iterator<Item = Format> {
    let all = Format::ALL.into_iter();
    all.filter(|format| *format != Format::Raw && format.decoder().is_some())
}

fn encoded(width: u32, height: u32, format: Format) -> Vec<u8> {
    let picture = RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * 3) as u8, (y * 3) as u8, 90])
    });
    let mut bytes = Cursor::new(Vec::new());
    let encoder = format.decoder().unwrap();
    picture.write_to(&mut bytes, encoder).unwrap();
    bytes.into_inner()
}

/// A JPEG of 40 by 20 pixels with this block of EXIF.
fn jpeg_with(block: Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new(&mut bytes);
    encoder.set_exif_metadata(block).unwrap();
    encoder
        .write_image(&[128; 40 * 20 * 3], 40, 20, image::ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

const PACKET: &[u8] = b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description \
    xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:subject><rdf:Bag><rdf:li>dog</rdf:li></rdf:Bag></dc:subject>\
    </rdf:Description></rdf:RDF>";

fn png_chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
    let body = [kind, data].concat();
    let sum = !body.iter().fold(!0, |sum: u32, byte| {
        let bit = |sum: u32, _| (sum >> 1) ^ (0xEDB8_8320 * (sum & 1));
        (0..8).fold(sum ^ u32::from(*byte), bit)
    });
    let length = (data.len() as u32).to_be_bytes();
    [&length[..], &body, &sum.to_be_bytes()].concat()
}

#[test]
fn a_picture_says_all_that_its_file_holds() {
    let block = tiff(
        &[short(0x112, 6), ascii(0x10F, "Heron"), ascii(0x110, "H1")],
        &[
            (
                0x8769,
                &[
                    ascii(0x9003, "2021:07:03 18:30:05"),
                    ascii(0x9291, "5"),
                    ascii(0x9011, "+02:00"),
                ],
            ),
            (
                0x8825,
                &[
                    ascii(1, "S"),
                    rationals(2, 5, &[(47, 1), (30, 1), (36, 1)]),
                    ascii(3, "E"),
                    rationals(4, 5, &[(8, 1), (15, 1), (0, 1)]),
                ],
            ),
        ],
    );
    let (description, pixels) = decode(&jpeg_with(block), &LIMITS).unwrap();
    let expected = Metadata {
        taken_at: Some("2021-07-03T18:30:05".to_owned()),
        taken_ms: Some(500),
        utc_offset_minutes: Some(120),
        date_source: Some(DateSource::DateTimeOriginal),
        camera: Some("Heron H1".to_owned()),
        latitude: Some(-47.51),
        longitude: Some(8.25),
        ..Metadata::new(Format::Jpeg, 20, 40)
    };
    assert_eq!(description.metadata, expected);
    assert_eq!(pixels.dimensions(), (20, 40));
}

#[test]
fn every_container_says_what_it_holds() {
    let block = tiff(&[ascii(0x110, "H1"), short(0x112, 6)], &[]);
    let png = encoded(40, 20, Format::Png);
    let (before, end) = png.split_at(png.len() - 12);
    let texts = [b"XML:com.adobe.xmp\0\0\0\0\0", PACKET].concat();
    let behind = [png_chunk(b"eXIf", &block), png_chunk(b"iTXt", &texts)].concat();
    let webp = encoded(40, 20, Format::WebP);
    let part = |kind: &[u8], data: &[u8]| {
        let length = (data.len() as u32).to_le_bytes();
        [kind, &length, data, &vec![0; data.len() % 2]].concat()
    };
    let header = [&[0x0C, 0, 0, 0][..], &[39, 0, 0], &[19, 0, 0]].concat();
    let parts = [
        part(b"VP8X", &header),
        webp[12..].to_vec(),
        part(b"EXIF", &block),
        part(b"XMP ", PACKET),
    ]
    .concat();
    let length = (parts.len() as u32 + 4).to_le_bytes();
    for file in [
        [before, &behind, end].concat(),
        [b"RIFF", &length[..], b"WEBP", &parts].concat(),
    ] {
        let (description, pixels) = decode(&file, &LIMITS).unwrap();
        assert_eq!(description.metadata.camera.as_deref(), Some("H1"));
        assert_eq!(pixels.dimensions(), (20, 40));
        assert_eq!(description.keywords.iter().collect::<Vec<_>>(), ["dog"]);
        assert_eq!(keywords(&file), description.keywords);
        let (values, warnings) = values(&file);
        assert_eq!(values.len(), 3);
        assert!(warnings.is_empty(), "{warnings:?}");
    }
}

#[test]
fn a_packet_in_a_gif_is_read_and_a_bad_one_does_no_harm() {
    let gif = encoded(40, 20, Format::Gif);
    let screen = gif.iter().position(|byte| *byte == 0x21).unwrap();
    let tail: Vec<u8> = [1].into_iter().chain((0..=255).rev()).chain([0]).collect();
    let end = |packet: &[u8]| [packet, &tail].concat();
    for (data, found) in [
        (end(PACKET), true),
        (end(b"<x"), false),
        ([&[8][..], b"<x><y><z", &[0]].concat(), false),
        (vec![0], false),
    ] {
        let extension = [b"\x21\xFF\x0BXMP DataXMP", &data[..]].concat();
        let file = [&gif[..screen], &extension, &gif[screen..]].concat();
        let (description, _) = decode(&file, &LIMITS).unwrap();
        assert_eq!(description.keywords.contains("dog"), found);
    }
}

#[test]
fn a_tiff_says_what_stands_in_its_fields() {
    let file = encoded(40, 20, Format::Tiff);
    let (description, _) = decode(&file, &LIMITS).unwrap();
    assert_eq!(description.metadata, Metadata::new(Format::Tiff, 40, 20));
    let at = u32::from_le_bytes(file[4..8].try_into().unwrap()) as usize;
    let count = usize::from(u16::from_le_bytes([file[at], file[at + 1]]));
    // The directory again, at the end of the file, with two fields more in front of it.
    let behind = (file.len() + 2 + 12 * (count + 2) + 4) as u32;
    let packet = bytes(700, 1, PACKET);
    let mut fields = (count as u16 + 2).to_le_bytes().to_vec();
    fields.extend(&file[at + 2..at + 2 + 12 * count]);
    for (field, place) in [
        (&ascii(0x110, "H1"), *b"H1\0\0"),
        (&packet, behind.to_le_bytes()),
    ] {
        fields.extend(field.tag.to_le_bytes());
        fields.extend(field.kind.to_le_bytes());
        fields.extend(field.count.to_le_bytes());
        fields.extend(place);
    }
    let mut longer = file.clone();
    longer[4..8].copy_from_slice(&(file.len() as u32).to_le_bytes());
    let longer = [longer, fields, vec![0; 4], PACKET.to_vec()].concat();
    let (description, _) = decode(&longer, &LIMITS).unwrap();
    assert_eq!(description.metadata.camera.as_deref(), Some("H1"));
    assert!(description.keywords.contains("dog"));
}

#[test]
fn every_format_is_read() {
    for format in written() {
        let (Description { metadata, .. }, pixels) =
            decode(&encoded(40, 30, format), &LIMITS).unwrap();
        assert_eq!(metadata, Metadata::new(format, 40, 30));
        assert_eq!(pixels.dimensions(), (40, 30));
    }
}

#[test]
fn a_cut_file_is_refused_wherever_it_is_cut() {
    for format in written() {
        // What describes the pixels stands behind them in a TIFF of this writer.
        let whole = encoded(60, 60, format);
        for kept in [whole.len() / 4, whole.len() / 2, whole.len() * 9 / 10] {
            assert!(
                decode(&whole[..kept], &LIMITS).is_err(),
                "{format:?} cut to {kept} of {}",
                whole.len()
            );
        }
    }
}

#[test]
fn what_stands_behind_the_end_marker_does_no_harm() {
    let mut bytes = encoded(20, 20, Format::Jpeg);
    bytes.extend(b"a phone puts a film here \xFF\xDA\xFF");
    assert!(decode(&bytes, &LIMITS).is_ok());
}

#[test]
fn limits_are_kept_before_pixels_are_read() {
    let error = decode(&encoded(101, 100, Format::Png), &LIMITS)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("101 x 100") && error.contains("max_pixels"),
        "{error}"
    );
    let error = decode(&vec![0; 100_001], &LIMITS).unwrap_err().to_string();
    assert!(error.contains("max_file_bytes"), "{error}");
    assert!(matches!(decode(b"", &LIMITS), Err(DecodeError::Empty)));
    assert_eq!(
        decode(b"<html>", &LIMITS).unwrap_err().to_string(),
        "not of a format that is read: jpeg, png, webp, gif, bmp, tiff, heic, avif, jxl, raw, mp4, mov, mkv or webm"
    );
}

/// The screen is what the header tells of; the frame is what is decoded.
#[test]
fn a_frame_larger_than_its_screen_is_limited_too() {
    let bytes = gif((2, 3), (101, 100));
    let error = open(&bytes, &LIMITS).map(drop).unwrap_err();
    assert!(error.to_string().contains("101 x 100"), "{error}");
    assert!(open(&gif((2, 3), (100, 100)), &LIMITS).is_ok());
    assert!(open(&gif((101, 100), (2, 3)), &LIMITS).is_err());
}

#[test]
fn a_large_jpeg_is_decoded_at_the_size_that_is_enough() {
    let limits = DecodeConfig {
        max_pixels: 1_000_000,
        ..LIMITS
    };
    let bytes = encoded(643, 405, Format::Jpeg);
    let sides = [
        (203, (643, 405)),
        (200, (321, 202)),
        (100, (160, 101)),
        (1, (80, 50)),
    ];
    for (side, expected) in sides {
        let pixels = enough(&bytes, &limits, side).unwrap();
        assert_eq!(pixels.dimensions(), expected, "{side}");
    }
    assert!(matches!(
        enough(&bytes, &LIMITS, 1),
        Err(DecodeError::TooManyPixels { .. })
    ));
    let cut = &bytes[..bytes.len() - 20];
    assert!(matches!(
        enough(cut, &limits, 1),
        Err(DecodeError::Truncated)
    ));
}

#[test]
fn a_smaller_picture_is_turned_upright_too() {
    let bytes = jpeg_with(tiff(&[short(0x112, 6)], &[]));
    let (Description { metadata, .. }, encoded) = open(&bytes, &LIMITS).unwrap();
    assert_eq!((metadata.width, metadata.height), (20, 40));
    assert_eq!(encoded.shrunk(4).unwrap().dimensions(), (5, 10));
}
