//! Attention of one input: small products in f32, head by head.

use std::ops::Range;

use crate::kernels::{MatrixSize, PackedF32, StridedRows, softmax};

/// What does not change from input to input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) width: usize,
    pub(super) heads: usize,
    /// Whether no position looks at a later one.
    pub(super) is_causal: bool,
}

/// Buffers of one head.
#[derive(Debug, Default)]
pub(super) struct Heads {
    keys: PackedF32,
    values: PackedF32,
    logits: Vec<f32>,
}

impl Heads {
    /// Mixes the values at `positions` for each of the `queries` among them into `mixed`, `[queries, width]`. A row of
    /// `all` holds query, key and value of one position, each `width` long.
    pub(super) fn attend(
        &mut self,
        shape: Shape,
        all: &[f32],
        positions: Range<usize>,
        queries: Range<usize>,
        mixed: &mut [f32],
    ) {
        let Shape {
            width,
            heads,
            is_causal,
        } = shape;
        let count = positions.len();
        let head_width = width / heads;
        let stride = 3 * width;
        let first_query = queries.start - positions.start;
        for head in 0..heads {
            let part = |position: usize, which: usize| {
                &all[position * stride + which * width + head * head_width..]
            };
            let size = MatrixSize {
                columns: count,
                depth: head_width,
            };
            let key = |column| part(positions.start + column, 1);
            self.keys.pack_columns(size, key);
            self.logits.resize(queries.len() * count, 0.0);
            let rows = StridedRows {
                values: part(queries.start, 0),
                count: queries.len(),
                stride,
            };
            self.keys.multiply_strided(rows, &mut self.logits, count);
            softmax(&mut self.logits, count, |query| {
                if is_causal {
                    first_query + query + 1
                } else {
                    count
                }
            });
            let size = MatrixSize {
                columns: head_width,
                depth: count,
            };
            let value = |step| part(positions.start + step, 2);
            self.values.pack_steps(size, value);
            let rows = StridedRows {
                values: &self.logits,
                count: queries.len(),
                stride: count,
            };
            let mixed = &mut mixed[head * head_width..];
            self.values.multiply_strided(rows, mixed, width);
        }
    }

    /// Mixes the rows of `x`, each `width` long, by what each of `queries` finds among them, into `mixed`, `[queries, width]`.
    pub(super) fn find(&mut self, queries: &[f32], x: &[f32], width: usize, mixed: &mut [f32]) {
        let count = x.len() / width;
        let size = MatrixSize {
            columns: count,
            depth: width,
        };
        self.keys.pack_columns(size, |row| &x[row * width..]);
        self.logits.resize(queries.len() / width * count, 0.0);
        self.keys.multiply(queries, &mut self.logits);
        softmax(&mut self.logits, count, |_| count);
        let size = MatrixSize {
            columns: width,
            depth: count,
        };
        self.values.pack_steps(size, |row| &x[row * width..]);
        self.values.multiply(&self.logits, mixed);
    }
}
