//! What example pictures teach: how far to trust a label's prompt, and how to tell pictures that are like the examples.
//!
//! Pictures and texts lie in different cones of the joint space, so the two are never mixed as vectors. The examples' mean is
//! seen from the library's mean, with the library's own spread taken out (exemplar LDA), and gives log-odds of its own. A
//! prompt that tells the examples from the rest of the library counts for nearly all; one that does not, for nearly nothing.

use std::collections::BTreeMap;
use std::ops::Range;

use super::learned::Likeness;
use super::spread::{Sample, Spread, mean};
use super::{Classifier, LabelSet};
use crate::embed::log_sum_exp;
use crate::kernels::PackedF32;

/// Cosine, from the library's mean, of two pictures with the same label: it says how far other pictures with the label reach
/// on the way to the mean of a few.
const KINSHIP: f64 = 0.5;

/// Log-odds from the library's mean, where they are -5, to where another picture with the label is expected.
const SLOPE: f64 = 10.0;

/// The examples of labels, by the label's place in its set.
pub(super) type ExampleRows = BTreeMap<usize, Vec<Vec<f32>>>;

/// What examples teach a classifier that was built from prompts alone, by label.
pub(super) fn learn(
    classifier: &Classifier,
    examples: &ExampleRows,
    sample: &Sample,
) -> BTreeMap<String, Likeness> {
    if examples.is_empty() {
        return BTreeMap::new();
    }
    let Some(spread) = Spread::of(sample) else {
        return BTreeMap::new();
    };
    let usual = mean_probabilities(classifier, &sample.rows);
    let learn = |(label, rows): (&usize, &Vec<Vec<f32>>)| {
        let (way, bias) = direction(&spread, rows)?;
        let told = mean_probabilities(classifier, &rows.concat())[*label];
        let worth = ((told - usual[*label]) / (1.0 - usual[*label])).clamp(0.0, 1.0);
        let name = classifier.set().labels[*label].name.to_string();
        // A prompt that fits every picture of the library tells nothing, and leaves 0/0.
        let worth = if worth.is_finite() { worth } else { 0.0 };
        Some((name, Likeness { worth, way, bias }))
    };
    examples.iter().filter_map(learn).collect()
}

/// For each label the mean over images of its probability against the background.
fn mean_probabilities(classifier: &Classifier, images: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0; classifier.set().labels.len()];
    let odds = classifier.odds(images);
    let images = odds.chunks_exact(sums.len());
    let count = images.len().max(1) as f32;
    for odds in images {
        for (sum, odds) in sums.iter_mut().zip(odds) {
            *sum += 1.0 / (1.0 + (-odds).exp());
        }
    }
    sums.iter().map(|sum| sum / count).collect()
}

