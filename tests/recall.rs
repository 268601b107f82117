//! Searches find what the exact scan finds: recall@10 on seeded sets, for image-like and text-like queries.

use std::path::Path;
use std::time::{Duration, Instant};

use pixdex::config::Config;
use pixdex::embed::Embedding;
use pixdex::index::{Index, IndexSetup, QueryKind};
use pixdex::random::Random;
use pixdex::stop::{Stop, Threads};
use pixdex::store::ImageId;

const IMAGES: usize = 20_000;
const QUERIES: usize = 200;
const EMBEDDING_DIM: usize = 128;
const K: usize = 10;

/// Nearly normal: a sum of four uniform numbers.
fn normal(random: &mut Random) -> f32 {
    (0..4).map(|_| random.between(-0.5, 0.5)).sum::<f32>() * 3.0_f32.sqrt()
}

fn vector(random: &mut Random) -> Vec<f32> {
    (0..EMBEDDING_DIM).map(|_| normal(random)).collect()
}

/// Embeddings as CLIP's are: images crowd around one direction in clusters, texts around another.
struct World {
    images: Vec<Embedding>,
    image_queries: Vec<Embedding>,
    text_queries: Vec<Embedding>,
    /// What the index measures itself with.
    text_samples: Vec<Embedding>,
}

fn sum(parts: &[(f32, &[f32])]) -> Embedding {
    let value = |at: usize| parts.iter().map(|(weight, part)| weight * part[at]).sum();
    Embedding::new((0..EMBEDDING_DIM).map(value).collect()).unwrap()
}

fn world(images: usize) -> World {
    let mut random = Random::new(11);
    let image_side = vector(&mut random);
    let text_side = vector(&mut random);
    let clusters: Vec<Vec<f32>> = (0..400).map(|_| vector(&mut random)).collect();
    // Few directions carry most of the difference inside a cluster.
    let spread: Vec<f32> = (0..EMBEDDING_DIM)
        .map(|at| 1.5 / (1.0 + at as f32 / 24.0))
        .collect();
    let image = |random: &mut Random| {
        let cluster = &clusters[random.bits() as usize % clusters.len()];
        let noise: Vec<f32> = vector(random)
            .iter()
            .zip(&spread)
            .map(|(value, spread)| value * spread)
            .collect();
        sum(&[(0.85, &image_side), (0.85, cluster), (0.8, &noise)])
    };
    let images = (0..images).map(|_| image(&mut random)).collect();
    let image_queries = (0..QUERIES).map(|_| image(&mut random)).collect();
    let text = |random: &mut Random| {
        let cluster = &clusters[random.bits() as usize % clusters.len()];
        sum(&[(1.0, &text_side), (0.35, cluster), (0.45, &vector(random))])
    };
    let text_queries = (0..QUERIES).map(|_| text(&mut random)).collect();
    let text_samples = (0..QUERIES).map(|_| text(&mut random)).collect();
    World {
        images,
        image_queries,
        text_queries,
        text_samples,
    }
}

fn recall(index: &Index, queries: &[Embedding], kind: QueryKind) -> f64 {
    let mut found = 0;
    for query in queries {
        let answer = index.neighbours().search(query.as_slice(), K, kind, None);
        let truth = index.neighbours().by_scan(query.as_slice(), K);
        found += truth
            .hits
            .iter()
            .filter(|hit| answer.hits.contains(hit))
            .count();
    }
    found as f64 / (queries.len() * K) as f64
}

fn open(folder: &Path, texts: Vec<Embedding>) -> Index {
    let setup = IndexSetup {
        folder: folder.to_owned(),
        fingerprint: "seeded".to_owned(),
        embedding_dim: EMBEDDING_DIM,
        texts: Box::new(move || texts.clone()),
    };
    let config = Config::load(None, std::iter::empty(), vec![]).unwrap();
    Index::open(setup, config.index, Stop::default(), Threads::default())
}

/// Waits until there is a segment of so many images and none is being built.
fn wait_for_segment(index: &Index, images: usize) {
    let deadline = Instant::now() + Duration::from_hours(1);
    while index.status().graph_images != Some(images) || index.status().is_building {
        assert!(Instant::now() < deadline, "{:?}", index.status());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn check_recall(images: usize) {
    let world = world(images);
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), world.text_samples.clone());
    // All at once: the first segment is built from the whole set.
    index.insert((0..).map(ImageId).zip(&world.images));
    wait_for_segment(&index, images);
    println!("{:?}", index.status());
    for (name, kind, queries) in [
        ("image", QueryKind::Image, &world.image_queries),
        ("text", QueryKind::Text, &world.text_queries),
    ] {
        let recall = recall(&index, queries, kind);
        println!(
            "{name}-like: recall@10 {recall:.4}, best cosine {:.2}",
            best(&index, queries)
        );
        assert!(recall >= 0.95, "{name}: {recall}");
    }
    if images == IMAGES {
        filtered_recall(&index, &world);
        removals_and_additions(&index, &world);
        drop(index);
        answers_survive_a_restart(folder.path(), &world);
    }
}

