//! Every format, every limit, and files that are cut or damaged.

use std::io::Cursor;

use ::exif::{Tag, Value};

use super::exif::tests::jpeg_with;
use super::*;

pub(in crate::decode) const LIMITS: DecodeConfig = DecodeConfig {
    max_pixels: 10_000,
    max_file_bytes: 100_000,
};

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
        let picture = decode(&encoded(40, 30, format), &LIMITS).unwrap();
        assert_eq!(picture.metadata.format, format);
        assert_eq!((picture.metadata.width, picture.metadata.height), (40, 30));
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

#[test]
fn a_large_jpeg_is_decoded_at_the_size_that_is_enough() {
    let limits = DecodeConfig {
        max_pixels: 1_000_000,
        ..LIMITS
    };
    let bytes = encoded(643, 405, Format::Jpeg);
    let sides = [
        (None, (643, 405)),
        (Some(203), (643, 405)),
        (Some(200), (321, 202)),
        (Some(100), (160, 101)),
        (Some(1), (80, 50)),
    ];
    for (enough, expected) in sides {
        let picture = decode_enough(&bytes, &limits, enough).unwrap();
        assert_eq!(picture.pixels.dimensions(), expected, "{enough:?}");
        assert_eq!(
            (picture.metadata.width, picture.metadata.height),
            (643, 405)
        );
    }
    assert!(matches!(
        decode_enough(&bytes, &LIMITS, Some(1)),
        Err(DecodeError::TooManyPixels { .. })
    ));
    let cut = &bytes[..bytes.len() - 20];
    assert!(matches!(
        decode_enough(cut, &limits, Some(1)),
        Err(DecodeError::Truncated)
    ));
}

#[test]
fn a_smaller_picture_is_turned_upright_too() {
    let bytes = jpeg_with(&[(Tag::Orientation, Value::Short(vec![6]))]);
    let picture = decode_enough(&bytes, &LIMITS, Some(4)).unwrap();
    assert_eq!(picture.pixels.dimensions(), (5, 10));
    assert_eq!((picture.metadata.width, picture.metadata.height), (20, 40));
}

#[test]
fn sixteen_bits_become_the_high_byte() {
    let wide = image::ImageBuffer::<Rgb<u16>, _>::from_pixel(2, 2, Rgb([0x12FF, 0xFF00, 0x0080]));
    assert_eq!(
        rgb8(DynamicImage::ImageRgb16(wide), Format::Png)
            .get_pixel(0, 0)
            .0,
        [0x12, 0xFF, 0x00]
    );
}
