//! Groups of images that are nearly, or exactly, the same picture.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Item, Query, Search, SearchError};
use crate::index::SimilarPair;
use crate::priority;
use crate::store::ImageId;

/// The similarity from which on two images are near-duplicates, where none is given: scaled and recompressed copies of a
/// photo stay above it, and shots of the same scene seldom reach it.
pub const LEAST_SIMILARITY: f32 = 0.97;

/// Below the first, half of a library can hang together.
const SIMILARITIES: RangeInclusive<f32> = 0.5..=1.0;

/// What makes two files the same picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DuplicateCriterion {
    /// Their bytes: files that hold one image.
    Hash,
    /// Their embeddings: images at least so similar.
    Similarity(f32),
}

/// Groups of the same picture, the largest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Duplicates {
    /// The groups that were asked for.
    pub groups: Vec<Group>,
    /// All groups.
    pub total: usize,
    /// Ask for the next page with this; none on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Images that show the same picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// The lowest similarity that holds the group together; 1 where all files are the same.
    pub similarity: f32,
    /// The images, the largest first; one image with several paths where all files are the same.
    pub images: Vec<Item>,
}

/// Images by number, with the similarity that holds them together.
type Members = (Vec<ImageId>, f32);

impl Search {
    /// Up to `limit` groups among the images that pass the query's filter, behind that where the page before ended.
    pub fn duplicates(
        &self,
        criterion: DuplicateCriterion,
        query: &Query,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Duplicates, SearchError> {
        let filter = query.only_filter()?;
        let mut groups: Vec<Members> = match criterion {
            DuplicateCriterion::Hash => {
                let copied = self.store.held_twice(filter)?.into_iter();
                copied.map(|image| (vec![image], 1.0)).collect()
            }
            DuplicateCriterion::Similarity(least) if !SIMILARITIES.contains(&least) => {
                return Err(SearchError::BadSimilarity(least.to_string()));
            }
            DuplicateCriterion::Similarity(least) => {
                let images = self.store.passing(filter)?;
                self.near_duplicates(&images, least)
            }
        };
        // The largest first; of one size, by their first image: an image is in one group only.
        let place = |(images, _): &Members| (Reverse(images.len()), images.first().copied());
        groups.sort_by_key(place);
        let total = groups.len();
        if let Some(text) = cursor {
            let behind = read_place(text).ok_or_else(|| SearchError::BadCursor(text.to_owned()))?;
            groups.retain(|group| place(group) > behind);
        }
        let is_last = groups.len() <= limit;
        groups.truncate(limit);
        let cursor = groups.last().filter(|_| !is_last).map(write_place);
        let groups = groups.into_iter().map(|members| self.group(members));
        Ok(Duplicates {
            groups: groups.collect::<Result<_, _>>()?,
            total,
            cursor,
        })
    }

    fn group(&self, (images, similarity): Members) -> Result<Group, SearchError> {
        let rows = self.store.images(&images)?.into_iter();
        let mut images: Vec<Item> = rows.map(Item::from).collect();
        images.sort_by_key(|item| {
            Reverse((
                u64::from(item.metadata.width) * u64::from(item.metadata.height),
                item.size_bytes,
            ))
        });
        Ok(Group { similarity, images })
    }

    /// Images linked by similarities of at least `least`; `images` is in order.
    fn near_duplicates(&self, images: &[ImageId], least: f32) -> Vec<Members> {
        let all = || self.index.neighbours().near_duplicates(images, least);
        let mut pairs = priority::beside_searches(all);
        // Strongest first, so that the last pair that joins a group is the weakest that it needs.
        pairs.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
        Groups::of(&pairs, images)
    }
}

/// Where a page of groups ended.
fn write_place((images, _): &Members) -> String {
    let first = images.first().copied().unwrap_or_default();
    format!("{}.{}", images.len(), first.0)
}

fn read_place(text: &str) -> Option<(Reverse<usize>, Option<ImageId>)> {
    let (len, first) = text.split_once('.')?;
    Some((
        Reverse(len.parse().ok()?),
        Some(ImageId(first.parse().ok()?)),
    ))
}

/// Disjoint sets: each place points to another of its set, and the last one to itself.
struct Groups {
    parents: Vec<usize>,
    /// For each last one the lowest similarity that joined its set.
    similarities: Vec<f32>,
}

impl Groups {
    /// The groups that pairs make of `images`, which are in order.
    fn of(pairs: &[SimilarPair], images: &[ImageId]) -> Vec<Members> {
        let mut groups = Groups::new(images.len());
        let place = |image: ImageId| images.binary_search(&image).ok();
        for pair in pairs {
            if let (Some(a), Some(b)) = (place(pair.first), place(pair.second)) {
                groups.join(a, b, pair.similarity);
            }
        }
        groups.into_members(images)
    }

    fn new(count: usize) -> Groups {
        Groups {
            parents: (0..count).collect(),
            similarities: vec![1.0; count],
        }
    }

    fn last(&mut self, mut place: usize) -> usize {
        while self.parents[place] != place {
            self.parents[place] = self.parents[self.parents[place]];
            place = self.parents[place];
        }
        place
    }

    fn join(&mut self, a: usize, b: usize, similarity: f32) {
        let (a, b) = (self.last(a), self.last(b));
        if a != b {
            self.parents[b] = a;
            let lowest = self.similarities[a].min(self.similarities[b]);
            self.similarities[a] = lowest.min(similarity);
        }
    }

    fn into_members(mut self, images: &[ImageId]) -> Vec<Members> {
        let mut members: BTreeMap<usize, Vec<ImageId>> = BTreeMap::new();
        for (place, image) in images.iter().enumerate() {
            members.entry(self.last(place)).or_default().push(*image);
        }
        let groups = members.into_iter().filter(|(_, images)| images.len() > 1);
        groups
            .map(|(last, images)| (images, self.similarities[last]))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_of_pairs_are_one_group() {
        let ids = |ids: &[i64]| ids.iter().copied().map(ImageId).collect::<Vec<_>>();
        let pairs = [
            (10, 13, 0.99),
            (14, 13, 0.98),
            (11, 12, 0.97),
            (13, 10, 0.5), // Joined already by a stronger pair.
            (15, 99, 0.5), // Not asked for.
        ];
        let pairs = pairs.map(|(a, b, similarity)| SimilarPair {
            first: ImageId(a),
            second: ImageId(b),
            similarity,
        });
        let mut found = Groups::of(&pairs, &ids(&[10, 11, 12, 13, 14, 15]));
        found.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found, [(ids(&[10, 13, 14]), 0.98), (ids(&[11, 12]), 0.97)]);
    }
}
