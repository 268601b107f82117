//! Structures of TIFF: directories of entries, which camera makers put around their RAW files and EXIF puts into pictures.
//!
//! Nothing is copied, and nothing is believed: every offset is checked, no directory is read twice, and there is an end to
//! their number, their depth and their entries.

use std::collections::VecDeque;
use std::ops::Range;

/// Most directories that are looked at.
const MOST_DIRECTORIES: usize = 64;

/// How deep directories lie in each other at most.
const DEEPEST: usize = 8;

/// What counts more entries than that is no directory.
const MOST_ENTRIES: usize = 4_096;

/// Most directories that one entry points to.
const MOST_BELOW: usize = 64;

const ENTRY_BYTES: usize = 12;

/// The byte order, a number and the first offset stand before all else.
const FIRST: usize = 8;

/// No file of a camera's is longer: what points further points to nowhere.
pub(crate) const LONGEST: usize = 1 << 30;

/// The entry that points to further directories.
pub(super) const SUB_DIRECTORIES: u16 = 0x014A;

/// A TIFF structure, whatever stands in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Structure<'a> {
    bytes: &'a [u8],
    order: Order,
}

/// In which order the bytes of a number stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The lowest first, `II`.
    Little,
    /// The highest first, `MM`.
    Big,
}

/// A directory (IFD): numbered entries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Directory<'a> {
    structure: Structure<'a>,
    /// Where it begins.
    at: usize,
    entries: &'a [u8],
    /// Whether some of its entries lie behind the end.
    is_cut: bool,
    /// Where the next one begins; 0 where none does.
    next: usize,
}

/// An entry, the bytes of whose value are all there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// What it is about.
    pub(crate) tag: u16,
    /// What its values are: bytes, texts, numbers.
    pub(crate) kind: u16,
    /// How many values there are.
    pub(crate) count: u32,
    /// The values as they stand there.
    pub(crate) value: &'a [u8],
    order: Order,
}

impl Order {
    fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Order::Little => u16::from_le_bytes(bytes),
            Order::Big => u16::from_be_bytes(bytes),
        }
    }

    fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Order::Little => u32::from_le_bytes(bytes),
            Order::Big => u32::from_be_bytes(bytes),
        }
    }

    /// How a number stands in it.
    pub(crate) fn of_u16(self, number: u16) -> [u8; 2] {
        match self {
            Order::Little => number.to_le_bytes(),
            Order::Big => number.to_be_bytes(),
        }
    }

    /// How a longer number stands in it.
    pub(crate) fn of_u32(self, number: u32) -> [u8; 4] {
        match self {
            Order::Little => number.to_le_bytes(),
            Order::Big => number.to_be_bytes(),
        }
    }
}

impl<'a> Structure<'a> {
    /// Bytes that begin with a byte order; makers of cameras put numbers of their own behind it.
    pub(crate) fn of(bytes: &'a [u8]) -> Option<Structure<'a>> {
        let order = match bytes.first_chunk()? {
            b"II" => Order::Little,
            b"MM" => Order::Big,
            _ => return None,
        };
        Some(Structure { bytes, order })
    }

    /// In which order numbers are written in it.
    pub(crate) fn order(&self) -> Order {
        self.order
    }

    /// All that is in it.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The first directory.
    pub(crate) fn first(&self) -> Option<Directory<'a>> {
        self.directory(self.u32(4)? as usize)
    }

    /// Whether the first directory, or a part of it, lies behind the end.
    pub(crate) fn has_lost_first(&self) -> bool {
        match self.first() {
            Some(first) => first.is_cut,
            None => self.u32(4).is_some_and(|at| self.is_lost(at as usize + 2)),
        }
    }

