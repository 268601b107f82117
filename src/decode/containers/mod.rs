//! Where each sort of file keeps what it says about its picture.
//!
//! Nothing here fails: a file that breaks off has said what stands before that.

mod gif;
mod jpeg;
mod png;
mod riff;
mod tiff;

use std::borrow::Cow;

use super::metadata::MAX_PARTS;
use super::parts::Parts;
use super::raw;
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
        Format::Bmp => Parts::default(),
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

/// Keeps a part, unless there are more than anybody writes.
fn keep<'a>(parts: &mut Vec<Cow<'a, [u8]>>, part: impl Into<Cow<'a, [u8]>>) {
    if parts.len() < MAX_PARTS {
        parts.push(part.into());
    }
}
