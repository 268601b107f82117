//! The weights of a model by name, read from the bytes that hold them one at a time, so that nothing but a tower's own
//! form of them stays.

use std::ops::Range;
use std::sync::Arc;

use candle_core::pickle::PthTensors;
use candle_core::{DType, Device, Error, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use safetensors::tensor::{Metadata, TensorInfo};

use super::names::{Lies, Stored, stored};
use crate::model::{Layout, Model, Shard, Weights};

/// The weights by Hugging Face's names, as `dtype` on `device`.
pub(super) fn open<'a>(model: &'a Model, dtype: DType, device: &Device) -> Result<VarBuilder<'a>> {
    let source = match &model.weights {
        Weights::Pickle(path) => Source::Pickle(PthTensors::new(path, None)?),
        Weights::Safetensors(shards) => {
            let shards = shards.iter().map(|shard| Tensors::find(shard));
            Source::Shards(shards.collect::<Result<_>>()?)
        }
    };
    let checkpoint = Checkpoint {
        source,
        layout: model.architecture.layout,
    };
    Ok(VarBuilder::from_backend(
        Box::new(checkpoint),
        dtype,
        device.clone(),
    ))
}

/// The rows of a matrix, which stay where they are stored until one is asked for: the table of a vocabulary of many languages takes more
/// memory than both towers, and a text looks up a few rows of it.
pub(super) struct StoredRows {
    shard: Arc<Shard>,
    /// Where the first row begins.
    start: u64,
    dtype: DType,
    count: usize,
    width: usize,
}

/// The rows of a matrix by Hugging Face's name; `None` where they lie so that none of them can be read alone.
pub(super) fn stored_rows(model: &Model, name: &str) -> Result<Option<StoredRows>> {
    let Stored { name, lies } = stored(model.architecture.layout, name);
    let Weights::Safetensors(shards) = &model.weights else {
        return Ok(None);
    };
    for shard in shards {
        let tensors = Tensors::find(shard)?;
        let Some(info) = tensors.header.info(&name) else {
            continue;
        };
        let (&[count, width], Lies::Whole) = (info.shape.as_slice(), lies) else {
            return Ok(None);
        };
        return Ok(Some(StoredRows {
            shard: Arc::clone(shard),
            start: tensors.start + info.data_offsets.0 as u64,
            dtype: info.dtype.try_into()?,
            count,
            width,
        }));
    }
    Ok(None)
}

impl StoredRows {
    /// How many rows there are, and how many values each has.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.count, self.width)
    }

    /// Appends the values of some rows.
    pub(super) fn append(&self, rows: &[u32], x: &mut Vec<f32>) -> Result<()> {
        self.shard.check_unchanged()?;
        let mut bytes = vec![0; self.width * self.dtype.size_in_bytes()];
        for row in rows {
            let offset = self.start + u64::from(*row) * bytes.len() as u64;
            self.shard.read(offset, &mut bytes)?;
            let values = Tensor::from_raw_buffer(&bytes, self.dtype, &[self.width], &Device::Cpu)?;
            x.extend(values.to_dtype(DType::F32)?.to_vec1::<f32>()?);
        }
        Ok(())
    }
}

/// Tensors under the names of their own layout.
struct Checkpoint<'a> {
    source: Source<'a>,
    layout: Layout,
}

enum Source<'a> {
    /// Files that hold one tensor each only together.
    Shards(Vec<Tensors<'a>>),
    Pickle(PthTensors),
}

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

    /// Reads some rows of a tensor as they are stored, or all of one that has none.
    fn read(&self, info: &TensorInfo, rows: Option<Range<usize>>) -> Result<Tensor> {
        let (mut first, mut end) = info.data_offsets;
        let mut shape = info.shape.clone();
        if let (Some(rows), Some(count)) = (rows, shape.first_mut()) {
            let row_bytes = (end - first) / (*count).max(1);
            (first, end) = (first + rows.start * row_bytes, first + rows.end * row_bytes);
            *count = rows.len();
        }
        let offset = self.start + first as u64;
        if info.dtype == safetensors::Dtype::F32 && cfg!(target_endian = "little") {
            // The way of nearly all, without a copy.
            let mut values = vec![0_f32; (end - first) / size_of::<f32>()];
            self.shard
                .read(offset, bytemuck::cast_slice_mut(&mut values))?;
            return Tensor::from_vec(values, shape, &Device::Cpu);
        }
        let mut bytes = vec![0; end - first];
        self.shard.read(offset, &mut bytes)?;
        Tensor::from_raw_buffer(&bytes, info.dtype.try_into()?, &shape, &Device::Cpu)
    }
}

impl Source<'_> {
    fn contains(&self, name: &str) -> bool {
        match self {
            Source::Shards(shards) => shards.iter().any(|file| file.header.info(name).is_some()),
            Source::Pickle(file) => file.tensor_infos().contains_key(name),
        }
    }

    /// Reads a tensor or, of those that lie in it one under the other, the one at an index.
    fn read(&self, name: &str, part: Option<(usize, usize)>) -> Result<Tensor> {
        let missing = || Error::CannotFindTensor {
            path: name.to_owned(),
        };
        let rows = |count: usize| {
            let (index, of) = part?;
            Some(index * count / of..(index + 1) * count / of)
        };
        match self {
            Source::Shards(shards) => {
                let mut found = shards.iter();
                let found = found.find_map(|file| Some((file, file.header.info(name)?)));
                let (file, info) = found.ok_or_else(missing)?;
                file.read(info, info.shape.first().and_then(|count| rows(*count)))
            }
            Source::Pickle(file) => {
                let whole = file.get(name)?.ok_or_else(missing)?;
                match whole.dims().first().and_then(|count| rows(*count)) {
                    Some(rows) => whole.narrow(0, rows.start, rows.len())?.contiguous(),
                    None => Ok(whole),
                }
            }
        }
    }
}

impl Checkpoint<'_> {
    fn read(&self, Stored { name, lies }: &Stored) -> Result<Tensor> {
        match *lies {
            Lies::Whole => self.source.read(name, None),
            Lies::Part { index, of } => self.source.read(name, Some((index, of))),
            Lies::Transposed => self.source.read(name, None)?.t()?.contiguous(),
        }
    }
}

impl SimpleBackend for Checkpoint<'_> {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let stored = stored(self.layout, name);
        let tensor = self.read(&stored)?;
        if tensor.shape() != &shape && without_ones(tensor.dims()) != without_ones(shape.dims()) {
            return Err(Error::UnexpectedShape {
                msg: format!("shape mismatch for {}", stored.name),
                expected: shape,
                got: tensor.shape().clone(),
            });
        }
        tensor.reshape(shape)?.to_device(device)?.to_dtype(dtype)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        let tensor = self.read(&stored(self.layout, name))?;
        tensor.to_device(device)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.source.contains(&stored(self.layout, name).name)
    }
}

/// A scalar may be stored as the one value of a list, and positions as those of a batch of one.
fn without_ones(dims: &[usize]) -> &[usize] {
    let ones = dims.iter().take_while(|size| **size == 1).count();
    &dims[ones..]
}
