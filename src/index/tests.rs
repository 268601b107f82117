//! The index as a whole: whatever comes and goes, it holds what a plain map would hold.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use super::*;
use crate::config::{Config, IndexMode};
use crate::random::Random;
use build::tests::{DIM, vector};

pub(in crate::index) fn open(folder: &std::path::Path) -> Index {
    let home = IndexSetup {
        folder: folder.to_owned(),
        fingerprint: "model".to_owned(),
        embedding_dim: DIM,
        texts: Box::new(Vec::new),
    };
    let flags = vec![("index.hnsw_from", toml::Value::Integer(100))];
    let config = Config::load(None, std::iter::empty(), flags).unwrap();
    Index::open(home, config.index, Stop::default(), Threads::default())
}

fn embedding(seed: u64) -> Embedding {
    Embedding::new(vector(seed)).unwrap()
}

pub(in crate::index) fn wait_for_build(index: &Index) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while index.status().is_building {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
}

/// The index and a plain map hold the same, by every way to look.
fn check(index: &Index, map: &BTreeMap<ImageId, Embedding>, query: &Embedding) {
    assert_eq!(index.vectors().len(), map.len());
    let mut nearest: Vec<(ImageId, f32)> = map
        .iter()
        .map(|(image, embedding)| {
            (
                *image,
                crate::kernels::dot(embedding.as_slice(), query.as_slice()),
            )
        })
        .collect();
    nearest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    nearest.truncate(5);
    assert_eq!(
        index.neighbours().by_scan(query.as_slice(), 5).hits,
        nearest
    );
    if let Some(last) = nearest.last() {
        assert_eq!(
            index.neighbours().above(query.as_slice(), last.1, None),
            nearest
        );
    }
    let odd: Vec<ImageId> = map
        .keys()
        .copied()
        .filter(|image| image.0 % 2 == 1)
        .collect();
    let filtered = index
        .neighbours()
        .search(query.as_slice(), 1, QueryKind::Text, Some(&odd));
    assert!(filtered.hits.iter().all(|hit| odd.contains(&hit.0)));
    assert_eq!(filtered.hits.is_empty(), odd.is_empty());
    let snapshot = index.vectors().snapshot();
    let mut held = BTreeMap::new();
    for rows in snapshot.blocks(64) {
        for (image, row) in rows.images.iter().zip(rows.embeddings.chunks_exact(DIM)) {
            if let Some(image) = image {
                assert!(
                    held.insert(*image, row.to_vec()).is_none(),
                    "{image:?} is there twice"
                );
            }
        }
    }
    assert_eq!(snapshot.len(), held.len());
    let expected = map
        .iter()
        .map(|(image, embedding)| (*image, embedding.as_slice().to_vec()));
    assert_eq!(held, expected.collect());
}

#[test]
fn any_sequence_of_changes_leaves_what_a_map_would_hold() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path());
    let mut map = BTreeMap::new();
    for step in 0..1500_u64 {
        let image = ImageId((Random::nth(step) % 300) as i64);
        // Few embeddings, so that one often comes back to an image that had it before.
        let seed = image.0 as u64 * 3 + Random::nth(step + 10_000) % 2;
        if Random::nth(step + 20_000).is_multiple_of(3) {
            index.remove(&[image]);
            map.remove(&image);
        } else {
            index.insert([(image, &embedding(seed))]);
            map.insert(image, embedding(seed));
        }
        if step % 100 == 50 {
            // While a segment may be under construction, too.
            check(&index, &map, &embedding(step));
        }
        if step % 300 == 299 {
            wait_for_build(&index);
            check(&index, &map, &embedding(step));
        }
    }
    assert!(index.status().graph_images.is_some());
}

#[test]
fn a_restart_takes_over_what_is_still_true() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path());
    let rows: Vec<Embedding> = (0..200).map(embedding).collect();
    index.insert((0..).map(ImageId).zip(&rows));
    wait_for_build(&index);
    let again = open(folder.path());
    assert_eq!(again.status(), index.status());
    let query = embedding(5000);
    assert_eq!(
        again.neighbours().by_scan(query.as_slice(), 10),
        index.neighbours().by_scan(query.as_slice(), 10)
    );
    // Meanwhile every tenth image went and two came.
    let live: Vec<ImageId> = (0..202).filter(|id| id % 10 != 0).map(ImageId).collect();
    assert_eq!(again.state.write().keep_only(&live), [ImageId(201)]);
    assert_eq!(again.vectors().len(), 180);
    assert_eq!(again.vectors().embedding(ImageId(10)), None);
}

#[test]
fn what_the_owner_asks_for_is_what_happens() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<Embedding> = (0..200).map(embedding).collect();
    let index = open(folder.path());
    index.insert((0..).map(ImageId).zip(&rows));
    wait_for_build(&index);
    let query = embedding(5000);
    let search = |mode| {
        let neighbours = Neighbours::new(index.state.clone(), mode);
        neighbours.search(query.as_slice(), 10, QueryKind::Image, None)
    };
    let walked = search(IndexMode::Hnsw);
    let scanned = search(IndexMode::Exact);
    assert!(!walked.exact && scanned.exact);
    assert_eq!(walked.hits, scanned.hits);
    // Of this kind there was nothing to measure with.
    assert!(
        index
            .neighbours()
            .search(query.as_slice(), 10, QueryKind::Text, None)
            .exact
    );
}
