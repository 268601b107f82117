//! What EXIF says about a picture, each value wherever it stands.

use std::borrow::Cow;

use super::MAX_PARTS;
use super::moment::Moment;
use super::place::{Axis, Place, angle, degrees};
use crate::charset;
use crate::decode::ifd::{Directory, Field, Tiff};
use crate::xmp;

/// Numbers of fields.
const DESCRIPTION: u16 = 0x010E;
const MAKE: u16 = 0x010F;
const MODEL: u16 = 0x0110;
const ORIENTATION: u16 = 0x0112;
const PACKET: u16 = 0x02BC;
const RATING: u16 = 0x4746;
const RATING_PERCENT: u16 = 0x4749;
const DATA_SETS: u16 = 0x83BB;
const RESOURCES: u16 = 0x8649;
const EXIF: u16 = 0x8769;
const GPS: u16 = 0x8825;
const MAKER_NOTE: u16 = 0x927C;
const XP_TITLE: u16 = 0x9C9B;
const XP_KEYWORDS: u16 = 0x9C9E;
const LENS_MAKE: u16 = 0xA433;
const LENS_MODEL: u16 = 0xA434;

/// Of a longer text only so much is read: more than anything of it can be kept.
const MAX_TEXT_BYTES: usize = 4_096;
const MAX_WIDE_BYTES: usize = 1 << 18;

/// Apple's notes begin so; behind it stands a directory whose offsets count from here.
const APPLE_NOTE: &[u8] = b"Apple iOS\0\0\x01";
/// In these notes, by what the phone knows the files of one shot.
const CONTENT_IDENTIFIER: u16 = 0x0011;

/// Fields of the directory of the place.
const LATITUDE: [u16; 2] = [1, 2];
const LONGITUDE: [u16; 2] = [3, 4];

/// A time with the fields that hold its parts of a second and its zone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    time: u16,
    fraction: u16,
    zone: u16,
}

pub(super) const ORIGINAL: Clock = Clock {
    time: 0x9003,
    fraction: 0x9291,
    zone: 0x9011,
};
pub(super) const DIGITIZED: Clock = Clock {
    time: 0x9004,
    fraction: 0x9292,
    zone: 0x9012,
};
pub(super) const CHANGED: Clock = Clock {
    time: 0x0132,
    fraction: 0x9290,
    zone: 0x9010,
};

/// How exiftool calls what is read.
const NAMES: [(u16, &str); 20] = [
    (ORIENTATION, "Orientation"),
    (ORIGINAL.time, "DateTimeOriginal"),
    (ORIGINAL.fraction, "SubSecTimeOriginal"),
    (ORIGINAL.zone, "OffsetTimeOriginal"),
    (DIGITIZED.time, "CreateDate"),
    (DIGITIZED.fraction, "SubSecTimeDigitized"),
    (DIGITIZED.zone, "OffsetTimeDigitized"),
    (CHANGED.time, "ModifyDate"),
    (CHANGED.fraction, "SubSecTime"),
    (CHANGED.zone, "OffsetTime"),
    (MAKE, "Make"),
    (MODEL, "Model"),
    (LENS_MAKE, "LensMake"),
    (LENS_MODEL, "LensModel"),
    (DESCRIPTION, "ImageDescription"),
    (XP_TITLE, "XPTitle"),
    (XP_KEYWORDS, "XPKeywords"),
    (RATING, "Rating"),
    (RATING_PERCENT, "RatingPercent"),
    (0x0131, "Software"),
];
const NAMES_OF_PLACE: [(u16, &str); 4] = [
    (LATITUDE[0], "GPSLatitudeRef"),
    (LATITUDE[1], "GPSLatitude"),
    (LONGITUDE[0], "GPSLongitudeRef"),
    (LONGITUDE[1], "GPSLongitude"),
];

/// The directories of a block of EXIF that say something about its picture.
///
/// Of the others nothing is read: a thumbnail has an orientation of its own, and what a camera's maker notes down has no form that
/// others share, of which only one of Apple's values is read.
#[derive(Debug)]
pub(super) struct Exif<'a> {
    /// In the first of them things are looked for first.
    directories: [Directory<'a>; 2],
    place: Directory<'a>,
}

