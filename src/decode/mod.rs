//! Bytes in, picture out: what a file says about its picture, and upright RGB pixels.
//!
//! Bad input is normal here. Every limit is checked before memory is taken, a truncated file is refused even where the
//! decoder would fill it up with grey, and a decoder that panics fails one file, not the program.

mod containers;
mod gif;
mod ifd;
mod jpeg;
mod metadata;
mod named;
mod need;
mod parts;
mod raw;
mod rgb;
#[cfg(test)]
mod tests;
mod webp;

use std::collections::BTreeSet;
use std::fmt;
use std::io::Cursor;
use std::mem::take;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageReader, Limits, RgbImage};
use thiserror::Error;

use crate::config::DecodeConfig;
use crate::formats::{self, Format};
use metadata::Said;

pub use metadata::{DateSource, Taken, Value};
pub use named::date_in_name;
pub use need::to_open as need_to_open;

/// What reads files, as one number, which is raised whenever it finds more in a file, or shows it otherwise: libraries then read
/// again what others have read.
pub const READERS: u32 = 1;

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
    /// A RAW file has nothing but what the sensor saw.
    #[error("the RAW file holds no preview: neither a JPEG nor a thumbnail of plain pixels")]
    NoPreview,
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
    Damaged(ImageError),
    /// The decoder did not come to an end.
    #[error("its decoder did not come to an end within {} s", .0.as_secs())]
    TooSlow(Duration),
    /// The decoder has a bug that these bytes trigger.
    #[error("the picture is damaged in a way that its decoder cannot handle")]
    Panicked,
}

/// What a file says about its picture, in all.
#[derive(Debug, Clone)]
pub struct Description {
    /// Format, size, camera, time and place.
    pub metadata: Metadata,
    /// Keywords in the file.
    pub keywords: BTreeSet<String>,
}

/// What a file says about its picture, but for keywords.
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
    /// Milliseconds of that time's second.
    pub taken_ms: Option<u16>,
    /// How many minutes the camera's clock was ahead of UTC.
    pub utc_offset_minutes: Option<i16>,
    /// Where the time was found.
    pub date_source: Option<DateSource>,
    /// Make and model.
    pub camera: Option<String>,
    /// Make and model, so far as a camera tells.
    pub lens: Option<String>,
    /// Degrees, north is positive.
    pub latitude: Option<f64>,
    /// Degrees, east is positive.
    pub longitude: Option<f64>,
    /// What somebody called the picture.
    pub title: Option<String>,
    /// 0 to 5, and -1 of a picture that its owner rejects.
    pub rating: Option<i8>,
}

impl Metadata {
    /// What every picture has; a file may say more.
    pub fn new(format: Format, width: u32, height: u32) -> Metadata {
        Metadata {
            format,
            width,
            height,
            taken_at: None,
            taken_ms: None,
            utc_offset_minutes: None,
            date_source: None,
            camera: None,
            lens: None,
            latitude: None,
            longitude: None,
            title: None,
            rating: None,
        }
    }

    /// With what the file says.
    fn saying(self, said: Said) -> Metadata {
        let Said {
            taken,
            camera,
            lens,
            place,
            title,
            rating,
            ..
        } = said;
        Metadata {
            taken_ms: taken.as_ref().and_then(|taken| taken.milliseconds),
            utc_offset_minutes: taken.as_ref().and_then(|taken| taken.offset_minutes),
            date_source: taken.as_ref().map(|taken| taken.source),
            taken_at: taken.map(|taken| taken.at),
            camera,
            lens,
            latitude: place.map(|place| place.latitude),
            longitude: place.map(|place| place.longitude),
            title,
            rating,
            ..self
        }
    }
}

/// The keywords in the file of a picture that need not be decoded.
pub fn keywords(bytes: &[u8]) -> BTreeSet<String> {
    let read = || {
        let parts = containers::parts(bytes, Format::of_bytes(bytes)?);
        Some(metadata::read(&parts, None).keywords)
    };
    catch_unwind(read).ok().flatten().unwrap_or_default()
}

