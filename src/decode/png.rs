//! PNGs that lack their end: cut off, or written by who left it out.

use std::borrow::Cow;

use flate2::Crc;

/// A mark, a length, a checksum: what a chunk has beside its data.
const START: usize = 8;

/// The same file with an end, so that its decoder gives all the rows that are there, and says whether some are missing.
pub(super) fn ended(bytes: &[u8]) -> Cow<'_, [u8]> {
    match end_of_chunks(bytes) {
        None => Cow::Borrowed(bytes),
        Some((whole, cut)) => {
            let mut ended = Vec::with_capacity(bytes.len() + 40);
            ended.extend_from_slice(whole);
            if let Some(data) = cut {
                push_chunk(&mut ended, *b"IDAT", data);
            }
            push_chunk(&mut ended, *b"IEND", b"");
            Cow::Owned(ended)
        }
    }
}

/// The whole chunks, and the data of a chunk of pixels that is cut; nothing where the end is there.
fn end_of_chunks(bytes: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let mut at = START;
    loop {
        let chunk = bytes.get(at..).unwrap_or_default();
        let [a, b, c, d, kind @ ..] = chunk else {
            return Some((&bytes[..at.min(bytes.len())], None));
        };
        let len = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        if kind.starts_with(b"IEND") {
            return None;
        }
        let next = at.saturating_add(len).saturating_add(12);
        if next > bytes.len() {
            let data = kind.strip_prefix(b"IDAT");
            let data = data.map(|data| &data[..len.min(data.len())]);
            return Some((&bytes[..at], data));
        }
        at = next;
    }
}

fn push_chunk(to: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    let mut crc = Crc::new();
    crc.update(&kind);
    crc.update(data);
    to.extend((data.len() as u32).to_be_bytes());
    to.extend(kind);
    to.extend(data);
    to.extend(crc.sum().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{ImageFormat, RgbImage};

    use super::*;

    fn decode(bytes: &[u8]) -> Option<RgbImage> {
        let read = image::load_from_memory_with_format(&ended(bytes), ImageFormat::Png);
        read.ok().map(image::DynamicImage::into_rgb8)
    }

    #[test]
    fn a_picture_is_what_has_all_rows() {
        let picture = RgbImage::from_fn(90, 70, |x, y| image::Rgb([x as u8, y as u8, 7]));
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        let bytes = bytes.into_inner();
        assert!(matches!(ended(&bytes), Cow::Borrowed(_)));
        // Without the end; without the checksums; a part of the end.
        for missing in [12, 16, 20, 5] {
            let cut = &bytes[..bytes.len() - missing];
            assert_eq!(decode(cut).as_ref(), Some(&picture), "{missing}");
        }
        for kept in [bytes.len() / 2, bytes.len() - 60, 50, 20, 8, 3] {
            assert_eq!(decode(&bytes[..kept]), None, "{kept}");
        }
    }
}
