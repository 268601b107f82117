//! A label set with the embeddings of its prompts: scores embeddings.

use std::collections::BTreeMap;
use std::ops::Range;

use super::calibration::Calibration;
use super::exemplars::{Exemplar, Exemplars};
use super::set::{Label, LabelSet, Mode};
use crate::embed::{EmbedError, Embedder, Embedding, Similarity};
use crate::kernels::PackedF32;
use crate::store::Verdict;

/// A label that an image keeps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kept {
    /// The image's place among those that were scored.
    pub row: usize,
    /// The label's place in the set.
    pub label: usize,
    /// Its probability.
    pub score: f32,
}

/// A label that an image keeps by one of its frames at least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Carried {
    /// The label's place in the set.
    pub label: usize,
    /// Its highest probability.
    pub score: f32,
    /// Of several frames, the share of those that keep it.
    pub share: Option<f32>,
}

/// A label set that is ready to score.
#[derive(Debug)]
pub struct Classifier {
    set: LabelSet,
    /// The embeddings of all texts, one column of logits each: labels, then the background, then negatives.
    texts: PackedF32,
    pub(super) text_count: usize,
    embedding_dim: usize,
    /// Columns of the background.
    pub(super) background: Range<usize>,
    /// For each label the columns of its negatives.
    pub(super) negatives: Vec<Range<usize>>,
    /// For each label the labels that an image has with it.
    ancestors: Vec<Vec<usize>>,
    pub(super) similarity: Similarity,
    /// Where scores are calibrated on the library.
    calibration: Option<Calibration>,
    /// Where labels have examples.
    exemplars: Option<Exemplars>,
}

impl Classifier {
    /// Embeds the prompts of a set, all of them together.
    pub fn build(set: LabelSet, embedder: &Embedder) -> Result<Classifier, EmbedError> {
        let groups = prompts(&set);
        let mut embeddings = embedder.embed_texts(groups.concat())?.into_iter();
        let mean = |group: &Vec<String>| {
            let group: Vec<Embedding> = embeddings.by_ref().take(group.len()).collect();
            Embedding::mean(&group)
        };
        let texts = groups.iter().map(mean).collect::<Result<Vec<_>, _>>()?;
        Ok(Classifier::new(set, &texts, embedder.similarity()))
    }

    /// `texts`: one embedding for each of [`prompts`].
    fn new(set: LabelSet, texts: &[Embedding], similarity: Similarity) -> Classifier {
        let background = set.labels.len()..set.labels.len() + set.background.len();
        let mut end = background.end;
        let mut negatives_of = |label: &Label| {
            let start = end;
            end += label.negative.len();
            start..end
        };
        let negatives = set.labels.iter().map(&mut negatives_of).collect();
        let rows: Vec<f32> = texts
            .iter()
            .flat_map(Embedding::as_slice)
            .copied()
            .collect();
        // A set that was read has no label without its parent.
        let ancestors = set.ancestors();
        let ancestors = ancestors.unwrap_or_else(|_| vec![Vec::new(); set.labels.len()]);
        let embedding_dim = texts.first().map_or(1, |text| text.as_slice().len());
        Classifier {
            set,
            texts: PackedF32::pack(&rows, texts.len(), embedding_dim),
            text_count: texts.len(),
            embedding_dim,
            background,
            negatives,
            ancestors,
            similarity,
            calibration: None,
            exemplars: None,
        }
    }

    /// The same, calibrated on a library.
    pub(super) fn calibrated(self, calibration: Option<Calibration>) -> Classifier {
        Classifier {
            calibration,
            ..self
        }
    }

    /// The same with what examples have taught, by label.
    pub(super) fn with_exemplars(self, exemplars: &BTreeMap<String, Exemplar>) -> Classifier {
        Classifier {
            exemplars: Exemplars::pack(&self.set, exemplars, self.embedding_dim),
            ..self
        }
    }

    /// The set.
    pub fn set(&self) -> &LabelSet {
        &self.set
    }

