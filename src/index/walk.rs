//! The walk over a flat graph: from node to node towards the query, always on from the best one not yet left.
//!
//! Nothing is allocated on the way: what a walk needs is kept for the next one.

use super::quantizer::QuantizedQuery;

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
    /// The `ef` best nodes that a walk from the nodes `first`, each there once, meets, best first; as if there were no node
    /// `hidden`.
    pub(super) fn walk(
        &mut self,
        query: &QuantizedQuery,
        codes: &[u8],
        links: Links<'_>,
        first: impl IntoIterator<Item = u32>,
        ef: usize,
        hidden: Option<u32>,
    ) -> &[Candidate] {
        self.begin(links.offsets.len().saturating_sub(1));
        self.nodes.extend(first);
        if let Some(node) = hidden {
            self.met[node as usize] = self.generation;
        }
        self.nodes.retain(|node| Some(*node) != hidden);
        for node in &self.nodes {
            self.met[*node as usize] = self.generation;
        }
        let mut next = self.compare(query, codes, ef);
        while let Some(candidate) = self.best.get_mut(next) {
            candidate.is_left = true;
            let node = candidate.node;
            self.meet(links.of(node));
            next = self.compare(query, codes, ef).min(next + 1);
            while self.best.get(next).is_some_and(|other| other.is_left) {
                next += 1;
            }
        }
        &self.best
    }

    /// Keeps those of the nodes just met that are among the best; the first place that one of them took.
    fn compare(&mut self, query: &QuantizedQuery, codes: &[u8], ef: usize) -> usize {
        let nodes = &self.nodes;
        query.products(codes, nodes.len(), |place| nodes[place], &mut self.products);
        let mut first = ef;
        for (&node, &product) in self.nodes.iter().zip(&self.products) {
            let is_left = false;
            let candidate = Candidate {
                product,
                node,
                is_left,
            };
            first = first.min(keep(&mut self.best, candidate, ef));
        }
        first
    }

    fn begin(&mut self, count: usize) {
        self.best.clear();
        self.nodes.clear();
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 || self.met.len() != count {
            self.met.clear();
            self.met.resize(count, 0);
            self.generation = 1;
        }
    }

    /// Collects those of `links` that were not met before.
    fn meet(&mut self, links: &[u32]) {
        self.nodes.clear();
        for &node in links {
            // Links from a damaged file may point anywhere.
            if let Some(met) = self
                .met
                .get_mut(node as usize)
                .filter(|met| **met != self.generation)
            {
                *met = self.generation;
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
