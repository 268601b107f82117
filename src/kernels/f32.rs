//! Products in f32, for every processor.

use pulp::{Arch, Simd, WithSimd, bytemuck};

use super::panels::{MatrixSize, Panels};
use super::product::{self, Dot, Numbers, Place, Sink, Strided, Tile, Words, panel_width};

/// A matrix in f32, packed for products with rows. It can be packed again and again in the same memory.
#[derive(Debug, Default)]
pub(crate) struct PackedF32(Panels);

/// Rows on the left of a product, each at the start of a stride.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StridedRows<'a> {
    /// From the first row on.
    pub values: &'a [f32],
    /// Number of rows.
    pub count: usize,
    /// Values from one row's start to the next one's.
    pub stride: usize,
}

impl PackedF32 {
    /// Packs `n` rows of `k` values, as weights are stored: each is a column of the product.
    ///
    /// # Panics
    /// If `rows` does not hold `n · k` values.
    pub(crate) fn pack(rows: &[f32], n: usize, k: usize) -> PackedF32 {
        assert_eq!(rows.len(), n * k);
        let mut packed = PackedF32::default();
        let size = MatrixSize {
            columns: n,
            depth: k,
        };
        packed.pack_columns(size, |column| &rows[column * k..]);
        packed
    }

    /// `out` `[m, n]` becomes `a · rowsᵀ`, where `a` is `[m, k]`. Runs on the calling thread.
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub(crate) fn multiply(&self, a: &[f32], out: &mut [f32]) {
        let n = self.0.columns();
        let k = self.0.depth();
        let m = out.len().checked_div(n).unwrap_or(0);
        assert_eq!((a.len(), out.len()), (m * k, m * n));
        let a = StridedRows {
            values: a,
            count: m,
            stride: k,
        };
        self.multiply_strided(a, out, n);
    }

    /// Packs columns, each at the start of its slice.
    pub(crate) fn pack_columns<'a>(
        &mut self,
        size: MatrixSize,
        column: impl Fn(usize) -> &'a [f32],
    ) {
        self.0
            .pack_columns(size, panel_width_here(), |index, words| {
                words.copy_from_slice(&bytemuck::cast_slice(column(index))[..size.depth]);
            });
    }

    /// Packs columns from as many slices as they are deep, each of which starts with one value of every column.
    pub(crate) fn pack_steps<'a>(&mut self, size: MatrixSize, step: impl Fn(usize) -> &'a [f32]) {
        self.0.pack_steps(size, panel_width_here(), |index| {
            bytemuck::cast_slice(step(index))
        });
    }

    /// As [`PackedF32::multiply`], for rows that lie apart, and begin every `out_stride` values in `out`.
    pub(crate) fn multiply_strided(&self, a: StridedRows<'_>, out: &mut [f32], out_stride: usize) {
        let a = Strided {
            words: bytemuck::cast_slice(a.values),
            rows: a.count,
            stride: a.stride,
        };
        let mut sink = Plain {
            out,
            stride: out_stride,
        };
        Arch::new().dispatch(Multiply {
            a,
            weights: &self.0,
            sink: &mut sink,
        });
    }
}

/// The format: a word is a value.
#[derive(Clone, Copy)]
struct F32<S>(S);

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
        let row = lanes.transmute_f32s_u32s(row);
        let weights = lanes.transmute_f32s_u32s(weights);
        let sums = lanes.transmute_f32s_u32s(sums);
        lanes.transmute_u32s_f32s(lanes.mul_add_e_f32s(row, weights, sums))
    }

    #[inline(always)]
    fn numbers(self, sums: Words<Self>, _: Words<Self>) -> Numbers<Self> {
        self.0.transmute_f32s_u32s(sums)
    }
}

