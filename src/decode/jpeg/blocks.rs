//! The blocks of a component, and in which order scans tell of them.

use super::frame::{Frame, Scan};

/// Coefficients of a block, row by row.
pub(super) type Block = [i16; 64];

/// The place of each coefficient in a block, row by row.
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Reads what one scan says about its blocks, one after the other; nothing where it is damaged.
pub(super) trait Coder {
    /// Adds to a block of the scan's component number `part`.
    fn block(&mut self, part: usize, block: &mut Block) -> Option<()>;
    /// Goes on behind the restart marker that must come next.
    fn restart(&mut self) -> Option<()>;
    /// Nothing where more was read than there is.
    fn finish(&self) -> Option<()>;
    /// What was read until now.
    fn used(&self) -> &[u8];
}

/// All blocks of a component, row by row, in whole units.
pub(super) struct Grid {
    pub(super) across: usize,
    /// How many there are to see; a scan of this component alone has no others.
    pub(super) shown: (usize, usize),
    pub(super) blocks: Vec<Block>,
}

impl Grid {
    /// Empty ones, for each component.
    pub(super) fn all(frame: &Frame) -> Vec<Grid> {
        let (unit, units) = (frame.unit(), frame.units());
        let shown = |side: usize, part: usize, unit: usize| (side * part).div_ceil(8 * unit);
        let grid = |component: &super::frame::Component| {
            let across = units.0 * component.horizontal;
            let down = units.1 * component.vertical;
            Grid {
                across,
                shown: (
                    shown(frame.width, component.horizontal, unit.0),
                    shown(frame.height, component.vertical, unit.1),
                ),
                blocks: vec![[0; 64]; across * down],
            }
        };
        frame.components.iter().map(grid).collect()
    }
}

/// Reads a scan to its end; nothing where blocks are missing or damaged.
pub(super) fn read_scan(
    frame: &Frame,
    scan: &Scan,
    restart_interval: usize,
    grids: &mut [Grid],
    coder: &mut impl Coder,
) -> Option<()> {
    let mut until_restart = restart_interval;
    let mut before_unit = |coder: &mut _| {
        if restart_interval > 0 && until_restart == 0 {
            Coder::restart(coder)?;
            until_restart = restart_interval;
        }
        until_restart = until_restart.wrapping_sub(1);
        Some(())
    };
    if let [part] = scan.parts[..] {
        let grid = grids.get_mut(part.component)?;
        let (across, down) = grid.shown;
        for row in 0..down {
            for column in 0..across {
                before_unit(coder)?;
                coder.block(0, grid.blocks.get_mut(row * grid.across + column)?)?;
            }
        }
        return coder.finish();
    }
    let (across, down) = frame.units();
    for unit_row in 0..down {
        for unit in 0..across {
            before_unit(coder)?;
            for (place, part) in scan.parts.iter().enumerate() {
                let component = frame.components.get(part.component)?;
                let grid = grids.get_mut(part.component)?;
                for row in 0..component.vertical {
                    let row = unit_row * component.vertical + row;
                    let first = row * grid.across + unit * component.horizontal;
                    for at in first..first + component.horizontal {
                        coder.block(place, grid.blocks.get_mut(at)?)?;
                    }
                }
            }
        }
    }
    coder.finish()
}
