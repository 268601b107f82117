//! Products in f32, for every processor.

use pulp::{Arch, Simd, WithSimd, bytemuck};

use super::panels::Panels;
use super::product::{self, Dot, Place, Sink, Tile, Words, panel_width};

/// A matrix of weights, packed for products with rows.
#[derive(Debug)]
pub struct PackedF32(Panels);

impl PackedF32 {
    /// Packs `n` rows of `k` values, as weights are stored: each is a column of the product.
    ///
    /// # Panics
    /// If `rows` does not hold `n · k` values.
    pub fn pack(rows: &[f32], n: usize, k: usize) -> PackedF32 {
        assert_eq!(rows.len(), n * k);
        let width = Arch::new().dispatch(Width);
        PackedF32(Panels::pack([n, k], width, |column, depth| {
            rows[column * k + depth].to_bits()
        }))
    }

    /// `out` `[m, n]` becomes `a · rowsᵀ`, where `a` is `[m, k]`. Runs on the calling thread.
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub fn multiply(&self, a: &[f32], out: &mut [f32]) {
        let (n, k) = (self.0.columns(), self.0.depth());
        let m = out.len().checked_div(n).unwrap_or(0);
        assert_eq!((a.len(), out.len()), (m * k, m * n));
        Arch::new().dispatch(Multiply {
            a,
            m,
            weights: &self.0,
            out,
        });
    }
}

/// The format: a word is a value.
#[derive(Clone, Copy)]
pub(super) struct F32<S>(pub(super) S);

impl<S: Simd> Dot for F32<S> {
    type Lanes = S;

    #[inline(always)]
    fn lanes(self) -> S {
        self.0
    }

    #[inline(always)]
    fn multiply_add(
        self,
        row: Words<Self>,
        weights: Words<Self>,
        sums: Words<Self>,
    ) -> Words<Self> {
        let lanes = self.0;
        let [row, weights, sums] =
            [row, weights, sums].map(|words| lanes.transmute_f32s_u32s(words));
        lanes.transmute_u32s_f32s(lanes.mul_add_e_f32s(row, weights, sums))
    }
}

/// The width of a panel on this processor.
pub(super) struct Width;

impl WithSimd for Width {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        panel_width::<S>()
    }
}

struct Multiply<'a> {
    a: &'a [f32],
    m: usize,
    weights: &'a Panels,
    out: &'a mut [f32],
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, lanes: S) {
        let mut plain = Plain {
            out: self.out,
            stride: self.weights.columns(),
        };
        let shape = [self.m, self.weights.depth()];
        product::multiply(
            F32(lanes),
            bytemuck::cast_slice(self.a),
            shape,
            self.weights,
            &mut plain,
        );
    }
}

/// The sums as they are.
struct Plain<'a> {
    out: &'a mut [f32],
    stride: usize,
}

impl Sink for Plain<'_> {
    #[inline(always)]
    fn take<S: Simd>(&mut self, _: S, sums: &Tile, place: Place) {
        let rows = self.out[place.row * self.stride..].chunks_mut(self.stride);
        for (row, sums) in rows.zip(&sums[..place.rows]) {
            let row = &mut row[place.column..][..place.columns];
            for (to, sum) in row.iter_mut().zip(sums) {
                let sum = f32::from_bits(*sum);
                *to = if place.is_first { sum } else { *to + sum };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tests::{SHAPES, Values};

    #[test]
    fn products_equal_plain_ones_on_odd_shapes() {
        let mut values = Values::default();
        for [m, n, k] in SHAPES {
            let (a, rows) = (values.take(m * k), values.take(n * k));
            let mut out = vec![f32::NAN; m * n];
            PackedF32::pack(&rows, n, k).multiply(&a, &mut out);
            for (at, value) in out.iter().enumerate() {
                let (row, column) = (&a[at / n * k..][..k], &rows[at % n * k..][..k]);
                let plain: f64 = row.iter().zip(column).map(|(a, b)| f64::from(a * b)).sum();
                let bound = 1e-6 * (k as f64).sqrt() + 1e-6;
                assert!(
                    (f64::from(*value) - plain).abs() < bound,
                    "{m} x {n} x {k} at {at}: {value}, not {plain}"
                );
            }
        }
    }

    #[test]
    fn scalar_and_vector_instructions_agree() {
        let mut values = Values::default();
        let [m, n, k] = [7, 37, 19];
        let (a, rows) = (values.take(m * k), values.take(n * k));
        let word = |column: usize, depth: usize| rows[column * k + depth].to_bits();
        let scalar = Panels::pack([n, k], panel_width::<pulp::Scalar128b>(), word);
        let (mut ours, mut theirs) = (vec![0.0; m * n], vec![0.0; m * n]);
        let work = Multiply {
            a: &a,
            m,
            weights: &scalar,
            out: &mut ours,
        };
        work.with_simd(pulp::Scalar128b);
        PackedF32::pack(&rows, n, k).multiply(&a, &mut theirs);
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert!((ours - theirs).abs() < 1e-5);
        }
    }
}
