//! The label sets in force, and the tags that they give an image.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::classifier::Classifier;
use super::overrule::places;
use crate::store::{Decision, LabelId};

/// A set in force.
#[derive(Debug)]
pub(super) struct ActiveSet {
    pub(super) classifier: Classifier,
    /// The rows of its labels.
    pub(super) ids: Vec<LabelId>,
    /// What decisions know it by.
    pub(super) key: String,
    pub(super) signature: String,
}

/// The sets in force, by name.
pub(super) type Active = BTreeMap<String, Arc<ActiveSet>>;

impl ActiveSet {
    /// The tags of an image; without an embedding of it, those that people confirmed.
    pub(super) fn tags_of(
        &self,
        embedding: Option<&[f32]>,
        decisions: &[Decision],
    ) -> Vec<(LabelId, f32)> {
        let decided = places(&self.key, &self.classifier, decisions);
        let tags = self
            .classifier
            .tags_of_decided(embedding, &decided)
            .into_iter();
        tags.map(|(label, score)| (self.ids[label], score))
            .collect()
    }
}
