//! The image tower on packed weights: pixels to features in the joint space.

use std::ops::Range;

use candle_core::Result;

use super::{Packed, Workspace};
use crate::embed::Pixels;
use crate::embed::weights::{Layers, VisionWeights};
use crate::kernels::Out;
use crate::model::Preprocessing;

/// A vision transformer; `P` patches.
pub(in crate::embed) struct VisionTower {
    /// What each byte of red, green and blue is after rescaling and normalising.
    normalised: [Vec<f32>; 3],
    weights: VisionWeights<Packed>,
}

impl VisionTower {
    pub(in crate::embed) fn new(
        weights: VisionWeights<Packed>,
        preprocessing: &Preprocessing,
    ) -> VisionTower {
        VisionTower {
            normalised: [0, 1, 2].map(|channel| normalised(preprocessing, channel)),
            weights,
        }
    }

    /// Features of each picture, `projection_dim` values, not normalised.
    pub(in crate::embed) fn forward(
        &self,
        batch: &[Pixels],
        workspace: &mut Workspace,
    ) -> Vec<Vec<f32>> {
        let (x, inputs) = self.positions(batch, workspace);
        self.weights.tower.features(x, &inputs, workspace)
    }

    /// The same, where the layers are read when they are needed.
    pub(in crate::embed) fn forward_through(
        &self,
        layers: &Layers<'_, Packed>,
        batch: &[Pixels],
        workspace: &mut Workspace,
    ) -> Result<Vec<Vec<f32>>> {
        let (x, inputs) = self.positions(batch, workspace);
        let tower = &self.weights.tower;
        tower.features_through(layers, x, &inputs, workspace)
    }

    /// A row for each patch and for what leads them, and which rows are of which picture.
    fn positions(
        &self,
        batch: &[Pixels],
        workspace: &mut Workspace,
    ) -> (Vec<f32>, Vec<Range<usize>>) {
        let tower = &self.weights.tower;
        let width = tower.shape.width;
        let leading = tower.family.pooling.leading();
        let positions = tower.positions.len() / width;
        let patch_count = positions - leading;
        self.patchify(batch, workspace);
        let mut patches = vec![0.0; batch.len() * patch_count * width];
        let product = Out::Set(&mut patches);
        self.weights.patches.multiply(&workspace.rows, product);
        let mut x = Vec::with_capacity(batch.len() * positions * width);
        for patches in patches.chunks(patch_count * width) {
            x.resize(x.len() + leading * width, 0.0);
            x.extend_from_slice(patches);
        }
        let rows = |index| index * positions..(index + 1) * positions;
        (x, (0..batch.len()).map(rows).collect())
    }

    /// One row for each patch, in the order of the flattened kernel: channel, row, column.
    fn patchify(&self, batch: &[Pixels], workspace: &mut Workspace) {
        let side = batch.first().map_or(0, Pixels::side);
        let patch = self.weights.patch_size;
        let grid = side / patch;
        workspace
            .rows
            .resize(batch.len() * grid * grid, 3 * patch * patch);
        for row in 0..batch.len() * grid * grid {
            let picture = row / (grid * grid);
            let top = row / grid % grid * patch;
            let left = row % grid * patch;
            workspace.row.clear();
            for (channel, normalised) in self.normalised.iter().enumerate() {
                for y in top..top + patch {
                    let bytes = &batch[picture].bytes()[(y * side + left) * 3..][..patch * 3];
                    let values = bytes.iter().skip(channel).step_by(3);
                    workspace
                        .row
                        .extend(values.map(|byte| normalised[usize::from(*byte)]));
                }
            }
            workspace.rows.set(row, &workspace.row);
        }
    }
}

/// `(byte · rescale_factor - mean) / std` for each byte.
fn normalised(preprocessing: &Preprocessing, channel: usize) -> Vec<f32> {
    let mean = preprocessing.image_mean[channel];
    let std = preprocessing.image_std[channel];
    let value = |byte: u8| (f32::from(byte) * preprocessing.rescale_factor - mean) / std;
    (0..=u8::MAX).map(value).collect()
}
