//! How fast are pictures and texts embedded in one precision, how close does it stay to f32, and in how much memory?
//!
//! `cargo bench --bench embed -- [--model FOLDER] [--device cuda] [--precision auto] [--json]`; the model is the bundled
//! one unless a folder in the hub's layout is named. One precision a process, since the peak of memory is the process's.

mod memory;

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::{Parser, ValueEnum};
use image::RgbImage;
use pixdex::config::{Device, Precision};
use pixdex::embed::{Embedder, Pixels, Placement};
use pixdex::model::{HubSettings, Model};
use serde_json::{Value, json};

use memory::memory_mib;

/// One short query, as people type them.
const QUERY: &str = "a photo of a dog running on grass";

#[derive(Parser)]
struct Arguments {
    /// A model's folder
    #[arg(long, default_value = "bundled")]
    model: String,
    /// auto, cpu, cuda or metal
    #[arg(long, default_value = "cpu")]
    device: String,
    /// auto, f32, int16 or int8
    #[arg(long, default_value = "auto")]
    precision: String,
    /// Pictures embedded together
    #[arg(long, value_delimiter = ',', default_value = "1,8,32")]
    batches: Vec<usize>,
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
    let device = Device::from_str(&arguments.device, true).map_err(anyhow::Error::msg)?;
    let started = Instant::now();
    let model = Model::open(&arguments.model.parse()?, &HubSettings::from_env(), &|_| {})?;
    let embedder = Embedder::load(model, Placement::find(device, precision)?)?;
    let load_s = started.elapsed().as_secs_f64();
    let resident_mib = memory_mib(std::process::id(), "VmRSS");
    let most = arguments.batches.iter().copied().fold(8, usize::max);
    let pictures = pictures(&embedder, most)?;
    let budget = Duration::from_secs_f64(arguments.seconds);
    let mut images_per_s = serde_json::Map::new();
    for &batch in &arguments.batches {
        let seconds = median_s(budget, || {
            embedder.embed_images(pictures[..batch].to_vec()).map(drop)
        })?;
        images_per_s.insert(batch.to_string(), json!(batch as f64 / seconds));
    }
    let two_callers_s = median_s(budget, || two_callers(&embedder, &pictures[..8]))?;
    let text_s = median_s(budget, || {
        embedder.embed_texts(vec![QUERY.to_owned()]).map(drop)
    })?;
    let text_beside_pictures_s = text_beside_pictures_s(&embedder, &pictures[..8], budget)?;
    Ok(json!({
        "precision": embedder.placement().precision(),
        "self_check_cosine": embedder.placement().self_check_cosine(),
        "load_s": load_s,
        "images_per_s": images_per_s,
        "images_per_s_of_two_callers_with_8": 16.0 / two_callers_s,
        "text_ms": 1e3 * text_s,
        "text_ms_beside_pictures": 1e3 * text_beside_pictures_s,
        "resident_mib": resident_mib,
        "peak_mib": memory_mib(std::process::id(), "VmHWM"),
    }))
}

/// Of a text, while batches of pictures keep all cores busy.
fn text_beside_pictures_s(
    embedder: &Embedder,
    pictures: &[Pixels],
    budget: Duration,
) -> Result<f64> {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            while !is_over.load(Relaxed) {
                embedder.embed_images(pictures.to_vec())?;
            }
            anyhow::Ok(())
        });
        let text_s = median_s(budget, || {
            embedder.embed_texts(vec![QUERY.to_owned()]).map(drop)
        });
        is_over.store(true, Relaxed);
        busy.join().expect("embedding does not panic")?;
        text_s
    })
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
fn pictures(embedder: &Embedder, count: usize) -> Result<Vec<Pixels>> {
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
    (0..count).map(picture).collect()
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
