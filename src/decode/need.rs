//! How much memory it takes at most to open a file and to decode its picture: known before any of it is taken.
//!
//! Decoders differ: one fills the picture row by row, another keeps all coefficients, a canvas, or the picture a second
//! time. What they were found to take is written down here, a format each, and rounded up.

use image::ColorType;

use super::Encoded;
use super::containers::{MOST_OF_PNG, said_bytes};
use super::layout::{PNG_CHUNKS, Sort};
use super::{jpeg, own, profile, raw, tiff, webp};
use crate::formats::Format;
use crate::xmp::MAX_BYTES;

/// Tables, buffers of fixed size, and whatever else is small.
const BASE: u64 = 1 << 20;

/// Most bytes that one byte of deflate can become.
const DEFLATE: u64 = 1_032;

/// What the list of values in a file takes for each of its bytes, and most of what it takes.
const LISTED: u64 = 12;
const MOST_LISTED: u64 = 10 << 20;

/// Most bytes for all that a file says about its picture: copies of its parts, and what they unfold to.
pub fn to_open(bytes: &[u8]) -> u64 {
    let len = bytes.len() as u64;
    let format = Format::of_bytes(bytes);
    let unfolded = match format {
        Some(Format::Jpeg) => 3 * len,
        Some(Format::Png) => 2 * len + profile_of_png(bytes) + texts_of_png(bytes),
        Some(Format::WebP) => 2 * len + webp::missing_metadata(bytes),
        Some(Format::Gif) => 2 * len,
        Some(Format::Tiff) => 4 * len + tiff::need_to_open(bytes),
        Some(Format::Raw) => {
            // No more of it is read than that.
            let (container, preview) = raw::need_to_open(bytes);
            return BASE + container + said(container) + preview.map_or(0, to_open);
        }
        Some(format @ (Format::Heic | Format::Avif | Format::Jxl)) => {
            2 * len + own::need_to_open(bytes, format)
        }
        Some(Format::Bmp | Format::Mp4 | Format::Mov | Format::Mkv | Format::Webm) | None => 0,
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
    let in_eight_bits = 3 * pixels;
    let decoded = match &encoded.layout.sort {
        Sort::Jpeg(header) => of_jpeg(encoded, header) + stored(header.components, pixels),
        Sort::Gif(frame) => frame.need(),
        Sort::Tiff(header) => header.need,
        Sort::Own => {
            let size = (encoded.layout.width, encoded.layout.height);
            to_open(encoded.bytes) + own::need(encoded.bytes, encoded.format, size)
        }
        // A thumbnail, or one piece of a picture at a time.
        Sort::Raw => raw::need_to_decode(encoded.bytes) + in_eight_bits,
        Sort::Other(color) => {
            let decoded = pixels * u64::from(color.bytes_per_pixel());
            let converted = match color {
                ColorType::Rgb8 => decoded,
                _ => decoded + in_eight_bits,
            };
            (decoded + beside(encoded, *color)).max(converted)
        }
    };
    BASE + decoded.max(finished(encoded, pixels))
}

/// Most bytes for a JPEG decoded to so many eighths.
pub(super) fn shrunk(encoded: &Encoded<'_>, header: &jpeg::Header, eighths: u32) -> u64 {
    let scaled = |side: u32| u64::from(side) * u64::from(eighths) / 8 + 1;
    let pixels = scaled(header.width) * scaled(header.height);
    let decoding = if header.is_common {
        // A row of units of three components, in f32.
        (u64::from(header.width) + 64) * 32 * 4 * 3
    } else {
        of_jpeg(encoded, header)
    };
    BASE + (stored(header.components, pixels) + decoding).max(finished(encoded, pixels))
}

/// Pixels of so many components.
fn stored(components: u32, pixels: u64) -> u64 {
    u64::from(components.max(3)) * pixels
}

/// What is taken when all is decoded: the profile, inks beside colours, and the picture turned.
fn finished(encoded: &Encoded<'_>, pixels: u64) -> u64 {
    let is_of_inks = match &encoded.layout.sort {
        Sort::Jpeg(header) => header.components > 3,
        Sort::Tiff(_) => true,
        Sort::Gif(_) | Sort::Own | Sort::Raw | Sort::Other(_) => false,
    };
    let inks = if is_of_inks { 4 * pixels } else { 0 };
    let turned = if encoded.is_turned() { 2 } else { 1 };
    let row = 3 * u64::from(encoded.layout.width);
    let profiled = profile::need(encoded.profile.as_deref()) + row;
    3 * pixels * turned + inks + profiled
}

/// What the decoder of another's making takes beside the picture.
fn beside(encoded: &Encoded<'_>, color: ColorType) -> u64 {
    let layout = &encoded.layout;
    let row = u64::from(layout.width) * u64::from(color.bytes_per_pixel());
    match encoded.format {
        // Two rows and what is unfolded ahead of them; a picture of one row is all row. And the file, where it lacks its end.
        Format::Png => {
            let chunks = PNG_CHUNKS.min(to_open(encoded.bytes));
            chunks + 4 * row + encoded.bytes.len() as u64
        }
        Format::WebP => webp::need(encoded.bytes, (layout.width, layout.height)),
        _ => 2 * row,
    }
}

/// The file without what is not about pixels, and all coefficients in sixteen bits and as pixels; or rows of them.
fn of_jpeg(encoded: &Encoded<'_>, header: &jpeg::Header) -> u64 {
    let lines = 8 * (u64::from(header.width) + 64) * u64::from(header.components);
    encoded.bytes.len() as u64 + 3 * header.samples + 32 * lines
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
