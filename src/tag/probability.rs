//! From the logits of one image to its labels' log-odds and probabilities.

use std::ops::Range;

use super::classifier::Classifier;
use super::set::Mode;
use crate::embed::log_sum_exp;

impl Classifier {
    /// For each image the log-odds of all labels, each against the background alone, whatever else the set holds.
    pub(super) fn log_odds(&self, images: &[f32]) -> Vec<f32> {
        let logits = self.logits(images);
        let log_odds = |logits: &[f32]| {
            let background = log_sum_exp(&logits[self.background.clone()]);
            let labels = logits[..self.background.start].iter();
            labels.map(|logit| logit - background).collect::<Vec<f32>>()
        };
        logits
            .chunks_exact(self.text_count)
            .flat_map(log_odds)
            .collect()
    }

    /// The probability of every label of one image, in the order of the set, from the logits of all texts.
    ///
    /// `exclusive`: softmax of the logits over the background and all labels but those that abstain. `independent`: for each
    /// label softmax over itself, its own negatives and the background, so that adding a label never moves the score of
    /// another.
    pub(super) fn scores(&self, logits: &[f32]) -> Vec<f32> {
        let labels = &logits[..self.set().labels.len()];
        match self.set().mode {
            Mode::Exclusive => {
                let mut competing = logits[..self.background.end].to_vec();
                for (logit, negatives) in competing.iter_mut().zip(&self.negatives) {
                    if abstains(*logit, &logits[negatives.clone()]) {
                        *logit = f32::NEG_INFINITY;
                    }
                }
                let mut scores = self.similarity.scores(competing);
                scores.truncate(labels.len());
                scores
            }
            Mode::Independent => {
                let background = log_sum_exp(&logits[self.background.clone()]);
                let score = |(label, negatives): (&f32, &Range<usize>)| {
                    let negatives = &logits[negatives.clone()];
                    self.similarity.score(*label, background, negatives)
                };
                labels.iter().zip(&self.negatives).map(score).collect()
            }
        }
    }
}

/// Whether a label of an exclusive set steps back: one of its own negatives fits the image better than the label does.
fn abstains(label: f32, negatives: &[f32]) -> bool {
    negatives.iter().any(|negative| *negative > label)
}
