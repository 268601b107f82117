//! The bits of a lossless stream, and the prefix codes in them (RFC 9649, 3.7.2).

/// The longest code.
const LONGEST: usize = 15;

/// In which order the lengths of the codes for lengths stand.
const ORDER: [usize; 19] = [
    17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
];

/// Reads bits, least significant first.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Bits<'a> {
        Bits { data, at: 0 }
    }

    fn bit(&mut self) -> Option<u32> {
        let byte = *self.data.get(self.at / 8)?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Some(u32::from(bit))
    }

    /// A number of so many bits; nothing where there are fewer.
    pub(super) fn number(&mut self, len: u32) -> Option<u32> {
        (0..len).try_fold(0, |number, place| Some(number | self.bit()? << place))
    }

    /// Whether the next bit is set.
    pub(super) fn flag(&mut self) -> Option<bool> {
        Some(self.bit()? == 1)
    }
}

/// A prefix code.
#[derive(Debug)]
pub(super) struct Code {
    /// Symbols by the length of their code; a single one has a code of no bits.
    counts: [u32; LONGEST + 1],
    /// In the order of their codes.
    symbols: Vec<u32>,
}

impl Code {
    /// Reads the code of an alphabet of so many symbols; nothing where it is none.
    pub(super) fn read(bits: &mut Bits<'_>, alphabet: usize) -> Option<Code> {
        if bits.flag()? {
            let symbols = few_symbols(bits)?;
            let is_known = symbols.iter().all(|symbol| (*symbol as usize) < alphabet);
            return is_known.then(|| Code::of_few(symbols));
        }
        let mut lengths = [0; ORDER.len()];
        for place in &ORDER[..bits.number(4)? as usize + 4] {
            lengths[*place] = bits.number(3)? as usize;
        }
        let of_lengths = Code::of_lengths(&lengths)?;
        Code::of_lengths(&lengths_of(bits, &of_lengths, alphabet)?)
    }

    fn of_few(symbols: Vec<u32>) -> Code {
        let mut counts = [0; LONGEST + 1];
        counts[symbols.len() - 1] = symbols.len() as u32;
        Code { counts, symbols }
    }

    fn of_lengths(lengths: &[usize]) -> Option<Code> {
        let mut used: Vec<(usize, u32)> = (0..).zip(lengths).map(|(at, len)| (*len, at)).collect();
        used.retain(|(length, _)| *length > 0);
        used.sort_unstable();
        let symbols: Vec<u32> = used.iter().map(|(_, symbol)| *symbol).collect();
        if symbols.len() == 1 {
            return Some(Code::of_few(symbols));
        }
        let mut counts = [0; LONGEST + 1];
        for (length, _) in used {
            counts[length] += 1;
        }
        // Every row of bits must be a code or begin with one.
        let free = counts
            .iter()
            .skip(1)
            .try_fold(1_u32, |free, count| (2 * free).checked_sub(*count));
        (free == Some(0)).then_some(Code { counts, symbols })
    }

    /// Reads a symbol.
    pub(super) fn symbol(&self, bits: &mut Bits<'_>) -> Option<u32> {
        let (mut code, mut first, mut before) = (0, 0, 0);
        for count in self.counts {
            if code - first < count {
                return self.symbols.get((before + code - first) as usize).copied();
            }
            before += count;
            first = (first + count) << 1;
            code = code << 1 | bits.bit()?;
        }
        None
    }
}

fn few_symbols(bits: &mut Bits<'_>) -> Option<Vec<u32>> {
    let are_two = bits.flag()?;
    let first_len = if bits.flag()? { 8 } else { 1 };
    let mut symbols = vec![bits.number(first_len)?];
    if are_two {
        symbols.push(bits.number(8)?);
    }
    Some(symbols)
}

/// The lengths of the codes of an alphabet; what is not told has none.
fn lengths_of(bits: &mut Bits<'_>, code: &Code, alphabet: usize) -> Option<Vec<usize>> {
    let mut told = alphabet;
    if bits.flag()? {
        let len = 2 + 2 * bits.number(3)?;
        told = 2 + bits.number(len)? as usize;
    }
    if told > alphabet {
        return None;
    }
    let mut lengths = Vec::with_capacity(alphabet);
    let mut last = 8;
    for _ in 0..told {
        if lengths.len() >= alphabet {
            break;
        }
        let (length, times) = match code.symbol(bits)? as usize {
            16 => (last, 3 + bits.number(2)?),
            17 => (0, 3 + bits.number(3)?),
            18 => (0, 11 + bits.number(7)?),
            length => (length, 1),
        };
        if length > 0 {
            last = length;
        }
        lengths.extend((0..times).map(|_| length));
    }
    (lengths.len() <= alphabet).then_some(lengths)
}