/// What else stands in a block of EXIF: a TIFF holds all that is said about it so.
#[derive(Debug, Default)]
pub(super) struct Nested<'a> {
    pub(super) xmp: Vec<&'a [u8]>,
    pub(super) iptc: Vec<Cow<'a, [u8]>>,
}

impl<'a> Exif<'a> {
    /// Nothing of what does not begin as a TIFF does, a header before it or not.
    pub(super) fn read(block: &'a [u8]) -> Option<Exif<'a>> {
        let tiff = Tiff::open(block.strip_prefix(b"Exif\0\0").unwrap_or(block))?;
        let main = tiff.first();
        let below = |tag, directory: &Directory<'a>| {
            let pointers = directory.all(tag).filter_map(Field::integer);
            let directories = pointers.map(|at| tiff.directory(at.try_into().unwrap_or(u64::MAX)));
            let mut directories = directories.filter(|found| !found.fields().is_empty());
            directories.next()
        };
        let exif = below(EXIF, &main).unwrap_or_default();
        let place = below(GPS, &main).or_else(|| below(GPS, &exif));
        Some(Exif {
            directories: [exif, main],
            place: place.unwrap_or_default(),
        })
    }

    /// All fields of a number, whatever directory they stand in: programs confuse them.
    fn fields(&self, tag: u16) -> impl Iterator<Item = &Field<'a>> {
        self.directories
            .iter()
            .flat_map(move |directory| directory.all(tag))
    }

    fn texts(&self, tag: u16) -> impl Iterator<Item = String> {
        self.fields(tag).filter_map(text)
    }

    fn integers(&self, tag: u16) -> impl Iterator<Item = i64> {
        self.fields(tag).filter_map(Field::integer)
    }

    /// Whatever number stands there, be it an orientation or not, and of whatever kind: Pillow does not turn by a byte, exiftool
    /// tells of it as of any other, and nobody means another thing by it.
    pub(super) fn orientation(&self) -> Option<i64> {
        // The picture's own directory comes second otherwise, but this is its field.
        let [exif, main] = &self.directories;
        let mut fields = main.all(ORIENTATION).chain(exif.all(ORIENTATION));
        fields.find_map(Field::integer)
    }

    /// The first time of a sort that exists.
    pub(super) fn moment(&self, clock: Clock) -> Option<Moment> {
        let moment = self
            .texts(clock.time)
            .find_map(|text| Moment::parse(&text))?;
        let (fraction, zone) = (
            self.texts(clock.fraction).next(),
            self.texts(clock.zone).next(),
        );
        Some(moment.completed(fraction.as_deref(), zone.as_deref()))
    }

    pub(super) fn make(&self) -> Option<String> {
        self.texts(MAKE).next()
    }

    pub(super) fn model(&self) -> Option<String> {
        self.texts(MODEL).next()
    }

    pub(super) fn lens_make(&self) -> Option<String> {
        self.texts(LENS_MAKE).next()
    }

    pub(super) fn lens_model(&self) -> Option<String> {
        self.texts(LENS_MODEL).next()
    }

    pub(super) fn description(&self) -> Option<String> {
        self.texts(DESCRIPTION).next()
    }

    pub(super) fn title(&self) -> Option<String> {
        self.fields(XP_TITLE).find_map(wide_text)
    }

    pub(super) fn keywords(&self) -> impl Iterator<Item = String> {
        let texts = self.fields(XP_KEYWORDS).filter_map(wide_text);
        texts.flat_map(|text| {
            let keywords = text.split(';').take(xmp::MAX_KEYWORDS);
            keywords.map(str::to_owned).collect::<Vec<_>>()
        })
    }

    pub(super) fn rating(&self) -> Option<i64> {
        self.integers(RATING).next()
    }

    pub(super) fn rating_percent(&self) -> Option<i64> {
        self.integers(RATING_PERCENT).next()
    }

    /// As exiftool's `ContentIdentifier`.
    pub(super) fn content_identifier(&self) -> Option<String> {
        let notes = self.fields(MAKER_NOTE).map(Field::data);
        notes.take(MAX_PARTS).find_map(|note| {
            let order = note.strip_prefix(APPLE_NOTE)?.first_chunk()?;
            let notes = Tiff::of(note, *order)?.directory(APPLE_NOTE.len() as u64 + 2);
            notes.all(CONTENT_IDENTIFIER).find_map(text)
        })
    }

    pub(super) fn place(&self) -> Option<Place> {
        let signed = |[direction, value]: [u16; 2], axis: Axis| {
            let mut signs = self.place.all(direction).filter_map(text);
            let sign = signs.find_map(|text| axis.sign(&text))?;
            let mut angles = self.place.all(value);
            let of_text = |field: &Field<'a>| angle(&text(field)?, axis).map(f64::abs);
            let size = |field| degrees(&Field::numbers(field, 3)).or_else(|| of_text(field));
            let size = angles.find_map(size)?;
            Some(sign * size)
        };
        let latitude = signed(LATITUDE, Axis::Latitude);
        Place::of(latitude, signed(LONGITUDE, Axis::Longitude))
    }

    /// Packets and data sets in fields of their own.
    pub(super) fn nested(&self) -> Nested<'a> {
        // Fields may name the same bytes as often as they like.
        let fields = |tag| self.fields(tag).take(MAX_PARTS);
        let xmp = fields(PACKET).map(Field::data);
        let sets = fields(DATA_SETS).map(|field| upright(field.data()));
        let resources = fields(RESOURCES).map(|field| field.data().into());
        Nested {
            xmp: xmp.collect(),
            iptc: sets.chain(resources).collect(),
        }
    }

    /// Names and texts of all that is read.
    pub(super) fn all(&self) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        for (tag, name) in NAMES {
            all.extend(self.fields(tag).map(|field| (name, shown(tag, field))));
        }
        for (tag, name) in NAMES_OF_PLACE {
            all.extend(self.place.all(tag).map(|field| (name, shown(tag, field))));
        }
        all.extend(
            self.content_identifier()
                .map(|text| ("ContentIdentifier", text)),
        );
        all.retain(|(_, text)| !text.is_empty());
        all
    }
}

