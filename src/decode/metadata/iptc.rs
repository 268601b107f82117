//! IPTC data sets, which stand by themselves or in one of Photoshop's image resources.

use std::borrow::Cow;

use crate::charset;

/// The resource of Photoshop's that holds data sets.
const DATA_SETS: u16 = 0x0404;

/// The one that holds an XMP packet.
const PACKET: u16 = 0x0424;

/// More data sets are not read.
const MAX_DATA_SETS: usize = 2_048;

/// Of a longer text only so much is read: more than anything of it can be kept.
const MAX_TEXT_BYTES: usize = 4_096;

/// The record that describes the picture; the one before it says how texts are written.
const APPLICATION: u8 = 2;
const ENVELOPE: u8 = 1;
const CODED_CHARACTER_SET: u8 = 90;

/// Numbers of data sets, and how exiftool calls them.
pub(super) const TITLE: u8 = 5;
pub(super) const KEYWORD: u8 = 25;
pub(super) const DATE_CREATED: u8 = 55;
pub(super) const TIME_CREATED: u8 = 60;
pub(super) const DATE_DIGITIZED: u8 = 62;
pub(super) const TIME_DIGITIZED: u8 = 63;
const NAMES: [(u8, &str); 6] = [
    (TITLE, "ObjectName"),
    (KEYWORD, "Keywords"),
    (DATE_CREATED, "DateCreated"),
    (TIME_CREATED, "TimeCreated"),
    (DATE_DIGITIZED, "DigitalCreationDate"),
    (TIME_DIGITIZED, "DigitalCreationTime"),
];

/// What IPTC says about a picture.
#[derive(Debug)]
pub(super) struct Iptc<'a> {
    sets: Vec<(u8, &'a [u8])>,
    charset: Charset,
}

/// In which encoding texts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charset {
    /// UTF-8 is told from what was usual before. Where a file does not say, exiftool takes it for Western, and shows `Ã¼` for
    /// the ü of all who write UTF-8 without saying so.
    Unsaid,
    Western,
}

/// All of it in image resources, or in bare data sets.
pub(super) fn read(block: &[u8]) -> Iptc<'_> {
    let mut iptc = Iptc {
        sets: Vec::new(),
        charset: Charset::Unsaid,
    };
    if block.first() == Some(&0x1C) {
        iptc.add(block);
    }
    for (number, data) in resources(block) {
        if number == DATA_SETS {
            iptc.add(data);
        }
    }
    iptc
}

/// The XMP packets in image resources.
pub(super) fn packets(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    resources(block).filter_map(|(number, data)| (number == PACKET).then_some(data))
}

/// Each resource is `8BIM`, a number, a name and its data, the last two padded to even lengths.
fn resources(mut block: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (number, data, rest) = resource(block)?;
        block = rest;
        Some((number, data))
    })
}

fn resource(block: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let block = block.strip_prefix(b"8BIM")?;
    let (number, block) = block.split_first_chunk()?;
    let name_length = 1 + usize::from(*block.first()?);
    let (length, block) = block
        .get(name_length.next_multiple_of(2)..)?
        .split_first_chunk()?;
    let length = u32::from_be_bytes(*length) as usize;
    let rest = block.get(length.checked_next_multiple_of(2)?..);
    Some((
        u16::from_be_bytes(*number),
        block.get(..length)?,
        rest.unwrap_or_default(),
    ))
}

impl<'a> Iptc<'a> {
    /// Each data set is 0x1C, a record, a number, a length and that many bytes. A length with its highest bit set is the length
    /// of the length that follows.
    fn add(&mut self, mut block: &'a [u8]) {
        while let [0x1C, record, number, high, low, rest @ ..] = block {
            let mut length = usize::from(u16::from_be_bytes([*high, *low]));
            let mut rest = rest;
            if length & 0x8000 != 0 {
                let Some((digits, after)) = rest.split_at_checked(length & 0x7FFF) else {
                    break;
                };
                let sum = |sum: usize, digit: &u8| sum.saturating_mul(256) | usize::from(*digit);
                length = digits.iter().fold(0, sum);
                rest = after;
            }
            let Some((data, rest)) = rest.split_at_checked(length) else {
                break;
            };
            match (*record, *number) {
                (ENVELOPE, CODED_CHARACTER_SET) => self.charset = charset(data),
                (APPLICATION, number) if self.sets.len() < MAX_DATA_SETS => {
                    self.sets.push((number, data));
                }
                _ => {}
            }
            block = rest;
        }
    }

