//! The index measures itself: how often the walk finds what the exact scan finds, and which of the two is the cheaper.

use std::time::{Duration, Instant};

use super::bitset::BitSet;
use super::matrix::Best;
use super::scan::{Nodes, scan};
use super::segment::Segment;
use super::tuning::{Tuned, Way};
use crate::random::Random;

/// Recall is measured on so many nearest images.
const K: usize = 10;

/// Values of `ef_search` that are tried, smallest first.
const EF: [usize; 17] = [
    16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096,
];

/// A query to measure with. One that is an image of the segment is answered as if that image were not there.
#[derive(Debug, Clone)]
pub(super) struct TuningQuery {
    vector: Vec<f32>,
    itself: Option<u32>,
}

impl TuningQuery {
    pub(super) fn of_text(vector: Vec<f32>) -> TuningQuery {
        TuningQuery {
            vector,
            itself: None,
        }
    }

    /// Images of the segment.
    pub(super) fn of_images(segment: &Segment, count: usize) -> Vec<TuningQuery> {
        let node = |draw: usize| (Random::nth(draw as u64) % segment.len() as u64) as u32;
        let query = |node| TuningQuery {
            vector: segment.row(node).to_vec(),
            itself: Some(node),
        };
        (0..count).map(node).map(query).collect()
    }

    /// The similarity of the last one of the true neighbours, and how long it took to find them.
    fn scan(&self, segment: &Segment) -> (f32, Duration) {
        let mut gone = BitSet::new(segment.len());
        if let Some(node) = self.itself {
            gone.insert(node);
        }
        let started = Instant::now();
        let best = scan(segment, &self.vector, K, Nodes::all(segment), &gone);
        (best.bar(), started.elapsed())
    }

    /// How many true neighbours a walk finds, and how long it took.
    fn walk(&self, segment: &Segment, ef: usize, bar: f32) -> (usize, Duration) {
        let started = Instant::now();
        let mut best = Best::new(K);
        segment.walk(&self.vector, ef, K, self.itself, |_| true, &mut best);
        let took = started.elapsed();
        let found = best.into_sorted();
        (found.iter().filter(|hit| hit.1 >= bar).count(), took)
    }
}

/// Finds the cheapest way that reaches `target` with these queries; nothing where there are too few images or queries.
pub(super) fn tune(segment: &Segment, queries: &[TuningQuery], target: f64) -> Option<Tuned> {
    if segment.len() <= K {
        return None;
    }
    let (bars, times): (Vec<f32>, Vec<Duration>) =
        queries.iter().map(|query| query.scan(segment)).unzip();
    let scan_us = median_us(times);
    let mut tuned = None;
    for ef_search in EF {
        let walks = queries
            .iter()
            .zip(&bars)
            .map(|(query, bar)| query.walk(segment, ef_search, *bar));
        let (hits, times): (Vec<usize>, Vec<Duration>) = walks.unzip();
        let graph_us = median_us(times);
        let (recall, doubt) = recall(&hits)?;
        let is_enough = recall - doubt >= target;
        let way = if is_enough && graph_us < scan_us {
            Way::Graph
        } else {
            Way::Scan
        };
        tuned = Some(Tuned {
            way,
            recall,
            ef_search,
            graph_us,
            scan_us,
            queries: queries.len(),
        });
        // A larger one only takes longer.
        if is_enough || graph_us > scan_us {
            break;
        }
    }
    tuned
}

/// Mean recall, and how far that of other queries of the kind may well be from it: two standard errors. Nothing where
/// there are too few to tell.
fn recall(hits: &[usize]) -> Option<(f64, f64)> {
    let count = hits.len() as f64;
    let shares = hits.iter().map(|hits| *hits as f64 / K as f64);
    let mean = shares.clone().sum::<f64>() / count;
    let variance = shares.map(|share| (share - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (hits.len() > 1).then(|| (mean, 2.0 * (variance / count).sqrt()))
}

/// The median: one time in which the system was busy otherwise must not decide.
fn median_us(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times
        .get(times.len() / 2)
        // A whole number of thousandths comes back from the segment's file as it was.
        .map_or(0.0, |time| time.as_nanos() as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::build::tests::{damage, segment};
    use crate::index::layout::Array;

    /// Links that lead nowhere: the measured recall falls, and the scan takes over.
    #[test]
    fn a_broken_graph_is_measured_and_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        let whole = segment(&path, 3000);
        let queries = TuningQuery::of_images(&whole, 100);
        let before = tune(&whole, &queries, 0.95).unwrap();
        assert!(before.recall >= 0.95, "{before:?}");
        for broken_link in [[0; 4], [0xFF; 4]] {
            let broken = damage(&path, Array::Links, broken_link);
            let after = tune(&broken, &queries, 0.95).unwrap();
            assert!(after.recall < 0.5, "{after:?}");
            assert_eq!(after.way, Way::Scan);
        }
    }

    #[test]
    fn what_cannot_be_measured_is_not_tuned() {
        let folder = tempfile::tempdir().unwrap();
        let small = segment(&folder.path().join("segment"), 5);
        assert_eq!(tune(&small, &TuningQuery::of_images(&small, 3), 0.9), None);
        let large = segment(&folder.path().join("segment"), 50);
        assert_eq!(tune(&large, &[], 0.9), None);
    }
}
