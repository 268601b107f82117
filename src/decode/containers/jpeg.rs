//! The application segments of a JPEG.

use std::borrow::Cow;

use super::{MAX_PARTS, keep};
use crate::decode::parts::Parts;

const APP1: u8 = 0xE1;
const APP2: u8 = 0xE2;
const APP13: u8 = 0xED;

/// How an XMP packet begins, and the rest of one that is too long for a segment.
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const MORE_XMP: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";

const RESOURCES: [&[u8]; 2] = [b"Photoshop 3.0\0", b"Adobe_Photoshop2.5:"];
const PROFILE: &[u8] = b"ICC_PROFILE\0";

/// A piece of a long packet: the name that all pieces of one share, where it belongs, and its bytes.
type Piece<'a> = (&'a [u8], u32, &'a [u8]);

/// What stands before the first scan.
pub(super) fn parts(bytes: &[u8]) -> Parts<'_> {
    let mut exif: Vec<Vec<&[u8]>> = Vec::new();
    let mut xmp = Vec::new();
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    let mut resources = Vec::new();
    let mut profile: Vec<(u8, &[u8])> = Vec::new();
    for (marker, data) in Segments(bytes) {
        match marker {
            APP1 => {
                if let Some(block) = after_exif_header(data) {
                    add_exif(&mut exif, block);
                } else if let Some(packet) = data.strip_prefix(XMP) {
                    keep(&mut xmp, packet);
                } else if let Some(piece) = data.strip_prefix(MORE_XMP).and_then(piece) {
                    pieces.push(piece);
                }
            }
            APP2 => {
                if let Some([place, _, data @ ..]) = data.strip_prefix(PROFILE) {
                    profile.push((*place, data));
                }
            }
            APP13 => {
                // They may go on in the next segment, wherever in them.
                let mut starts = RESOURCES.iter();
                resources.extend(starts.find_map(|start| data.strip_prefix(*start)));
            }
            _ => {}
        }
    }
    if let Some(packet) = joined(&xmp, pieces) {
        keep(&mut xmp, packet);
    }
    Parts {
        exif: exif.iter().filter_map(|pieces| whole(pieces)).collect(),
        xmp,
        iptc: whole(&resources).into_iter().collect(),
        icc: of_places(profile),
    }
}

/// How many bytes stand before the first scan.
pub(super) fn said_bytes(bytes: &[u8]) -> usize {
    let mut segments = Segments(bytes);
    while segments.next().is_some() {}
    bytes.len() - segments.0.len()
}

/// Pieces as one. What is in one piece is not copied.
fn whole<'a>(pieces: &[&'a [u8]]) -> Option<Cow<'a, [u8]>> {
    match pieces {
        [] => None,
        [whole] => Some((*whole).into()),
        _ => Some(pieces.concat().into()),
    }
}

/// The markers before the first scan, with what belongs to each.
struct Segments<'a>(&'a [u8]);

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        loop {
            // Whatever stands between segments is passed over, as other decoders do.
            let at = memchr::memchr(0xFF, self.0)?;
            let rest = self.0.get(at + 1..)?;
            let (marker, rest) = rest.split_first()?;
            match marker {
                // Filling: the next byte may be the marker.
                0xFF => self.0 = self.0.get(at + 1..)?,
                0 | 1 | 0xD0..=0xD8 => self.0 = rest,
                0xD9 | 0xDA => return None,
                _ => {
                    let (length, _) = rest.split_first_chunk()?;
                    let length = usize::from(u16::from_be_bytes(*length)).max(2);
                    let whole = rest.get(..length).unwrap_or(rest);
                    self.0 = rest.get(length..).unwrap_or_default();
                    return Some((*marker, whole.get(2..)?));
                }
            }
        }
    }
}

/// The fifth byte is a NUL, and the sixth ought to be one.
fn after_exif_header(data: &[u8]) -> Option<&[u8]> {
    data.strip_prefix(b"Exif\0")?.get(1..)
}

/// A block too long for one segment goes on in the next, which has the header but no beginning of its own.
fn add_exif<'a>(blocks: &mut Vec<Vec<&'a [u8]>>, block: &'a [u8]) {
    let is_start = block.starts_with(b"II") || block.starts_with(b"MM");
    let count = blocks.len();
    match blocks.last_mut() {
        Some(last) if !is_start => last.push(block),
        _ if count < MAX_PARTS => blocks.push(vec![block]),
        _ => {}
    }
}

fn piece(data: &[u8]) -> Option<Piece<'_>> {
    let (name, data) = data.split_at_checked(32)?;
    let (_, data) = data.split_first_chunk::<4>()?;
    let (place, data) = data.split_first_chunk()?;
    Some((name, u32::from_be_bytes(*place), data))
}

