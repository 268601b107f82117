//! The text tower on packed weights: token ids to features in the joint space.

use std::ops::Range;

use candle_core::Result;

use super::{Packed, Workspace};
use crate::embed::weights::{Layers, TextWeights};

impl TextWeights<Packed> {
    /// Features of each text, `projection_dim` values, not normalised. Each entry of `batch` ends with end-of-text.
    pub(in crate::embed) fn forward(
        &self,
        batch: &[Vec<u32>],
        workspace: &mut Workspace,
    ) -> Result<Vec<Vec<f32>>> {
        let (x, inputs) = self.positions(batch)?;
        Ok(self.tower.features(x, &inputs, workspace))
    }

    /// The same, where the layers are read when they are needed.
    pub(in crate::embed) fn forward_through(
        &self,
        layers: &Layers<'_, Packed>,
        batch: &[Vec<u32>],
        workspace: &mut Workspace,
    ) -> Result<Vec<Vec<f32>>> {
        let (x, inputs) = self.positions(batch)?;
        let tower = &self.tower;
        tower.features_through(layers, x, &inputs, workspace)
    }

    /// A row for each token, and which rows are of which text.
    fn positions(&self, batch: &[Vec<u32>]) -> Result<(Vec<f32>, Vec<Range<usize>>)> {
        let width = self.tower.shape.width;
        let mut x = Vec::new();
        let mut inputs = Vec::new();
        for ids in batch {
            let start = x.len() / width;
            self.tokens.append(ids, width, &mut x)?;
            inputs.push(start..start + ids.len());
        }
        Ok((x, inputs))
    }
}
