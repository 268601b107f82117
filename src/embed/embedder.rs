//! The handle on a loaded model. Each tower is owned by threads of its own, so that a query's text never waits behind a
//! batch of pictures; the handle is cheap to clone, and several callers may embed at once.

use std::sync::Arc;

use candle_core::DType;
use tracing::warn;

use super::frames::Seen;
use super::towers::Towers;
use super::workers::Answer;
use super::{
    EmbedError, Embedded, Embedding, Pixels, PixelsMaker, Placement, Shot, Similarity, check,
    check_text, checkpoint, weights,
};
use crate::model::{Model, Preprocessing};

/// What became of one of several pictures.
type Answered = Result<Embedding, EmbedError>;

/// A loaded model. The threads end when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct Embedder {
    facts: Arc<Facts>,
    towers: Towers,
}

#[derive(Debug)]
struct Facts {
    name: String,
    fingerprint: String,
    image_size: usize,
    embedding_dim: usize,
    similarity: Similarity,
    preprocessing: Preprocessing,
    placement: Placement,
}

impl Embedder {
    /// Loads both towers and starts their threads. Where there is a choice of precision, or another one than f32, the
    /// model is first checked against itself in f32.
    pub fn load(model: Model, placement: Placement) -> Result<Embedder, EmbedError> {
        let name = model.name.clone();
        Self::start(model, placement).map_err(|source| EmbedError::Load {
            model: name,
            source,
        })
    }

    fn start(model: Model, mut placement: Placement) -> candle_core::Result<Embedder> {
        let towers = Towers::start(&model, &mut placement)?;
        let family = model.architecture.family;
        let tensors = checkpoint::open(&model, DType::F32, &candle_core::Device::Cpu)?;
        let similarity = weights::load_similarity(family, &tensors)?;
        drop(tensors);
        let facts = Facts {
            name: model.name.clone(),
            fingerprint: placement.fingerprint_of(&model),
            image_size: model.architecture.vision.image_size,
            embedding_dim: model.architecture.projection_dim,
            similarity,
            preprocessing: model.preprocessing,
            placement,
        };
        Ok(Embedder {
            facts: Arc::new(facts),
            towers,
        })
    }

    /// Embeds pictures, in their order. Blocks while the tower is busy.
    pub fn embed_images(&self, pictures: Vec<Pixels>) -> Answer {
        self.towers.images.ask(pictures)
    }

    /// Embeds the shots of several images together, so that a bad one costs only itself. Fails where it is not the pictures: where
    /// several fail together and each of them alone.
    pub fn embed_shots(
        &self,
        images: Vec<Vec<Shot>>,
    ) -> Result<Vec<Result<Embedded, EmbedError>>, EmbedError> {
        let seen = |shots: &Vec<Shot>| shots.iter().map(Seen::from).collect();
        let seen: Vec<Vec<Seen>> = images.iter().map(seen).collect();
        let pixels = images.into_iter().flatten().map(|shot| shot.pixels);
        let mut embeddings = self.embed_each(pixels.collect())?.into_iter();
        let embedded = seen.into_iter().map(|seen| {
            let count = seen.len();
            Embedded::of(seen.into_iter().zip(embeddings.by_ref().take(count)))
        });
        Ok(embedded.collect())
    }

    /// Embeds pictures together or, where that fails, each alone.
    fn embed_each(&self, pictures: Vec<Pixels>) -> Result<Vec<Answered>, EmbedError> {
        let error = match self.embed_images(pictures.clone()) {
            Ok(embeddings) => return Ok(embeddings.into_iter().map(Ok).collect()),
            Err(EmbedError::Stopped) => return Err(EmbedError::Stopped),
            Err(error) => error,
        };
        warn!(%error, "a batch failed, embedding its pictures one by one");
        let one = |pixels| {
            let alone = self.embed_images(vec![pixels])?.pop();
            alone.ok_or(EmbedError::Stopped)
        };
        let each: Vec<Answered> = pictures.into_iter().map(one).collect();
        if each.len() > 1 && each.iter().all(Result::is_err) {
            return Err(error);
        }
        Ok(each)
    }

    /// Embeds texts, in their order; one that is too long is an error. Blocks while the tower is busy.
    pub fn embed_texts(&self, texts: Vec<String>) -> Answer {
        texts.iter().try_for_each(|text| check_text(text))?;
        self.towers.texts.ask(texts)
    }

    /// Embeds a few things that have nothing in common, and refuses a model that gives no embeddings of them, or one and the same
    /// for all: its files are damaged, and a library would lose its pictures to it.
    pub fn check_sense(&self) -> Result<(), EmbedError> {
        let nonsense = |reason| EmbedError::Nonsense {
            model: self.name().to_owned(),
            reason,
        };
        let pictures = self.embed_images(check::pictures(self.facts.image_size));
        let texts = self.embed_texts(check::TEXTS.map(str::to_owned).to_vec());
        for (what, embeddings) in [("pictures", pictures), ("texts", texts)] {
            let embeddings = embeddings.map_err(|error| nonsense(error.to_string()))?;
            if check::are_all_alike(&embeddings) {
                return Err(nonsense(format!("it finds all {what} alike")));
            }
        }
        Ok(())
    }

    /// Brings pictures to the size of the model's input.
    pub fn pixels_maker(&self) -> PixelsMaker {
        PixelsMaker::new(self.facts.preprocessing.clone())
    }

    /// The model as its owner named it.
    pub fn name(&self) -> &str {
        &self.facts.name
    }

    /// Identifies weights, preprocessing and tokenizer, and int8 where embeddings are made in it.
    pub fn fingerprint(&self) -> &str {
        &self.facts.fingerprint
    }

    /// Side of the pictures that the image tower reads, in pixels.
    pub fn image_size(&self) -> usize {
        self.facts.image_size
    }

    /// Length of the embeddings.
    pub fn embedding_dim(&self) -> usize {
        self.facts.embedding_dim
    }

    /// What the model makes of the similarities of its embeddings.
    pub fn similarity(&self) -> Similarity {
        self.facts.similarity
    }

    /// Where the model runs.
    pub fn placement(&self) -> &Placement {
        &self.facts.placement
    }
}
