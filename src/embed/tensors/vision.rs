//! The image tower on tensors: pixels to features in the joint space.

use candle_core::{DType, Result, Tensor};
use candle_nn::Module;

use super::Tensors;
use crate::embed::Pixels;
use crate::embed::weights::VisionWeights;
use crate::model::Preprocessing;

/// A vision transformer; `P` patches.
pub(in crate::embed) struct VisionTower {
    /// `[3]`: what a byte is multiplied with, and what is added, so that the pixels are rescaled and normalised.
    scale: Tensor,
    offset: Tensor,
    weights: VisionWeights<Tensors>,
}

impl VisionTower {
    /// `(byte · rescale_factor - mean) / std` as one multiplication and one addition, in f32.
    pub(in crate::embed) fn new(
        weights: VisionWeights<Tensors>,
        preprocessing: &Preprocessing,
    ) -> Result<VisionTower> {
        let Preprocessing {
            image_mean: mean,
            image_std: std,
            rescale_factor,
            ..
        } = preprocessing;
        let scale: Vec<f32> = std.iter().map(|std| rescale_factor / std).collect();
        let channels = mean.iter().zip(std);
        let offset: Vec<f32> = channels.map(|(mean, std)| -mean / std).collect();
        let device = weights.tower.positions.device();
        Ok(VisionTower {
            scale: Tensor::new(scale, device)?,
            offset: Tensor::new(offset, device)?,
            weights,
        })
    }

    /// Features of each picture, `projection_dim` values, not normalised.
    pub(in crate::embed) fn forward(&self, batch: &[Pixels]) -> Result<Vec<Vec<f32>>> {
        let tower = &self.weights.tower;
        let patches = self.weights.patches.forward(&self.patchify(batch)?)?;
        let x = patches.pad_with_zeros(1, tower.family.pooling.leading(), 0)?;
        let positions = x.dim(1)?;
        tower.features(&x, &vec![positions; batch.len()])
    }

    /// `[B, P, 3 · patch_size²]`, normalised, each patch in the order of the flattened kernel: channel, row, column.
    fn patchify(&self, batch: &[Pixels]) -> Result<Tensor> {
        let side = batch.first().map_or(0, Pixels::side);
        let patch = self.weights.patch_size;
        let grid = side / patch;
        let bytes: Vec<u8> = batch.iter().flat_map(Pixels::bytes).copied().collect();
        // Bytes, not floats, travel to the device.
        let pixels = Tensor::from_vec(bytes, (batch.len(), side, side, 3), self.scale.device())?;
        let pixels = pixels
            .to_dtype(DType::F32)?
            .broadcast_mul(&self.scale)?
            .broadcast_add(&self.offset)?;
        // What is left of a side beside whole patches is not looked at.
        let pixels = pixels
            .narrow(1, 0, grid * patch)?
            .narrow(2, 0, grid * patch)?;
        let patches = pixels
            .reshape(&[batch.len(), grid, patch, grid, patch, 3])?
            .permute([0, 1, 3, 5, 2, 4])?;
        patches
            .contiguous()?
            .reshape((batch.len(), grid * grid, 3 * patch * patch))?
            .to_dtype(self.weights.patches.weight.dtype())
    }
}
