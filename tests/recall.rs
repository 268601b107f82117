//! The graph finds what the exact scan finds: recall@10 on a seeded set of 20,000, for image-like and text-like queries.

use pixdex::config::Config;
use pixdex::embed::Embedding;
use pixdex::index::{Index, QueryKind};
use pixdex::store::ImageId;

const IMAGES: usize = 20_000;
const QUERIES: usize = 200;
const EMBEDDING_DIM: usize = 128;
const K: usize = 10;

/// `SplitMix64` (Steele, Lea and Flood 2014), with sums of uniform numbers for normal ones.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn normal(&mut self) -> f32 {
        let uniform = |bits: u64| (bits >> 40) as f32 / (1 << 24) as f32;
        (0..4).map(|_| uniform(self.next()) - 0.5).sum::<f32>() * 3.0_f32.sqrt()
    }

    fn vector(&mut self) -> Vec<f32> {
        (0..EMBEDDING_DIM).map(|_| self.normal()).collect()
    }
}

/// Embeddings as CLIP's are: images crowd around one direction in clusters, texts around another.
struct World {
    images: Vec<Embedding>,
    image_queries: Vec<Embedding>,
    text_queries: Vec<Embedding>,
}

fn sum(parts: &[(f32, &[f32])]) -> Embedding {
    let value = |at: usize| parts.iter().map(|(weight, part)| weight * part[at]).sum();
    Embedding::new((0..EMBEDDING_DIM).map(value).collect()).unwrap()
}

fn world() -> World {
    let mut random = Random(11);
    let (image_side, text_side) = (random.vector(), random.vector());
    let clusters: Vec<Vec<f32>> = (0..400).map(|_| random.vector()).collect();
    // Few directions carry most of the difference inside a cluster.
    let spread: Vec<f32> = (0..EMBEDDING_DIM)
        .map(|at| 1.5 / (1.0 + at as f32 / 24.0))
        .collect();
    let image = |random: &mut Random| {
        let cluster = &clusters[random.next() as usize % clusters.len()];
        let noise: Vec<f32> = random
            .vector()
            .iter()
            .zip(&spread)
            .map(|(value, spread)| value * spread)
            .collect();
        sum(&[(0.85, &image_side), (0.85, cluster), (0.8, &noise)])
    };
    let images = (0..IMAGES).map(|_| image(&mut random)).collect();
    let image_queries = (0..QUERIES).map(|_| image(&mut random)).collect();
    let text = |random: &mut Random| {
        let cluster = &clusters[random.next() as usize % clusters.len()];
        sum(&[(1.0, &text_side), (0.35, cluster), (0.45, &random.vector())])
    };
    let text_queries = (0..QUERIES).map(|_| text(&mut random)).collect();
    World {
        images,
        image_queries,
        text_queries,
    }
}

fn recall(index: &Index, queries: &[Embedding], kind: QueryKind) -> f64 {
    let mut found = 0;
    for query in queries {
        let answer = index.search(query.as_slice(), K, kind, None);
        assert!(!answer.exact, "the graph was not asked");
        let truth = index.search_exact(query.as_slice(), K);
        found += truth
            .hits
            .iter()
            .filter(|hit| answer.hits.contains(hit))
            .count();
    }
    found as f64 / (queries.len() * K) as f64
}

#[test]
fn the_graph_finds_what_the_scan_finds() {
    let world = world();
    let config = Config::load(None, std::iter::empty(), vec![])
        .unwrap()
        .index;
    let index = Index::new(EMBEDDING_DIM, config);
    // All at once: the first graph is built over the whole set.
    index.insert((0..).map(ImageId).zip(&world.images));
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(15);
    while index.status().graph_images != Some(IMAGES) || index.status().is_building {
        assert!(std::time::Instant::now() < deadline, "{:?}", index.status());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let best = |queries: &[Embedding]| {
        queries
            .iter()
            .map(|query| index.search_exact(query.as_slice(), 1).hits[0].1)
            .sum::<f32>()
            / QUERIES as f32
    };
    let images = recall(&index, &world.image_queries, QueryKind::Image);
    let texts = recall(&index, &world.text_queries, QueryKind::Text);
    println!(
        "image-like: recall@10 {images:.4}, best cosine {:.2}",
        best(&world.image_queries)
    );
    println!(
        "text-like: recall@10 {texts:.4}, best cosine {:.2}",
        best(&world.text_queries)
    );
    assert!(images >= 0.99, "{images}");
    assert!(texts >= 0.95, "{texts}");
    filters_removals_and_additions(&index, &world);
}

/// What the graph does not know, or knows but may not tell.
fn filters_removals_and_additions(index: &Index, world: &World) {
    let query = world.image_queries[0].as_slice();
    let truth = index.search_exact(query, IMAGES / 2);
    let mut allowed: Vec<ImageId> = truth.hits.iter().skip(3).map(|hit| hit.0).collect();
    allowed.sort();
    // Half of all images pass: the graph is walked; a tenth: scanned.
    let wide = index.search(query, K, QueryKind::Image, Some(&allowed));
    assert!(
        !wide.exact
            && wide
                .hits
                .iter()
                .all(|hit| allowed.binary_search(&hit.0).is_ok())
    );
    let mut few: Vec<ImageId> = truth
        .hits
        .iter()
        .skip(3)
        .take(50)
        .map(|hit| hit.0)
        .collect();
    few.sort();
    let narrow = index.search(query, K, QueryKind::Image, Some(&few));
    assert!(narrow.exact);
    assert_eq!(narrow.hits, truth.hits[3..3 + K]);

    let gone: Vec<ImageId> = truth.hits[..5].iter().map(|hit| hit.0).collect();
    index.remove(&gone);
    let after = index.search(query, K, QueryKind::Image, None);
    assert!(after.hits.iter().all(|hit| !gone.contains(&hit.0)) && after.hits.len() == K);
    let new = ImageId(1_000_000);
    index.insert([(new, &world.image_queries[0])]);
    assert_eq!(
        index.search(query, 1, QueryKind::Image, None).hits[0].0,
        new
    );
    index.insert(
        gone.iter()
            .map(|image| (*image, &world.images[image.0 as usize])),
    );
    let back = index.search(query, 6, QueryKind::Image, None);
    assert_eq!(
        back.hits[1..].iter().map(|hit| hit.0).collect::<Vec<_>>(),
        gone
    );
}
