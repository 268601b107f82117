//! Example pictures of labels: which pictures of the library are meant, and which are not there.

use std::collections::{BTreeMap, HashMap};

use super::error::TagError;
use super::exemplars::ExampleRows;
use super::set::{Label, LabelSet};
use crate::index::Vectors;
use crate::spelling::spellings_of_path;
use crate::store::{ContentHash, ImageId, Store, Verdict, WhichDecisions};

/// Sets learn nothing from a library of fewer images: they say too little about what is usual in it.
pub(super) const LEAST_LIBRARY_IMAGES: usize = 20;

/// The examples of a set.
#[derive(Debug, Default)]
pub(super) struct Examples {
    /// By the label's place, those that the library has, by their content.
    found: BTreeMap<usize, BTreeMap<ContentHash, ImageId>>,
    /// What its owner should know about the others.
    pub(super) warnings: Vec<String>,
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
        if set.learns() && vectors.len() < LEAST_LIBRARY_IMAGES {
            examples.found.clear();
            examples.warnings.push(format!(
                "the set learns from the library once that has {LEAST_LIBRARY_IMAGES} images"
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

    /// By the label's place, what identifies them.
    pub(super) fn content(&self) -> BTreeMap<usize, Vec<ContentHash>> {
        let content = |found: &BTreeMap<ContentHash, ImageId>| found.keys().copied().collect();
        let labels = self.found.iter();
        labels
            .map(|(label, found)| (*label, content(found)))
            .collect()
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
    let paths = spellings_of_path(example);
    for root in store.roots()? {
        // An absolute path stays what it is when it is joined.
        for path in paths.iter().map(|path| root.path.join(path)) {
            if let Some((image, hash)) = store.image_at(&path)? {
                return Ok(Some((hash, image)));
            }
        }
    }
    Ok(None)
}

/// The images of which people confirmed a label.
fn confirmed(
    key: &str,
    label: &str,
    store: &Store,
) -> Result<HashMap<ContentHash, ImageId>, TagError> {
    let decisions = store.decisions(&WhichDecisions {
        set: Some(key.to_owned()),
        label: Some(label.to_owned()),
        ..WhichDecisions::default()
    })?;
    let confirmed = decisions
        .iter()
        .filter(|decision| decision.verdict == Some(Verdict::Confirmed));
    Ok(store.images_by_hash(confirmed.map(|decision| &decision.image))?)
}
