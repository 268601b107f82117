//! The text tower on packed weights: token ids to features in the joint space.

use super::{Packed, Workspace};
use crate::embed::weights::TextWeights;

impl TextWeights<Packed> {
    /// Features of each text, `projection_dim` values, not normalised. Each entry of `batch` ends with end-of-text.
    pub(in crate::embed) fn forward(
        &self,
        batch: &[Vec<u32>],
        workspace: &mut Workspace,
    ) -> Vec<Vec<f32>> {
        let width = self.tower.shape.width;
        let mut x = Vec::new();
        let mut inputs = Vec::new();
        for ids in batch {
            let start = x.len() / width;
            for id in ids {
                self.tokens.append(*id as usize, width, &mut x);
            }
            inputs.push(start..start + ids.len());
        }
        self.tower.features(x, &inputs, workspace)
    }
}
