//! Building a segment in the background: codes, graph and file from the images at one moment, then measuring it.

use std::io;
use std::path::Path;

use rayon::prelude::*;

use super::file::Draft;
use super::graph::{self, Graph};
use super::layout::{Array, SegmentShape, upper_nodes};
use super::measure::{TuningQuery, tune};
use super::quantizer::Quantizer;
use super::segment::{Segment, entry_nodes};
use super::tuning::Tuning;
use crate::config::IndexConfig;
use crate::random::Random;
use crate::stop::Stop;
use crate::store::ImageId;

/// Images that a segment is measured with.
const IMAGE_QUERIES: usize = 400;

/// An image with its embedding.
type Row<'a> = (ImageId, &'a [f32]);

/// What a segment is built with.
pub(super) struct SegmentPlan<'a> {
    pub(super) path: &'a Path,
    pub(super) fingerprint: &'a str,
    pub(super) embedding_dim: usize,
    pub(super) config: &'a IndexConfig,
    pub(super) texts: &'a [TuningQuery],
    pub(super) stop: &'a Stop,
}

/// The codes of all rows, and what is lost by them.
struct Encoded {
    quantizer: Quantizer,
    codes: Vec<u8>,
    /// For each row how far it lies from its codes.
    errors: Vec<f32>,
}

/// The graph over all nodes, and the one over the few that a walk begins with.
struct Graphs {
    upper: Graph,
    lower: Graph,
}

/// Builds a segment of `rows`, measures it and writes its file; nothing where it was told to stop.
pub(super) fn build(
    plan: &SegmentPlan<'_>,
    mut rows: Vec<Row<'_>>,
) -> io::Result<Option<(Segment, Tuning)>> {
    put_upper_first(&mut rows);
    let encoded = encode(plan.embedding_dim, &rows);
    let Some(graphs) = link(plan, &encoded, &rows) else {
        return Ok(None);
    };
    let mut shape = SegmentShape::new(plan.fingerprint, plan.embedding_dim);
    shape.nodes = rows.len();
    shape.upper_links = graphs.upper.links.len();
    shape.links = graphs.lower.links.len();
    let mut draft = write(plan.path, shape.clone(), &encoded, &graphs, &rows)?;
    // From here on they are used from the file: they need not be in memory twice while it is measured.
    drop((encoded, graphs));
    let segment = Segment::new(draft.map()?, shape);
    let tuning = measure(&segment, plan);
    draft.finish(tuning)?;
    Ok(Some((segment, tuning)))
}

fn encode(embedding_dim: usize, rows: &[Row<'_>]) -> Encoded {
    let quantizer = Quantizer::fit(embedding_dim, rows.iter().map(|row| row.1));
    let stride = quantizer.stride();
    let mut codes = vec![0; rows.len() * stride];
    let errors = codes
        .par_chunks_exact_mut(stride)
        .zip(rows)
        .map(|(codes, row)| quantizer.encode(row.1, codes))
        .collect();
    Encoded {
        quantizer,
        codes,
        errors,
    }
}

/// Links the nodes of both graphs: a walk goes from the entry nodes over the upper one, and from there over the lower.
fn link(plan: &SegmentPlan<'_>, encoded: &Encoded, rows: &[Row<'_>]) -> Option<Graphs> {
    let stride = encoded.quantizer.stride();
    let query = |node: u32| encoded.quantizer.query(rows[node as usize].1);
    let graph = |nodes: usize, first| {
        let codes = &encoded.codes[..nodes * stride];
        graph::build(codes, stride, query, first, plan.stop)
    };
    let upper = upper_nodes(rows.len());
    Some(Graphs {
        upper: graph(upper, entry_nodes(upper))?,
        lower: graph(rows.len(), 0..upper as u32)?,
    })
}

