//! How much memory it takes at most to open a file and to decode its picture: known before any of it is taken.
//!
//! Decoders differ: one fills the picture row by row, another keeps all coefficients, a canvas, or the picture a second
//! time. What they were found to take is written down here, a format each, and rounded up.

use image::ColorType;

use super::Encoded;
use super::containers::{MOST_OF_PNG, said_bytes};
use super::gif::first_frame;
use super::{jpeg, raw, webp};
use crate::formats::Format;
use crate::xmp::MAX_BYTES;

/// Tables, buffers of fixed size, and whatever else is small.
const BASE: u64 = 1 << 20;

/// Most that a decoder of PNGs may take for a colour profile and texts.
pub(super) const PNG_CHUNKS: u64 = 64 << 20;

/// Most bytes that one byte of deflate can become.
const DEFLATE: u64 = 1_032;

/// What the decoder of TIFFs takes for each value of a field, and most of what it takes for all of them.
const TIFF_VALUE: u64 = 48;
const TIFF_VALUES: u64 = 256 << 20;

/// What the list of values in a file takes for each of its bytes, and most of what it takes.
const LISTED: u64 = 12;
const MOST_LISTED: u64 = 10 << 20;

/// Fields of a TIFF with higher numbers are not read, but for the XMP packet.
const LAST_TIFF_FIELD: u64 = 532;
const XMP_FIELD: u64 = 700;

/// Most bytes for all that a file says about its picture: copies of its parts, and what they unfold to.
pub fn to_open(bytes: &[u8]) -> u64 {
    let len = bytes.len() as u64;
    let format = Format::of_bytes(bytes);
    let unfolded = match format {
        Some(Format::Jpeg) => 3 * len,
        Some(Format::Png) => 2 * len + profile_of_png(bytes) + texts_of_png(bytes),
        Some(Format::WebP) => 2 * len + webp::missing_metadata(bytes),
        Some(Format::Gif) => 2 * len,
        Some(Format::Tiff) => 4 * len + values_of_tiff(bytes),
        Some(Format::Raw) => {
            // No more of it is read than that.
            let (container, preview) = raw::need_to_open(bytes);
            return BASE + container + said(container) + preview.map_or(0, to_open);
        }
        Some(Format::Bmp) | None => 0,
    };
    let said_bytes = format.map_or(0, |format| said_bytes(bytes, format));
    BASE + unfolded + said(said_bytes as u64)
}

/// What is read of what a file says: the text of one packet after another, which has three bytes for one at most, and a
/// list of all that counts.
fn said(len: u64) -> u64 {
    3 * len.min(MAX_BYTES as u64) + (LISTED * len).min(MOST_LISTED)
}

/// Most bytes for all pixels at full size, upright and in eight bits.
pub(super) fn whole(encoded: &Encoded<'_>) -> u64 {
    let pixels = encoded.pixels();
    let decoded = encoded.decoded_bytes();
    let in_eight_bits = 3 * pixels;
    let converted = match encoded.color {
        ColorType::Rgb8 => decoded,
        _ => decoded + in_eight_bits,
    };
    let turned = if encoded.is_turned() { 2 } else { 1 } * in_eight_bits;
    BASE + (decoded + beside(encoded)).max(converted).max(turned)
}

/// Most bytes for a JPEG decoded to so many eighths.
pub(super) fn shrunk(encoded: &Encoded<'_>, eighths: u32) -> u64 {
    let scaled = |side: u32| u64::from(side) * u64::from(eighths) / 8 + 1;
    let pixels = 3 * scaled(encoded.width) * scaled(encoded.height);
    let turned = if encoded.is_turned() { 2 } else { 1 };
    // A row of units of three components, in f32.
    let rows = (u64::from(encoded.width) + 64) * 32 * 4 * 3;
    BASE + turned * pixels + rows
}

