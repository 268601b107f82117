//! The towers on candle tensors: how they run on a GPU, and what the packed ones must equal. Shapes: `B` inputs, `S`
//! positions, `W` width.

mod text;
mod vision;

pub(super) use vision::VisionTower;

use candle_core::{DType, IndexOp, Result, Tensor};
use candle_nn::{LayerNorm, Module, ops};

use super::checkpoint::StoredRows;
use super::weights::{Form, LayerWeights, Perceptron, PoolingHead, TowerWeights};
use crate::kernels::Activation;

/// Slope of the sigmoid in quick-GELU, `x · σ(1.702 x)` (Hendrycks and Gimpel 2016, section 2).
const QUICK_GELU_SLOPE: f64 = 1.702;

/// Weights as tensors.
pub(super) struct Tensors;

impl Form for Tensors {
    type Dense = Dense;
    type Norm = LayerNorm;
    type Rows = Tensor;
    type Tokens = Tensor;

    fn dense(&self, weight: Tensor, bias: Option<Tensor>) -> Result<Dense> {
        let weight = weight.t()?.contiguous()?;
        Ok(Dense { weight, bias })
    }

    fn norm(&self, weight: Tensor, bias: Tensor, eps: f64) -> Result<LayerNorm> {
        Ok(LayerNorm::new(weight, bias, eps))
    }

    fn rows(&self, rows: Tensor) -> Result<Tensor> {
        Ok(rows)
    }

    /// On the device, where a look into a file would be the slowest of all.
    fn tokens(
        &self,
        _: Option<StoredRows>,
        read: impl FnOnce() -> Result<Tensor>,
    ) -> Result<Tensor> {
        read()
    }

    /// Quick-GELU is `silu(1.702 x) / 1.702`; both factors go into the weights, since candle's silu runs on all cores
    /// and its sigmoid on one.
    fn hidden_factor(&self, activation: Activation) -> Option<f64> {
        (activation == Activation::QuickGelu).then_some(QUICK_GELU_SLOPE)
    }

    /// One after the other: a device has one queue, and the memory for one layer at a time.
    fn layers<T: Send>(
        &self,
        count: usize,
        load: impl Fn(usize) -> Result<T> + Send + Sync,
    ) -> Result<Vec<T>> {
        (0..count).map(load).collect()
    }
}

/// `x · weight + bias`.
///
/// The weight is kept transposed and contiguous, `[in, out]`: candle's product packs a transposed view anew each call.
pub(super) struct Dense {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Module for Dense {
    /// `[.., in]` to `[.., out]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (input, output) = self.weight.dims2()?;
        let mut dims = x.dims().to_vec();
        // One large product instead of one for each input of the batch.
        let rows = x.elem_count() / input;
        let mut y = x.reshape((rows, input))?.matmul(&self.weight)?;
        if let Some(bias) = &self.bias {
            y = y.broadcast_add(bias)?;
        }
        if let Some(last) = dims.last_mut() {
            *last = output;
        }
        y.reshape(dims)
    }
}

impl TowerWeights<Tensors> {
    /// Features of each input, `projection_dim` values, not normalised. `x` is `[B, S, W]`, without positions; `lengths`
    /// are the positions that each input has of its own, behind which causality keeps padding from changing anything.
    fn features(&self, x: &Tensor, lengths: &[usize]) -> Result<Vec<Vec<f32>>> {
        let (_, positions, _) = x.dims3()?;
        let mut x = x.broadcast_add(&self.positions.narrow(0, 0, positions)?)?;
        if let Some(norm) = &self.pre_norm {
            x = norm.forward(&x)?;
        }
        let mask = self.family.is_causal.then(|| causal_mask(positions, &x));
        let mask = mask.transpose()?;
        for layer in &self.layers {
            x = self.layer(layer, &x, mask.as_ref())?;
        }
        let mut pooled = match &self.head {
            Some(head) => self.pool(head, &self.final_norm.forward(&x)?)?,
            None => self.final_norm.forward(&self.pooled(&x, lengths)?)?,
        };
        if let Some(projection) = &self.projection {
            pooled = projection.forward(&pooled)?;
        }
        pooled.to_dtype(DType::F32)?.to_vec2()
    }

