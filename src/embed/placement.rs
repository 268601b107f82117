//! Where a model runs and in which number format.

use candle_core::{DType, Device};

use super::EmbedError;
use super::check::SMALLEST_COSINE;
use crate::config;
use crate::kernels::NumberFormat;
use crate::model::Model;

/// Where a model runs and in which number format.
#[derive(Debug, Clone)]
pub struct Placement {
    pub(super) device: Device,
    /// Of tensors, on a GPU.
    pub(super) dtype: DType,
    /// Of packed weights, on the CPU.
    pub(super) format: NumberFormat,
    /// Whether f32 is taken instead where the format moves the model's embeddings.
    pub(super) may_be_f32: bool,
    /// The smallest cosine between an embedding in the format and the same in f32.
    pub(super) cosine: Option<f32>,
}

impl Placement {
    /// Finds the device that was asked for; `auto` falls back to the CPU.
    pub fn find(
        device: config::Device,
        precision: config::Precision,
    ) -> Result<Placement, EmbedError> {
        let device = find_device(device)?;
        let is_cpu = device.is_cpu();
        Ok(Placement {
            device,
            dtype: if is_cpu {
                DType::F32
            } else {
                gpu_dtype(precision)?
            },
            format: if is_cpu {
                format(precision)?
            } else {
                NumberFormat::F32
            },
            may_be_f32: precision == config::Precision::Auto,
            cosine: None,
        })
    }

    /// Takes over what a self-check of the same weights in the same precision found before, so that it is not made again.
    #[must_use]
    pub fn with_self_check(self, cosine: Option<f32>) -> Placement {
        Placement { cosine, ..self }
    }

    /// Whether the format is known to be as good as was asked for.
    pub(super) fn is_checked(&self) -> bool {
        self.cosine
            .is_some_and(|cosine| cosine >= SMALLEST_COSINE || !self.may_be_f32)
    }

    /// What tells the embeddings that a model makes here from those of others. In int8 they lie apart from those of the same weights
    /// in another precision, so they do not meet; all others lie within the self-check's 0.9999 of f32 and do.
    pub fn fingerprint_of(&self, model: &Model) -> String {
        if self.format != NumberFormat::Int8 {
            return model.fingerprint.clone();
        }
        let text = format!("{} int8", model.fingerprint);
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }

    /// `cpu`, `cuda` or `metal`.
    pub fn device(&self) -> &'static str {
        match self.device {
            Device::Cpu => "cpu",
            Device::Cuda(_) => "cuda",
            Device::Metal(_) => "metal",
        }
    }

    /// `f32`, `int16` or `int8` on the CPU, `f32` or `f16` on a GPU.
    pub fn precision(&self) -> &'static str {
        if self.device.is_cpu() {
            name(self.format)
        } else {
            self.dtype.as_str()
        }
    }

    /// The smallest cosine that the self-check found between an embedding in this precision and the same in
    /// f32; `None` for f32 itself and on a GPU.
    pub fn self_check_cosine(&self) -> Option<f32> {
        self.cosine
    }
}

fn find_device(device: config::Device) -> Result<Device, EmbedError> {
    Ok(match device {
        config::Device::Cpu => Device::Cpu,
        config::Device::Cuda => gpu("cuda", cfg!(feature = "cuda"), Device::new_cuda)?,
        config::Device::Metal => gpu("metal", cfg!(feature = "metal"), Device::new_metal)?,
        config::Device::Auto => {
            let cuda = gpu("cuda", cfg!(feature = "cuda"), Device::new_cuda);
            cuda.or_else(|_| gpu("metal", cfg!(feature = "metal"), Device::new_metal))
                .unwrap_or(Device::Cpu)
        }
    })
}

fn gpu(
    device: &'static str,
    built_in: bool,
    open: impl FnOnce(usize) -> candle_core::Result<Device>,
) -> Result<Device, EmbedError> {
    if !built_in {
        let reason = format!("this pixdex was built without the cargo feature `{device}`");
        return Err(EmbedError::Device { device, reason });
    }
    open(0).map_err(|error| EmbedError::Device {
        device,
        reason: error.to_string(),
    })
}

/// The format of a precision on this processor.
fn format(precision: config::Precision) -> Result<NumberFormat, EmbedError> {
    let wanted = match precision {
        config::Precision::Auto if NumberFormat::Int16.is_available() => NumberFormat::Int16,
        config::Precision::Auto | config::Precision::F32 => NumberFormat::F32,
        config::Precision::Int16 => NumberFormat::Int16,
        config::Precision::Int8 => NumberFormat::Int8,
    };
    if wanted.is_available() {
        return Ok(wanted);
    }
    Err(EmbedError::Precision {
        precision: name(wanted),
        reason: "this processor has no AVX512-VNNI",
    })
}

fn gpu_dtype(precision: config::Precision) -> Result<DType, EmbedError> {
    let precision = match precision {
        config::Precision::Auto => return Ok(DType::F16),
        config::Precision::F32 => return Ok(DType::F32),
        config::Precision::Int16 => "int16",
        config::Precision::Int8 => "int8",
    };
    let reason = "it is for the CPU (--device cpu), a GPU runs f16 (--precision auto)";
    Err(EmbedError::Precision { precision, reason })
}

fn name(format: NumberFormat) -> &'static str {
    match format {
        NumberFormat::F32 => "f32",
        NumberFormat::Int16 => "int16",
        NumberFormat::Int8 => "int8",
    }
}
