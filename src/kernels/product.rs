//! The one loop nest: rows times packed weights, tile by tile.

use std::slice::Chunks;

use pulp::Simd;

use super::panels::{LINE_WORDS, Panels};

/// Rows of a tile: six times four registers of sums leave eight of 32 for the operands, six times two leave four of 16.
pub(crate) const TILE_ROWS: usize = 6;

/// Columns of the widest panel.
pub(super) const TILE_COLUMNS: usize = 64;

/// Words of depth that are multiplied before the next panel's turn, so that rows and panel stay in the second level cache.
const BLOCK_WORDS: usize = 768;

/// The sums of a tile, row by row.
pub(super) type Tile = [[u32; TILE_COLUMNS]; TILE_ROWS];

/// What the bits of a word mean: the inner product of one format.
pub(super) trait Dot: Copy {
    /// The registers.
    type Lanes: Simd;

    /// The instructions.
    fn lanes(self) -> Self::Lanes;

    /// `sums + row · weights`, lane by lane; `row` holds the same word in each lane.
    fn multiply_add(self, row: Words<Self>, weights: Words<Self>, sums: Words<Self>)
    -> Words<Self>;

    /// Sums as numbers, after `offsets` are taken from them where sums are integers.
    fn numbers(self, sums: Words<Self>, offsets: Words<Self>) -> Numbers<Self>;
}

/// A register of words.
pub(super) type Words<D> = <<D as Dot>::Lanes as Simd>::u32s;

/// A register of f32.
pub(super) type Numbers<D> = <<D as Dot>::Lanes as Simd>::f32s;

/// Where finished tiles go.
pub(super) trait Sink {
    /// Whether the sums over blocks of the depth may come one after the other, to be added up.
    fn takes_blocks(&self) -> bool;

    /// Takes the sums of one tile.
    fn take<D: Dot>(&mut self, dot: D, sums: &Tile, place: Place);
}

/// Which part of the product a tile is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) row: usize,
    pub(super) rows: usize,
    pub(super) column: usize,
    pub(super) columns: usize,
    /// Whether this is the first block of the depth, so that nothing is there to be added to.
    pub(super) is_first: bool,
}

/// Columns of a panel: four registers where there are 32 of them, else two.
pub(super) const fn panel_width<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 {
        4 * S::U32_LANES
    } else {
        2 * S::U32_LANES
    }
}

/// Rows of words, `stride` apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strided<'a> {
    pub(super) words: &'a [u32],
    pub(super) rows: usize,
    pub(super) stride: usize,
}

/// Multiplies rows with weights.
#[inline(always)]
pub(super) fn multiply<D: Dot, K: Sink>(dot: D, a: Strided<'_>, weights: &Panels, sink: &mut K) {
    assert_eq!(weights.width(), panel_width::<D::Lanes>());
    let depth = weights.depth();
    let block = if sink.takes_blocks() {
        BLOCK_WORDS
    } else {
        depth.max(1)
    };
    for start in (0..depth.max(1)).step_by(block) {
        let steps = start..depth.min(start + block);
        let mut panels = weights.panels(steps.clone()).peekable();
        while let Some((column, panel)) = panels.next() {
            let columns = weights.width().min(weights.columns() - column);
            let mut ahead = shares(panels.peek().map(|(_, panel)| *panel), a.rows);
            for row in (0..a.rows).step_by(TILE_ROWS) {
                let rows = TILE_ROWS.min(a.rows - row);
                let part = |index: usize| &a.words[(row + index) * a.stride..][steps.clone()];
                let operands = Operands {
                    panel,
                    ahead: ahead.next().unwrap_or_default(),
                };
                let sums = tile_of(dot, part, rows, operands);
                let place = Place {
                    row,
                    rows,
                    column,
                    columns,
                    is_first: start == 0,
                };
                sink.take(dot, &sums, place);
            }
        }
    }
}

/// What all rows of a tile are multiplied with, and what will be wanted after it.
#[derive(Clone, Copy)]
struct Operands<'a> {
    panel: &'a [u32],
    ahead: &'a [Line],
}

type Line = [u32; LINE_WORDS];

/// The next panel's cache lines, a share for each tile of this one.
fn shares(panel: Option<&[u32]>, rows: usize) -> Chunks<'_, Line> {
    let (lines, _) = panel.unwrap_or_default().as_chunks();
    let tiles = rows.div_ceil(TILE_ROWS).max(1);
    lines.chunks(lines.len().div_ceil(tiles).max(1))
}

/// Begins to bring a line near: weights come from far, and fetched when they are wanted they come too late.
#[inline(always)]
fn prefetch(line: &Line) {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "no safe function wraps this instruction")]
    // SAFETY: it changes nothing but the cache, and every x86-64 has it.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

#[inline(always)]
fn tile_of<'a, D: Dot>(
    dot: D,
    row: impl Fn(usize) -> &'a [u32],
    rows: usize,
    operands: Operands<'_>,
) -> Tile {
    if <D::Lanes as Simd>::REGISTER_COUNT >= 32 {
        tile_of_width::<D, 4>(dot, row, rows, operands)
    } else {
        tile_of_width::<D, 2>(dot, row, rows, operands)
    }
}

#[inline(always)]
fn tile_of_width<'a, D: Dot, const VECTORS: usize>(
    dot: D,
    row: impl Fn(usize) -> &'a [u32],
    rows: usize,
    operands: Operands<'_>,
) -> Tile {
    match rows {
        1 => tile::<D, 1, VECTORS>(dot, std::array::from_fn(row), operands),
        2 => tile::<D, 2, VECTORS>(dot, std::array::from_fn(row), operands),
        3 => tile::<D, 3, VECTORS>(dot, std::array::from_fn(row), operands),
        4 => tile::<D, 4, VECTORS>(dot, std::array::from_fn(row), operands),
        5 => tile::<D, 5, VECTORS>(dot, std::array::from_fn(row), operands),
        _ => tile::<D, TILE_ROWS, VECTORS>(dot, std::array::from_fn(row), operands),
    }
}

#[inline(always)]
fn tile<D: Dot, const ROWS: usize, const VECTORS: usize>(
    dot: D,
    rows: [&[u32]; ROWS],
    operands: Operands<'_>,
) -> Tile {
    let lanes = dot.lanes();
    let (panel, _) = D::Lanes::as_simd_u32s(operands.panel);
    let (steps, _) = panel.as_chunks::<VECTORS>();
    let rows = rows.map(|row| &row[..steps.len()]);
    let mut sums = [[lanes.splat_u32s(0); VECTORS]; ROWS];
    for (step, weights) in steps.iter().enumerate() {
        if let Some(line) = operands.ahead.get(step) {
            prefetch(line);
        }
        for (row, sums) in rows.iter().zip(&mut sums) {
            let word = lanes.splat_u32s(row[step]);
            for (sums, weights) in sums.iter_mut().zip(weights) {
                *sums = dot.multiply_add(word, *weights, *sums);
            }
        }
    }
    let mut tile = [[0; TILE_COLUMNS]; TILE_ROWS];
    for (sums, row) in sums.iter().zip(&mut tile) {
        let (row, _) = D::Lanes::as_mut_simd_u32s(row);
        row[..VECTORS].copy_from_slice(sums);
    }
    tile
}
