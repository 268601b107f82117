//! The handle on a loaded model. Each tower is owned by a thread of its own, so that a query's text never waits behind a
//! batch of pictures; the handle is cheap to clone and hands work over through channels that hold one job each.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use thiserror::Error;
use tokenizers::Tokenizer;

use super::text::TextTower;
use super::vision::VisionTower;
use super::{BadEmbedding, Embedding, Pixels, PixelsMaker};
use crate::config;
use crate::model::{Model, Preprocessing, Weights};

/// Texts that go through the tower together; more would only cost memory.
const TEXT_BATCH: usize = 32;

/// What can go wrong between pixels or text and an embedding.
#[derive(Debug, Error)]
pub enum EmbedError {
    /// A weight is missing or has another shape than `config.json` says, or the device failed.
    #[error("the model `{model}` cannot be used: {source}")]
    Load {
        /// The model as its owner named it.
        model: String,
        /// The cause, which names the weight.
        source: candle_core::Error,
    },
    /// The device that was asked for is not there.
    #[error("the device `{device}` cannot be used: {reason}; --device cpu always works")]
    Device {
        /// As it was asked for.
        device: &'static str,
        /// The cause.
        reason: String,
    },
    /// A tower failed at work.
    #[error("the model failed: {0}")]
    Forward(#[from] candle_core::Error),
    /// A tower gave something without a direction.
    #[error("the model gave a vector that is no embedding: {0}")]
    Bad(#[from] BadEmbedding),
    /// A text could not be split into tokens.
    #[error("the text could not be read: {0}")]
    Tokenize(String),
    /// A picture could not be brought to the model's size.
    #[error("failed to resize to {width} x {height} pixels: {reason}")]
    Resize {
        /// Target width.
        width: u32,
        /// Target height.
        height: u32,
        /// The cause.
        reason: String,
    },
    /// The thread that owns the tower has ended.
    #[error("the model is no longer running")]
    Stopped,
}

/// Where a model runs and in which number format.
#[derive(Debug, Clone)]
pub struct Placement {
    device: Device,
    dtype: DType,
}

impl Placement {
    /// Finds the device that was asked for; `auto` falls back to the CPU.
    pub fn find(
        device: config::Device,
        precision: config::Precision,
    ) -> Result<Placement, EmbedError> {
        let device = match device {
            config::Device::Cpu => Device::Cpu,
            config::Device::Cuda => gpu("cuda", cfg!(feature = "cuda"), Device::new_cuda)?,
            config::Device::Metal => gpu("metal", cfg!(feature = "metal"), Device::new_metal)?,
            config::Device::Auto => {
                let cuda = gpu("cuda", cfg!(feature = "cuda"), Device::new_cuda);
                cuda.or_else(|_| gpu("metal", cfg!(feature = "metal"), Device::new_metal))
                    .unwrap_or(Device::Cpu)
            }
        };
        let dtype = match precision {
            config::Precision::Auto if !device.is_cpu() => DType::F16,
            config::Precision::Auto | config::Precision::F32 => DType::F32,
        };
        Ok(Placement { device, dtype })
    }

    /// `cpu`, `cuda` or `metal`.
    pub fn device(&self) -> &'static str {
        match self.device {
            Device::Cpu => "cpu",
            Device::Cuda(_) => "cuda",
            Device::Metal(_) => "metal",
        }
    }

    /// `f32` or `f16`.
    pub fn precision(&self) -> &'static str {
        self.dtype.as_str()
    }
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

type Answer = Result<Vec<Embedding>, EmbedError>;

/// Work for a tower, with the way back.
type Job<T> = (Vec<T>, SyncSender<Answer>);

/// A loaded model. The threads end when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct Embedder {
    facts: Arc<Facts>,
    images: SyncSender<Job<Pixels>>,
    texts: SyncSender<Job<String>>,
}

#[derive(Debug)]
struct Facts {
    name: String,
    fingerprint: String,
    embedding_dim: usize,
    logit_scale: f32,
    preprocessing: Preprocessing,
    placement: Placement,
}

impl Embedder {
    /// Loads both towers and starts their threads.
    pub fn load(model: Model, placement: Placement) -> Result<Embedder, EmbedError> {
        let name = model.name.clone();
        Self::start(model, placement).map_err(|source| EmbedError::Load {
            model: name,
            source,
        })
    }

