//! Pictures as codecs of videos code them: HEVC, AV1 and H.264, stills and frames of videos alike.
//!
//! Whoever reads a container hands over what it holds of one picture; what comes back is as it is stored, not turned.
#![cfg_attr(
    not(any(feature = "avif", feature = "h264", feature = "heif")),
    allow(dead_code, unused_variables, reason = "a build may have no decoder")
)]

#[cfg(feature = "avif")]
mod av1;
#[cfg(feature = "h264")]
mod h264;
#[cfg(feature = "heif")]
mod hevc;
#[cfg(any(feature = "avif", feature = "h264", feature = "heif"))]
mod planes;

use image::RgbImage;
#[cfg(any(feature = "avif", feature = "h264", feature = "heif"))]
use image::error::{DecodingError, ImageError, ImageFormatHint};

use super::DecodeError;

/// What codes pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Hevc,
    /// Up to this operating point.
    Av1(u8),
    H264,
}

/// How colours are coded, by the numbers of ITU-T H.273.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coding {
    pub(super) primaries: u16,
    pub(super) matrix: u16,
    pub(super) is_full_range: bool,
}

/// What a container holds of one picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coded<'a> {
    /// What the decoder must know before: the content of `hvcC`, `avcC` or `av1C`.
    pub(super) config: &'a [u8],
    /// The picture.
    pub(super) data: &'a [u8],
    /// In pixels.
    pub(super) size: (u32, u32),
    /// How the container says that colours are coded, which counts more than what the picture says.
    pub(super) coding: Option<Coding>,
    /// By which matrix they are where neither says so.
    pub(super) usual_matrix: u16,
}

/// That of standard television, and of stills; and that of HDTV.
pub(super) const BT601: u16 = 6;
pub(super) const BT709: u16 = 1;

impl Codec {
    /// As people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Codec::Hevc => "HEVC",
            Codec::Av1(_) => "AV1",
            Codec::H264 => "H.264",
        }
    }

    /// Whether this build has its decoder.
    pub(super) fn is_there(self) -> bool {
        match self {
            Codec::Hevc => cfg!(feature = "heif"),
            Codec::Av1(_) => cfg!(feature = "avif"),
            Codec::H264 => cfg!(feature = "h264"),
        }
    }

    /// Most bytes that it takes to decode a picture of this size, the answer among them; none where nothing decodes it.
    pub(super) fn need(self, size: (u32, u32)) -> u64 {
        let need_pixel = match self {
            #[cfg(feature = "heif")]
            Codec::Hevc => hevc::NEED_PIXEL,
            #[cfg(feature = "avif")]
            Codec::Av1(_) => av1::NEED_PIXEL,
            #[cfg(feature = "h264")]
            Codec::H264 => h264::NEED_PIXEL,
            #[allow(unreachable_patterns, reason = "a build may have them all")]
            _ => 0,
        };
        need_pixel * most_coded(size)
    }

    /// Decodes a picture that needs no other.
    pub(super) fn decode(self, coded: &Coded<'_>) -> Result<RgbImage, DecodeError> {
        match self {
            #[cfg(feature = "heif")]
            Codec::Hevc => hevc::decode(coded),
            #[cfg(feature = "avif")]
            Codec::Av1(layers) => av1::decode(coded, layers),
            #[cfg(feature = "h264")]
            Codec::H264 => h264::decode(coded),
            #[allow(unreachable_patterns, reason = "a build may have them all")]
            left_out => Err(unsupported(&format!(
                "{}, whose decoder this build leaves out,",
                left_out.name()
            ))),
        }
    }
}

/// Most pixels of a coded picture of which so many are shown: it fills up whole blocks.
fn most_coded((width, height): (u32, u32)) -> u64 {
    let padded = |side: u32| u64::from(side) + 64;
    padded(width) * padded(height)
}

#[cfg(any(feature = "avif", feature = "h264", feature = "heif"))]
fn damaged(why: &str) -> DecodeError {
    DecodeError::Damaged(ImageError::Decoding(DecodingError::new(
        ImageFormatHint::Unknown,
        why,
    )))
}

fn unsupported(what: &str) -> DecodeError {
    DecodeError::Unsupported(what.to_owned().into())
}
