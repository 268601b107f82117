//! JPEGs of every sort that people have, whole and at a fraction of their size.
//!
//! A photo has twenty times the pixels that a model looks at. Its codes must be read one after the other, but what only the
//! thrown-away pixels need is never computed. The common sort (baseline, grey or three colours, all components in one scan) is
//! decoded row by row; of every other sort all coefficients are kept. At full size, the common sort is left to a decoder that
//! is faster at it, once it is known that every block is there: that decoder would make up what is missing.

mod arithmetic;
mod bits;
mod blocks;
mod codes;
mod coefficients;
mod frame;
mod huffman;
mod samples;
mod scan;
mod standard;
mod transform;

use image::RgbImage;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::DecodeError;
use super::raster::Raster;
use frame::{Colors, Frame, Reader};
use scan::Single;

/// What a JPEG says about itself before its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) components: u32,
    /// Coefficients of all blocks, those that only fill up units among them.
    pub(super) samples: u64,
    /// Whether it is made smaller row by row; else all coefficients are kept.
    pub(super) is_common: bool,
}

/// Reads a JPEG up to its first scan.
pub(super) fn header(bytes: &[u8]) -> Result<Header, DecodeError> {
    let (reader, scan) = first_scan(bytes)?;
    let frame = reader.frame()?;
    let is_common = reader.colors().is_ok_and(|colors| {
        let single = Single {
            frame,
            colors,
            scan: &scan,
            tables: &reader.tables,
        };
        single.is_common()
    });
    Ok(Header {
        width: frame.width as u32,
        height: frame.height as u32,
        components: frame.components.len() as u32,
        samples: frame.samples(),
        is_common,
    })
}

/// Decodes to `eighths` of the size, 1, 2 or 4, rounded down; nothing where it is damaged.
pub(super) fn decode_scaled(bytes: &[u8], eighths: usize) -> Option<Raster> {
    let (reader, scan) = first_scan(bytes).ok()?;
    let single = Single {
        frame: reader.frame().ok()?,
        colors: reader.colors().ok()?,
        scan: &scan,
        tables: &reader.tables,
    };
    if single.is_common() {
        return scan::decode(&single, eighths).map(Raster::Rgb);
    }
    samples::pixels(coefficients::read(bytes).ok()?, single.colors, eighths).ok()
}

/// Decodes all pixels.
pub(super) fn decode(bytes: &[u8]) -> Result<Raster, DecodeError> {
    let (reader, scan) = first_scan(bytes)?;
    let single = Single {
        frame: reader.frame()?,
        colors: reader.colors()?,
        scan: &scan,
        tables: &reader.tables,
    };
    if single.is_common() && is_known(single.frame, single.colors, reader.adobe) {
        scan::is_whole(&single).ok_or(DecodeError::Truncated)?;
        if let Some(pixels) = decode_known(&without_others(bytes), single.frame) {
            return Ok(Raster::Rgb(pixels));
        }
    }
    samples::pixels(coefficients::read(bytes)?, single.colors, 8)
}

/// Decodes all channels as they stand, whatever colours they are.
pub(super) fn decode_channels(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    samples::channels(coefficients::read(bytes)?)
}

fn first_scan(bytes: &[u8]) -> Result<(Reader<'_>, frame::Scan<'_>), DecodeError> {
    let mut reader = Reader::new(bytes);
    let scan = reader.next_scan()?.ok_or(DecodeError::Truncated)?;
    Ok((reader, scan))
}

/// Whether the faster decoder is known to be right: it was found wrong about odd samplings, and about colours that are not what
/// Adobe's marker says.
fn is_known(frame: &Frame, colors: Colors, adobe: Option<u8>) -> bool {
    let sides = |component: &frame::Component| (component.horizontal, component.vertical);
    match (colors, &frame.components[..]) {
        (Colors::Grey, [grey]) => sides(grey) == (1, 1),
        (Colors::YCbCr, [y, cb, cr]) => {
            matches!(adobe, None | Some(1))
                && [y.id, cb.id, cr.id] != *b"RGB"
                && matches!(sides(y), (1 | 2, 1 | 2))
                && sides(cb) == (1, 1)
                && sides(cr) == (1, 1)
        }
        _ => false,
    }
}