/// Columns of a panel on this processor.
pub(super) fn panel_width_here() -> usize {
    struct Width;
    impl WithSimd for Width {
        type Output = usize;

        fn with_simd<S: Simd>(self, _: S) -> usize {
            panel_width::<S>()
        }
    }
    Arch::new().dispatch(Width)
}

/// A product in f32.
pub(super) struct Multiply<'a, K> {
    pub(super) a: Strided<'a>,
    pub(super) weights: &'a Panels,
    pub(super) sink: &'a mut K,
}

impl<K: Sink> WithSimd for Multiply<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, lanes: S) {
        product::multiply(F32(lanes), self.a, self.weights, self.sink);
    }
}

/// The sums as they are.
struct Plain<'a> {
    out: &'a mut [f32],
    stride: usize,
}

impl Sink for Plain<'_> {
    fn takes_blocks(&self) -> bool {
        true
    }

    #[inline(always)]
    fn take<D: Dot>(&mut self, _: D, sums: &Tile, place: Place) {
        for (row, sums) in sums[..place.rows].iter().enumerate() {
            let start = (place.row + row) * self.stride + place.column;
            let out = &mut self.out[start..][..place.columns];
            for (to, sum) in out.iter_mut().zip(sums) {
                let sum = f32::from_bits(*sum);
                *to = if place.is_first { sum } else { *to + sum };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tests::{SHAPES, Values, plain};

    #[test]
    fn products_equal_plain_ones_on_odd_shapes() {
        let mut values = Values::default();
        for [m, n, k] in SHAPES {
            let (a, rows) = (values.take(m * k), values.take(n * k));
            let mut out = vec![f32::NAN; m * n];
            PackedF32::pack(&rows, n, k).multiply(&a, &mut out);
            let bound = 1e-6 * (k as f32).sqrt() + 1e-6;
            for (ours, plain) in out.iter().zip(plain(&a, &rows, [m, n, k])) {
                assert!(
                    (ours - plain).abs() < bound,
                    "{m} x {n} x {k}: {ours}, not {plain}"
                );
            }
        }
    }

    #[test]
    fn strides_leave_what_lies_between_alone() {
        let mut values = Values::default();
        let (a, steps) = (values.take(5 * 9), values.take(4 * 7));
        let mut packed = PackedF32::default();
        let size = MatrixSize {
            columns: 3,
            depth: 4,
        };
        packed.pack_steps(size, |step| &steps[step * 7..]);
        let mut out = vec![9.0; 5 * 6];
        let rows = StridedRows {
            values: &a,
            count: 5,
            stride: 9,
        };
        packed.multiply_strided(rows, &mut out, 6);
        for (row, out) in out.chunks(6).enumerate() {
            for column in 0..3 {
                let plain: f32 = (0..4).map(|k| a[row * 9 + k] * steps[k * 7 + column]).sum();
                assert!((out[column] - plain).abs() < 1e-6);
            }
            assert_eq!(out[3..], [9.0; 3]);
        }
    }

    #[test]
    fn plain_instructions_multiply_too() {
        let mut values = Values::default();
        let [m, n, k] = [7, 37, 19];
        let (a, rows) = (values.take(m * k), values.take(n * k));
        let mut weights = Panels::default();
        weights.pack_columns(
            MatrixSize {
                columns: n,
                depth: k,
            },
            panel_width::<pulp::Scalar128b>(),
            |column, words| {
                words.copy_from_slice(bytemuck::cast_slice(&rows[column * k..][..k]));
            },
        );
        let mut out = vec![0.0; m * n];
        let strided = Strided {
            words: bytemuck::cast_slice(&a),
            rows: m,
            stride: k,
        };
        let work = Multiply {
            a: strided,
            weights: &weights,
            sink: &mut Plain {
                out: &mut out,
                stride: n,
            },
        };
        work.with_simd(pulp::Scalar128b);
        for (ours, plain) in out.iter().zip(plain(&a, &rows, [m, n, k])) {
            assert!((ours - plain).abs() < 1e-5);
        }
    }
}
