//! Building the graph: `hnsw_rs` lays coarse links (Malkov and Yashunin 2018), they are copied into one flat array, and
//! it is dropped. Walks over the flat graph then find better links for every node; twice, since each time the walks are
//! better. Walks are so much faster than `hnsw_rs` that this costs less than letting it lay fine links at once.

use std::ops::Range;

use hnsw_rs::anndists::dist::Distance;
use hnsw_rs::prelude::Hnsw;
use rayon::prelude::*;

use super::quantizer::{QuantizedQuery, distance};
use super::walk::{Links, Walker};
use crate::kernels::dot_codes;
use crate::stop::Stop;

/// Links of a point, twice as many in the finished graph. `hnsw_rs` ends the whole process above 256.
const M: usize = 32;

/// Candidates looked at when a point is linked.
const EF_CONSTRUCTION: usize = 128;

/// `hnsw_rs` asks for the number of layers; it never uses them all.
const LAYERS: usize = 16;

/// Fewer points on the upper layers leave fewer points at the bottom that nothing links to.
const LEVEL_SCALE: f64 = 0.5;

/// Points inserted between two looks at whether to stop.
const STEP: usize = 1024;

/// Links of a point in the coarse graph, of those that it gets in the end.
const COARSE_SHARE: usize = 4;

/// Candidates looked at when a point is linked coarsely.
const COARSE_EF: usize = 40;

/// How often better links are looked for.
const ROUNDS: usize = 2;

/// The codes of all nodes, as the builder sees them.
#[derive(Debug, Clone, Copy)]
struct Points<'a> {
    codes: &'a [u8],
    stride: usize,
    /// Squared lengths.
    squares: &'a [i32],
}

impl<'a> Points<'a> {
    fn row(&self, node: u32) -> &'a [u8] {
        &self.codes[node as usize * self.stride..][..self.stride]
    }

    fn distance(&self, a: u32, b: u32) -> f32 {
        let squares = (self.squares[a as usize], self.squares[b as usize]);
        distance(self.row(a), self.row(b), squares.0, squares.1)
    }
}

/// The builder knows nodes by their number only and leaves the codes where they are.
impl Distance<u32> for Points<'_> {
    fn eval(&self, a: &[u32], b: &[u32]) -> f32 {
        self.distance(a[0], b[0])
    }
}

/// A graph in two arrays; see [`Links`].
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) offsets: Vec<u32>,
    pub(super) links: Vec<u32>,
}

impl Graph {
    pub(super) fn links(&self) -> Links<'_> {
        Links {
            offsets: &self.offsets,
            links: &self.links,
        }
    }

    fn of_lists(lists: &[Vec<u32>]) -> Graph {
        let mut offsets = vec![0];
        let mut links = Vec::new();
        for list in lists {
            links.extend_from_slice(list);
            offsets.push(links.len() as u32);
        }
        Graph { offsets, links }
    }
}

/// Links the rows of `codes` on all cores; nothing where it was told to stop. `query` makes a row ready for a walk,
/// and walks begin from the nodes `first`.
pub(super) fn build(
    codes: &[u8],
    stride: usize,
    query: impl Fn(u32) -> QuantizedQuery + Sync,
    first: Range<u32>,
    stop: &Stop,
) -> Option<Graph> {
    let squares: Vec<i32> = codes
        .par_chunks_exact(stride)
        .map(|row| dot_codes(row, row))
        .collect();
    let points = Points {
        codes,
        stride,
        squares: &squares,
    };
    let mut graph = coarse(points, M / COARSE_SHARE, stop)?;
    for _ in 0..ROUNDS {
        let lists = better(&graph, points, &query, stop)?;
        graph = Graph::of_lists(&both_ways(lists, points, 2 * M));
    }
    Some(reach_all(graph, points, &query, first))
}

/// What `hnsw_rs` makes of the points: the links of its bottom layer, where all of them are.
fn coarse(points: Points<'_>, m: usize, stop: &Stop) -> Option<Graph> {
    let nodes: Vec<u32> = (0..points.squares.len() as u32).collect();
    let mut hnsw = Hnsw::new(m, nodes.len(), LAYERS, COARSE_EF, points);
    hnsw.modify_level_scale(LEVEL_SCALE);
    // The first one alone: of two that find the graph empty, one would never be linked.
    let (first, rest) = nodes.split_first()?;
    hnsw.insert((std::slice::from_ref(first), 0));
    for step in rest.chunks(STEP) {
        if stop.is_asked() {
            return None;
        }
        step.par_iter()
            .for_each(|node| hnsw.insert((std::slice::from_ref(node), *node as usize)));
    }
    let mut lists: Vec<Vec<u32>> = vec![Vec::new(); nodes.len()];
    for point in hnsw.get_point_indexation() {
        let links = point
            .get_neighborhood_id()
            .into_iter()
            .next()
            .unwrap_or_default();
        lists[point.get_origin_id()] = links.iter().map(|link| link.d_id as u32).collect();
    }
    Some(Graph::of_lists(&lists))
}

