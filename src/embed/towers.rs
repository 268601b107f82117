//! From a model's weights to the threads that run its towers: packed towers on the processor, tensors on a GPU.

use std::sync::Arc;
use std::thread::available_parallelism;

use candle_core::{DType, Error, Result};
use candle_nn::VarBuilder;
use rayon::prelude::*;
use tokenizers::Tokenizer;
use tracing::warn;

use super::check::{self, SMALLEST_COSINE};
use super::cpu::{self, Packed, Workspace};
use super::tensors::{self, Tensors};
use super::weights::{TOKENS, TextWeights, VisionWeights};
use super::workers::{Answer, Share, Workers};
use super::{EmbedError, Embedding, Pixels, Placement, checkpoint};
use crate::kernels::NumberFormat;
use crate::model::Model;

/// Pictures that a thread takes at once: with fewer the weights are read too often, more only cost memory.
const PICTURES: usize = 8;

/// Texts that a thread takes at once; a query waits for at most so many.
const TEXTS: usize = 16;

/// Texts that a GPU takes at once; more would only cost memory.
const GPU_TEXTS: usize = 32;

/// Both towers at work.
#[derive(Debug, Clone)]
pub(super) struct Towers {
    pub(super) images: Workers<Pixels>,
    /// Apart from the pictures', so that a query never waits behind a batch of them.
    pub(super) texts: Workers<String>,
}

impl Towers {
    /// Loads the towers and starts their threads. Leaves in `placement` the format that was taken.
    pub(super) fn start(model: &Model, placement: &mut Placement) -> Result<Towers> {
        if placement.device.is_cpu() {
            let weights = checkpoint::open(model, DType::F32, &placement.device)?;
            return choose(model, &weights, placement)?.start(&model.tokenizer);
        }
        let weights = checkpoint::open(model, placement.dtype, &placement.device)?;
        let vision = VisionWeights::load(&Tensors, &model.architecture, &weights)?;
        let vision = tensors::VisionTower::new(vision, &model.preprocessing)?;
        let vision = Arc::new(vision);
        let text = Arc::new(TextWeights::load(
            &Tensors,
            &model.architecture,
            &weights,
            None,
        )?);
        let tokenizer = Arc::new(model.tokenizer.clone());
        let one = |most, gives_way| Share {
            threads: 1,
            most,
            gives_way,
        };
        Ok(Towers {
            images: Workers::start("image embedding", one(usize::MAX, true), || {
                let vision = vision.clone();
                move |batch: Vec<Pixels>| embeddings(vision.forward(&batch)?)
            })?,
            texts: Workers::start("text embedding", one(GPU_TEXTS, false), || {
                let text = text.clone();
                let tokenizer = tokenizer.clone();
                move |texts: Vec<String>| embeddings(text.forward(&token_ids(&tokenizer, &texts)?)?)
            })?,
        })
    }
}

/// Both towers in one format.
struct CpuTowers {
    format: NumberFormat,
    vision: cpu::VisionTower,
    text: TextWeights<Packed>,
}

/// The towers in the format that is wanted, or in f32 where that may be and the format moves this model's embeddings.
fn choose(model: &Model, weights: &VarBuilder<'_>, placement: &mut Placement) -> Result<CpuTowers> {
    let towers = CpuTowers::load(model, weights, placement.format)?;
    if placement.format == NumberFormat::F32 || placement.is_checked() {
        return Ok(towers);
    }
    let cosine = smallest_cosine(&reference_samples(model, weights)?, &towers.samples(model)?);
    if cosine < SMALLEST_COSINE {
        let precision = placement.precision();
        warn!(
            precision,
            cosine, "this precision moves the model's embeddings"
        );
        if placement.may_be_f32 {
            placement.format = NumberFormat::F32;
            placement.cosine = None;
            drop(towers);
            return CpuTowers::load(model, weights, NumberFormat::F32);
        }
    }
    placement.cosine = Some(cosine);
    Ok(towers)
}

impl CpuTowers {
    fn load(model: &Model, weights: &VarBuilder<'_>, format: NumberFormat) -> Result<CpuTowers> {
        let form = Packed(format);
        let (vision, text) = rayon::join(
            || VisionWeights::load(&form, &model.architecture, weights),
            || {
                let stored = checkpoint::stored_rows(model, TOKENS)?;
                TextWeights::load(&form, &model.architecture, weights, stored)
            },
        );
        Ok(CpuTowers {
            format,
            vision: cpu::VisionTower::new(vision?, &model.preprocessing),
            text: text?,
        })
    }

