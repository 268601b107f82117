//! How fast is search, at which recall? One query at a time, one thread unless `RAYON_NUM_THREADS` says otherwise.
//!
//! ```text
//! cargo bench --bench search -- --images 100000 --write DIR     makes a seeded set, writes it for others, measures
//! cargo bench --bench search -- --vectors DIR --json            measures on base.f32, images.f32, texts.f32 in DIR
//! ```
//!
//! The files hold raw little-endian f32, `--dim` values a row. `--library DIR` keeps the index for the next run.

mod memory;
mod world;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use pixdex::config::{Config, IndexConfig};
use pixdex::embed::Embedding;
use pixdex::index::{Index, IndexSetup, IndexStatus, Nearest, QueryKind};
use pixdex::stop::{Stop, Threads};
use pixdex::store::ImageId;
use serde::Serialize;

use memory::memory_mib;

const K: usize = 10;
const EF: [usize; 13] = [12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024];

#[derive(Debug, Parser)]
struct Options {
    /// Images to make
    #[arg(long, default_value_t = 20_000)]
    images: usize,
    /// Queries of each kind
    #[arg(long, default_value_t = 1000)]
    queries: usize,
    /// Length of the vectors
    #[arg(long, default_value_t = 512)]
    dim: usize,
    /// Folder of vectors to read
    #[arg(long)]
    vectors: Option<PathBuf>,
    /// Folder to write the vectors to that were made
    #[arg(long)]
    write: Option<PathBuf>,
    /// Folder of the index
    #[arg(long)]
    library: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// What cargo passes on
    #[arg(long, hide = true)]
    bench: bool,
}

struct Vectors {
    base: Vec<Embedding>,
    images: Vec<Embedding>,
    texts: Vec<Embedding>,
    /// Further texts: what the index tunes itself with.
    samples: Vec<Embedding>,
}

#[derive(Serialize)]
struct Report {
    images: usize,
    embedding_dim: usize,
    build_s: f64,
    open_ms: f64,
    graph_bytes_per_vector: f64,
    peak_mib: Option<f64>,
    status: IndexStatus,
    image: Kind,
    text: Kind,
}

#[derive(Serialize)]
struct Kind {
    /// What a search takes by default.
    chosen: Point,
    exact: Point,
    graph: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    ef_search: Option<usize>,
    recall: f64,
    queries_per_s: f64,
    p50_us: f64,
    p99_us: f64,
}

fn main() {
    let options = Options::parse();
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        let one = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build_global();
        one.expect("nothing has used threads yet");
    }
    let vectors = vectors(&options);
    let report = measure(&options, &vectors);
    if options.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&report).expect("a report is JSON")
        );
    } else {
        print(&report);
    }
}

fn vectors(options: &Options) -> Vectors {
    let dim = options.dim;
    let world = world::World::new(dim, 2000);
    let samples = embeddings(&world.texts(200, 4), dim);
    let [base, images, texts] = if let Some(folder) = &options.vectors {
        ["base", "images", "texts"].map(|name| read(&folder.join(format!("{name}.f32"))))
    } else {
        [
            world.images(options.images, 1),
            world.images(options.queries, 2),
            world.texts(options.queries, 3),
        ]
    };
    if let Some(folder) = &options.write {
        std::fs::create_dir_all(folder).expect("the folder can be made");
        for (name, values) in [("base", &base), ("images", &images), ("texts", &texts)] {
            world::write(&folder.join(format!("{name}.f32")), values)
                .expect("the vectors can be written");
        }
    }
    let [base, images, texts] = [base, images, texts].map(|values| embeddings(&values, dim));
    // Texts that somebody else made have samples of their own kind among them.
    let samples = if options.vectors.is_some() {
        texts[texts.len() / 2..].to_vec()
    } else {
        samples
    };
    Vectors {
        base,
        images,
        texts,
        samples,
    }
}

fn read(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path)
        .unwrap_or_else(|error| panic!("failed to read {}: {error}", path.display()));
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|value| f32::from_le_bytes(*value))
        .collect()
}

fn embeddings(values: &[f32], dim: usize) -> Vec<Embedding> {
    values
        .chunks_exact(dim)
        .map(|row| Embedding::new(row.to_vec()).expect("a row has a direction"))
        .collect()
}

/// The graph is asked about at every size.
fn config() -> IndexConfig {
    let config = Config::load(None, std::iter::empty(), Vec::new());
    IndexConfig {
        hnsw_from: 1,
        ..config.expect("the defaults are right").index
    }
}

