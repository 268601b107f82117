//! JPEG XL: a stream of its own, or in boxes with what is said of it.

use std::borrow::Cow;
use std::io::Read;

use ::jxl::api::{
    AlphaMode, Event, ExtraChannel, JxlColorEncoding, JxlColorProfile, JxlColorType, JxlDataFormat,
    JxlDecoder, JxlDecoderOptions, JxlOutputBuffer, JxlPixelFormat, ProfileLevel,
};
use brotli_decompressor::Decompressor;
use image::RgbImage;
use image::error::{DecodingError, ImageError, ImageFormatHint};

use super::DecodeError;
use super::boxes::{Chest, boxes, tiff_of_exif};
use super::parts::Parts;

/// Boxes that are unfolded: one of EXIF and one of XMP.
const MOST_FOLDED: usize = 2;

/// Most bytes that a box may unfold to; what is larger is not read.
const MOST_UNFOLDED: u64 = 16 << 20;

/// What unfolding takes at most: its window and tables beside what it gives.
const NEED_UNFOLDING: u64 = 2 * MOST_UNFOLDED + (18 << 20);

/// Most bytes that a sample takes while it is decoded, and those that all take together.
const NEED_SAMPLE: u64 = 8;
const NEED_TABLES: u64 = 16 << 20;

/// Most samples of a pixel: red, green, blue, and what stands beside them.
const MOST_CHANNELS: usize = 8;

/// A file whose header is read.
pub(super) struct Jxl<'a> {
    bytes: &'a [u8],
    /// What the decoder has not read yet.
    rest: &'a [u8],
    decoder: JxlDecoder,
    size: (u32, u32),
    channels: usize,
    is_grey: bool,
}

impl<'a> Jxl<'a> {
    /// Reads up to the first picture.
    pub(super) fn open(bytes: &'a [u8], most_pixels: u64) -> Result<Jxl<'a>, DecodeError> {
        let mut options = JxlDecoderOptions::default();
        options.alpha_mode = AlphaMode::Unpremultiplied;
        options.max_profile_level = ProfileLevel::Main10;
        // So many are one too many to it.
        let most_samples = most_pixels.saturating_mul(MOST_CHANNELS as u64);
        let most_samples = most_samples.saturating_add(1);
        options.sample_limit = Some(usize::try_from(most_samples).unwrap_or(usize::MAX));
        let mut decoder = JxlDecoder::new(options);
        let mut rest = bytes;
        match decoder.process(&mut rest, None, None).map_err(refused)? {
            Event::BasicInfo => {}
            _ => return Err(DecodeError::Truncated),
        }
        let info = decoder.basic_info().ok_or(DecodeError::Truncated)?;
        let length = |side| u32::try_from(side).map_err(|_| damaged("it is too large"));
        let size = (length(info.size.0)?, length(info.size.1)?);
        let extra = info.extra_channels.len();
        if info
            .extra_channels
            .iter()
            .any(|extra| extra.ec_type == ExtraChannel::Black)
        {
            return Err(DecodeError::Unsupported(
                "four inks in a file of JPEG XL".into(),
            ));
        }
        let format = decoder.current_pixel_format();
        let is_grey = format.is_some_and(|format| format.color_type.is_grayscale());
        let format = JxlPixelFormat {
            color_type: if is_grey {
                JxlColorType::Grayscale
            } else {
                JxlColorType::Rgb
            },
            color_data_format: Some(JxlDataFormat::U8 { bit_depth: 8 }),
            extra_channel_format: vec![None; extra],
        };
        decoder.set_pixel_format(format).map_err(refused)?;
        Ok(Jxl {
            bytes,
            rest,
            decoder,
            size,
            channels: 3 + extra,
            is_grey,
        })
    }

    /// Width and height, upright: the decoder turns the picture as its header says, and what EXIF says of it does not count.
    pub(super) fn size(&self) -> (u32, u32) {
        self.size
    }

    /// What the file says of its picture. A part that cannot be unfolded is left out.
    pub(super) fn parts(&self) -> Parts<'a> {
        let mut parts = Parts {
            icc: self.profile().map(Cow::Owned),
            ..Parts::default()
        };
        let mut folded = 0;
        for chest in boxes(self.bytes) {
            match &chest.kind {
                _ if !chest.is_whole => {}
                b"brob" if folded < MOST_FOLDED => folded += add_unfolded(&mut parts, chest),
                b"brob" => {}
                _ => add(&mut parts, chest.kind, Cow::Borrowed(chest.content)),
            }
        }
        parts
    }

