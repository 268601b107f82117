//! JPEGs: whether they are whole, and how they are decoded at a fraction of their size.
//!
//! A photo has twenty times the pixels that a model looks at. Its Huffman codes must be read one after the other, but
//! what only the thrown-away pixels need is never computed. The common sort is decoded here: baseline, grey or YCbCr, all
//! components in one scan. Every other sort, and everything that is damaged, is left to the full decoder, which is the judge of it.

mod bits;
mod complete;
mod frame;
mod huffman;
mod scan;
mod scans;
mod transform;

use image::RgbImage;

use frame::Frame;

pub(super) use complete::is_complete;
pub(super) use scans::components_in_many_scans;

/// Decodes to `eighths` of the size, 1, 2 or 4, rounded down; nothing where the full decoder must see to it.
pub(super) fn decode_scaled(bytes: &[u8], eighths: usize) -> Option<RgbImage> {
    scan::decode(&Frame::read(bytes)?, eighths)
}

#[cfg(test)]
mod tests {
    use image::imageops::{FilterType, crop_imm, resize};
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

    use super::*;

    const SAMPLINGS: [SamplingFactor; 4] = [
        SamplingFactor::R_4_4_4,
        SamplingFactor::R_4_2_2,
        SamplingFactor::R_4_4_0,
        SamplingFactor::R_4_2_0,
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
        let channels = if color == ColorType::Luma { 1 } else { 3 };
        encoder
            .encode(&waves(width, height, channels), width, height, color)
            .unwrap();
        bytes
    }

    /// How far the scaled decode is from shrinking the full one, in the mean.
    fn error(bytes: &[u8], eighths: usize) -> f64 {
        let full = image::load_from_memory(bytes).unwrap().into_rgb8();
        let scaled = decode_scaled(bytes, eighths).unwrap();
        let kept = |side: u32| side * eighths as u32 / 8;
        assert_eq!(
            scaled.dimensions(),
            (kept(full.width()), kept(full.height()))
        );
        // What would make only a part of a pixel is dropped at the far ends.
        let whole = |side: u32| side * 8 / eighths as u32;
        let (width, height) = scaled.dimensions();
        let kept = crop_imm(&full, 0, 0, whole(width), whole(height)).to_image();
        let expected = resize(&kept, width, height, FilterType::Triangle);
        let sum: u64 = scaled
            .iter()
            .zip(expected.iter())
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .sum();
        sum as f64 / scaled.len() as f64
    }

    #[test]
    fn every_way_to_store_colours_gives_the_smaller_picture() {
        for size in [(320, 200), (333, 251)] {
            for eighths in [1, 2, 4] {
                for sampling in SAMPLINGS {
                    let bytes = encoded(size, ColorType::Rgb, |encoder| {
                        encoder.set_sampling_factor(sampling);
                    });
                    let error = error(&bytes, eighths);
                    assert!(
                        error < 3.0,
                        "{size:?} at {eighths}/8, {sampling:?}: {error}"
                    );
                }
                let error = error(&encoded(size, ColorType::Luma, |_| {}), eighths);
                assert!(error < 3.0, "{size:?} at {eighths}/8, grey: {error}");
            }
        }
    }

    #[test]
    fn components_in_scans_of_their_own_are_left_to_the_full_decoder() {
        let bytes = encoded((320, 200), ColorType::Rgb, |encoder| {
            encoder.set_sampling_factor(SamplingFactor::R_4_1_1);
        });
        assert_eq!(decode_scaled(&bytes, 2), None);
    }

    #[test]
    fn restart_markers_change_nothing() {
        let plain = encoded((200, 120), ColorType::Rgb, |_| {});
        for interval in [1, 3, 8] {
            let bytes = encoded((200, 120), ColorType::Rgb, |encoder| {
                encoder.set_restart_interval(interval);
            });
            assert_eq!(
                decode_scaled(&bytes, 2),
                decode_scaled(&plain, 2),
                "every {interval}"
            );
        }
    }

    #[test]
    fn other_sorts_are_left_to_the_full_decoder() {
        let progressive = encoded((64, 64), ColorType::Rgb, |encoder| {
            encoder.set_progressive(true);
        });
        assert!(decode_scaled(&progressive, 2).is_none());
        let mut bytes = Vec::new();
        Encoder::new(&mut bytes, 90)
            .encode(&[90; 64 * 64 * 4], 64, 64, ColorType::Cmyk)
            .unwrap();
        assert!(decode_scaled(&bytes, 2).is_none());
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
        assert_eq!(decode_scaled(&bytes, 1), Some(grey(8)));
        assert_eq!(decode_scaled(&bytes, 2), Some(grey(16)));
    }

    #[test]
    fn missing_pixels_are_not_made_up() {
        let bytes = encoded((256, 256), ColorType::Rgb, |_| {});
        let mut cut = bytes[..bytes.len() / 2].to_vec();
        cut.extend([0xFF, 0xD9]);
        assert!(decode_scaled(&bytes, 2).is_some() && decode_scaled(&cut, 2).is_none());
    }

    #[test]
    fn damage_anywhere_ends_in_a_picture_or_in_none() {
        let bytes = encoded((64, 48), ColorType::Rgb, |encoder| {
            encoder.set_restart_interval(2);
        });
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            if claimed_pixels(&damaged) < 1 << 20 {
                drop(decode_scaled(&damaged, 2));
            }
            if at % 7 == 0 {
                assert_eq!(decode_scaled(&bytes[..at], 2), None);
            }
        }
    }

    /// What the caller checks first.
    fn claimed_pixels(bytes: &[u8]) -> usize {
        Frame::read(bytes).map_or(0, |frame| frame.width * frame.height)
    }
}
