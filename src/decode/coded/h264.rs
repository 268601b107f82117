//! Frames that are coded as H.264, by `rust_h264`.
//!
//! That decoder takes memory for whatever size a frame says that it has, and tells nothing of its colours; so the parameters are
//! read here before.

use image::RgbImage;
use rust_h264::decoder::{ChromaFormat, Decoder, Frame};
use rust_h264::error::DecodeError as CodecError;
use rust_h264::nal::{NalUnit, NalUnitType, parse_avcc, parse_avcc_config};

use super::super::DecodeError;
use super::planes::{self, Between, Plane, Planes, Samples, Sampling};
use super::{Coded, Coding, damaged, most_coded, unsupported};

/// Most bytes that a pixel takes while it is decoded: its samples in up to two bytes each, twice, with what is known of its block.
pub(super) const NEED_PIXEL: u64 = 20;

/// Decodes a frame that needs no other.
pub(super) fn decode(coded: &Coded<'_>) -> Result<RgbImage, DecodeError> {
    let config = parse_avcc_config(coded.config).map_err(damaged)?;
    let mut decoder = Decoder::new();
    let mut coding = None;
    let mut feed = |unit: &NalUnit<'_>| {
        if unit.nal_unit_type == NalUnitType::Sps {
            let parameters = parameters(&unit.rbsp).ok_or_else(|| damaged("its parameters"))?;
            check_size(parameters.size, coded.size)?;
            coding = parameters.coding;
        }
        decoder.decode_nal(unit).map_err(|error| refused(&error))
    };
    for unit in config.sps_nals.iter().chain(&config.pps_nals) {
        feed(unit)?;
    }
    for unit in &parse_avcc(coded.data, config.length_size) {
        if let Some(frame) = feed(unit)? {
            return to_rgb(&frame, coded, coding);
        }
    }
    let frame = decoder.flush().ok_or(DecodeError::Truncated)?;
    to_rgb(&frame, coded, coding)
}

fn refused(error: &CodecError) -> DecodeError {
    match error {
        CodecError::UnexpectedEof => DecodeError::Truncated,
        CodecError::Unsupported(what) => unsupported(what),
        CodecError::InvalidSyntax(what) => damaged(what),
    }
}

/// A frame fills up whole blocks, and is no larger than that.
fn check_size(coded: (u64, u64), size: (u32, u32)) -> Result<(), DecodeError> {
    if coded.0.saturating_mul(coded.1) > most_coded(size) {
        return Err(damaged("a frame is larger than the container says"));
    }
    Ok(())
}

fn to_rgb(
    frame: &Frame,
    coded: &Coded<'_>,
    coding: Option<Coding>,
) -> Result<RgbImage, DecodeError> {
    let words = [&frame.y, &frame.u, &frame.v].map(|plane| wide(plane, frame.bit_depth));
    let bytes = [&frame.y, &frame.u, &frame.v];
    let strides = [frame.width, frame.chroma_width(), frame.chroma_width()];
    let plane = |index: usize| Plane {
        samples: match &words[index] {
            Some(words) => Samples::Words(words, frame.bit_depth),
            None => Samples::Bytes(bytes[index]),
        },
        stride: strides[index],
    };
    let planes = Planes {
        size: (frame.width, frame.height),
        sampling: match frame.chroma_format {
            ChromaFormat::Yuv420 => Sampling::Quarter,
            ChromaFormat::Yuv422 => Sampling::Half,
        },
        between: Between::Slopes,
        samples: [plane(0), plane(1), plane(2)],
        coding: coding.unwrap_or(Coding {
            primaries: 2,
            matrix: 2,
            is_full_range: false,
        }),
    };
    planes::to_rgb(&planes, coded)
}

/// Samples of more than eight bits, which come in two bytes each.
fn wide(plane: &[u8], bits: u8) -> Option<Vec<u16>> {
    let (pairs, _) = plane.as_chunks::<2>();
    (bits > 8).then(|| pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect())
}

/// What a sequence's parameters say about its frames.
#[derive(Debug, PartialEq)]
struct Parameters {
    /// In whole blocks.
    size: (u64, u64),
    coding: Option<Coding>,
}

