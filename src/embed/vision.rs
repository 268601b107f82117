//! The image tower: pixels to features in the joint space.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};

use super::Pixels;
use super::transformer::{Dense, Encoder, layer_norm, rows};
use crate::model::{Architecture, Preprocessing};

/// A vision transformer; `P` patches, `S = 1 + P` positions, the first of which is pooled.
#[derive(Debug)]
pub(super) struct VisionTower {
    /// `[3]`: what a byte is multiplied with, and what is added, so that the pixels are rescaled and normalised.
    scale: Tensor,
    offset: Tensor,
    patches: Dense,
    class: Tensor,
    positions: Tensor,
    pre_norm: LayerNorm,
    encoder: Encoder,
    post_norm: LayerNorm,
    projection: Dense,
    patch_size: usize,
}

impl VisionTower {
    pub(super) fn load(
        architecture: &Architecture,
        preprocessing: &Preprocessing,
        weights: &VarBuilder<'_>,
    ) -> Result<VisionTower> {
        let vision = &architecture.vision;
        let (tower, patch_size) = (&vision.tower, vision.patch_size);
        let model = weights.pp("vision_model");
        let embeddings = model.pp("embeddings");
        let position_count = 1 + (vision.image_size / patch_size).pow(2);
        // A convolution whose stride is its kernel is a product with the flattened kernel.
        let kernel = embeddings.get(
            (tower.width, 3, patch_size, patch_size),
            "patch_embedding.weight",
        )?;
        let norm = |name| layer_norm(tower.width, tower.layer_norm_eps, &model.pp(name));
        let (scale, offset) = normalisation(preprocessing, weights)?;
        Ok(VisionTower {
            scale,
            offset,
            patches: Dense::new(&kernel.flatten_from(1)?, None)?,
            class: embeddings.get(tower.width, "class_embedding")?,
            positions: embeddings
                .get((position_count, tower.width), "position_embedding.weight")?,
            // The missing letter is in every checkpoint.
            pre_norm: norm("pre_layrnorm")?,
            encoder: Encoder::load(tower, &model.pp("encoder"))?,
            post_norm: norm("post_layernorm")?,
            projection: Dense::load_projection(
                tower.width,
                architecture.projection_dim,
                &weights.pp("visual_projection"),
            )?,
            patch_size,
        })
    }

    /// Features of each picture, `projection_dim` values, not normalised.
    pub(super) fn forward(&self, batch: &[Pixels]) -> Result<Vec<Vec<f32>>> {
        let patches = self.patches.forward(&self.patchify(batch)?)?;
        let (count, _, width) = patches.dims3()?;
        let class = self.class.broadcast_as((count, 1, width))?;
        let x = Tensor::cat(&[&class, &patches], 1)?.broadcast_add(&self.positions)?;
        let x = self.encoder.forward(&self.pre_norm.forward(&x)?, None)?;
        let pooled = self
            .post_norm
            .forward(&x.narrow(1, 0, 1)?.squeeze(1)?.contiguous()?)?;
        rows(&self.projection.forward(&pooled)?)
    }

    /// `[B, P, 3 · patch_size²]`, normalised, each patch in the order of the flattened kernel: channel, row, column.
    fn patchify(&self, batch: &[Pixels]) -> Result<Tensor> {
        let (side, patch) = (batch.first().map_or(0, Pixels::side), self.patch_size);
        let grid = side / patch;
        let bytes: Vec<u8> = batch.iter().flat_map(Pixels::bytes).copied().collect();
        // Bytes, not floats, travel to the device.
        let pixels = Tensor::from_vec(bytes, (batch.len(), side, side, 3), &self.device())?;
        let pixels = pixels
            .to_dtype(DType::F32)?
            .broadcast_mul(&self.scale)?
            .broadcast_add(&self.offset)?;
        let patches = pixels
            .reshape(&[batch.len(), grid, patch, grid, patch, 3])?
            .permute([0, 1, 3, 5, 2, 4])?;
        patches
            .contiguous()?
            .reshape((batch.len(), grid * grid, 3 * patch * patch))?
            .to_dtype(self.class.dtype())
    }

    fn device(&self) -> Device {
        self.class.device().clone()
    }
}

/// `(byte · rescale_factor - mean) / std` as one multiplication and one addition, in f32.
fn normalisation(
    preprocessing: &Preprocessing,
    weights: &VarBuilder<'_>,
) -> Result<(Tensor, Tensor)> {
    let Preprocessing {
        image_mean: mean,
        image_std: std,
        rescale_factor,
        ..
    } = preprocessing;
    let scale: Vec<f32> = std.iter().map(|std| rescale_factor / std).collect();
    let offset: Vec<f32> = mean
        .iter()
        .zip(std)
        .map(|(mean, std)| -mean / std)
        .collect();
    Ok((
        Tensor::new(scale, weights.device())?,
        Tensor::new(offset, weights.device())?,
    ))
}