    /// Features of the pictures and texts of the self-check.
    fn samples(&self, model: &Model) -> Result<Vec<Vec<f32>>> {
        let (pictures, ids) = samples(model)?;
        let (mut images, texts): (Vec<_>, _) = rayon::join(
            || {
                let picture = |picture: Pixels| {
                    self.vision
                        .forward(&[picture], &mut Workspace::new(self.format))
                };
                pictures.into_par_iter().flat_map_iter(picture).collect()
            },
            || self.text.forward(&ids, &mut Workspace::new(self.format)),
        );
        images.extend(texts?);
        Ok(images)
    }

    /// One thread for each core and tower.
    fn start(self, tokenizer: &Tokenizer) -> Result<Towers> {
        let format = self.format;
        let vision = Arc::new(self.vision);
        let text = Arc::new(self.text);
        let tokenizer = Arc::new(tokenizer.clone());
        let threads = available_parallelism().map_or(1, usize::from);
        let all = |most, gives_way| Share {
            threads,
            most,
            gives_way,
        };
        Ok(Towers {
            images: Workers::start("image embedding", all(PICTURES, true), || {
                let vision = vision.clone();
                let mut workspace = Workspace::new(format);
                move |batch: Vec<Pixels>| embeddings(vision.forward(&batch, &mut workspace))
            })?,
            texts: Workers::start("text embedding", all(TEXTS, false), || {
                let text = text.clone();
                let tokenizer = tokenizer.clone();
                let mut workspace = Workspace::new(format);
                move |texts: Vec<String>| {
                    embeddings(text.forward(&token_ids(&tokenizer, &texts)?, &mut workspace)?)
                }
            })?,
        })
    }
}

/// The pictures and the texts' tokens of the self-check.
fn samples(model: &Model) -> Result<(Vec<Pixels>, Vec<Vec<u32>>)> {
    let texts = check::TEXTS.map(str::to_owned);
    let ids = token_ids(&model.tokenizer, &texts).map_err(Error::wrap)?;
    let pictures = check::pictures(model.architecture.vision.image_size);
    Ok((pictures, ids))
}

/// Their features in f32. The model is never in memory a second time: its layers are read one after the other.
fn reference_samples(model: &Model, weights: &VarBuilder<'_>) -> Result<Vec<Vec<f32>>> {
    let (pictures, ids) = samples(model)?;
    let form = Packed(NumberFormat::F32);
    let bare = model.architecture.with_layers(0);
    let workspace = || Workspace::new(NumberFormat::F32);
    let (images, texts) = rayon::join(
        || {
            let tower = VisionWeights::load(&form, &bare, weights)?;
            let tower = cpu::VisionTower::new(tower, &model.preprocessing);
            let layers = VisionWeights::layers(&form, &model.architecture, weights);
            tower.forward_through(&layers, &pictures, &mut workspace())
        },
        || {
            let stored = checkpoint::stored_rows(model, TOKENS)?;
            let tower = TextWeights::load(&form, &bare, weights, stored)?;
            let layers = TextWeights::layers(&form, &model.architecture, weights);
            tower.forward_through(&layers, &ids, &mut workspace())
        },
    );
    let mut images = images?;
    images.extend(texts?);
    Ok(images)
}

fn smallest_cosine(theirs: &[Vec<f32>], ours: &[Vec<f32>]) -> f32 {
    let cosine = |(theirs, ours): (&Vec<f32>, &Vec<f32>)| {
        let theirs = Embedding::new(theirs.clone());
        let ours = Embedding::new(ours.clone());
        // What is no embedding is near to nothing.
        theirs
            .and_then(|theirs| Ok(theirs.similarity(&ours?)))
            .unwrap_or(0.0)
    };
    theirs.iter().zip(ours).map(cosine).fold(1.0, f32::min)
}

fn token_ids(
    tokenizer: &Tokenizer,
    texts: &[String],
) -> std::result::Result<Vec<Vec<u32>>, EmbedError> {
    let ids = |text: &String| {
        let encoding = tokenizer.encode_fast(text.as_str(), true);
        let encoding = encoding.map_err(|error| EmbedError::Tokenize(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    };
    texts.iter().map(ids).collect()
}

fn embeddings(features: Vec<Vec<f32>>) -> Answer {
    Ok(features
        .into_iter()
        .map(Embedding::new)
        .collect::<std::result::Result<_, _>>()?)
}
