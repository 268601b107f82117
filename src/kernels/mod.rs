//! Products in the widest instructions that the processor has, found out at run time: the arithmetic below the towers,
//! the tags and the index. Each kernel has a plain twin, which is what it must equal.
//!
//! Vectors are multiplied by `dot`, matrices by the rest: weights come as they are stored, `[n, k]`, and are laid out in
//! panels, a few columns of the product side by side, one step of `k` after the other, so that the inner loop reads them
//! from front to back.

#![expect(
    clippy::inline_always,
    reason = "a function that is not inlined into the one which switches the instructions on runs without them"
)]

#[cfg(target_arch = "x86_64")]
mod avx512;
mod codes;
mod dispatch;
mod dot;
mod f32;
mod format;
mod math;
mod panels;
mod product;
mod weights;

pub(crate) use codes::{CODE_LANES, CODE_ZERO, CodeQuery, dot_codes, dot_rows, prefetch_row};
pub(crate) use dispatch::widest;
pub(crate) use dot::dot;
pub(crate) use f32::{PackedF32, StridedRows};
pub(crate) use format::NumberFormat;
pub(crate) use math::{Activation, LayerNorm, softmax};
pub(crate) use panels::MatrixSize;
pub(crate) use product::TILE_ROWS;
pub(crate) use weights::{Out, PackedWeights, Rows};

#[cfg(test)]
mod tests {
    /// Shapes `[m, n, k]`: single rows and columns, parts of tiles and panels, depths around a block's and a word's end.
    pub(super) const SHAPES: [[usize; 3]; 12] = [
        [1, 1, 1],
        [1, 64, 8],
        [2, 63, 7],
        [3, 65, 9],
        [5, 16, 33],
        [6, 17, 64],
        [7, 100, 3],
        [8, 33, 767],
        [13, 130, 770],
        [50, 50, 65],
        [1, 5, 1537],
        [0, 5, 4],
    ];

    /// `a · rowsᵀ` by the definition.
    pub(super) fn plain(a: &[f32], rows: &[f32], [m, n, k]: [usize; 3]) -> Vec<f32> {
        let value = |at: usize| {
            let (row, column) = (&a[at / n * k..][..k], &rows[at % n * k..][..k]);
            row.iter()
                .zip(column)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum::<f64>() as f32
        };
        (0..m * n).map(value).collect()
    }

    /// Numbers between -1 and 1 that look random and are the same in each run.
    #[derive(Default)]
    pub(super) struct Values(u32);

    impl Values {
        pub(super) fn take(&mut self, count: usize) -> Vec<f32> {
            let next = || {
                // Numerical Recipes' generator; its upper bits are good enough.
                self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0
            };
            std::iter::repeat_with(next).take(count).collect()
        }
    }
}
