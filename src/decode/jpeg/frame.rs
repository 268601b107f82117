//! What stands in front of the pixels of a JPEG: its size, components and tables; and where it ends.

use super::huffman::Huffman;

/// Everything that is needed to read the one scan of a JPEG.
pub(super) struct Frame<'a> {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) components: Vec<Component>,
    /// By component: 64 factors in the order of the coefficients.
    pub(super) quantization: [Option<[u16; 64]>; 4],
    pub(super) dc: [Option<Huffman>; 4],
    pub(super) ac: [Option<Huffman>; 4],
    /// Blocks of all components between two restart markers; 0 for no markers.
    pub(super) restart_interval: usize,
    /// From the first entropy-coded byte on.
    pub(super) data: &'a [u8],
}

/// Brightness or one of the two colours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Component {
    id: u8,
    /// Blocks side by side, and one above the other, in a unit of all components.
    pub(super) horizontal: usize,
    pub(super) vertical: usize,
    pub(super) quantization: usize,
    pub(super) dc: usize,
    pub(super) ac: usize,
}

impl<'a> Frame<'a> {
    /// Nothing where the file is damaged or of a sort that is not read here.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Frame<'a>> {
        let mut frame = Frame {
            width: 0,
            height: 0,
            components: Vec::new(),
            quantization: [None; 4],
            dc: [const { None }; 4],
            ac: [const { None }; 4],
            restart_interval: 0,
            data: &[],
        };
        let mut rest = bytes.strip_prefix(&[0xFF, 0xD8])?;
        loop {
            let marker;
            (marker, rest) = next_marker(rest)?;
            let len = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
            let segment = rest.get(2..len)?;
            rest = &rest[len..];
            match marker {
                0xC0 | 0xC1 => frame.read_size(segment)?,
                0xC4 => frame.read_huffman(segment)?,
                0xDA => {
                    frame.read_scan(segment)?;
                    frame.data = rest;
                    return Some(frame);
                }
                0xDB => frame.read_quantization(segment)?,
                0xDD => {
                    frame.restart_interval =
                        usize::from(u16::from_be_bytes(*segment.first_chunk()?));
                }
                // Adobe's own: colours that are not YCbCr.
                0xEE if segment.starts_with(b"Adobe") && segment.get(11) != Some(&1) => {
                    return None;
                }
                0xE0..=0xEF | 0xFE => {}
                _ => return None,
            }
        }
    }

    fn read_size(&mut self, segment: &[u8]) -> Option<()> {
        let [8, height @ ..] = segment else {
            return None;
        };
        let (height, width) = height.split_first_chunk()?;
        let (width, components) = width.split_first_chunk()?;
        let [count, components @ ..] = components else {
            return None;
        };
        self.height = usize::from(u16::from_be_bytes(*height));
        self.width = usize::from(u16::from_be_bytes(*width));
        self.components = components.chunks_exact(3).map(Component::new).collect();
        let is_read =
            matches!(self.components.len(), 1 | 3) && self.components.len() == usize::from(*count);
        (is_read && self.width > 0 && self.height > 0).then_some(())
    }

    fn read_huffman(&mut self, mut segment: &[u8]) -> Option<()> {
        while let [place, rest @ ..] = segment {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let (values, rest) =
                rest.split_at_checked(counts.iter().map(|&count| usize::from(count)).sum())?;
            let tables = if place >> 4 == 0 {
                &mut self.dc
            } else {
                &mut self.ac
            };
            *tables.get_mut(usize::from(place & 15))? = Some(Huffman::new(counts, values)?);
            segment = rest;
        }
        Some(())
    }

    fn read_quantization(&mut self, mut segment: &[u8]) -> Option<()> {
        while let [place, rest @ ..] = segment {
            let wide = usize::from(place >> 4 != 0);
            let (factors, rest) = rest.split_at_checked(64 << wide)?;
            let factor = |at| match wide {
                0 => u16::from(factors[at]),
                _ => u16::from_be_bytes([factors[2 * at], factors[2 * at + 1]]),
            };
            *self.quantization.get_mut(usize::from(place & 15))? =
                Some(std::array::from_fn(factor));
            segment = rest;
        }
        Some(())
    }

    fn read_scan(&mut self, segment: &[u8]) -> Option<()> {
        let [count, rest @ ..] = segment else {
            return None;
        };
        if self.components.is_empty() || usize::from(*count) != self.components.len() {
            return None;
        }
        for (component, selector) in self.components.iter_mut().zip(rest.chunks_exact(2)) {
            if selector[0] != component.id {
                return None;
            }
            (component.dc, component.ac) =
                (usize::from(selector[1] >> 4), usize::from(selector[1] & 15));
        }
        Some(())
    }
}

impl Component {
    fn new(bytes: &[u8]) -> Component {
        Component {
            id: bytes[0],
            horizontal: usize::from(bytes[1] >> 4),
            vertical: usize::from(bytes[1] & 15),
            quantization: usize::from(bytes[2]),
            dc: 0,
            ac: 0,
        }
    }
}

/// The next marker and what follows it.
pub(super) fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let rest = bytes.strip_prefix(&[0xFF])?;
    let fill = rest.iter().take_while(|&&byte| byte == 0xFF).count();
    rest[fill..]
        .split_first()
        .map(|(marker, rest)| (*marker, rest))
}
