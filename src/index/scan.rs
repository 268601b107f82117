//! The exact scan of a segment: all codes are compared, and then every row that can be among the nearest.
//!
//! Codes tell how near a node is at least and at most. The rows of the nearest ones by code set a bar; a node that cannot
//! reach it, however much its codes are off, is not among the nearest, and every other row is compared.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use rayon::prelude::*;

use super::bitset::BitSet;
use super::matrix::Best;
use super::quantizer::QuantizedQuery;
use super::segment::Segment;
use crate::kernels::dot;
use crate::store::ImageId;

/// Nodes that one core compares before it takes the next ones.
const PART_NODES: usize = 1 << 14;

/// Fewer parts are scanned sooner by one core than they are handed out.
const PARALLEL_FROM: usize = 4;

/// The nodes that are compared.
#[derive(Debug, Clone)]
pub(super) enum Nodes<'a> {
    Range(Range<u32>),
    These(&'a [u32]),
}

impl<'a> Nodes<'a> {
    pub(super) fn all(segment: &Segment) -> Nodes<'static> {
        Nodes::Range(0..segment.len() as u32)
    }

    fn parts(self) -> Vec<Nodes<'a>> {
        match self {
            Nodes::Range(range) => {
                let end_of = |start: u32| range.end.min(start + PART_NODES as u32);
                range
                    .clone()
                    .step_by(PART_NODES)
                    .map(|start| Nodes::Range(start..end_of(start)))
                    .collect()
            }
            Nodes::These(nodes) => nodes.chunks(PART_NODES).map(Nodes::These).collect(),
        }
    }

    fn at(&self, place: usize) -> u32 {
        match self {
            Nodes::Range(range) => range.start + place as u32,
            Nodes::These(nodes) => nodes[place],
        }
    }

    fn len(&self) -> usize {
        match self {
            Nodes::Range(range) => range.len(),
            Nodes::These(nodes) => nodes.len(),
        }
    }
}

/// What one core found out about its nodes by their codes.
struct Part<'a> {
    nodes: Nodes<'a>,
    products: Vec<i32>,
}

/// The `k` nearest of `nodes` that have not gone.
pub(super) fn scan(
    segment: &Segment,
    query: &[f32],
    k: usize,
    nodes: Nodes<'_>,
    gone: &BitSet,
) -> Best {
    let ready = segment.query(query);
    let parts = in_parallel(nodes.parts(), |nodes| {
        let part = compare(segment, &ready, nodes);
        (nearest(&part, k, gone), part)
    });
    let mut nearest: Vec<(i32, u32)> = parts
        .iter()
        .flat_map(|(nearest, _)| nearest.iter().map(|Reverse(node)| *node))
        .collect();
    nearest.sort_unstable_by(|a, b| b.cmp(a));
    let mut first = Best::new(k);
    for (_, node) in nearest.into_iter().take(k) {
        first.offer(segment.image(node), segment.row(node), query);
    }
    let bar = first.bar();
    let found = in_parallel(parts, |(_, part)| {
        let mut best = Best::new(k);
        for node in reaching(segment, &ready, &part, bar).filter(|node| !gone.contains(*node)) {
            best.offer(segment.image(node), segment.row(node), query);
        }
        best
    });
    found
        .into_iter()
        .reduce(Best::join)
        .unwrap_or_else(|| Best::new(k))
}

/// Those of `nodes` that have not gone and are at least `floor` similar to the query, in no order.
pub(super) fn above(
    segment: &Segment,
    query: &[f32],
    floor: f32,
    nodes: Nodes<'_>,
    gone: &BitSet,
) -> Vec<(ImageId, f32)> {
    let ready = segment.query(query);
    let found = in_parallel(nodes.parts(), |nodes| {
        let part = compare(segment, &ready, nodes);
        reaching(segment, &ready, &part, floor)
            .filter(|node| !gone.contains(*node))
            .map(|node| (segment.image(node), dot(segment.row(node), query)))
            .filter(|(_, similarity)| *similarity >= floor)
            .collect::<Vec<_>>()
    });
    found.into_iter().flatten().collect()
}

fn compare<'a>(segment: &Segment, query: &QuantizedQuery, nodes: Nodes<'a>) -> Part<'a> {
    let mut products = Vec::new();
    query.products(
        segment.codes(),
        nodes.len(),
        |place| nodes.at(place),
        &mut products,
    );
    Part { nodes, products }
}

/// The nearest by code.
fn nearest(part: &Part<'_>, k: usize, gone: &BitSet) -> BinaryHeap<Reverse<(i32, u32)>> {
    let mut nearest = BinaryHeap::with_capacity(k.min(part.products.len()) + 1);
    let mut least = i32::MIN;
    for (place, &product) in part.products.iter().enumerate() {
        let node = part.nodes.at(place);
        if (product > least || nearest.len() < k) && !gone.contains(node) {
            nearest.push(Reverse((product, node)));
            if nearest.len() > k {
                nearest.pop();
            }
            least = nearest.peek().map_or(i32::MIN, |Reverse(node)| node.0);
        }
    }
    nearest
}

/// The nodes that can reach the bar.
fn reaching<'a>(
    segment: &'a Segment,
    query: &'a QuantizedQuery,
    part: &'a Part<'_>,
    bar: f32,
) -> impl Iterator<Item = u32> + 'a {
    let errors = segment.errors();
    let nodes = part
        .products
        .iter()
        .enumerate()
        .map(|(place, product)| (part.nodes.at(place), *product));
    nodes
        .filter(move |(node, product)| {
            query.similarity(*product) + errors[*node as usize] + query.error() >= bar
        })
        .map(|(node, _)| node)
}

fn in_parallel<T: Send, R: Send>(parts: Vec<T>, work: impl Fn(T) -> R + Sync + Send) -> Vec<R> {
    if parts.len() < PARALLEL_FROM {
        parts.into_iter().map(work).collect()
    } else {
        parts.into_par_iter().map(work).collect()
    }
}
