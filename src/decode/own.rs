//! Pictures of formats that the crate `image` does not read: HEIF, AVIF and JPEG XL, so far as the build has them.
#![cfg_attr(
    not(all(feature = "heif", feature = "avif", feature = "jxl")),
    allow(
        dead_code,
        unused_variables,
        reason = "of no use where some are left out"
    )
)]

use image::RgbImage;

use super::DecodeError;
#[cfg(any(feature = "heif", feature = "avif"))]
use super::heif::{self, Heif};
#[cfg(feature = "jxl")]
use super::jxl::{self, Jxl};
use super::parts::Parts;
use crate::formats::Format;

/// All that a file tells but its pixels.
pub(super) struct Opened<'a> {
    /// Width and height, upright: such pictures are turned as they are decoded, and what EXIF says of it does not count.
    pub(super) size: (u32, u32),
    pub(super) parts: Parts<'a>,
}

/// Reads all but the pixels.
pub(super) fn open(
    bytes: &[u8],
    format: Format,
    most_pixels: u64,
) -> Result<Opened<'_>, DecodeError> {
    match format {
        #[cfg(feature = "heif")]
        Format::Heic => Heif::open(bytes).map(of_heif),
        #[cfg(feature = "avif")]
        Format::Avif => Heif::open(bytes).map(of_heif),
        #[cfg(feature = "jxl")]
        Format::Jxl => Jxl::open(bytes, most_pixels).map(|file| Opened {
            size: file.size(),
            parts: file.parts(),
        }),
        _ => Err(DecodeError::LeftOut(format)),
    }
}