    /// The position of each input that stands for it, `[B, W]`.
    fn pooled(&self, x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        let (_, positions, _) = x.dims3()?;
        let pooling = self.family.pooling;
        let pooled = lengths.iter().enumerate();
        let pooled: Vec<u32> = pooled
            .map(|(row, length)| (row * positions + pooling.position(*length).unwrap_or(0)) as u32)
            .collect();
        let pooled = Tensor::new(pooled, x.device())?;
        x.flatten(0, 1)?.index_select(&pooled, 0)
    }

    /// What the heads find in `[B, S, W]`, `[B, W]`.
    fn pool(&self, head: &PoolingHead<Tensors>, x: &Tensor) -> Result<Tensor> {
        let (batch, _, width) = x.dims3()?;
        let heads = self.shape.heads;
        let queries = head.queries.unsqueeze(0)?;
        let queries = queries.broadcast_as((batch, heads, width))?.contiguous()?;
        let logits = queries.matmul(&x.t()?.contiguous()?)?;
        let mixed = ops::softmax_last_dim(&logits)?.matmul(x)?;
        // All heads' values of all mixtures, of which each head has its part of its own.
        let values = head.value.forward(&mixed)?;
        let values = values.reshape((batch, heads, heads, width / heads))?;
        let own: Vec<Tensor> = (0..heads)
            .map(|head| values.i((.., head, head, ..)))
            .collect::<Result<_>>()?;
        let found = head.out.forward(&Tensor::cat(&own, 1)?)?;
        &found + self.perceptron(&head.perceptron, &found)?
    }

    /// Without what goes past it.
    fn perceptron(&self, perceptron: &Perceptron<Tensors>, x: &Tensor) -> Result<Tensor> {
        let hidden = perceptron.fc1.forward(&perceptron.norm.forward(x)?)?;
        let active = match self.shape.activation {
            Activation::QuickGelu => hidden.silu()?,
            Activation::Gelu => hidden.gelu_erf()?,
            Activation::GeluTanh => hidden.gelu()?,
        };
        perceptron.fc2.forward(&active)
    }

    fn layer(
        &self,
        layer: &LayerWeights<Tensors>,
        x: &Tensor,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let x = (x + self.attend(layer, &layer.norm1.forward(x)?, mask)?)?;
        &x + self.perceptron(&layer.perceptron, &x)?
    }

    /// `[B, S, W]` to `[B, S, W]`; `mask` `[S, S]` is added to the logits.
    fn attend(
        &self,
        layer: &LayerWeights<Tensors>,
        x: &Tensor,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let heads = self.shape.heads;
        let (batch, positions, width) = x.dims3()?;
        let head_width = width / heads;
        let all = layer
            .query_key_value
            .forward(x)?
            .reshape((batch, positions, 3, heads, head_width))?;
        let all = all.permute((2, 0, 3, 1, 4))?.contiguous()?;
        let query = all.get(0)?;
        let key = all.get(1)?;
        let value = all.get(2)?;
        let mut logits = query.matmul(&key.t()?)?;
        if let Some(mask) = mask {
            logits = logits.broadcast_add(mask)?;
        }
        let mixed = ops::softmax_last_dim(&logits)?.matmul(&value)?;
        layer.out.forward(
            &mixed
                .transpose(1, 2)?
                .contiguous()?
                .reshape((batch, positions, width))?,
        )
    }
}

/// `[S, S]`: zero up to the diagonal, minus infinity above it, so that no position sees a later one.
fn causal_mask(positions: usize, x: &Tensor) -> Result<Tensor> {
    let mask: Vec<f32> = (0..positions)
        .flat_map(|row| {
            (0..positions).map(move |column| if column > row { f32::NEG_INFINITY } else { 0.0 })
        })
        .collect();
    Tensor::from_vec(mask, (positions, positions), x.device())?.to_dtype(x.dtype())
}
