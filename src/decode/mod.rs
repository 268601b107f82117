//! Bytes in, picture out: an upright RGB picture and what the file says about it.
//!
//! Bad input is normal here. Every limit is checked before memory is taken, a truncated file is refused even where the
//! decoder would fill it up with grey, and a decoder that panics fails one file, not the program.

mod exif;
mod jpeg;
mod keywords;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageReader, Rgb, RgbImage, Rgba, RgbaImage};
use thiserror::Error;

use crate::config::DecodeConfig;
use crate::formats::{self, Format};

/// More pixels than nearly all cameras make; decoded in full, they take from 200 MB up.
const LARGE_PIXELS: u64 = 64_000_000;

/// Why bytes are not a picture. The text is shown to people as the reason of a failed file.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// The file has no bytes at all.
    #[error("the file is empty")]
    Empty,
    /// The bytes are of no format that pixdex reads.
    #[error("not a {} picture", formats::names("or"))]
    UnknownFormat,
    /// The end of the picture is missing; usually a copy that was cut off.
    #[error("the picture is truncated: its end marker is missing")]
    Truncated,
    /// Larger than `decode.max_pixels`.
    #[error("{width} x {height} pixels are more than decode.max_pixels = {max_pixels}")]
    TooManyPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The limit.
        max_pixels: u64,
    },
    /// Larger than `decode.max_file_bytes`.
    #[error("{size_bytes} bytes are more than decode.max_file_bytes = {max_file_bytes}")]
    TooManyBytes {
        /// Size of the file.
        size_bytes: u64,
        /// The limit.
        max_file_bytes: u64,
    },
    /// The decoder refused the bytes.
    #[error("the picture is damaged: {0}")]
    Damaged(#[from] image::ImageError),
    /// The decoder has a bug that these bytes trigger.
    #[error("the picture is damaged in a way that its decoder cannot handle")]
    Panicked,
}

/// A decoded picture.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Upright pixels: the EXIF orientation is applied, transparency is dropped. Fewer than `metadata` says where the
    /// picture was decoded at a fraction of its size.
    pub pixels: RgbImage,
    /// What the file says about the picture.
    pub metadata: Metadata,
    /// Keywords in the file.
    pub keywords: BTreeSet<String>,
}

/// What a file says about its picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    /// By the first bytes of the file, whatever its name says.
    pub format: Format,
    /// Upright width in pixels.
    pub width: u32,
    /// Upright height in pixels.
    pub height: u32,
    /// The camera's local time, `YYYY-MM-DDTHH:MM:SS`.
    pub taken_at: Option<String>,
    /// Make and model.
    pub camera: Option<String>,
    /// Degrees, north is positive.
    pub latitude: Option<f64>,
    /// Degrees, east is positive.
    pub longitude: Option<f64>,
}

impl Metadata {
    /// What every picture has; a file may say more.
    pub fn new(format: Format, width: u32, height: u32) -> Metadata {
        Metadata {
            format,
            width,
            height,
            taken_at: None,
            camera: None,
            latitude: None,
            longitude: None,
        }
    }
}

/// Decodes the bytes of one file.
pub fn decode(bytes: &[u8], limits: &DecodeConfig) -> Result<Picture, DecodeError> {
    decode_enough(bytes, limits, None)
}

/// Decodes the bytes of one file, at 1/2, 1/4 or 1/8 of its size where that is faster and leaves at least `enough_side`
/// pixels on the short side.
pub fn decode_enough(
    bytes: &[u8],
    limits: &DecodeConfig,
    enough_side: Option<u32>,
) -> Result<Picture, DecodeError> {
    check_size(bytes.len() as u64, limits)?;
    // Decoders meet hostile bytes; a panic in one of them must cost one file only.
    catch_unwind(AssertUnwindSafe(|| {
        decode_unguarded(bytes, limits, enough_side)
    }))
    .unwrap_or(Err(DecodeError::Panicked))
}