    /// The first directory, those that follow it, and those below each, so far as they are there.
    pub(crate) fn directories(&self) -> Vec<Directory<'a>> {
        let mut found: Vec<Directory<'a>> = Vec::new();
        let mut waiting = VecDeque::new();
        waiting.extend(self.u32(4).map(|at| (at as usize, 1)));
        while let Some((at, depth)) = waiting.pop_front() {
            if found.len() == MOST_DIRECTORIES || found.iter().any(|known| known.at == at) {
                continue;
            }
            let Some(directory) = self.directory(at) else {
                continue;
            };
            found.push(directory);
            waiting.push_back((directory.next, depth));
            if depth < DEEPEST {
                let below = directory.places_below();
                waiting.extend(below.map(|at| (at, depth + 1)));
            }
        }
        found
    }

    /// The directory that begins there.
    pub(crate) fn directory(&self, at: usize) -> Option<Directory<'a>> {
        let count = usize::from(self.u16(at).filter(|_| at >= FIRST)?);
        if count == 0 || count > MOST_ENTRIES {
            return None;
        }
        let rest = self.bytes.get(at.checked_add(2)?..)?;
        let (entries, rest) = rest
            .split_at_checked(count * ENTRY_BYTES)
            .unwrap_or((rest, &[]));
        let next = rest.first_chunk().map_or(0, |next| self.order.u32(*next));
        Some(Directory {
            structure: *self,
            at,
            entries,
            is_cut: entries.len() < count * ENTRY_BYTES,
            next: next as usize,
        })
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..)?.first_chunk()?;
        Some(self.order.u16(*bytes))
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..)?.first_chunk()?;
        Some(self.order.u32(*bytes))
    }

    /// Where the value of an entry stands; from 0 on where that is in the entry itself.
    fn place(&self, entry: &[u8]) -> Option<Range<usize>> {
        let (kind, rest) = entry.get(2..)?.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let length =
            value_bytes(self.order.u16(*kind))?.checked_mul(self.order.u32(*count) as usize)?;
        if length <= 4 {
            return Some(0..length);
        }
        let at = self.order.u32(*rest.first_chunk()?) as usize;
        // What cannot be a place is none.
        (at >= FIRST).then_some(at..at.checked_add(length)?)
    }

    /// Whether it is a place of a file that is longer, as one that was not cut off may be.
    fn is_lost(&self, end: usize) -> bool {
        (self.bytes.len() + 1..LONGEST).contains(&end)
    }

    fn entry(&self, bytes: &'a [u8]) -> Option<Entry<'a>> {
        let (tag, rest) = bytes.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (kind, count) = (self.order.u16(*kind), self.order.u32(*count));
        let value = match self.place(bytes)? {
            Range { start: 0, end } => rest.get(..end)?,
            place => self.bytes.get(place)?,
        };
        Some(Entry {
            tag: self.order.u16(*tag),
            kind,
            count,
            value,
            order: self.order,
        })
    }
}

impl<'a> Directory<'a> {
    /// All entries whose values are there.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'a>> {
        let Directory { structure, .. } = *self;
        let entries = self.entries.chunks_exact(ENTRY_BYTES);
        entries.filter_map(move |bytes| structure.entry(bytes))
    }

    /// The first entry about this.
    pub(crate) fn entry(&self, tag: u16) -> Option<Entry<'a>> {
        self.structure.entry(self.bytes_of(tag)?)
    }

    fn bytes_of(&self, tag: u16) -> Option<&'a [u8]> {
        let number = self.structure.order.of_u16(tag);
        let mut entries = self.entries.chunks_exact(ENTRY_BYTES);
        entries.find(|bytes| bytes.starts_with(&number))
    }

    /// The first number of the entry about this.
    pub(crate) fn number(&self, tag: u16) -> Option<u32> {
        self.entry(tag)?.numbers().next()
    }

    /// Whether there is an entry about this, with or without its value.
    pub(crate) fn has(&self, tag: u16) -> bool {
        self.bytes_of(tag).is_some()
    }

    /// Whether there is an entry about this whose value lies behind the end.
    pub(crate) fn has_lost(&self, tag: u16) -> bool {
        let place = self
            .bytes_of(tag)
            .and_then(|entry| self.structure.place(entry));
        place.is_some_and(|place| self.structure.is_lost(place.end))
    }

    /// Whether a part of it lies behind the end, or a directory that it points to: one that follows, or one below it.
    pub(crate) fn has_lost_directories(&self) -> bool {
        let mut places = self.places_below().chain([self.next]);
        self.is_cut
            || self.has_lost(SUB_DIRECTORIES)
            || places.any(|at| self.structure.is_lost(at + 2))
    }

    fn places_below(&self) -> impl Iterator<Item = usize> + use<'a> {
        let entry = self.entry(SUB_DIRECTORIES).into_iter();
        let places = entry.flat_map(|entry| entry.numbers().take(MOST_BELOW));
        places.map(|at| at as usize)
    }

    /// The directory that the entry about this points to.
    pub(crate) fn below(&self, tag: u16) -> Option<Directory<'a>> {
        self.structure.directory(self.number(tag)? as usize)
    }
}