    /// The labels that images keep; `images` holds their embeddings row by row.
    ///
    /// What an image keeps comes out the same to the bit whichever images it is scored with, so that scoring a library
    /// again changes nothing where nothing changed.
    pub fn tags(&self, images: &[f32]) -> Vec<Kept> {
        let mut kept = Vec::new();
        self.each(images, |row, scores| {
            let tags = self.tags_of(scores).into_iter();
            kept.extend(tags.map(|(label, score)| Kept { row, label, score }));
        });
        kept
    }

    /// The labels that an image with these scores keeps, each with its score.
    pub(super) fn tags_of(&self, scores: &[f32]) -> Vec<(usize, f32)> {
        let reaches = |label: &usize| scores[*label] >= self.threshold(*label);
        let kept = self.candidates(scores).filter(reaches);
        self.with_ancestors(kept.map(|label| (label, scores[label])).collect())
    }

    /// An ancestor's score is the highest of its own and its descendants': it is there because they are.
    fn with_ancestors(&self, mut tags: Vec<(usize, f32)>) -> Vec<(usize, f32)> {
        for at in 0..tags.len() {
            let (label, score) = tags[at];
            for &ancestor in &self.ancestors[label] {
                match tags.iter_mut().find(|tag| tag.0 == ancestor) {
                    Some(tag) => tag.1 = tag.1.max(score),
                    None => tags.push((ancestor, score)),
                }
            }
        }
        tags
    }

    /// The labels that one image keeps by any of its frames, whose embeddings are given row by row, where people decided about some
    /// of them. Without an embedding only what is confirmed is known.
    pub(super) fn tags_of_image(
        &self,
        frames: Option<&[f32]>,
        decided: &[(usize, Verdict)],
    ) -> Vec<Carried> {
        let Some(frames) = frames else {
            return carried(&[self.tags_of_decided(None, decided)]);
        };
        let frames = frames.chunks_exact(self.embedding_dim);
        let tags: Vec<_> = frames
            .map(|frame| self.tags_of_decided(Some(frame), decided))
            .collect();
        carried(&tags)
    }

    /// The labels that one frame keeps where people decided about some of them: what is confirmed it has, with a score of
    /// 1, and what is rejected it has not. In an exclusive set a confirmed label leaves no room for others, and a rejected
    /// one is out of the competition. Without an embedding only what is confirmed is known.
    fn tags_of_decided(
        &self,
        embedding: Option<&[f32]>,
        decided: &[(usize, Verdict)],
    ) -> Vec<(usize, f32)> {
        let is = |label: usize, verdict| decided.contains(&(label, verdict));
        let has_been = |verdict| decided.iter().any(|decision| decision.1 == verdict);
        let is_taken = self.set.mode == Mode::Exclusive && has_been(Verdict::Confirmed);
        let mut tags = Vec::new();
        if let Some(embedding) = embedding.filter(|_| !is_taken) {
            let mut logits = self.logits(embedding);
            for (label, _) in decided
                .iter()
                .filter(|decision| decision.1 == Verdict::Rejected)
            {
                logits[*label] = f32::NEG_INFINITY;
            }
            tags = self.tags_of(&self.scores(&logits));
            // Nor is it anything that would make it what it is not.
            let ancestors = |label: usize| self.ancestors[label].iter();
            tags.retain(|tag| !ancestors(tag.0).any(|label| is(*label, Verdict::Rejected)));
        }
        tags.retain(|tag| !is(tag.0, Verdict::Confirmed));
        let confirmed = decided
            .iter()
            .filter(|decision| decision.1 == Verdict::Confirmed);
        tags.extend(confirmed.map(|(label, _)| (*label, 1.0)));
        let mut tags = self.with_ancestors(tags);
        tags.retain(|tag| !is(tag.0, Verdict::Rejected));
        tags
    }

    /// Calls `with` for each image with its place and the scores of all labels.
    pub(super) fn each(&self, images: &[f32], mut with: impl FnMut(usize, &[f32])) {
        let logits = self.logits(images);
        for (row, logits) in logits.chunks_exact(self.text_count).enumerate() {
            with(row, &self.scores(logits));
        }
    }

