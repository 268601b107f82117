//! A layer's weights and the rows that they are multiplied with, both in one of the formats.

use std::ops::Range;

use pulp::Simd;

use super::f32::panel_width_here;
use super::format::NumberFormat;
use super::math::{self, Activation};
use super::panels::{MatrixSize, Panels};
use super::product::{Dot, Place, Sink, Strided, TILE_COLUMNS, Tile, Words};

/// Turns a signed byte into an unsigned one, 128 higher: what the 8-bit instruction wants on its left.
const TO_UNSIGNED: u32 = 0x8080_8080;

/// Rows of values on the left of a product.
#[derive(Debug)]
pub(crate) struct Rows {
    format: NumberFormat,
    depth: usize,
    words: Vec<u32>,
    /// What the integers of each row are to be multiplied with.
    scales: Vec<f32>,
}

impl Rows {
    /// No rows yet.
    pub(crate) fn new(format: NumberFormat) -> Rows {
        Rows {
            format,
            depth: 0,
            words: Vec::new(),
            scales: Vec::new(),
        }
    }

    /// Makes it `count` rows of `depth` values, which are anything until they are set.
    pub(crate) fn resize(&mut self, count: usize, depth: usize) {
        self.depth = depth;
        self.words.resize(count * self.stride(), 0);
        self.scales.resize(count, 0.0);
    }

    /// Sets one row.
    pub(crate) fn set(&mut self, row: usize, values: &[f32]) {
        let stride = self.stride();
        let words = &mut self.words[row * stride..][..stride];
        self.scales[row] = self.format.encode(values, words);
        if self.format == NumberFormat::Int8 {
            for word in words.iter_mut() {
                *word ^= TO_UNSIGNED;
            }
        }
    }

    fn stride(&self) -> usize {
        self.depth.div_ceil(self.format.values_per_word())
    }
}

/// Where a product goes, row by row without gaps.
#[derive(Debug)]
pub(crate) enum Out<'a> {
    /// It replaces what is there.
    Set(&'a mut [f32]),
    /// It is added to what is there.
    Add(&'a mut [f32]),
    /// The activation is applied to it.
    Activate(Activation, &'a mut [f32]),
}

/// The weights and biases of a layer, packed.
#[derive(Debug)]
pub(crate) struct PackedWeights {
    format: NumberFormat,
    panels: Panels,
    /// Of each column, as are the two below; all three are filled up to whole panels.
    bias: Vec<f32>,
    /// What the integers of each column are to be multiplied with.
    scales: Vec<f32>,
    /// What unsigned rows add to each sum.
    offsets: Vec<u32>,
}

impl PackedWeights {
    /// Packs `rows` `[n, k]`, as they are stored, and as many biases as rows.
    ///
    /// # Panics
    /// If the lengths do not fit, or the format is not available.
    pub(crate) fn pack(format: NumberFormat, rows: &[f32], mut bias: Vec<f32>) -> PackedWeights {
        assert!(format.is_available());
        let n = bias.len();
        let depth = rows.len().checked_div(n).unwrap_or(0);
        assert_eq!(rows.len(), n * depth);
        let mut scales = vec![1.0; n];
        let mut offsets = vec![0; n];
        let mut panels = Panels::default();
        let size = MatrixSize {
            columns: n,
            depth: depth.div_ceil(format.values_per_word()),
        };
        panels.pack_columns(size, panel_width_here(), |column, words| {
            scales[column] = format.encode(&rows[column * depth..][..depth], words);
            if format == NumberFormat::Int8 {
                offsets[column] = (128 * sum_of_bytes(words)) as u32;
            }
        });
        panels.finish();
        let padded = n.next_multiple_of(TILE_COLUMNS);
        bias.resize(padded, 0.0);
        scales.resize(padded, 0.0);
        offsets.resize(padded, 0);
        PackedWeights {
            format,
            panels,
            bias,
            scales,
            offsets,
        }
    }

    /// Length of a row of the product.
    pub(crate) fn columns(&self) -> usize {
        self.panels.columns()
    }

    /// Multiplies each row with the weights and adds the bias. Runs on the calling thread.
    ///
    /// # Panics
    /// If the rows are of another format or length.
    pub(crate) fn multiply(&self, rows: &Rows, out: Out<'_>) {
        assert_eq!(
            (rows.format, rows.stride()),
            (self.format, self.panels.depth())
        );
        let a = Strided {
            words: &rows.words,
            rows: rows.scales.len(),
            stride: rows.stride(),
        };
        let mut work = Work {
            weights: self,
            rows,
            out,
        };
        self.format.multiply(a, &self.panels, &mut work);
    }
}

fn sum_of_bytes(words: &[u32]) -> i32 {
    let sum = |word: &u32| {
        word.to_le_bytes()
            .map(|byte| i32::from(byte as i8))
            .iter()
            .sum::<i32>()
    };
    words.iter().map(sum).sum()
}

/// One product.
struct Work<'a> {
    weights: &'a PackedWeights,
    rows: &'a Rows,
    out: Out<'a>,
}

impl Sink for Work<'_> {
    /// An activation wants the whole sum.
    fn takes_blocks(&self) -> bool {
        !matches!(self.out, Out::Activate(..))
    }

    #[inline(always)]
    fn take<D: Dot>(&mut self, dot: D, sums: &Tile, place: Place) {
        for (row, sums) in (place.row..).zip(&sums[..place.rows]) {
            let (sums, _) = D::Lanes::as_simd_u32s(sums);
            let start = row * self.weights.columns();
            let columns = (place.column..place.column + place.columns).step_by(D::Lanes::F32_LANES);
            for (column, sums) in columns.zip(sums) {
                let end = (place.column + place.columns).min(column + D::Lanes::F32_LANES);
                let part = start + column..start + end;
                self.finish(dot, *sums, row, column, part, place.is_first);
            }
        }
    }
}

