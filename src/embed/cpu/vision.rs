//! The image tower: pixels to features in the joint space.

use candle_core::Result;
use candle_nn::VarBuilder;

use super::encoder::{Encoder, Input, normalise};
use super::{Workspace, layer_norm, projection, values};
use crate::embed::Pixels;
use crate::kernels::{LayerNorm, NumberFormat, Out, PackedWeights};
use crate::model::{Architecture, Preprocessing};

/// A vision transformer; `P` patches, `S = 1 + P` positions, the first of which is pooled.
#[derive(Debug)]
pub(in crate::embed) struct VisionTower {
    /// What each byte of red, green and blue is after rescaling and normalising.
    normalised: [Vec<f32>; 3],
    patches: PackedWeights,
    /// `[S, W]`, the first with the class embedding added.
    positions: Vec<f32>,
    pre_norm: LayerNorm,
    encoder: Encoder,
    post_norm: LayerNorm,
    projection: PackedWeights,
    patch_size: usize,
}

impl VisionTower {
    pub(in crate::embed) fn load(
        architecture: &Architecture,
        preprocessing: &Preprocessing,
        weights: &VarBuilder<'_>,
        format: NumberFormat,
    ) -> Result<VisionTower> {
        let vision = &architecture.vision;
        let (tower, patch_size) = (&vision.tower, vision.patch_size);
        let model = weights.pp("vision_model");
        let embeddings = model.pp("embeddings");
        // A convolution whose stride is its kernel is a product with the flattened kernel.
        let kernel = values(
            &embeddings,
            (tower.width, 3, patch_size, patch_size),
            "patch_embedding.weight",
        )?;
        let norm = |name| layer_norm(tower.width, tower.layer_norm_eps, &model.pp(name));
        let projection_dim = architecture.projection_dim;
        Ok(VisionTower {
            normalised: [0, 1, 2].map(|channel| normalised(preprocessing, channel)),
            patches: PackedWeights::pack(format, &kernel, vec![0.0; tower.width]),
            positions: positions(architecture, &embeddings)?,
            // The missing letter is in every checkpoint.
            pre_norm: norm("pre_layrnorm")?,
            encoder: Encoder::load(tower, false, &model.pp("encoder"), format)?,
            post_norm: norm("post_layernorm")?,
            projection: projection(
                format,
                tower.width,
                projection_dim,
                &weights.pp("visual_projection"),
            )?,
            patch_size,
        })
    }

    /// Features of each picture, `projection_dim` values, not normalised.
    pub(in crate::embed) fn forward(
        &self,
        batch: &[Pixels],
        workspace: &mut Workspace,
    ) -> Vec<Vec<f32>> {
        let mut x = self.embed(batch, workspace);
        let positions = x.len() / self.pre_norm.weight.len() / batch.len().max(1);
        let input = |index| Input {
            rows: index * positions..(index + 1) * positions,
            pooled: index * positions,
        };
        let inputs: Vec<Input> = (0..batch.len()).map(input).collect();
        self.encoder.forward(&mut x, &inputs, workspace);
        normalise(&self.post_norm, &x, &mut workspace.rows, &mut workspace.row);
        let mut features = vec![0.0; batch.len() * self.projection.columns()];
        self.projection
            .multiply(&workspace.rows, Out::Set(&mut features));
        features
            .chunks(self.projection.columns())
            .map(<[f32]>::to_vec)
            .collect()
    }

    /// The encoder's input: class and patches with their positions, after the first layer norm.
    fn embed(&self, batch: &[Pixels], workspace: &mut Workspace) -> Vec<f32> {
        let width = self.pre_norm.weight.len();
        let patch_count = self.positions.len() / width - 1;
        self.patchify(batch, workspace);
        let mut patches = vec![0.0; batch.len() * patch_count * width];
        self.patches
            .multiply(&workspace.rows, Out::Set(&mut patches));
        let mut x = Vec::with_capacity(batch.len() * self.positions.len());
        let class = vec![0.0; width];
        for patches in patches.chunks(patch_count * width) {
            let rows = class.chunks(width).chain(patches.chunks(width));
            for (row, position) in rows.zip(self.positions.chunks(width)) {
                workspace.row.clear();
                workspace
                    .row
                    .extend(row.iter().zip(position).map(|(x, position)| x + position));
                let start = x.len();
                x.resize(start + width, 0.0);
                self.pre_norm.apply(&workspace.row, &mut x[start..]);
            }
        }
        x
    }

    /// One row for each patch, in the order of the flattened kernel: channel, row, column.
    fn patchify(&self, batch: &[Pixels], workspace: &mut Workspace) {
        let (side, patch) = (batch.first().map_or(0, Pixels::side), self.patch_size);
        let grid = side / patch;
        workspace
            .rows
            .resize(batch.len() * grid * grid, 3 * patch * patch);
        for (index, row) in (0..batch.len() * grid * grid).enumerate() {
            let (picture, top, left) = (
                row / (grid * grid),
                row / grid % grid * patch,
                row % grid * patch,
            );
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
            workspace.rows.set(index, &workspace.row);
        }
    }
}

/// `(byte · rescale_factor - mean) / std` for each byte.
fn normalised(preprocessing: &Preprocessing, channel: usize) -> Vec<f32> {
    let (mean, std) = (
        preprocessing.image_mean[channel],
        preprocessing.image_std[channel],
    );
    let value = |byte: u8| (f32::from(byte) * preprocessing.rescale_factor - mean) / std;
    (0..=u8::MAX).map(value).collect()
}

fn positions(architecture: &Architecture, embeddings: &VarBuilder<'_>) -> Result<Vec<f32>> {
    let vision = &architecture.vision;
    let width = vision.tower.width;
    let count = 1 + (vision.image_size / vision.patch_size).pow(2);
    let mut positions = values(embeddings, (count, width), "position_embedding.weight")?;
    let class = values(embeddings, width, "class_embedding")?;
    positions
        .iter_mut()
        .zip(class)
        .for_each(|(position, class)| *position += class);
    Ok(positions)
}
