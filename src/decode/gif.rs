//! The first picture of a GIF, as browsers show it.
//!
//! Screens of no size, frames that are larger than their screen, and bytes that belong to nothing are common: what counts is
//! the first frame.

use image::{Rgb, RgbImage};
use weezl::{BitOrder, LzwStatus};

use super::DecodeError;

/// Bits of the longest code; a frame says how many the shortest has, which is at least one less.
const MOST_CODE_BITS: u8 = 11;

/// Where nothing is painted.
const WHITE: Rgb<u8> = Rgb([u8::MAX; 3]);

/// The first frame of a GIF, and what it is painted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// Of the picture, in pixels.
    pub(super) canvas: (u32, u32),
    left: u32,
    top: u32,
    width: u32,
    height: u32,
    is_interlaced: bool,
    /// Three bytes a colour.
    palette: &'a [u8],
    transparent: Option<u8>,
    /// The number of bits of a colour, then blocks of codes.
    data: &'a [u8],
}

impl Frame<'_> {
    /// Most bytes that [`Frame::decode`] takes, its answer among them.
    pub(super) fn need(&self) -> u64 {
        let pixels = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
        3 * pixels(self.canvas) + pixels((self.width, self.height)) + self.data.len() as u64
    }

    /// Paints the frame on white.
    pub(super) fn decode(&self) -> Result<RgbImage, DecodeError> {
        let mut picture = RgbImage::from_pixel(self.canvas.0, self.canvas.1, WHITE);
        let colors = self.unpack()?;
        let rows = colors.chunks_exact((self.width as usize).max(1));
        for (y, row) in row_order(self.height, self.is_interlaced).zip(rows) {
            for (x, color) in (0..self.width).zip(row) {
                if let Some(color) = self.color(*color)
                    && let Some(pixel) = picture.get_pixel_mut_checked(self.left + x, self.top + y)
                {
                    *pixel = color;
                }
            }
        }
        Ok(picture)
    }

    fn color(&self, number: u8) -> Option<Rgb<u8>> {
        if self.transparent == Some(number) {
            return None;
        }
        let color = self.palette.as_chunks().0.get(usize::from(number));
        color.copied().map(Rgb)
    }

    /// The number of each pixel's colour.
    fn unpack(&self) -> Result<Vec<u8>, DecodeError> {
        let (bits, blocks) = self.data.split_first().ok_or(DecodeError::Truncated)?;
        if !(1..=MOST_CODE_BITS).contains(bits) {
            return Err(DecodeError::Broken("the codes of the GIF"));
        }
        let mut decoder = weezl::decode::Decoder::new(BitOrder::Lsb, *bits);
        let mut colors = vec![0; self.width as usize * self.height as usize];
        let mut filled = 0;
        for mut block in sub_blocks(blocks) {
            while !block.is_empty() && filled < colors.len() {
                let step = decoder.decode_bytes(block, &mut colors[filled..]);
                filled += step.consumed_out;
                block = &block[step.consumed_in..];
                match step.status {
                    Ok(LzwStatus::Ok) if step.consumed_in + step.consumed_out > 0 => {}
                    Ok(LzwStatus::NoProgress) if block.is_empty() => {}
                    _ => block = &[],
                }
            }
        }
        // A block can hold more codes than were asked for.
        while filled < colors.len() {
            let step = decoder.decode_bytes(&[], &mut colors[filled..]);
            if step.consumed_out == 0 {
                return Err(DecodeError::Truncated);
            }
            filled += step.consumed_out;
        }
        Ok(colors)
    }
}

/// Finds the first frame.
pub(super) fn first_frame(bytes: &[u8]) -> Result<Frame<'_>, DecodeError> {
    find_frame(bytes).ok_or(DecodeError::Truncated)
}

