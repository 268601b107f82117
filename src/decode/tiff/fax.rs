//! Pages as fax machines send them: runs of white and black, and where they differ from the row above. ITU T.4 and T.6.

use fax::maps::{Mode, black, mode, white};
use fax::{BitReader, Color};

/// Bits that may be read behind the end: a code is looked up by more bits than it has.
const MOST_PADDING: usize = 32;

/// How rows follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Runs alone, each row from a whole number of so many bits on.
    Runs(usize),
    /// Group 3, with a mark before each row, which may say that runs alone follow.
    Group3 { is_two_dimensional: bool },
    /// Group 4.
    Group4,
}

struct Bits<'a> {
    data: &'a [u8],
    /// In bits.
    at: usize,
}

impl BitReader for Bits<'_> {
    type Error = ();

    fn peek(&self, bits: u8) -> Option<u16> {
        let first = self.at / 8;
        let byte = |at: usize| u32::from(self.data.get(first + at).copied().unwrap_or(0));
        let three = byte(0) << 16 | byte(1) << 8 | byte(2);
        let aligned = three << (8 + self.at % 8);
        Some((u64::from(aligned) >> (32 - u32::from(bits))) as u16)
    }

    fn consume(&mut self, bits: u8) -> Result<(), ()> {
        self.at += usize::from(bits);
        if self.at > 8 * self.data.len() + MOST_PADDING {
            return Err(());
        }
        Ok(())
    }

    fn bits_to_byte_boundary(&self) -> u8 {
        ((8 - self.at % 8) % 8) as u8
    }
}

/// Rows of one bit a pixel, 1 is black; nothing where rows are missing or damaged.
pub(super) fn unpack(data: &[u8], coding: Coding, width: usize, rows: usize) -> Option<Vec<u8>> {
    let row_bytes = width.div_ceil(8);
    let mut unpacked = vec![0; row_bytes * rows];
    let mut bits = Bits { data, at: 0 };
    let (mut row, mut above) = (Vec::new(), vec![width]);
    for pixels in unpacked.chunks_exact_mut(row_bytes.max(1)) {
        row.clear();
        match coding {
            Coding::Runs(aligned) => {
                bits.at = bits.at.next_multiple_of(aligned);
                read_runs(&mut bits, width, &mut row)?;
            }
            Coding::Group3 { is_two_dimensional } => {
                let marks = skip_marks(&mut bits, is_two_dimensional)?;
                // Many are the end of the page: what is below is white.
                if marks.count > 1 {
                    return Some(unpacked);
                }
                if marks.is_by_row_above {
                    read_changes(&mut bits, width, &above, &mut row)?;
                } else {
                    read_runs(&mut bits, width, &mut row)?;
                }
            }
            Coding::Group4 => {
                if bits.peek(12) == Some(1) {
                    return Some(unpacked);
                }
                read_changes(&mut bits, width, &above, &mut row)?;
            }
        }
        if bits.at > 8 * data.len() {
            return None;
        }
        paint(&row, pixels, width);
        std::mem::swap(&mut row, &mut above);
    }
    Some(unpacked)
}

struct Marks {
    count: usize,
    is_by_row_above: bool,
}

/// Passes over the marks of a row's beginning, and zeros before them.
fn skip_marks(bits: &mut Bits, is_two_dimensional: bool) -> Option<Marks> {
    let mut marks = Marks {
        count: 0,
        is_by_row_above: false,
    };
    while bits.peek(11) == Some(0) {
        while bits.peek(1) == Some(0) {
            bits.consume(1).ok()?;
        }
        bits.consume(1).ok()?;
        if is_two_dimensional {
            marks.is_by_row_above = bits.peek(1) == Some(0);
            bits.consume(1).ok()?;
        }
        marks.count += 1;
    }
    Some(marks)
}

fn run(bits: &mut Bits, color: Color) -> Option<usize> {
    let mut sum = 0;
    loop {
        let part = match color {
            Color::White => white::decode(bits),
            Color::Black => black::decode(bits),
        }?;
        sum += usize::from(part);
        if part < 64 {
            return Some(sum);
        }
    }
}

/// Notes a change. Runs of nothing are written where a row begins with black; more changes than pixels go nowhere.
fn push(row: &mut Vec<usize>, at: usize, width: usize) -> Option<()> {
    let is_sound = row.len() < width + 2;
    is_sound.then(|| row.push(at))
}

/// Where the colour changes, white first, up to the width.
fn read_runs(bits: &mut Bits, width: usize, row: &mut Vec<usize>) -> Option<()> {
    let (mut at, mut color) = (0, Color::White);
    while at < width {
        at += run(bits, color)?;
        push(row, at.min(width), width)?;
        color = !color;
    }
    Some(())
}

fn read_changes(
    bits: &mut Bits,
    width: usize,
    above: &[usize],
    row: &mut Vec<usize>,
) -> Option<()> {
    let (mut at, mut color) = (0, Color::White);
    let mut is_start = true;
    // The first change above that may count.
    let mut first = 0;
    while at < width {
        first = first.max(2) - 2;
        let is_behind = |change: usize| change > at || (is_start && change == 0);
        let is_other = |place: usize| place.is_multiple_of(2) == (color == Color::White);
        while let Some(change) = above.get(first)
            && (!is_behind(*change) || !is_other(first))
        {
            first += 1;
        }
        let change = |place: usize| above.get(place).copied().unwrap_or(width);
        match mode::decode(bits)? {
            Mode::Pass => at = change(first + 1),
            Mode::Horizontal => {
                for color in [color, !color] {
                    at = (at + run(bits, color)?).min(width);
                    push(row, at, width)?;
                }
            }
            Mode::Vertical(by) => {
                let to = change(first).checked_add_signed(isize::from(by))?;
                if to < at {
                    return None;
                }
                at = to.min(width);
                push(row, at, width)?;
                color = !color;
            }
            Mode::Extension | Mode::EOF => return None,
        }
        is_start = false;
    }
    Some(())
}

/// Every other part of a row is black.
fn paint(changes: &[usize], pixels: &mut [u8], width: usize) {
    for pair in changes.chunks(2) {
        let [from, rest @ ..] = pair else {
            continue;
        };
        let to = rest.first().copied().unwrap_or(width).min(width);
        for x in *from..to {
            if let Some(byte) = pixels.get_mut(x / 8) {
                *byte |= 0x80 >> (x % 8);
            }
        }
    }
}
