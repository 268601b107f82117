//! TIFFs as people have them: scans, faxes, what programs hand on to one another, and what instruments measure.
//!
//! Pixels are shown as libtiff and Pillow show them, and where those refuse, as the fields say. One page is shown: the first
//! that is a picture of its own.

mod colors;
mod directory;
mod fax;
mod lzw;
mod page;
mod samples;
#[cfg(test)]
mod tests;
mod unpack;

use std::io::Cursor;

use image::ImageDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;

use super::raster::Raster;
use super::{DecodeError, jpeg, webp};
use directory::Directory;
use page::{Kind, Page, Photometric};
use samples::Samples;

/// How a part is packed that is a WebP.
const WEBP: u64 = 50_001;

/// What a TIFF says about the page that is shown.
pub(super) struct Header<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) orientation: Orientation,
    pub(super) profile: Option<&'a [u8]>,
    /// Most bytes that decoding takes, the answer among them.
    pub(super) need: u64,
}

/// Reads the fields of a TIFF.
pub(super) fn header(bytes: &[u8]) -> Result<Header<'_>, DecodeError> {
    let page = page::shown(bytes)?;
    let exif = u8::try_from(page.orientation).ok();
    let orientation = exif.and_then(Orientation::from_exif);
    Ok(Header {
        width: page.width as u32,
        height: page.height as u32,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        profile: page.profile,
        need: need(&page),
    })
}

/// Most bytes that [`header`] takes: the fields of all directories, and the values of those that say where pixels are and how they
/// are stored.
pub(super) fn need_to_open(bytes: &[u8]) -> u64 {
    let all = Directory::all(bytes);
    let fields: u64 = all.iter().map(Directory::need).sum();
    let values = all.iter().map(Directory::need_of_numbers).max();
    fields + values.unwrap_or(0)
}

/// Decodes the page that is shown.
pub(super) fn decode(bytes: &[u8]) -> Result<Raster, DecodeError> {
    let page = page::shown(bytes)?;
    check(&page)?;
    if let Some(jpeg) = page.jpeg.filter(|_| page.compression == 6) {
        return whole_jpeg(&page, jpeg);
    }
    let mut samples = Samples::new(&page);
    let (across, down) = (page.chunks_across(), page.chunks_down());
    let planes = if page.is_planar { page.kept() } else { 1 };
    for plane in 0..planes {
        for at in 0..across * down {
            let part = page.chunks.get(plane * across * down + at);
            let part = part.ok_or(DecodeError::Truncated)?;
            let (left, top) = (
                at % across * page.chunk_width,
                at / across * page.chunk_height,
            );
            let rows = page.chunk_height.min(page.height - top);
            put(&page, part, rows, (left, top), plane, &mut samples)?;
        }
    }
    let channels = page.kept();
    colors::paint(&page, samples.into_bytes(&page), channels)
}

/// What no path below is made for.
fn check(page: &Page) -> Result<(), DecodeError> {
    let is_jpeg = matches!(page.compression, 6 | 7);
    let is_read = match (page.kind, page.photometric) {
        (
            Kind::Float,
            Photometric::Palette | Photometric::YCbCr | Photometric::CieLab | Photometric::IccLab,
        ) => false,
        (Kind::Float, _) => matches!(page.bits, 16 | 24 | 32 | 64),
        (_, Photometric::Palette) => matches!(page.bits, 1..=8 | 16),
        (_, Photometric::YCbCr) => page.bits == 8,
        (_, Photometric::CieLab | Photometric::IccLab) => matches!(page.bits, 8 | 16),
        _ => matches!(page.bits, 1..=16 | 24 | 32 | 64),
    };
    if !is_read || is_jpeg && page.bits != 8 {
        return Err(DecodeError::Unsupported("a TIFF of such numbers".into()));
    }
    Ok(())
}

fn put(
    page: &Page,
    part: &[u8],
    rows: usize,
    at: (usize, usize),
    channel: usize,
    samples: &mut Samples,
) -> Result<(), DecodeError> {
    if matches!(page.compression, 6 | 7) {
        let part = part_jpeg(page, part, rows)?;
        samples.put(page, &part, at, channel);
        return Ok(());
    }
    if page.compression == WEBP {
        samples.put(page, &part_webp(page, part, rows)?, at, channel);
        return Ok(());
    }
    let unpacked = unpack::rows(page, part, rows)?;
    if page.is_shared() {
        let apart = colors::unshare(page, &unpacked, rows);
        samples.put(page, &apart, at, channel);
    } else {
        samples.put(page, &unpacked, at, channel);
    }
    Ok(())
}

