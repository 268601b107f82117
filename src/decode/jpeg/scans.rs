//! Whether a JPEG comes in one scan, which is decoded row by row, or in many, of which all coefficients are kept.

use super::frame::next_marker;

/// Components there can be at most.
const MOST: u8 = 4;

/// How many components come in many scans; none where all come in the first one. What is odd has as many as can be.
pub(in crate::decode) fn components_in_many_scans(bytes: &[u8]) -> Option<u8> {
    let mut frame = None;
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let Some((marker, segment)) = next_marker(rest) {
        let Some((len, _)) = segment.split_first_chunk() else {
            break;
        };
        let (len, count) = (
            usize::from(u16::from_be_bytes(*len)),
            segment.get(2).copied(),
        );
        match (marker, frame) {
            // Baseline, or the same in more detail.
            (0xC0 | 0xC1, None) => frame = Some(segment.get(7).copied()),
            // Tables, which have numbers between those of frames.
            (0xC4 | 0xC8 | 0xCC, _) => {}
            // Any other frame, or a second one.
            (0xC0..=0xCF, _) => {
                return Some(segment.get(7).map_or(MOST, |count| (*count).min(MOST)));
            }
            (0xDA, Some(components)) if components == count => return None,
            (0xDA, Some(components)) => return Some(components.unwrap_or(MOST).min(MOST)),
            _ => {}
        }
        rest = segment.get(len.max(2)..).unwrap_or_default();
    }
    Some(MOST)
}

#[cfg(test)]
mod tests {
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

    use super::*;

    fn encoded(color: ColorType, set: impl Fn(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 90);
        set(&mut encoder);
        let channels = match color {
            ColorType::Luma => 1,
            ColorType::Rgb => 3,
            _ => 4,
        };
        let pixels = vec![90; 16 * 16 * channels];
        encoder.encode(&pixels, 16, 16, color).unwrap();
        bytes
    }

    #[test]
    fn one_scan_is_told_from_many() {
        let of = |color, set: fn(&mut Encoder<&mut Vec<u8>>)| {
            components_in_many_scans(&encoded(color, set))
        };
        assert_eq!(of(ColorType::Rgb, |_| {}), None);
        assert_eq!(of(ColorType::Luma, |_| {}), None);
        assert_eq!(of(ColorType::Cmyk, |_| {}), None);
        let progressive = |encoder: &mut Encoder<&mut Vec<u8>>| encoder.set_progressive(true);
        assert_eq!(of(ColorType::Rgb, progressive), Some(3));
        assert_eq!(of(ColorType::Luma, progressive), Some(1));
        assert_eq!(of(ColorType::Cmyk, progressive), Some(4));
        // One component a scan, though baseline.
        let apart = |encoder: &mut Encoder<&mut Vec<u8>>| {
            encoder.set_sampling_factor(SamplingFactor::R_4_1_1);
        };
        assert_eq!(of(ColorType::Rgb, apart), Some(3));
    }

    #[test]
    fn what_is_odd_counts_as_the_worst() {
        let bytes = encoded(ColorType::Rgb, |_| {});
        assert_eq!(components_in_many_scans(&bytes[..20]), Some(4));
        let mut junk = bytes.clone();
        junk.splice(2..2, [0]);
        assert_eq!(components_in_many_scans(&junk), Some(4));
        assert_eq!(components_in_many_scans(b""), Some(4));
    }
}
