//! Where each sort of file keeps what it says about its picture.
//!
//! Nothing here fails: a file that breaks off has said what stands before that.

mod gif;
mod jpeg;
mod png;
mod riff;
mod tiff;

use std::borrow::Cow;

use super::metadata::{MAX_PARTS, Moment};
use super::parts::Parts;
use super::{own, raw};
use crate::formats::Format;

pub(super) use png::MAX_UNFOLDED as MOST_OF_PNG;

/// What a file of this format says, as it stands there.
pub(super) fn parts(bytes: &[u8], format: Format) -> Parts<'_> {
    match format {
        Format::Jpeg => jpeg::parts(bytes),
        Format::Png => png::parts(bytes),
        Format::WebP => riff::parts(bytes),
        Format::Gif => gif::parts(bytes),
        Format::Tiff => tiff::parts(bytes),
        Format::Raw => of_raw(bytes),
        Format::Heic | Format::Avif | Format::Jxl => {
            let opened = own::open(bytes, format, u64::MAX);
            opened.map_or_else(|_| Parts::default(), |opened| opened.parts)
        }
        Format::Bmp | Format::Mp4 | Format::Mov | Format::Mkv | Format::Webm => Parts::default(),
    }
}

/// What the camera's container says, and behind that what the preview says.
fn of_raw(bytes: &[u8]) -> Parts<'_> {
    let (mut parts, preview) = raw::parts(bytes);
    let own = preview.map(jpeg::parts).unwrap_or_default();
    let pairs = [
        (&mut parts.exif, own.exif),
        (&mut parts.xmp, own.xmp),
        (&mut parts.iptc, own.iptc),
    ];
    for (all, own) in pairs {
        for part in own {
            keep(all, part);
        }
    }
    parts.icc = own.icc;
    parts
}

/// How many bytes of a file its parts can be in.
pub(super) fn said_bytes(bytes: &[u8], format: Format) -> usize {
    match format {
        Format::Jpeg => jpeg::said_bytes(bytes),
        Format::Bmp => 0,
        _ => bytes.len(),
    }
}

/// When a file of this format itself says that its picture was taken, apart from its parts.
pub(super) fn taken(bytes: &[u8], format: Format) -> Option<Moment> {
    match format {
        Format::Png => png::taken(bytes),
        _ => None,
    }
}

/// Keeps a part, unless there are more than anybody writes.
fn keep<'a>(parts: &mut Vec<Cow<'a, [u8]>>, part: impl Into<Cow<'a, [u8]>>) {
    if parts.len() < MAX_PARTS {
        parts.push(part.into());
    }
}