/// What is left of a part by its JPEG: the channels as they stand, in rows of the part's width.
fn part_jpeg(page: &Page, part: &[u8], rows: usize) -> Result<Vec<u8>, DecodeError> {
    let tables = page.jpeg_tables.strip_suffix(&[0xFF, 0xD9]);
    let tables = tables.unwrap_or(page.jpeg_tables);
    let joined = match part.strip_prefix(&[0xFF, 0xD8]) {
        Some(rest) if tables.len() > 2 => [tables, rest].concat(),
        _ => part.to_vec(),
    };
    let header = jpeg::header(&joined)?;
    let channels = page.channels_together();
    let is_as_said = header.width as usize == page.chunk_width
        && header.height as usize <= page.chunk_height
        && header.components as usize == channels;
    if !is_as_said {
        return Err(DecodeError::Broken("a JPEG in the TIFF has another size"));
    }
    check_rows(header.height, rows)?;
    jpeg::decode_channels(&joined)
}

/// What is left of a part by its WebP: the channels, which are colours and perhaps opacity.
fn part_webp(page: &Page, part: &[u8], rows: usize) -> Result<Vec<u8>, DecodeError> {
    let decoder = WebPDecoder::new(Cursor::new(part)).map_err(DecodeError::Damaged)?;
    let (width, height) = decoder.dimensions();
    let is_as_said = width as usize == page.chunk_width
        && height as usize <= page.chunk_height
        && page.bits == 8
        && usize::from(decoder.color_type().channel_count()) == page.channels_together();
    if !is_as_said {
        return Err(DecodeError::Broken("a WebP in the TIFF has another size"));
    }
    check_rows(height, rows)?;
    let mut channels = vec![0; usize::try_from(decoder.total_bytes()).unwrap_or(0)];
    let read = decoder.read_image(&mut channels);
    read.map_err(DecodeError::Damaged)?;
    Ok(channels)
}

/// Refuses a part with fewer rows than are shown of it: the others would be black.
fn check_rows(height: u32, rows: usize) -> Result<(), DecodeError> {
    if (height as usize) < rows {
        return Err(DecodeError::Truncated);
    }
    Ok(())
}

/// A JPEG that is the whole page.
fn whole_jpeg(page: &Page, bytes: &[u8]) -> Result<Raster, DecodeError> {
    let header = jpeg::header(bytes)?;
    if (header.width as usize, header.height as usize) != (page.width, page.height) {
        return Err(DecodeError::Broken("the JPEG in the TIFF has another size"));
    }
    jpeg::decode(bytes)
}

/// Most bytes that [`decode`] takes.
fn need(page: &Page) -> u64 {
    let pixels = page.width as u64 * page.height as u64;
    let kept = page.kept() as u64;
    // As numbers first, where their range is open; then as bytes; then as colours.
    let samples = pixels * kept * 5;
    let colors = pixels * 4;
    let part = page.chunk_bytes().unwrap_or(0) as u64;
    let channels = page.channels as u64;
    let longest = page.chunks.iter().map(|part| part.len()).max();
    let packed = longest.unwrap_or(0) as u64;
    let part_pixels = page.chunk_width as u64 * page.chunk_height as u64;
    let window = match page.compression {
        50_000 | 34_925 => 2 * unpack::MOST_WINDOW,
        _ => 0,
    };
    // Coefficients and channels of a JPEG, filled up to whole units.
    let jpeg = match page.compression {
        6 | 7 => {
            let padded = (page.chunk_width as u64 + 32) * (page.chunk_height as u64 + 32);
            let whole = (page.width as u64 + 32) * (page.height as u64 + 32);
            8 * channels.max(3) * padded.max(if page.jpeg.is_some() { whole } else { 0 })
        }
        _ => 0,
    };
    let size = (page.chunk_width as u32, page.chunk_height as u32);
    let webp = match page.compression {
        WEBP => page.chunks.iter().map(|part| webp::need(part, size)).max(),
        _ => None,
    };
    let chunks = page.chunks.len() as u64 * 32;
    // Of two rows, where their colours change; lists grow by doubling.
    let changes = match page.compression {
        2..=4 | 32_771 => 2 * 16 * (page.chunk_width as u64 + 8),
        _ => 0,
    };
    let part = 2 * part + packed + 3 * part_pixels + window + jpeg + webp.unwrap_or(0) + changes;
    samples + colors + part + chunks
}
