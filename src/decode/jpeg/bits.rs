//! The bits between the markers of a JPEG, most significant first.

/// What a code of 16 bits and a value of 15 take: [`Bits::refill`] leaves at least that many.
const ENOUGH: u32 = 32;

/// Reads entropy-coded data. Behind its end, at a marker, it gives zeros and remembers that it did.
///
/// A copy is made for each block and whatever is seldom called takes it by value: so it stays in registers.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bit is the highest one.
    buffer: u64,
    count: u32,
    /// Bits in the buffer that are not in the data.
    padding: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Bits<'a> {
        Bits {
            data,
            at: 0,
            buffer: 0,
            count: 0,
            padding: 0,
        }
    }

    /// Makes sure that a code and its value can be read.
    #[inline]
    pub(super) fn refill(&mut self) {
        if self.count < ENOUGH {
            match self.data[self.at..].first_chunk() {
                Some(&next) if !has_marker_byte(u64::from_be_bytes(next)) => {
                    // The bits of a byte that fits only in part are read again, over themselves, at the next call.
                    self.buffer |= u64::from_be_bytes(next) >> self.count;
                    self.at += ((63 - self.count) / 8) as usize;
                    self.count |= 0b11_1000;
                }
                _ => *self = self.refilled_bytewise(),
            }
        }
    }

    #[cold]
    fn refilled_bytewise(mut self) -> Bits<'a> {
        while self.count <= 56 {
            let byte = match self.data[self.at..] {
                [0xFF, 0x00, ..] => {
                    self.at += 2;
                    0xFF
                }
                [0xFF, ..] | [] => {
                    self.padding += 8;
                    0
                }
                [byte, ..] => {
                    self.at += 1;
                    byte
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
        self
    }

    /// The next bits, which stay; `len` from 1 to 16, after a refill.
    #[inline]
    pub(super) fn peek(&self, len: u32) -> usize {
        (self.buffer >> (64 - len)) as usize
    }

    /// Drops bits that were looked at.
    #[inline]
    pub(super) fn skip(&mut self, len: u32) {
        self.buffer <<= len;
        self.count -= len;
    }

    /// A number of `len` bits, from 0 to 15, in the coding of ITU T.81 F.2.2.1: a leading 0 means negative.
    #[inline]
    pub(super) fn signed(&mut self, len: u32) -> i32 {
        let magnitude = (self.buffer >> 1 >> (63 - len)) as i32;
        // Without a branch, since nobody can foresee a sign.
        let is_negative = !(self.buffer as i64 >> 63) as i32;
        self.skip(len);
        magnitude + (is_negative & (1 - (1 << len)))
    }

    /// The next bit, after a refill.
    #[inline]
    pub(super) fn bit(&mut self) -> bool {
        let is_one = self.buffer >> 63 != 0;
        self.skip(1);
        is_one
    }

    /// The next `len` bits as they are, from 0 to 15, after a refill.
    #[inline]
    pub(super) fn plain(&mut self, len: u32) -> u32 {
        let value = (self.buffer >> 1 >> (63 - len)) as u32;
        self.skip(len);
        value
    }

    /// The data up to the next bit.
    pub(super) fn used(&self) -> &'a [u8] {
        let ahead = self.count.saturating_sub(self.padding) / 8;
        let at = self.at.saturating_sub(ahead as usize);
        self.data.get(..at).unwrap_or_default()
    }

    /// Goes on behind the restart marker that must come next; nothing where bits were missing before it.
    pub(super) fn restart(&mut self) -> Option<()> {
        self.finish()?;
        let marker = self.data[self.at..].iter().position(|&byte| byte == 0xFF)?;
        let data = &self.data[self.at + marker..];
        match data {
            [0xFF, 0xD0..=0xD7, rest @ ..] => *self = Bits::new(rest),
            _ => return None,
        }
        Some(())
    }

    /// Nothing where more was read than there is.
    pub(super) fn finish(&self) -> Option<()> {
        (self.count >= self.padding).then_some(())
    }
}

/// Whether one of eight bytes is 0xFF.
#[inline]
fn has_marker_byte(bytes: u64) -> bool {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    const ONES: u64 = 0x0101_0101_0101_0101;
    ((bytes & LOW) + ONES) & bytes & !LOW != 0
}
