//! Pictures that are coded as HEVC, as cameras and phones write them.

use heifer_hevc_dec::Error;
use heifer_hevc_dec::decoder::{DecodeOptions, decode_picture};
use image::RgbImage;

use super::super::DecodeError;
use super::super::boxes::Reader;
use super::planes::{self, Between, Plane, Planes, Samples, Sampling};
use super::{Coded, Coding, damaged, most_coded, unsupported};

/// Most bytes that a pixel takes while it is decoded.
pub(super) const NEED_PIXEL: u64 = 16;

/// Decodes a picture that needs no other.
pub(super) fn decode(coded: &Coded<'_>) -> Result<RgbImage, DecodeError> {
    let options = DecodeOptions {
        max_pixels: most_coded(coded.size),
        ..DecodeOptions::default()
    };
    let stream = stream(coded)?;
    let frame = decode_picture(&stream, options).map_err(refused)?;
    drop(stream);
    let [bits, color_bits] = frame.bit_depth;
    let plane = |index: usize, bits| Plane {
        samples: Samples::Words(&frame.planes[index], bits),
        stride: frame.widths[index],
    };
    let planes = Planes {
        size: (frame.widths[0], frame.heights[0]),
        sampling: match frame.chroma_format {
            0 => Sampling::Grey,
            1 => Sampling::Quarter,
            2 => Sampling::Half,
            _ => Sampling::Full,
        },
        between: Between::Steps,
        samples: [plane(0, bits), plane(1, color_bits), plane(2, color_bits)],
        coding: Coding {
            primaries: 2,
            matrix: frame.matrix_coeffs.into(),
            is_full_range: frame.full_range,
        },
    };
    planes::to_rgb(&planes, coded)
}

fn refused(error: Error) -> DecodeError {
    match error {
        Error::UnexpectedEof => DecodeError::Truncated,
        Error::Unimplemented(what) => unsupported(what),
        other => damaged(&other.to_string()),
    }
}

/// The parameters that stand in the container, then the picture: units with a start code before each.
fn stream(Coded { config, data, .. }: &Coded<'_>) -> Result<Vec<u8>, DecodeError> {
    let mut stream = Vec::with_capacity(config.len() + data.len() + data.len() / 8);
    let len_bytes = parameters(config, &mut stream);
    let len_bytes = len_bytes.ok_or_else(|| damaged("its `hvcC` is missing or cut off"))?;
    let mut reader = Reader(data);
    while !reader.0.is_empty() {
        let unit = reader
            .number(len_bytes)
            .and_then(|len| reader.take(usize::try_from(len).ok()?));
        let unit = unit.ok_or(DecodeError::Truncated)?;
        // Start codes of units of nothing would be all that there is.
        if !unit.is_empty() {
            push(&mut stream, unit);
        }
    }
    Ok(stream)
}

/// Copies the parameters, and says how many bytes the length of each unit of the picture has.
fn parameters(config: &[u8], stream: &mut Vec<u8>) -> Option<usize> {
    let mut reader = Reader(config);
    // Profile and level.
    reader.take(21)?;
    let len_bytes = usize::from(reader.u8()? & 3) + 1;
    for _ in 0..reader.u8()? {
        let _kind = reader.u8()?;
        for _ in 0..reader.u16()? {
            let len = reader.u16()?;
            push(stream, reader.take(len.into())?);
        }
    }
    Some(len_bytes)
}

fn push(stream: &mut Vec<u8>, unit: &[u8]) {
    stream.extend([0, 0, 0, 1]);
    stream.extend(unit);
}
