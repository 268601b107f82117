//! From a label set to the classifier that scores it, with what the library teaches it.

use super::examples::{Examples, FEWEST_IMAGES};
use super::learned::Learned;
use super::likeness::learn;
use super::spread::Sample;
use super::standard::measure;
use super::tagger::Tagger;
use super::{Classifier, LabelSet, Scoring, TagError};
use crate::store::AppliedSet;

/// What a set is to be scored with.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) examples: Examples,
    /// Images that the library has, or had when the set last learned from it; none where it learns nothing.
    images: Option<usize>,
    /// Hash of the model and of all that can change a score.
    pub(super) signature: String,
}

impl Tagger {
    /// Looks up what the set `name` is to be scored with; `stored` is how it was last applied.
    pub(super) fn wanted(
        &self,
        name: &str,
        set: &LabelSet,
        stored: Option<&AppliedSet>,
    ) -> Result<Wanted, TagError> {
        let examples = Examples::find(set, &set.key(name), &self.store, &self.vectors)?;
        let now = self.vectors.len();
        let measures = set.scoring == Scoring::Library && now >= FEWEST_IMAGES;
        let images = (measures || !examples.is_empty()).then(|| images_to_learn_from(stored, now));
        let plain = set.signature(self.embedder.fingerprint());
        let signature = images.map_or(plain.clone(), |images| examples.signature(&plain, images));
        Ok(Wanted {
            examples,
            images,
            signature,
        })
    }

    /// The classifier of a set, with what the library has taught it. What is stored for the same signature is taken as it is, so
    /// that an image is scored alike whenever it comes.
    pub(super) fn classifier(
        &self,
        set: LabelSet,
        wanted: &Wanted,
        stored: Option<&AppliedSet>,
    ) -> Result<(Classifier, Option<Learned>), TagError> {
        let classifier = Classifier::build(set, &self.embedder)?;
        let Some(images) = wanted.images else {
            return Ok((classifier, None));
        };
        let stored = stored.filter(|stored| stored.signature == wanted.signature);
        if let Some(learned) = stored.and_then(learned_before) {
            let classifier = classifier.standardised(learned.standard);
            return Ok((classifier.taught(&learned.likenesses), Some(learned)));
        }
        let (classifier, learned) = self.learn(classifier, &wanted.examples, images);
        Ok((classifier, Some(learned)))
    }

    fn learn(
        &self,
        classifier: Classifier,
        examples: &Examples,
        images: usize,
    ) -> (Classifier, Learned) {
        let sample = Sample::take(&self.vectors, self.embedder.embedding_dim());
        let standard = match classifier.set().scoring {
            Scoring::Probability => None,
            Scoring::Library => measure(&classifier, &sample.rows),
        };
        let classifier = classifier.standardised(standard);
        let likenesses = learn(&classifier, &examples.rows(&self.vectors), &sample);
        let classifier = classifier.taught(&likenesses);
        let learned = Learned {
            images,
            standard,
            likenesses,
        };
        (classifier, learned)
    }
}

fn learned_before(stored: &AppliedSet) -> Option<Learned> {
    Learned::read(stored.learned.as_ref()?)
}

/// The number of images that a set learned from, until the library has twice as many, or half.
fn images_to_learn_from(stored: Option<&AppliedSet>, now: usize) -> usize {
    let before = stored
        .and_then(learned_before)
        .map_or(0, |learned| learned.images);
    if before > now / 2 && before < now * 2 {
        before
    } else {
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_learns_again_when_its_library_has_doubled_or_halved() {
        let learned = Learned {
            images: 100,
            ..Learned::default()
        };
        let stored = AppliedSet {
            learned: Some(learned.state()),
            ..AppliedSet::default()
        };
        let images = |now| images_to_learn_from(Some(&stored), now);
        assert_eq!([images(51), images(100), images(199)], [100; 3]);
        assert_eq!([images(50), images(200)], [50, 200]);
        assert_eq!(images_to_learn_from(None, 7), 7);
    }
}
