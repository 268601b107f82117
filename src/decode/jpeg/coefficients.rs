//! All coefficients of a JPEG, from however many scans of whatever coding; and whether every one of them was there.

use super::arithmetic::Arithmetic;
use super::blocks::{Coder, Grid, read_scan};
use super::codes::Codes;
use super::frame::{Frame, Reader, Scan};
use crate::decode::DecodeError;

/// So many zeros at the end of a scan are taken for what fills up a file.
const TAIL: usize = 8;

/// A JPEG but for the transform of its blocks.
pub(super) struct Coefficients {
    pub(super) frame: Frame,
    pub(super) grids: Vec<Grid>,
    /// By component, in the order of the coefficients.
    pub(super) quantization: Vec<[u16; 64]>,
}

/// Reads all scans. A picture is what has every block, whether or not an end marker says so.
pub(super) fn read(bytes: &[u8]) -> Result<Coefficients, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut scan = reader.next_scan()?.ok_or(DecodeError::Truncated)?;
    let frame = reader.frame()?.clone();
    let mut grids = Grid::all(&frame);
    let mut seen = Seen::new(&frame);
    let mut quantization = vec![None; frame.components.len()];
    loop {
        for part in &scan.parts {
            let table = frame.components[part.component].quantization;
            let table = reader.tables.quantization.get(table).copied().flatten();
            quantization[part.component] = quantization[part.component].or(table);
        }
        if frame.is_arithmetic {
            let mut coder = Arithmetic::new(&scan, &reader.tables);
            read_whole(&frame, &scan, &reader, &mut grids, &mut coder)?;
        } else {
            let mut coder = Codes::new(&scan, &reader.tables);
            read_whole(&frame, &scan, &reader, &mut grids, &mut coder)?;
        }
        seen.add(&scan);
        // What comes behind all that a picture needs is not its own.
        if !frame.is_progressive && seen.is_enough(false) {
            break;
        }
        scan = match reader.next_scan() {
            Ok(Some(next)) => next,
            Ok(None) => break,
            Err(_) if seen.is_enough(false) => break,
            Err(error) => return Err(error),
        };
    }
    if !seen.is_enough(reader.is_ended) {
        return Err(DecodeError::Truncated);
    }
    let quantization: Option<Vec<_>> = quantization.into_iter().collect();
    Ok(Coefficients {
        frame,
        grids,
        quantization: quantization.ok_or(DecodeError::Broken("a table is missing"))?,
    })
}

fn read_whole(
    frame: &Frame,
    scan: &Scan,
    reader: &Reader,
    grids: &mut [Grid],
    coder: &mut impl Coder,
) -> Result<(), DecodeError> {
    read_scan(frame, scan, reader.tables.restart_interval, grids, coder)
        .filter(|()| !is_filled_up(scan, coder.used()))
        .ok_or(DecodeError::Truncated)
}

/// Whether data without a marker behind them are used up to zeros, and more follows: so do files that were copied in part, and what
/// fills them up may look like blocks.
pub(super) fn is_filled_up(scan: &Scan, used: &[u8]) -> bool {
    !scan.is_marked && used.len() + 1 < scan.data.len() && used.last_chunk() == Some(&[0; TAIL])
}

/// Which bits of which coefficients came.
struct Seen {
    is_progressive: bool,
    /// By component and coefficient: bits that are missing below those that came.
    missing: Vec<[Option<u32>; 64]>,
}

impl Seen {
    fn new(frame: &Frame) -> Seen {
        Seen {
            is_progressive: frame.is_progressive,
            missing: vec![[None; 64]; frame.components.len()],
        }
    }

    fn add(&mut self, scan: &Scan) {
        for part in &scan.parts {
            if let Some(missing) = self.missing.get_mut(part.component) {
                for missing in &mut missing[scan.first..=scan.last] {
                    *missing = Some(scan.low);
                }
            }
        }
    }

    /// A progressive picture may leave out details, but then it says where it ends.
    fn is_enough(&self, is_ended: bool) -> bool {
        if self.is_progressive && !is_ended {
            return self.missing.iter().flatten().all(|low| *low == Some(0));
        }
        self.missing.iter().all(|missing| missing[0].is_some())
    }
}