fn open(folder: &Path, options: &Options, samples: &[Embedding]) -> Index {
    let samples = samples.to_vec();
    let setup = IndexSetup {
        folder: folder.to_owned(),
        fingerprint: "bench".to_owned(),
        embedding_dim: options.dim,
        texts: Box::new(move || samples.clone()),
    };
    Index::open(setup, config(), Stop::default(), Threads::default())
}

fn measure(options: &Options, vectors: &Vectors) -> Report {
    let temporary = tempfile::tempdir().expect("a folder can be made");
    let folder = options.library.as_deref().unwrap_or(temporary.path());
    let started = Instant::now();
    let mut index = open(folder, options, &vectors.samples);
    if index.vectors().len() != vectors.base.len() {
        index.insert((0..).map(ImageId).zip(&vectors.base));
        while index.status().graph_images != Some(vectors.base.len()) || index.status().is_building
        {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let build_s = started.elapsed().as_secs_f64();
    // From its file, as after a restart.
    let started = Instant::now();
    index = open(folder, options, &vectors.samples);
    let open_ms = started.elapsed().as_secs_f64() * 1e3;
    let status = index.status();
    Report {
        images: status.images,
        embedding_dim: options.dim,
        build_s,
        open_ms,
        graph_bytes_per_vector: status.graph_bytes as f64 / status.images as f64,
        peak_mib: memory_mib(std::process::id(), "VmHWM"),
        status,
        image: kind(&index, &vectors.images, QueryKind::Image),
        text: kind(&index, &vectors.texts, QueryKind::Text),
    }
}

fn kind(index: &Index, queries: &[Embedding], kind: QueryKind) -> Kind {
    let bars: Vec<f32> = queries
        .iter()
        .map(|query| index.neighbours().by_scan(query.as_slice(), K).hits[K - 1].1)
        .collect();
    let graph = EF.iter().map(|&ef| {
        let walk = |query: &[f32]| {
            index
                .neighbours()
                .by_graph(query, K, ef)
                .expect("there is a graph")
        };
        Point {
            ef_search: Some(ef),
            ..point(queries, &bars, walk)
        }
    });
    Kind {
        graph: graph.collect(),
        chosen: point(queries, &bars, |query| {
            index.neighbours().search(query, K, kind, None)
        }),
        exact: point(queries, &bars, |query| index.neighbours().by_scan(query, K)),
    }
}

fn point(queries: &[Embedding], bars: &[f32], search: impl Fn(&[f32]) -> Nearest) -> Point {
    let mut hits = 0;
    let mut times_us: Vec<f64> = Vec::with_capacity(queries.len());
    for (query, bar) in queries.iter().zip(bars) {
        let started = Instant::now();
        let answer = search(query.as_slice());
        times_us.push(started.elapsed().as_secs_f64() * 1e6);
        hits += answer.hits.iter().filter(|hit| hit.1 >= *bar).count();
    }
    times_us.sort_by(f64::total_cmp);
    Point {
        ef_search: None,
        recall: hits as f64 / (K * queries.len()) as f64,
        queries_per_s: 1e6 * queries.len() as f64 / times_us.iter().sum::<f64>(),
        p50_us: times_us[times_us.len() / 2],
        p99_us: times_us[times_us.len() * 99 / 100],
    }
}

fn print(report: &Report) {
    println!(
        "{} images, {} dimensions",
        report.images, report.embedding_dim
    );
    println!(
        "build {:.1} s, open {:.1} ms, peak {:.0} MiB",
        report.build_s,
        report.open_ms,
        report.peak_mib.unwrap_or(0.0)
    );
    println!(
        "codes, graph and ids: {:.0} bytes a vector",
        report.graph_bytes_per_vector
    );
    for (name, kind, tuned) in [
        ("image", &report.image, report.status.tuning.image),
        ("text", &report.text, report.status.tuning.text),
    ] {
        println!("\n{name}-like queries; measured at the build: {tuned:?}");
        println!(
            "{:>8} {:>8} {:>10} {:>9} {:>9}",
            "way", "recall", "queries/s", "p50 us", "p99 us"
        );
        kind.graph
            .iter()
            .for_each(|point| line(&format!("ef {}", point.ef_search.unwrap_or(0)), point));
        line("chosen", &kind.chosen);
        line("exact", &kind.exact);
    }
}

fn line(way: &str, point: &Point) {
    let Point {
        recall,
        queries_per_s,
        p50_us,
        p99_us,
        ..
    } = point;
    println!("{way:>8} {recall:>8.4} {queries_per_s:>10.0} {p50_us:>9.1} {p99_us:>9.1}");
}
