//! The transformer that both towers are made of, on packed weights.

use std::ops::Range;

use candle_core::Result;

use super::Packed;
use super::attention::{Heads, Shape};
use crate::embed::weights::{LayerWeights, Layers, TowerWeights};
use crate::kernels::{self, LayerNorm, NumberFormat, Out, Rows};

/// Rows that go through both products of a perceptron together, so that what lies between stays in the cache.
const PERCEPTRON_ROWS: usize = 96;

/// What a thread needs to run towers of one format; kept from batch to batch.
pub(in crate::embed) struct Workspace {
    /// The left side of products with as many values as the tower is wide, and of the perceptron's second.
    pub(super) rows: Rows,
    hidden_rows: Rows,
    /// One row before it is converted.
    pub(super) row: Vec<f32>,
    /// Queries, keys and values of each row.
    query_key_value: Vec<f32>,
    mixed: Vec<f32>,
    hidden: Vec<f32>,
    heads: Heads,
}

impl Workspace {
    pub(in crate::embed) fn new(format: NumberFormat) -> Workspace {
        Workspace {
            rows: Rows::new(format),
            hidden_rows: Rows::new(format),
            row: Vec::new(),
            query_key_value: Vec::new(),
            mixed: Vec::new(),
            hidden: Vec::new(),
            heads: Heads::default(),
        }
    }
}

impl TowerWeights<Packed> {
    /// Features of each input, whose rows, `[rows, width]`, are given without positions.
    pub(super) fn features(
        &self,
        mut x: Vec<f32>,
        inputs: &[Range<usize>],
        workspace: &mut Workspace,
    ) -> Vec<Vec<f32>> {
        self.add_positions(&mut x, inputs, &mut workspace.row);
        for (index, layer) in self.layers.iter().enumerate() {
            let is_last = index + 1 == self.layers.len();
            self.run(layer, is_last, &mut x, inputs, workspace);
        }
        self.project(&x, inputs, workspace)
    }

    /// The same through layers of which two are in memory: one that runs, and the next one.
    pub(super) fn features_through(
        &self,
        layers: &Layers<'_, Packed>,
        mut x: Vec<f32>,
        inputs: &[Range<usize>],
        workspace: &mut Workspace,
    ) -> Result<Vec<Vec<f32>>> {
        self.add_positions(&mut x, inputs, &mut workspace.row);
        let mut next = layers.load(0)?;
        let mut index = 0;
        while let Some(layer) = next {
            index += 1;
            let run = || {
                let is_last = index == layers.count();
                self.run(&layer, is_last, &mut x, inputs, workspace);
            };
            next = rayon::join(run, || layers.load(index)).1?;
        }
        Ok(self.project(&x, inputs, workspace))
    }

    /// From the pooled rows to the joint space.
    fn project(
        &self,
        x: &[f32],
        inputs: &[Range<usize>],
        workspace: &mut Workspace,
    ) -> Vec<Vec<f32>> {
        normalise(&self.final_norm, x, &mut workspace.rows, &mut workspace.row);
        let columns = self.projection.columns();
        let mut features = vec![0.0; inputs.len() * columns];
        let product = Out::Set(&mut features);
        self.projection.multiply(&workspace.rows, product);
        features.chunks(columns).map(<[f32]>::to_vec).collect()
    }

    /// The encoder's input: positions added, and normalised where the family does that.
    fn add_positions(&self, x: &mut [f32], inputs: &[Range<usize>], row: &mut Vec<f32>) {
        let width = self.shape.width;
        for input in inputs {
            let x = x[input.start * width..input.end * width].chunks_exact_mut(width);
            for (x, position) in x.zip(self.positions.chunks_exact(width)) {
                row.clear();
                row.extend(x.iter().zip(position).map(|(x, position)| x + position));
                match &self.pre_norm {
                    Some(norm) => norm.apply(row, x),
                    None => x.copy_from_slice(row),
                }
            }
        }
    }