fn find_frame(bytes: &[u8]) -> Option<Frame<'_>> {
    const TRANSPARENT: u8 = 1;
    let (header, rest) = bytes.split_at_checked(13)?;
    let [.., w0, w1, h0, h1, flags, _, _] = header else {
        return None;
    };
    let (shared, mut rest) = rest.split_at_checked(palette_bytes(*flags))?;
    let mut transparent = None;
    loop {
        match rest {
            // An extension: its label, then blocks of which an empty one is the last.
            [0x21, label, blocks @ ..] => {
                if let (0xF9, [4, flags, _, _, number, ..]) = (label, blocks) {
                    transparent = (flags & TRANSPARENT != 0).then_some(*number);
                }
                rest = behind_blocks(blocks);
            }
            [0x2C, l0, l1, t0, t1, a, b, c, d, flags, frame @ ..] => {
                let side = |low: &u8, high: &u8| u32::from(u16::from_le_bytes([*low, *high]));
                let (width, height) = (side(a, b), side(c, d));
                let screen = (side(w0, w1), side(h0, h1));
                // Frames of the first version are pictures by themselves.
                let is_alone =
                    header.starts_with(b"GIF87a") || width > screen.0 || height > screen.1;
                let (own, data) = frame.split_at_checked(palette_bytes(*flags))?;
                return Some(Frame {
                    canvas: if is_alone { (width, height) } else { screen },
                    left: if is_alone { 0 } else { side(l0, l1) },
                    top: if is_alone { 0 } else { side(t0, t1) },
                    width,
                    height,
                    is_interlaced: flags & 0x40 != 0,
                    palette: if own.is_empty() { shared } else { own },
                    transparent,
                    data,
                });
            }
            [0x3B, ..] | [] => return None,
            // What is no block belongs to nothing.
            [_, after @ ..] => rest = after,
        }
    }
}

/// A palette is there where the highest bit says so.
fn palette_bytes(flags: u8) -> usize {
    if flags & 0x80 == 0 {
        0
    } else {
        3 << ((flags & 7) + 1)
    }
}

/// Blocks, each with its length before it, up to an empty one.
fn sub_blocks(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = bytes.split_first().filter(|(len, _)| **len > 0)?;
        let (block, rest) = rest.split_at(usize::from(*len).min(rest.len()));
        bytes = rest;
        Some(block)
    })
}

fn behind_blocks(mut bytes: &[u8]) -> &[u8] {
    while let Some((len, rest)) = bytes.split_first() {
        bytes = rest.get(usize::from(*len)..).unwrap_or_default();
        if *len == 0 {
            break;
        }
    }
    bytes
}