/// For every node the best links among the nodes that a walk around it meets; nothing where it was told to stop.
fn better(
    graph: &Graph,
    points: Points<'_>,
    query: &(impl Fn(u32) -> QuantizedQuery + Sync),
    stop: &Stop,
) -> Option<Vec<Vec<u32>>> {
    let links_of = |walker: &mut Walker, node: u32| {
        if stop.is_asked() {
            return None;
        }
        let found = walker.walk(
            &query(node),
            points.codes,
            graph.links(),
            Range {
                start: node,
                end: node + 1,
            },
            EF_CONSTRUCTION,
            None,
        );
        let near = found.iter().map(|candidate| candidate.node);
        let near = near.chain(graph.links().of(node).iter().copied());
        Some(prune(points, node, near, 2 * M))
    };
    let nodes = (0..points.squares.len() as u32).into_par_iter();
    nodes.map_init(Walker::default, links_of).collect()
}

/// Links every node back from those that it links to.
fn both_ways(lists: Vec<Vec<u32>>, points: Points<'_>, most: usize) -> Vec<Vec<u32>> {
    let mut back: Vec<Vec<u32>> = vec![Vec::new(); lists.len()];
    for (node, list) in lists.iter().enumerate() {
        for &other in list {
            back[other as usize].push(node as u32);
        }
    }
    let join = |(node, (mut list, mut back)): (usize, (Vec<u32>, Vec<u32>))| {
        back.retain(|other| !list.contains(other));
        list.extend(back);
        if list.len() > most {
            prune(points, node as u32, list.into_iter(), most)
        } else {
            list
        }
    };
    lists
        .into_par_iter()
        .zip(back)
        .enumerate()
        .map(join)
        .collect()
}

/// The nearest nodes, but for those that are nearer to one that was taken already: a walk gets there through that one.
fn prune(points: Points<'_>, node: u32, near: impl Iterator<Item = u32>, most: usize) -> Vec<u32> {
    let others = near.filter(|other| *other != node);
    let mut near: Vec<(f32, u32)> = others
        .map(|other| (points.distance(node, other), other))
        .collect();
    near.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut taken: Vec<u32> = Vec::with_capacity(most);
    for (distance, other) in near {
        if taken.len() == most {
            break;
        }
        if taken
            .iter()
            .all(|taken| points.distance(*taken, other) > distance)
        {
            taken.push(other);
        }
    }
    taken
}

/// Links every node that no way leads to from the nearest one that a walk finds.
fn reach_all(
    graph: Graph,
    points: Points<'_>,
    query: &(impl Fn(u32) -> QuantizedQuery + Sync),
    first: Range<u32>,
) -> Graph {
    let lost = unreached(&graph, first.clone());
    if lost.is_empty() {
        return graph;
    }
    let nearest = |walker: &mut Walker, node: &u32| {
        let found = walker.walk(
            &query(*node),
            points.codes,
            graph.links(),
            first.clone(),
            COARSE_EF,
            None,
        );
        found.first().map(|candidate| (candidate.node, *node))
    };
    let found: Vec<(u32, u32)> = lost
        .par_iter()
        .map_init(Walker::default, nearest)
        .flatten()
        .collect();
    let mut lists: Vec<Vec<u32>> = (0..points.squares.len() as u32)
        .map(|node| graph.links().of(node).to_vec())
        .collect();
    for (from, to) in found {
        lists[from as usize].push(to);
    }
    Graph::of_lists(&lists)
}

fn unreached(graph: &Graph, first: Range<u32>) -> Vec<u32> {
    let mut is_reached = vec![false; graph.offsets.len() - 1];
    let mut open: Vec<u32> = first.collect();
    for &node in &open {
        is_reached[node as usize] = true;
    }
    while let Some(node) = open.pop() {
        for &next in graph.links().of(node) {
            if !std::mem::replace(&mut is_reached[next as usize], true) {
                open.push(next);
            }
        }
    }
    (0..is_reached.len() as u32)
        .filter(|node| !is_reached[*node as usize])
        .collect()
}