/// `way` and `bias` of the log-odds of being like the examples: even where a picture is half as far on the way from the
/// library's mean as another picture with the label is expected to be. None where the examples are the library's mean.
fn direction(spread: &Spread, examples: &[Vec<f32>]) -> Option<(Vec<f32>, f32)> {
    let centre = &spread.centre;
    let examples_mean = mean(examples.iter().map(Vec::as_slice), centre.len());
    let goal: Vec<f64> = (examples_mean.iter().zip(centre))
        .map(|(a, b)| a - b)
        .collect();
    let way = spread.whitened(&goal);
    let count = examples.len() as f64;
    let reach = count * KINSHIP / (1.0 + (count - 1.0) * KINSHIP);
    let length = product(&way, &goal) * reach;
    if length < 1e-9 {
        return None;
    }
    let bias = -SLOPE * (product(&way, centre) / length + 0.5);
    let way = way.iter().map(|value| (SLOPE * value / length) as f32);
    Some((way.collect(), bias as f32))
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Likenesses that are ready to score.
#[derive(Debug)]
pub(super) struct Taught {
    ways: PackedF32,
    /// Place of the label, worth of its prompt, and bias, in the order of the ways.
    labels: Vec<(usize, f32, f32)>,
}

impl Taught {
    /// None where no label of the set has learned anything.
    pub(super) fn new(
        set: &LabelSet,
        likenesses: &BTreeMap<String, Likeness>,
        embedding_dim: usize,
    ) -> Option<Taught> {
        let (mut labels, mut ways) = (Vec::new(), Vec::new());
        for (place, label) in set.labels.iter().enumerate() {
            let likeness = likenesses.get(&*label.name);
            if let Some(likeness) = likeness.filter(|known| known.way.len() == embedding_dim) {
                labels.push((place, likeness.worth, likeness.bias));
                ways.extend_from_slice(&likeness.way);
            }
        }
        if labels.is_empty() {
            return None;
        }
        let ways = PackedF32::pack(&ways, labels.len(), embedding_dim);
        Some(Taught { ways, labels })
    }

    /// Turns the logits of labels with examples, `width` of them for each image, so that their log-odds against the background
    /// are those of prompt and likeness, weighed by what the prompt is worth.
    pub(super) fn turn(
        &self,
        images: &[f32],
        logits: &mut [f32],
        width: usize,
        background: &Range<usize>,
    ) {
        let mut odds = vec![0.0; logits.len() / width * self.labels.len()];
        self.ways.multiply(images, &mut odds);
        let rows = logits.chunks_exact_mut(width);
        for (logits, odds) in rows.zip(odds.chunks_exact(self.labels.len())) {
            let ground = log_sum_exp(&logits[background.clone()]);
            for (&(label, worth, bias), odds) in self.labels.iter().zip(odds) {
                let prompt = logits[label] - ground;
                logits[label] = ground + worth * prompt + (1.0 - worth) * (odds + bias);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::classifier::tests::classifier;
    use super::*;
    use crate::embed::Embedding;

    fn unit(vector: [f32; 3]) -> Vec<f32> {
        let unit = Embedding::new(vector.to_vec()).unwrap();
        unit.as_slice().to_vec()
    }

    /// Most pictures lie about the background, a few along y, and as many along x.
    fn sample() -> Sample {
        let about = |i: i32| [0.1 * (i % 5 - 2) as f32, 0.1 * (i % 7 - 3) as f32, 1.0];
        let along = |i: i32| {
            let tilt = 0.1 * i as f32;
            [[tilt, 1.0, 0.3], [1.0, tilt, 0.3]]
        };
        let rows = (0..40).map(about).chain((0..4).flat_map(along));
        Sample {
            rows: rows.flat_map(unit).collect(),
            embedding_dim: 3,
        }
    }

    fn learned(classifier: &Classifier, examples: &[[f32; 3]]) -> BTreeMap<String, Likeness> {
        let rows = examples.iter().copied().map(unit).collect();
        learn(classifier, &BTreeMap::from([(0, rows)]), &sample())
    }

    fn labels(classifier: &Classifier, image: [f32; 3]) -> Vec<usize> {
        let kept = classifier.tags(&unit(image)).into_iter();
        kept.map(|kept| kept.label).collect()
    }

    #[test]
    fn a_prompt_that_tells_nothing_yields_to_the_examples() {
        // The label called x is what lies along -y, which no prompt says.
        for mode in ["independent", "exclusive"] {
            let plain = classifier(mode, "");
            assert!(labels(&plain, [0.05, -0.9, 0.3]).is_empty(), "{mode}");
            let likenesses = learned(&plain, &[[0.0, -1.0, 0.3], [0.1, -0.8, 0.4]]);
            assert!(likenesses["x"].worth < 0.05, "{likenesses:?}");
            let taught = plain.taught(&likenesses);
            assert_eq!(labels(&taught, [0.05, -0.9, 0.3]), [0], "{mode}");
            assert!(labels(&taught, [0.1, 0.1, 1.0]).is_empty(), "{mode}");
            assert_eq!(labels(&taught, [0.0, 1.0, 0.3]), [1], "{mode}: untaught");
        }
    }

    #[test]
    fn a_prompt_that_tells_the_examples_stays_in_force() {
        let plain = classifier("independent", "");
        let likenesses = learned(&plain, &[[1.0, 0.0, 0.2]]);
        assert!(likenesses["x"].worth > 0.95, "{likenesses:?}");
        let scores = |classifier: &Classifier| {
            let kept = classifier.tags(&unit([0.8, 0.3, 0.4]));
            kept[0].score
        };
        let before = scores(&plain);
        let after = scores(&plain.taught(&likenesses));
        assert!((before - after).abs() < 0.03, "{before} {after}");
    }

    #[test]
    fn examples_that_are_the_whole_library_teach_nothing() {
        let sample = Sample {
            rows: unit([0.2, 0.3, 0.9]).repeat(30),
            embedding_dim: 3,
        };
        let examples = BTreeMap::from([(0, vec![unit([0.2, 0.3, 0.9])])]);
        let plain = classifier("independent", "");
        assert!(learn(&plain, &examples, &sample).is_empty());
    }

    #[test]
    fn an_image_is_scored_alike_in_any_company_by_what_was_learned() {
        let plain = classifier("independent", "");
        let likenesses = learned(&plain, &[[0.3, -1.0, 0.3]]);
        let taught = plain.taught(&likenesses);
        let images = sample();
        let together = taught.logits(&images.rows);
        let alone = images.rows.chunks(3).flat_map(|image| taught.logits(image));
        assert_eq!(together, alone.collect::<Vec<_>>());
    }
}
