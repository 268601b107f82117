//! How a similarity becomes a score: a model's own scale makes logits of similarities, and softmax probabilities of logits.

/// How one model's similarities are read; its scale comes with its weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    logit_scale: f32,
    logit_bias: Option<f32>,
}

impl Similarity {
    /// For a model whose similarities are multiplied with `logit_scale`.
    pub fn new(logit_scale: f32) -> Similarity {
        Similarity {
            logit_scale,
            logit_bias: None,
        }
    }

    /// The same of a model that adds something to its logits, so that the sigmoid of each is a probability.
    #[must_use]
    pub fn with_bias(self, logit_bias: Option<f32>) -> Similarity {
        Similarity { logit_bias, ..self }
    }

    /// What is added to a logit where the model has that. It is the same for all texts, so what texts compete by does not change.
    pub fn logit_bias(self) -> Option<f32> {
        self.logit_bias
    }

    /// What a similarity is multiplied with to become a logit.
    pub fn logit_scale(self) -> f32 {
        self.logit_scale
    }

    /// Makes logits of similarities.
    pub fn make_logits(self, similarities: &mut [f32]) {
        for similarity in similarities {
            *similarity *= self.logit_scale;
        }
    }

    /// The difference of two similarities whose logits are this far apart.
    pub fn difference(self, logits: f32) -> f32 {
        logits / self.logit_scale
    }

    /// The similarity to several texts taken together, as one.
    pub fn together(self, similarities: impl Iterator<Item = f32>) -> f32 {
        let mut logits: Vec<f32> = similarities.collect();
        self.make_logits(&mut logits);
        log_sum_exp(&logits) / self.logit_scale
    }

    /// The score of a label on its own: its probability against what a picture may be instead.
    pub fn score(self, label: f32, background: f32, negatives: &[f32]) -> f32 {
        let odds = |other: f32| (other - label).exp();
        let negatives = negatives.iter().copied();
        1.0 / (1.0 + odds(background) + negatives.map(odds).sum::<f32>())
    }

    /// The scores of labels of which a picture has one at most: their probabilities among all that compete.
    pub fn scores(self, mut competing: Vec<f32>) -> Vec<f32> {
        let sum = log_sum_exp(&competing);
        for logit in &mut competing {
            *logit = (*logit - sum).exp();
        }
        competing
    }
}

/// `ln Σ exp`, the logit of several things together, shifted by the largest term so that nothing overflows.
pub(crate) fn log_sum_exp(logits: &[f32]) -> f32 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    largest + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_logits_do_not_overflow() {
        assert!(log_sum_exp(&[1e30_f32, 1.0]).is_finite());
    }

    #[test]
    fn scores_are_the_softmax_of_scaled_similarities() {
        let similarity = Similarity::new(10.0);
        let mut logits = vec![0.3, 0.5, 0.1];
        similarity.make_logits(&mut logits);
        let sum: f32 = [3.0_f32, 5.0, 1.0].iter().map(|logit| logit.exp()).sum();
        let close = |ours: f32, plain: f32| assert!((ours - plain).abs() < 1e-6, "{ours} {plain}");
        for (score, logit) in similarity.scores(logits.clone()).iter().zip(&logits) {
            close(*score, logit.exp() / sum);
        }
        // One of three is the same by either way.
        close(similarity.score(3.0, 1.0, &[5.0]), 3.0_f32.exp() / sum);
        close(similarity.difference(2.0), 0.2);
        close(
            similarity.together([0.3, 0.5, 0.1].into_iter()),
            sum.ln() / 10.0,
        );
    }
}
