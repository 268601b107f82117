//! How a file stores its pixels: known from its headers, before any of them is touched.

use std::borrow::Cow;
use std::io::Cursor;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageReader, Limits};

use super::raster::Raster;
use super::{DecodeError, gif, jpeg, own, png, rgb, tiff};
use crate::formats::Format;

/// Most that a decoder of PNGs may take for a colour profile and texts.
pub(super) const PNG_CHUNKS: u64 = 64 << 20;

/// How a file stores its pixels.
pub(super) struct Layout<'a> {
    /// In pixels, as they are stored, not upright.
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) sort: Sort<'a>,
}

/// What each sort of file says more.
pub(super) enum Sort<'a> {
    Jpeg(jpeg::Header),
    Gif(gif::Frame<'a>),
    Tiff(tiff::Header<'a>),
    /// What is read by decoders that `image` has no part in, upright.
    Own,
    /// Pieces of a preview, which are put together where the RAW file is at hand.
    Raw,
    /// What another decoder reads, into such pixels.
    Other(ColorType),
}

impl<'a> Layout<'a> {
    /// No picture of more than `most_pixels` is looked into any further.
    pub(super) fn read(
        bytes: &'a [u8],
        format: Format,
        most_pixels: u64,
    ) -> Result<Layout<'a>, DecodeError> {
        let (width, height, sort) = match format {
            Format::Jpeg => {
                let header = jpeg::header(bytes)?;
                (header.width, header.height, Sort::Jpeg(header))
            }
            Format::Gif => {
                let frame = gif::first_frame(bytes)?;
                (frame.canvas.0, frame.canvas.1, Sort::Gif(frame))
            }
            Format::Tiff => {
                let header = tiff::header(bytes)?;
                (header.width, header.height, Sort::Tiff(header))
            }
            Format::Heic | Format::Avif | Format::Jxl => {
                let (width, height) = own::open(bytes, format, most_pixels)?.size;
                (width, height, Sort::Own)
            }
            // Looked at by other ways; one that comes here came as a picture.
            Format::Raw | Format::Mp4 | Format::Mov | Format::Mkv | Format::Webm => {
                return Err(DecodeError::NoStill(format));
            }
            Format::Png | Format::WebP | Format::Bmp => {
                let decoder = decoder(bytes, format)?;
                let (width, height) = decoder.dimensions();
                (width, height, Sort::Other(decoder.color_type()))
            }
        };
        if width == 0 || height == 0 {
            return Err(DecodeError::Broken("it has no pixels"));
        }
        Ok(Layout {
            width,
            height,
            sort,
        })
    }

    /// How the pixels must be turned, and what their colours are, so far as the file says it where the pixels are described.
    pub(super) fn orientation(&self) -> Option<Orientation> {
        match &self.sort {
            Sort::Tiff(header) => Some(header.orientation),
            _ => None,
        }
    }

    /// The colour profile, where it stands with the description of the pixels.
    pub(super) fn profile(&self) -> Option<&'a [u8]> {
        match &self.sort {
            Sort::Tiff(header) => header.profile,
            _ => None,
        }
    }

    /// Decodes all pixels.
    pub(super) fn decode(&self, bytes: &[u8], format: Format) -> Result<Raster, DecodeError> {
        let raster = match &self.sort {
            Sort::Jpeg(_) => jpeg::decode(bytes)?,
            Sort::Gif(frame) => Raster::Rgb(frame.decode()?),
            Sort::Tiff(_) => tiff::decode(bytes)?,
            Sort::Own => Raster::Rgb(own::pixels(bytes, format, (self.width, self.height))?),
            Sort::Raw => return Err(DecodeError::Panicked),
            Sort::Other(color) => self.decode_other(bytes, format, *color)?,
        };
        // The decoder says again what it said when it was asked for the need.
        if raster.dimensions() != (self.width, self.height) {
            return Err(DecodeError::Panicked);
        }
        Ok(raster)
    }

    fn decode_other(
        &self,
        bytes: &[u8],
        format: Format,
        color: ColorType,
    ) -> Result<Raster, DecodeError> {
        let bytes = match format {
            Format::Png => png::ended(bytes),
            _ => Cow::Borrowed(bytes),
        };
        let decoder = decoder(&bytes, format)?;
        // Or it takes no memory.
        if (decoder.dimensions(), decoder.color_type()) != ((self.width, self.height), color) {
            return Err(DecodeError::Panicked);
        }
        let picture = DynamicImage::from_decoder(decoder).map_err(DecodeError::Damaged)?;
        Ok(Raster::Rgb(rgb::eight_bits(picture)))
    }
}

/// The decoder of another's making, at the first pixel.
pub(super) fn decoder(
    bytes: &[u8],
    format: Format,
) -> Result<Box<dyn ImageDecoder + '_>, DecodeError> {
    let decoder = format.decoder().ok_or(DecodeError::LeftOut(format))?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), decoder);
    if format == Format::Png {
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(PNG_CHUNKS);
        reader.limits(limits);
    }
    let decoder = reader.into_decoder().map_err(DecodeError::Damaged)?;
    Ok(Box::new(decoder))
}
