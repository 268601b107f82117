//! How fast are pictures and texts embedded in one precision, how close does it stay to f32, and in how much memory?
//!
//! `cargo bench --bench embed -- [--model FOLDER] [--precision auto] [--seconds 1.5] [--json]`; the model is the bundled
//! one unless a folder in the hub's layout is named. One precision a process, since the peak of memory is the process's.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use image::RgbImage;
use pixdex::config::{Device, Precision};
use pixdex::embed::{Embedder, Pixels, Placement};
use pixdex::model::{HubSettings, Model};
use serde_json::{Value, json};

/// One short query, as people type them.
const QUERY: &str = "a photo of a dog running on grass";

const BATCHES: [usize; 3] = [1, 8, 32];

#[derive(Parser)]
struct Arguments {
    /// A model's folder
    #[arg(long, default_value = "bundled")]
    model: String,
    /// auto, f32, bf16, int16 or int8
    #[arg(long, default_value = "auto")]
    precision: String,
    /// For how long each figure is measured
    #[arg(long, default_value_t = 1.5)]
    seconds: f64,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let report = measure(&arguments)?;
    if arguments.json {
        println!("{report}");
        return Ok(());
    }
    for (name, value) in report.as_object().into_iter().flatten() {
        println!("{name:<24} {value}");
    }
    Ok(())
}

fn measure(arguments: &Arguments) -> Result<Value> {
    let precision = Precision::from_str(&arguments.precision, true).map_err(anyhow::Error::msg)?;
    let started = Instant::now();
    let model = Model::open(&arguments.model.parse()?, &HubSettings::from_env(), &|_| {})?;
    let embedder = Embedder::load(model, Placement::find(Device::Cpu, precision)?)?;
    let load_s = started.elapsed().as_secs_f64();
    let resident_mb = memory_mb("VmRSS")?;
    let pictures = pictures(&embedder)?;
    let budget = Duration::from_secs_f64(arguments.seconds);
    let mut images_per_s = serde_json::Map::new();
    for batch in BATCHES {
        let seconds = median_s(budget, || {
            embedder.embed_images(pictures[..batch].to_vec()).map(drop)
        })?;
        images_per_s.insert(batch.to_string(), json!(batch as f64 / seconds));
    }
    let two_callers_s = median_s(budget, || two_callers(&embedder, &pictures[..8]))?;
    let text_s = median_s(budget, || {
        embedder.embed_texts(vec![QUERY.to_owned()]).map(drop)
    })?;
    Ok(json!({
        "precision": embedder.placement().precision(),
        "self_check_cosine": embedder.placement().self_check_cosine(),
        "load_s": load_s,
        "images_per_s": images_per_s,
        "images_per_s_of_two_callers_with_8": 16.0 / two_callers_s,
        "text_ms": 1e3 * text_s,
        "resident_mb": resident_mb,
        "peak_mb": memory_mb("VmHWM")?,
    }))
}

fn two_callers(embedder: &Embedder, pictures: &[Pixels]) -> Result<()> {
    std::thread::scope(|scope| {
        let callers = [(); 2].map(|()| scope.spawn(|| embedder.embed_images(pictures.to_vec())));
        callers.into_iter().try_for_each(|caller| {
            caller.join().expect("a caller does not panic")?;
            Ok(())
        })
    })
}

/// Pictures of noise, each another.
fn pictures(embedder: &Embedder) -> Result<Vec<Pixels>> {
    let mut state = 1_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let maker = embedder.pixels_maker();
    let picture = |_| {
        Ok(maker.make(&RgbImage::from_fn(224, 224, |_, _| {
            image::Rgb([byte(), byte(), byte()])
        }))?)
    };
    (0..32).map(picture).collect()
}

/// Median seconds of a call, after one that does not count.
fn median_s<E: Into<anyhow::Error>>(
    budget: Duration,
    mut call: impl FnMut() -> Result<(), E>,
) -> Result<f64> {
    call().map_err(Into::into)?;
    let (mut times, end) = (Vec::new(), Instant::now() + budget);
    while times.len() < 3 || Instant::now() < end {
        let started = Instant::now();
        call().map_err(Into::into)?;
        times.push(started.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// A line of this process's status on Linux.
fn memory_mb(line: &str) -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let found = status
        .lines()
        .find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    let kib = found
        .and_then(|text| text.trim().strip_suffix(" kB"))
        .context("no such line")?;
    Ok(kib.trim().parse::<f64>()? * 1024.0 / 1e6)
}
