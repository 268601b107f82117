//! Arithmetic coding: the adaptive binary decoder of ITU T.81 Annex D, and what it tells about the blocks of a scan.

use super::blocks::{Block, Coder, ZIGZAG};
use super::frame::{Scan, Tables};

/// Zeros that are read behind the end at most: a coder leaves out those that it would end with.
const MOST_PADDING: usize = 64;

/// By state: how probable the less probable bit is, the states behind either bit, and whether they change places.
/// ITU T.81 Table D.3; the last one stays at one half.
#[rustfmt::skip]
const STATES: [(u16, u8, u8, bool); 114] = [
    (0x5A1D, 1, 1, true), (0x2586, 14, 2, false), (0x1114, 16, 3, false), (0x080B, 18, 4, false),
    (0x03D8, 20, 5, false), (0x01DA, 23, 6, false), (0x00E5, 25, 7, false), (0x006F, 28, 8, false),
    (0x0036, 30, 9, false), (0x001A, 33, 10, false), (0x000D, 35, 11, false), (0x0006, 9, 12, false),
    (0x0003, 10, 13, false), (0x0001, 12, 13, false), (0x5A7F, 15, 15, true), (0x3F25, 36, 16, false),
    (0x2CF2, 38, 17, false), (0x207C, 39, 18, false), (0x17B9, 40, 19, false), (0x1182, 42, 20, false),
    (0x0CEF, 43, 21, false), (0x09A1, 45, 22, false), (0x072F, 46, 23, false), (0x055C, 48, 24, false),
    (0x0406, 49, 25, false), (0x0303, 51, 26, false), (0x0240, 52, 27, false), (0x01B1, 54, 28, false),
    (0x0144, 56, 29, false), (0x00F5, 57, 30, false), (0x00B7, 59, 31, false), (0x008A, 60, 32, false),
    (0x0068, 62, 33, false), (0x004E, 63, 34, false), (0x003B, 32, 35, false), (0x002C, 33, 9, false),
    (0x5AE1, 37, 37, true), (0x484C, 64, 38, false), (0x3A0D, 65, 39, false), (0x2EF1, 67, 40, false),
    (0x261F, 68, 41, false), (0x1F33, 69, 42, false), (0x19A8, 70, 43, false), (0x1518, 72, 44, false),
    (0x1177, 73, 45, false), (0x0E74, 74, 46, false), (0x0BFB, 75, 47, false), (0x09F8, 77, 48, false),
    (0x0861, 78, 49, false), (0x0706, 79, 50, false), (0x05CD, 48, 51, false), (0x04DE, 50, 52, false),
    (0x040F, 50, 53, false), (0x0363, 51, 54, false), (0x02D4, 52, 55, false), (0x025C, 53, 56, false),
    (0x01F8, 54, 57, false), (0x01A4, 55, 58, false), (0x0160, 56, 59, false), (0x0125, 57, 60, false),
    (0x00F6, 58, 61, false), (0x00CB, 59, 62, false), (0x00AB, 61, 63, false), (0x008F, 61, 32, false),
    (0x5B12, 65, 65, true), (0x4D04, 80, 66, false), (0x412C, 81, 67, false), (0x37D8, 82, 68, false),
    (0x2FE8, 83, 69, false), (0x293C, 84, 70, false), (0x2379, 86, 71, false), (0x1EDF, 87, 72, false),
    (0x1AA9, 87, 73, false), (0x174E, 72, 74, false), (0x1424, 72, 75, false), (0x119C, 74, 76, false),
    (0x0F6B, 74, 77, false), (0x0D51, 75, 78, false), (0x0BB6, 77, 79, false), (0x0A40, 77, 48, false),
    (0x5832, 80, 81, true), (0x4D1C, 88, 82, false), (0x438E, 89, 83, false), (0x3BDD, 90, 84, false),
    (0x34EE, 91, 85, false), (0x2EAE, 92, 86, false), (0x299A, 93, 87, false), (0x2516, 86, 71, false),
    (0x5570, 88, 89, true), (0x4CA9, 95, 90, false), (0x44D9, 96, 91, false), (0x3E22, 97, 92, false),
    (0x3824, 99, 93, false), (0x32B4, 99, 94, false), (0x2E17, 93, 86, false), (0x56A8, 95, 96, true),
    (0x4F46, 101, 97, false), (0x47E5, 102, 98, false), (0x41CF, 103, 99, false), (0x3C3D, 104, 100, false),
    (0x375E, 99, 93, false), (0x5231, 105, 102, false), (0x4C0F, 106, 103, false), (0x4639, 107, 104, false),
    (0x415E, 103, 99, false), (0x5627, 105, 106, true), (0x50E7, 108, 107, false), (0x4B85, 109, 103, false),
    (0x5597, 110, 109, false), (0x504F, 111, 107, false), (0x5A10, 110, 111, true), (0x5522, 112, 109, false),
    (0x59EB, 112, 111, true), (0x5A1D, 113, 113, false),
];

