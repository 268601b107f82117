//! How much memory the prefix codes of a lossless stream take: it may have as many sets of them as it likes, and ten bytes of it
//! become seventy thousand.
//!
//! A small picture in the stream says which set is for which part of the large one, so the highest number in it is the last set.
//! To find it, all that stands before it is passed over. Colours need not be known for that: copies and the cache repeat only what was there.

use super::codes::{Bits, Code};

/// Literals, and lengths of what is copied.
const GREEN: usize = 256 + 24;

/// The alphabets of a set, but for the cache: green, red, blue, opacity and distances.
const ALPHABETS: [usize; 5] = [GREEN, 256, 256, 256, 40];

/// What a decoder keeps of each code: a table, and for each of its symbols two nodes of a tree.
const TABLE: u64 = 4 << 10;
const SYMBOL: u64 = 32;

/// A set, with room to grow.
const SET: u64 = 1 << 10;

/// The fewest bits of a set: four for each code.
const LEAST_BITS: u64 = 20;

/// Most bytes that the codes of a picture of this size take. Where its stream is damaged before they begin, they take none.
pub(super) fn need(stream: &[u8], size: (u32, u32)) -> u64 {
    let mut bits = Bits::new(stream);
    let is_of_size = header(&mut bits) == Some(size);
    if is_of_size {
        of_sets(&mut bits, size, stream.len())
    } else {
        0
    }
}

/// The same of a stream that says no size of its own.
pub(super) fn need_of_opacity(stream: &[u8], size: (u32, u32)) -> u64 {
    of_sets(&mut Bits::new(stream), size, stream.len())
}

fn of_sets(bits: &mut Bits<'_>, size: (u32, u32), len: usize) -> u64 {
    let sets = Sets::find(bits, size).unwrap_or_default();
    let count = sets.count.min(8 * len as u64 / LEAST_BITS + 1);
    let symbols = ALPHABETS.iter().sum::<usize>() + sets.cached;
    count * (SET + ALPHABETS.len() as u64 * TABLE + symbols as u64 * SYMBOL)
}

#[derive(Debug, Default)]
struct Sets {
    count: u64,
    /// Colours in the cache, which are symbols too.
    cached: usize,
}

impl Sets {
    fn find(bits: &mut Bits<'_>, (mut width, height): (u32, u32)) -> Option<Sets> {
        let mut seen = [false; 4];
        while bits.flag()? {
            let kind = bits.number(2)?;
            // Each is there once at most.
            if std::mem::replace(&mut seen[kind as usize], true) {
                return None;
            }
            match kind {
                0 | 1 => drop(parts(bits, width, height)?),
                2 => {}
                _ => {
                    let colours = bits.number(8)? + 1;
                    pass_over(bits, colours.into())?;
                    width = width.div_ceil(pixels_in_one(colours));
                }
            }
        }
        let cached = cache(bits)?;
        let last = if bits.flag()? {
            parts(bits, width, height)?
        } else {
            0
        };
        let count = u64::from(last) + 1;
        Some(Sets { count, cached })
    }
}

fn header(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    if bits.number(8)? != 0x2F {
        return None;
    }
    let size = (bits.number(14)? + 1, bits.number(14)? + 1);
    // Whether it is opaque, and the version.
    bits.number(4)?;
    Some(size)
}

/// Pixels that are written as one where there are so few colours.
fn pixels_in_one(colours: u32) -> u32 {
    match colours {
        ..=2 => 8,
        3..=4 => 4,
        5..=16 => 2,
        _ => 1,
    }
}

/// Passes over a picture with a pixel for each part of the large one.
fn parts(bits: &mut Bits<'_>, width: u32, height: u32) -> Option<u32> {
    let side = 1 << (bits.number(3)? + 2);
    let across = u64::from(width.div_ceil(side));
    pass_over(bits, across * u64::from(height.div_ceil(side)))
}

fn cache(bits: &mut Bits<'_>) -> Option<usize> {
    if !bits.flag()? {
        return Some(0);
    }
    let len = bits.number(4)?;
    (1..=11).contains(&len).then(|| 1 << len)
}

/// Passes over a picture of so many pixels: the highest number that red and green make in it.
fn pass_over(bits: &mut Bits<'_>, pixels: u64) -> Option<u32> {
    let cached = cache(bits)?;
    let code = |(place, alphabet)| {
        let cached = if place == 0 { cached } else { 0 };
        Code::read(bits, alphabet + cached)
    };
    let codes: Option<Vec<Code>> = ALPHABETS.into_iter().enumerate().map(code).collect();
    let codes: [Code; 5] = codes?.try_into().ok()?;
    let [green, red, blue, opacity, distance] = &codes;
    let (mut highest, mut left) = (0, pixels);
    while left > 0 {
        let symbol = green.symbol(bits)?;
        let done = match symbol {
            0..256 => {
                highest = highest.max(red.symbol(bits)? << 8 | symbol);
                blue.symbol(bits)?;
                opacity.symbol(bits)?;
                1
            }
            256..280 => {
                let length = extended(bits, symbol - 256)?;
                let distance = distance.symbol(bits)?;
                extended(bits, distance)?;
                length
            }
            _ => 1,
        };
        left = left.checked_sub(done.into())?;
    }
    Some(highest)
}

/// A length or distance: large ones are told roughly, and then by further bits.
fn extended(bits: &mut Bits<'_>, symbol: u32) -> Option<u32> {
    if symbol < 4 {
        return Some(symbol + 1);
    }
    let len = (symbol - 2) >> 1;
    Some(((2 + (symbol & 1)) << len) + bits.number(len)? + 1)
}
