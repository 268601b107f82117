//! How long does a picture take from its bytes to the model's input, and what does decoding less of it change?
//!
//! `cargo bench --bench decode -- FOLDER [--side 224] [--model MODEL] [--way WAY] [--json]`
//!
//! For each way to decode: milliseconds of one core, and the difference of the model's input and, with `--model`, of the
//! embedding from those of a full decode. Medians over the folder's pictures; `worst` is the lowest cosine of any. With `--way`, as
//! `chosen`, only that one is gone, nothing is compared, and the most memory is told that was resident more than before.

mod memory;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use fast_image_resize::FilterType;
use image::RgbImage;
use image::imageops::crop_imm;
use pixdex::config::Config;
use pixdex::decode;
use pixdex::embed::{Embedder, resize};
use pixdex::formats::Format;
use pixdex::library::load_model;
use serde_json::json;

use memory::memory_mib;

/// Rounds over the folder.
const ROUNDS: usize = 3;

/// Eighths of the size; `None` is what the program takes.
const WAYS: [(&str, Option<u32>); 5] = [
    ("full", Some(8)),
    ("1/2", Some(4)),
    ("1/4", Some(2)),
    ("1/8", Some(1)),
    ("chosen", None),
];

struct Arguments {
    files: Vec<PathBuf>,
    side: u32,
    embedder: Option<Embedder>,
    config: Config,
    /// The only one.
    way: Option<String>,
    json: bool,
}

#[derive(Default)]
struct Figures {
    decode_ms: Vec<f64>,
    resize_ms: Vec<f64>,
    difference: Vec<f64>,
    cosine: Vec<f64>,
}

fn main() -> Result<()> {
    let arguments = Arguments::read()?;
    let mut figures: Vec<Figures> = WAYS.iter().map(|_| Figures::default()).collect();
    let resident = |name| memory_mib(std::process::id(), name);
    let before_mib = resident("VmRSS");
    for round in 0..ROUNDS {
        for file in &arguments.files {
            let compare = round == 0 && arguments.way.is_none();
            measure(&arguments, file, compare, &mut figures)
                .with_context(|| file.display().to_string())?;
        }
    }
    let peak_mib = resident("VmHWM").zip(before_mib);
    let peak_mib = peak_mib.filter(|_| arguments.way.is_some());
    let peak_mib = peak_mib.map(|(peak, before)| peak - before);
    print(&arguments, &mut figures, peak_mib);
    Ok(())
}

fn measure(
    arguments: &Arguments,
    file: &Path,
    compare: bool,
    figures: &mut [Figures],
) -> Result<()> {
    let bytes = std::fs::read(file)?;
    let limits = &arguments.config.decode;
    let (description, encoded) = decode::open(&bytes, limits)?;
    let short_side = description.metadata.width.min(description.metadata.height);
    let full = compare.then(|| encoded.whole()).transpose()?;
    for ((way, eighths), figures) in WAYS.iter().zip(figures) {
        if arguments.way.as_ref().is_some_and(|only| only != way) {
            continue;
        }
        // Only a JPEG can be decoded in part.
        if description.metadata.format != Format::Jpeg && matches!(eighths, Some(1..8)) {
            continue;
        }
        let enough = eighths.map_or(2 * arguments.side, |eighths| short_side / 8 * eighths);
        let started = Instant::now();
        let (_, encoded) = decode::open(&bytes, limits)?;
        let shrunk = (*eighths != Some(8)).then(|| encoded.shrunk(enough));
        let picture = shrunk.flatten().map_or_else(|| encoded.whole(), Ok)?;
        figures
            .decode_ms
            .push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        let input = square(&picture, arguments.side)?;
        figures
            .resize_ms
            .push(started.elapsed().as_secs_f64() * 1e3);
        if let Some(full) = &full {
            let reference = square(full, arguments.side)?;
            figures.difference.push(mean_difference(&reference, &input));
            if let Some(embedder) = &arguments.embedder {
                let maker = embedder.pixels_maker();
                let pair = vec![maker.make(full)?, maker.make(&picture)?];
                let embeddings = embedder.embed_images(pair)?;
                figures
                    .cosine
                    .push(f64::from(embeddings[0].similarity(&embeddings[1])));
            }
        }
    }
    Ok(())
}

/// What the program does with most models: bicubic on the short side and the middle.
fn square(picture: &RgbImage, side: u32) -> Result<RgbImage> {
    let (width, height) = picture.dimensions();
    let short = width.min(height);
    let target = (side * width / short, side * height / short);
    let whole = resize(picture, target, FilterType::CatmullRom)?;
    Ok(crop_imm(
        &whole,
        (target.0 - side) / 2,
        (target.1 - side) / 2,
        side,
        side,
    )
    .to_image())
}

fn mean_difference(a: &RgbImage, b: &RgbImage) -> f64 {
    let sum: u64 = a
        .iter()
        .zip(b.iter())
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    sum as f64 / a.len() as f64
}

fn print(arguments: &Arguments, figures: &mut [Figures], peak_mib: Option<f64>) {
    for ((way, _), figures) in WAYS.iter().zip(figures) {
        if figures.decode_ms.is_empty() {
            continue;
        }
        let worst = figures.cosine.iter().copied().reduce(f64::min);
        let (decode_ms, resize_ms) = (
            median(&mut figures.decode_ms),
            median(&mut figures.resize_ms),
        );
        let (difference, cosine) = (median(&mut figures.difference), median(&mut figures.cosine));
        if arguments.json {
            let line = json!({ "way": way, "pictures": arguments.files.len(), "decode_ms": decode_ms,
                "resize_ms": resize_ms, "difference": difference, "cosine": cosine, "worst_cosine": worst,
                "peak_mib": peak_mib });
            println!("{line}");
        } else {
            let (cosine, worst) = (cosine.unwrap_or(f64::NAN), worst.unwrap_or(f64::NAN));
            println!(
                "{way:6}  decode {:7.2} ms  resize {:6.2} ms  difference {:5.3}  cosine {cosine:.6}  worst {worst:.6}",
                decode_ms.unwrap_or(f64::NAN),
                resize_ms.unwrap_or(f64::NAN),
                difference.unwrap_or(f64::NAN)
            );
            if let Some(peak_mib) = peak_mib {
                println!("        {peak_mib:.0} MiB at most");
            }
        }
    }
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

impl Arguments {
    fn read() -> Result<Arguments> {
        let config = Config::load(None, std::iter::empty(), vec![])?;
        let (mut files, mut side, mut embedder, mut json) = (Vec::new(), 224, None, false);
        let mut way = None;
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                // From cargo.
                "--bench" => {}
                "--json" => json = true,
                "--way" => way = Some(words.next().context("--way WAY")?),
                "--side" => side = words.next().context("--side N")?.parse()?,
                "--model" => {
                    let name = words.next().context("--model MODEL")?;
                    embedder = Some(load_model(&name, &config, None, &|_| {})?);
                }
                folder => {
                    for entry in std::fs::read_dir(folder)? {
                        files.push(entry?.path());
                    }
                }
            }
        }
        files.sort();
        Ok(Arguments {
            files,
            side,
            embedder,
            config,
            way,
            json,
        })
    }
}