/// A text up to its first NUL, in one line and without the blanks around it; none where nothing is left.
fn text(field: &Field<'_>) -> Option<String> {
    let bytes = field.bytes()?;
    // Some fill up from the left.
    let start = bytes.iter().position(|byte| *byte != 0)?;
    let bytes = charset::start(bytes.get(start..)?, MAX_TEXT_BYTES);
    let end = bytes.iter().position(|byte| *byte == 0);
    one_line(&charset::guessed(bytes.get(..end.unwrap_or(bytes.len()))?))
}

/// A text as Windows writes it, always with its bytes in this order.
fn wide_text(field: &Field<'_>) -> Option<String> {
    let data = field.data();
    let text = charset::utf16(data.get(..MAX_WIDE_BYTES).unwrap_or(data), true);
    one_line(text.split('\0').next().unwrap_or_default())
}

fn one_line(text: &str) -> Option<String> {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Data sets with which somebody turned every four bytes round: they are said to be numbers of 32 bits.
fn upright(data: &[u8]) -> Cow<'_, [u8]> {
    match data {
        [first, _, _, 0x1C, ..] if *first != 0x1C => {
            let (fours, _) = data.as_chunks::<4>();
            let turned = fours.iter().flat_map(|[a, b, c, d]| [*d, *c, *b, *a]);
            turned.collect()
        }
        _ => data.into(),
    }
}

/// A value for people.
fn shown(tag: u16, field: &Field<'_>) -> String {
    if matches!(tag, XP_TITLE | XP_KEYWORDS) {
        return wide_text(field).unwrap_or_default();
    }
    let numbers = || {
        let numbers = field.numbers(4);
        let numbers: Vec<String> = numbers.iter().map(f64::to_string).collect();
        numbers.join(" ")
    };
    text(field).unwrap_or_else(numbers)
}
