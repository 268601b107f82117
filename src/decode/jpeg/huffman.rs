//! Huffman tables: one look at the next bits tells a symbol, and one look jumps over several coefficients at once.

use super::bits::Bits;

/// Bits looked at together. Two tables of this many entries for each of two sorts of blocks stay in the first cache.
const LOOK_BITS: u32 = 12;

/// Coefficients of a block.
const BLOCK: usize = 64;

/// A code, as a DHT segment describes it.
pub(super) struct Huffman {
    /// By the next [`LOOK_BITS`]: length of the code and its symbol; 0 where the code is longer.
    symbols: Vec<u16>,
    /// By the next [`LOOK_BITS`]: the coefficients that lie in them as a whole.
    jumps: Vec<Jump>,
    /// By length: the first 16 bits that are above all codes of this length, and what leads from a code to its symbol.
    above: [u32; 17],
    offsets: [i32; 17],
    values: Vec<u8>,
}

/// As many whole coefficients as the bits that were looked at hold.
#[derive(Clone, Copy, Default)]
struct Jump {
    /// 0 where the first one is longer.
    bits: u8,
    /// How far they lead, with the end-of-block bit in front.
    coefficients: u8,
}

const END_OF_BLOCK: u8 = 0x80;

impl Huffman {
    /// From the number of codes of each length and the symbols; nothing where they make no code.
    pub(super) fn new(counts: &[u8; 16], values: &[u8]) -> Option<Huffman> {
        let mut table = Huffman {
            symbols: vec![0; 1 << LOOK_BITS],
            jumps: Vec::new(),
            above: [0; 17],
            offsets: [0; 17],
            values: values.to_vec(),
        };
        let mut code = 0_u32;
        let mut index = 0_usize;
        for len in 1..=16 {
            let count = u32::from(counts[len as usize - 1]);
            table.offsets[len as usize] = index as i32 - code as i32;
            for symbol in values.get(index..index + count as usize)? {
                table.enter(code, len, *symbol)?;
                code += 1;
            }
            index += count as usize;
            table.above[len as usize] = code << (16 - len);
            code <<= 1;
        }
        table.jumps = (0..1 << LOOK_BITS).map(|bits| table.jump(bits)).collect();
        Some(table)
    }

    fn enter(&mut self, code: u32, len: u32, symbol: u8) -> Option<()> {
        if code >= 1 << len {
            return None;
        }
        if len <= LOOK_BITS {
            let free = LOOK_BITS - len;
            let first = (code << free) as usize;
            self.symbols[first..first + (1 << free)].fill((len as u16) << 8 | u16::from(symbol));
        }
        Some(())
    }

    fn jump(&self, bits: usize) -> Jump {
        let mut jump = Jump::default();
        loop {
            let rest = (bits << jump.bits) & ((1 << LOOK_BITS) - 1);
            let [symbol, len] = self.symbols[rest].to_le_bytes();
            let (run, size) = (symbol >> 4, symbol & 15);
            let bits = jump.bits + len + size;
            if len == 0 || u32::from(bits) > LOOK_BITS {
                return jump;
            }
            // What comes behind a full block is the next one's, and no coefficient.
            if usize::from(jump.coefficients + run) >= BLOCK {
                return jump;
            }
            jump.bits = bits;
            if size == 0 && run < 15 {
                jump.coefficients |= END_OF_BLOCK;
                return jump;
            }
            jump.coefficients += run + 1;
        }
    }

    /// Reads a symbol, after a refill; nothing where the bits are no code.
    #[inline]
    pub(super) fn symbol(&self, bits: &mut Bits) -> Option<u8> {
        let [symbol, len] = self.symbols[bits.peek(LOOK_BITS)].to_le_bytes();
        let (symbol, len) = match len {
            0 => self.long_symbol(bits.peek(16))?,
            _ => (symbol, u32::from(len)),
        };
        bits.skip(len);
        Some(symbol)
    }

    #[cold]
    fn long_symbol(&self, next: usize) -> Option<(u8, u32)> {
        let len = (LOOK_BITS + 1..=16).find(|&len| next < self.above[len as usize] as usize)?;
        let index = (next >> (16 - len)) as i32 + self.offsets[len as usize];
        let symbol = self.values.get(usize::try_from(index).ok()?)?;
        Some((*symbol, len))
    }

    /// Passes over the coefficients of a block from `at` on.
    #[inline]
    pub(super) fn skip_block(&self, bits: &mut Bits, mut at: usize) -> Option<()> {
        while at < BLOCK {
            bits.refill();
            let jump = self.jumps[bits.peek(LOOK_BITS)];
            let to = at + usize::from(jump.coefficients & !END_OF_BLOCK);
            // A block that is full has no end-of-block code: what looks like one then is the next block's.
            if jump.bits > 0 && to < BLOCK {
                bits.skip(u32::from(jump.bits));
                if jump.coefficients & END_OF_BLOCK != 0 {
                    return Some(());
                }
                at = to;
                continue;
            }
            match self.coefficient(bits)? {
                Some((zeros, _)) => at += zeros + 1,
                None => return Some(()),
            }
        }
        Some(())
    }

    /// Reads a coefficient, after a refill: how many zeros stand before it and its value, or the end of the block.
    #[inline]
    #[expect(
        clippy::option_option,
        reason = "the outer one is damage, the inner one the end of the block"
    )]
    pub(super) fn coefficient(&self, bits: &mut Bits) -> Option<Option<(usize, i32)>> {
        let symbol = self.symbol(bits)?;
        let run = usize::from(symbol >> 4);
        let size = u32::from(symbol & 15);
        if size == 0 && run < 15 {
            return Some(None);
        }
        Some(Some((run, bits.signed(size))))
    }
}
