//! Bytes as text, where files do not say, or say wrongly, in which encoding they are written.

use std::borrow::Cow;

/// What Windows-1252 has where Latin-1 has control characters; five places are empty.
const WESTERN: [u16; 32] = [
    0x20AC, 0x81, 0x201A, 0x192, 0x201E, 0x2026, 0x2020, 0x2021, 0x2C6, 0x2030, 0x160, 0x2039,
    0x152, 0x8D, 0x17D, 0x8F, 0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x2DC,
    0x2122, 0x161, 0x203A, 0x153, 0x9D, 0x17E, 0x178,
];

/// UTF-8 as nearly all write it now, else the Western encoding of before.
pub(crate) fn guessed(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => western(bytes).into(),
    }
}

/// No more of a text of unknown encoding than so many bytes, and no half of a character at the end.
pub(crate) fn start(bytes: &[u8], most: usize) -> &[u8] {
    let is_inside = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0xC0 == 0x80);
    let longest = most.saturating_sub(3);
    let end = (longest..=most).rev().find(|at| !is_inside(at));
    bytes.get(..end.unwrap_or(most)).unwrap_or(bytes)
}

/// Windows-1252, which is Latin-1 with more in it.
pub(crate) fn western(bytes: &[u8]) -> String {
    gathered(bytes.iter().map(|byte| match byte {
        0x80..=0x9F => {
            let code = WESTERN.get(usize::from(byte - 0x80)).copied();
            code.and_then(|code| char::from_u32(code.into()))
                .unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        _ => char::from(*byte),
    }))
}

/// UTF-16 that begins with no mark.
pub(crate) fn utf16(bytes: &[u8], is_little: bool) -> String {
    let unit = |pair: &[u8; 2]| {
        if is_little {
            u16::from_le_bytes(*pair)
        } else {
            u16::from_be_bytes(*pair)
        }
    };
    let units = bytes.as_chunks().0.iter().map(unit);
    gathered(char::decode_utf16(units).map(|found| found.unwrap_or(char::REPLACEMENT_CHARACTER)))
}

fn utf32(bytes: &[u8], is_little: bool) -> String {
    let code = |four: &[u8; 4]| {
        if is_little {
            u32::from_le_bytes(*four)
        } else {
            u32::from_be_bytes(*four)
        }
    };
    let codes = bytes.as_chunks().0.iter().map(code);
    gathered(codes.map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)))
}

/// The text of these characters, which takes no more memory than it has bytes.
fn gathered(chars: impl Iterator<Item = char> + Clone) -> String {
    let mut text = String::with_capacity(chars.clone().map(char::len_utf8).sum());
    text.extend(chars);
    text
}

/// The text of a piece of XML: by its mark, or by what its first `<` looks like.
pub(crate) fn of_xml(bytes: &[u8]) -> Cow<'_, str> {
    match bytes {
        [0xFF, 0xFE, 0, 0, rest @ ..] => utf32(rest, true).into(),
        [0, 0, 0xFE, 0xFF, rest @ ..] => utf32(rest, false).into(),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, true).into(),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, false).into(),
        [b'<', 0, 0, 0, ..] => utf32(bytes, true).into(),
        [0, 0, 0, b'<', ..] => utf32(bytes, false).into(),
        [b'<', 0, ..] => utf16(bytes, true).into(),
        [0, b'<', ..] => utf16(bytes, false).into(),
        _ => guessed(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_western_texts_are_told_from_new_ones() {
        assert_eq!(guessed("Straße €".as_bytes()), "Straße €");
        assert_eq!(guessed(b"Stra\xDFe \x80 \x81"), "Straße € \u{81}");
        assert!(matches!(guessed(b"abc"), Cow::Borrowed(_)));
    }

    #[test]
    fn xml_is_read_in_every_width_and_order_with_a_mark_and_without() {
        let text = "<a>Ünï 🦆</a>";
        let marked = format!("\u{FEFF}{text}");
        for text in [text, &marked] {
            let (half, full): (Vec<u16>, Vec<u32>) = (
                text.encode_utf16().collect(),
                text.chars().map(u32::from).collect(),
            );
            let written = [
                half.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
                half.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
                full.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
                full.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
                text.as_bytes().to_vec(),
            ];
            for bytes in written {
                let read = of_xml(&bytes);
                assert_eq!(read.trim_start_matches('\u{FEFF}'), "<a>Ünï 🦆</a>");
            }
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        let text = "aü€🦆".as_bytes();
        for (most, kept) in [
            (1, 1),
            (2, 1),
            (3, 3),
            (5, 3),
            (6, 6),
            (9, 6),
            (10, 10),
            (99, 10),
        ] {
            assert_eq!(start(text, most).len(), kept, "{most}");
        }
        assert_eq!(start(&[0x80; 9], 5).len(), 5);
    }

    #[test]
    fn half_a_character_is_a_mark_and_no_more() {
        assert_eq!(utf16(b"\xD8\xD8a\0b", true), "\u{FFFD}a");
        assert_eq!(of_xml(b"<\0\0\0\xFF\xFF\xFF\xFF"), "<\u{FFFD}");
    }
}