    /// For each image the logits of all texts.
    pub(super) fn logits(&self, images: &[f32]) -> Vec<f32> {
        let mut logits = vec![0.0; images.len() / self.embedding_dim * self.text_count];
        self.texts.multiply(images, &mut logits);
        self.similarity.make_logits(&mut logits);
        if let Some(calibration) = self.calibration {
            let rows = logits.chunks_exact_mut(self.text_count);
            rows.for_each(|row| calibration.apply(row, &self.background));
        }
        if let Some(exemplars) = &self.exemplars {
            exemplars.adjust(images, &mut logits, self.text_count, &self.background);
        }
        logits
    }

    /// The labels that an image may keep, if their scores reach their thresholds.
    pub(super) fn candidates(&self, scores: &[f32]) -> Range<usize> {
        match self.set.mode {
            Mode::Independent => 0..scores.len(),
            Mode::Exclusive => {
                let best = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
                best.map_or(0..0, |best| best..best + 1)
            }
        }
    }

    /// The score from which on a label is kept.
    pub(super) fn threshold(&self, label: usize) -> f32 {
        self.set.threshold_of(&self.set.labels[label])
    }
}

/// What an image keeps whose frames keep these.
fn carried(frames: &[Vec<(usize, f32)>]) -> Vec<Carried> {
    let mut best: Vec<(usize, f32)> = Vec::new();
    for &(label, score) in frames.iter().flatten() {
        match best.iter_mut().find(|tag| tag.0 == label) {
            Some(tag) => tag.1 = tag.1.max(score),
            None => best.push((label, score)),
        }
    }
    let share = |label: usize| {
        let keeps = |tags: &&Vec<(usize, f32)>| tags.iter().any(|tag| tag.0 == label);
        frames.iter().filter(keeps).count() as f32 / frames.len() as f32
    };
    let is_video = frames.len() > 1;
    let carried = best.into_iter().map(|(label, score)| Carried {
        label,
        score,
        share: is_video.then(|| share(label)),
    });
    carried.collect()
}

