//! The weights of a model by name, read from the bytes that hold them one at a time, so that nothing but a tower's own
//! form of them stays.

use candle_core::safetensors::SliceSafetensors;
use candle_core::{DType, Device, Error, Result, Shape, Tensor, pickle};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

use crate::model::Weights;

/// The weights, as `dtype` on `device`.
pub(super) fn open<'a>(
    weights: &'a Weights,
    dtype: DType,
    device: &Device,
) -> Result<VarBuilder<'a>> {
    match weights {
        Weights::Pickle(path) => {
            let tensors = pickle::read_all(path)?.into_iter().collect();
            Ok(VarBuilder::from_tensors(tensors, dtype, device))
        }
        Weights::Safetensors(shards) => {
            let shards = shards.iter().map(|shard| SliceSafetensors::new(shard));
            let shards = Shards(shards.collect::<Result<_>>()?);
            Ok(VarBuilder::from_backend(
                Box::new(shards),
                dtype,
                device.clone(),
            ))
        }
    }
}

/// Files that hold one tensor each only together.
struct Shards<'a>(Vec<SliceSafetensors<'a>>);

impl SimpleBackend for Shards<'_> {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        self.shard(name)?.get(shape, name, init, dtype, device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        self.shard(name)?.get_unchecked(name, dtype, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.shard(name).is_ok()
    }
}

impl Shards<'_> {
    /// The shard that holds a tensor.
    fn shard(&self, name: &str) -> Result<&dyn SimpleBackend> {
        let shard = self.0.iter().find(|shard| shard.contains_tensor(name));
        shard
            .map(|shard| shard as &dyn SimpleBackend)
            .ok_or_else(|| Error::CannotFindTensor {
                path: name.to_owned(),
            })
    }
}
