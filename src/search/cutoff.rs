//! Where a ranking should end: how a similarity compares with those of the library at large.
//!
//! CLIP's similarities lie in a narrow band that moves with the query, so none of them says much by itself. Two measures
//! do: how far a hit *stands out* from a fixed sample of the library, in standard deviations, and whether it *fits*: is
//! closer to the text than pictures are to "a photo." Standing out finds nothing where a third of the library is what is
//! looked for, fitting nothing under a model that was not made for it (`tests/benches/scores/queries.py` has both); a hit
//! needs one of them.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::query::Strictness;
use crate::embed::{EmbedError, Embedder, Embedding, Similarity};
use crate::index::Vectors;
use crate::kernels::dot;
use crate::store::ImageId;
use crate::tag::LabelSet;

/// Hits that are shown where nothing fits.
const HANDFUL: usize = 5;

/// Images in the sample, at most.
const SAMPLE: usize = 1000;

/// Fewer images have no distribution to speak of.
const LEAST_SAMPLE: usize = 30;

/// The z that a hit needs at a strictness of 100.
const MOST_Z: f32 = 4.5;

/// Bends the share of the best hit's z that a hit needs: 0.8 at a strictness of 50, 0 at 0, 1 at 100.
const SHARE_EXPONENT: f32 = 2.32;

/// The lead over the background that a hit needs, in logits: -1 at a strictness of 0, 3 at 100.
const LEAD_LOGITS: [f32; 2] = [-1.0, 3.0];

/// Decides where rankings of one library end. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Cutoff {
    vectors: Vectors,
    embedder: Embedder,
    background: Arc<OnceLock<Vec<Embedding>>>,
    sample: Arc<Mutex<Option<Arc<BaselineSample>>>>,
}

/// A fixed part of the library.
#[derive(Debug)]
pub(super) struct BaselineSample {
    /// Images in the library when it was taken.
    taken_of: usize,
    embedding_dim: usize,
    rows: Vec<f32>,
    /// How similar its images are to the background, on the whole.
    background: f32,
}

/// Mean and standard deviation of a query's similarities over the sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Baseline {
    pub(super) mean: f32,
    pub(super) deviation: f32,
}

/// Where a ranking ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cut {
    /// The least similarity.
    pub(super) floor: f32,
    /// Whether anything fits the description; none where that cannot be told.
    pub(super) fits: Option<bool>,
}

impl Cut {
    /// Everything stays.
    pub(super) const NONE: Cut = Cut {
        floor: f32::NEG_INFINITY,
        fits: None,
    };

    /// Ends the ranking, best first.
    pub(super) fn apply(self, hits: &mut Vec<(ImageId, f32)>) {
        hits.retain(|hit| hit.1 >= self.floor);
        if self.fits == Some(false) {
            hits.truncate(HANDFUL);
        }
    }
}

impl Cutoff {
    pub(super) fn new(vectors: Vectors, embedder: Embedder) -> Cutoff {
        Cutoff {
            vectors,
            embedder,
            background: Arc::default(),
            sample: Arc::default(),
        }
    }

    /// The sample; none of a library that is too small. It stays the same until the library has grown or shrunk by a tenth.
    pub(super) fn sample(&self) -> Result<Option<Arc<BaselineSample>>, EmbedError> {
        let count = self.vectors.len();
        if count < LEAST_SAMPLE {
            return Ok(None);
        }
        let mut kept = self.sample.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh =
            |sample: &&Arc<BaselineSample>| sample.taken_of.abs_diff(count) <= count / 10;
        if let Some(sample) = kept.as_ref().filter(is_fresh) {
            return Ok(Some(Arc::clone(sample)));
        }
        let sample = Arc::new(self.take_sample()?);
        *kept = Some(Arc::clone(&sample));
        Ok(Some(sample))
    }

    fn take_sample(&self) -> Result<BaselineSample, EmbedError> {
        let snapshot = self.vectors.snapshot();
        let embedding_dim = self.embedder.embedding_dim();
        let rows = snapshot.sample(SAMPLE);
        let background = level(&rows, self.background()?, self.embedder.similarity());
        Ok(BaselineSample {
            taken_of: snapshot.len(),
            embedding_dim,
            rows,
            background,
        })
    }