/// The long packet that one of the others names, up to the first piece that is missing.
fn joined<'a>(packets: &[Cow<'_, [u8]>], mut pieces: Vec<Piece<'a>>) -> Option<Cow<'a, [u8]>> {
    let is_named = |name: &[u8]| {
        let mut packets = packets.iter();
        packets.any(|packet| memchr::memmem::find(packet, name).is_some())
    };
    let mut all: Vec<&[u8]> = pieces.iter().map(|(name, ..)| *name).collect();
    all.dedup();
    let named = all
        .into_iter()
        .take(MAX_PARTS)
        .find(|name| is_named(name))?;
    pieces.retain(|(name, ..)| *name == named);
    pieces.sort_by_key(|(_, place, _)| *place);
    let mut next = 0;
    pieces.retain(|(_, place, data)| {
        let is_next = *place as usize == next;
        next += if is_next { data.len() } else { 0 };
        is_next
    });
    let pieces: Vec<&[u8]> = pieces.iter().map(|(.., data)| *data).collect();
    whole(&pieces)
}

/// A profile in pieces that are counted.
fn of_places(mut pieces: Vec<(u8, &[u8])>) -> Option<Cow<'_, [u8]>> {
    pieces.sort_by_key(|(place, _)| *place);
    pieces.dedup_by_key(|(place, _)| *place);
    let pieces: Vec<&[u8]> = pieces.iter().map(|(_, data)| *data).collect();
    whole(&pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(marker: u8, parts: &[&[u8]]) -> Vec<u8> {
        let data = parts.concat();
        let length = (data.len() as u16 + 2).to_be_bytes();
        [&[0xFF, marker], &length[..], &data].concat()
    }

    fn jpeg(segments: &[Vec<u8>]) -> Vec<u8> {
        let scan = segment(0xDA, &[b"Exif\0\0no more"]);
        [b"\xFF\xD8".to_vec(), segments.concat(), scan].concat()
    }

    fn more(name: &[u8; 32], place: u32, data: &[u8]) -> Vec<u8> {
        segment(APP1, &[MORE_XMP, name, &[0; 4], &place.to_be_bytes(), data])
    }

    #[test]
    fn segments_are_found_up_to_the_first_scan() {
        let bytes = jpeg(&[
            segment(0xE0, &[b"JFIF\0"]),
            b"\xFF\xFF\xFF".to_vec(),
            segment(APP1, &[b"Exif\0\0", b"II*\0first"]),
            b"stray".to_vec(),
            segment(APP1, &[b"Exif\0\0", b"MM\0*second"]),
            segment(APP1, &[XMP, b"<x/>"]),
            segment(APP13, &[RESOURCES[0], b"8BIMone"]),
            segment(APP13, &[RESOURCES[0], b"two"]),
            segment(APP2, &[PROFILE, &[2, 2], b"file"]),
            segment(APP2, &[PROFILE, &[1, 2], b"pro"]),
        ]);
        let parts = parts(&bytes);
        assert_eq!(parts.exif, [&b"II*\0first"[..], b"MM\0*second"]);
        assert_eq!(parts.xmp, [&b"<x/>"[..]]);
        assert_eq!(parts.iptc, [&b"8BIMonetwo"[..]]);
        assert_eq!(parts.icc.as_deref(), Some(&b"profile"[..]));
    }

    #[test]
    fn a_long_block_goes_on_in_the_next_segment() {
        let bytes = jpeg(&[
            segment(APP1, &[b"Exif\0\0", b"II*\0"]),
            segment(APP1, &[b"Exif\0\0", b"and on"]),
        ]);
        assert_eq!(parts(&bytes).exif, [&b"II*\0and on"[..]]);
        let scan = segment(0xDA, &[b"Exif\0\0no more"]);
        assert_eq!(said_bytes(&bytes), bytes.len() - scan.len());
    }

    #[test]
    fn a_long_packet_is_put_together_in_its_order() {
        let (ours, others) = (
            b"0123456789ABCDEF0123456789ABCDEF",
            b"FEDCBA9876543210FEDCBA9876543210",
        );
        let main = segment(APP1, &[XMP, b"<x>", ours, b"</x>"]);
        let joined = |pieces: &[Vec<u8>]| {
            let bytes = jpeg(&[pieces.concat(), main.clone()]);
            let parts = parts(&bytes);
            parts.xmp.get(1).map(|packet| packet.to_vec())
        };
        let pieces = [
            more(ours, 3, b"def"),
            more(others, 0, b"xyz"),
            more(ours, 0, b"abc"),
        ];
        assert_eq!(joined(&pieces).as_deref(), Some(&b"abcdef"[..]));
        let gap = [more(ours, 0, b"abc"), more(ours, 4, b"ef")];
        assert_eq!(joined(&gap).as_deref(), Some(&b"abc"[..]));
        assert_eq!(joined(&[more(others, 0, b"xyz")]), None);
        assert_eq!(joined(&[more(ours, 3, b"def")]), None);
    }

    #[test]
    fn a_file_that_breaks_off_has_said_what_stands_before() {
        let bytes = jpeg(&[segment(APP1, &[XMP, b"<x/>"])]);
        for cut in 0..bytes.len() {
            parts(&bytes[..cut]);
        }
        assert_eq!(parts(&bytes[..bytes.len() - 20]).xmp.len(), 1);
    }
}