/// Every value in a file that says something about its picture, whether it is believed or not, and what of it cannot be read.
pub fn values(bytes: &[u8]) -> (Vec<Value>, Vec<String>) {
    let read = || {
        let parts = containers::parts(bytes, Format::of_bytes(bytes)?);
        Some((metadata::values(&parts), metadata::warnings(&parts)))
    };
    catch_unwind(read).ok().flatten().unwrap_or_default()
}

/// How a picture is turned to stand upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn(Orientation);

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self.0 {
            Orientation::NoTransforms => "as stored",
            Orientation::Rotate90 => "a quarter clockwise",
            Orientation::Rotate180 => "upside down",
            Orientation::Rotate270 => "a quarter counterclockwise",
            Orientation::FlipHorizontal => "mirrored",
            Orientation::FlipVertical => "mirrored upside down",
            Orientation::Rotate90FlipH => "a quarter clockwise, then mirrored",
            Orientation::Rotate270FlipH => "a quarter counterclockwise, then mirrored",
        })
    }
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

/// Reads all of a picture's file but the pixels.
pub fn open<'a>(
    bytes: &'a [u8],
    limits: &DecodeConfig,
) -> Result<(Description, Encoded<'a>), DecodeError> {
    check_size(bytes.len() as u64, limits)?;
    guarded(|| open_unguarded(bytes, limits))
}

/// Decoders meet hostile bytes; a panic in one of them must cost one file only.
fn guarded<T>(work: impl FnOnce() -> Result<T, DecodeError>) -> Result<T, DecodeError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(DecodeError::Panicked))
}

fn open_unguarded<'a>(
    bytes: &'a [u8],
    limits: &DecodeConfig,
) -> Result<(Description, Encoded<'a>), DecodeError> {
    let format = Format::of_bytes(bytes).ok_or(DecodeError::UnknownFormat)?;
    let mut encoded = match format {
        Format::Raw => raw::open(bytes, limits)?,
        _ => encoded(bytes, format, limits)?,
    };
    let parts = containers::parts(bytes, format);
    let mut said = metadata::read(&parts, containers::taken(bytes, format));
    let orientation = match format {
        Format::Raw => raw::orientation(&parts),
        _ => said.orientation,
    };
    encoded.orientation = orientation.unwrap_or(Orientation::NoTransforms);
    let (width, height) = encoded.upright();
    let description = Description {
        keywords: take(&mut said.keywords),
        metadata: Metadata::new(format, width, height).saying(said),
    };
    Ok((description, encoded))
}

/// As it is stored, whatever the bytes begin like.
fn encoded<'a>(
    bytes: &'a [u8],
    format: Format,
    limits: &DecodeConfig,
) -> Result<Encoded<'a>, DecodeError> {
    if format == Format::Jpeg && !jpeg::is_complete(bytes) {
        return Err(DecodeError::Truncated);
    }
    let decoder = decoder(bytes, format)?;
    let (width, height) = decoder.dimensions();
    check_pixels(width, height, limits)?;
    if format == Format::Gif
        && let Some(frame) = gif::first_frame(bytes)
    {
        check_pixels(frame.width.into(), frame.height.into(), limits)?;
    }
    Ok(Encoded {
        bytes,
        format,
        width,
        height,
        color: decoder.color_type(),
        orientation: Orientation::NoTransforms,
    })
}

fn decoder(bytes: &[u8], format: Format) -> Result<Box<dyn ImageDecoder + '_>, DecodeError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format.decoder());
    if format == Format::Png {
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(need::PNG_CHUNKS);
        reader.limits(limits);
    }
    let decoder = reader.into_decoder().map_err(DecodeError::Damaged)?;
    Ok(Box::new(decoder))
}

/// The pixels of a picture that is open: upright when they are decoded, and without transparency. It holds no memory.
pub struct Encoded<'a> {
    bytes: &'a [u8],
    format: Format,
    /// As they are stored, not upright.
    width: u32,
    height: u32,
    /// Of the decoder's pixels.
    color: ColorType,
    orientation: Orientation,
}

