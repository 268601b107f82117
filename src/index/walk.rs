//! The walk over a flat graph: from node to node towards the query, always on from the best one not yet left.
//!
//! Nothing is allocated on the way: what a walk needs is kept for the next one.

use std::ops::Range;

use super::codes::Query;
use crate::kernels::prefetch_row;

/// A graph in two arrays. The links of node `n` are `links[offsets[n]..offsets[n + 1]]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Links<'a> {
    pub(super) offsets: &'a [u32],
    pub(super) links: &'a [u32],
}

impl<'a> Links<'a> {
    pub(super) fn of(&self, node: u32) -> &'a [u32] {
        let node = node as usize;
        // Offsets from a damaged file may point anywhere.
        let range = self.offsets[node] as usize..self.offsets[node + 1] as usize;
        self.links.get(range).unwrap_or_default()
    }
}

/// A node that was met, with its product with the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) product: i32,
    pub(super) node: u32,
    is_left: bool,
}

/// What a walk needs, reused by the next one.
#[derive(Debug, Default)]
pub(super) struct Walker {
    /// For each node the generation of the walk that met it last.
    met: Vec<u8>,
    generation: u8,
    /// The best ones so far, best first.
    best: Vec<Candidate>,
    nodes: Vec<u32>,
    products: Vec<i32>,
}

impl Walker {
    /// The `ef` best nodes that a walk from the nodes `first` meets, best first; as if there were no node `hidden`.
    pub(super) fn walk(
        &mut self,
        query: &Query,
        codes: &[u8],
        links: Links<'_>,
        first: Range<u32>,
        ef: usize,
        hidden: Option<u32>,
    ) -> &[Candidate] {
        let count = links.offsets.len().saturating_sub(1);
        self.begin(count);
        let stride = codes.len() / count.max(1);
        query.products(codes, first.clone(), &mut self.products);
        if let Some(node) = hidden {
            self.met[node as usize] = self.generation;
        }
        for (node, &product) in first.zip(&self.products) {
            if std::mem::replace(&mut self.met[node as usize], self.generation) != self.generation {
                keep(
                    &mut self.best,
                    Candidate {
                        product,
                        node,
                        is_left: false,
                    },
                    ef,
                );
            }
        }
        let mut next = 0;
        while let Some(candidate) = self.best.get_mut(next) {
            candidate.is_left = true;
            let node = candidate.node;
            self.meet(links.of(node), codes, stride);
            query.products_of(codes, &self.nodes, &mut self.products);
            next += 1;
            for (&node, &product) in self.nodes.iter().zip(&self.products) {
                let place = keep(
                    &mut self.best,
                    Candidate {
                        product,
                        node,
                        is_left: false,
                    },
                    ef,
                );
                next = next.min(place);
            }
            while self
                .best
                .get(next)
                .is_some_and(|candidate| candidate.is_left)
            {
                next += 1;
            }
        }
        &self.best
    }

    fn begin(&mut self, count: usize) {
        self.best.clear();
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 || self.met.len() != count {
            self.met.clear();
            self.met.resize(count, 0);
            self.generation = 1;
        }
    }

    /// Collects those of `links` that were not met before, and asks for their codes ahead of time.
    fn meet(&mut self, links: &[u32], codes: &[u8], stride: usize) {
        self.nodes.clear();
        for &node in links {
            // Links from a damaged file may point anywhere.
            if let Some(met) = self
                .met
                .get_mut(node as usize)
                .filter(|met| **met != self.generation)
            {
                *met = self.generation;
                prefetch_row(codes, node, stride);
                self.nodes.push(node);
            }
        }
    }
}

/// Puts a candidate in its place among the `ef` best; where that is, past the end where it is none of them.
fn keep(best: &mut Vec<Candidate>, candidate: Candidate, ef: usize) -> usize {
    if best.len() == ef {
        if best
            .last()
            .is_none_or(|last| last.product >= candidate.product)
        {
            return ef;
        }
        best.pop();
    }
    let place = best.partition_point(|other| other.product >= candidate.product);
    best.insert(place, candidate);
    place
}