    /// The profile of the colours as they are decoded; none where they are sRGB.
    fn profile(&self) -> Option<Vec<u8>> {
        let profile = self.decoder.output_color_profile()?;
        let srgb = JxlColorProfile::Simple(JxlColorEncoding::srgb(self.is_grey));
        if profile.same_color_encoding(&srgb) {
            return None;
        }
        profile.try_as_icc().map(Cow::into_owned)
    }

    /// Decodes the first picture, upright; those behind a transparency too.
    pub(super) fn pixels(mut self) -> Result<RgbImage, DecodeError> {
        let (width, height) = self.size;
        let channels = if self.is_grey { 1 } else { 3 };
        let row = width as usize * channels;
        let mut samples = vec![0; row * height as usize];
        let mut output = [JxlOutputBuffer::new(&mut samples, height as usize, row)];
        loop {
            let event = self
                .decoder
                .process(&mut self.rest, Some(&mut output), None);
            match event.map_err(refused)? {
                Event::FrameHeader => {}
                Event::FrameComplete { .. } => break,
                Event::NeedMoreInput { .. } => return Err(DecodeError::Truncated),
                Event::BasicInfo | Event::Complete => return Err(damaged("it has no picture")),
            }
        }
        drop(self.decoder);
        if self.is_grey {
            samples = samples.iter().flat_map(|grey| [*grey; 3]).collect();
        }
        RgbImage::from_raw(width, height, samples).ok_or_else(|| damaged("it is of another size"))
    }

    /// Most bytes that decoding takes, its answer among them.
    pub(super) fn need(&self) -> u64 {
        let padded = |side: u32| u64::from(side) + 256;
        let samples = padded(self.size.0) * padded(self.size.1) * self.channels as u64;
        NEED_TABLES + NEED_SAMPLE * samples + 2 * self.bytes.len() as u64
    }
}

/// Most bytes for all that is read of a file but the pixels.
pub(super) fn need_to_open(bytes: &[u8]) -> u64 {
    let is_folded = boxes(bytes).any(|chest| chest.kind == *b"brob");
    let unfolding = if is_folded { NEED_UNFOLDING } else { 0 };
    unfolding + NEED_TABLES
}

fn add<'a>(parts: &mut Parts<'a>, kind: [u8; 4], content: Cow<'a, [u8]>) {
    match &kind {
        b"Exif" => parts.exif.extend(tiff_of_exif(content)),
        b"xml " => parts.xmp.push(content),
        _ => {}
    }
}

/// One box that is folded by Brotli. Its first four letters say what it is then. Returns how many were unfolded, well or not.
fn add_unfolded(parts: &mut Parts<'_>, chest: Chest<'_>) -> usize {
    let Some((kind, folded)) = chest.content.split_first_chunk() else {
        return 0;
    };
    if !matches!(kind, b"Exif" | b"xml ") {
        return 0;
    }
    let mut unfolded = Vec::new();
    let read = Decompressor::new(folded, 4096)
        .take(MOST_UNFOLDED + 1)
        .read_to_end(&mut unfolded);
    if read.is_ok_and(|len| len as u64 <= MOST_UNFOLDED) {
        add(parts, *kind, Cow::Owned(unfolded));
    }
    1
}

fn refused(error: ::jxl::error::Error) -> DecodeError {
    match error {
        ::jxl::error::Error::OutOfBounds(_) => DecodeError::Truncated,
        other => damaged(&other.to_string()),
    }
}

fn damaged(why: &str) -> DecodeError {
    let format = ImageFormatHint::Name("JPEG XL".to_owned());
    DecodeError::Damaged(ImageError::Decoding(DecodingError::new(format, why)))
}
