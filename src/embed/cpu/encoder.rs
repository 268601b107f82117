//! The transformer that both towers are made of.

use std::ops::Range;

use candle_core::Result;
use candle_nn::VarBuilder;
use rayon::prelude::*;

use super::attention::{self, Heads};
use super::{layer_norm, values};
use crate::kernels::{self, LayerNorm, NumberFormat, Out, PackedWeights, Rows};
use crate::model::{Activation, Tower};

/// Rows that go through both products of a perceptron together, so that what lies between stays in the cache.
const PERCEPTRON_ROWS: usize = 96;

/// One input of a batch: its rows, and the one of them that stands for it in the end.
#[derive(Debug, Clone)]
pub(super) struct Input {
    pub(super) rows: Range<usize>,
    pub(super) pooled: usize,
}

/// What a thread needs to run towers of one format; kept from batch to batch.
#[derive(Debug)]
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

#[derive(Debug)]
struct Layer {
    norm1: LayerNorm,
    /// Queries, keys and values in one product; the queries' `1/√head_width` is folded into its weights.
    query_key_value: PackedWeights,
    out: PackedWeights,
    norm2: LayerNorm,
    fc1: PackedWeights,
    fc2: PackedWeights,
}

/// A stack of pre-norm transformer layers.
#[derive(Debug)]
pub(super) struct Encoder {
    layers: Vec<Layer>,
    width: usize,
    heads: usize,
    activation: kernels::Activation,
    is_causal: bool,
}

impl Encoder {
    pub(super) fn load(
        tower: &Tower,
        is_causal: bool,
        weights: &VarBuilder<'_>,
        format: NumberFormat,
    ) -> Result<Encoder> {
        let layers = weights.pp("layers");
        let load = |index: usize| Layer::load(tower, &layers.pp(index), format);
        Ok(Encoder {
            layers: (0..tower.layers)
                .into_par_iter()
                .map(load)
                .collect::<Result<_>>()?,
            width: tower.width,
            heads: tower.heads,
            activation: match tower.activation {
                Activation::QuickGelu => kernels::Activation::QuickGelu,
                Activation::Gelu => kernels::Activation::Gelu,
            },
            is_causal,
        })
    }

    /// Runs all rows, `[rows, width]`, and leaves the pooled one of each input.
    pub(super) fn forward(&self, x: &mut Vec<f32>, inputs: &[Input], workspace: &mut Workspace) {
        let Some((last, layers)) = self.layers.split_last() else {
            return;
        };
        for layer in layers {
            self.attend(layer, x, inputs, false, workspace);
            self.perceive(layer, x, workspace);
        }
        // Of the last layer's rows nothing but the pooled ones is looked at.
        self.attend(last, x, inputs, true, workspace);
        self.perceive(last, x, workspace);
    }

    fn attend(
        &self,
        layer: &Layer,
        x: &mut Vec<f32>,
        inputs: &[Input],
        only_pooled: bool,
        workspace: &mut Workspace,
    ) {
        let Workspace {
            rows,
            row,
            query_key_value,
            mixed,
            heads,
            ..
        } = workspace;
        normalise(&layer.norm1, x, rows, row);
        query_key_value.resize(3 * x.len(), 0.0);
        layer
            .query_key_value
            .multiply(rows, Out::Set(query_key_value));
        let queries = |input: &Input| {
            if only_pooled {
                input.pooled..input.pooled + 1
            } else {
                input.rows.clone()
            }
        };
        if only_pooled {
            *x = inputs
                .iter()
                .flat_map(|input| &x[input.pooled * self.width..][..self.width])
                .copied()
                .collect();
        }
        mixed.resize(x.len(), 0.0);
        let mut mixed_rows = mixed.as_mut_slice();
        for input in inputs {
            let queries = queries(input);
            let (of_input, rest) = mixed_rows.split_at_mut(queries.len() * self.width);
            let shape = attention::Shape {
                width: self.width,
                heads: self.heads,
                is_causal: self.is_causal,
            };
            heads.attend(
                shape,
                query_key_value,
                input.rows.clone(),
                queries,
                of_input,
            );
            mixed_rows = rest;
        }
        rows.resize(x.len() / self.width, self.width);
        for (index, row) in mixed.chunks_exact(self.width).enumerate() {
            rows.set(index, row);
        }
        layer.out.multiply(rows, Out::Add(x));
    }

    fn perceive(&self, layer: &Layer, x: &mut [f32], workspace: &mut Workspace) {
        let Workspace {
            rows,
            hidden_rows,
            row,
            hidden,
            ..
        } = workspace;
        let hidden_width = layer.fc1.columns();
        for x in x.chunks_mut(even_part(x.len() / self.width) * self.width) {
            normalise(&layer.norm2, x, rows, row);
            let count = x.len() / self.width;
            hidden.resize(count * hidden_width, 0.0);
            layer
                .fc1
                .multiply(rows, Out::Activate(self.activation, hidden));
            hidden_rows.resize(count, hidden_width);
            for (index, row) in hidden.chunks_exact(hidden_width).enumerate() {
                hidden_rows.set(index, row);
            }
            layer.fc2.multiply(hidden_rows, Out::Add(x));
        }
    }
}

/// Converts rows after their layer norm.
pub(super) fn normalise(norm: &LayerNorm, x: &[f32], rows: &mut Rows, row: &mut Vec<f32>) {
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

impl Layer {
    fn load(tower: &Tower, weights: &VarBuilder<'_>, format: NumberFormat) -> Result<Layer> {
        let (width, intermediate) = (tower.width, tower.intermediate);
        let norm = |name| layer_norm(width, tower.layer_norm_eps, &weights.pp(name));
        let dense = |name: &str, input: usize, output: usize| {
            let weights = weights.pp(name);
            let weight = values(&weights, (output, input), "weight")?;
            Ok::<_, candle_core::Error>(PackedWeights::pack(
                format,
                &weight,
                values(&weights, output, "bias")?,
            ))
        };
        Ok(Layer {
            norm1: norm("layer_norm1")?,
            query_key_value: query_key_value(tower, &weights.pp("self_attn"), format)?,
            out: dense("self_attn.out_proj", width, width)?,
            norm2: norm("layer_norm2")?,
            fc1: dense("mlp.fc1", width, intermediate)?,
            fc2: dense("mlp.fc2", intermediate, width)?,
        })
    }
}

fn query_key_value(
    tower: &Tower,
    weights: &VarBuilder<'_>,
    format: NumberFormat,
) -> Result<PackedWeights> {
    let width = tower.width;
    let scale = 1.0 / ((width / tower.heads) as f32).sqrt();
    let (mut weight, mut bias) = (Vec::new(), Vec::new());
    for (name, scale) in [("q_proj", scale), ("k_proj", 1.0), ("v_proj", 1.0)] {
        let part = weights.pp(name);
        weight.extend(
            values(&part, (width, width), "weight")?
                .iter()
                .map(|value| value * scale),
        );
        bias.extend(
            values(&part, width, "bias")?
                .iter()
                .map(|value| value * scale),
        );
    }
    Ok(PackedWeights::pack(format, &weight, bias))
}