    /// Runs all rows through a layer; behind the last one only the pooled row of each input is left.
    fn run(
        &self,
        layer: &LayerWeights<Packed>,
        is_last: bool,
        x: &mut Vec<f32>,
        inputs: &[Range<usize>],
        workspace: &mut Workspace,
    ) {
        if is_last {
            // Of the last layer's rows nothing but the pooled ones is looked at.
            let pooled = |rows: &Range<usize>| {
                let pooled = rows.start + self.family.pooling.position(rows.len());
                pooled..pooled + 1
            };
            let pooled: Vec<Range<usize>> = inputs.iter().map(pooled).collect();
            self.attend(layer, x, inputs, &pooled, workspace);
        } else {
            self.attend(layer, x, inputs, inputs, workspace);
        }
        self.perceptron(layer, x, workspace);
    }

    /// Adds to the `queries` among the rows of each input what they find there; of `x` only they are left.
    fn attend(
        &self,
        layer: &LayerWeights<Packed>,
        x: &mut Vec<f32>,
        inputs: &[Range<usize>],
        queries: &[Range<usize>],
        workspace: &mut Workspace,
    ) {
        let width = self.shape.width;
        normalise(&layer.norm1, x, &mut workspace.rows, &mut workspace.row);
        workspace.query_key_value.resize(3 * x.len(), 0.0);
        let product = Out::Set(&mut workspace.query_key_value);
        layer.query_key_value.multiply(&workspace.rows, product);
        let count: usize = queries.iter().map(ExactSizeIterator::len).sum();
        if count * width < x.len() {
            let rows = queries.iter().cloned();
            *x = rows
                .flat_map(|rows| &x[rows.start * width..rows.end * width])
                .copied()
                .collect();
        }
        self.mix(inputs, queries, workspace);
        workspace.rows.resize(count, width);
        for (index, row) in workspace.mixed.chunks_exact(width).enumerate() {
            workspace.rows.set(index, row);
        }
        layer.out.multiply(&workspace.rows, Out::Add(x));
    }

    /// Fills `mixed` with a row for each query.
    fn mix(&self, inputs: &[Range<usize>], queries: &[Range<usize>], workspace: &mut Workspace) {
        let width = self.shape.width;
        let shape = Shape {
            width,
            heads: self.shape.heads,
            is_causal: self.family.is_causal,
        };
        let count: usize = queries.iter().map(ExactSizeIterator::len).sum();
        workspace.mixed.resize(count * width, 0.0);
        let mut mixed = workspace.mixed.as_mut_slice();
        for (input, queries) in inputs.iter().zip(queries) {
            let (of_input, rest) = mixed.split_at_mut(queries.len() * width);
            let all = &workspace.query_key_value;
            let heads = &mut workspace.heads;
            heads.attend(shape, all, input.clone(), queries.clone(), of_input);
            mixed = rest;
        }
    }

    fn perceptron(&self, layer: &LayerWeights<Packed>, x: &mut [f32], workspace: &mut Workspace) {
        let Workspace {
            rows,
            hidden_rows,
            row,
            hidden,
            ..
        } = workspace;
        let width = self.shape.width;
        let hidden_width = layer.fc1.columns();
        for x in x.chunks_mut(even_part(x.len() / width) * width) {
            normalise(&layer.norm2, x, rows, row);
            let count = x.len() / width;
            hidden.resize(count * hidden_width, 0.0);
            layer
                .fc1
                .multiply(rows, Out::Activate(self.shape.activation, hidden));
            hidden_rows.resize(count, hidden_width);
            for (index, row) in hidden.chunks_exact(hidden_width).enumerate() {
                hidden_rows.set(index, row);
            }
            layer.fc2.multiply(hidden_rows, Out::Add(x));
        }
    }
}

/// Converts rows after their layer norm.
fn normalise(norm: &LayerNorm, x: &[f32], rows: &mut Rows, row: &mut Vec<f32>) {
    let width = norm.weight.len();
    row.resize(width, 0.0);
    rows.resize(x.len() / width, width);
    for (index, x) in x.chunks_exact(width).enumerate() {
        norm.apply(x, row);
        rows.set(index, row);
    }
}

/// The size of parts of about [`PERCEPTRON_ROWS`]: equal ones, as a short last one would cost nearly as much as a whole one.
fn even_part(rows: usize) -> usize {
    rows.div_ceil(rows.div_ceil(PERCEPTRON_ROWS).max(1))
        .next_multiple_of(kernels::TILE_ROWS)
}