impl Work<'_> {
    /// Makes values of the sums of one row that fill a register, from `column` on, and puts them where they go.
    #[inline(always)]
    fn finish<D: Dot>(
        &mut self,
        dot: D,
        sums: Words<D>,
        row: usize,
        column: usize,
        part: Range<usize>,
        is_first: bool,
    ) {
        let lanes = dot.lanes();
        let weights = self.weights;
        let (out, is_added, activation) = match &mut self.out {
            Out::Set(out) => (&mut out[part], !is_first, None),
            Out::Add(out) => (&mut out[part], true, None),
            Out::Activate(activation, out) => (&mut out[part], false, Some(*activation)),
        };
        let register = column / D::Lanes::F32_LANES;
        let of_columns = |values| D::Lanes::as_simd_f32s(values).0[register];
        let mut base = lanes.splat_f32s(0.0);
        let mut offsets = lanes.splat_u32s(0);
        if is_first {
            base = of_columns(&weights.bias);
            offsets = D::Lanes::as_simd_u32s(&weights.offsets).0[register];
        }
        if is_added {
            base = lanes.add_f32s(base, load(lanes, out));
        }
        let scale = lanes.splat_f32s(self.rows.scales[row]);
        let scale = lanes.mul_f32s(scale, of_columns(&weights.scales));
        let mut values = lanes.mul_add_e_f32s(dot.numbers(sums, offsets), scale, base);
        if let Some(activation) = activation {
            values = math::activate(lanes, activation, values);
        }
        store(lanes, values, out);
    }
}

/// Loads up to a register; a whole one, which is nearly each, the short way.
#[inline(always)]
fn load<S: Simd>(lanes: S, values: &[f32]) -> S::f32s {
    match S::as_simd_f32s(values).0.first() {
        Some(whole) => *whole,
        None => lanes.partial_load_f32s(values),
    }
}

