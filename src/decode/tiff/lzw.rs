//! LZW as TIFFs have it: codes from their highest bit, each made longer one code early (TIFF 6.0, section 13).
//!
//! Not taken from a library: pictures are unpacked here in half the time. A string is not looked up letter by letter, as it stands in
//! what was unpacked already, where its code was made.

use crate::decode::DecodeError;

const CLEAR: usize = 256;
const END: usize = 257;
const FIRST_FREE: usize = 258;
const SHORTEST_BITS: u32 = 9;
const LONGEST_BITS: u32 = 12;
const MOST_CODES: usize = 1 << LONGEST_BITS;

/// Bytes that are copied at once.
const WORD_BYTES: usize = 8;

/// What a code stands for.
#[derive(Debug, Clone, Copy, Default)]
struct Text {
    /// Its first bytes, the first one lowest.
    start: u64,
    /// Where all of it stands in what is unpacked.
    at: usize,
    len: usize,
}

impl Text {
    fn of_byte(byte: u64) -> Text {
        Text {
            start: byte,
            at: 0,
            len: 1,
        }
    }

    /// With the byte behind it, which is written there next.
    fn and(self, byte: u8) -> Text {
        let shift = 8 * self.len as u32;
        Text {
            start: self.start | u64::from(byte).checked_shl(shift).unwrap_or(0),
            len: self.len + 1,
            ..self
        }
    }
}

/// Codes of a stream, one after the other.
struct Codes<'a> {
    rest: &'a [u8],
    /// From the highest bit on.
    bits: u64,
    count: u32,
}

impl Codes<'_> {
    /// Nothing where the stream ends.
    fn next(&mut self, len: u32) -> Option<usize> {
        if self.count < len {
            self.fill();
            if self.count < len {
                return None;
            }
        }
        let code = self.bits >> (u64::BITS - len);
        self.bits <<= len;
        self.count -= len;
        Some(code as usize)
    }

    fn fill(&mut self) {
        if let Some(word) = self.rest.first_chunk() {
            // As many whole bytes as have room; bits of the next one that are there already are the same when they come again.
            self.bits |= u64::from_be_bytes(*word) >> self.count;
            let bytes = (u64::BITS - 1 - self.count) / 8;
            self.rest = &self.rest[bytes as usize..];
            self.count += 8 * bytes;
            return;
        }
        while self.count <= u64::BITS - 8
            && let Some((byte, rest)) = self.rest.split_first()
        {
            self.bits |= u64::from(*byte) << (u64::BITS - 8 - self.count);
            self.count += 8;
            self.rest = rest;
        }
    }
}

/// The first `len` bytes of what is packed, or all that there are before it ends or makes no sense.
pub(super) fn unpack(packed: &[u8], len: usize) -> Result<Vec<u8>, DecodeError> {
    let room = len.checked_add(WORD_BYTES);
    let mut unpacked = vec![0; room.ok_or(DecodeError::Truncated)?];
    let mut codes = Codes {
        rest: packed,
        bits: 0,
        count: 0,
    };
    let mut table = vec![Text::default(); MOST_CODES];
    for (byte, text) in (0..256).zip(&mut table) {
        *text = Text::of_byte(byte);
    }
    let (mut free, mut code_bits) = (FIRST_FREE, SHORTEST_BITS);
    let mut before: Option<Text> = None;
    let mut to = 0;
    while to < len
        && let Some(code) = codes.next(code_bits)
    {
        if code == CLEAR {
            (free, code_bits, before) = (FIRST_FREE, SHORTEST_BITS, None);
            continue;
        }
        if let Some(before) = before
            && free < MOST_CODES
        {
            // A code may stand for the text that it makes itself, whose last byte is then its first.
            let next = if code < free { table[code] } else { before };
            table[free] = before.and(next.start as u8);
            free += 1;
            if free + 1 >= 1 << code_bits && code_bits < LONGEST_BITS {
                code_bits += 1;
            }
        }
        if code == END || code >= free {
            break;
        }
        let text = table[code];
        unpacked[to..to + WORD_BYTES].copy_from_slice(&text.start.to_le_bytes());
        if text.len > WORD_BYTES {
            copy(&mut unpacked, text, to);
        }
        before = Some(Text { at: to, ..text });
        to += text.len;
    }
    unpacked.truncate(to.min(len));
    Ok(unpacked)
}

/// Copies a text to where it stands again, so far as there is room; it may end with the first byte of what is written.
fn copy(unpacked: &mut [u8], text: Text, to: usize) {
    let len = text.len.min(unpacked.len() - to);
    let apart = len.min(to - text.at);
    unpacked.copy_within(text.at..text.at + apart, to);
    if apart < len {
        unpacked[to + apart] = unpacked[to];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use weezl::BitOrder;

    use crate::random::Random;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = weezl::encode::Encoder::with_tiff_size_switch(BitOrder::Msb, 8);
        encoder.encode(bytes).unwrap()
    }

    /// Bytes of every sort: the longer the runs, the longer the texts.
    fn samples() -> impl Iterator<Item = Vec<u8>> {
        let mut random = Random::new(7);
        let lens = [0, 1, 2, 3, 9, 100, 1_000, 60_000];
        let sorts = lens
            .into_iter()
            .flat_map(|len| [1, 2, 5, 256].map(|sorts| (len, sorts)));
        sorts.map(move |(len, sorts)| {
            let mut bytes = Vec::new();
            while bytes.len() < len {
                let run = 1 + random.below(if sorts == 5 { 300 } else { 2 });
                bytes.resize(bytes.len() + run, random.below(sorts) as u8);
            }
            bytes.truncate(len);
            bytes
        })
    }

    #[test]
    fn what_another_encoder_packs_is_unpacked() {
        for bytes in samples() {
            let packed = packed(&bytes);
            assert_eq!(unpack(&packed, bytes.len()).unwrap(), bytes);
            assert_eq!(unpack(&packed, bytes.len() + 9).unwrap(), bytes);
            let half = bytes.len() / 2;
            assert_eq!(unpack(&packed, half).unwrap(), bytes[..half]);
        }
    }

    #[test]
    fn of_what_is_cut_or_damaged_another_decoder_makes_the_same() {
        let mut random = Random::new(8);
        for bytes in samples().filter(|bytes| bytes.len() > 2) {
            let whole = packed(&bytes);
            for _ in 0..20 {
                let mut packed = whole[..=random.below(whole.len())].to_vec();
                let at = random.below(packed.len());
                packed[at] = random.bits() as u8;
                let mut other = weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8);
                let mut expected = Vec::new();
                let status = other.into_vec(&mut expected).decode_all(&packed).status;
                expected.truncate(bytes.len());
                let unpacked = unpack(&packed, bytes.len()).unwrap();
                assert_eq!(unpacked, expected, "{status:?}");
            }
        }
    }

    #[test]
    fn a_text_may_end_with_its_own_beginning() {
        // 256, 97, 258, 259, …: each code stands for one more byte than the last.
        let bytes = vec![b'a'; 5_000];
        assert_eq!(unpack(&packed(&bytes), 5_000).unwrap(), bytes);
        // No code may stand for what is not made yet: behind 256 and 97 there is no 511.
        let far = [0b1000_0000, 0b0001_1000, 0b0111_1111, 0b1111_1111];
        assert_eq!(unpack(&far, 10).unwrap(), b"a");
    }
}
