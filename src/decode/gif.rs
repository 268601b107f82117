//! The first frame of a GIF. It may be larger than the screen that the header tells of, by as much as it likes.

/// The size of a frame, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) width: u16,
    pub(super) height: u16,
}

impl Frame {
    pub(super) fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// Nothing where no frame begins.
pub(super) fn first_frame(bytes: &[u8]) -> Option<Frame> {
    let (header, mut rest) = bytes.split_at_checked(13)?;
    rest = rest.get(palette_bytes(header[10])..)?;
    loop {
        match rest {
            // An extension: its label, then blocks of which an empty one is the last.
            [0x21, _, blocks @ ..] => {
                rest = blocks;
                loop {
                    let (len, block) = rest.split_first()?;
                    rest = block.get(usize::from(*len)..)?;
                    if *len == 0 {
                        break;
                    }
                }
            }
            [0x2C, _, _, _, _, a, b, c, d, ..] => {
                return Some(Frame {
                    width: u16::from_le_bytes([*a, *b]),
                    height: u16::from_le_bytes([*c, *d]),
                });
            }
            // The decoder passes over an empty block.
            [0, after @ ..] => rest = after,
            _ => return None,
        }
    }
}

/// A palette is there where the highest bit says so.
fn palette_bytes(flags: u8) -> usize {
    if flags & 0x80 == 0 {
        0
    } else {
        3 << ((flags & 7) + 1)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A GIF whose screen and only frame have these sizes; no pixels.
    pub(in crate::decode) fn gif(screen: (u16, u16), frame: (u16, u16)) -> Vec<u8> {
        let mut bytes = b"GIF89a".to_vec();
        bytes.extend([screen.0, screen.1].map(u16::to_le_bytes).concat());
        bytes.extend([0x80, 0, 0, 0, 0, 0, 255, 255, 255]);
        bytes.extend(b"\x21\xFE\x03abc\x02de\0\x21\xF9\x04\0\0\0\0\0");
        bytes.extend([0x2C, 0, 0, 0, 0]);
        bytes.extend([frame.0, frame.1].map(u16::to_le_bytes).concat());
        bytes.extend([0, 2, 1, 0x44, 0, 0x3B]);
        bytes
    }

    #[test]
    fn the_first_frame_is_found_behind_palettes_and_extensions() {
        let bytes = gif((2, 3), (500, 60_000));
        let frame = first_frame(&bytes).unwrap();
        assert_eq!((frame.width, frame.height), (500, 60_000));
        assert_eq!(frame.pixels(), 30_000_000);
        for cut in 0..bytes.len() - 8 {
            assert_eq!(first_frame(&bytes[..cut]), None, "cut to {cut}");
        }
    }
}