#[inline(always)]
fn store<S: Simd>(lanes: S, values: S::f32s, to: &mut [f32]) {
    match S::as_mut_simd_f32s(to).0.first_mut() {
        Some(whole) => *whole = values,
        None => lanes.partial_store_f32s(to, values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tests::{SHAPES, Values, plain};

    /// Each format that this processor has, with the largest error it may make on a row and a column of length one.
    fn formats() -> impl Iterator<Item = (NumberFormat, f32)> {
        let formats = [
            (NumberFormat::F32, 1e-6),
            (NumberFormat::Int16, 1e-3),
            (NumberFormat::Int8, 5e-2),
        ];
        formats
            .into_iter()
            .filter(|(format, _)| format.is_available())
    }

    fn length(values: &[f32]) -> f32 {
        values.iter().map(|x| x * x).sum::<f32>().sqrt()
    }

    struct Case {
        a: Vec<f32>,
        weights: Vec<f32>,
        bias: Vec<f32>,
        shape: [usize; 3],
    }

    impl Case {
        fn all() -> impl Iterator<Item = Case> {
            let mut values = Values::default();
            SHAPES.into_iter().map(move |shape| {
                let [m, n, k] = shape;
                Case {
                    a: values.take(m * k),
                    weights: values.take(n * k),
                    bias: values.take(n),
                    shape,
                }
            })
        }

        fn multiply(&self, format: NumberFormat, out: Out<'_>) {
            let [m, _, k] = self.shape;
            let mut rows = Rows::new(format);
            rows.resize(m, k);
            (0..m).for_each(|row| rows.set(row, &self.a[row * k..][..k]));
            PackedWeights::pack(format, &self.weights, self.bias.clone()).multiply(&rows, out);
        }

        /// The product, then `finish` of each value.
        fn assert_near(&self, ours: &[f32], bound: f32, finish: impl Fn(f32) -> f32) {
            let [_, n, k] = self.shape;
            for (at, plain) in plain(&self.a, &self.weights, self.shape)
                .into_iter()
                .enumerate()
            {
                let lengths =
                    length(&self.a[at / n * k..][..k]) * length(&self.weights[at % n * k..][..k]);
                let plain = finish(plain + self.bias[at % n]);
                let error = (ours[at] - plain).abs();
                assert!(
                    error <= bound * (lengths + 1.0),
                    "{:?} at {at}: {}, not {plain}",
                    self.shape,
                    ours[at]
                );
            }
        }
    }

    #[test]
    fn products_equal_plain_ones_on_odd_shapes() {
        for (format, bound) in formats() {
            for case in Case::all() {
                let mut out = vec![f32::NAN; case.shape[0] * case.shape[1]];
                case.multiply(format, Out::Set(&mut out));
                case.assert_near(&out, bound, |x| x);
                case.multiply(format, Out::Add(&mut out));
                case.assert_near(&out, 2.0 * bound, |x| 2.0 * x);
            }
        }
    }

    #[test]
    fn activations_come_after_the_whole_sum() {
        for (format, bound) in formats() {
            for case in Case::all() {
                let mut out = vec![f32::NAN; case.shape[0] * case.shape[1]];
                case.multiply(format, Out::Activate(Activation::QuickGelu, &mut out));
                case.assert_near(&out, 2.0 * bound, |x| x / (1.0 + (-1.702 * x).exp()));
            }
        }
    }

    #[test]
    fn integers_do_not_overflow_on_the_worst_rows() {
        let case = |a: f32, weight: f32, k: usize| Case {
            a: vec![a; k],
            weights: vec![weight; k],
            bias: vec![0.0],
            shape: [1, 1, k],
        };
        let mut spike = case(0.0, 0.0, 4096);
        (spike.a[77], spike.weights[77]) = (1e15, -1e-15);
        for case in [
            case(1.0, 1.0, 4096),
            case(-1e6, 1e-3, 4096),
            case(0.0, 1.0, 64),
            spike,
        ] {
            for (format, bound) in formats() {
                let mut out = [f32::NAN];
                case.multiply(format, Out::Set(&mut out));
                case.assert_near(&out, bound, |x| x);
            }
        }
    }

    #[test]
    #[should_panic(expected = "assertion")]
    fn rows_of_another_format_are_refused() {
        let case = Case::all().next().unwrap();
        let mut rows = Rows::new(NumberFormat::F32);
        rows.resize(1, 9);
        PackedWeights::pack(NumberFormat::F32, &case.weights, case.bias)
            .multiply(&rows, Out::Set(&mut []));
    }
}
