//! HEIF: pictures in boxes, coded as HEVC (`heic`) or AV1 (`avif`), whole, in tiles, or one upon the other.
//!
//! The container is read here, within bounds; only the coded pictures are left to decoders of others.

mod meta;
mod picture;

use std::borrow::Cow;
use std::collections::BTreeSet;

use image::RgbImage;
use image::error::{DecodingError, ImageError, ImageFormatHint};

use super::DecodeError;
use super::boxes::tiff_of_exif;
use super::parts::Parts;
use meta::Meta;

/// A file whose boxes are read.
#[derive(Debug)]
pub(super) struct Heif<'a> {
    meta: Meta<'a>,
    size: (u32, u32),
}

impl<'a> Heif<'a> {
    /// Reads all but the pixels.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Heif<'a>, DecodeError> {
        let meta = Meta::read(bytes)?;
        let size = picture::size(&meta, meta.primary())?;
        picture::check(&meta, meta.primary())?;
        Ok(Heif { meta, size })
    }

    /// Width and height of the primary picture, upright: files of HEIF are turned by what their boxes say, and what EXIF says
    /// of it does not count.
    pub(super) fn size(&self) -> (u32, u32) {
        self.size
    }

    /// What the file says of its primary picture. A part whose bytes are missing is left out.
    pub(super) fn parts(&self) -> Parts<'a> {
        let mut parts = Parts {
            icc: self.meta.profile(self.meta.primary()).map(Cow::Borrowed),
            ..Parts::default()
        };
        let described: BTreeSet<_> = self
            .meta
            .describing(self.meta.primary())
            .into_iter()
            .collect();
        // One that is made of pieces is copied, and pieces may be the same.
        let mut left = self.meta.file_bytes();
        for id in described {
            let is_xmp = self.meta.is_xmp(id);
            if !is_xmp && !self.meta.kind(id).is_ok_and(|kind| kind == *b"Exif") {
                continue;
            }
            let Ok(data) = self.meta.data(id) else {
                continue;
            };
            let Some(rest) = left.checked_sub(data.len()) else {
                break;
            };
            left = rest;
            if is_xmp {
                parts.xmp.push(data);
            } else {
                parts.exif.extend(tiff_of_exif(data));
            }
        }
        parts
    }

    /// Decodes the primary picture, upright; colours as they are coded, those behind a transparency too.
    pub(super) fn pixels(&self) -> Result<RgbImage, DecodeError> {
        let decoded = picture::decode(&self.meta, self.meta.primary())?;
        if decoded.dimensions() == self.size {
            Ok(decoded)
        } else {
            Err(damaged("it is of another size than it says"))
        }
    }

    /// Most bytes that decoding takes, its answer among them.
    pub(super) fn need(&self) -> u64 {
        picture::need(&self.meta)
    }
}

fn damaged(why: &str) -> DecodeError {
    let format = ImageFormatHint::Name("HEIF".to_owned());
    DecodeError::Damaged(ImageError::Decoding(DecodingError::new(format, why)))
}

fn unsupported(what: &str) -> DecodeError {
    DecodeError::Unsupported(format!("{what} in a HEIF file").into())
}

/// Most bytes that it takes to open a file.
pub(super) fn need_to_open(bytes: &[u8]) -> u64 {
    meta::NEED.min(meta::NEED_BYTE * bytes.len() as u64)
}
