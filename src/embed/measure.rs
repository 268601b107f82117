//! How fast a model of some shape would be on this machine, without the model: layers do the same work whatever their weights are, so
//! one layer of noise is run and counted as often as the model has layers.

use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use rayon::prelude::*;

use super::cpu::{Packed, VisionTower, Workspace};
use super::weights::{TextWeights, VisionWeights};
use super::{Placement, check};
use crate::kernels::NumberFormat;
use crate::model::{Architecture, Preprocessing};

/// Pictures that each thread runs at once.
const PICTURES: usize = 4;

/// Tokens of a query of ten words, where a text is as long as it is.
const TOKENS: usize = 12;

/// Tokens that the measured tower knows.
const VOCABULARY: usize = 64;

/// The shortest of so many runs counts.
const RUNS: usize = 3;

/// How fast a model would be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Pictures embedded in a second on all cores.
    pub pictures_per_s: f64,
    /// From a text to its embedding, in milliseconds.
    pub text_ms: f64,
    /// Memory of both towers, in bytes; the table of tokens stays in the model's file.
    pub memory_bytes: u64,
}

/// Measures on the processor; `None` where the placement is a GPU.
///
/// # Errors
/// If the layers do not fit into memory.
pub fn measure(architecture: &Architecture, placement: &Placement) -> Result<Option<Speed>> {
    if !placement.device.is_cpu() {
        return Ok(None);
    }
    let format = placement.format;
    let one = Towers::load(architecture, 1, format)?;
    let two = Towers::load(architecture, 2, format)?;
    let whole = |one: Duration, two: Duration, layers: usize| {
        one + two.saturating_sub(one) * layers.saturating_sub(1) as u32
    };
    let Architecture { vision, text, .. } = architecture;
    let threads = available_parallelism().map_or(1, usize::from);
    let pictures = whole(
        one.pictures(threads),
        two.pictures(threads),
        vision.tower.layers,
    );
    let text = whole(one.text()?, two.text()?, text.tower.layers);
    let bytes_of = match format {
        NumberFormat::F32 => 4,
        NumberFormat::Int16 => 2,
        NumberFormat::Int8 => 1,
    };
    Ok(Some(Speed {
        pictures_per_s: (threads * PICTURES) as f64 / pictures.as_secs_f64(),
        text_ms: text.as_secs_f64() * 1000.0,
        memory_bytes: bytes_of * architecture.tower_parameters(),
    }))
}

/// Both towers with fewer layers.
struct Towers {
    format: NumberFormat,
    image_size: usize,
    vision: VisionTower,
    ids: Vec<u32>,
    text: TextWeights<Packed>,
}

impl Towers {
    fn load(architecture: &Architecture, layers: usize, format: NumberFormat) -> Result<Towers> {
        let mut architecture = architecture.with_layers(layers);
        architecture.text.vocab_size = VOCABULARY;
        let weights = VarBuilder::from_backend(Box::new(Noise), DType::F32, Device::Cpu);
        let form = Packed(format);
        let vision = VisionWeights::load(&form, &architecture, &weights)?;
        let tokens = if architecture.family.text.is_causal {
            TOKENS.min(architecture.text.context_length)
        } else {
            architecture.text.context_length
        };
        Ok(Towers {
            format,
            image_size: architecture.vision.image_size,
            vision: VisionTower::new(vision, &Preprocessing::none()),
            ids: (0..tokens).map(|at| (at % VOCABULARY) as u32).collect(),
            text: TextWeights::load(&form, &architecture, &weights, None)?,
        })
    }

    fn pictures(&self, threads: usize) -> Duration {
        let pictures = check::pictures(self.image_size);
        let pictures: Vec<_> = pictures.into_iter().cycle().take(PICTURES).collect();
        let run = || {
            let start = Instant::now();
            (0..threads).into_par_iter().for_each(|_| {
                let mut workspace = Workspace::new(self.format);
                drop(self.vision.forward(&pictures, &mut workspace));
            });
            start.elapsed()
        };
        (0..RUNS).map(|_| run()).min().unwrap_or_default()
    }

    fn text(&self) -> Result<Duration> {
        let mut workspace = Workspace::new(self.format);
        let batch = [self.ids.clone()];
        let mut run = || {
            let start = Instant::now();
            self.text.forward(&batch, &mut workspace)?;
            Ok(start.elapsed())
        };
        let runs: Result<Vec<Duration>> = (0..RUNS).map(|_| run()).collect();
        Ok(runs?.into_iter().min().unwrap_or_default())
    }
}

/// Small numbers of any name and shape.
struct Noise;

impl SimpleBackend for Noise {
    fn get(&self, shape: Shape, _: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        let value = |at: usize| ((at * 2_654_435_761) >> 16 & 0xff) as f32 / 2560.0 - 0.05;
        let values: Vec<f32> = (0..shape.elem_count()).map(value).collect();
        Tensor::from_vec(values, shape, device)?.to_dtype(dtype)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        Err(candle_core::Error::Msg(format!(
            "`{name}` was asked for without its shape"
        )))
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::model::{Family, TextShape, TowerShape, VisionShape};

    fn speed(model_type: &str, image_size: usize, layers: usize) -> Speed {
        let family = Family::of(Some(model_type)).unwrap();
        let tower = TowerShape {
            width: 48,
            layers,
            heads: 3,
            intermediate: 96,
            activation: crate::kernels::Activation::Gelu,
            layer_norm_eps: 1e-5,
        };
        let vision = VisionShape {
            tower: tower.clone(),
            image_size,
            patch_size: 8,
        };
        let text = TextShape {
            tower,
            vocab_size: 1000,
            context_length: 32,
            eos_token_id: 0,
        };
        let architecture = Architecture::new(family, vision, text, 48);
        let placement = Placement::find(config::Device::Cpu, config::Precision::F32).unwrap();
        measure(&architecture, &placement).unwrap().unwrap()
    }

    #[test]
    fn every_family_is_measured_and_a_larger_model_takes_longer() {
        for model_type in ["clip", "siglip"] {
            let (small, large) = (speed(model_type, 32, 2), speed(model_type, 256, 12));
            // Sixty-four times the patches and six times the layers: no load of a machine turns that round.
            assert!(
                small.pictures_per_s > large.pictures_per_s,
                "{small:?} {large:?}"
            );
            assert!(small.text_ms > 0.0 && large.memory_bytes > small.memory_bytes);
        }
    }
}
