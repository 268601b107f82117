//! The weights of a model by name, read from the bytes that hold them one at a time, so that nothing but a tower's own
//! form of them stays.

use candle_core::pickle::PthTensors;
use candle_core::{DType, Device, Error, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use safetensors::tensor::{Metadata, TensorInfo};

use crate::model::{Shard, Weights};

/// The weights, as `dtype` on `device`.
pub(super) fn open<'a>(
    weights: &'a Weights,
    dtype: DType,
    device: &Device,
) -> Result<VarBuilder<'a>> {
    let backend: Box<dyn SimpleBackend> = match weights {
        Weights::Pickle(path) => Box::new(PthTensors::new(path, None)?),
        Weights::Safetensors(shards) => {
            let shards = shards.iter().map(Tensors::find);
            Box::new(Shards(shards.collect::<Result<_>>()?))
        }
    };
    Ok(VarBuilder::from_backend(backend, dtype, device.clone()))
}

/// Files that hold one tensor each only together.
struct Shards<'a>(Vec<Tensors<'a>>);

/// The tensors of one file.
struct Tensors<'a> {
    shard: &'a Shard,
    header: Metadata,
    /// Where tensors begin.
    start: u64,
}

impl<'a> Tensors<'a> {
    fn find(shard: &'a Shard) -> Result<Tensors<'a>> {
        let mut length = [0; 8];
        shard.read(0, &mut length)?;
        let length = u64::from_le_bytes(length).min(shard.length());
        let mut header = vec![0; length as usize];
        shard.read(8, &mut header)?;
        Ok(Tensors {
            shard,
            header: serde_json::from_slice(&header).map_err(Error::wrap)?,
            start: 8 + length,
        })
    }

    /// Reads one tensor as it is stored.
    fn read(&self, info: &TensorInfo) -> Result<Tensor> {
        let (first, end) = info.data_offsets;
        let offset = self.start + first as u64;
        let shape = info.shape.as_slice();
        if info.dtype == safetensors::Dtype::F32 && cfg!(target_endian = "little") {
            // The way of nearly all, without a copy.
            let mut values = vec![0_f32; (end - first) / size_of::<f32>()];
            self.shard
                .read(offset, bytemuck::cast_slice_mut(&mut values))?;
            return Tensor::from_vec(values, shape, &Device::Cpu);
        }
        let mut bytes = vec![0; end - first];
        self.shard.read(offset, &mut bytes)?;
        Tensor::from_raw_buffer(&bytes, info.dtype.try_into()?, shape, &Device::Cpu)
    }
}

impl SimpleBackend for Shards<'_> {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let tensor = self.get_unchecked(name, dtype, device)?;
        if tensor.shape() == &shape {
            return Ok(tensor);
        }
        Err(Error::UnexpectedShape {
            msg: format!("shape mismatch for {name}"),
            expected: shape,
            got: tensor.shape().clone(),
        })
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        let mut found = self.0.iter();
        let found = found.find_map(|tensors| Some((tensors, tensors.header.info(name)?)));
        let (tensors, info) = found.ok_or_else(|| Error::CannotFindTensor {
            path: name.to_owned(),
        })?;
        tensors.read(info)?.to_device(device)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        let mut shards = self.0.iter();
        shards.any(|tensors| tensors.header.info(name).is_some())
    }
}