/// The keywords in the file of a picture that need not be decoded.
pub fn keywords(bytes: &[u8]) -> BTreeSet<String> {
    let read = || {
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
        let mut decoder = reader.ok()?.into_decoder().ok()?;
        Some(keywords::of(&mut decoder, bytes))
    };
    catch_unwind(read).ok().flatten().unwrap_or_default()
}

/// Whether a picture is so large that decoding several at a time could take all memory. One that is decoded at a fraction
/// of its size never is.
pub fn is_large(bytes: &[u8]) -> bool {
    let has_many_pixels = || {
        let reader = ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .ok()?;
        let (width, height) = reader.into_dimensions().ok()?;
        Some(u64::from(width) * u64::from(height) > LARGE_PIXELS && !jpeg::can_scale(bytes))
    };
    // What panics here is refused with its reason when it is decoded.
    matches!(catch_unwind(has_many_pixels), Ok(Some(true)))
}

/// Refuses a file by its size, before it is read.
pub fn check_size(size_bytes: u64, limits: &DecodeConfig) -> Result<(), DecodeError> {
    match size_bytes {
        0 => Err(DecodeError::Empty),
        _ if size_bytes > limits.max_file_bytes => Err(DecodeError::TooManyBytes {
            size_bytes,
            max_file_bytes: limits.max_file_bytes,
        }),
        _ => Ok(()),
    }
}

/// What the file of a picture says about it, and its keywords; pixels are not looked at.
pub fn describe(
    bytes: &[u8],
    limits: &DecodeConfig,
) -> Result<(Metadata, BTreeSet<String>), DecodeError> {
    check_size(bytes.len() as u64, limits)?;
    let describe = || open(bytes, limits).map(|opened| (opened.metadata, opened.keywords));
    catch_unwind(AssertUnwindSafe(describe)).unwrap_or(Err(DecodeError::Panicked))
}

/// A picture of which all is read but its pixels.
struct Opened<D> {
    decoder: D,
    format: Format,
    orientation: Orientation,
    metadata: Metadata,
    keywords: BTreeSet<String>,
}

fn open<'a>(
    bytes: &'a [u8],
    limits: &DecodeConfig,
) -> Result<Opened<impl ImageDecoder + use<'a>>, DecodeError> {
    let format = Format::of_bytes(bytes).ok_or(DecodeError::UnknownFormat)?;
    if format == Format::Jpeg && !jpeg_is_complete(bytes) {
        return Err(DecodeError::Truncated);
    }
    let mut decoder =
        ImageReader::with_format(Cursor::new(bytes), format.decoder()).into_decoder()?;
    let (width, height) = decoder.dimensions();
    check_pixels(width, height, limits)?;
    let exif = decoder.exif_metadata().ok().flatten();
    let keywords = keywords::of(&mut decoder, bytes);
    let orientation = decoder.orientation()?;
    let (upright_width, upright_height) = upright((width, height), orientation);
    let mut metadata = Metadata::new(format, upright_width, upright_height);
    if let Some(exif) = exif.and_then(|chunk| exif::read(&chunk)) {
        exif::add_to(&mut metadata, &exif);
    }
    Ok(Opened {
        decoder,
        format,
        orientation,
        metadata,
        keywords,
    })
}

fn decode_unguarded(
    bytes: &[u8],
    limits: &DecodeConfig,
    enough_side: Option<u32>,
) -> Result<Picture, DecodeError> {
    let Opened {
        decoder,
        format,
        orientation,
        metadata,
        keywords,
    } = open(bytes, limits)?;
    let (width, height) = decoder.dimensions();
    let eighths = enough_side.map_or(8, |side| eighths(width.min(height), side));
    let scaled = (format == Format::Jpeg && eighths < 8)
        .then(|| jpeg::decode_scaled(bytes, eighths as usize))
        .flatten();
    let mut picture = match scaled {
        Some(pixels) => DynamicImage::ImageRgb8(pixels),
        None => DynamicImage::from_decoder(decoder)?,
    };
    picture.apply_orientation(orientation);
    let pixels = rgb8(picture, format);
    Ok(Picture {
        pixels,
        metadata,
        keywords,
    })
}