    fn start(model: Model, placement: Placement) -> candle_core::Result<Embedder> {
        let Model {
            name,
            architecture,
            preprocessing,
            weights,
            tokenizer,
            fingerprint,
        } = model;
        let tensors = tensors(&weights)?;
        drop(weights);
        let weights = VarBuilder::from_tensors(tensors, placement.dtype, &placement.device);
        let vision = VisionTower::load(&architecture, &preprocessing, &weights)?;
        let text = TextTower::load(&architecture, &weights)?;
        // Checkpoints store the logarithm.
        let logit_scale = weights
            .get((), "logit_scale")?
            .to_dtype(DType::F32)?
            .to_scalar::<f32>()?
            .exp();
        let embedding_dim = architecture.projection_dim;
        let facts = Facts {
            name,
            fingerprint,
            embedding_dim,
            logit_scale,
            preprocessing,
            placement,
        };
        Ok(Embedder {
            facts: Arc::new(facts),
            images: spawn("image embedding", move |batch: Vec<Pixels>| {
                embeddings(vision.forward(&batch)?)
            })?,
            texts: spawn("text embedding", move |texts: Vec<String>| {
                embed_texts(&text, &tokenizer, &texts)
            })?,
        })
    }

    /// Embeds pictures, in their order. Blocks while the tower is busy.
    pub fn embed_images(&self, pictures: Vec<Pixels>) -> Answer {
        ask(&self.images, pictures)
    }

    /// Embeds texts, in their order. Blocks while the tower is busy.
    pub fn embed_texts(&self, texts: Vec<String>) -> Answer {
        ask(&self.texts, texts)
    }

    /// Brings pictures to the size of the model's input.
    pub fn pixels_maker(&self) -> PixelsMaker {
        PixelsMaker::new(self.facts.preprocessing.clone())
    }

    /// The model as its owner named it.
    pub fn name(&self) -> &str {
        &self.facts.name
    }

    /// Identifies weights, preprocessing and tokenizer.
    pub fn fingerprint(&self) -> &str {
        &self.facts.fingerprint
    }

    /// Length of the embeddings.
    pub fn embedding_dim(&self) -> usize {
        self.facts.embedding_dim
    }

    /// What a similarity is multiplied with to become a logit.
    pub fn logit_scale(&self) -> f32 {
        self.facts.logit_scale
    }

    /// Where the model runs.
    pub fn placement(&self) -> &Placement {
        &self.facts.placement
    }
}

fn tensors(weights: &Weights) -> candle_core::Result<HashMap<String, Tensor>> {
    match weights {
        Weights::Pickle(path) => Ok(candle_core::pickle::read_all(path)?.into_iter().collect()),
        Weights::Safetensors(shards) => {
            let mut tensors = HashMap::new();
            for shard in shards {
                tensors.extend(candle_core::safetensors::load_buffer(shard, &Device::Cpu)?);
            }
            Ok(tensors)
        }
    }
}

fn embed_texts(tower: &TextTower, tokenizer: &Tokenizer, texts: &[String]) -> Answer {
    let mut all = Vec::with_capacity(texts.len());
    for batch in texts.chunks(TEXT_BATCH) {
        let ids = batch
            .iter()
            .map(|text| token_ids(tokenizer, text))
            .collect::<Result<Vec<_>, _>>()?;
        all.extend(embeddings(tower.forward(&ids)?)?);
    }
    Ok(all)
}

fn token_ids(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>, EmbedError> {
    let encoding = tokenizer
        .encode_fast(text, true)
        .map_err(|error| EmbedError::Tokenize(error.to_string()))?;
    Ok(encoding.get_ids().to_vec())
}

fn embeddings(features: Vec<Vec<f32>>) -> Answer {
    Ok(features
        .into_iter()
        .map(Embedding::new)
        .collect::<Result<_, _>>()?)
}

/// Starts the thread that owns a tower; `work` is the tower at work.
fn spawn<T: Send + 'static>(
    name: &str,
    work: impl Fn(Vec<T>) -> Answer + Send + 'static,
) -> candle_core::Result<SyncSender<Job<T>>> {
    let (sender, jobs): (_, Receiver<Job<T>>) = sync_channel(1);
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            for (inputs, answer) in jobs {
                // Who asked may have gone meanwhile; the next one has not.
                drop(answer.send(work(inputs)));
            }
        })?;
    Ok(sender)
}

fn ask<T>(tower: &SyncSender<Job<T>>, inputs: Vec<T>) -> Answer {
    if inputs.is_empty() {
        return Ok(Vec::new());
    }
    let (sender, answer) = sync_channel(1);
    tower
        .send((inputs, sender))
        .map_err(|_| EmbedError::Stopped)?;
    answer.recv().map_err(|_| EmbedError::Stopped)?
}
