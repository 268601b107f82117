//! The text tower: token ids to features in the joint space.

use candle_core::{Device, Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};

use super::transformer::{Dense, Encoder, layer_norm, rows};
use crate::model::Architecture;

/// A causal transformer, pooled at end-of-text.
#[derive(Debug)]
pub(super) struct TextTower {
    tokens: Tensor,
    positions: Tensor,
    encoder: Encoder,
    final_norm: LayerNorm,
    projection: Dense,
}

impl TextTower {
    pub(super) fn load(architecture: &Architecture, weights: &VarBuilder<'_>) -> Result<TextTower> {
        let text = &architecture.text;
        let tower = &text.tower;
        let model = weights.pp("text_model");
        let embeddings = model.pp("embeddings");
        Ok(TextTower {
            tokens: embeddings.get((text.vocab_size, tower.width), "token_embedding.weight")?,
            positions: embeddings.get(
                (text.context_length, tower.width),
                "position_embedding.weight",
            )?,
            encoder: Encoder::load(tower, &model.pp("encoder"))?,
            final_norm: layer_norm(
                tower.width,
                tower.layer_norm_eps,
                &model.pp("final_layer_norm"),
            )?,
            projection: Dense::load_projection(
                tower.width,
                architecture.projection_dim,
                &weights.pp("text_projection"),
            )?,
        })
    }

    /// Features of each text, `projection_dim` values, not normalised.
    ///
    /// Each entry of `batch` ends with end-of-text. Shorter ones are padded behind it, where the causal mask keeps the
    /// padding from changing anything, and the tower runs only as many positions as the longest has.
    pub(super) fn forward(&self, batch: &[Vec<u32>]) -> Result<Vec<Vec<f32>>> {
        let positions = batch.iter().map(Vec::len).max().unwrap_or(0);
        let device = self.tokens.device();
        let ids: Vec<u32> = batch
            .iter()
            .flat_map(|ids| padded(ids, positions))
            .collect();
        let ids = Tensor::from_vec(ids, batch.len() * positions, device)?;
        let x = self
            .tokens
            .index_select(&ids, 0)?
            .reshape((batch.len(), positions, ()))?;
        let x = x.broadcast_add(&self.positions.narrow(0, 0, positions)?)?;
        let mask = causal_mask(positions, device)?.to_dtype(x.dtype())?;
        let x = self.encoder.forward(&x, Some(&mask))?;
        let ends: Vec<u32> = batch
            .iter()
            .enumerate()
            .map(|(row, ids)| (row * positions + ids.len() - 1) as u32)
            .collect();
        let pooled = x
            .flatten(0, 1)?
            .index_select(&Tensor::new(ends, device)?, 0)?;
        rows(
            &self
                .projection
                .forward(&self.final_norm.forward(&pooled)?)?,
        )
    }
}

fn padded(ids: &[u32], length: usize) -> impl Iterator<Item = u32> {
    ids.iter().copied().chain(std::iter::repeat(0)).take(length)
}

/// `[S, S]`: zero up to the diagonal, minus infinity above it, so that no position sees a later one.
fn causal_mask(positions: usize, device: &Device) -> Result<Tensor> {
    let mask: Vec<f32> = (0..positions)
        .flat_map(|row| {
            (0..positions).map(move |column| if column > row { f32::NEG_INFINITY } else { 0.0 })
        })
        .collect();
    Tensor::from_vec(mask, (positions, positions), device)
}
