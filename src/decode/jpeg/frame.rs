//! What stands between the pixels of a JPEG: its size, components and colours, the tables, and where each scan begins and ends.

use std::sync::Arc;

use super::huffman::Huffman;
use super::standard;
use crate::decode::DecodeError;

/// Components there can be at most in a picture that is read here.
pub(super) const MOST_COMPONENTS: usize = 4;

/// Scans there can be at most. Programs write ten or so; each one costs a walk over all blocks.
const MOST_SCANS: usize = 200;

/// What a JPEG says about all of its scans.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) is_progressive: bool,
    pub(super) is_arithmetic: bool,
    pub(super) components: Vec<Component>,
}

/// Brightness, a colour or an ink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Blocks side by side, and one above the other, in a unit of all components: 1 to 4.
    pub(super) horizontal: usize,
    pub(super) vertical: usize,
    pub(super) quantization: usize,
}

/// How the components of a JPEG become colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colors {
    Grey,
    YCbCr,
    Rgb,
    Cmyk,
    /// Inks as brightness and colours of what they leave of the light, and black.
    Ycck,
}

/// The tables that hold at a scan.
pub(super) struct Tables {
    /// 64 factors each, in the order of the coefficients.
    pub(super) quantization: [Option<[u16; 64]>; 4],
    dc: [Option<Arc<Huffman>>; 4],
    ac: [Option<Arc<Huffman>>; 4],
    /// Of arithmetic coding: what counts as a small and as a large difference, and as a low frequency.
    pub(super) small: [u8; 16],
    pub(super) large: [u8; 16],
    pub(super) low: [u8; 16],
    /// Units between two restart markers; 0 for no markers.
    pub(super) restart_interval: usize,
}

/// A scan, and the bytes between its header and the next marker.
pub(super) struct Scan<'a> {
    pub(super) parts: Vec<Part>,
    /// Coefficients, in their order, the last one included.
    pub(super) first: usize,
    pub(super) last: usize,
    /// Bits that an earlier scan left out, and that this one leaves out; 0 for none.
    pub(super) high: u32,
    pub(super) low: u32,
    /// With restart markers, up to any other one.
    pub(super) data: &'a [u8],
    /// Whether a marker stands behind it.
    pub(super) is_marked: bool,
}

/// A component in a scan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) component: usize,
    pub(super) dc: usize,
    pub(super) ac: usize,
}

impl Tables {
    pub(super) fn dc(&self, at: usize) -> Option<&Huffman> {
        let own = self.dc.get(at)?.as_ref();
        own.or_else(|| standard::dc(at)).map(Arc::as_ref)
    }

    pub(super) fn ac(&self, at: usize) -> Option<&Huffman> {
        let own = self.ac.get(at)?.as_ref();
        own.or_else(|| standard::ac(at)).map(Arc::as_ref)
    }
}

impl Frame {
    /// Blocks of all components side by side, and one above the other, in a unit.
    pub(super) fn unit(&self) -> (usize, usize) {
        let side = |of: fn(&Component) -> usize| self.components.iter().map(of).max().unwrap_or(1);
        (side(|part| part.horizontal), side(|part| part.vertical))
    }

    /// Coefficients of all blocks, in whole units.
    pub(super) fn samples(&self) -> u64 {
        let (across, down) = self.units();
        let blocks = self.components.iter();
        let blocks = blocks.map(|component| component.horizontal * component.vertical);
        across as u64 * down as u64 * 64 * blocks.sum::<usize>() as u64
    }

    /// Units in a row, and rows of them.
    pub(super) fn units(&self) -> (usize, usize) {
        let (across, down) = self.unit();
        (
            self.width.div_ceil(8 * across),
            self.height.div_ceil(8 * down),
        )
    }
}