impl Encoded<'_> {
    /// Width and height in pixels as they are stored, and how they are turned before anyone sees them.
    pub fn stored(&self) -> (u32, u32, Turn) {
        (self.width, self.height, Turn(self.orientation))
    }

    /// How many pixels there are.
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Most bytes of memory that [`Encoded::whole`] takes, its answer among them.
    pub fn need(&self) -> u64 {
        need::whole(self)
    }

    /// The same of [`Encoded::shrunk`]; nothing where that gives nothing.
    pub fn need_shrunk(&self, enough_side: u32) -> Option<u64> {
        Some(need::shrunk(self, self.eighths(enough_side)?))
    }

    /// Decodes to 1/2, 1/4 or 1/8 of the size, where that is faster than the whole and leaves at least `enough_side` pixels on
    /// the short side.
    pub fn shrunk(&self, enough_side: u32) -> Option<RgbImage> {
        let eighths = self.eighths(enough_side)?;
        // What panics here is left to the full decoder, as all that is damaged.
        let decode = || jpeg::decode_scaled(self.bytes, eighths as usize);
        let pixels = catch_unwind(decode).ok().flatten()?;
        let mut picture = DynamicImage::ImageRgb8(pixels);
        picture.apply_orientation(self.orientation);
        Some(picture.into_rgb8())
    }

    /// Decodes all pixels.
    pub fn whole(self) -> Result<RgbImage, DecodeError> {
        guarded(|| {
            if self.format == Format::Raw {
                return raw::decode(&self);
            }
            let mut decoder = decoder(self.bytes, self.format)?;
            // The decoder says again what it said when it was asked for the need, or takes no memory.
            if (decoder.dimensions(), decoder.color_type())
                != ((self.width, self.height), self.color)
            {
                return Err(DecodeError::Panicked);
            }
            let limits = decoder.set_limits(self.limits());
            limits.map_err(DecodeError::Damaged)?;
            let picture = DynamicImage::from_decoder(decoder).map_err(DecodeError::Damaged)?;
            let mut picture = DynamicImage::ImageRgb8(rgb::eight_bits(picture, self.format));
            picture.apply_orientation(self.orientation);
            Ok(picture.into_rgb8())
        })
    }

    /// What the decoder may take of its own, so far as it asks.
    fn limits(&self) -> Limits {
        let mut limits = Limits::no_limits();
        limits.max_alloc = match self.format {
            Format::Gif => gif::first_frame(self.bytes).map(|frame| 4 * frame.pixels()),
            Format::Tiff => Some(need::stored_in_tiff(self) + self.bytes.len() as u64),
            _ => None,
        };
        limits
    }

    fn decoded_bytes(&self) -> u64 {
        self.pixels() * u64::from(self.color.bytes_per_pixel())
    }

    /// To how many eighths it is decoded, where not to all.
    fn eighths(&self, enough_side: u32) -> Option<u32> {
        let eighths = eighths(self.width.min(self.height), enough_side);
        (self.format == Format::Jpeg && eighths < 8).then_some(eighths)
    }

    fn is_turned(&self) -> bool {
        matches!(
            self.orientation,
            Orientation::Rotate90
                | Orientation::Rotate270
                | Orientation::Rotate90FlipH
                | Orientation::Rotate270FlipH
        )
    }

    fn upright(&self) -> (u32, u32) {
        if self.is_turned() {
            (self.height, self.width)
        } else {
            (self.width, self.height)
        }
    }
}

/// How many eighths of the short side are the fewest that leave `enough` pixels. One eighth must leave twice as many: it
/// keeps only the mean of each block, which shows in the embedding, and saves little.
fn eighths(short_side: u32, enough: u32) -> u32 {
    [(1, 2 * enough), (2, enough), (4, enough)]
        .into_iter()
        .find(|(eighths, enough)| short_side / 8 * eighths >= *enough)
        .map_or(8, |(eighths, _)| eighths)
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