#[cfg(any(feature = "heif", feature = "avif"))]
#[expect(clippy::needless_pass_by_value, reason = "it is of no use any more")]
fn of_heif(file: Heif<'_>) -> Opened<'_> {
    Opened {
        size: file.size(),
        parts: file.parts(),
    }
}

/// Decodes a picture of this size, upright.
pub(super) fn pixels(
    bytes: &[u8],
    format: Format,
    size: (u32, u32),
) -> Result<RgbImage, DecodeError> {
    match format {
        #[cfg(feature = "heif")]
        Format::Heic => Heif::open(bytes).and_then(|file| file.pixels()),
        #[cfg(feature = "avif")]
        Format::Avif => Heif::open(bytes).and_then(|file| file.pixels()),
        #[cfg(feature = "jxl")]
        Format::Jxl => Jxl::open(bytes, padded(size)).and_then(Jxl::pixels),
        _ => Err(DecodeError::LeftOut(format)),
    }
}

/// The decoder of JPEG XL counts a narrow picture as a wider one.
#[cfg(feature = "jxl")]
fn padded((width, height): (u32, u32)) -> u64 {
    u64::from(width.max(16)) * u64::from(height.max(16))
}

/// Most bytes that [`open`] takes.
pub(super) fn need_to_open(bytes: &[u8], format: Format) -> u64 {
    match format {
        #[cfg(any(feature = "heif", feature = "avif"))]
        Format::Heic | Format::Avif => heif::need_to_open(bytes),
        #[cfg(feature = "jxl")]
        Format::Jxl => jxl::need_to_open(bytes),
        _ => 0,
    }
}

/// Most bytes that [`pixels`] takes, its answer among them.
pub(super) fn need(bytes: &[u8], format: Format, size: (u32, u32)) -> u64 {
    match format {
        #[cfg(any(feature = "heif", feature = "avif"))]
        Format::Heic | Format::Avif => Heif::open(bytes).map_or(0, |file| file.need()),
        #[cfg(feature = "jxl")]
        Format::Jxl => Jxl::open(bytes, padded(size)).map_or(0, |file| file.need()),
        _ => 0,
    }
}

#[cfg(all(test, feature = "heif", feature = "avif", feature = "jxl"))]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::super::tests::{LIMITS, decode};
    use super::super::{Description, keywords, need_to_open, open};
    use super::*;

    /// What `tests/fixtures/containers/make.py` writes: all show one picture.
    fn files() -> Vec<(PathBuf, Vec<u8>)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/containers");
        let entries = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let is_picture = |path: &PathBuf| Format::of_path(path).is_some();
        let files: Vec<_> = entries
            .filter(is_picture)
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        assert!(files.len() > 40);
        files
    }

    fn file(name: &str) -> Vec<u8> {
        let mut files = files().into_iter();
        files.find(|(path, _)| path.ends_with(name)).unwrap().1
    }

    /// Red grows to the right and green downwards; where it is grey, that grows to the right.
    fn expected(size: (u32, u32), is_grey: bool) -> RgbImage {
        RgbImage::from_fn(size.0, size.1, |x, y| {
            let across = (x * 250 / (size.0 - 1)) as u8;
            let down = (y * 250 / (size.1 - 1)) as u8;
            image::Rgb(if is_grey {
                [across; 3]
            } else {
                [across, down, 90]
            })
        })
    }

    /// As sRGB has an amount of light: IEC 61966-2-1.
    fn lit(value: u8) -> u8 {
        let light = f64::from(value) / 255.0;
        let value = if light <= 0.003_130_8 {
            12.92 * light
        } else {
            1.055 * light.powf(1.0 / 2.4) - 0.055
        };
        (255.0 * value).round() as u8
    }

    fn difference(left: &RgbImage, right: &RgbImage) -> f64 {
        assert_eq!(left.dimensions(), right.dimensions());
        let pairs = left.iter().zip(right.iter());
        let sum: u64 = pairs
            .map(|(left, right)| u64::from(left.abs_diff(*right)))
            .sum();
        sum as f64 / left.len() as f64
    }

    #[test]
    fn pictures_of_every_kind_are_upright_and_in_their_colours() {
        for (path, bytes) in files() {
            let name = path.file_name().unwrap().to_str().unwrap();
            let (Description { metadata, .. }, pixels) = decode(&bytes, &LIMITS).unwrap();
            let size = match name.split('.').next().unwrap() {
                "tiles" => (100, 90),
                "odd" => (33, 21),
                "exact" if name.ends_with("heic") => (16, 12),
                _ => (64, 48),
            };
            assert_eq!(Some(metadata.format), Format::of_path(&path), "{name}");
            assert_eq!((metadata.width, metadata.height), size, "{name}");
            let mut expected = expected(size, name.starts_with("grey"));
            // Its writer says that the numbers are those of light, as it does with all that has sixteen bits.
            if name == "bits-16.jxl" {
                expected.iter_mut().for_each(|value| *value = lit(*value));
            }
            let difference = difference(&pixels, &expected);
            let most = match name {
                // Two by two pixels share a colour, and what was darkened has lost some.
                "odd.heic" => 4.0,
                "darkened.avif" => 6.0,
                _ => 2.0,
            };
            assert!(difference <= most, "{name}: {difference}");
        }
    }

    #[test]
    fn what_a_file_says_is_read_without_its_pixels() {
        let names = [
            "described.heic",
            "described.avif",
            "described.jxl",
            "folded.jxl",
        ];
        for name in names {
            let bytes = file(name);
            let format = Format::of_bytes(&bytes).unwrap();
            let Opened { parts, .. } = super::open(&bytes, format, 10_000).unwrap();
            let [exif] = parts.exif.as_slice() else {
                panic!("{name}");
            };
            assert!(
                exif.starts_with(b"MM\0*") && exif.ends_with(b"Maker\0"),
                "{name}"
            );
            assert!(parts.xmp[0].starts_with(b"<x:xmpmeta"), "{name}");
            let profile =
                (format != Format::Jxl).then_some(&b"no profile that anybody could use"[..]);
            assert_eq!(parts.icc.as_deref(), profile, "{name}");
            let (description, _) = open(&bytes, &LIMITS).unwrap();
            assert_eq!(
                description.metadata.camera.as_deref(),
                Some("Maker"),
                "{name}"
            );
            assert_eq!(description.keywords, ["cat".to_owned()].into(), "{name}");
            assert_eq!(keywords(&bytes), ["cat".to_owned()].into(), "{name}");
        }
        for name in ["head.jxl", "no-offset.jxl"] {
            let (description, _) = open(&file(name), &LIMITS).unwrap();
            assert_eq!(
                description.metadata.camera.as_deref(),
                Some("Maker"),
                "{name}"
            );
        }
    }

    /// What is cut off is the end of the pixels, or the box that tells of them.
    #[test]
    fn a_file_that_is_cut_is_refused_wherever_it_is_cut() {
        for (path, bytes) in files() {
            for kept in [bytes.len() * 2 / 5, bytes.len() * 4 / 5, bytes.len() - 12] {
                let decoded = decode(&bytes[..kept], &LIMITS);
                // The end of these is another picture, or how opaque it is, or what is said of it.
                let others = ["film", "see-through", "described"];
                let is_whole = others.iter().any(|name| path.file_stem().unwrap() == *name);
                assert!(decoded.is_err() || is_whole, "{} {kept}", path.display());
            }
        }
        let bytes = file("tiles.heic");
        let cut = decode(&bytes[..bytes.len() - 40], &LIMITS).unwrap_err();
        assert!(matches!(cut, DecodeError::Truncated), "{cut}");
    }

    #[test]
    fn what_phones_put_behind_a_picture_does_no_harm() {
        for name in ["full.heic", "full.avif", "described.jxl"] {
            let mut bytes = file(name);
            bytes.extend(b"\0\0\0\x02SEFT and whatever else");
            decode(&bytes, &LIMITS).unwrap();
        }
    }

    #[test]
    fn a_picture_that_is_too_large_is_refused_before_its_pixels_are_read() {
        let bytes = file("full.heic");
        let at = bytes
            .windows(4)
            .position(|window| window == b"ispe")
            .unwrap()
            + 8;
        for (width, height) in [(101_u32, 100_u32), (1 << 24, 1 << 24)] {
            let mut large = bytes.clone();
            large[at..at + 4].copy_from_slice(&width.to_be_bytes());
            large[at + 4..at + 8].copy_from_slice(&height.to_be_bytes());
            // The crop that the encoder wrote must be none, or it is that small again.
            let clap = large
                .windows(4)
                .position(|window| window == b"clap")
                .unwrap();
            large[clap..clap + 4].copy_from_slice(b"none");
            let error = open(&large, &LIMITS).map(drop).unwrap_err();
            assert!(
                matches!(error, DecodeError::TooManyPixels { .. }),
                "{error}"
            );
        }
    }

    #[test]
    fn a_picture_is_no_larger_than_any_can_be_whatever_is_cut_off() {
        let mut bytes = file("cropped.heic");
        let places = bytes
            .windows(4)
            .enumerate()
            .filter(|(_, window)| *window == b"ispe");
        let places: Vec<usize> = places.map(|(at, _)| at + 8).collect();
        for at in places {
            bytes[at..at + 8].copy_from_slice(&[0xFF; 8]);
        }
        assert!(open(&bytes, &LIMITS).is_err());
    }

    /// The container says less than is coded: what is coded is not even begun.
    #[test]
    fn a_coded_picture_that_is_larger_than_its_container_says_is_refused() {
        for name in ["tiles.heic", "tiles.avif"] {
            let mut bytes = file(name);
            let places = bytes
                .windows(4)
                .enumerate()
                .filter(|(_, window)| *window == b"ispe");
            let places: Vec<usize> = places.map(|(at, _)| at + 8).collect();
            for at in places {
                bytes[at..at + 4].copy_from_slice(&[0; 4]);
                bytes[at + 4..at + 8].copy_from_slice(&[0; 4]);
            }
            assert!(open(&bytes, &LIMITS).is_err(), "{name}");
        }
    }

    #[test]
    fn memory_is_told_before_it_is_taken() {
        for (path, bytes) in files() {
            let (_, encoded) = open(&bytes, &LIMITS).unwrap();
            assert!(encoded.need() > 3 * encoded.pixels(), "{}", path.display());
            assert!(need_to_open(&bytes) > 0);
            assert!(encoded.need_shrunk(1).is_none());
        }
    }

    #[test]
    fn what_is_sound_and_not_read_is_named() {
        let mut bytes = file("full.heic");
        let at = bytes
            .windows(4)
            .position(|window| window == b"hvc1")
            .unwrap();
        bytes[at..at + 4].copy_from_slice(b"unci");
        let error = decode(&bytes, &LIMITS).unwrap_err().to_string();
        assert_eq!(
            error,
            "a picture of the kind `unci` in a HEIF file is not read by pixdex"
        );
    }
}

#[cfg(test)]
mod left_out {
    use super::*;

    #[test]
    fn a_build_that_leaves_a_format_out_says_so() {
        let formats = [
            (Format::Heic, cfg!(feature = "heif")),
            (Format::Avif, cfg!(feature = "avif")),
            (Format::Jxl, cfg!(feature = "jxl")),
        ];
        for (format, is_there) in formats {
            let opened = open(b"", format, 1).map(drop);
            let refused = matches!(opened, Err(DecodeError::LeftOut(_)));
            assert_eq!(refused, !is_there, "{format}");
        }
    }
}
