//! The fields of a TIFF structure, which EXIF is too: directories of numbered values, found by offsets that may lie.
//!
//! A field that leads astray is left out, and all others stay. Values are slices of the bytes, so nothing is copied however
//! large a field says that it is, and whoever follows directories decides how far.

/// A longer directory is read up to here. No program writes as many.
const MAX_FIELDS: u64 = 1_024;

/// A TIFF structure of either byte order, with offsets of 32 or of 64 bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiff<'a> {
    bytes: &'a [u8],
    is_little: bool,
    /// Offsets of 64 bits, as in files of more than four gigabytes.
    is_big: bool,
}

/// The fields of one directory that can be read.
#[derive(Debug, Default)]
pub(super) struct Directory<'a> {
    fields: Vec<Field<'a>>,
}

/// One value of a directory, or several.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) tag: u16,
    kind: u16,
    is_little: bool,
    data: &'a [u8],
}

/// How many bytes a value of each kind has; none of a kind that nobody knows.
fn width(kind: u16) -> Option<u64> {
    Some(match kind {
        // Bytes, texts, and texts in UTF-8.
        1 | 2 | 6 | 7 | 129 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        _ => return None,
    })
}

/// A number of so few bytes that they fit.
fn number(bytes: &[u8], is_little: bool) -> u64 {
    let join = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    if is_little {
        bytes.iter().rev().fold(0, join)
    } else {
        bytes.iter().fold(0, join)
    }
}

impl<'a> Tiff<'a> {
    /// The third and fourth byte are not looked at but for large files: cameras put numbers of their own there.
    pub(super) fn open(bytes: &'a [u8]) -> Option<Tiff<'a>> {
        let tiff = Tiff::of(bytes, *bytes.first_chunk()?)?;
        let is_big = number(bytes.get(2..4)?, tiff.is_little) == 43;
        Some(Tiff { is_big, ..tiff })
    }

    /// Bytes that hold directories but do not begin as a file does; `order` is what such a file begins with.
    pub(super) fn of(bytes: &'a [u8], order: [u8; 2]) -> Option<Tiff<'a>> {
        let is_little = match &order {
            b"II" => true,
            b"MM" => false,
            _ => return None,
        };
        Some(Tiff {
            bytes,
            is_little,
            is_big: false,
        })
    }

    /// The first directory, which is of the picture itself.
    pub(super) fn first(&self) -> Directory<'a> {
        let (at, len) = if self.is_big { (8, 8) } else { (4, 4) };
        self.number(at, len)
            .map_or_else(Directory::default, |at| self.directory(at))
    }

    /// The directory at this place: empty where there is none.
    pub(super) fn directory(&self, at: u64) -> Directory<'a> {
        let (count_len, field_len) = if self.is_big { (8, 20) } else { (2, 12) };
        let count = self.number(at, count_len).unwrap_or(0).min(MAX_FIELDS);
        let place = |index| at.checked_add(count_len)?.checked_add(index * field_len);
        let fields = (0..count).map_while(|index| {
            let entry = self.slice(place(index)?, field_len)?;
            Some(self.field(entry))
        });
        Directory {
            fields: fields.flatten().collect(),
        }
    }

    fn field(&self, entry: &'a [u8]) -> Option<Field<'a>> {
        let number = |range: std::ops::Range<usize>| {
            let bytes = entry.get(range)?;
            Some(number(bytes, self.is_little))
        };
        let (tag, kind) = (number(0..2)? as u16, number(2..4)? as u16);
        let inline = if self.is_big { 12 } else { 8 };
        let len = number(4..inline)?.checked_mul(width(kind)?)?;
        let place = entry.get(inline..)?;
        let data = if len <= place.len() as u64 {
            place.get(..len as usize)?
        } else {
            self.slice(number(inline..entry.len())?, len)?
        };
        Some(Field {
            tag,
            kind,
            is_little: self.is_little,
            data,
        })
    }

    fn number(&self, at: u64, len: u64) -> Option<u64> {
        Some(number(self.slice(at, len)?, self.is_little))
    }

    fn slice(&self, at: u64, len: u64) -> Option<&'a [u8]> {
        let (at, len) = (usize::try_from(at).ok()?, usize::try_from(len).ok()?);
        self.bytes.get(at..at.checked_add(len)?)
    }
}

impl<'a> Directory<'a> {
    /// All fields of a number, as they stand.
    pub(super) fn all(&self, tag: u16) -> impl Iterator<Item = &Field<'a>> {
        self.fields.iter().filter(move |field| field.tag == tag)
    }

    /// Every field, as they stand.
    pub(super) fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }
}

