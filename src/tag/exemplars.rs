//! Adjusting a label's scores by example pictures: how far to trust its prompt, and how to tell pictures that are like the examples.
//!
//! Pictures and texts lie in different cones of the joint space, so the two are never mixed as vectors. The examples' mean is
//! seen from the library's mean, with the library's own covariance taken out (exemplar LDA), and gives log-odds of its own. A
//! prompt that tells the examples from the rest of the library counts for nearly all; one that does not, for nearly nothing.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::covariance::{Covariance, mean_of};
use super::set::LabelSet;
use crate::embed::log_sum_exp;
use crate::kernels::PackedF32;

/// Cosine, from the library's mean, of two pictures with the same label: it says how far other pictures with the label reach
/// on the way to the mean of a few.
const KINSHIP: f64 = 0.5;

/// Log-odds from the library's mean, where they are -5, to where another picture with the label is expected.
const SLOPE: f64 = 10.0;

/// The examples of labels, by the label's place in its set.
pub(super) type ExampleRows = BTreeMap<usize, Vec<Vec<f32>>>;

/// How to tell from an embedding whether a picture is like the examples of a label, and what the label's prompt counts
/// beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Exemplar {
    /// How far the prompt tells the examples from the library, 0 to 1.
    pub(super) prompt_weight: f32,
    /// The log-odds of being like the examples are `direction · embedding + bias`.
    pub(super) direction: Vec<f32>,
    /// See `direction`.
    pub(super) bias: f32,
}

impl Exemplar {
    /// Even odds where a picture is half as far on the way from the library's mean as another picture with the label is expected
    /// to be. None where the examples are the library's mean.
    pub(super) fn of(
        covariance: &Covariance,
        examples: &[Vec<f32>],
        prompt_weight: f32,
    ) -> Option<Exemplar> {
        let library_mean = &covariance.mean;
        let examples_mean = mean_of(examples.iter().map(Vec::as_slice), library_mean.len());
        let goal: Vec<f64> = (examples_mean.iter().zip(library_mean))
            .map(|(a, b)| a - b)
            .collect();
        let direction = covariance.whitened(&goal);
        let count = examples.len() as f64;
        let reach = count * KINSHIP / (1.0 + (count - 1.0) * KINSHIP);
        let length = product(&direction, &goal) * reach;
        if length < 1e-9 {
            return None;
        }
        let bias = -SLOPE * (product(&direction, library_mean) / length + 0.5);
        let scaled = direction
            .iter()
            .map(|value| (SLOPE * value / length) as f32);
        Some(Exemplar {
            prompt_weight,
            direction: scaled.collect(),
            bias: bias as f32,
        })
    }
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The exemplars of a set, packed to score many pictures.
#[derive(Debug)]
pub(super) struct Exemplars {
    directions: PackedF32,
    /// Place of the label, weight of its prompt, and bias, in the order of the directions.
    labels: Vec<(usize, f32, f32)>,
}

impl Exemplars {
    /// None where no label of the set has any.
    pub(super) fn pack(
        set: &LabelSet,
        by_label: &BTreeMap<String, Exemplar>,
        embedding_dim: usize,
    ) -> Option<Exemplars> {
        let mut labels = Vec::new();
        let mut directions = Vec::new();
        for (place, label) in set.labels.iter().enumerate() {
            let exemplar = by_label.get(&*label.name);
            if let Some(exemplar) = exemplar.filter(|known| known.direction.len() == embedding_dim)
            {
                labels.push((place, exemplar.prompt_weight, exemplar.bias));
                directions.extend_from_slice(&exemplar.direction);
            }
        }
        if labels.is_empty() {
            return None;
        }
        let directions = PackedF32::pack(&directions, labels.len(), embedding_dim);
        Some(Exemplars { directions, labels })
    }

    /// Adjusts the logits of labels with examples, `width` of them for each image, so that their log-odds against the background
    /// are those of prompt and examples, weighed by what the prompt counts.
    pub(super) fn adjust(
        &self,
        images: &[f32],
        logits: &mut [f32],
        width: usize,
        background: &Range<usize>,
    ) {
        let mut log_odds = vec![0.0; logits.len() / width * self.labels.len()];
        self.directions.multiply(images, &mut log_odds);
        let rows = logits.chunks_exact_mut(width);
        for (logits, log_odds) in rows.zip(log_odds.chunks_exact(self.labels.len())) {
            let ground = log_sum_exp(&logits[background.clone()]);
            for (&(label, weight, bias), log_odds) in self.labels.iter().zip(log_odds) {
                let prompt = logits[label] - ground;
                logits[label] = ground + weight * prompt + (1.0 - weight) * (log_odds + bias);
            }
        }
    }
}
