//! How long does a library take to preview and to follow a changed label set, and what does search feel of it?
//!
//! `cargo bench --bench retag -- --images 100000 --labels 100 [--model FOLDER] [--json]`

mod made;
mod memory;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use pixdex::config::Config;
use pixdex::embed::Embedding;
use pixdex::index::{Index, IndexSetup, QueryKind};
use pixdex::library;
use pixdex::stop::{Stop, Threads};
use pixdex::store::{AppliedLabel, AppliedSet, LibraryTags, Store, TagDifference};
use pixdex::tag::{Classifier, Label, LabelSet, Tagger, score_library};

use memory::memory_mib;

/// Labels that an image keeps, on average; the threshold is chosen so.
const TAGS_PER_IMAGE: f64 = 3.0;

#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value_t = 100_000)]
    images: usize,
    #[arg(long, default_value_t = 100)]
    labels: usize,
    /// A model folder, or `bundled`
    #[arg(long, default_value = "bundled")]
    model: String,
    #[arg(long)]
    json: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let config = Config::load(None, std::iter::empty(), vec![("log", "warn".into())])?;
    let embedder = library::load_model(&arguments.model, &config, None, &|_| {})?;
    let folder = tempfile::tempdir()?;
    let store = Store::open(&folder.path().join("library"))?;
    let images = made::fill(
        &store,
        &folder.path().join("photos"),
        &embedder,
        arguments.images,
    );
    let setup = IndexSetup {
        folder: folder.path().join("index"),
        fingerprint: embedder.fingerprint().to_owned(),
        embedding_dim: embedder.embedding_dim(),
        texts: Box::new(Vec::new),
    };
    let index = Index::open(
        setup,
        library::without_graph(&config).index,
        Stop::default(),
        Threads::default(),
    );
    index.insert(images.iter().map(|(image, embedding)| (*image, embedding)));
    let queries: Vec<Embedding> = images
        .iter()
        .rev()
        .take(200)
        .map(|image| image.1.clone())
        .collect();
    drop(images);

    let quiet = latencies_ms(&index, &queries, &AtomicBool::new(false));
    let threshold = halve(TAGS_PER_IMAGE * arguments.images as f64, |threshold| {
        let classifier = Classifier::build(label_set(arguments.labels, threshold)?, &embedder)?;
        Ok(score_library(&classifier, index.vectors())
            .scores
            .iter()
            .map(Vec::len)
            .sum())
    })?;
    let started = Instant::now();
    let classifier = Classifier::build(label_set(arguments.labels, threshold)?, &embedder)?;
    let embed_s = started.elapsed().as_secs_f64();
    let (tags, score_s, busy) = score_while_searching(&classifier, &index, &queries);
    let looser = Classifier::build(label_set(arguments.labels, threshold * 0.99)?, &embedder)?;
    let (first, first_s) = apply(&store, &classifier, &tags)?;
    let (again, again_s) = apply(&store, &classifier, &tags)?;
    let (edited, edited_s) = apply(&store, &looser, &score_library(&looser, index.vectors()))?;
    let tagger = Tagger::new(
        folder.path().to_owned(),
        store,
        index.vectors().clone(),
        embedder.clone(),
    );
    let started = Instant::now();
    let preview = tagger.preview(
        &"made".parse()?,
        &label_file(arguments.labels, threshold * 0.98),
        None,
    )?;
    let preview_s = started.elapsed().as_secs_f64();
    let other_scores = [("library", 0), ("probability", 3), ("library", 3)]
        .map(|scores| time_scores(&tagger, &arguments, scores))
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    let report = serde_json::json!({
        "images": arguments.images,
        "labels": arguments.labels,
        "embedding_dim": embedder.embedding_dim(),
        "embed_prompts_s": embed_s,
        "score_s": score_s,
        "write_new_set_s": first_s, "added": first.added,
        "write_same_set_s": again_s, "changed_by_same_set": again.added + again.removed + again.rescored,
        "write_looser_set_s": edited_s, "added_by_looser_set": edited.added, "rescored": edited.rescored,
        "preview_s": preview_s, "added_by_preview": preview.added, "removed_by_preview": preview.removed,
        "other_scores": other_scores,
        "search_quiet_ms": quiet, "search_while_scoring_ms": busy,
        "peak_memory_mib": memory_mib(std::process::id(), "VmHWM"),
    });
    print(&report, arguments.json);
    Ok(())
}

