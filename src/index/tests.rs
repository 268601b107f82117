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
            index
                .neighbours()
                .above(query.as_slice(), last.1, None)
                .hits,
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
    assert_eq!(
        again.state.write().keep_only(&live, Frames::default()),
        [ImageId(201)]
    );
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

/// The best image for what another embedding shows, and which of its frames that is.
fn best(index: &Index, seed: u64, filter: Option<&[ImageId]>) -> (ImageId, Option<FrameId>) {
    let query = embedding(seed);
    let query = query.as_slice();
    let nearest = index
        .neighbours()
        .search(query, 3, QueryKind::Image, filter);
    let (best, similarity) = nearest.hits[0];
    let frame = nearest.frames.get(&best).copied();
    let above = index.neighbours().above(query, similarity, filter);
    assert_eq!(above.hits, [(best, similarity)]);
    assert_eq!(above.frames.get(&best).copied(), frame);
    let images: std::collections::BTreeSet<_> = nearest.hits.iter().map(|hit| hit.0).collect();
    assert_eq!(images.len(), 3, "each image is one hit");
    (best, frame)
}

/// Whether a video's frames are newer than the segment or in it makes no difference.
#[test]
fn a_video_is_found_by_any_of_its_frames_and_goes_with_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path());
    let stills: Vec<Embedding> = (1..90).map(embedding).collect();
    index.insert((1..).map(ImageId).zip(&stills));
    let video = ImageId(500);
    // All frames but one are near to what the first query shows.
    let shown = |seeds: &[u64]| seeds.iter().copied().map(embedding).collect::<Vec<_>>();
    let frames = shown(&[1001, 1002, 1003]);
    let numbered = || (1..).map(FrameId).zip(&frames);
    index.insert([(video, &embedding(1000))]);
    index.insert_frames(video, numbered());
    let look = |is_built: bool| {
        assert_eq!(index.status().graph_images.is_some(), is_built);
        assert_eq!(best(&index, 1002, None), (video, Some(FrameId(2))));
        assert_eq!(best(&index, 1000, None), (video, None));
        let some = [ImageId(3), ImageId(4), ImageId(5), video];
        assert_eq!(best(&index, 1003, Some(&some)), (video, Some(FrameId(3))));
        assert_ne!(best(&index, 1003, Some(&some[..3])).0, video);
        assert_eq!(index.vectors().frames(video).unwrap().len(), 4 * DIM);
        assert_eq!(index.vectors().videos(), [video]);
    };
    look(false);
    let more: Vec<Embedding> = (2000..2020).map(embedding).collect();
    index.insert((600..).map(ImageId).zip(&more));
    wait_for_build(&index);
    assert_eq!(index.vectors().len(), 89 + 1 + 20);
    look(true);
    // What is known of all images is known of each once; those of several frames are asked for by themselves.
    let snapshot = index.vectors().snapshot();
    let known: Vec<ImageId> = snapshot
        .blocks(7)
        .flat_map(|rows| rows.images)
        .flatten()
        .collect();
    assert_eq!(known.len(), 89 + 20);
    assert!(!known.contains(&video));
    assert_eq!(snapshot.sample(1000).len(), (89 + 1 + 20) * DIM);
    index.insert_frames(video, numbered().take(1));
    assert_ne!(best(&index, 1002, None).0, video);
    assert_eq!(best(&index, 1001, None), (video, Some(FrameId(1))));
    index.remove(&[video]);
    assert_ne!(best(&index, 1001, None).0, video);
    assert_eq!(
        (index.vectors().len(), index.vectors().videos()),
        (109, vec![])
    );
}

/// A video of which every frame fits better than any other picture leaves room for those.
#[test]
fn frames_of_one_video_do_not_crowd_out_other_hits() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path());
    let stills: Vec<Embedding> = (1..20).map(embedding).collect();
    index.insert((1..).map(ImageId).zip(&stills));
    let alike = embedding(7000);
    index.insert([(ImageId(500), &alike)]);
    index.insert_frames(ImageId(500), (1..80).map(|frame| (FrameId(frame), &alike)));
    let hits = index
        .neighbours()
        .search(alike.as_slice(), 10, QueryKind::Text, None)
        .hits;
    assert_eq!(hits.len(), 10);
    assert_eq!(hits[0].0, ImageId(500));
}
