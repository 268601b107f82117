//! The text tower on tensors: token ids to features in the joint space.

use candle_core::{Result, Tensor};

use super::Tensors;
use crate::embed::weights::TextWeights;

impl TextWeights<Tensors> {
    /// Features of each text, `projection_dim` values, not normalised.
    ///
    /// Each entry of `batch` ends with end-of-text. Shorter ones are padded behind it, and the tower runs only as many
    /// positions as the longest has.
    pub(in crate::embed) fn forward(&self, batch: &[Vec<u32>]) -> Result<Vec<Vec<f32>>> {
        let lengths: Vec<usize> = batch.iter().map(Vec::len).collect();
        let positions = lengths.iter().copied().max().unwrap_or(0);
        let ids: Vec<u32> = batch
            .iter()
            .flat_map(|ids| padded(ids, positions))
            .collect();
        let ids = Tensor::from_vec(ids, batch.len() * positions, self.tokens.device())?;
        let x = self.tokens.index_select(&ids, 0)?;
        let x = x.reshape((batch.len(), positions, ()))?;
        self.tower.features(&x, &lengths)
    }
}

fn padded(ids: &[u32], length: usize) -> impl Iterator<Item = u32> {
    ids.iter().copied().chain(std::iter::repeat(0)).take(length)
}
