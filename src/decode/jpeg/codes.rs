//! What Huffman codes tell about the blocks of one scan. ITU T.81 F.2.2 and G.1.2.

use super::bits::Bits;
use super::blocks::{Block, Coder, ZIGZAG};
use super::frame::{Scan, Tables};
use super::huffman::Huffman;

/// Reads the blocks of a scan.
pub(super) struct Codes<'a> {
    bits: Bits<'a>,
    scan: &'a Scan<'a>,
    /// By part: the tables, and the first coefficient of the block before.
    parts: Vec<(Option<&'a Huffman>, Option<&'a Huffman>, i32)>,
    /// Blocks that have no more coefficients in this scan.
    ended: u32,
}

impl<'a> Codes<'a> {
    pub(super) fn new(scan: &'a Scan<'a>, tables: &'a Tables) -> Codes<'a> {
        let parts = scan.parts.iter();
        Codes {
            bits: Bits::new(scan.data),
            scan,
            parts: parts
                .map(|part| (tables.dc(part.dc), tables.ac(part.ac), 0))
                .collect(),
            ended: 0,
        }
    }

    fn dc(&mut self, part: usize) -> Option<i32> {
        let (table, _, last) = self.parts.get_mut(part)?;
        let table = (*table)?;
        self.bits.refill();
        let size = table.symbol(&mut self.bits).filter(|&size| size < 16)?;
        *last = last.wrapping_add(self.bits.signed(u32::from(size)));
        Some(*last)
    }

    /// The coefficients of a block that is read at once.
    fn all(&mut self, table: &Huffman, block: &mut Block) -> Option<()> {
        let mut bits = self.bits;
        let mut at = 1;
        while at < 64 {
            bits.refill();
            let Some((zeros, value)) = table.coefficient(&mut bits)? else {
                break;
            };
            at += zeros;
            // What stands behind the last one is damage that does no harm.
            if let Some(place) = ZIGZAG.get(at) {
                block[usize::from(*place)] = value as i16;
            }
            at += 1;
        }
        self.bits = bits;
        Some(())
    }

    /// The upper bits of some coefficients, of which none is known.
    fn some(&mut self, table: &Huffman, block: &mut Block) -> Option<()> {
        if self.ended > 0 {
            self.ended -= 1;
            return Some(());
        }
        let mut bits = self.bits;
        let Scan {
            first, last, low, ..
        } = *self.scan;
        let mut at = first;
        while at <= last {
            bits.refill();
            let symbol = table.symbol(&mut bits)?;
            let (run, size) = (symbol >> 4, u32::from(symbol & 15));
            if size == 0 && run < 15 {
                self.ended = (1 << run) - 1 + bits.plain(u32::from(run));
                break;
            }
            at += usize::from(run);
            let value = bits.signed(size) << low;
            if let Some(place) = ZIGZAG.get(at) {
                block[usize::from(*place & 63)] = value as i16;
            }
            at += 1;
        }
        self.bits = bits;
        Some(())
    }

    /// One more bit of coefficients that are known but for it.
    fn refine(&mut self, table: &Huffman, block: &mut Block) -> Option<()> {
        let one = 1_i16 << self.scan.low;
        let mut bits = self.bits;
        let (mut at, last) = (self.scan.first, self.scan.last);
        while self.ended == 0 && at <= last {
            bits.refill();
            let symbol = table.symbol(&mut bits)?;
            let (mut zeros, size) = (symbol >> 4, symbol & 15);
            let new = match size {
                0 if zeros < 15 => {
                    self.ended = (1 << zeros) + bits.plain(u32::from(zeros));
                    break;
                }
                0 => 0,
                _ if bits.bit() => one,
                _ => -one,
            };
            while let Some(place) = ZIGZAG.get(at..=last).and_then(<[u8]>::first) {
                let coefficient = &mut block[usize::from(*place & 63)];
                if *coefficient != 0 {
                    refine(&mut bits, coefficient, one);
                } else if zeros == 0 {
                    *coefficient = new;
                    break;
                } else {
                    zeros -= 1;
                }
                at += 1;
            }
            at += 1;
        }
        if self.ended > 0 {
            self.ended -= 1;
            for place in ZIGZAG.get(at..=last).unwrap_or_default() {
                let coefficient = &mut block[usize::from(*place & 63)];
                if *coefficient != 0 {
                    refine(&mut bits, coefficient, one);
                }
            }
        }
        self.bits = bits;
        Some(())
    }
}

/// The next bit of a coefficient that is not 0.
#[inline]
fn refine(bits: &mut Bits, coefficient: &mut i16, one: i16) {
    bits.refill();
    if bits.bit() && *coefficient & one == 0 {
        *coefficient = coefficient.wrapping_add(one * coefficient.signum());
    }
}

impl Coder for Codes<'_> {
    fn block(&mut self, part: usize, block: &mut Block) -> Option<()> {
        let (is_first, is_again) = (self.scan.first == 0, self.scan.high > 0);
        if is_first && is_again {
            self.bits.refill();
            if self.bits.bit() {
                block[0] |= 1 << self.scan.low;
            }
            return Some(());
        }
        if is_first {
            block[0] = (self.dc(part)? << self.scan.low) as i16;
            if self.scan.last == 0 {
                return Some(());
            }
        }
        let table = self.parts.get(part)?.1?;
        if is_first {
            self.all(table, block)
        } else if is_again {
            self.refine(table, block)
        } else {
            self.some(table, block)
        }
    }

    fn restart(&mut self) -> Option<()> {
        self.bits.restart()?;
        for (_, _, last) in &mut self.parts {
            *last = 0;
        }
        self.ended = 0;
        Some(())
    }

    fn finish(&self) -> Option<()> {
        self.bits.finish()
    }

    fn used(&self) -> &[u8] {
        self.bits.used()
    }
}