    fn background(&self) -> Result<&[Embedding], EmbedError> {
        if let Some(known) = self.background.get() {
            return Ok(known);
        }
        let embedded = self
            .embedder
            .embed_texts(LabelSet::BACKGROUND.map(str::to_owned).to_vec())?;
        Ok(self.background.get_or_init(|| embedded))
    }

    /// The cut of a description, where the best hit has this similarity.
    pub(super) fn cut(
        &self,
        sample: &BaselineSample,
        baseline: Baseline,
        best: f32,
        strictness: Strictness,
    ) -> Cut {
        let strictness = strictness.share();
        let [least, most] = LEAD_LOGITS;
        let lead = least + (most - least) * strictness;
        let fits = sample.background + self.embedder.similarity().difference(lead);
        Cut {
            floor: baseline.floor(best, strictness).min(fits),
            fits: Some(best >= sample.background),
        }
    }
}

impl BaselineSample {
    pub(super) fn baseline(&self, query: &[f32]) -> Baseline {
        let similarity = |row: &[f32]| f64::from(dot(row, query));
        let rows = self.rows.chunks_exact(self.embedding_dim).map(similarity);
        let (sum, squares) = rows.fold((0.0, 0.0), |(sum, squares), similarity| {
            (sum + similarity, squares + similarity * similarity)
        });
        let count = (self.rows.len() / self.embedding_dim).max(1) as f64;
        let mean = sum / count;
        Baseline {
            mean: mean as f32,
            // All alike: nothing stands out.
            deviation: (squares / count - mean * mean).max(1e-12).sqrt() as f32,
        }
    }
}

impl Baseline {
    /// Standard deviations above the mean.
    pub(super) fn z(self, similarity: f32) -> f32 {
        (similarity - self.mean) / self.deviation
    }

    /// The least similarity that stands out beside the best one, at a strictness from 0 to 1.
    pub(super) fn floor(self, best: f32, strictness: f32) -> f32 {
        let share = 1.0 - (1.0 - strictness).powf(SHARE_EXPONENT);
        let near_best = self.mean + share * (best - self.mean);
        // At the strictest the best one stays, whatever is rounded.
        near_best.min(best).max(self.least(strictness))
    }

    /// As [`Baseline::floor`] without looking at the best one.
    pub(super) fn least(self, strictness: f32) -> f32 {
        self.mean + MOST_Z * strictness * self.deviation
    }
}

/// How similar images are to all of the background together, on the average.
fn level(rows: &[f32], background: &[Embedding], similarity: Similarity) -> f32 {
    let Some(embedding_dim) = background.first().map(|text| text.as_slice().len()) else {
        return 1.0;
    };
    let together =
        |row: &[f32]| similarity.together(background.iter().map(|text| dot(row, text.as_slice())));
    let rows = rows.chunks_exact(embedding_dim);
    let count = rows.len().max(1) as f32;
    rows.map(together).sum::<f32>() / count
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A library of pictures with two values each.
    pub(in crate::search) fn sample(rows: &[[f32; 2]]) -> BaselineSample {
        BaselineSample {
            taken_of: rows.len(),
            embedding_dim: 2,
            rows: rows.concat(),
            background: 0.0,
        }
    }

    #[test]
    fn strictness_moves_the_floor_from_nothing_to_the_best() {
        let baseline = Baseline {
            mean: 0.2,
            deviation: 0.02,
        };
        let floor = |strictness| baseline.floor(0.3, strictness);
        assert!((floor(0.0) - 0.2).abs() < 1e-6);
        assert!((floor(1.0) - 0.3).abs() < 1e-6);
        assert!((floor(0.5) - 0.28).abs() < 2e-4, "{}", floor(0.5));
        // Where nothing stands out, the least z decides.
        assert!((baseline.floor(0.21, 0.5) - 0.245).abs() < 1e-6);
        assert!((baseline.z(0.25) - 2.5).abs() < 1e-4);
    }
}
