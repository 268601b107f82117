//! What a container says about its picture, as one small TIFF structure: as EXIF has it, whatever the container is.
//!
//! A RAW file is a TIFF structure of many megabytes, or begins with a number of its maker's own, or is spread over boxes.
//! Whoever reads EXIF need not know.

use std::borrow::Cow;
use std::ops::Range;

use crate::formats::tiff::{Directory, Entry, Order, Structure};

const ORIENTATION: u16 = 0x0112;
const EXIF: u16 = 0x8769;
const GPS: u16 = 0x8825;
const MAKER_NOTE: u16 = 0x927C;

/// Entries of the first directory that mean the same with all makers, and are not about the sensor.
const TAGS: Range<u16> = 0x00FE..0xC612;
const ALL_TAGS: Range<u16> = 0..u16::MAX;

/// Offsets that lead nowhere in another structure, of further directories, strips, tiles and JPEGs; and packets, which stand
/// for themselves.
const LEFT_OUT: [u16; 10] = [
    0x014A, 0xA005, 0x0111, 0x0144, 0x0201, 0x02BC, 0x83BB, 0x8649, EXIF, GPS,
];

/// Longer values are pictures, packets and tables. Of the others there is an end to all of them.
const LONGEST: usize = 1 << 12;
pub(super) const MOST_BYTES: usize = 1 << 16;

/// Of a structure, and of a directory without its entries.
const HEADER_BYTES: usize = 8;
const DIRECTORY_BYTES: usize = 6;
const ENTRY_BYTES: usize = 12;

/// The kind of a number of 32 bits.
const LONG: u16 = 4;

/// Directories as EXIF has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    order: Order,
    main: Directory<'a>,
    exif: Option<Directory<'a>>,
    gps: Option<Directory<'a>>,
}

/// An entry to be written.
struct Line<'a> {
    tag: u16,
    kind: u16,
    count: u32,
    value: Cow<'a, [u8]>,
}

impl<'a> Said<'a> {
    /// By the first directory, and those that it points to.
    pub(super) fn of(structure: &Structure<'a>) -> Option<Said<'a>> {
        let main = structure.first()?;
        Some(Said {
            order: structure.order(),
            main,
            exif: main.below(EXIF),
            gps: main.below(GPS),
        })
    }

    /// By three structures, the first directory of each.
    pub(super) fn of_three(
        main: &'a [u8],
        exif: Option<&'a [u8]>,
        gps: Option<&'a [u8]>,
    ) -> Option<Said<'a>> {
        let structure = Structure::of(main)?;
        let first = |bytes: Option<&'a [u8]>| {
            let other = Structure::of(bytes?)?;
            other.first().filter(|_| other.order() == structure.order())
        };
        Some(Said {
            order: structure.order(),
            main: structure.first()?,
            exif: first(exif),
            gps: first(gps),
        })
    }

    /// How the picture is to be turned, in numbers of EXIF's.
    pub(super) fn orientation(&self) -> Option<u8> {
        u8::try_from(self.main.number(ORIENTATION)?).ok()
    }

    /// The value of an entry of the first directory.
    pub(super) fn value(&self, tag: u16) -> Option<&'a [u8]> {
        self.main.entry(tag).map(|entry| entry.value)
    }

    /// As a structure of its own.
    pub(super) fn to_structure(self) -> Vec<u8> {
        let mut left = MOST_BYTES;
        let mut main = lines(&self.main, &TAGS, &mut left);
        let below = [(EXIF, self.exif), (GPS, self.gps)];
        let below = below.map(|(tag, directory)| {
            (
                tag,
                directory.map(|directory| lines(&directory, &ALL_TAGS, &mut left)),
            )
        });
        let pointers = below.iter().filter(|(_, lines)| lines.is_some()).count();
        let mut at = HEADER_BYTES + written_bytes(&main) + ENTRY_BYTES * pointers;
        for (tag, lines) in &below {
            if let Some(lines) = lines {
                main.push(Line {
                    tag: *tag,
                    kind: LONG,
                    count: 1,
                    value: self.order.of_u32(at as u32).to_vec().into(),
                });
                at += written_bytes(lines);
            }
        }
        let mut bytes = match self.order {
            Order::Little => b"II*\0\x08\0\0\0".to_vec(),
            Order::Big => b"MM\0*\0\0\0\x08".to_vec(),
        };
        write(&mut bytes, main, self.order);
        for lines in below.into_iter().filter_map(|(_, lines)| lines) {
            write(&mut bytes, lines, self.order);
        }
        bytes
    }
}

/// The entries that mean the same elsewhere, as long as there is room for them.
fn lines<'a>(directory: &Directory<'a>, tags: &Range<u16>, left: &mut usize) -> Vec<Line<'a>> {
    let entries = directory.entries().filter(is_kept);
    let entries = entries.filter(|entry| tags.contains(&entry.tag));
    let lines = entries.map_while(|entry| {
        *left = left.checked_sub(ENTRY_BYTES + padded(entry.value.len()))?;
        Some(Line {
            tag: entry.tag,
            kind: entry.kind,
            count: entry.count,
            value: entry.value.into(),
        })
    });
    lines.collect()
}

/// Of the notes of makers only those of Apple do not point to places in the file.
fn is_kept(entry: &Entry<'_>) -> bool {
    let is_lost = entry.tag == MAKER_NOTE && !entry.value.starts_with(b"Apple iOS\0");
    entry.value.len() <= LONGEST && !LEFT_OUT.contains(&entry.tag) && !is_lost
}

fn written_bytes(lines: &[Line<'_>]) -> usize {
    let behind = lines
        .iter()
        .map(|line| line.value.len())
        .filter(|length| *length > 4);
    DIRECTORY_BYTES + ENTRY_BYTES * lines.len() + behind.map(padded).sum::<usize>()
}

/// Values begin at even places.
fn padded(length: usize) -> usize {
    length.next_multiple_of(2)
}

/// Entries, no next directory, and the values that are too long for an entry.
fn write(bytes: &mut Vec<u8>, mut lines: Vec<Line<'_>>, order: Order) {
    lines.sort_by_key(|line| line.tag);
    let mut at = bytes.len() + DIRECTORY_BYTES + ENTRY_BYTES * lines.len();
    bytes.extend(order.of_u16(lines.len() as u16));
    for line in &lines {
        bytes.extend(order.of_u16(line.tag));
        bytes.extend(order.of_u16(line.kind));
        bytes.extend(order.of_u32(line.count));
        if line.value.len() > 4 {
            bytes.extend(order.of_u32(at as u32));
            at += padded(line.value.len());
        } else {
            bytes.extend(line.value.iter());
            bytes.resize(bytes.len() + 4 - line.value.len(), 0);
        }
    }
    bytes.extend([0; 4]);
    for line in lines.iter().filter(|line| line.value.len() > 4) {
        bytes.extend(line.value.iter());
        bytes.resize(bytes.len().next_multiple_of(2), 0);
    }
}
