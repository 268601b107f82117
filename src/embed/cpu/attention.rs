//! Attention of one input: small products in f32, head by head.

use std::ops::Range;

use crate::kernels::{PackedF32, softmax};

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
        let (count, head_width, stride) = (positions.len(), width / heads, 3 * width);
        let first_query = queries.start - positions.start;
        for head in 0..heads {
            let part = |position: usize, which: usize| {
                &all[position * stride + which * width + head * head_width..]
            };
            self.keys.pack_columns([count, head_width], |column| {
                part(positions.start + column, 1)
            });
            self.logits.resize(queries.len() * count, 0.0);
            let rows = [queries.len(), stride];
            self.keys
                .multiply_strided(part(queries.start, 0), rows, &mut self.logits, count);
            softmax(&mut self.logits, count, |query| {
                if is_causal {
                    first_query + query + 1
                } else {
                    count
                }
            });
            self.values
                .pack_steps([head_width, count], |step| part(positions.start + step, 2));
            let rows = [queries.len(), count];
            self.values.multiply_strided(
                &self.logits,
                rows,
                &mut mixed[head * head_width..],
                width,
            );
        }
    }
}
