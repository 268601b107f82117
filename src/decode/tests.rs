//! Every format, every limit, and files that are cut or damaged.

use std::io::Cursor;

use ::exif::{Tag, Value};

use image::Rgb;

use super::exif::tests::jpeg_with;
use super::gif::tests::gif;
use super::*;

pub(in crate::decode) const LIMITS: DecodeConfig = DecodeConfig {
    max_pixels: 10_000,
    max_file_bytes: 100_000,
    memory_bytes: 0,
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

fn encoded(width: u32, height: u32, format: Format) -> Vec<u8> {
    let picture = RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * 3) as u8, (y * 3) as u8, 90])
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format.decoder()).unwrap();
    bytes.into_inner()
}

#[test]
fn every_format_is_read() {
    for format in Format::ALL {
        let (Description { metadata, .. }, pixels) =
            decode(&encoded(40, 30, format), &LIMITS).unwrap();
        assert_eq!(metadata, Metadata::new(format, 40, 30));
        assert_eq!(pixels.dimensions(), (40, 30));
    }
}

#[test]
fn a_cut_file_is_refused_wherever_it_is_cut() {
    for format in [Format::Jpeg, Format::Png, Format::WebP, Format::Gif] {
        let whole = encoded(60, 60, format);
        for kept in [whole.len() / 4, whole.len() / 2, whole.len() - 20] {
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
        "not a jpeg, png, webp, gif, bmp or tiff picture"
    );
}

/// The screen is what the header tells of; the frame is what is decoded.
#[test]
fn a_frame_larger_than_its_screen_is_limited_too() {
    let bytes = gif((2, 3), (101, 100));
    let error = open(&bytes, &LIMITS).map(drop).unwrap_err();
    assert!(error.to_string().contains("101 x 100"), "{error}");
    assert!(open(&gif((2, 3), (100, 100)), &LIMITS).is_ok());
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
    let bytes = jpeg_with(&[(Tag::Orientation, Value::Short(vec![6]))]);
    let (Description { metadata, .. }, encoded) = open(&bytes, &LIMITS).unwrap();
    assert_eq!((metadata.width, metadata.height), (20, 40));
    assert_eq!(encoded.shrunk(4).unwrap().dimensions(), (5, 10));
}
