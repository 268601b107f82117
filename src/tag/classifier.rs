//! A label set with the embeddings of its prompts: scores embeddings.

use super::set::{LabelSet, Mode};
use crate::embed::{EmbedError, Embedder, Embedding, dot};

/// A label set that is ready to score.
#[derive(Debug)]
pub struct Classifier {
    set: LabelSet,
    labels: Vec<Embedding>,
    background: Vec<Embedding>,
    /// For each label.
    negatives: Vec<Vec<Embedding>>,
    logit_scale: f32,
}

impl Classifier {
    /// Embeds the prompts of a set.
    pub fn build(set: LabelSet, embedder: &Embedder) -> Result<Classifier, EmbedError> {
        let mean = |prompts: Vec<String>| {
            Ok::<_, EmbedError>(Embedding::mean(&embedder.embed_texts(prompts)?)?)
        };
        let labels = set
            .labels
            .iter()
            .map(|label| mean(set.prompts(label)))
            .collect::<Result<_, _>>()?;
        let negatives = set
            .labels
            .iter()
            .map(|label| set.negative_prompts(label).into_iter().map(mean).collect())
            .collect::<Result<_, _>>()?;
        let background = embedder.embed_texts(set.background.clone())?;
        Ok(Classifier {
            set,
            labels,
            background,
            negatives,
            logit_scale: embedder.logit_scale(),
        })
    }

    /// The set.
    pub fn set(&self) -> &LabelSet {
        &self.set
    }

    /// The labels that an image with this embedding keeps, each by its place in the set, with its score.
    pub fn tags(&self, image: &[f32]) -> Vec<(usize, f32)> {
        let scores = self.scores(image);
        let kept = |&(label, score): &(usize, f32)| {
            score >= self.set.threshold_of(&self.set.labels[label])
        };
        let scores = scores.into_iter().enumerate();
        match self.set.mode {
            Mode::Independent => scores.filter(kept).collect(),
            Mode::Exclusive => scores
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .filter(kept)
                .into_iter()
                .collect(),
        }
    }

    /// The probability of every label, in the order of the set.
    ///
    /// `exclusive`: softmax of the logits over all labels and the background. `independent`: for each label softmax over
    /// itself, its own negatives and the background, so that adding a label never moves the score of another.
    pub fn scores(&self, image: &[f32]) -> Vec<f32> {
        let logits = |texts: &[Embedding]| -> Vec<f32> {
            texts
                .iter()
                .map(|text| self.logit_scale * dot(text.as_slice(), image))
                .collect()
        };
        let (labels, background) = (logits(&self.labels), logits(&self.background));
        match self.set.mode {
            Mode::Exclusive => {
                let sum = log_sum_exp(labels.iter().chain(&background));
                labels.iter().map(|label| (label - sum).exp()).collect()
            }
            Mode::Independent => {
                let score = |(label, negatives): (&f32, &Vec<Embedding>)| {
                    let negatives = logits(negatives);
                    (label - log_sum_exp([label].into_iter().chain(&background).chain(&negatives)))
                        .exp()
                };
                labels.iter().zip(&self.negatives).map(score).collect()
            }
        }
    }
}

/// `ln Σ exp`, shifted by the largest term so that nothing overflows.
fn log_sum_exp<'a>(logits: impl Iterator<Item = &'a f32> + Clone) -> f32 {
    let largest = logits.clone().copied().fold(f32::NEG_INFINITY, f32::max);
    largest
        + logits
            .map(|logit| (logit - largest).exp())
            .sum::<f32>()
            .ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(vector: &[f32]) -> Embedding {
        Embedding::new(vector.to_vec()).unwrap()
    }

    /// Labels along x and y, the background along z.
    fn classifier(mode: &str, extra: &str) -> Classifier {
        let text =
            format!("mode = '{mode}'\n[[labels]]\nname = 'x'\n{extra}\n[[labels]]\nname = 'y'");
        let set = LabelSet::parse(&text).unwrap();
        let negatives = vec![
            if extra.is_empty() {
                vec![]
            } else {
                vec![unit(&[0.0, 1.0, 0.0])]
            },
            vec![],
        ];
        let labels = vec![unit(&[1.0, 0.0, 0.0]), unit(&[0.0, 1.0, 0.0])];
        Classifier {
            set,
            labels,
            background: vec![unit(&[0.0, 0.0, 1.0])],
            negatives,
            logit_scale: 10.0,
        }
    }

    #[test]
    fn exclusive_keeps_the_best_or_none() {
        let classifier = classifier("exclusive", "");
        assert_eq!(classifier.tags(unit(&[1.0, 0.2, 0.0]).as_slice())[0].0, 0);
        assert_eq!(classifier.tags(unit(&[0.0, 0.1, 1.0]).as_slice()), []);
        assert_eq!(
            classifier.tags(unit(&[1.0, 1.0, 0.0]).as_slice()),
            [],
            "a tie is under the threshold"
        );
        let scores = classifier.scores(unit(&[0.3, 0.5, 0.1]).as_slice());
        let expected: Vec<f64> = {
            let e: Vec<f64> = [0.3, 0.5, 0.1]
                .iter()
                .map(|v| (10.0 * v / 0.35_f64.sqrt()).exp())
                .collect();
            e.iter().map(|v| v / e.iter().sum::<f64>()).collect()
        };
        assert!(
            scores
                .iter()
                .zip(&expected)
                .all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5),
            "{scores:?}"
        );
    }

    #[test]
    fn independent_keeps_many_and_knows_negatives() {
        let both = unit(&[1.0, 1.0, 0.0]);
        let both = both.as_slice();
        assert_eq!(classifier("independent", "").tags(both).len(), 2);
        let tags = classifier("independent", "negative = ['y']").tags(both);
        assert_eq!(
            tags.iter().map(|tag| tag.0).collect::<Vec<_>>(),
            [1],
            "x is as likely as its negative"
        );
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        assert!(log_sum_exp([1e30_f32, 1.0].iter()).is_finite());
    }
}
