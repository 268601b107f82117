//! Embeds a query: one vector out of its texts and pictures.

use super::cutoff::BaselineSample;
use super::query::{Query, Term, Upload, What};
use super::{Search, SearchError};
use crate::embed::{EmbedError, Embedding};
use crate::store::{ContentHash, ImageId};

/// The terms of a query, embedded.
pub(super) struct EmbeddedQuery {
    /// What images are compared with, of unit length.
    pub(super) vector: Vec<f32>,
    /// What the terms weighed in it.
    pub(super) weights: Vec<f32>,
    /// Images of the library that the query is made of; they are no hits.
    pub(super) images: Vec<ImageId>,
}

impl Search {
    /// Embeds the terms and sums them up by `weights`, or else by those of the query.
    pub(super) fn embed_query(
        &self,
        query: &Query,
        weights: Option<&[f32]>,
        sample: Option<&BaselineSample>,
    ) -> Result<EmbeddedQuery, SearchError> {
        let mut images = Vec::new();
        let mut vectors = Vec::new();
        let mut texts = self.embed_texts(query)?.into_iter();
        for Term { what, .. } in &query.terms {
            vectors.push(match what {
                What::Text(_) => texts.next().ok_or(EmbedError::Stopped)?,
                What::Image(hash) => {
                    let (image, vector) = self.image(*hash)?;
                    images.extend(image);
                    vector
                }
                What::Upload(upload) => self.embed_upload(upload)?,
            });
        }
        let weights = match weights {
            Some(weights) => weights.to_vec(),
            None => balanced(query, &vectors, sample),
        };
        let vector = sum(&vectors, &weights).ok_or(SearchError::Cancelled)?;
        Ok(EmbeddedQuery {
            vector,
            weights,
            images,
        })
    }

    fn embed_texts(&self, query: &Query) -> Result<Vec<Vec<f32>>, SearchError> {
        let text = |term: &Term| match &term.what {
            What::Text(text) => Some(text.clone()),
            What::Image(_) | What::Upload(_) => None,
        };
        let texts: Vec<String> = query.terms.iter().filter_map(text).collect();
        if texts.iter().any(|text| text.trim().is_empty()) {
            return Err(SearchError::EmptyQuery);
        }
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let embeddings = self.embedder.embed_texts(texts)?.into_iter();
        Ok(embeddings.map(Embedding::into_vec).collect())
    }

    /// One of the library, or one that was brought.
    fn image(&self, hash: ContentHash) -> Result<(Option<ImageId>, Vec<f32>), SearchError> {
        let Some(image) = self.store.image_by_hash(&hash)? else {
            let brought = self.uploads.get(&hash);
            return Ok((None, brought.ok_or(SearchError::UnknownImage(hash))?));
        };
        let vector = self.index.vectors().embedding(image);
        Ok((Some(image), vector.ok_or(SearchError::NotEmbedded(hash))?))
    }

    pub(super) fn embed_upload(&self, Upload(bytes): &Upload) -> Result<Vec<f32>, SearchError> {
        let (pixels, _) = self.pictures.pixels(&self.pictures.upload(bytes)?)?;
        let embedding = self.embedder.embed_images(vec![pixels])?.pop();
        Ok(embedding.ok_or(EmbedError::Stopped)?.into_vec())
    }
}

/// The terms' weights for the sum.
///
/// A weight counts standard deviations of its term over the library: pictures differ much more in how like another picture
/// they are than in how like a text, and would drown it. "Like this one, but blue" finds 58 % of what there is with that and
/// 53 % without (`tests/benches/scores/queries.py`).
fn balanced(query: &Query, vectors: &[Vec<f32>], sample: Option<&BaselineSample>) -> Vec<f32> {
    let weights = query.terms.iter().map(|term| term.weight);
    let Some(sample) = sample.filter(|_| vectors.len() > 1) else {
        return weights.collect();
    };
    let deviation = |vector: &Vec<f32>| sample.baseline(vector).deviation;
    weights
        .zip(vectors)
        .map(|(weight, vector)| weight / deviation(vector))
        .collect()
}

/// The weighted sum at unit length; none where the terms cancel each other out.
fn sum(vectors: &[Vec<f32>], weights: &[f32]) -> Option<Vec<f32>> {
    let mut sum = vec![0.0; vectors.first()?.len()];
    for (vector, weight) in vectors.iter().zip(weights) {
        for (sum, value) in sum.iter_mut().zip(vector) {
            *sum += weight * value;
        }
    }
    Embedding::new(sum).ok().map(Embedding::into_vec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::cutoff::tests::sample;

    #[test]
    fn a_weight_counts_deviations_of_its_term() {
        // Pictures differ four times as much in the one way as in the other.
        let sample = sample(&[[0.4, 0.1], [-0.4, 0.1], [0.4, -0.1], [-0.4, -0.1]]);
        let vectors = [vec![1.0, 0.0], vec![0.0, 1.0]];
        let term = |weight| Term {
            what: What::Text(String::new()),
            weight,
        };
        let query = |weights: &[f32]| Query {
            terms: weights.iter().copied().map(term).collect(),
            ..Query::default()
        };
        let two = balanced(&query(&[1.0, -0.5]), &vectors, Some(&sample));
        assert!((two[1] / two[0] - -2.0).abs() < 1e-4, "{two:?}");
        // Nothing to compare with, or by.
        assert_eq!(
            balanced(&query(&[2.0]), &vectors[..1], Some(&sample)),
            [2.0]
        );
        assert_eq!(balanced(&query(&[1.0, -0.5]), &vectors, None), [1.0, -0.5]);
    }
}
