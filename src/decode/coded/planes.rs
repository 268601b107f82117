//! Brightness and colour in planes, as decoders give them, brought to eight bits of red, green and blue.
#![cfg_attr(
    not(all(feature = "heif", feature = "avif", feature = "h264")),
    allow(dead_code, reason = "one decoder alone does not give all sorts")
)]

use std::borrow::Cow;

use image::RgbImage;
use yuv::{
    YuvError, YuvPlanarImage, YuvRange, YuvStandardMatrix, gbr_to_rgb, ycgco420_to_rgb,
    ycgco422_to_rgb, ycgco444_to_rgb, yuv420_to_rgb, yuv422_to_rgb, yuv444_to_rgb,
};

use super::super::DecodeError;
use super::{Coded, Coding, damaged, unsupported};

/// How many pixels share a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sampling {
    Grey,
    /// Two by two.
    Quarter,
    /// Two side by side.
    Half,
    Full,
}

/// What lies between colours that pixels share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    /// Steps, as libheif has them.
    Steps,
    /// Slopes, as libavif has them.
    Slopes,
}

/// The samples of one plane, row by row.
#[derive(Debug)]
pub(super) enum Samples<'a> {
    Bytes(&'a [u8]),
    /// Of so many bits, at least eight.
    Words(&'a [u16], u8),
}

#[derive(Debug)]
pub(super) struct Plane<'a> {
    pub(super) samples: Samples<'a>,
    /// Samples from the start of a row to that of the next.
    pub(super) stride: u32,
}

/// A decoded picture.
#[derive(Debug)]
pub(super) struct Planes<'a> {
    pub(super) size: (u32, u32),
    pub(super) sampling: Sampling,
    pub(super) between: Between,
    /// Brightness first. Where there is no colour, the others are empty.
    pub(super) samples: [Plane<'a>; 3],
    /// As the coded picture itself has it.
    pub(super) coding: Coding,
}

/// The matrix of a picture that does not say it.
const UNSPECIFIED: u16 = 2;

/// Rows that are converted at a time where colours must be made for each pixel first.
const STRIP: u32 = 32;

/// The upper left part of the planes, as large as the container says.
pub(super) fn to_rgb(planes: &Planes<'_>, coded: &Coded<'_>) -> Result<RgbImage, DecodeError> {
    let (width, height) = coded.size;
    if planes.size.0 < width || planes.size.1 < height {
        return Err(damaged("a picture in it is smaller than it says"));
    }
    let mut coding = coded.coding.unwrap_or(planes.coding);
    if coding.matrix == UNSPECIFIED {
        coding.matrix = coded.usual_matrix;
    }
    let [y, u, v] = &planes.samples;
    let (y_plane, u_plane, v_plane) = (
        eight_bits(&y.samples, coding),
        eight_bits(&u.samples, coding),
        eight_bits(&v.samples, coding),
    );
    let image = YuvPlanarImage {
        y_plane: y_plane.as_ref(),
        y_stride: y.stride,
        u_plane: u_plane.as_ref(),
        u_stride: u.stride,
        v_plane: v_plane.as_ref(),
        v_stride: v.stride,
        width,
        height,
    };
    let mut rgb = RgbImage::new(width, height);
    match (planes.sampling, planes.between) {
        (Sampling::Grey, _) => grey(&image, &mut rgb, coding),
        (Sampling::Quarter | Sampling::Half, Between::Slopes) => {
            in_strips(&image, &mut rgb, planes.sampling, coding)?;
        }
        (sampling, _) => convert(&image, &mut rgb, sampling, coding)?,
    }
    Ok(rgb)
}

fn grey(image: &YuvPlanarImage<'_, u8>, rgb: &mut RgbImage, coding: Coding) {
    // 16 is black and 235 is white, unless all are used.
    let full = |sample: u8| {
        if coding.is_full_range {
            sample
        } else {
            ((u32::from(sample).saturating_sub(16) * 255 + 109) / 219).min(255) as u8
        }
    };
    let row_bytes = 3 * image.width as usize;
    let rows = image.y_plane.chunks(image.y_stride as usize);
    for (to, from) in rgb.chunks_exact_mut(row_bytes).zip(rows) {
        for (to, from) in to.as_chunks_mut::<3>().0.iter_mut().zip(from) {
            *to = [full(*from); 3];
        }
    }
}