/// The state that never changes.
const HALF: usize = 113;

/// Contexts for the first coefficients of a table, and for the others.
const DC_CONTEXTS: usize = 64;
const AC_CONTEXTS: usize = 256;

/// Where the contexts of magnitudes begin.
const DC_MAGNITUDES: usize = 20;
const AC_LOW_MAGNITUDES: usize = 189;
const AC_HIGH_MAGNITUDES: usize = 217;

/// From the contexts of a magnitude's length to those of its bits.
const TO_BITS: usize = 14;

/// What was learned of one decision.
#[derive(Clone, Copy, Default)]
struct Context {
    state: u8,
    /// The more probable bit.
    likely: bool,
}

/// The decoder of Annex D. Behind the end of the data, at a marker, it reads zeros, and counts them.
struct Binary<'a> {
    data: &'a [u8],
    at: usize,
    padding: usize,
    /// The code is in the upper half.
    code: u32,
    interval: u32,
    /// Bits of the lower half that are still to come.
    left: u32,
}

impl<'a> Binary<'a> {
    fn new(data: &'a [u8]) -> Binary<'a> {
        let mut binary = Binary {
            data,
            at: 0,
            padding: 0,
            code: 0,
            interval: 0x1_0000,
            left: 0,
        };
        for _ in 0..2 {
            binary.read_byte();
            binary.code <<= 8;
        }
        binary
    }

    fn read_byte(&mut self) {
        let byte = match self.data.get(self.at..).unwrap_or_default() {
            [0xFF, 0x00, ..] => {
                self.at += 2;
                0xFF
            }
            [0xFF, ..] | [] => {
                self.padding += 1;
                0
            }
            [byte, ..] => {
                self.at += 1;
                *byte
            }
        };
        self.code += u32::from(byte) << 8;
    }

    fn decide(&mut self, context: &mut Context) -> bool {
        let (estimate, after_unlikely, after_likely, is_swapped) =
            STATES[usize::from(context.state).min(HALF)];
        let estimate = u32::from(estimate);
        self.interval -= estimate;
        let is_lower = self.code >> 16 < self.interval;
        if is_lower && self.interval >= 0x8000 {
            return context.likely;
        }
        // The smaller part of the interval is the less probable bit's, wherever it lies.
        let is_likely = is_lower == (self.interval >= estimate);
        if !is_lower {
            self.code -= self.interval << 16;
            self.interval = estimate;
        }
        let bit = context.likely == is_likely;
        if is_likely {
            context.state = after_likely;
        } else {
            context.state = after_unlikely;
            context.likely ^= is_swapped;
        }
        self.widen();
        bit
    }

    fn widen(&mut self) {
        while self.interval < 0x8000 {
            if self.left == 0 {
                self.read_byte();
                self.left = 8;
            }
            self.interval <<= 1;
            self.code <<= 1;
            self.left -= 1;
        }
    }

    fn even(&mut self) -> bool {
        self.decide(&mut Context {
            state: HALF as u8,
            likely: false,
        })
    }

    /// The bits of a value below its highest one, which all share a context.
    fn value(&mut self, highest: i32, context: &mut Context) -> i32 {
        let mut value = highest;
        let mut bit = highest >> 1;
        while bit > 0 {
            if self.decide(context) {
                value |= bit;
            }
            bit >>= 1;
        }
        value + 1
    }
}

/// Reads the blocks of one scan. ITU T.81 F.1.4 and G.1.3.
pub(super) struct Arithmetic<'a> {
    binary: Binary<'a>,
    tables: &'a Tables,
    scan: &'a Scan<'a>,
    dc: Vec<[Context; DC_CONTEXTS]>,
    ac: Vec<[Context; AC_CONTEXTS]>,
    /// By part: the coefficient before, and which kind of difference led to it.
    last: [(i32, usize); 4],
}

