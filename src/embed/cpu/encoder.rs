//! The transformer that both towers are made of, on packed weights.

use std::ops::Range;

use candle_core::Result;

use super::Packed;
use super::attention::{Heads, Shape};
use crate::embed::weights::{LayerWeights, Layers, Perceptron, PoolingHead, TowerWeights};
use crate::kernels::{self, LayerNorm, NumberFormat, Out, Rows};
use crate::model::TowerShape;

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

    /// From what the last layer left to the joint space.
    fn project(
        &self,
        x: &[f32],
        inputs: &[Range<usize>],
        workspace: &mut Workspace,
    ) -> Vec<Vec<f32>> {
        let width = self.shape.width;
        let mut pooled = self.normalised(x);
        if let Some(head) = &self.head {
            pooled = self.pool(head, &pooled, inputs, workspace);
        }
        let Some(projection) = &self.projection else {
            return pooled.chunks(width).map(<[f32]>::to_vec).collect();
        };
        set_rows(&mut workspace.rows, &pooled, width);
        let columns = projection.columns();
        let mut features = vec![0.0; inputs.len() * columns];
        projection.multiply(&workspace.rows, Out::Set(&mut features));
        features.chunks(columns).map(<[f32]>::to_vec).collect()
    }

    fn normalised(&self, x: &[f32]) -> Vec<f32> {
        let width = self.shape.width;
        let mut normalised = vec![0.0; x.len()];
        for (x, row) in x
            .chunks_exact(width)
            .zip(normalised.chunks_exact_mut(width))
        {
            self.final_norm.apply(x, row);
        }
        normalised
    }

    /// A row for each input: what the heads find in its rows, and what the perceptron makes of it.
    fn pool(
        &self,
        head: &PoolingHead<Packed>,
        x: &[f32],
        inputs: &[Range<usize>],
        workspace: &mut Workspace,
    ) -> Vec<f32> {
        let TowerShape { width, heads, .. } = self.shape;
        let head_width = width / heads;
        let mut mixed = vec![0.0; inputs.len() * heads * width];
        for (input, mixed) in inputs.iter().zip(mixed.chunks_exact_mut(heads * width)) {
            let x = &x[input.start * width..input.end * width];
            workspace.heads.find(&head.queries, x, width, mixed);
        }
        set_rows(&mut workspace.rows, &mixed, width);
        let mut values = vec![0.0; mixed.len()];
        head.value.multiply(&workspace.rows, Out::Set(&mut values));
        // All heads' values of all mixtures, of which each head has its part of its own.
        let own =
            |head: usize| head * (width + head_width)..head * (width + head_width) + head_width;
        let values = values.chunks_exact(heads * width);
        let values: Vec<f32> = values
            .flat_map(|values| (0..heads).flat_map(move |head| &values[own(head)]))
            .copied()
            .collect();
        set_rows(&mut workspace.rows, &values, width);
        let mut found = values;
        head.out.multiply(&workspace.rows, Out::Set(&mut found));
        self.perceptron(&head.perceptron, &mut found, workspace);
        found
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
        // Of the last layer's rows nothing but the pooled ones is looked at.
        let pooled = is_last.then(|| self.pooled(inputs)).flatten();
        let queries = pooled.as_deref().unwrap_or(inputs);
        self.attend(layer, x, inputs, queries, workspace);
        self.perceptron(&layer.perceptron, x, workspace);
    }

    /// The row that stands for each input; none where it is all of them.
    fn pooled(&self, inputs: &[Range<usize>]) -> Option<Vec<Range<usize>>> {
        let pooled = |rows: &Range<usize>| {
            let pooled = rows.start + self.family.pooling.position(rows.len())?;
            Some(pooled..pooled + 1)
        };
        inputs.iter().map(pooled).collect()
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
        set_rows(&mut workspace.rows, &workspace.mixed, width);
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

    /// Adds to each row what the perceptron makes of it.
    fn perceptron(
        &self,
        perceptron: &Perceptron<Packed>,
        x: &mut [f32],
        workspace: &mut Workspace,
    ) {
        let Workspace {
            rows,
            hidden_rows,
            row,
            hidden,
            ..
        } = workspace;
        let width = self.shape.width;
        let hidden_width = perceptron.fc1.columns();
        for x in x.chunks_mut(even_part(x.len() / width) * width) {
            normalise(&perceptron.norm, x, rows, row);
            let count = x.len() / width;
            hidden.resize(count * hidden_width, 0.0);
            let activate = Out::Activate(self.shape.activation, hidden);
            perceptron.fc1.multiply(rows, activate);
            set_rows(hidden_rows, hidden, hidden_width);
            perceptron.fc2.multiply(hidden_rows, Out::Add(x));
        }
    }
}

/// Converts rows.
fn set_rows(rows: &mut Rows, values: &[f32], width: usize) {
    rows.resize(values.len() / width, width);
    for (index, row) in values.chunks_exact(width).enumerate() {
        rows.set(index, row);
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