/// The same without the parts that are not about pixels, over which the faster decoder stumbles where they are odd.
fn without_others(bytes: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut reader = Reader::new(bytes);
    kept.extend_from_slice(&[0xFF, 0xD8]);
    while let Some((marker, segment)) = reader.next_part() {
        if !matches!(marker, 0xE0..=0xEF | 0xFE) {
            kept.extend_from_slice(&[0xFF, marker]);
            kept.extend_from_slice(segment);
        }
        if marker == 0xDA {
            break;
        }
    }
    kept.extend_from_slice(reader.rest());
    kept
}

fn decode_known(bytes: &[u8], frame: &Frame) -> Option<RgbImage> {
    let options = DecoderOptions::new_fast()
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().ok()?;
    if decoder.dimensions()? != (frame.width, frame.height) {
        return None;
    }
    let mut pixels = RgbImage::new(frame.width as u32, frame.height as u32);
    decoder.decode_into(&mut pixels).ok()?;
    Some(pixels)
}

#[cfg(test)]
mod tests {
    use image::imageops::{FilterType, crop_imm, resize};
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

    use super::*;

    const SAMPLINGS: [SamplingFactor; 5] = [
        SamplingFactor::R_4_4_4,
        SamplingFactor::R_4_2_2,
        SamplingFactor::R_4_4_0,
        SamplingFactor::R_4_2_0,
        // In scans of their own.
        SamplingFactor::R_4_1_1,
    ];

    const HUFFMAN: &[u8] = include_bytes!("../../../tests/fixtures/decode/huffman.jpg");
    const ARITHMETIC: [&[u8]; 2] = [
        include_bytes!("../../../tests/fixtures/decode/arithmetic.jpg"),
        include_bytes!("../../../tests/fixtures/decode/arithmetic-progressive.jpg"),
    ];

    /// Slow waves in all channels, so that fewer pixels can show them.
    fn waves(width: u16, height: u16, channels: usize) -> Vec<u8> {
        let wave = |x: u16, y: u16, channel: usize| {
            let phase =
                f32::from(x) / 23.0 + f32::from(y) / (17.0 + 9.0 * channel as f32) + channel as f32;
            (128.0 + 100.0 * phase.sin()) as u8
        };
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        places
            .flat_map(|(x, y)| (0..channels).map(move |channel| wave(x, y, channel)))
            .collect()
    }