/// Every eighth row, those between, and so on.
fn row_order(height: u32, is_interlaced: bool) -> impl Iterator<Item = u32> {
    let passes: &[(u32, usize)] = if is_interlaced {
        &[(0, 8), (4, 8), (2, 4), (1, 2)]
    } else {
        &[(0, 1)]
    };
    let rows = move |(first, step): &(u32, usize)| (*first..height).step_by(*step);
    passes.iter().flat_map(rows)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A GIF whose screen and only frame have these sizes; no pixels.
    pub(in crate::decode) fn gif(screen: (u16, u16), frame: (u16, u16)) -> Vec<u8> {
        let codes = [0, 2, 1, 0x44, 0, 0x3B];
        [&head(screen)[..], &frame_at((0, 0), frame), &codes].concat()
    }

    /// Up to the first frame: black, white, red and blue, of which blue is transparent.
    fn head(screen: (u16, u16)) -> Vec<u8> {
        let mut bytes = b"GIF89a".to_vec();
        bytes.extend([screen.0, screen.1].map(u16::to_le_bytes).concat());
        bytes.extend([0x81, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 255]);
        bytes.extend(b"\x21\xFE\x03abc\x02de\0\x21\xF9\x04\x01\0\0\x03\0");
        bytes
    }

    fn frame_at(at: (u16, u16), size: (u16, u16)) -> Vec<u8> {
        let numbers = [at.0, at.1, size.0, size.1].map(u16::to_le_bytes);
        [&[0x2C], &numbers.concat()[..]].concat()
    }

    /// Pixels of two bits each.
    fn packed(colors: &[u8]) -> Vec<u8> {
        let codes = weezl::encode::Encoder::new(BitOrder::Lsb, 2).encode(colors);
        let codes = codes.unwrap();
        let mut bytes = vec![2];
        for block in codes.chunks(3) {
            bytes.push(block.len() as u8);
            bytes.extend(block);
        }
        bytes.push(0);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
        first_frame(bytes)?.decode()
    }

    const BLACK: [u8; 3] = [0; 3];
    const LIGHT: [u8; 3] = [255; 3];
    const RED: [u8; 3] = [255, 0, 0];

    #[test]
    fn a_frame_is_painted_where_it_belongs() {
        let colors = packed(&[0, 2, 3, 0]);
        let bytes = [head((3, 3)), frame_at((1, 1), (2, 2)), vec![0], colors].concat();
        let picture = decode(&bytes).unwrap();
        let expected = [
            LIGHT, LIGHT, LIGHT, //
            LIGHT, BLACK, RED, //
            LIGHT, LIGHT, BLACK,
        ];
        assert_eq!(picture.as_raw(), expected.as_flattened());
    }

    #[test]
    fn a_screen_that_is_too_small_is_the_frame() {
        for screen in [(0, 0), (1, 9), (9, 1)] {
            let colors = packed(&[0, 2, 1, 0]);
            let bytes = [head(screen), frame_at((5, 5), (2, 2)), vec![0], colors].concat();
            let picture = decode(&bytes).unwrap();
            assert_eq!(picture.dimensions(), (2, 2));
            assert_eq!(picture.as_raw(), [BLACK, RED, LIGHT, BLACK].as_flattened());
        }
    }

    #[test]
    fn rows_may_come_in_four_passes() {
        let rows: Vec<u32> = row_order(10, true).collect();
        assert_eq!(rows, [0, 8, 4, 2, 6, 1, 3, 5, 7, 9]);
        let colors = packed(&[0, 1, 2, 0]);
        let bytes = [head((1, 4)), frame_at((0, 0), (1, 4)), vec![0x40], colors].concat();
        let picture = decode(&bytes).unwrap();
        // The rows 0, 2, 1 and 3.
        assert_eq!(picture.as_raw(), [BLACK, RED, LIGHT, BLACK].as_flattened());
    }

    #[test]
    fn bytes_between_blocks_and_packets_do_no_harm() {
        let colors = packed(&[0, 2, 1, 0]);
        let frame = [frame_at((0, 0), (2, 2)), vec![0], colors].concat();
        let expected = decode(&[head((2, 2)), frame.clone()].concat()).unwrap();
        let mut packet = b"\x21\xFF\x0BXMP DataXMP<x:xmpmeta/> and more of it\x01".to_vec();
        packet.extend((0..=255).rev());
        packet.push(0);
        for between in [b"\0".to_vec(), b"\x07\0\xFE".to_vec(), packet] {
            let bytes = [head((2, 2)), between, frame.clone()].concat();
            assert_eq!(decode(&bytes).unwrap(), expected);
        }
    }

    #[test]
    fn a_frame_that_lacks_pixels_is_refused() {
        let bytes = [
            head((8, 8)),
            frame_at((0, 0), (8, 8)),
            vec![0],
            packed(&[2; 40]),
        ]
        .concat();
        assert!(matches!(decode(&bytes), Err(DecodeError::Truncated)));
        let whole = [
            head((8, 8)),
            frame_at((0, 0), (8, 8)),
            vec![0],
            packed(&[2; 64]),
        ]
        .concat();
        assert!(decode(&whole).is_ok());
        for cut in 0..whole.len() - 4 {
            assert!(decode(&whole[..cut]).is_err(), "cut to {cut}");
        }
    }

    #[test]
    fn the_first_frame_is_found_behind_palettes_and_extensions() {
        let bytes = gif((2, 3), (500, 60_000));
        let frame = first_frame(&bytes).unwrap();
        assert_eq!(frame.canvas, (500, 60_000));
        assert_eq!(frame.transparent, Some(3));
        assert!(frame.need() > 4 * 30_000_000);
    }
}