fn write(
    path: &Path,
    shape: SegmentShape,
    encoded: &Encoded,
    graphs: &Graphs,
    rows: &[Row<'_>],
) -> io::Result<Draft> {
    let ids: Vec<i64> = rows.iter().map(|row| row.0.0).collect();
    let mut by_id: Vec<u32> = (0..ids.len() as u32).collect();
    by_id.sort_unstable_by_key(|node| ids[*node as usize]);
    Draft::write(path, shape, |array, file| match array {
        Array::Quantizer => {
            file.put(&[encoded.quantizer.step()])?;
            file.put(encoded.quantizer.mean())
        }
        Array::Ids => file.put(&ids),
        Array::ById => file.put(&by_id),
        Array::Errors => file.put(&encoded.errors),
        Array::UpperOffsets => file.put(&graphs.upper.offsets),
        Array::UpperLinks => file.put(&graphs.upper.links),
        Array::Offsets => file.put(&graphs.lower.offsets),
        Array::Links => file.put(&graphs.lower.links),
        Array::Codes => file.put(&encoded.codes),
        Array::Rows => rows.iter().try_for_each(|row| file.put(row.1)),
    })
}

/// The nodes of the upper graph are a random choice.
fn put_upper_first(rows: &mut [Row<'_>]) {
    for place in 0..upper_nodes(rows.len()) {
        let other = place + (Random::nth(place as u64) % (rows.len() - place) as u64) as usize;
        rows.swap(place, other);
    }
}

fn measure(segment: &Segment, plan: &SegmentPlan<'_>) -> Tuning {
    let config = plan.config;
    Tuning {
        text: tune(segment, plan.texts, config.target_recall_text),
        image: tune(
            segment,
            &TuningQuery::of_images(segment, IMAGE_QUERIES),
            config.target_recall_image,
        ),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::Config;
    use crate::index::file::place;
    use crate::index::layout::LAYOUT;
    use crate::index::matrix::Best;
    use crate::index::scan::{Nodes, scan};
    use crate::kernels::dot;

    pub(in crate::index) const DIM: usize = 48;

    /// A unit vector for each seed, in 40 clusters.
    pub(in crate::index) fn vector(seed: u64) -> Vec<f32> {
        let noise = |seed: u64| (Random::nth(seed) >> 40) as f32 / (1 << 24) as f32 - 0.5;
        let cluster = seed % 40 * 1000 + 1_000_000_000;
        let value = |at: u64| 0.5 + noise(cluster + at) + 0.6 * noise(seed * 1000 + at);
        let raw: Vec<f32> = (0..DIM as u64).map(value).collect();
        let length = dot(&raw, &raw).sqrt();
        raw.iter().map(|value| value / length).collect()
    }

    /// A segment of the images 0, 1, 2 and so on.
    pub(in crate::index) fn segment(path: &Path, images: usize) -> Segment {
        let rows: Vec<Vec<f32>> = (0..images as u64).map(vector).collect();
        let config = Config::load(None, std::iter::empty(), vec![])
            .unwrap()
            .index;
        let plan = SegmentPlan {
            path,
            fingerprint: "model",
            embedding_dim: DIM,
            config: &config,
            texts: &[],
            stop: &Stop::default(),
        };
        let rows = (0..)
            .map(ImageId)
            .zip(rows.iter().map(Vec::as_slice))
            .collect();
        build(&plan, rows).unwrap().unwrap().0
    }

    /// Writes the same bytes all over an array of the file.
    pub(in crate::index) fn damage(path: &Path, array: Array, bytes: [u8; 4]) -> Segment {
        let place = place(path, array);
        let mut all = std::fs::read(path).unwrap();
        for value in all[place].as_chunks_mut::<4>().0 {
            *value = bytes;
        }
        // Another file: the one before is still mapped.
        std::fs::remove_file(path).unwrap();
        std::fs::write(path, all).unwrap();
        Segment::open(path, "model", DIM).unwrap().0
    }

    #[test]
    fn a_scan_finds_exactly_the_nearest() {
        let folder = tempfile::tempdir().unwrap();
        let images = 500;
        let segment = segment(&folder.path().join("segment"), images);
        let mut gone = crate::index::bitset::BitSet::new(images);
        (0..images as u32)
            .step_by(7)
            .for_each(|node| gone.insert(node));
        let some: Vec<u32> = (0..images as u32).step_by(3).collect();
        for seed in 10_000..10_050 {
            let query = vector(seed);
            for nodes in [Nodes::Range(0..images as u32), Nodes::These(&some)] {
                let mut truth = Best::new(10);
                let all: Vec<u32> = if let Nodes::These(some) = nodes {
                    some.to_vec()
                } else {
                    (0..images as u32).collect()
                };
                for node in all.into_iter().filter(|node| !gone.contains(*node)) {
                    truth.offer(segment.image(node), segment.row(node), &query);
                }
                let found = scan(&segment, &query, 10, nodes, &gone);
                assert_eq!(found.into_sorted(), truth.into_sorted());
            }
        }
    }

    #[test]
    fn images_are_found_by_their_ids() {
        let folder = tempfile::tempdir().unwrap();
        let segment = segment(&folder.path().join("segment"), 300);
        let wanted = [0, 1, 2, 50, 299, 300, 1000].map(ImageId);
        let found: Vec<ImageId> = segment
            .nodes(wanted)
            .map(|node| segment.image(node))
            .collect();
        assert_eq!(found, wanted[..5]);
        assert_eq!(segment.row(segment.node(ImageId(7)).unwrap()), vector(7));
    }

    #[test]
    fn no_damage_makes_a_search_fail() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        // All but the few values that say what codes mean.
        for (array, _) in LAYOUT
            .iter()
            .filter(|(array, _)| *array != Array::Quantizer)
        {
            for bytes in [[0; 4], [0xFF; 4], [1, 2, 3, 4]] {
                drop(segment(&path, 300));
                let damaged = damage(&path, *array, bytes);
                let gone = crate::index::bitset::BitSet::new(300);
                let query = vector(1);
                scan(&damaged, &query, 10, Nodes::Range(0..300), &gone);
                damaged.walk(&query, 30, 10, None, |_| true, &mut Best::new(10));
                let nodes: Vec<u32> = damaged.nodes((0..300).map(ImageId)).collect();
                scan(&damaged, &query, 10, Nodes::These(&nodes), &gone);
            }
        }
    }
}
