//! Example pictures of labels: which pictures of the library are meant, and which are not there.

use std::collections::BTreeMap;
use std::path::Path;

use super::likeness::ExampleRows;
use super::{Label, LabelSet, Scoring, TagError, learned};
use crate::index::Vectors;
use crate::store::{ContentHash, ImageId, Store, Verdict, WhichDecisions};

/// Fewer images than this say too little about what is usual in a library.
pub(super) const FEWEST_IMAGES: usize = 20;

/// The examples of a set.
#[derive(Debug, Default)]
pub(super) struct Examples {
    /// By the label's place, those that the library has, by their content.
    found: BTreeMap<usize, BTreeMap<ContentHash, ImageId>>,
    /// What its owner should know about the others.
    pub(super) warnings: Vec<String>,
}

impl Label {
    fn has_examples(&self) -> bool {
        self.learn || !self.examples.is_empty()
    }
}

impl LabelSet {
    /// Whether tags depend on what else the library holds.
    pub(super) fn learns(&self) -> bool {
        self.scoring == Scoring::Library || self.has_examples()
    }

    /// Whether pictures of the library teach any of the labels.
    pub fn has_examples(&self) -> bool {
        self.labels.iter().any(Label::has_examples)
    }
}

impl Examples {
    /// Looks for the examples of a set that decisions know by `key`.
    pub(super) fn find(
        set: &LabelSet,
        key: &str,
        store: &Store,
        vectors: &Vectors,
    ) -> Result<Examples, TagError> {
        let mut examples = Examples::default();
        let labels = set.labels.iter().enumerate();
        for (at, label) in labels.filter(|(_, label)| label.has_examples()) {
            let mut found = BTreeMap::new();
            for example in &label.examples {
                match named(example, store)?.filter(|image| vectors.contains(image.1)) {
                    Some((hash, image)) => drop(found.insert(hash, image)),
                    None => examples.warnings.push(missing(label, example)),
                }
            }
            if label.learn {
                let confirmed = confirmed(key, &label.name, store)?.into_iter();
                found.extend(confirmed.filter(|image| vectors.contains(image.1)));
            }
            examples.found.insert(at, found);
        }
        examples.found.retain(|_, found| !found.is_empty());
        if set.learns() && vectors.len() < FEWEST_IMAGES {
            examples.found.clear();
            examples.warnings.push(format!(
                "the set learns from the library once that has {FEWEST_IMAGES} images"
            ));
        }
        Ok(examples)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Their embeddings.
    pub(super) fn rows(&self, vectors: &Vectors) -> ExampleRows {
        let rows = |found: &BTreeMap<ContentHash, ImageId>| -> Vec<Vec<f32>> {
            let images = found.values();
            images
                .filter_map(|image| vectors.embedding(*image))
                .collect()
        };
        let labels = self
            .found
            .iter()
            .map(|(label, found)| (*label, rows(found)));
        labels.filter(|(_, rows)| !rows.is_empty()).collect()
    }

    /// The signature of a set that learns, with what that adds to it: the examples' content, and how large the library was.
    pub(super) fn signature(&self, signature: &str, images: usize) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(format!("{signature} {images} {}", learned::VERSION).as_bytes());
        for (label, found) in &self.found {
            hasher.update(&label.to_le_bytes());
            for hash in found.keys() {
                hasher.update(&hash.0);
            }
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

/// What to say about the examples of a set that the library has not.
pub fn missing_examples(set: &LabelSet, store: &Store) -> Result<Vec<String>, TagError> {
    let mut warnings = Vec::new();
    for label in &set.labels {
        for example in &label.examples {
            if named(example, store)?.is_none() {
                warnings.push(missing(label, example));
            }
        }
    }
    Ok(warnings)
}

fn missing(label: &Label, example: &str) -> String {
    let label = &label.name;
    format!("the example `{example}` of the label `{label}` is no picture of the library")
}

/// The image that an example names by its id or by its path.
fn named(example: &str, store: &Store) -> Result<Option<(ContentHash, ImageId)>, TagError> {
    if let Ok(hash) = example.parse::<ContentHash>() {
        return Ok(store.image_by_hash(&hash)?.map(|image| (hash, image)));
    }
    // An absolute path stays what it is when it is joined.
    let roots = store.roots()?.into_iter().map(|root| root.path);
    for path in roots.map(|root| root.join(Path::new(example))) {
        if let Some((image, hash)) = store.image_at(&path)? {
            return Ok(Some((hash, image)));
        }
    }
    Ok(None)
}

/// The images of which people confirmed a label.
fn confirmed(
    key: &str,
    label: &str,
    store: &Store,
) -> Result<Vec<(ContentHash, ImageId)>, TagError> {
    let decisions = store.decisions(&WhichDecisions {
        set: Some(key.to_owned()),
        label: Some(label.to_owned()),
        ..WhichDecisions::default()
    })?;
    let mut confirmed = Vec::new();
    for decision in decisions {
        if decision.verdict == Some(Verdict::Confirmed) {
            let image = store.image_by_hash(&decision.image)?;
            confirmed.extend(image.map(|image| (decision.image, image)));
        }
    }
    Ok(confirmed)
}