impl<'a> Field<'a> {
    /// The bytes of a field that is made of bytes, whatever they are said to be.
    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        (width(self.kind) == Some(1)).then_some(self.data)
    }

    /// The bytes of any field, as they stand in the file.
    pub(super) fn data(&self) -> &'a [u8] {
        self.data
    }

    /// The first of its values, where that is a whole number, of whatever kind.
    pub(super) fn integer(&self) -> Option<i64> {
        let first = self.numbers(1).first().copied()?;
        // All that a double holds exactly: places in files, and numbers of things.
        let is_whole = first.fract() == 0.0 && first.abs() < 9e15;
        is_whole.then_some(first as i64)
    }

    /// Its first values as numbers, whatever kind of numbers they are; what is divided by nothing is no finite number.
    pub(super) fn numbers(&self, most: usize) -> Vec<f64> {
        let Some(width) = width(self.kind) else {
            return Vec::new();
        };
        let values = self.data.chunks_exact(width as usize).take(most);
        values.filter_map(|bytes| self.real(bytes)).collect()
    }

    fn real(&self, bytes: &[u8]) -> Option<f64> {
        let value = number(bytes, self.is_little);
        Some(match self.kind {
            1 | 3 | 4 | 13 | 16 | 18 => value as f64,
            6 => f64::from(value as u8 as i8),
            8 => f64::from(value as u16 as i16),
            9 => f64::from(value as u32 as i32),
            17 => value as i64 as f64,
            5 | 10 => {
                let (above, below) = bytes.split_at_checked(4)?;
                let part = |bytes| {
                    let part = number(bytes, self.is_little) as u32;
                    if self.kind == 5 {
                        f64::from(part)
                    } else {
                        f64::from(part as i32)
                    }
                };
                part(above) / part(below)
            }
            11 => f64::from(f32::from_bits(value as u32)),
            12 => f64::from_bits(value),
            _ => return None,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A field as a test writes it: its number, its kind, how many values it says it has, and its bytes.
    #[derive(Debug, Clone)]
    pub(in crate::decode) struct Written {
        pub(in crate::decode) tag: u16,
        pub(in crate::decode) kind: u16,
        pub(in crate::decode) count: u32,
        pub(in crate::decode) data: Vec<u8>,
    }

    pub(in crate::decode) fn ascii(tag: u16, text: &str) -> Written {
        bytes(tag, 2, format!("{text}\0").as_bytes())
    }

    pub(in crate::decode) fn bytes(tag: u16, kind: u16, data: &[u8]) -> Written {
        Written {
            tag,
            kind,
            count: data.len() as u32,
            data: data.to_vec(),
        }
    }

    pub(in crate::decode) fn short(tag: u16, value: u16) -> Written {
        Written {
            count: 1,
            ..bytes(tag, 3, &value.to_le_bytes())
        }
    }

    pub(in crate::decode) fn long(tag: u16, value: u32) -> Written {
        Written {
            count: 1,
            ..bytes(tag, 4, &value.to_le_bytes())
        }
    }

    pub(in crate::decode) fn rationals(tag: u16, kind: u16, parts: &[(i64, i64)]) -> Written {
        let numbers = parts.iter().flat_map(|(above, below)| [*above, *below]);
        let data: Vec<u8> = numbers
            .flat_map(|number| (number as u32).to_le_bytes())
            .collect();
        Written {
            count: parts.len() as u32,
            ..bytes(tag, kind, &data)
        }
    }

    /// A directory at `at` with its values behind it.
    pub(in crate::decode) fn directory(at: u32, fields: &[Written]) -> Vec<u8> {
        let mut entries = (fields.len() as u16).to_le_bytes().to_vec();
        let mut values = Vec::new();
        let behind = at + 2 + 12 * fields.len() as u32 + 4;
        for field in fields {
            entries.extend(field.tag.to_le_bytes());
            entries.extend(field.kind.to_le_bytes());
            entries.extend(field.count.to_le_bytes());
            let mut data = field.data.clone();
            if data.len() <= 4 {
                data.resize(4, 0);
                entries.extend(data);
            } else {
                entries.extend((behind + values.len() as u32).to_le_bytes());
                values.extend(data);
                values.resize(values.len().next_multiple_of(2), 0);
            }
        }
        [entries, vec![0; 4], values].concat()
    }

    /// A structure of directories, of which the first holds pointers to the others under these numbers.
    pub(in crate::decode) fn tiff(main: &[Written], others: &[(u16, &[Written])]) -> Vec<u8> {
        let pointers = |places: &[u32]| {
            let pointers = others.iter().zip(places);
            let pointers = pointers.map(|((tag, _), place)| long(*tag, *place));
            [main, &pointers.collect::<Vec<_>>()].concat()
        };
        let mut next = 8 + directory(8, &pointers(&vec![0; others.len()])).len() as u32;
        let mut places = Vec::new();
        let mut rest = Vec::new();
        for (_, fields) in others {
            places.push(next);
            let bytes = directory(next, fields);
            next += bytes.len() as u32;
            rest.extend(bytes);
        }
        let head = b"II*\0\x08\0\0\0".to_vec();
        [head, directory(8, &pointers(&places)), rest].concat()
    }

    #[test]
    fn whole_numbers_are_read_in_every_kind() {
        let kinds: [(u16, &[u8], Option<i64>); 15] = [
            (1, b"\x06", Some(6)),
            (3, b"\x06\x00\x01\x00", Some(6)),
            (4, b"\x06\0\0\0", Some(6)),
            (6, b"\xFF", Some(-1)),
            (8, b"\xFA\xFF", Some(-6)),
            (9, b"\xFA\xFF\xFF\xFF", Some(-6)),
            (13, b"\x06\0\0\0", Some(6)),
            (16, b"\x06\0\0\0\0\0\0\0", Some(6)),
            (17, b"\xFA\xFF\xFF\xFF\xFF\xFF\xFF\xFF", Some(-6)),
            (16, b"\xFA\xFF\xFF\xFF\xFF\xFF\xFF\xFF", None),
            (2, b"6", None),
            (5, b"\x06\0\0\0\x01\0\0\0", Some(6)),
            (5, b"\x07\0\0\0\x02\0\0\0", None),
            (5, b"\x06\0\0\0\0\0\0\0", None),
            (11, b"\0\0\xC0\x40", Some(6)),
        ];
        for (kind, data, expected) in kinds {
            let count = (data.len() as u64 / width(kind).unwrap()) as u32;
            let written = Written {
                count,
                ..bytes(274, kind, data)
            };
            let block = tiff(&[written], &[]);
            let first = Tiff::open(&block).unwrap().first();
            let found = first.all(274).next().unwrap().integer();
            assert_eq!(found, expected, "{kind}");
        }
    }

    #[test]
    fn a_field_that_leads_astray_costs_itself_only() {
        let far = Written {
            tag: 2,
            kind: 2,
            count: 100_000,
            data: vec![0; 5],
        };
        let unknown = bytes(3, 99, b"abcdef");
        let endless = Written {
            count: u32::MAX,
            ..rationals(4, 5, &[(1, 1)])
        };
        let block = tiff(
            &[
                ascii(1, "before"),
                far,
                unknown,
                endless,
                ascii(9, "behind"),
            ],
            &[],
        );
        let first = Tiff::open(&block).unwrap().first();
        let tags: Vec<u16> = first.fields().iter().map(|field| field.tag).collect();
        assert_eq!(tags, [1, 9]);
        // The directory promises more fields than there are bytes.
        let mut cut = block;
        cut[8] = 200;
        let first = Tiff::open(&cut).unwrap().first();
        assert!(first.all(1).next().is_some());
    }

    #[test]
    fn offsets_of_64_bits_are_followed() {
        let mut block = b"MM\0\x2B\0\x08\0\0".to_vec();
        block.extend(16_u64.to_be_bytes());
        block.extend(1_u64.to_be_bytes());
        block.extend([1, 0x0F, 0, 2]);
        block.extend(9_u64.to_be_bytes());
        block.extend(44_u64.to_be_bytes());
        block.extend(b"Heron Co\0");
        let first = Tiff::open(&block).unwrap().first();
        let field = first.all(271).next().unwrap();
        assert_eq!(field.bytes(), Some(&b"Heron Co\0"[..]));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let block = tiff(&[ascii(1, "before"), rationals(4, 5, &[(1, 0)])], &[]);
        for at in 0..block.len() {
            for byte in [0, 1, 0x7F, 0xFF] {
                let mut bytes = block.clone();
                bytes[at] = byte;
                if let Some(tiff) = Tiff::open(&bytes[..bytes.len() - at % 3]) {
                    for field in tiff.first().fields() {
                        field.numbers(3);
                        field.integer();
                    }
                    tiff.directory(u64::MAX);
                }
            }
        }
    }
}
