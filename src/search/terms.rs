//! Why an image is a hit: how it stands with each term of a query.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::query::{Query, Term, What};
use super::{Search, SearchError};
use crate::kernels::dot;
use crate::store::{ContentHash, Filter, ImageId};

/// How an image stands with one term of a query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TermScore {
    /// The description, or the image that hits should be like.
    pub term: String,
    /// How much the term counts.
    pub weight: f32,
    /// Similarity of the image to it, -1 to 1; of a video that of its best frame.
    pub similarity: f32,
    /// Standard deviations of that above the mean of the library; none where that is too small to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub z: Option<f32>,
}

impl Search {
    /// How an image of the library stands with each term of a query.
    pub fn terms_of(
        &self,
        image: ContentHash,
        query: &Query,
    ) -> Result<Vec<TermScore>, SearchError> {
        query.check()?;
        let unknown = SearchError::UnknownImage(image);
        let id = self.store.image_by_hash(&image)?.ok_or(unknown)?;
        let vectors = self.index.vectors();
        let frames = vectors.frames(id).ok_or(SearchError::NotEmbedded(image))?;
        let sample = self.cutoff.sample()?;
        let mut scores = Vec::new();
        for term in &query.terms {
            let alone = Query {
                terms: vec![Term {
                    weight: 1.0,
                    ..term.clone()
                }],
                filter: Filter::default(),
                strictness: None,
            };
            let vector = self.embed_query(&alone, None, None)?.vector;
            let of_frame = |frame: &[f32]| dot(frame, &vector);
            let frames = frames.chunks_exact(vector.len()).map(of_frame);
            let similarity = frames.fold(-1.0, f32::max);
            scores.push(TermScore {
                term: match &term.what {
                    What::Text(text) => text.clone(),
                    What::Image(hash) => hash.to_string(),
                    What::Upload(upload) => ContentHash::of(&upload.0).to_string(),
                },
                weight: term.weight,
                similarity,
                z: sample
                    .as_ref()
                    .map(|sample| sample.baseline(&vector).z(similarity)),
            });
        }
        Ok(scores)
    }

    /// All that a query finds, in no order.
    pub fn found(&self, query: &Query) -> Result<Vec<ImageId>, SearchError> {
        query.check()?;
        if query.terms.is_empty() {
            return Ok(self.store.matching(&query.filter)?);
        }
        let mut ranking = self.rank(query, None)?;
        self.all_hits(query, &query.filter, Some(&mut ranking))
    }
}
