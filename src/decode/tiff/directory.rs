//! The directories of a TIFF: fields with numbers and values, in either byte order, in files of either size.

use std::collections::HashSet;

/// Directories that are looked at, and fields of one of them.
const MOST_DIRECTORIES: usize = 64;
const MOST_FIELDS: usize = 4_096;

/// Values of one field that are read as numbers: the tiles of the largest pictures are fewer.
const MOST_NUMBERS: usize = 1 << 20;

/// How numbers stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) is_little: bool,
    /// Offsets and counts of eight bytes, not four.
    is_big: bool,
}

impl Numbers {
    /// By the first bytes of a file.
    pub(super) fn of(bytes: &[u8]) -> Option<Numbers> {
        let (is_little, version) = match bytes {
            [b'I', b'I', low, high, ..] => (true, [*low, *high]),
            [b'M', b'M', high, low, ..] => (false, [*low, *high]),
            _ => return None,
        };
        let is_big = match version {
            [42, 0] => false,
            [43, 0] => true,
            _ => return None,
        };
        Some(Numbers { is_little, is_big })
    }

    /// The number of all these bytes, eight at most.
    pub(super) fn join(self, bytes: &[u8]) -> u64 {
        let join = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        if self.is_little {
            bytes.iter().rev().fold(0, join)
        } else {
            bytes.iter().fold(0, join)
        }
    }

    fn at(self, bytes: &[u8], at: usize, len: usize) -> Option<u64> {
        let bytes = bytes.get(at..at.checked_add(len)?)?;
        Some(self.join(bytes))
    }

    fn offset(self, bytes: &[u8], at: usize) -> Option<usize> {
        let len = if self.is_big { 8 } else { 4 };
        usize::try_from(self.at(bytes, at, len)?).ok()
    }
}

/// A directory of a file.
#[derive(Debug, Clone)]
pub(super) struct Directory<'a> {
    pub(super) numbers: Numbers,
    fields: Vec<Field<'a>>,
}

#[derive(Debug, Clone, Copy)]
struct Field<'a> {
    tag: u16,
    kind: u16,
    /// As many values as are there.
    values: &'a [u8],
}

impl<'a> Directory<'a> {
    /// All directories, in the order of their chain, and then those below them.
    pub(super) fn all(bytes: &'a [u8]) -> Vec<Directory<'a>> {
        const SUB_DIRECTORIES: u16 = 330;
        let Some(numbers) = Numbers::of(bytes) else {
            return Vec::new();
        };
        let mut seen = HashSet::new();
        let first = numbers.offset(bytes, if numbers.is_big { 8 } else { 4 });
        let mut all = chain(bytes, numbers, first, &mut seen);
        let below: Vec<usize> = all
            .iter()
            .flat_map(|directory: &Directory| directory.numbers(SUB_DIRECTORIES))
            .filter_map(|offset| usize::try_from(offset).ok())
            .take(MOST_DIRECTORIES)
            .collect();
        for offset in below {
            all.extend(chain(bytes, numbers, Some(offset), &mut seen));
        }
        all
    }

    /// None where the file ends within it: what is missing may say how the pixels are to be read, or turned.
    fn read(bytes: &'a [u8], numbers: Numbers, at: usize) -> Option<(Directory<'a>, usize)> {
        let (count_len, field_len) = if numbers.is_big { (8, 20) } else { (2, 12) };
        let count = numbers.at(bytes, at, count_len)?;
        let count = usize::try_from(count).ok()?;
        let first = at.checked_add(count_len)?;
        let next = first.checked_add(count.checked_mul(field_len)?)?;
        let fields = bytes.get(first..next)?.chunks_exact(field_len);
        let fields = fields.take(MOST_FIELDS);
        let fields = fields
            .filter_map(|field| Field::read(bytes, numbers, field))
            .collect();
        Some((Directory { numbers, fields }, next))
    }

    fn field(&self, tag: u16) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.tag == tag)
    }

    /// The values of a field, as they stand.
    pub(super) fn bytes(&self, tag: u16) -> Option<&'a [u8]> {
        self.field(tag).map(|field| field.values)
    }

    /// The values of a field of whole numbers.
    pub(super) fn numbers(&self, tag: u16) -> Vec<u64> {
        let Some(field) = self.field(tag) else {
            return Vec::new();
        };
        let len = match field.kind {
            1 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 13 => 4,
            16..=18 => 8,
            _ => return Vec::new(),
        };
        let values = field.values.chunks_exact(len);
        let values = values.take(MOST_NUMBERS);
        values.map(|value| self.numbers.join(value)).collect()
    }

    /// Bytes that its fields take; lists grow by doubling.
    pub(super) fn need(&self) -> u64 {
        (2 * self.fields.len() * size_of::<Field<'_>>()) as u64
    }

    /// Most bytes that its values take as numbers, and the parts that some of them point to.
    pub(super) fn need_of_numbers(&self) -> u64 {
        const A_NUMBER: u64 = 8;
        const A_PART: u64 = 16;
        let values = self.fields.iter().map(|field| {
            let least_bytes = match field.kind {
                3 | 8 => 2,
                4 | 9 | 13 => 4,
                16..=18 => 8,
                _ => 1,
            };
            (field.values.len() / least_bytes).min(MOST_NUMBERS) as u64
        });
        // One is read after the other; those of the parts and their lengths, and of a palette, are kept.
        let most = values.max().unwrap_or(0);
        (4 * A_NUMBER + A_PART) * most
    }

    /// The first value of a field of whole numbers.
    pub(super) fn number(&self, tag: u16) -> Option<u64> {
        self.numbers(tag).first().copied()
    }

    /// The values of a field of fractions.
    pub(super) fn fractions(&self, tag: u16) -> Vec<f32> {
        let Some(field) = self.field(tag).filter(|field| field.kind == 5) else {
            return Vec::new();
        };
        let parts = |value: &[u8]| {
            let (over, under) = value.split_at(4);
            self.numbers.join(over) as f32 / self.numbers.join(under) as f32
        };
        field.values.chunks_exact(8).map(parts).collect()
    }
}

impl<'a> Field<'a> {
    fn read(bytes: &'a [u8], numbers: Numbers, field: &'a [u8]) -> Option<Field<'a>> {
        let tag = numbers.at(field, 0, 2)? as u16;
        let kind = numbers.at(field, 2, 2)? as u16;
        let len = match kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16..=18 => 8,
            _ => return None,
        };
        let count = numbers.offset(field, 4)?;
        let len = count.checked_mul(len)?;
        let inline = if numbers.is_big {
            field.get(12..20)?
        } else {
            field.get(8..12)?
        };
        let values = if len <= inline.len() {
            inline.get(..len)?
        } else {
            let at = usize::try_from(numbers.join(inline)).ok()?;
            let behind = bytes.get(at..)?;
            &behind[..len.min(behind.len())]
        };
        Some(Field { tag, kind, values })
    }
}

fn chain<'a>(
    bytes: &'a [u8],
    numbers: Numbers,
    first: Option<usize>,
    seen: &mut HashSet<usize>,
) -> Vec<Directory<'a>> {
    let mut all = Vec::new();
    let mut next = first;
    while let Some(at) = next.filter(|at| *at > 0)
        && seen.len() < MOST_DIRECTORIES
        && seen.insert(at)
        && let Some((directory, behind)) = Directory::read(bytes, numbers, at)
    {
        all.push(directory);
        next = numbers.offset(bytes, behind);
    }
    all
}