fn best(index: &Index, queries: &[Embedding]) -> f32 {
    let best = queries
        .iter()
        .map(|query| index.neighbours().by_scan(query.as_slice(), 1).hits[0].1);
    best.sum::<f32>() / queries.len() as f32
}

#[test]
fn searches_find_what_the_scan_finds() {
    check_recall(IMAGES);
}

#[test]
#[ignore = "builds for minutes"]
fn searches_find_what_the_scan_finds_among_100_000() {
    check_recall(100_000);
}

#[test]
#[ignore = "builds for a long time and takes 4 GB of memory"]
fn searches_find_what_the_scan_finds_among_1_000_000() {
    check_recall(1_000_000);
}

/// Filters that let half, a tenth, a hundredth and a thousandth of the images through.
fn filtered_recall(index: &Index, world: &World) {
    let mut random = Random::new(5);
    for one_in in [2, 10, 100, 1000] {
        let passing: Vec<ImageId> = (0..IMAGES as i64)
            .filter(|_| random.bits().is_multiple_of(one_in))
            .map(ImageId)
            .collect();
        let of =
            |queries: &[Embedding], kind| filtered_recall_of(index, world, &passing, queries, kind);
        let (texts, images) = (
            of(&world.text_queries, QueryKind::Text),
            of(&world.image_queries, QueryKind::Image),
        );
        println!("recall@10 where 1 in {one_in} passes: texts {texts:.4}, images {images:.4}");
        assert!(
            texts >= 0.99 && images >= 0.99,
            "1 in {one_in}: {texts} {images}"
        );
    }
}

fn filtered_recall_of(
    index: &Index,
    world: &World,
    passing: &[ImageId],
    queries: &[Embedding],
    kind: QueryKind,
) -> f64 {
    let mut found = 0;
    let mut wanted = 0;
    for query in queries {
        let similarity = |image: &ImageId| world.images[image.0 as usize].similarity(query);
        let mut truth = passing.to_vec();
        truth.sort_by(|a, b| similarity(b).total_cmp(&similarity(a)));
        truth.truncate(K);
        let answer = index
            .neighbours()
            .search(query.as_slice(), K, kind, Some(passing));
        assert!(answer.exact);
        wanted += truth.len();
        found += answer
            .hits
            .iter()
            .filter(|hit| truth.contains(&hit.0))
            .count();
    }
    f64::from(found as u32) / f64::from(wanted as u32)
}

/// What the segment does not know, or knows but may not tell.
fn removals_and_additions(index: &Index, world: &World) {
    let query = world.image_queries[0].as_slice();
    let truth = index.neighbours().by_scan(query, 5);
    let gone: Vec<ImageId> = truth.hits[..5].iter().map(|hit| hit.0).collect();
    index.remove(&gone);
    let after = index.neighbours().search(query, K, QueryKind::Image, None);
    assert!(after.hits.iter().all(|hit| !gone.contains(&hit.0)) && after.hits.len() == K);
    let new = ImageId(1_000_000);
    index.insert([(new, &world.image_queries[0])]);
    let nearest = |index: &Index, k| {
        index
            .neighbours()
            .search(query, k, QueryKind::Image, None)
            .hits
    };
    assert_eq!(nearest(index, 1)[0].0, new);
    index.insert(
        gone.iter()
            .map(|image| (*image, &world.images[image.0 as usize])),
    );
    let back: Vec<ImageId> = nearest(index, 6)[1..].iter().map(|hit| hit.0).collect();
    assert_eq!(back, gone);
}

fn answers_survive_a_restart(folder: &Path, world: &World) {
    let index = open(folder, Vec::new());
    assert_eq!(index.vectors().len(), IMAGES);
    for query in &world.image_queries[..20] {
        let answer = index
            .neighbours()
            .search(query.as_slice(), K, QueryKind::Image, None);
        let truth = index.neighbours().by_scan(query.as_slice(), K);
        let found = truth
            .hits
            .iter()
            .filter(|hit| answer.hits.contains(hit))
            .count();
        assert!(found >= K - 2, "{answer:?}");
    }
}