/// What a decoder takes beside the picture.
fn beside(encoded: &Encoded<'_>) -> u64 {
    let len = encoded.bytes.len() as u64;
    match encoded.format {
        Format::Jpeg => len + of_jpeg(encoded),
        // Two rows and what is unfolded ahead of them; a picture of one row is all row.
        Format::Png => PNG_CHUNKS.min(to_open(encoded.bytes)) + 4 * row(encoded),
        Format::WebP => webp::need(encoded.bytes, (encoded.width, encoded.height)),
        // The frame with a palette's numbers, and with colours, where it is not as wide as the screen.
        Format::Gif => first_frame(encoded.bytes).map_or(0, |frame| 5 * frame.pixels()),
        Format::Bmp => 2 * row(encoded),
        // As it is stored, four inks for three colours at most, and one strip.
        Format::Tiff => stored_in_tiff(encoded) + len + to_open(encoded.bytes),
        // A thumbnail, or one piece of a picture at a time.
        Format::Raw => raw::need_to_decode(encoded.bytes),
    }
}

/// The decoder's limit on the picture as a TIFF stores it.
pub(super) fn stored_in_tiff(encoded: &Encoded<'_>) -> u64 {
    encoded.decoded_bytes().div_ceil(3) * 4
}

fn row(encoded: &Encoded<'_>) -> u64 {
    u64::from(encoded.width) * u64::from(encoded.color.bytes_per_pixel())
}

/// Rows of units where all components come in one scan; else the coefficients of all blocks, in 16 bits.
fn of_jpeg(encoded: &Encoded<'_>) -> u64 {
    // Blocks fill up units of four by four at most.
    let padded = |side: u32| u64::from(side) + 32;
    let (width, height) = (padded(encoded.width), padded(encoded.height));
    let rows = width * 4 * 32 * 2 * 3;
    match jpeg::components_in_many_scans(encoded.bytes) {
        None => rows,
        Some(components) => rows + u64::from(components) * 2 * width * height,
    }
}

/// What the texts of a PNG may unfold to, while there is room for twice as much, and what they become.
fn texts_of_png(bytes: &[u8]) -> u64 {
    let unfolded = (DEFLATE * bytes.len() as u64).min(MOST_OF_PNG);
    let has_any = [b"zTXt", b"iTXt", b"iCCP"]
        .iter()
        .any(|kind| memchr::memmem::find(bytes, *kind).is_some());
    if has_any { 7 * unfolded } else { 0 }
}

/// What the colour profile of a PNG may unfold to. It stands before the pixels, if at all.
fn profile_of_png(bytes: &[u8]) -> u64 {
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((len, chunk)) = rest.split_first_chunk() {
        let len = u32::from_be_bytes(*len);
        match chunk.first_chunk() {
            Some(b"iCCP") => return PNG_CHUNKS.min(DEFLATE * u64::from(len)),
            None | Some(b"IDAT") => break,
            Some(_) => rest = chunk.get(len as usize + 8..).unwrap_or_default(),
        }
    }
    0
}

/// What the values of a TIFF's fields take that its decoder reads.
fn values_of_tiff(bytes: &[u8]) -> u64 {
    let is_little = bytes.starts_with(b"II");
    let number = |at: usize, len: usize| {
        let bytes = bytes.get(at..at.checked_add(len)?)?.iter();
        let digits: Vec<u64> = bytes.map(|byte| u64::from(*byte)).collect();
        let join = |sum, digit: &u64| sum << 8 | digit;
        Some(if is_little {
            digits.iter().rev().fold(0, join)
        } else {
            digits.iter().fold(0, join)
        })
    };
    let values = || {
        let at = number(4, 4)? as usize;
        let fields = number(at, 2)? as usize;
        let field = |index: usize| {
            let at = at + 2 + 12 * index;
            Some((number(at, 2)?, number(at + 4, 4)?))
        };
        let read = (0..fields).map_while(field);
        let read = read.filter(|(tag, _)| *tag <= LAST_TIFF_FIELD || *tag == XMP_FIELD);
        Some(
            read.map(|(_, count)| (count * TIFF_VALUE).min(TIFF_VALUES))
                .sum(),
        )
    };
    values().unwrap_or(0)
}
