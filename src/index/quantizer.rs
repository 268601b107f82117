//! Embeddings as rows of 8-bit codes: a quarter of the memory, and with a bound on what that costs.
//!
//! The mean of all rows is taken off first. Embeddings of images crowd around one direction, and codes that need not
//! spell it out again in every row are finer; a product with the mean is the same for all rows of a query.

use super::layout::code_stride;
use crate::kernels::{CODE_ZERO, CodeQuery, dot, dot_codes, dot_rows, prefetch_row};

/// Codes stop at so many times the root mean square of a value: a picture like no other costs only itself precision.
const REACH: f32 = 8.0;

/// Rows that are asked for ahead of their turn: more would be more than the processor fetches at a time. A scan of rows
/// that lie one after another gains most, threefold, although the processor guesses those by itself.
const AHEAD: usize = 12;

/// What f32 products may be off by, from the order in which they are added.
const ROUNDING: f32 = 1e-5;

/// The meaning of codes: `value = mean + step * code`.
#[derive(Debug, Clone)]
pub(super) struct Quantizer {
    mean: Vec<f32>,
    step: f32,
}

/// A query made ready for one quantizer.
#[derive(Debug)]
pub(super) struct QuantizedQuery {
    kernel: CodeQuery,
    /// `similarity = base + scale * product`.
    base: f32,
    scale: f32,
    /// The farthest that rounding the query can move a similarity.
    error: f32,
}

impl QuantizedQuery {
    /// Writes the products of the query with `count` rows of `codes` over `products`; `row` tells which ones.
    pub(super) fn products(
        &self,
        codes: &[u8],
        count: usize,
        row: impl Fn(usize) -> u32,
        products: &mut Vec<i32>,
    ) {
        let stride = self.kernel.stride();
        for place in 0..count.min(AHEAD) {
            prefetch_row(codes, row(place), stride);
        }
        let rows = (0..count).map(|place| {
            if place + AHEAD < count {
                prefetch_row(codes, row(place + AHEAD), stride);
            }
            row(place)
        });
        dot_rows(&self.kernel, codes, rows, products);
    }

    /// The similarity that a product stands for, off by at most [`QuantizedQuery::error`] and the error of the row.
    pub(super) fn similarity(&self, product: i32) -> f32 {
        self.base + self.scale * product as f32
    }

    pub(super) fn error(&self) -> f32 {
        self.error
    }
}

impl Quantizer {
    /// Fits the codes to these rows, of which there is at least one.
    pub(super) fn fit<'a>(
        embedding_dim: usize,
        rows: impl Iterator<Item = &'a [f32]> + Clone,
    ) -> Quantizer {
        let count = rows.clone().count().max(1) as f64;
        let mut sums = vec![0.0_f64; embedding_dim];
        for row in rows.clone() {
            sums.iter_mut()
                .zip(row)
                .for_each(|(sum, value)| *sum += f64::from(*value));
        }
        let mean: Vec<f32> = sums.into_iter().map(|sum| (sum / count) as f32).collect();
        let (mut squares, mut largest) = (0.0_f64, 0.0_f32);
        for (value, mean) in rows.flat_map(|row| row.iter().zip(&mean)) {
            let difference = value - mean;
            squares += f64::from(difference * difference);
            largest = largest.max(difference.abs());
        }
        let root_mean_square = (squares / (count * embedding_dim as f64)).sqrt() as f32;
        // All rows may be the same.
        let step = (largest.min(REACH * root_mean_square) / 127.0).max(f32::MIN_POSITIVE);
        Quantizer { mean, step }
    }

    pub(super) fn from_parts(mean: Vec<f32>, step: f32) -> Quantizer {
        Quantizer { mean, step }
    }

    pub(super) fn mean(&self) -> &[f32] {
        &self.mean
    }

    pub(super) fn step(&self) -> f32 {
        self.step
    }

    /// Bytes of a row of codes.
    pub(super) fn stride(&self) -> usize {
        code_stride(self.mean.len())
    }

    /// Writes the codes of a row over `codes`, a stride of them; how far the row lies from what they say.
    pub(super) fn encode(&self, row: &[f32], codes: &mut [u8]) -> f32 {
        let mut squares = 0.0_f64;
        codes.fill(CODE_ZERO);
        for ((value, mean), code) in row.iter().zip(&self.mean).zip(codes) {
            let difference = value - mean;
            let rounded = (difference / self.step).round().clamp(-127.0, 127.0);
            squares += f64::from(difference - rounded * self.step).powi(2);
            *code = (rounded as i32 + i32::from(CODE_ZERO)) as u8;
        }
        squares.sqrt() as f32
    }

    /// Makes a query ready.
    pub(super) fn query(&self, query: &[f32]) -> QuantizedQuery {
        let largest = query
            .iter()
            .fold(f32::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
        let unit = largest / f32::from(CodeQuery::max_value(query.len()));
        let values: Vec<i16> = query
            .iter()
            .map(|value| (value / unit).round() as i16)
            .collect();
        let squares: f32 = values
            .iter()
            .zip(query)
            .map(|(rounded, value)| (value - f32::from(*rounded) * unit).powi(2))
            .sum();
        QuantizedQuery {
            kernel: CodeQuery::new(values),
            base: dot(query, &self.mean),
            scale: unit * self.step,
            // Two unit vectors are at most 2 apart, and so is a row from the mean.
            error: 2.0 * squares.sqrt() + ROUNDING,
        }
    }
}

/// The squared distance of two rows of codes, in steps; their squared lengths are known.
pub(super) fn distance(a: &[u8], b: &[u8], a_square: i32, b_square: i32) -> f32 {
    (a_square + b_square - 2 * dot_codes(a, b)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_similarity_is_off_by_more_than_was_said() {
        let dim = 400;
        // A value like no other in one row, and a mean far from zero.
        let row = |seed: usize| -> Vec<f32> {
            let raw = (0..dim).map(|at| ((seed * 31 + at * 7) as f32).sin() * 0.04 + 0.03);
            let mut row: Vec<f32> = raw.collect();
            if seed == 3 {
                row[5] = 0.95;
            }
            let norm = dot(&row, &row).sqrt();
            row.iter().map(|value| value / norm).collect()
        };
        let rows: Vec<Vec<f32>> = (0..50).map(row).collect();
        let quantizer = Quantizer::fit(dim, rows.iter().map(Vec::as_slice));
        let stride = quantizer.stride();
        let mut codes = vec![0; rows.len() * stride];
        let encode = |(codes, row): (&mut [u8], &Vec<f32>)| quantizer.encode(row, codes);
        let errors: Vec<f32> = codes
            .chunks_exact_mut(stride)
            .zip(&rows)
            .map(encode)
            .collect();
        assert!(
            errors[3] > 2.0 * errors[4] && errors[4] < 0.02,
            "{errors:?}"
        );
        let mut products = Vec::new();
        for seed in 100..120 {
            let query = row(seed);
            let ready = quantizer.query(&query);
            ready.products(&codes, 50, |row| row as u32, &mut products);
            for (at, row) in rows.iter().enumerate() {
                let off = (ready.similarity(products[at]) - dot(row, &query)).abs();
                assert!(off <= errors[at] + ready.error(), "{off}");
            }
        }
    }
}