/// Profiles whose parameters tell how colours are sampled.
const HIGH: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// Reads a sequence's parameters: ITU-T H.264, 7.3.2.1.1 and E.1.1.
fn parameters(rbsp: &[u8]) -> Option<Parameters> {
    let mut bits = Bits { bytes: rbsp, at: 0 };
    let profile = bits.take(8)?;
    bits.take(16)?;
    bits.number()?;
    if HIGH.contains(&profile) {
        let sampling = bits.number()?;
        if sampling == 3 {
            bits.take(1)?;
        }
        bits.number()?;
        bits.number()?;
        bits.take(1)?;
        if bits.flag()? {
            for list in 0..if sampling == 3 { 12 } else { 8 } {
                if bits.flag()? {
                    bits.skip_scaling_list(if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.number()?;
    match bits.number()? {
        0 => drop(bits.number()?),
        1 => {
            bits.take(1)?;
            bits.signed()?;
            bits.signed()?;
            for _ in 0..bits.number()?.min(256) {
                bits.signed()?;
            }
        }
        _ => {}
    }
    bits.number()?;
    bits.take(1)?;
    let width = 16 * (u64::from(bits.number()?) + 1);
    let mut height = 16 * (u64::from(bits.number()?) + 1);
    if !bits.flag()? {
        // Fields, of which two make a frame.
        height *= 2;
        bits.take(1)?;
    }
    bits.take(1)?;
    if bits.flag()? {
        for _ in 0..4 {
            bits.number()?;
        }
    }
    let size = (width, height);
    let coding = if bits.flag()? {
        coding(&mut bits)
    } else {
        None
    };
    Some(Parameters { size, coding })
}

/// How colours are coded, where that is told.
fn coding(bits: &mut Bits<'_>) -> Option<Coding> {
    const OWN_ASPECT: u32 = 255;
    if bits.flag()? && bits.take(8)? == OWN_ASPECT {
        bits.take(32)?;
    }
    if bits.flag()? {
        bits.take(1)?;
    }
    if !bits.flag()? {
        return None;
    }
    bits.take(3)?;
    let is_full_range = bits.flag()?;
    let (mut primaries, mut matrix) = (2, 2);
    if bits.flag()? {
        primaries = bits.take(8)? as u16;
        bits.take(8)?;
        matrix = bits.take(8)? as u16;
    }
    Some(Coding {
        primaries,
        matrix,
        is_full_range,
    })
}

/// Bits from the highest to the lowest; nothing where there are no more.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        let byte = *self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit.into())
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.bit()? == 1)
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0_u32, |sum, _| Some(sum << 1 | self.bit()?))
    }

    /// As many bits as zeros stand before the one (9.1).
    fn number(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.take(zeros)?)
    }

    fn signed(&mut self) -> Option<i64> {
        let number = i64::from(self.number()?);
        Some(if number % 2 == 1 {
            (number + 1) / 2
        } else {
            -(number / 2)
        })
    }

    fn skip_scaling_list(&mut self, len: u32) -> Option<()> {
        let (mut last, mut next) = (8, 8);
        for _ in 0..len {
            if next != 0 {
                next = (last + self.signed()? + 256).rem_euclid(256);
            }
            if next != 0 {
                last = next;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_bit_by_bit() {
        let bytes = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut bits = Bits {
            bytes: &bytes,
            at: 0,
        };
        let numbers: Vec<_> = std::iter::from_fn(|| bits.number()).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        let mut bits = Bits {
            bytes: &bytes,
            at: 1,
        };
        assert_eq!(
            (bits.signed(), bits.signed(), bits.signed()),
            (Some(1), Some(-1), Some(2))
        );
        assert_eq!(
            Bits {
                bytes: &[0; 9],
                at: 0
            }
            .number(),
            None
        );
    }

    /// As x264 writes them, for 320 x 240 pixels of BT.709.
    #[test]
    fn parameters_tell_size_and_colours() {
        let sps = [
            0x64, 0x00, 0x0D, 0xAC, 0xD9, 0x41, 0x41, 0xFB, 0x01, 0x6A, 0x02, 0x02, 0x02, 0x80,
        ];
        let read = parameters(&sps).unwrap();
        assert_eq!(read.size, (320, 240));
        for cut in 0..6 {
            assert_eq!(parameters(&sps[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn frames_larger_than_said_are_refused_before_memory_is_taken() {
        check_size((1920, 1088), (1920, 1080)).unwrap();
        assert!(check_size((16_384, 16_384), (1920, 1080)).is_err());
        assert!(check_size((u64::MAX, 2), (1920, 1080)).is_err());
    }
}
