//! Keywords inside a picture's file: in its XMP packet, and in the IPTC block of a JPEG.

use std::borrow::Cow;
use std::collections::BTreeSet;

use ::exif::{Context, In, Tag, Value};
use image::ImageDecoder;
use tracing::warn;

use crate::spelling::composed;
use crate::xmp;

/// The resource of Photoshop's that holds IPTC data sets.
const IPTC_RESOURCE: u16 = 0x0404;

/// The field of a TIFF that holds an XMP packet.
const XMP_FIELD: Tag = Tag(Context::Tiff, 700);

/// Damaged metadata cost the keywords, not the picture.
pub(super) fn of(decoder: &mut impl ImageDecoder, bytes: &[u8]) -> BTreeSet<String> {
    let packet = decoder.xmp_metadata().ok().flatten();
    let packet = packet.or_else(|| packet_of_tiff(bytes));
    let mut keywords = packet.map_or_else(BTreeSet::new, |packet| of_packet(&packet));
    if let Ok(Some(resources)) = decoder.iptc_metadata() {
        keywords.extend(of_resources(&resources).into_iter().take(xmp::MAX_KEYWORDS));
    }
    keywords
}

/// The decoder itself takes such a packet for too much memory.
fn packet_of_tiff(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.starts_with(b"II*\0") && !bytes.starts_with(b"MM\0*") {
        return None;
    }
    let exif = ::exif::Reader::new().read_raw(bytes.to_vec()).ok()?;
    match &exif.get_field(XMP_FIELD, In::PRIMARY)?.value {
        Value::Byte(packet) | Value::Undefined(packet, _) => Some(packet.clone()),
        _ => None,
    }
}

fn of_packet(packet: &[u8]) -> BTreeSet<String> {
    xmp::read(packet).unwrap_or_else(|error| {
        warn!(%error, "the XMP in a picture cannot be read");
        BTreeSet::new()
    })
}

/// Each resource is `8BIM`, a number, a name and its data, the last two padded to even lengths.
fn of_resources(mut bytes: &[u8]) -> Vec<String> {
    let mut keywords = Vec::new();
    while let Some((number, data, rest)) = resource(bytes) {
        if number == IPTC_RESOURCE {
            keywords.extend(of_data_sets(data));
        }
        bytes = rest;
    }
    keywords
}

fn resource(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let bytes = bytes.strip_prefix(b"8BIM")?;
    let (number, bytes) = bytes.split_first_chunk()?;
    let name_length = 1 + usize::from(*bytes.first()?);
    let (length, bytes) = bytes
        .get(name_length.next_multiple_of(2)..)?
        .split_first_chunk()?;
    let length = u32::from_be_bytes(*length) as usize;
    let rest = bytes.get(length.checked_next_multiple_of(2)?..);
    Some((
        u16::from_be_bytes(*number),
        bytes.get(..length)?,
        rest.unwrap_or_default(),
    ))
}

/// Each data set is 0x1C, a record, a number, a length and that many bytes; 2:25 is one keyword.
fn of_data_sets(mut bytes: &[u8]) -> Vec<String> {
    let mut keywords = Vec::new();
    while let [0x1C, record, number, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some((data, rest)) = rest.split_at_checked(length) else {
            break;
        };
        if (*record, *number) == (2, 25) {
            // Some programs fill up with NULs, or end with one.
            let keyword = text(data).replace('\0', "");
            let keyword = composed(keyword.trim()).into_owned();
            let is_sound = (1..=xmp::MAX_KEYWORD_BYTES).contains(&keyword.len());
            keywords.extend(is_sound.then_some(keyword));
        }
        bytes = rest;
    }
    keywords
}

/// UTF-8 as nearly all write it now, else Latin-1 as it was before.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data_set(number: u8, data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u16).to_be_bytes();
        [&[0x1C, 2, number], &length[..], data].concat()
    }

    fn resource(number: u16, data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u32).to_be_bytes();
        let padding = vec![0; data.len() % 2];
        let number = number.to_be_bytes();
        [b"8BIM", &number[..], &[0, 0], &length, data, &padding].concat()
    }

    #[test]
    fn keywords_are_told_from_other_data_sets() {
        let sets = [
            data_set(5, b"a title"),
            data_set(25, "Straße".as_bytes()),
            data_set(25, b"caf\xE9"),
            data_set(25, b" "),
            data_set(25, b"beach\0\0\0"),
            data_set(25, b"\0 \0"),
            data_set(25, "Mu\u{308}nchen\0".as_bytes()),
        ];
        let bytes = [resource(1, b"odd"), resource(IPTC_RESOURCE, &sets.concat())].concat();
        assert_eq!(
            of_resources(&bytes),
            ["Straße", "café", "beach", "M\u{fc}nchen"]
        );
        (0..bytes.len()).for_each(|cut| drop(of_resources(&bytes[..cut])));
    }

    #[test]
    fn there_is_an_end_to_a_keyword() {
        let lengths = [xmp::MAX_KEYWORD_BYTES, xmp::MAX_KEYWORD_BYTES + 1];
        let sets = lengths.map(|length| data_set(25, &vec![b'x'; length]));
        let found = of_resources(&resource(IPTC_RESOURCE, &sets.concat()));
        assert_eq!(found, ["x".repeat(xmp::MAX_KEYWORD_BYTES)]);
    }
}