/// First makes colours for each pixel, a few rows at a time.
fn in_strips(
    image: &YuvPlanarImage<'_, u8>,
    rgb: &mut RgbImage,
    sampling: Sampling,
    coding: Coding,
) -> Result<(), DecodeError> {
    let (width, height) = (image.width as usize, image.height);
    let (mut u, mut v) = (Vec::new(), Vec::new());
    let strips = rgb.chunks_mut(3 * width * STRIP as usize);
    for (top, strip) in (0..height).step_by(STRIP as usize).zip(strips) {
        let rows = top..height.min(top + STRIP);
        let colors = |plane: &[u8], stride: u32, to: &mut Vec<u8>| {
            to.clear();
            let plane = Shared {
                plane,
                stride: stride as usize,
                width: width.div_ceil(2),
                last_row: (height as usize - 1) / 2,
            };
            for row in rows.clone() {
                plane.widen(row as usize, sampling, width, to);
            }
        };
        colors(image.u_plane, image.u_stride, &mut u);
        colors(image.v_plane, image.v_stride, &mut v);
        let strip_of = YuvPlanarImage {
            y_plane: image
                .y_plane
                .get(top as usize * image.y_stride as usize..)
                .unwrap_or_default(),
            y_stride: image.y_stride,
            u_plane: &u,
            u_stride: image.width,
            v_plane: &v,
            v_stride: image.width,
            width: image.width,
            height: rows.end - rows.start,
        };
        convert(&strip_of, strip, Sampling::Full, coding)?;
    }
    Ok(())
}

/// A plane of colours that pixels share.
struct Shared<'a> {
    plane: &'a [u8],
    stride: usize,
    /// Samples in a row.
    width: usize,
    last_row: usize,
}

impl Shared<'_> {
    fn row(&self, row: usize) -> &[u8] {
        let start = row * self.stride;
        self.plane
            .get(start..start + self.width)
            .unwrap_or_default()
    }

    /// Adds the colours of a row of pixels: of each, three quarters of the nearest sample and one of the next, both down and
    /// across.
    fn widen(&self, row: usize, sampling: Sampling, pixels: usize, to: &mut Vec<u8>) {
        let (near, far) = if sampling == Sampling::Half {
            (row, row)
        } else {
            let next = if row.is_multiple_of(2) {
                (row / 2).saturating_sub(1)
            } else {
                (row / 2 + 1).min(self.last_row)
            };
            (row / 2, next)
        };
        let both = self.row(near).iter().zip(self.row(far));
        let mixed = both.map(|(near, far)| 3 * u16::from(*near) + u16::from(*far));
        let mut edged = Vec::with_capacity(self.width + 2);
        edged.push(0);
        edged.extend(mixed);
        edged.push(edged.last().copied().unwrap_or(0));
        edged[0] = edged[1];
        let start = to.len();
        to.resize(start + 2 * self.width, 0);
        let (before, at, after) = (&edged[..], &edged[1..], &edged[2..]);
        let triples = before.iter().zip(at).zip(after);
        for (pair, ((before, at), after)) in
            to[start..].as_chunks_mut::<2>().0.iter_mut().zip(triples)
        {
            *pair = [
                ((3 * at + before + 8) >> 4) as u8,
                ((3 * at + after + 8) >> 4) as u8,
            ];
        }
        to.truncate(start + pixels);
    }
}

fn convert(
    image: &YuvPlanarImage<'_, u8>,
    rgb: &mut [u8],
    sampling: Sampling,
    coding: Coding,
) -> Result<(), DecodeError> {
    let range = if coding.is_full_range {
        YuvRange::Full
    } else {
        YuvRange::Limited
    };
    let stride = 3 * image.width;
    let converted = match (coding.matrix, sampling) {
        (0, Sampling::Full) => gbr_to_rgb(image, rgb, stride, range),
        (8, Sampling::Quarter) => ycgco420_to_rgb(image, rgb, stride, range),
        (8, Sampling::Half) => ycgco422_to_rgb(image, rgb, stride, range),
        (8, _) => ycgco444_to_rgb(image, rgb, stride, range),
        (_, Sampling::Quarter) => yuv420_to_rgb(image, rgb, stride, range, matrix(coding)?),
        (_, Sampling::Half) => yuv422_to_rgb(image, rgb, stride, range, matrix(coding)?),
        _ => yuv444_to_rgb(image, rgb, stride, range, matrix(coding)?),
    };
    converted.map_err(|error: YuvError| damaged(&error.to_string()))
}

/// By the numbers of ITU-T H.273.
fn matrix(coding: Coding) -> Result<YuvStandardMatrix, DecodeError> {
    Ok(match (coding.matrix, coding.primaries) {
        (1, _) | (12, 1) => YuvStandardMatrix::Bt709,
        (5 | 6, _) => YuvStandardMatrix::Bt601,
        (4, _) => YuvStandardMatrix::Fcc,
        (7, _) => YuvStandardMatrix::Smpte240,
        (9 | 10, _) | (12, 9) => YuvStandardMatrix::Bt2020,
        (other, _) => return Err(unsupported(&format!("colours of matrix {other}"))),
    })
}

/// The high bits. Black and white of the limited range stay where they are when it is rounded; the full range has no room for
/// that.
fn eight_bits<'a>(samples: &Samples<'a>, coding: Coding) -> Cow<'a, [u8]> {
    let (words, bits) = match *samples {
        Samples::Bytes(bytes) => return Cow::Borrowed(bytes),
        Samples::Words(words, bits) => (words, bits),
    };
    let shift = u32::from(bits.clamp(8, 16) - 8);
    let half = if coding.is_full_range {
        0
    } else {
        (1_u16 << shift) >> 1
    };
    let narrow = |word: &u16| (word.saturating_add(half) >> shift).min(255) as u8;
    words.iter().map(narrow).collect()
}
