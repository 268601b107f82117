//! RAW files as all other pictures: what their containers say, and the pixels of their previews within what was said to be
//! needed.

use image::RgbImage;
use image::metadata::Orientation;

use super::previews::Preview;
use super::said::{self, Said};
use super::{Raw, read};
use crate::config::DecodeConfig;
use crate::decode::layout::{Layout, Sort};
use crate::decode::parts::Parts;
use crate::decode::{DecodeError, Encoded, check_pixels, encoded};
use crate::formats::Format;
use crate::formats::tiff::Structure;

/// What the container says, copied and read: a list of empty texts takes 24 bytes for one.
const NEED_TO_READ: u64 = 32 * said::MOST_BYTES as u64;

/// The preview as it is stored. One that is a JPEG is like any other.
pub(in crate::decode) fn open<'a>(
    bytes: &'a [u8],
    limits: &DecodeConfig,
) -> Result<Encoded<'a>, DecodeError> {
    let (width, height) = match read(bytes)?.preview {
        Preview::Jpeg(jpeg) => return encoded(jpeg, Format::Jpeg, limits),
        Preview::Pieces(pieces) => pieces.size(),
        Preview::Plain(plain) => plain.size(),
    };
    check_pixels(width, height, limits)?;
    let layout = Layout {
        width,
        height,
        sort: Sort::Raw,
    };
    Ok(Encoded::new(bytes, Format::Raw, layout))
}

/// What the container says, and the preview where that is a JPEG, which may say more.
pub(in crate::decode) fn parts(bytes: &[u8]) -> (Parts<'_>, Option<&[u8]>) {
    let Ok(Raw { preview, parts }) = read(bytes) else {
        return (Parts::default(), None);
    };
    (parts, preview.jpeg())
}

/// How the picture is to be turned. What the preview says, which comes last, counts before what the container says: whoever
/// wrote it there knew of the preview's pixels.
pub(in crate::decode) fn orientation(parts: &Parts<'_>) -> Option<Orientation> {
    let mut blocks = parts.exif.iter().rev();
    blocks.find_map(|block| {
        let said = Said::of(&Structure::of(block)?)?;
        Orientation::from_exif(said.orientation()?)
    })
}

/// Most bytes for all that the container says, and the preview, which is read as any other JPEG.
pub(in crate::decode) fn need_to_open(bytes: &[u8]) -> (u64, Option<&[u8]>) {
    let (parts, preview) = parts(bytes);
    let packets = parts.xmp.iter().chain(&parts.iptc);
    let packets = packets.map(|packet| packet.len() as u64).sum::<u64>();
    (NEED_TO_READ + 2 * packets, preview)
}

/// Most bytes beside the pixels of a preview that is no JPEG.
pub(in crate::decode) fn need_to_decode(bytes: &[u8]) -> u64 {
    let preview = read(bytes).map(|raw| raw.preview);
    let piece = match preview {
        Ok(Preview::Pieces(pieces)) => pieces.need(),
        _ => 0,
    };
    NEED_TO_READ + piece
}

/// All pixels of a preview that is no JPEG, as they are stored.
pub(in crate::decode) fn decode(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
    // Its pieces are no larger than it is, but for what reaches out at the far ends.
    let limits = DecodeConfig {
        max_pixels: u64::MAX,
        max_file_bytes: u64::MAX,
        memory_bytes: 0,
        max_frames: 0,
        ffmpeg: String::new(),
    };
    match read(bytes)?.preview {
        Preview::Pieces(pieces) => {
            pieces.decode(|jpeg| encoded(jpeg, Format::Jpeg, &limits)?.whole())
        }
        Preview::Plain(plain) => plain.decode().ok_or(DecodeError::Truncated),
        Preview::Jpeg(_) => Err(DecodeError::Panicked),
    }
}