/// How many eighths of the short side are the fewest that leave `enough` pixels. One eighth must leave twice as many: it
/// keeps only the mean of each block, which shows in the embedding, and saves little.
fn eighths(short_side: u32, enough: u32) -> u32 {
    [(1, 2 * enough), (2, enough), (4, enough)]
        .into_iter()
        .find(|(eighths, enough)| short_side / 8 * eighths >= *enough)
        .map_or(8, |(eighths, _)| eighths)
}

fn upright((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    match orientation {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => (height, width),
        _ => (width, height),
    }
}

/// `ImageReader::into_decoder` enforces no limit on the picture's own memory, so this must come before pixels are read.
fn check_pixels(width: u32, height: u32, limits: &DecodeConfig) -> Result<(), DecodeError> {
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(DecodeError::TooManyPixels {
            width,
            height,
            max_pixels: limits.max_pixels,
        });
    }
    Ok(())
}

/// Eight bits a channel as Hugging Face's processor sees them, since the models were trained on such pixels: the high
/// byte of sixteen, the colour behind a transparency, and white where a GIF shows nothing.
fn rgb8(picture: DynamicImage, format: Format) -> RgbImage {
    match picture.color() {
        ColorType::Rgb16 | ColorType::Rgba16 | ColorType::L16 | ColorType::La16 => {
            let wide = picture.into_rgb16();
            let (width, height) = wide.dimensions();
            let high_bytes = wide
                .into_raw()
                .into_iter()
                .map(|value| (value >> 8) as u8)
                .collect();
            RgbImage::from_raw(width, height, high_bytes)
                .expect("one byte for each channel of each pixel")
        }
        ColorType::Rgba8 if format == Format::Gif => on_white(&picture.into_rgba8()),
        _ => picture.into_rgb8(),
    }
}

/// The pixels of a GIF are either there or not.
fn on_white(picture: &RgbaImage) -> RgbImage {
    let mut white = RgbImage::new(picture.width(), picture.height());
    for (to, from) in white.pixels_mut().zip(picture.pixels()) {
        let Rgba([red, green, blue, opacity]) = *from;
        *to = if opacity == 0 {
            Rgb([u8::MAX; 3])
        } else {
            Rgb([red, green, blue])
        };
    }
    white
}

/// Whether a JPEG reaches its end-of-image marker.
///
/// The decoder fills what is missing with grey and reports success, so a half-copied file would be indexed as it is.
/// Walks the markers as ITU T.81 Annex B lays them out, so that the end marker of an embedded thumbnail does not count.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let (Some(0xFF), Some(&marker)) = (bytes.get(at).copied(), bytes.get(at + 1)) {
        at += match marker {
            0xD9 => return true,
            0xFF => 1,
            0x01 | 0xD0..=0xD8 => 2,
            _ => match bytes.get(at + 2..at + 4) {
                Some(length) => 2 + usize::from(u16::from_be_bytes([length[0], length[1]])),
                None => return false,
            },
        };
        if marker == 0xDA {
            at = match end_of_scan(bytes, at) {
                Some(end) => end,
                None => return false,
            };
        }
    }
    false
}

/// The next marker after entropy-coded data, in which 0xFF is followed by 0x00 or a restart marker.
fn end_of_scan(bytes: &[u8], from: usize) -> Option<usize> {
    let scan = bytes.get(from..)?;
    let offset = memchr::memchr_iter(0xFF, scan)
        .find(|&at| !matches!(scan.get(at + 1), None | Some(0x00 | 0xD0..=0xD7 | 0xFF)))?;
    Some(from + offset)
}
