//! Near-duplicates: which images are nearly the same, asked of all images at once.
//!
//! The graph knows it: a node is linked to its nearest one, and to every other one that it has none nearer to in between.
//! So what hangs together by similarities of at least so much hangs together by links of at least so much, as in the
//! relative neighbourhood graph, of which a shortest spanning tree is a part (Toussaint 1980).

use rayon::prelude::*;

use super::neighbours::{Neighbours, QueryKind};
use super::segment::Segment;
use super::snapshot::Snapshot;
use crate::kernels::dot;
use crate::store::ImageId;

/// Neighbours that are looked at of an image that the graph has not; larger groups hang together by chains of them.
const NEAREST: usize = 16;

/// Two images that are nearly the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimilarPair {
    /// One of them.
    pub first: ImageId,
    /// The other.
    pub second: ImageId,
    /// How similar they are.
    pub similarity: f32,
}

impl Neighbours {
    /// Pairs among `images` (in order) of at least this similarity: not all, but enough to hold every group together.
    pub fn near_duplicates(&self, images: &[ImageId], least: f32) -> Vec<SimilarPair> {
        let snapshot = self.snapshot();
        let passes = |image: &ImageId| images.binary_search(image).is_ok();
        let near = |image: ImageId| {
            let near = snapshot
                .linked(image, least, passes)
                .unwrap_or_else(|| self.near(image, least, passes));
            near.into_iter()
                .map(move |(other, similarity)| SimilarPair {
                    first: image,
                    second: other,
                    similarity,
                })
        };
        images.par_iter().copied().flat_map_iter(near).collect()
    }

    /// The nearest others that pass, down to a similarity.
    fn near(
        &self,
        image: ImageId,
        least: f32,
        passes: impl Fn(&ImageId) -> bool,
    ) -> Vec<(ImageId, f32)> {
        let embedding = self.state.read().get(image).map(<[f32]>::to_vec);
        let Some(embedding) = embedding else {
            return Vec::new();
        };
        let mut hits = self
            .search(&embedding, NEAREST, QueryKind::Image, None)
            .hits;
        hits.retain(|hit| hit.1 >= least && hit.0 != image && passes(&hit.0));
        hits
    }
}

impl Snapshot {
    /// As [`linked`] for an image that the segment has.
    fn linked(
        &self,
        image: ImageId,
        least: f32,
        passes: impl Fn(&ImageId) -> bool,
    ) -> Option<Vec<(ImageId, f32)>> {
        let segment = self.segment.as_ref()?;
        let is_here = |node: u32| !self.gone.contains(node);
        let node = segment.node(image).filter(|node| is_here(*node))?;
        let passes = |node| is_here(node) && passes(&segment.image(node));
        let found = linked(segment, node, least, passes).into_iter();
        Some(
            found
                .map(|(node, similarity)| (segment.image(node), similarity))
                .collect(),
        )
    }
}

/// The nodes of at least this similarity to a node that links lead to: over those that do not pass to those that do.
fn linked(
    segment: &Segment,
    node: u32,
    least: f32,
    passes: impl Fn(u32) -> bool,
) -> Vec<(u32, f32)> {
    let row = segment.row(node);
    let ready = segment.query(row);
    let mut products = Vec::new();
    let mut found = Vec::new();
    let mut open = vec![node];
    let mut next = 0;
    while let Some(&at) = open.get(next) {
        next += 1;
        let links = segment.links_of(at);
        ready.products(
            segment.codes(),
            links.len(),
            |place| links[place],
            &mut products,
        );
        for (&other, &product) in links.iter().zip(&products) {
            let at_most =
                ready.similarity(product) + segment.errors()[other as usize] + ready.error();
            if at_most < least || open.contains(&other) {
                continue;
            }
            let similarity = dot(segment.row(other), row);
            if similarity < least {
                continue;
            }
            if passes(other) {
                found.push((other, similarity));
            } else {
                open.push(other);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::embed::Embedding;
    use crate::index::build::tests::vector;
    use crate::index::tests::{open, wait_for_build};
    use crate::random::Random;

    /// Chains of near-duplicates, each a step away from the one before; the first has one picture, the second two, and so on.
    fn chains(count: u64) -> Vec<Embedding> {
        let step = |from: &[f32], seed: u64| {
            let noise = |at| (Random::nth(seed * 1000 + at) >> 40) as f32 / (1 << 24) as f32 - 0.5;
            let values = from
                .iter()
                .zip(0..)
                .map(|(value, at)| value + 0.06 * noise(at));
            values.collect::<Vec<f32>>()
        };
        let chain = |length: u64| {
            let first = vector(length);
            (0..length).scan(first, move |last, place| {
                let next = step(last, length * 100 + place);
                Some(Embedding::new(std::mem::replace(last, next)).unwrap())
            })
        };
        (1..=count).flat_map(chain).collect()
    }

    /// For each image the first one that pairs join it to.
    fn groups(images: &[ImageId], pairs: &[SimilarPair]) -> BTreeMap<ImageId, ImageId> {
        let mut first: BTreeMap<_, _> = images.iter().map(|image| (*image, *image)).collect();
        for pair in pairs {
            let a = first[&pair.first];
            let b = first[&pair.second];
            let joined = first.values_mut().filter(|first| **first == a.max(b));
            joined.for_each(|first| *first = a.min(b));
        }
        first
    }

    fn all_pairs(rows: &BTreeMap<ImageId, &Embedding>, least: f32) -> Vec<SimilarPair> {
        let pairs = rows.iter().flat_map(|(a, row)| {
            let pair = move |(b, other): (&ImageId, &&Embedding)| SimilarPair {
                first: *a,
                second: *b,
                similarity: dot(row.as_slice(), other.as_slice()),
            };
            rows.range(..a).map(pair)
        });
        pairs.filter(|pair| pair.similarity >= least).collect()
    }

    #[test]
    fn groups_are_those_of_all_pairs() {
        let folder = tempfile::tempdir().unwrap();
        let index = open(folder.path());
        let rows = chains(40);
        let (graph, newer) = rows.split_at(780);
        index.insert((0..).map(ImageId).zip(graph));
        wait_for_build(&index);
        index.insert((780..).map(ImageId).zip(newer));
        let gone: Vec<ImageId> = (0..820).step_by(9).map(ImageId).collect();
        index.remove(&gone);
        assert_eq!(index.status().graph_images, Some(780));
        for (least, skipped) in [(0.9, 1), (0.97, 1), (0.985, 1), (0.99, 1), (0.97, 2)] {
            let asked: BTreeMap<ImageId, &Embedding> = (0..)
                .map(ImageId)
                .zip(&rows)
                .filter(|(image, _)| !gone.contains(image))
                .step_by(skipped)
                .collect();
            let images: Vec<ImageId> = asked.keys().copied().collect();
            let found = index.neighbours().near_duplicates(&images, least);
            let all = all_pairs(&asked, least);
            assert!(groups(&images, &found) == groups(&images, &all), "{least}");
            assert!(found.iter().all(|pair| pair.similarity >= least));
        }
    }
}
