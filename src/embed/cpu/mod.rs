//! The towers on the processor: the same arithmetic as on candle tensors, on weights that are packed once.
//!
//! A tower works on one thread at a time and is shared by several, each with a [`Workspace`] of its own. Inputs of a
//! batch lie one after the other, each with as many positions as it has; nothing is padded.

mod attention;
mod encoder;
mod text;
mod vision;

pub(super) use encoder::Workspace;
pub(super) use text::TextTower;
pub(super) use vision::VisionTower;

use candle_core::Result;
use candle_core::shape::Shape;
use candle_nn::VarBuilder;

use crate::kernels::{Format, LayerNorm, Weights};

/// A weight's values.
fn values(weights: &VarBuilder<'_>, shape: impl Into<Shape>, name: &str) -> Result<Vec<f32>> {
    weights.get(shape.into(), name)?.flatten_all()?.to_vec1()
}

fn layer_norm(width: usize, eps: f64, weights: &VarBuilder<'_>) -> Result<LayerNorm> {
    Ok(LayerNorm {
        weight: values(weights, width, "weight")?,
        bias: values(weights, width, "bias")?,
        eps: eps as f32,
    })
}

/// A projection into the joint space, which has no bias.
fn projection(
    format: Format,
    input: usize,
    output: usize,
    weights: &VarBuilder<'_>,
) -> Result<Weights> {
    let weight = values(weights, (output, input), "weight")?;
    Ok(Weights::pack(format, &weight, vec![0.0; output]))
}