impl<'a> Arithmetic<'a> {
    pub(super) fn new(scan: &'a Scan<'a>, tables: &'a Tables) -> Arithmetic<'a> {
        Arithmetic {
            binary: Binary::new(scan.data),
            tables,
            scan,
            dc: vec![[Context::default(); DC_CONTEXTS]; 16],
            ac: vec![[Context::default(); AC_CONTEXTS]; 16],
            last: [(0, 0); 4],
        }
    }

    fn dc(&mut self, part: usize) -> Option<i32> {
        let table = self.scan.parts.get(part)?.dc & 15;
        let contexts = self.dc.get_mut(table)?;
        let (last, kind) = self.last.get_mut(part)?;
        let binary = &mut self.binary;
        if !binary.decide(&mut contexts[*kind]) {
            *kind = 0;
            return Some(*last);
        }
        let is_negative = binary.decide(&mut contexts[*kind + 1]);
        let mut at = *kind + 2 + usize::from(is_negative);
        let mut highest = i32::from(binary.decide(&mut contexts[at]));
        if highest != 0 {
            at = DC_MAGNITUDES;
            while binary.decide(&mut contexts[at]) {
                highest <<= 1;
                at += 1;
                if highest == 1 << 15 {
                    return None;
                }
            }
        }
        let is_small = highest < (1 << self.tables.small[table]) >> 1;
        let is_large = highest > (1 << self.tables.large[table]) >> 1;
        *kind = match (is_small, is_large, is_negative) {
            (true, ..) => 0,
            (_, false, false) => 4,
            (_, false, true) => 8,
            (_, true, false) => 12,
            (_, true, true) => 16,
        };
        let value = binary.value(highest, &mut contexts[at + TO_BITS]);
        *last = last.wrapping_add(if is_negative { -value } else { value });
        Some(*last)
    }

    /// The coefficients from `first` on, of which none is known.
    fn ac(&mut self, part: usize, block: &mut Block, first: usize) -> Option<()> {
        let table = self.scan.parts.get(part)?.ac & 15;
        let (contexts, binary) = (self.ac.get_mut(table)?, &mut self.binary);
        let low = usize::from(self.tables.low[table]);
        let mut at = first;
        while at <= self.scan.last {
            if binary.decide(&mut contexts[3 * (at - 1)]) {
                return Some(());
            }
            while !binary.decide(&mut contexts[3 * (at - 1) + 1]) {
                at += 1;
                if at > self.scan.last {
                    return None;
                }
            }
            let is_negative = binary.even();
            let mut place = 3 * (at - 1) + 2;
            let mut highest = i32::from(binary.decide(&mut contexts[place]));
            if highest != 0 && binary.decide(&mut contexts[place]) {
                highest <<= 1;
                place = if at <= low {
                    AC_LOW_MAGNITUDES
                } else {
                    AC_HIGH_MAGNITUDES
                };
                while binary.decide(&mut contexts[place]) {
                    highest <<= 1;
                    place += 1;
                    if highest == 1 << 15 {
                        return None;
                    }
                }
            }
            let value = binary.value(highest, contexts.get_mut(place + TO_BITS)?);
            let value = if is_negative { -value } else { value };
            block[usize::from(ZIGZAG[at])] = (value << self.scan.low) as i16;
            at += 1;
        }
        Some(())
    }

    /// One more bit of coefficients that are known but for it.
    fn refine(&mut self, part: usize, block: &mut Block) -> Option<()> {
        let table = self.scan.parts.get(part)?.ac & 15;
        let (contexts, binary) = (self.ac.get_mut(table)?, &mut self.binary);
        let (first, last) = (self.scan.first, self.scan.last);
        let one = 1_i16 << self.scan.low;
        let known = (first..=last).rfind(|&at| block[usize::from(ZIGZAG[at])] != 0);
        let mut at = first;
        while at <= last {
            let may_end = known.is_none_or(|known| at > known);
            if may_end && binary.decide(&mut contexts[3 * (at - 1)]) {
                return Some(());
            }
            loop {
                let coefficient = &mut block[usize::from(ZIGZAG[at])];
                let place = 3 * (at - 1);
                if *coefficient != 0 {
                    if binary.decide(&mut contexts[place + 2]) {
                        // As far as it goes in sound files; damage must not end it.
                        let step = one * coefficient.signum();
                        *coefficient = coefficient.wrapping_add(step);
                    }
                    break;
                }
                if binary.decide(&mut contexts[place + 1]) {
                    *coefficient = if binary.even() { -one } else { one };
                    break;
                }
                at += 1;
                if at > last {
                    return None;
                }
            }
            at += 1;
        }
        Some(())
    }
}

impl Coder for Arithmetic<'_> {
    fn block(&mut self, part: usize, block: &mut Block) -> Option<()> {
        let (is_first, is_again) = (self.scan.first == 0, self.scan.high > 0);
        match (is_first, is_again) {
            (true, true) => {
                if self.binary.even() {
                    block[0] |= 1 << self.scan.low;
                }
            }
            (true, false) => {
                block[0] = (self.dc(part)? << self.scan.low) as i16;
                self.ac(part, block, 1)?;
            }
            (false, true) => self.refine(part, block)?,
            (false, false) => self.ac(part, block, self.scan.first)?,
        }
        (self.binary.padding <= MOST_PADDING).then_some(())
    }

    fn restart(&mut self) -> Option<()> {
        let rest = self.binary.data.get(self.binary.at..)?;
        let marker = rest.iter().position(|&byte| byte == 0xFF)?;
        let [0xFF, 0xD0..=0xD7, rest @ ..] = rest.get(marker..)? else {
            return None;
        };
        self.binary = Binary::new(rest);
        self.dc.fill([Context::default(); DC_CONTEXTS]);
        self.ac.fill([Context::default(); AC_CONTEXTS]);
        self.last = [(0, 0); 4];
        Some(())
    }

    fn finish(&self) -> Option<()> {
        Some(())
    }

    fn used(&self) -> &[u8] {
        let at = self.binary.at.min(self.binary.data.len());
        &self.binary.data[..at]
    }
}
