//! The label sets in force, and the tags that they give an image.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::classifier::Classifier;
use super::overrule::places;
use crate::store::{Decision, ImageTags, LabelId};

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
    /// The tags of an image, whose frames' embeddings are given row by row; without any, those that people confirmed.
    pub(super) fn tags_of(&self, frames: Option<&[f32]>, decisions: &[Decision]) -> ImageTags {
        let decided = places(&self.key, &self.classifier, decisions);
        let mut tags = ImageTags::default();
        for carried in self.classifier.tags_of_image(frames, &decided) {
            let label = self.ids[carried.label];
            tags.scores.push((label, carried.score));
            tags.shares
                .extend(carried.share.map(|share| (label, share)));
        }
        tags
    }
}