/// Reads a JPEG from marker to marker.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    pub(super) tables: Tables,
    frame: Option<Frame>,
    has_jfif: bool,
    /// What Adobe's marker says about the colours.
    pub(super) adobe: Option<u8>,
    scans: usize,
    /// Whether the end marker was there.
    pub(super) is_ended: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader {
            rest: bytes.strip_prefix(&[0xFF, 0xD8]).unwrap_or_default(),
            tables: Tables {
                quantization: [None; 4],
                dc: [const { None }; 4],
                ac: [const { None }; 4],
                small: [0; 16],
                large: [1; 16],
                low: [5; 16],
                restart_interval: 0,
            },
            frame: None,
            has_jfif: false,
            adobe: None,
            scans: 0,
            is_ended: false,
        }
    }

    /// The next marker with a length, and what belongs to it, the length in front.
    pub(super) fn next_part(&mut self) -> Option<(u8, &'a [u8])> {
        loop {
            let marker = self.next_marker()?;
            if !matches!(marker, 0x01 | 0xD0..=0xD9) {
                let before = self.rest;
                let len = 2 + self.segment()?.len();
                return Some((marker, &before[..len]));
            }
        }
    }

    /// What is not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The frame, once a scan or the end has come.
    pub(super) fn frame(&self) -> Result<&Frame, DecodeError> {
        self.frame.as_ref().ok_or(DecodeError::Truncated)
    }

    /// The next scan; nothing where there is none.
    pub(super) fn next_scan(&mut self) -> Result<Option<Scan<'a>>, DecodeError> {
        while let Some(marker) = self.next_marker() {
            match marker {
                0xD9 => {
                    self.is_ended = true;
                    return Ok(None);
                }
                // A start, restarts, and one that means nothing: none has a length.
                0x01 | 0xD0..=0xD8 => continue,
                _ => {}
            }
            let Some(segment) = self.segment() else {
                return Ok(None);
            };
            match marker {
                0xC0..=0xC2 | 0xC9 | 0xCA => self.read_frame(marker, segment)?,
                0xC3 | 0xC5..=0xC7 | 0xCB | 0xCD..=0xCF => {
                    return Err(DecodeError::Unsupported(
                        "a lossless or hierarchical JPEG".into(),
                    ));
                }
                0xC4 => self.read_huffman(segment),
                0xCC => self.read_conditioning(segment),
                0xDA => return self.read_scan(segment).map(Some),
                0xDB => self.read_quantization(segment),
                0xDD => {
                    let interval = segment.first_chunk().copied().unwrap_or_default();
                    self.tables.restart_interval = usize::from(u16::from_be_bytes(interval));
                }
                0xE0 if segment.len() >= 12 && segment.starts_with(b"JFIF\0") => {
                    self.has_jfif = true;
                }
                // A shorter one says nothing.
                0xEE if segment.starts_with(b"Adobe") => {
                    self.adobe = segment.get(11).copied().or(self.adobe);
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// As libjpeg decides, which everyone takes for right: JFIF counts before Adobe, and Adobe before what components are called.
    pub(super) fn colors(&self) -> Result<Colors, DecodeError> {
        let components = &self.frame()?.components[..];
        Ok(match components {
            [_] => Colors::Grey,
            [a, b, c] => {
                let are_letters = [a.id, b.id, c.id] == *b"RGB";
                let is_rgb = !self.has_jfif && self.adobe.map_or(are_letters, |adobe| adobe == 0);
                if is_rgb { Colors::Rgb } else { Colors::YCbCr }
            }
            [_, _, _, _] => match self.adobe {
                None | Some(0) => Colors::Cmyk,
                Some(_) => Colors::Ycck,
            },
            _ => {
                return Err(DecodeError::Unsupported(
                    "a JPEG of other than 1, 3 or 4 components".into(),
                ));
            }
        })
    }

    /// Bytes between markers that are none are passed over, as everyone does.
    fn next_marker(&mut self) -> Option<u8> {
        let at = self
            .rest
            .windows(2)
            .position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF))?;
        let marker = self.rest.get(at + 1).copied();
        self.rest = self.rest.get(at + 2..).unwrap_or_default();
        marker
    }

    /// Nothing where the file ends before it does.
    fn segment(&mut self) -> Option<&'a [u8]> {
        let len = usize::from(u16::from_be_bytes(*self.rest.first_chunk()?));
        let segment = self.rest.get(2..len)?;
        self.rest = self.rest.get(len..)?;
        Some(segment)
    }

    fn read_frame(&mut self, marker: u8, segment: &[u8]) -> Result<(), DecodeError> {
        let broken = DecodeError::Broken("the header of the JPEG");
        if self.frame.is_some() {
            return Err(DecodeError::Broken("two JPEGs in one"));
        }
        let [bits, h1, h0, w1, w0, count, components @ ..] = segment else {
            return Err(broken);
        };
        if *bits != 8 {
            return Err(DecodeError::Unsupported(
                "a JPEG of other than 8 bits".into(),
            ));
        }
        let frame = Frame {
            width: usize::from(u16::from_be_bytes([*w1, *w0])),
            height: usize::from(u16::from_be_bytes([*h1, *h0])),
            is_progressive: matches!(marker, 0xC2 | 0xCA),
            is_arithmetic: matches!(marker, 0xC9 | 0xCA),
            components: components
                .as_chunks()
                .0
                .iter()
                .take(usize::from(*count))
                .map(|bytes| Component::new(*bytes))
                .collect(),
        };
        let is_sound = |component: &Component| {
            (1..=4).contains(&component.horizontal)
                && (1..=4).contains(&component.vertical)
                && component.quantization < 4
        };
        if frame.width == 0
            || frame.height == 0
            || frame.components.is_empty()
            || frame.components.len() != usize::from(*count)
            || !frame.components.iter().all(is_sound)
        {
            return Err(broken);
        }
        if frame.components.len() > MOST_COMPONENTS {
            return Err(DecodeError::Unsupported(
                "a JPEG of more than four components".into(),
            ));
        }
        self.frame = Some(frame);
        Ok(())
    }

    /// A table that is none is not there when it is asked for.
    fn read_huffman(&mut self, mut segment: &[u8]) {
        while let [place, rest @ ..] = segment {
            let Some((counts, rest)) = rest.split_first_chunk::<16>() else {
                return;
            };
            let len = counts.iter().map(|&count| usize::from(count)).sum();
            let Some((values, rest)) = rest.split_at_checked(len) else {
                return;
            };
            let tables = if place >> 4 == 0 {
                &mut self.tables.dc
            } else {
                &mut self.tables.ac
            };
            if let Some(table) = tables.get_mut(usize::from(place & 15)) {
                *table = Huffman::new(counts, values).map(Arc::new);
            }
            segment = rest;
        }
    }

    fn read_quantization(&mut self, mut segment: &[u8]) {
        while let [place, rest @ ..] = segment {
            let is_wide = place >> 4 != 0;
            let Some((factors, rest)) = rest.split_at_checked(64 << u32::from(is_wide)) else {
                return;
            };
            let mut table = [0; 64];
            if is_wide {
                let wide = factors.as_chunks().0.iter();
                for (to, from) in table.iter_mut().zip(wide) {
                    *to = u16::from_be_bytes(*from);
                }
            } else {
                for (to, from) in table.iter_mut().zip(factors) {
                    *to = u16::from(*from);
                }
            }
            if let Some(place) = self.tables.quantization.get_mut(usize::from(place & 15)) {
                *place = Some(table);
            }
            segment = rest;
        }
    }

    fn read_conditioning(&mut self, segment: &[u8]) {
        for [place, value] in segment.as_chunks().0 {
            let at = usize::from(place & 15);
            if place >> 4 == 0 {
                self.tables.small[at] = value & 15;
                self.tables.large[at] = value >> 4;
            } else {
                self.tables.low[at] = *value;
            }
        }
    }

    fn read_scan(&mut self, segment: &[u8]) -> Result<Scan<'a>, DecodeError> {
        let broken = || DecodeError::Broken("the header of a scan");
        self.scans += 1;
        if self.scans > MOST_SCANS {
            return Err(DecodeError::Broken("more scans than a picture has"));
        }
        let frame = self.frame.as_ref().ok_or_else(broken)?;
        let [count, rest @ ..] = segment else {
            return Err(broken());
        };
        let len = 2 * usize::from(*count);
        let (selectors, [first, last, bits, ..]) = rest.split_at_checked(len).ok_or_else(broken)?
        else {
            return Err(broken());
        };
        let part = |&[id, tables]: &[u8; 2]| {
            let mut components = frame.components.iter();
            let component = components.position(|component| component.id == id)?;
            let (dc, ac) = (usize::from(tables >> 4), usize::from(tables & 15));
            Some(Part { component, dc, ac })
        };
        let parts: Option<Vec<Part>> = selectors.as_chunks().0.iter().map(part).collect();
        let parts = parts.ok_or_else(broken)?;
        let is_twice = |at: usize, part: &Part| {
            let mut before = parts.iter().take(at);
            before.any(|other| other.component == part.component)
        };
        let has_twice = (parts.iter().enumerate()).any(|(at, part)| is_twice(at, part));
        if parts.is_empty() || has_twice {
            return Err(broken());
        }
        let (first, last, high, low) = if frame.is_progressive {
            let (high, low) = (u32::from(bits >> 4), u32::from(bits & 15));
            (usize::from(*first), usize::from(*last), high, low)
        } else {
            // What others than progressive ones say here means nothing.
            (0, 63, 0, 0)
        };
        let is_sound = first <= last
            && last < 64
            && low <= 13
            && (high == 0 || high == low + 1)
            && (!frame.is_progressive
                || if first == 0 {
                    last == 0
                } else {
                    parts.len() == 1
                });
        if !is_sound {
            return Err(broken());
        }
        let end = end_of_scan(self.rest);
        let data = self.rest.get(..end).unwrap_or_default();
        self.rest = self.rest.get(end..).unwrap_or_default();
        Ok(Scan {
            parts,
            first,
            last,
            high,
            low,
            data,
            is_marked: !self.rest.is_empty(),
        })
    }
}

impl Component {
    fn new([id, sides, quantization]: [u8; 3]) -> Component {
        Component {
            id,
            horizontal: usize::from(sides >> 4),
            vertical: usize::from(sides & 15),
            quantization: usize::from(quantization),
        }
    }
}

/// Where the next marker stands after entropy-coded data, in which 0xFF is followed by 0x00 or a restart marker.
fn end_of_scan(scan: &[u8]) -> usize {
    memchr::memchr_iter(0xFF, scan)
        .find(|&at| !matches!(scan.get(at + 1), None | Some(0x00 | 0xD0..=0xD7 | 0xFF)))
        .unwrap_or(scan.len())
}
