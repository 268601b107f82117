//! Numbers of any width to channels of eight bits; and those whose range nobody told, as they are at first.

use half::f16;

use super::page::{Kind, Page, Photometric};

/// The channels of a picture, pixel by pixel.
pub(super) enum Samples {
    Bytes(Vec<u8>),
    /// What is white is known only when all of them are.
    Numbers(Vec<f32>),
}

impl Samples {
    /// Room for a page's channels.
    pub(super) fn new(page: &Page) -> Samples {
        let len = page.width * page.height * page.kept();
        if has_open_range(page) {
            Samples::Numbers(vec![0.0; len])
        } else {
            Samples::Bytes(vec![0; len])
        }
    }

    /// Takes rows of a part, which stands at `(left, top)`, and holds channels from `channel` on.
    pub(super) fn put(
        &mut self,
        page: &Page,
        rows: &[u8],
        (left, top): (usize, usize),
        channel: usize,
    ) {
        let Some(row_bytes) = page.row_bytes().filter(|len| *len > 0) else {
            return;
        };
        for (y, row) in rows.chunks_exact(row_bytes).enumerate() {
            if top + y >= page.height {
                return;
            }
            let place = Place {
                first: ((top + y) * page.width + left) * page.kept(),
                count: page.chunk_width.min(page.width - left),
                channel,
            };
            let is_as_kept = page.bits == 8 && page.channels_together() == page.kept();
            match self {
                // Nearly all, and all at once.
                Samples::Bytes(samples) if is_as_kept => {
                    let len = place.count * page.kept();
                    let to = samples.get_mut(place.first..place.first + len);
                    if let (Some(to), Some(from)) = (to, row.get(..len)) {
                        to.copy_from_slice(from);
                    }
                }
                Samples::Bytes(samples) => put_row(page, row, &place, samples, eight_bits(page)),
                Samples::Numbers(samples) => put_row(page, row, &place, samples, number(page)),
            }
        }
    }

    /// Eight bits a channel. Where nobody told what is white, it is what can just hold all: 1, 255, 65535 or the largest number.
    pub(super) fn into_bytes(self, page: &Page) -> Vec<u8> {
        let numbers = match self {
            Samples::Bytes(bytes) => return bytes,
            Samples::Numbers(numbers) => numbers,
        };
        let most = numbers.iter().copied().filter(|value| value.is_finite());
        let most = most.fold(0.0, f32::max);
        let white = match (most, page.kind) {
            // Pictures are a little brighter than white here and there.
            (..=1.5, Kind::Float) => 1.0,
            (..=255.5, _) => 255.0,
            (..=32_767.5, Kind::Signed) => 32_767.0,
            (..=65_535.5, _) => 65_535.0,
            (_, Kind::Float) => most,
            (_, Kind::Unsigned) => largest(page.bits),
            (_, Kind::Signed) => largest(page.bits - 1),
        };
        let scale = 255.0 / white;
        let byte = |value: f32| (value * scale + 0.5) as u8;
        numbers.into_iter().map(byte).collect()
    }
}

fn largest(bits: usize) -> f32 {
    2_f32.powi(bits as i32) - 1.0
}

/// Floats and very wide numbers, which are measurements as often as pictures.
fn has_open_range(page: &Page) -> bool {
    let is_lab = matches!(
        page.photometric,
        Photometric::CieLab | Photometric::IccLab | Photometric::Palette
    );
    page.kind == Kind::Float
        || !is_lab && (page.bits > 16 || page.kind == Kind::Signed && page.bits > 8)
}

struct Place {
    /// Where the row begins, among all channels.
    first: usize,
    /// Pixels that lie in the picture.
    count: usize,
    /// The channel of the row's first number.
    channel: usize,
}

fn put_row<T: Copy>(
    page: &Page,
    row: &[u8],
    place: &Place,
    samples: &mut [T],
    convert: impl Fn(&[u8], usize) -> T,
) {
    let (together, kept) = (page.channels_together(), page.kept());
    let samples = samples.get_mut(place.first..).unwrap_or_default();
    let pixels = samples.chunks_exact_mut(kept).take(place.count);
    for (x, pixel) in pixels.enumerate() {
        let channels = pixel.iter_mut().skip(place.channel).take(together);
        for (channel, to) in channels.enumerate() {
            *to = convert(row, x * together + channel);
        }
    }
}

/// The number at a place of a row, in eight bits.
fn eight_bits<'a>(page: &Page<'a>) -> impl Fn(&[u8], usize) -> u8 + use<'a> {
    let (bits, numbers) = (page.bits, page.numbers);
    let is_palette = page.photometric == Photometric::Palette;
    move |row, at| match bits {
        8 => row.get(at).copied().unwrap_or_default(),
        16 => {
            let high = if numbers.is_little == is_palette {
                2 * at
            } else {
                2 * at + 1
            };
            row.get(high).copied().unwrap_or_default()
        }
        _ => {
            let value = packed(row, at * bits, bits);
            match bits {
                _ if is_palette => value as u8,
                1..8 => (value * 255 / ((1 << bits) - 1)) as u8,
                _ => (value >> (bits - 8)) as u8,
            }
        }
    }
}

/// A number of bits that follow one another, the highest first.
fn packed(row: &[u8], at: usize, bits: usize) -> u64 {
    (at..at + bits).fold(0, |value, at| {
        let byte = row.get(at / 8).copied().unwrap_or_default();
        value << 1 | u64::from(byte >> (7 - at % 8) & 1)
    })
}

/// The number at a place of a row, as it is.
fn number<'a>(page: &Page<'a>) -> impl Fn(&[u8], usize) -> f32 + use<'a> {
    let (bits, numbers, kind) = (page.bits, page.numbers, page.kind);
    move |row, at| {
        let value = if bits.is_multiple_of(8) {
            let len = bits / 8;
            let bytes = row.get(at * len..(at + 1) * len);
            numbers.join(bytes.unwrap_or_default())
        } else {
            packed(row, at * bits, bits)
        };
        match (kind, bits) {
            (Kind::Float, 16) => f16::from_bits(value as u16).to_f32(),
            (Kind::Float, 24) => float_of_24(value as u32),
            (Kind::Float, 32) => f32::from_bits(value as u32),
            (Kind::Float, 64) => f64::from_bits(value) as f32,
            (Kind::Float, _) => 0.0,
            (Kind::Signed, _) => {
                let unused = 64 - bits.min(64) as u32;
                ((value << unused) as i64 >> unused) as f32
            }
            (Kind::Unsigned, _) => value as f32,
        }
    }
}

/// A sign, seven bits of exponent and sixteen of fraction, as Adobe wrote it down.
fn float_of_24(bits: u32) -> f32 {
    let sign = (bits & 0x80_0000) << 8;
    let (exponent, fraction) = (bits >> 16 & 0x7F, bits & 0xFFFF);
    let magnitude = match exponent {
        0 => fraction as f32 * 2_f32.powi(-62 - 16),
        0x7F => f32::INFINITY,
        _ => f32::from_bits((exponent + 64) << 23 | fraction << 7),
    };
    f32::from_bits(magnitude.to_bits() | sign)
}
