//! Bytes in, picture out: what a file says about its picture, and upright RGB pixels.
//!
//! Bad input is normal here. Every limit is checked before memory is taken, a file that lacks pixels is refused even where the
//! decoder would fill them up with grey, and a decoder that panics fails one file, not the program.

mod boxes;
mod coded;
mod containers;
mod gif;
#[cfg(any(feature = "heif", feature = "avif"))]
mod heif;
mod ifd;
mod jpeg;
#[cfg(feature = "jxl")]
mod jxl;
mod layout;
mod metadata;
mod motion;
mod named;
mod need;
mod own;
mod parts;
mod png;
mod profile;
mod raster;
mod raw;
mod rgb;
#[cfg(test)]
mod tests;
mod tiff;
mod video;
mod webp;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::mem::take;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use image::metadata::Orientation;
use image::{DynamicImage, ImageError, RgbImage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::DecodeConfig;
use crate::formats::{self, Format};
use metadata::Said;

use layout::{Layout, Sort};
use raster::Raster;

pub use metadata::{DateSource, Taken, Value};
pub use named::date_in_name;
pub use need::to_open as need_to_open;
pub use profile::Purpose;
pub use video::{Moment, Video, need_to_open_video, open_video};

/// What reads files, as one number, which is raised whenever it finds more in a file, or shows it otherwise: libraries then read
/// again what others have read.
pub const READERS: u32 = 2;

/// The same with what this build leaves out, in which another may find a picture.
pub fn readers() -> String {
    let left_out = [
        (cfg!(feature = "heif"), Format::Heic),
        (cfg!(feature = "avif"), Format::Avif),
        (cfg!(feature = "jxl"), Format::Jxl),
        (cfg!(feature = "h264"), Format::Mp4),
    ];
    let left_out = left_out.into_iter().filter(|(is_there, _)| !is_there);
    left_out.fold(READERS.to_string(), |all, (_, format)| {
        format!("{all}-{format}")
    })
}

/// Why bytes are not a picture. The text is shown to people as the reason of a failed file.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// The file has no bytes at all.
    #[error("the file is empty")]
    Empty,
    /// The bytes are of no format that pixdex reads.
    #[error("not of a format that is read: {}", formats::names("or"))]
    UnknownFormat,
    /// Pixels are missing; usually of a copy that was cut off.
    #[error("the picture is truncated: a part of its pixels is missing")]
    Truncated,
    /// A RAW file has nothing but what the sensor saw.
    #[error("the RAW file holds no preview: neither a JPEG nor a thumbnail of plain pixels")]
    NoPreview,
    /// A video where a picture is asked for.
    #[error("a video cannot be taken for a picture: it is {0}")]
    NoStill(Format),
    /// A video has no frame that could be decoded.
    #[error("the video holds no frame that can be looked at by itself")]
    NoFrames,
    /// A video's file could not be read to where it is needed.
    #[error("it cannot be read: {0}")]
    Io(std::io::Error),
    /// A part of the file makes no sense.
    #[error("the picture is damaged: {0}")]
    Broken(&'static str),
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
    /// Sound for all that is known, and of a sort that is not read.
    #[error("{0} is not read by pixdex")]
    Unsupported(Cow<'static, str>),
    /// Whoever built the program left the decoder out.
    #[error("this build of pixdex leaves {0} pictures out")]
    LeftOut(Format),
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
#[derive(Debug, Clone, Serialize)]
pub struct Description {
    /// Format, size, camera, time and place.
    #[serde(flatten)]
    pub metadata: Metadata,
    /// Keywords in the file.
    pub keywords: BTreeSet<String>,
}

/// What a file says about its picture, but for keywords.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Who says so: the file, or, as a guess, its name (`file_name`) or its time (`file_time`).
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
    /// How long a video is, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// By what a phone knows the files of one shot: Apple writes the same into the picture and the film of a live photo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_identifier: Option<String>,
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
            duration_ms: None,
            content_identifier: None,
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
            content_identifier,
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
            content_identifier,
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
        let format = Format::of_bytes(bytes)?;
        let parts = containers::parts(bytes, format);
        let mut values = metadata::values(&parts);
        // As exiftool calls it.
        values.extend(motion::film_bytes(bytes, format).map(|bytes| Value {
            source: "container",
            name: "MotionPhotoVideo".to_owned(),
            text: format!("a film of {bytes} bytes"),
        }));
        Some((values, metadata::warnings(&parts)))
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
        // They are turned as they are decoded, whatever EXIF says.
        Format::Heic | Format::Avif | Format::Jxl => None,
        _ => encoded.layout.orientation().or(said.orientation),
    };
    encoded.orientation = orientation.unwrap_or(Orientation::NoTransforms);
    let profile = encoded.layout.profile().map(Cow::Borrowed).or(parts.icc);
    encoded.profile = profile.filter(|profile| profile.len() <= profile::MOST_BYTES);
    let (width, height) = encoded.upright();
    let description = Description {
        keywords: take(&mut said.keywords),
        metadata: Metadata::new(format, width, height).saying(said),
    };
    Ok((description, encoded))
}

/// As it is stored, whatever is said beside the pixels.
fn encoded<'a>(
    bytes: &'a [u8],
    format: Format,
    limits: &DecodeConfig,
) -> Result<Encoded<'a>, DecodeError> {
    let layout = Layout::read(bytes, format, limits.max_pixels)?;
    check_pixels(layout.width, layout.height, limits)?;
    Ok(Encoded::new(bytes, format, layout))
}