impl<'a> Entry<'a> {
    /// Its values where they are whole numbers without a sign.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> + use<'a> {
        let order = self.order;
        let bytes = match self.kind {
            1 | 3 | 4 | 13 => value_bytes(self.kind),
            _ => None,
        };
        let values = bytes.map(|bytes| self.value.chunks_exact(bytes));
        values.into_iter().flatten().map(move |value| match *value {
            [byte] => byte.into(),
            [a, b] => order.u16([a, b]).into(),
            [a, b, c, d] => order.u32([a, b, c, d]),
            _ => 0,
        })
    }
}

/// How many bytes a value of this kind takes.
fn value_bytes(kind: u16) -> Option<usize> {
    match kind {
        1 | 2 | 6 | 7 | 129 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 => Some(8),
        _ => None,
    }
}

/// Structures to be read in tests.
#[cfg(test)]
pub(crate) mod written {
    use super::*;

    /// The values of an entry.
    #[derive(Debug, Clone)]
    pub(crate) enum Values {
        Bytes(Vec<u8>),
        Text(&'static str),
        Shorts(Vec<u16>),
        Longs(Vec<u32>),
        Ratios(Vec<[u32; 2]>),
        Any(Vec<u8>),
    }

    /// A structure in the making: what is pointed to is put in first.
    #[derive(Debug)]
    pub(crate) struct Writer {
        order: Order,
        pub(crate) bytes: Vec<u8>,
    }

    impl Writer {
        /// With a number of its maker's, and what is to stand behind the first offset.
        pub(crate) fn new(order: Order, number: u16, mark: &[u8]) -> Writer {
            let start = match order {
                Order::Little => b"II",
                Order::Big => b"MM",
            };
            let bytes = [start, &order.of_u16(number)[..], &[0; 4], mark].concat();
            Writer { order, bytes }
        }

        pub(crate) fn plain(order: Order) -> Writer {
            Writer::new(order, 42, b"")
        }

        /// Where it stands then.
        pub(crate) fn put(&mut self, bytes: &[u8]) -> u32 {
            self.bytes.resize(self.bytes.len().next_multiple_of(2), 0);
            let at = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            at as u32
        }

        /// Where it begins.
        pub(crate) fn directory(&mut self, entries: &[(u16, Values)], next: u32) -> u32 {
            let order = self.order;
            let mut lines = order.of_u16(entries.len() as u16).to_vec();
            for (tag, values) in entries {
                let (kind, count, mut bytes) = values.written(order);
                if bytes.len() > 4 {
                    bytes = order.of_u32(self.put(&bytes)).to_vec();
                }
                bytes.resize(4, 0);
                lines.extend([order.of_u16(*tag), order.of_u16(kind)].concat());
                lines.extend(order.of_u32(count as u32));
                lines.extend(bytes);
            }
            lines.extend(order.of_u32(next));
            self.put(&lines)
        }

        pub(crate) fn finish(mut self, first: u32) -> Vec<u8> {
            self.bytes[4..8].copy_from_slice(&self.order.of_u32(first));
            self.bytes
        }
    }