    /// The texts of a number, without the blanks and NULs with which some programs fill up, and without empty ones.
    pub(super) fn texts(&self, number: u8) -> impl Iterator<Item = String> {
        let sets = self.sets.iter().filter(move |(of, _)| *of == number);
        let texts = sets.map(|(_, data)| self.text(charset::start(data, MAX_TEXT_BYTES)));
        texts
            .map(|text| text.replace('\0', "").trim().to_owned())
            .filter(|text| !text.is_empty())
    }

    /// The first text of a number.
    pub(super) fn first(&self, number: u8) -> Option<String> {
        self.texts(number).next()
    }

    fn text(&self, data: &'a [u8]) -> Cow<'a, str> {
        match self.charset {
            Charset::Unsaid => charset::guessed(data),
            Charset::Western => charset::western(data).into(),
        }
    }

    /// Names and texts of all that is read.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, String)> {
        let names = NAMES.into_iter();
        names.flat_map(|(number, name)| self.texts(number).map(move |text| (name, text)))
    }
}

/// The escape sequences of ISO 2022. All that is neither Latin-1 nor UTF-8 is hardly ever written, and guessed at.
fn charset(sequence: &[u8]) -> Charset {
    match sequence {
        b"\x1B.A" | b"\x1B-A" | b"\x1B,A" => Charset::Western,
        _ => Charset::Unsaid,
    }
}

#[cfg(test)]
pub(in crate::decode) mod tests {
    use super::*;

    pub(in crate::decode) fn data_set(record: u8, number: u8, data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u16).to_be_bytes();
        [&[0x1C, record, number], &length[..], data].concat()
    }

    pub(in crate::decode) fn resource(number: u16, data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u32).to_be_bytes();
        let padding = vec![0; data.len() % 2];
        let number = number.to_be_bytes();
        [b"8BIM", &number[..], &[0, 0], &length, data, &padding].concat()
    }

    fn keywords(block: &[u8]) -> Vec<String> {
        read(block).texts(KEYWORD).collect()
    }

    #[test]
    fn texts_are_told_from_each_other_by_their_numbers() {
        let sets = [
            data_set(2, TITLE, b"a title"),
            data_set(2, KEYWORD, "Straße".as_bytes()),
            data_set(2, KEYWORD, b"caf\xE9"),
            data_set(2, KEYWORD, b" "),
            data_set(2, KEYWORD, b"beach\0\0\0"),
            data_set(3, KEYWORD, b"of another record"),
        ]
        .concat();
        let block = [resource(1, b"odd"), resource(DATA_SETS, &sets)].concat();
        for block in [&block, &sets] {
            assert_eq!(keywords(block), ["Straße", "café", "beach"]);
            assert_eq!(read(block).first(TITLE).as_deref(), Some("a title"));
            (0..block.len()).for_each(|cut| drop(keywords(&block[..cut])));
        }
    }

    #[test]
    fn the_encoding_is_what_the_envelope_says() {
        let keyword = data_set(2, KEYWORD, "ü".as_bytes());
        let western = data_set(1, 90, b"\x1B.A");
        let utf8 = data_set(1, 90, b"\x1B%G");
        assert_eq!(keywords(&[western, keyword.clone()].concat()), ["Ã¼"]);
        assert_eq!(keywords(&[utf8, keyword.clone()].concat()), ["ü"]);
        assert_eq!(keywords(&keyword), ["ü"]);
    }

    #[test]
    fn a_long_data_set_has_a_length_of_its_length() {
        let long = [&[0x1C, 2, KEYWORD, 0x80, 4, 0, 0, 0, 3][..], b"abc"].concat();
        let next = data_set(2, KEYWORD, b"next");
        assert_eq!(keywords(&[long, next].concat()), ["abc", "next"]);
        let endless = [0x1C, 2, KEYWORD, 0xFF, 0xFF, 0, 0];
        assert!(keywords(&endless).is_empty());
    }

    #[test]
    fn packets_are_found_among_resources() {
        let block = [resource(1, b"odd"), resource(PACKET, b"<x/>")].concat();
        assert_eq!(packets(&block).collect::<Vec<_>>(), [b"<x/>"]);
    }
}
