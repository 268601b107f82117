//! The chunks of a WebP.

use super::keep;
use crate::decode::parts::Parts;

/// What stands in chunks of their own, wherever in the file.
pub(super) fn parts(bytes: &[u8]) -> Parts<'_> {
    let mut parts = Parts::default();
    for (kind, data) in Chunks(bytes.get(12..).unwrap_or_default()) {
        match kind {
            b"EXIF" => keep(&mut parts.exif, data),
            // Some programs get the last byte of the name wrong.
            b"XMP " | b"XMP\0" => keep(&mut parts.xmp, data),
            b"ICCP" if parts.icc.is_none() => parts.icc = Some(data.into()),
            _ => {}
        }
    }
    parts
}

/// Names and data of all chunks to the end of the file, whatever length its head tells. What breaks off counts as far as it
/// goes.
struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = (&'a [u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, rest) = self.0.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = u32::from_le_bytes(*length) as usize;
        let data = rest.get(..length).unwrap_or(rest);
        let behind = length.checked_next_multiple_of(2)?;
        self.0 = rest.get(behind..).unwrap_or_default();
        Some((kind, data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u32).to_le_bytes();
        [kind, &length, data, &vec![0; data.len() % 2]].concat()
    }

    #[test]
    fn chunks_are_read_wherever_they_stand() {
        let bytes = [
            b"RIFF\0\0\0\0WEBP".to_vec(),
            chunk(b"VP8X", b"flags"),
            chunk(b"ICCP", b"profile"),
            chunk(b"VP8 ", b"pixels!"),
            chunk(b"EXIF", b"Exif\0\0II*\0"),
            chunk(b"XMP ", b"<x/>"),
        ]
        .concat();
        let found = parts(&bytes);
        assert_eq!(found.exif, [&b"Exif\0\0II*\0"[..]]);
        assert_eq!(found.xmp, [&b"<x/>"[..]]);
        assert_eq!(found.icc.as_deref(), Some(&b"profile"[..]));
        for cut in 0..bytes.len() {
            parts(&bytes[..cut]);
        }
        assert_eq!(parts(&bytes[..bytes.len() - 2]).xmp, [&b"<x"[..]]);
    }
}