/// What is embedded for a set, in the order of its columns; each group of prompts makes one embedding, their mean.
fn prompts(set: &LabelSet) -> Vec<Vec<String>> {
    let labels = set.labels.iter().map(|label| set.prompts(label));
    let background = set.background.iter().map(|text| vec![text.clone()]);
    let negatives = set
        .labels
        .iter()
        .flat_map(|label| set.negative_prompts(label));
    labels.chain(background).chain(negatives).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn unit(vector: &[f32]) -> Embedding {
        Embedding::new(vector.to_vec()).unwrap()
    }

    /// Labels along x and y, the background along z.
    pub(in super::super) fn classifier(mode: &str, extra: &str) -> Classifier {
        let text = format!(
            "mode = '{mode}'\nbackground = ['z']\n[[labels]]\nname = 'x'\n{extra}\n[[labels]]\nname = 'y'"
        );
        let set = LabelSet::parse(&text).unwrap();
        let mut texts = vec![
            unit(&[1.0, 0.0, 0.0]),
            unit(&[0.0, 1.0, 0.0]),
            unit(&[0.0, 0.0, 1.0]),
        ];
        texts.extend(extra.contains("negative").then(|| unit(&[0.0, 1.0, 0.0])));
        Classifier::new(set, &texts, Similarity::new(10.0))
    }

    fn labels(classifier: &Classifier, image: &[f32]) -> Vec<usize> {
        let kept = classifier.tags(unit(image).as_slice());
        kept.into_iter().map(|tag| tag.label).collect()
    }

    #[test]
    fn exclusive_keeps_the_best_or_none() {
        let classifier = classifier("exclusive", "");
        assert_eq!(labels(&classifier, &[1.0, 0.2, 0.0]), [0]);
        assert!(labels(&classifier, &[0.0, 0.1, 1.0]).is_empty());
        let tie = labels(&classifier, &[1.0, 1.0, 0.0]);
        assert!(tie.is_empty(), "a tie is under the threshold");
        let scores = classifier.scores(&[3.0, 5.0, 1.0]);
        let sum: f64 = [3.0_f64, 5.0, 1.0].iter().map(|logit| logit.exp()).sum();
        for (score, logit) in scores.iter().zip([3.0_f64, 5.0]) {
            assert!(
                (f64::from(*score) - logit.exp() / sum).abs() < 1e-6,
                "{scores:?}"
            );
        }
    }

    #[test]
    fn independent_keeps_many_and_knows_negatives() {
        let both = [1.0, 1.0, 0.0];
        assert_eq!(labels(&classifier("independent", ""), &both), [0, 1]);
        let kept = labels(&classifier("independent", "negative = ['y']"), &both);
        assert_eq!(kept, [1], "x is as likely as its negative");
    }

    #[test]
    fn a_label_of_an_exclusive_set_abstains_by_its_own_negatives() {
        // x competes with y and steps back before z; y knows no negatives.
        let text = "mode = 'exclusive'\nthreshold = 0.5\nbackground = ['w']\n[[labels]]\nname = 'x'\nnegative = ['z']\n\
                    [[labels]]\nname = 'y'";
        let texts =
            [0, 1, 2, 3].map(|at| unit(&[0, 1, 2, 3].map(|i| f32::from(u8::from(i == at)))));
        let classifier = Classifier::new(
            LabelSet::parse(text).unwrap(),
            &texts,
            Similarity::new(10.0),
        );
        // In logits: x, y, background, the negative of x.
        let scores = |x, y, z| classifier.scores(&[x, y, 0.0, z]);
        assert!(scores(9.0, 8.0, 7.0)[0] > 0.7, "x is the best");
        let abstained = scores(9.0, 8.0, 9.5);
        assert!(abstained[0].abs() < f32::EPSILON && abstained[1] > 0.99);
        let tags = classifier.tags_of(&abstained);
        assert_eq!(tags, [(1, abstained[1])], "the next best wins");
        assert!(scores(9.0, 8.0, 9.0)[0] > 0.7, "as good is not better");
        let nobody = scores(1.0, -20.0, 2.0);
        assert!(classifier.tags_of(&nobody).is_empty(), "{nobody:?}");
        // What a negative keeps out, a person can still put in.
        let confirmed = classifier.tags_of_decided(None, &[(0, Verdict::Confirmed)]);
        assert_eq!(confirmed, [(0, 1.0)]);
    }

    #[test]
    fn decisions_win_in_both_modes() {
        use Verdict::{Confirmed, Rejected};
        let image = unit(&[1.0, 0.4, 0.0]);
        let labels = |mode: &str, decided: &[(usize, Verdict)]| {
            let tags = classifier(mode, "").tags_of_decided(Some(image.as_slice()), decided);
            sorted(&tags)
        };
        for mode in ["exclusive", "independent"] {
            assert_eq!(labels(mode, &[])[0], (0, false), "{mode}");
            assert!(
                !labels(mode, &[(0, Rejected)]).contains(&(0, false)),
                "{mode}"
            );
            assert_eq!(labels(mode, &[(0, Confirmed)])[0], (0, true), "{mode}");
            let unseen = classifier(mode, "").tags_of_decided(None, &[(1, Confirmed)]);
            assert_eq!(unseen, [(1, 1.0)], "{mode}");
        }
        assert_eq!(
            labels("independent", &[(1, Confirmed)]),
            [(0, false), (1, true)]
        );
        assert_eq!(
            labels("exclusive", &[(1, Confirmed)]),
            [(1, true)],
            "one label only"
        );
        assert_eq!(
            labels("exclusive", &[(0, Rejected)]),
            [(1, false)],
            "the next best"
        );
        assert_eq!(labels("exclusive", &[(0, Rejected), (1, Rejected)]), []);
    }

    /// Labels in order, each with whether it is certain.
    fn sorted(tags: &[(usize, f32)]) -> Vec<(usize, bool)> {
        let mut labels: Vec<_> = tags
            .iter()
            .map(|(label, score)| (*label, *score >= 1.0))
            .collect();
        labels.sort_unstable();
        labels
    }

    #[test]
    fn a_label_brings_its_ancestors() {
        use Verdict::{Confirmed, Rejected};
        for mode in ["exclusive", "independent"] {
            // x is a y.
            let classifier = classifier(mode, "parent = 'y'");
            let image = unit(&[1.0, 0.0, 0.0]);
            let scored = classifier.tags(image.as_slice());
            assert_eq!(
                scored.iter().map(|tag| tag.label).collect::<Vec<_>>(),
                [0, 1],
                "{mode}"
            );
            assert!(
                scored[0].score.to_bits() == scored[1].score.to_bits(),
                "{mode}"
            );
            assert_eq!(
                labels(&classifier, &[0.0, 1.0, 0.0]),
                [1],
                "{mode}: not the other way"
            );
            let decided = |decided: &[(usize, Verdict)]| {
                sorted(&classifier.tags_of_decided(Some(image.as_slice()), decided))
            };
            assert_eq!(decided(&[(0, Confirmed)]), [(0, true), (1, true)], "{mode}");
            assert_eq!(
                decided(&[(1, Rejected)]),
                [],
                "{mode}: what is no y is no x"
            );
            assert_eq!(
                decided(&[(0, Confirmed), (1, Rejected)]),
                [(0, true)],
                "{mode}"
            );
        }
    }

    #[test]
    fn an_image_is_scored_alike_in_any_company() {
        let classifier = classifier("independent", "negative = ['y']");
        let images: Vec<Vec<f32>> = (0..37)
            .map(|i| {
                let angle = i as f32 / 9.0;
                let image = unit(&[angle.cos(), angle.sin(), 0.3]);
                image.as_slice().to_vec()
            })
            .collect();
        let together = classifier.tags(&images.concat());
        let alone = images.iter().enumerate().flat_map(|(row, image)| {
            let kept = classifier.tags(image);
            kept.into_iter().map(move |tag| Kept { row, ..tag })
        });
        assert!(together.len() > 10, "{together:?}");
        assert_eq!(together, alone.collect::<Vec<_>>());
    }

    #[test]
    fn a_video_keeps_what_any_of_its_frames_keeps_and_tells_how_many_do() {
        let classifier = classifier("exclusive", "");
        let row = |frame: &[f32]| unit(frame).as_slice().to_vec();
        let [x, y, none] = [[1.0, 0.1, 0.0], [0.1, 1.0, 0.0], [0.0, 0.0, 1.0]].map(|f| row(&f));
        let better = row(&[1.0, 0.0, 0.0]);
        let carried = |frames: &[&Vec<f32>], decided: &[(usize, Verdict)]| {
            let rows: Vec<f32> = frames.iter().flat_map(|row| row.iter().copied()).collect();
            let carried = classifier.tags_of_image(Some(&rows), decided);
            let told = carried.iter().map(|tag| (tag.label, tag.share));
            (
                told.collect::<Vec<_>>(),
                carried.first().map(|tag| tag.score),
            )
        };
        let (tags, score) = carried(&[&x, &none, &better, &y], &[]);
        assert_eq!(tags, [(0, Some(0.5)), (1, Some(0.25))]);
        assert_eq!(score, carried(&[&better], &[]).1, "the best frame's");
        assert_eq!(carried(&[&x], &[]).0, [(0, None)], "a still");
        let rejected = [(0, Verdict::Rejected)];
        let (tags, _) = carried(&[&x, &none, &y], &rejected);
        assert!(tags.iter().all(|(label, _)| *label == 1), "{tags:?}");
        let confirmed = [(1, Verdict::Confirmed)];
        assert_eq!(carried(&[&x, &none], &confirmed).0, [(1, Some(1.0))]);
        let unseen = classifier.tags_of_image(None, &confirmed);
        assert_eq!((unseen[0].label, unseen[0].share), (1, None));
    }
}