    impl Values {
        fn written(&self, order: Order) -> (u16, usize, Vec<u8>) {
            let longs = |values: &[u32]| -> Vec<u8> {
                values
                    .iter()
                    .flat_map(|value| order.of_u32(*value))
                    .collect()
            };
            match self {
                Values::Bytes(bytes) => (1, bytes.len(), bytes.clone()),
                Values::Text(text) => (2, text.len() + 1, [text.as_bytes(), &[0]].concat()),
                Values::Shorts(values) => {
                    let bytes = values.iter().flat_map(|value| order.of_u16(*value));
                    (3, values.len(), bytes.collect())
                }
                Values::Longs(values) => (4, values.len(), longs(values)),
                Values::Ratios(values) => (5, values.len(), longs(values.as_flattened())),
                Values::Any(bytes) => (7, bytes.len(), bytes.clone()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::written::{Values, Writer};
    use super::*;

    fn places(bytes: &[u8]) -> Vec<usize> {
        let directories = Structure::of(bytes).unwrap().directories();
        directories.iter().map(|directory| directory.at).collect()
    }

    fn longs(values: &[u32]) -> Values {
        Values::Longs(values.to_vec())
    }

    #[test]
    fn values_are_read_in_either_order() {
        for order in [Order::Little, Order::Big] {
            let mut writer = Writer::plain(order);
            let below = writer.directory(&[(1, longs(&[7]))], 0);
            let first = writer.directory(
                &[
                    (1, Values::Bytes(vec![3, 4])),
                    (2, Values::Shorts(vec![300, 2, 1])),
                    (3, longs(&[70_000, below])),
                    (4, Values::Text("text")),
                    (5, longs(&[below])),
                ],
                0,
            );
            let bytes = writer.finish(first);
            let first = Structure::of(&bytes).unwrap().first().unwrap();
            let numbers = |tag| first.entry(tag).unwrap().numbers().collect::<Vec<_>>();
            assert_eq!(numbers(1), [3, 4]);
            assert_eq!(numbers(2), [300, 2, 1]);
            assert_eq!(numbers(3), [70_000, below]);
            assert!(numbers(4).is_empty());
            assert_eq!(first.entry(4).unwrap().value, b"text\0");
            assert_eq!(first.below(5).unwrap().number(1), Some(7));
            assert_eq!(first.entries().count(), 5);
        }
    }

    #[test]
    fn directories_are_found_behind_and_below_each_other_and_no_circle_is_followed() {
        let mut writer = Writer::plain(Order::Big);
        let last = writer.directory(&[(1, longs(&[1]))], 0);
        let below = writer.directory(&[(1, longs(&[2]))], last);
        let second = writer.directory(&[(SUB_DIRECTORIES, longs(&[below, last]))], 0);
        let first = writer.directory(&[(SUB_DIRECTORIES, longs(&[below]))], second);
        // The last points to the first.
        let next = last as usize + 2 + ENTRY_BYTES;
        writer.bytes[next..next + 4].copy_from_slice(&first.to_be_bytes());
        let found = places(&writer.finish(first));
        let expected = [first, second, below, last].map(|at| at as usize);
        assert_eq!(found, expected);
    }

    #[test]
    fn there_is_an_end_to_directories_and_to_how_deep_they_lie() {
        let mut writer = Writer::plain(Order::Little);
        let mut first = 0;
        for _ in 0..100 {
            first = writer.directory(&[(1, longs(&[1]))], first);
        }
        assert_eq!(places(&writer.finish(first)).len(), MOST_DIRECTORIES);

        let mut writer = Writer::plain(Order::Little);
        let mut first = writer.directory(&[(1, longs(&[1]))], 0);
        for _ in 0..20 {
            first = writer.directory(&[(SUB_DIRECTORIES, longs(&[first]))], 0);
        }
        assert_eq!(places(&writer.finish(first)).len(), DEEPEST);
    }

    #[test]
    fn what_lies_behind_the_end_is_left_out_and_known_to_be_lost_where_a_file_may_reach() {
        let mut writer = Writer::plain(Order::Little);
        let long = Values::Bytes(vec![0; 100]);
        let first = writer.directory(&[(1, long.clone()), (2, longs(&[5])), (3, long)], 0);
        let mut bytes = writer.finish(first);
        let place_of = |index: usize| first as usize + 2 + ENTRY_BYTES * index + 8;
        bytes[place_of(0)..place_of(0) + 4].copy_from_slice(&100_000_u32.to_le_bytes());
        bytes[place_of(2)..place_of(2) + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        let directory = Structure::of(&bytes).unwrap().first().unwrap();
        let there: Vec<u16> = directory.entries().map(|entry| entry.tag).collect();
        assert_eq!(there, [2]);
        assert_eq!(
            [1, 2, 3].map(|tag| directory.has_lost(tag)),
            [true, false, false]
        );
        assert!(!directory.has_lost_directories());
        let next = place_of(3) - 8;
        bytes[next..next + 4].copy_from_slice(&100_000_u32.to_le_bytes());
        let directory = Structure::of(&bytes).unwrap().first().unwrap();
        assert!(directory.has_lost_directories());
    }
}
