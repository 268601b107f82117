//! The application extensions of a GIF.

use std::borrow::Cow;

use super::keep;
use crate::decode::parts::Parts;

const XMP: &[u8] = b"XMP DataXMP";
/// How the tail of a packet begins.
const TAIL: &[u8] = b"\x01\xFF\xFE\xFD\xFC";

const PROFILE: &[u8] = b"ICCRGBG1012";

/// What stands in extensions before the pictures and behind them.
pub(super) fn parts(bytes: &[u8]) -> Parts<'_> {
    let mut parts = Parts::default();
    add(bytes, &mut parts);
    parts
}

/// Up to the first thing that has no form.
fn add<'a>(bytes: &'a [u8], parts: &mut Parts<'a>) -> Option<()> {
    let (header, mut rest) = bytes.split_first_chunk::<13>()?;
    rest = rest.get(palette_bytes(header[10])..)?;
    loop {
        rest = match rest {
            [0x21, 0xFF, 11, after @ ..] => {
                let (name, data) = after.split_at_checked(11)?;
                let (blocks, rest) = blocks(data);
                match name {
                    XMP => keep(&mut parts.xmp, packet(blocks)),
                    PROFILE if parts.icc.is_none() => parts.icc = Some(joined(blocks).into()),
                    _ => {}
                }
                rest
            }
            [0x21, _, after @ ..] => blocks(after).1,
            // A picture: its place, its size, its palette, the size of its codes, and blocks.
            [0x2C, after @ ..] => {
                let (place, after) = after.split_first_chunk::<9>()?;
                let codes = after.get(palette_bytes(place[8])..)?;
                blocks(codes.get(1..)?).1
            }
            // Empty blocks, and whatever strays between.
            [0x3B, ..] | [] => return Some(()),
            [_, after @ ..] => after,
        };
    }
}

/// A palette is there where the highest bit says so.
fn palette_bytes(flags: u8) -> usize {
    match flags & 0x80 {
        0 => 0,
        _ => 3 << ((flags & 7) + 1),
    }
}

/// Blocks with their lengths before them, up to the empty one that ends them, and what follows.
fn blocks(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    while let Some(length) = bytes.get(at) {
        if *length == 0 {
            break;
        }
        at += 1 + usize::from(*length);
    }
    let end = at.min(bytes.len());
    (
        bytes.get(..end).unwrap_or_default(),
        bytes.get(end + 1..).unwrap_or_default(),
    )
}

fn joined(mut blocks: &[u8]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(blocks.len());
    while let [length, rest @ ..] = blocks {
        let (data, after) = rest
            .split_at_checked((*length).into())
            .unwrap_or((rest, &[]));
        joined.extend(data);
        blocks = after;
    }
    joined
}

/// A packet stands there as it is: what other programs take for lengths are its letters, and a tail of falling numbers leads
/// them all to its end. Some programs do not know that and write blocks as of anything else.
fn packet(blocks: &[u8]) -> Cow<'_, [u8]> {
    let is_written_as_it_is = match blocks {
        [b'<', next, ..] => *next != b'<',
        [0xEF, 0xBB, 0xBF, ..] => true,
        _ => false,
    };
    if is_written_as_it_is {
        let end = memchr::memmem::rfind(blocks, TAIL);
        blocks
            .get(..end.unwrap_or(blocks.len()))
            .unwrap_or(blocks)
            .into()
    } else {
        joined(blocks).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extension(name: &[u8], data: &[u8]) -> Vec<u8> {
        [&[0x21, 0xFF, 11], name, data].concat()
    }

    fn in_blocks(data: &[u8]) -> Vec<u8> {
        let blocks = data
            .chunks(100)
            .map(|block| [&[block.len() as u8], block].concat());
        let blocks: Vec<_> = blocks.collect();
        [blocks.concat(), vec![0]].concat()
    }

    fn as_it_is(data: &[u8]) -> Vec<u8> {
        let tail: Vec<u8> = [1].into_iter().chain((0..=255).rev()).chain([0]).collect();
        [data, &tail].concat()
    }

    fn gif(between: &[u8], behind: &[u8]) -> Vec<u8> {
        let picture = b"\x2C\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
        let screen = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xFF\xFF\xFF";
        [&screen[..], between, b"\0", picture, behind, b"\x3B"].concat()
    }

    #[test]
    fn packets_are_read_however_they_are_written() {
        let long = format!("<?xpacket?>{}<x/>", "ü".repeat(300));
        for packet in ["<x/>", &long] {
            let packet = packet.as_bytes();
            for written in [as_it_is(packet), in_blocks(packet)] {
                let xmp = extension(XMP, &written);
                let icc = extension(PROFILE, &in_blocks(&[7; 150]));
                for bytes in [gif(&[&xmp[..], &icc].concat(), b""), gif(&icc, &xmp)] {
                    let found = parts(&bytes);
                    assert_eq!(found.xmp, [packet]);
                    assert_eq!(found.icc.as_deref(), Some(&[7; 150][..]));
                    for cut in 0..bytes.len() {
                        parts(&bytes[..cut]);
                    }
                }
            }
        }
    }
}
