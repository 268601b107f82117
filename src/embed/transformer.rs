//! The transformer that both towers are made of, on candle tensors. Shapes: `B` inputs, `S` positions, `W` width.
//!
//! Names of weights are Hugging Face's. Every tensor is asked for by name and shape, so that a model which lacks one is
//! refused by that name.

use candle_core::{D, Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder, ops};

use crate::model::{Activation, Tower};

/// Slope of the sigmoid in quick-GELU, `x · σ(1.702 x)` (Hendrycks and Gimpel 2016, section 2).
const QUICK_GELU_SLOPE: f64 = 1.702;

/// `x · weight + bias`.
///
/// The weight is kept transposed and contiguous, `[in, out]`: candle's product packs a transposed view anew each call.
#[derive(Debug)]
pub(super) struct Dense {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Dense {
    /// From weights as they are stored, `[out, in]`.
    pub(super) fn new(weight: &Tensor, bias: Option<Tensor>) -> Result<Dense> {
        Ok(Dense {
            weight: weight.t()?.contiguous()?,
            bias,
        })
    }

    fn load(input: usize, output: usize, weights: &VarBuilder<'_>) -> Result<Dense> {
        Dense::new(
            &weights.get((output, input), "weight")?,
            Some(weights.get(output, "bias")?),
        )
    }

    /// A projection into the joint space, which has no bias.
    pub(super) fn load_projection(
        input: usize,
        output: usize,
        weights: &VarBuilder<'_>,
    ) -> Result<Dense> {
        Dense::new(&weights.get((output, input), "weight")?, None)
    }

    fn scaled(self, factor: f64) -> Result<Dense> {
        let bias = self.bias.map(|bias| bias.affine(factor, 0.0)).transpose()?;
        Ok(Dense {
            weight: self.weight.affine(factor, 0.0)?,
            bias,
        })
    }
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

pub(super) fn layer_norm(width: usize, eps: f64, weights: &VarBuilder<'_>) -> Result<LayerNorm> {
    Ok(LayerNorm::new(
        weights.get(width, "weight")?,
        weights.get(width, "bias")?,
        eps,
    ))
}

#[derive(Debug)]
struct Attention {
    /// Queries, keys and values in one product; the queries' `1/√head_width` is folded into its weights.
    query_key_value: Dense,
    out: Dense,
    heads: usize,
}

impl Attention {
    fn load(tower: &Tower, weights: &VarBuilder<'_>) -> Result<Attention> {
        let width = tower.width;
        let part = |name| Dense::load(width, width, &weights.pp(name));
        let scale = 1.0 / ((width / tower.heads) as f64).sqrt();
        let parts = [
            part("q_proj")?.scaled(scale)?,
            part("k_proj")?,
            part("v_proj")?,
        ];
        let biases: Vec<&Tensor> = parts.iter().filter_map(|part| part.bias.as_ref()).collect();
        let query_key_value = Dense {
            weight: Tensor::cat(&parts.each_ref().map(|part| &part.weight), 1)?.contiguous()?,
            bias: Some(Tensor::cat(&biases, 0)?),
        };
        Ok(Attention {
            query_key_value,
            out: part("out_proj")?,
            heads: tower.heads,
        })
    }

    /// `[B, S, W]` to `[B, S, W]`; `mask` `[S, S]` is added to the logits.
    fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (batch, positions, width) = x.dims3()?;
        let head_width = width / self.heads;
        let all = self
            .query_key_value
            .forward(x)?
            .reshape((batch, positions, 3, self.heads, head_width))?;
        let all = all.permute((2, 0, 3, 1, 4))?.contiguous()?;
        let (query, key, value) = (all.get(0)?, all.get(1)?, all.get(2)?);
        let mut logits = query.matmul(&key.t()?)?;
        if let Some(mask) = mask {
            logits = logits.broadcast_add(mask)?;
        }
        let mixed = ops::softmax_last_dim(&logits)?.matmul(&value)?;
        self.out.forward(
            &mixed
                .transpose(1, 2)?
                .contiguous()?
                .reshape((batch, positions, width))?,
        )
    }
}

#[derive(Debug)]
struct Mlp {
    fc1: Dense,
    fc2: Dense,
    activation: Activation,
}

impl Mlp {
    /// Quick-GELU is `silu(1.702 x) / 1.702`; both factors go into the weights, since candle's silu runs on all cores
    /// and its sigmoid on one.
    fn load(tower: &Tower, weights: &VarBuilder<'_>) -> Result<Mlp> {
        let fc1 = Dense::load(tower.width, tower.intermediate, &weights.pp("fc1"))?;
        let fc2 = Dense::load(tower.intermediate, tower.width, &weights.pp("fc2"))?;
        let (fc1, fc2) = match tower.activation {
            Activation::QuickGelu => {
                let fc2 = Dense {
                    weight: fc2.weight.affine(1.0 / QUICK_GELU_SLOPE, 0.0)?,
                    bias: fc2.bias,
                };
                (fc1.scaled(QUICK_GELU_SLOPE)?, fc2)
            }
            Activation::Gelu => (fc1, fc2),
        };
        Ok(Mlp {
            fc1,
            fc2,
            activation: tower.activation,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let hidden = self.fc1.forward(x)?;
        let active = match self.activation {
            Activation::QuickGelu => hidden.silu()?,
            Activation::Gelu => hidden.gelu_erf()?,
        };
        self.fc2.forward(&active)
    }
}

#[derive(Debug)]
struct Layer {
    norm1: LayerNorm,
    attention: Attention,
    norm2: LayerNorm,
    mlp: Mlp,
}

impl Layer {
    fn load(tower: &Tower, weights: &VarBuilder<'_>) -> Result<Layer> {
        let norm = |name| layer_norm(tower.width, tower.layer_norm_eps, &weights.pp(name));
        Ok(Layer {
            norm1: norm("layer_norm1")?,
            attention: Attention::load(tower, &weights.pp("self_attn"))?,
            norm2: norm("layer_norm2")?,
            mlp: Mlp::load(tower, &weights.pp("mlp"))?,
        })
    }

    fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let x = (x + self.attention.forward(&self.norm1.forward(x)?, mask)?)?;
        &x + self.mlp.forward(&self.norm2.forward(&x)?)?
    }
}

/// A stack of pre-norm transformer layers.
#[derive(Debug)]
pub(super) struct Encoder {
    layers: Vec<Layer>,
}

impl Encoder {
    pub(super) fn load(tower: &Tower, weights: &VarBuilder<'_>) -> Result<Encoder> {
        let layers = weights.pp("layers");
        let layers = (0..tower.layers)
            .map(|index| Layer::load(tower, &layers.pp(index)))
            .collect::<Result<_>>()?;
        Ok(Encoder { layers })
    }

    /// `[B, S, W]` to `[B, S, W]`.
    pub(super) fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        self.layers
            .iter()
            .try_fold(x.clone(), |x, layer| layer.forward(&x, mask))
    }
}

/// The rows of `[B, D]`, as f32.
pub(super) fn rows(features: &Tensor) -> Result<Vec<Vec<f32>>> {
    debug_assert_eq!(
        features.rank(),
        2,
        "one row for each input, got {:?}",
        features.dim(D::Minus1)
    );
    features.to_dtype(candle_core::DType::F32)?.to_vec2()
}
