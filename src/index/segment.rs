//! A segment: images as they were when it was built, with codes to scan, a graph to walk, and rows to be exact with.

use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::file::{self, BadSegment, Mapped};
use super::layout::{Array, SegmentShape, upper_nodes};
use super::matrix::Best;
use super::quantizer::{QuantizedQuery, Quantizer};
use super::tuning::Tuning;
use super::walk::{Links, Walker};
use crate::store::ImageId;

/// The walk over the upper graph looks at one in so many of the candidates of the other, which begins from what it finds:
/// what a text is near to lies in several places.
const UPPER_EF_SHARE: usize = 2;

const LEAST_UPPER_EF: usize = 8;

/// The nodes of the upper graph that all walks begin from.
pub(super) fn entry_nodes(upper_nodes: usize) -> Range<u32> {
    0..upper_nodes.isqrt() as u32
}

/// What a search needs, reused by the next one.
#[derive(Debug, Default)]
struct Walkers {
    upper: Walker,
    lower: Walker,
}

#[derive(Debug)]
pub(super) struct Segment {
    mapped: Mapped,
    quantizer: Quantizer,
    shape: SegmentShape,
    /// One for each walk that was under way at a time.
    walkers: Mutex<Vec<Walkers>>,
}

impl Segment {
    /// Opens the file in `path`, with what was measured when it was built.
    pub(super) fn open(
        path: &Path,
        fingerprint: &str,
        embedding_dim: usize,
    ) -> Result<(Segment, Tuning), BadSegment> {
        let (manifest, mapped) = file::open(path, fingerprint, embedding_dim)?;
        Ok((Segment::new(mapped, manifest.shape), manifest.tuning))
    }

    pub(super) fn new(mapped: Mapped, shape: SegmentShape) -> Segment {
        let (step, mean) = mapped.array::<f32>(Array::Quantizer).split_at(1);
        let quantizer = Quantizer::from_parts(mean.to_vec(), step[0]);
        Segment {
            mapped,
            quantizer,
            shape,
            walkers: Mutex::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.shape.nodes
    }

    /// Bytes of everything but the rows.
    pub(super) fn graph_bytes(&self) -> usize {
        self.mapped.len() - size_of_val(self.rows())
    }

    pub(super) fn image(&self, node: u32) -> ImageId {
        ImageId(self.ids()[node as usize])
    }

    pub(super) fn ids(&self) -> &[i64] {
        self.mapped.array(Array::Ids)
    }

    pub(super) fn row(&self, node: u32) -> &[f32] {
        let dim = self.shape.embedding_dim;
        &self.rows()[node as usize * dim..][..dim]
    }

    /// For each node how far its row lies from its codes.
    pub(super) fn errors(&self) -> &[f32] {
        self.mapped.array(Array::Errors)
    }

    /// A query for the codes.
    pub(super) fn query(&self, query: &[f32]) -> QuantizedQuery {
        self.quantizer.query(query)
    }

    /// All embeddings, one after another.
    pub(super) fn rows(&self) -> &[f32] {
        self.mapped.array(Array::Rows)
    }

    pub(super) fn codes(&self) -> &[u8] {
        self.mapped.array(Array::Codes)
    }

    fn upper_links(&self) -> Links<'_> {
        Links {
            offsets: self.mapped.array(Array::UpperOffsets),
            links: self.mapped.array(Array::UpperLinks),
        }
    }

    fn links(&self) -> Links<'_> {
        Links {
            offsets: self.mapped.array(Array::Offsets),
            links: self.mapped.array(Array::Links),
        }
    }

    /// The nodes that a node is linked to.
    pub(super) fn links_of(&self, node: u32) -> Vec<u32> {
        let links = self.links().of(node).iter().copied();
        // Links from a damaged file may point anywhere.
        links.filter(|node| (*node as usize) < self.len()).collect()
    }

    /// The node of an image.
    pub(super) fn node(&self, image: ImageId) -> Option<u32> {
        self.nodes([image]).next()
    }

    /// The nodes of those of `images` (in order) that are here.
    pub(super) fn nodes(
        &self,
        images: impl IntoIterator<Item = ImageId>,
    ) -> impl Iterator<Item = u32> {
        let ids = self.ids();
        let mut rest: &[u32] = self.mapped.array(Array::ById);
        images.into_iter().filter_map(move |image| {
            // Nodes from a damaged file may be anything.
            let is_before = |node: &u32| ids.get(*node as usize).is_some_and(|id| *id < image.0);
            // In growing steps: the next one is near where all are asked for, and far where few are.
            let mut step = 1;
            while rest.get(step).is_some_and(is_before) {
                rest = &rest[step..];
                step *= 2;
            }
            rest = &rest[rest[..rest.len().min(step)].partition_point(is_before)..];
            rest.first()
                .copied()
                .filter(|node| ids.get(*node as usize) == Some(&image.0))
        })
    }

    /// Offers `best` the nodes near `query` that a walk finds with this `ef`: those that pass, and of these as many as are
    /// wanted and some more, since codes may swap near neighbours. It is as if there were no node `hidden`.
    pub(super) fn walk(
        &self,
        query: &[f32],
        ef: usize,
        wanted: usize,
        hidden: Option<u32>,
        passes: impl Fn(u32) -> bool,
        best: &mut Best,
    ) {
        let ready = self.query(query);
        let mut walkers = self.lock_walkers().pop().unwrap_or_default();
        let Walkers { upper, lower } = &mut walkers;
        let count = upper_nodes(self.len());
        let codes = &self.codes()[..count * self.quantizer.stride()];
        let first = entry_nodes(count);
        let upper_ef = (ef / UPPER_EF_SHARE).max(LEAST_UPPER_EF);
        let found = upper.walk(
            &ready,
            codes,
            self.upper_links(),
            first,
            upper_ef,
            hidden.filter(|node| (*node as usize) < count),
        );
        let first = found.iter().map(|candidate| candidate.node);
        let found = lower.walk(&ready, self.codes(), self.links(), first, ef, hidden);
        let nodes = found
            .iter()
            .map(|candidate| candidate.node)
            .filter(|node| passes(*node));
        for node in nodes.take(wanted + wanted / 2 + 16) {
            best.offer(self.image(node), self.row(node), query);
        }
        self.lock_walkers().push(walkers);
    }

    fn lock_walkers(&self) -> MutexGuard<'_, Vec<Walkers>> {
        self.walkers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