    fn encoded(
        (width, height): (u16, u16),
        color: ColorType,
        set: impl Fn(&mut Encoder<&mut Vec<u8>>),
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 92);
        set(&mut encoder);
        let channels = match color {
            ColorType::Luma => 1,
            ColorType::Rgb | ColorType::Ycbcr => 3,
            _ => 4,
        };
        encoder
            .encode(&waves(width, height, channels), width, height, color)
            .unwrap();
        bytes
    }

    fn sampled(size: (u16, u16), sampling: SamplingFactor, is_progressive: bool) -> Vec<u8> {
        encoded(size, ColorType::Rgb, |encoder| {
            encoder.set_sampling_factor(sampling);
            encoder.set_progressive(is_progressive);
        })
    }

    fn scaled(bytes: &[u8], eighths: usize) -> Option<RgbImage> {
        decode_scaled(bytes, eighths).map(Raster::into_rgb)
    }

    fn whole(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
        decode(bytes).map(Raster::into_rgb)
    }

    fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
        assert_eq!(a.dimensions(), b.dimensions());
        let pairs = a.iter().zip(b.iter());
        let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / a.len() as f64
    }

    /// How far the scaled decode is from shrinking the full one, in the mean.
    fn error(bytes: &[u8], eighths: usize) -> f64 {
        let full = whole(bytes).unwrap();
        let scaled = scaled(bytes, eighths).unwrap();
        let kept = |side: u32| side * eighths as u32 / 8;
        assert_eq!(
            scaled.dimensions(),
            (kept(full.width()), kept(full.height()))
        );
        // What would make only a part of a pixel is dropped at the far ends.
        let whole = |side: u32| side * 8 / eighths as u32;
        let (width, height) = scaled.dimensions();
        let kept = crop_imm(&full, 0, 0, whole(width), whole(height)).to_image();
        difference(&scaled, &resize(&kept, width, height, FilterType::Triangle))
    }

    /// The same with segments behind the first marker.
    fn with_segments(bytes: &[u8], segments: &[(u8, &[u8])]) -> Vec<u8> {
        let mut all = vec![0xFF, 0xD8];
        for (marker, data) in segments {
            all.extend([0xFF, *marker]);
            all.extend((data.len() as u16 + 2).to_be_bytes());
            all.extend(*data);
        }
        // Without those that the encoder wrote.
        let bare = without_others(bytes);
        all.extend(&bare[2..]);
        all
    }

    /// The same, whose components are called otherwise.
    fn with_ids(bytes: &[u8], ids: [u8; 3]) -> Vec<u8> {
        let mut bytes = without_others(bytes);
        let find = |bytes: &[u8], marker| {
            bytes
                .windows(2)
                .position(|pair| pair == [0xFF, marker])
                .unwrap()
        };
        let (frame, scan) = (find(&bytes, 0xC0), find(&bytes, 0xDA));
        for (at, id) in ids.into_iter().enumerate() {
            bytes[frame + 10 + 3 * at] = id;
            bytes[scan + 5 + 2 * at] = id;
        }
        bytes
    }

    const JFIF: (u8, &[u8]) = (0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");

    #[test]
    fn every_way_to_store_colours_gives_the_picture_and_the_smaller_one() {
        for size in [(320, 200), (333, 251)] {
            let expected =
                RgbImage::from_raw(size.0.into(), size.1.into(), waves(size.0, size.1, 3));
            let expected = expected.unwrap();
            for (sampling, is_progressive) in SAMPLINGS
                .iter()
                .flat_map(|sort| [(*sort, false), (*sort, true)])
            {
                let bytes = sampled(size, sampling, is_progressive);
                let name = format!("{size:?}, {sampling:?}, {is_progressive}");
                let whole = difference(&whole(&bytes).unwrap(), &expected);
                let most = if matches!(sampling, SamplingFactor::R_4_1_1) {
                    4.0
                } else {
                    2.0
                };
                assert!(whole < most, "{name}: {whole}");
                for eighths in [1, 2, 4] {
                    let error = error(&bytes, eighths);
                    assert!(error < 3.0, "{name} at {eighths}/8: {error}");
                }
            }
            for eighths in [1, 2, 4] {
                let error = error(&encoded(size, ColorType::Luma, |_| {}), eighths);
                assert!(error < 3.0, "{size:?} at {eighths}/8, grey: {error}");
            }
        }
    }

    /// The faster decoder is not asked for what it is wrong about, and ours is the judge of what it is asked for.
    #[test]
    fn both_decoders_give_the_same_picture() {
        for sampling in &SAMPLINGS[..4] {
            let bytes = sampled((97, 75), *sampling, false);
            let ours = samples::pixels(coefficients::read(&bytes).unwrap(), Colors::YCbCr, 8);
            let theirs = image::load_from_memory(&bytes).unwrap().into_rgb8();
            let error = difference(&ours.unwrap().into_rgb(), &theirs);
            assert!(error < 1.0, "{sampling:?}: {error}");
        }
    }

    #[test]
    fn arithmetic_coding_gives_the_same_coefficients() {
        let expected = coefficients::read(HUFFMAN).unwrap();
        for bytes in ARITHMETIC {
            let read = coefficients::read(bytes).unwrap();
            for (grid, expected) in read.grids.iter().zip(&expected.grids) {
                let (across, down) = grid.shown;
                for row in 0..down {
                    let row =
                        |grid: &blocks::Grid| grid.blocks[row * grid.across..][..across].to_vec();
                    assert!(row(grid) == row(expected));
                }
            }
            assert!(decode(&bytes[..bytes.len() / 2]).is_err());
            let cut = [&bytes[..bytes.len() / 2], b"\xFF\xD9"].concat();
            assert!(matches!(decode(&cut), Err(DecodeError::Truncated)));
        }
    }

    /// What libjpeg does, which everyone takes for right.
    #[test]
    fn colours_are_what_the_markers_and_the_components_say() {
        let adobe = |transform: u8| [b"Adobe\0\x64\0\0\0\0", &[transform][..]].concat();
        let (none, ycbcr) = (adobe(0), adobe(1));
        let short: (u8, &[u8]) = (0xEE, b"Adobe");
        let numbers = sampled((64, 48), SamplingFactor::R_4_4_4, false);
        let letters = with_ids(&numbers, *b"RGB");
        let rgb = |bytes: &[u8], segments: &[(u8, &[u8])]| {
            let bytes = with_segments(bytes, segments);
            let (reader, _) = first_scan(&bytes).unwrap();
            // The same whichever way it is decoded.
            let small = resize(&whole(&bytes).unwrap(), 8, 6, FilterType::Triangle);
            assert!(difference(&scaled(&bytes, 1).unwrap(), &small) < 8.0);
            reader.colors().unwrap() == Colors::Rgb
        };
        assert!(!rgb(&numbers, &[]));
        assert!(rgb(&letters, &[]));
        assert!(!rgb(&letters, &[JFIF]));
        assert!(rgb(&numbers, &[(0xEE, &none)]));
        assert!(!rgb(&numbers, &[(0xEE, &ycbcr)]));
        assert!(!rgb(&letters, &[(0xEE, &ycbcr)]));
        assert!(!rgb(&numbers, &[JFIF, (0xEE, &none)]));
        assert!(!rgb(&numbers, &[short]));
        assert!(rgb(&letters, &[short]));
    }

    #[test]
    fn inks_are_what_they_leave_of_the_light() {
        let cmyk = encoded((64, 48), ColorType::Cmyk, |_| {});
        let ycck = encoded((64, 48), ColorType::CmykAsYcck, |_| {});
        let first = |bytes: &[u8]| match decode(bytes).unwrap() {
            Raster::Cmyk { inks, .. } => inks,
            Raster::Rgb(_) => panic!("no inks"),
        };
        let expected = waves(64, 48, 4);
        for bytes in [cmyk, ycck] {
            let inks = first(&bytes);
            let far = inks.iter().zip(&expected).filter(|(a, b)| {
                // The encoder stores what it is given, and everyone takes that for the light.
                a.abs_diff(**b) > 12 && a.abs_diff(255 - **b) > 12
            });
            assert_eq!(far.count(), 0);
        }
    }

    #[test]
    fn restart_markers_change_nothing() {
        let plain = sampled((200, 120), SamplingFactor::R_4_2_0, false);
        for interval in [1, 3, 8] {
            let bytes = encoded((200, 120), ColorType::Rgb, |encoder| {
                encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
                encoder.set_restart_interval(interval);
            });
            assert_eq!(scaled(&bytes, 2), scaled(&plain, 2), "every {interval}");
            assert_eq!(whole(&bytes).unwrap(), whole(&plain).unwrap());
        }
    }

    /// Sixteen zeros have the shortest code where most blocks hold nothing but their last coefficient. What follows a full block looks
    /// like many more of them.
    #[test]
    fn blocks_of_many_zeros_end_where_they_end() {
        let segment = |marker: u8, data: &[u8]| {
            let length = (data.len() as u16 + 2).to_be_bytes();
            [&[0xFF, marker][..], &length, data].concat()
        };
        let codes = |counts: &[u8], symbols: &[u8]| {
            let mut all = [0; 16];
            all[..counts.len()].copy_from_slice(counts);
            [&all[..], symbols].concat()
        };
        let bytes = [
            b"\xFF\xD8".to_vec(),
            segment(0xDB, &[&[0][..], &[1; 64]].concat()),
            segment(0xC0, &[8, 0, 64, 0, 64, 1, 1, 0x11, 0]),
            // The difference 0 is `00`.
            segment(0xC4, &[&[0][..], &codes(&[0, 1], &[0])].concat()),
            // Sixteen zeros are `0`, and fourteen with a coefficient of one bit behind them are `10`.
            segment(
                0xC4,
                &[&[0x10][..], &codes(&[1, 1], &[0xF0, 0xE1])].concat(),
            ),
            segment(0xDA, &[1, 1, 0, 0, 63, 0]),
            vec![0b0000_0101; 64],
            b"\xFF\xD9".to_vec(),
        ]
        .concat();
        let grey = |side| RgbImage::from_pixel(side, side, image::Rgb([128; 3]));
        assert_eq!(scaled(&bytes, 1), Some(grey(8)));
        assert_eq!(scaled(&bytes, 2), Some(grey(16)));
    }

    /// Frames of films have no tables of codes.
    #[test]
    fn tables_that_are_left_out_are_those_of_the_standard() {
        let whole_file = encoded((64, 48), ColorType::Luma, |_| {});
        let mut bytes = vec![0xFF, 0xD8];
        let mut reader = Reader::new(&whole_file);
        while let Some((marker, segment)) = reader.next_part() {
            if marker != 0xC4 {
                bytes.extend([0xFF, marker]);
                bytes.extend(segment);
            }
            if marker == 0xDA {
                break;
            }
        }
        bytes.extend(reader.rest());
        assert!(bytes.len() < whole_file.len());
        let (left_out, all) = (whole(&bytes).unwrap(), whole(&whole_file).unwrap());
        assert!(difference(&left_out, &all) < 1.0);
    }

    fn sorts() -> Vec<(&'static str, Vec<u8>)> {
        let size = (256, 240);
        vec![
            ("usual", sampled(size, SamplingFactor::R_4_2_0, false)),
            ("apart", sampled(size, SamplingFactor::R_4_1_1, false)),
            ("progressive", sampled(size, SamplingFactor::R_4_2_0, true)),
            ("grey", encoded(size, ColorType::Luma, |_| {})),
            ("inks", encoded(size, ColorType::Cmyk, |_| {})),
        ]
    }

    /// Whatever the end marker says.
    #[test]
    fn a_picture_is_what_has_every_block() {
        for (sort, bytes) in sorts() {
            let expected = whole(&bytes).unwrap();
            let endless = bytes.strip_suffix(b"\xFF\xD9").unwrap();
            assert!(
                whole(endless).unwrap_or_else(|error| panic!("{sort}: {error}")) == expected,
                "{sort}"
            );
            let small = scaled(&bytes, 2).unwrap();
            assert!(scaled(endless, 2).unwrap() == small, "{sort}");
            let more = [&bytes[..], b"\0\0 a film \xFF\xD8\xFF\xDA\xFF"].concat();
            assert!(whole(&more).unwrap() == expected, "{sort}");
            for share in [3, 5, 8, 9] {
                let cut = bytes[..bytes.len() * share / 10].to_vec();
                let ended = [&cut[..], b"\xFF\xD9"].concat();
                let mut filled = cut.clone();
                filled.resize(bytes.len(), 0);
                for damaged in [cut, ended, filled] {
                    assert!(whole(&damaged).is_err(), "{sort}, {share}");
                    assert_eq!(scaled(&damaged, 2), None, "{sort}, {share}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_read_is_told() {
        let mut wide = sampled((64, 48), SamplingFactor::R_4_4_4, false);
        let frame = wide
            .windows(2)
            .position(|pair| pair == [0xFF, 0xC0])
            .unwrap();
        wide[frame + 4] = 12;
        assert_eq!(
            whole(&wide).unwrap_err().to_string(),
            "a JPEG of other than 8 bits is not read by pixdex"
        );
        wide[frame + 4] = 8;
        wide[frame + 1] = 0xC3;
        assert!(matches!(whole(&wide), Err(DecodeError::Unsupported(_))));
    }

    #[test]
    fn damage_anywhere_ends_in_a_picture_or_in_none() {
        let size = (64, 48);
        let usual = encoded(size, ColorType::Rgb, |encoder| {
            encoder.set_restart_interval(2);
        });
        let progressive = sampled(size, SamplingFactor::R_4_2_0, true);
        let all: [&[u8]; 4] = [&usual, &progressive, ARITHMETIC[0], ARITHMETIC[1]];
        for bytes in all {
            for at in 0..bytes.len() {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= 1 << (at % 8);
                if claimed_pixels(&damaged) < 1 << 20 {
                    drop(decode_scaled(&damaged, 2));
                    drop(decode(&damaged));
                }
                if at % 7 == 0 {
                    drop(decode(&bytes[..at]));
                }
            }
        }
    }

    /// What the caller checks first.
    fn claimed_pixels(bytes: &[u8]) -> u32 {
        header(bytes).map_or(0, |header| header.width * header.height)
    }
}