/// The pixels of a picture that is open: upright when they are decoded, in sRGB, and without transparency. It holds no memory but
/// the picture's profile.
pub struct Encoded<'a> {
    bytes: &'a [u8],
    format: Format,
    layout: Layout<'a>,
    orientation: Orientation,
    profile: Option<Cow<'a, [u8]>>,
    purpose: Purpose,
}

impl<'a> Encoded<'a> {
    /// As it is stored, to be embedded.
    fn new(bytes: &'a [u8], format: Format, layout: Layout<'a>) -> Encoded<'a> {
        Encoded {
            bytes,
            format,
            layout,
            orientation: Orientation::NoTransforms,
            profile: None,
            purpose: Purpose::Embedding,
        }
    }

    /// The same pixels, for another purpose than to be embedded.
    #[must_use]
    pub fn for_purpose(self, purpose: Purpose) -> Encoded<'a> {
        Encoded { purpose, ..self }
    }

    /// Width and height in pixels as they are stored, and how they are turned before anyone sees them.
    pub fn stored(&self) -> (u32, u32, Turn) {
        (
            self.layout.width,
            self.layout.height,
            Turn(self.orientation),
        )
    }

    /// Whether its decoder has parts that end the process where they have a bug: nothing can be caught behind a border of C.
    pub fn may_end_process(&self) -> bool {
        // What is coded like the one may be in a file of the other.
        matches!(self.format, Format::Avif | Format::Heic)
    }

    /// How many pixels there are.
    pub fn pixels(&self) -> u64 {
        u64::from(self.layout.width) * u64::from(self.layout.height)
    }

    /// Most bytes of memory that [`Encoded::whole`] takes, its answer among them.
    pub fn need(&self) -> u64 {
        need::whole(self)
    }

    /// The same of [`Encoded::shrunk`]; nothing where that gives nothing.
    pub fn need_shrunk(&self, enough_side: u32) -> Option<u64> {
        let (header, eighths) = self.eighths(enough_side)?;
        Some(need::shrunk(self, header, eighths))
    }

    /// Decodes to 1/2, 1/4 or 1/8 of the size, where that is faster than the whole and leaves at least `enough_side` pixels on
    /// the short side.
    pub fn shrunk(&self, enough_side: u32) -> Option<RgbImage> {
        let (_, eighths) = self.eighths(enough_side)?;
        // What panics here is left to the full decoder, as all that is damaged.
        let decode = || {
            let pixels = jpeg::decode_scaled(self.bytes, eighths as usize)?;
            Some(self.upright_pixels(pixels))
        };
        catch_unwind(AssertUnwindSafe(decode)).ok().flatten()
    }

    /// Decodes all pixels.
    pub fn whole(self) -> Result<RgbImage, DecodeError> {
        guarded(|| {
            let pixels = match self.layout.sort {
                Sort::Raw => Raster::Rgb(raw::decode(self.bytes)?),
                _ => self.layout.decode(self.bytes, self.format)?,
            };
            Ok(self.upright_pixels(pixels))
        })
    }

    fn upright_pixels(&self, pixels: Raster) -> RgbImage {
        let pixels = profile::apply(pixels, self.profile.as_deref(), self.purpose);
        let mut picture = DynamicImage::ImageRgb8(pixels);
        picture.apply_orientation(self.orientation);
        picture.into_rgb8()
    }

    /// To how many eighths it is decoded, where not to all.
    fn eighths(&self, enough_side: u32) -> Option<(&jpeg::Header, u32)> {
        let Sort::Jpeg(header) = &self.layout.sort else {
            return None;
        };
        let eighths = eighths(self.layout.width.min(self.layout.height), enough_side);
        (eighths < 8).then_some((header, eighths))
    }

    fn is_turned(&self) -> bool {
        is_turning(self.orientation)
    }

    fn upright(&self) -> (u32, u32) {
        let (width, height) = (self.layout.width, self.layout.height);
        if self.is_turned() {
            (height, width)
        } else {
            (width, height)
        }
    }
}

/// Whether width and height change places.
fn is_turning(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
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