fn label_set(labels: usize, threshold: f32) -> Result<LabelSet> {
    LabelSet::parse(&label_file(labels, threshold)).context("the made label set is wrong")
}

fn label_file(labels: usize, threshold: f32) -> String {
    scored_file(labels, threshold, ("probability", 0))
}

/// A label file with this `scoring` and so many examples for each label.
fn scored_file(labels: usize, threshold: f32, (scoring, examples): (&str, usize)) -> String {
    let label = |i| {
        let text = made::description(i);
        let examples: Vec<String> = (0..examples)
            .map(|j| made::hash(i * examples + j).to_string())
            .collect();
        format!("[[labels]]\nname = '{text} {i}'\nprompts = ['{text}']\nexamples = {examples:?}\n")
    };
    let labels = (0..labels).map(label).collect::<Vec<_>>().concat();
    format!("scoring = '{scoring}'\nthreshold = {threshold}\n{labels}")
}

/// How long a preview of a set takes, and then applying it: prompts, learning, scores and rows.
fn time_scores(
    tagger: &Tagger,
    arguments: &Arguments,
    scores: (&str, usize),
) -> Result<serde_json::Value> {
    let other = "other".parse()?;
    let file = |threshold| scored_file(arguments.labels, threshold, scores);
    let threshold = halve(TAGS_PER_IMAGE * arguments.images as f64, |threshold| {
        Ok(tagger.preview(&other, &file(threshold), None)?.added)
    })?;
    let started = Instant::now();
    tagger.preview(&other, &file(threshold), None)?;
    let preview_s = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let applied = tagger.put(&other, &file(threshold))?;
    let apply_s = started.elapsed().as_secs_f64();
    tagger.delete(&other)?;
    let (scoring, examples) = scores;
    Ok(serde_json::json!({
        "scoring": scoring, "examples": examples, "preview_s": preview_s, "apply_s": apply_s,
        "added": applied.iter().map(|set| set.difference.added).sum::<usize>(),
    }))
}

/// The threshold at which so many tags are kept.
fn halve(wanted: f64, kept_at: impl Fn(f32) -> Result<usize>) -> Result<f32> {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..12 {
        let middle = f32::midpoint(low, high);
        if kept_at(middle)? as f64 > wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(high)
}

/// Scores the library on all cores while one thread goes on searching.
fn score_while_searching(
    classifier: &Classifier,
    index: &Index,
    queries: &[Embedding],
) -> (LibraryTags, f64, [f64; 2]) {
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let search = scope.spawn(|| latencies_ms(index, queries, &is_done));
        let started = Instant::now();
        let tags = score_library(classifier, index.vectors());
        let score_s = started.elapsed().as_secs_f64();
        is_done.store(true, Ordering::Relaxed);
        (
            tags,
            score_s,
            search.join().expect("the search does not panic"),
        )
    })
}

/// p50 and p99 of searching for each query once, or until told to stop.
fn latencies_ms(index: &Index, queries: &[Embedding], is_done: &AtomicBool) -> [f64; 2] {
    let mut times: Vec<f64> = queries
        .iter()
        .take_while(|_| !is_done.load(Ordering::Relaxed))
        .map(|query| {
            let started = Instant::now();
            index
                .neighbours()
                .search(query.as_slice(), 10, QueryKind::Image, None);
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    [0.5, 0.99].map(|share| made::quantile(&mut times, share))
}

fn apply(
    store: &Store,
    classifier: &Classifier,
    tags: &LibraryTags,
) -> Result<(TagDifference, f64)> {
    let applied = AppliedSet {
        key: "made".to_owned(),
        signature: "made".to_owned(),
        definition: String::new(),
        learned: None,
    };
    let label = |label: &Label| AppliedLabel {
        name: label.name.to_string(),
        hooks: Vec::new(),
    };
    let labels: Vec<AppliedLabel> = classifier.set().labels.iter().map(label).collect();
    let started = Instant::now();
    let (_, difference) = store.apply_label_set("made", &applied, &labels, tags, |_| true)?;
    Ok((difference, started.elapsed().as_secs_f64()))
}

fn print(report: &serde_json::Value, as_json: bool) {
    if as_json {
        println!("{report}");
        return;
    }
    for (name, value) in report.as_object().into_iter().flatten() {
        println!("{name:24} {value}");
    }
}
