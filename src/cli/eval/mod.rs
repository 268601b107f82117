//! `pixdex eval`: how often is the model right on pictures whose classes are known?

mod pictures;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use rayon::prelude::*;
use serde::Serialize;

use super::output;
use crate::config::Config;
use crate::embed::{Embedder, Embedding, Pixels};
use crate::library;
use crate::pictures::Pictures;
use crate::wire::FailedFile;
use pictures::Labelled;

/// Pictures that are decoded together, and then embedded together.
const BATCH: usize = 64;

/// What stands for the label in a template.
const PLACEHOLDER: &str = "{label}";

/// Measure zero-shot classification: how often is the model right on pictures whose classes are known?
///
/// Each class is embedded as one text, the template with its label in it, and a picture is taken for the class that it is
/// most similar to. No library is needed or changed.
#[derive(Debug, Args)]
pub(super) struct Eval {
    /// A folder with one sub-folder for each class, or a CSV file with lines of `path,label`
    #[arg(value_name = "FOLDER|FILE.csv")]
    pictures: PathBuf,
    /// A CSV file with lines of `sub-folder,label`, where the sub-folders are not called what they show
    #[arg(long, value_name = "FILE.csv")]
    names: Option<PathBuf>,
    /// The text of a class
    #[arg(long, value_name = "TEXT", default_value = "a photo of a {label}")]
    template: String,
    /// Print one JSON document, which holds every prediction
    #[arg(long)]
    json: bool,
}

#[derive(Default, Serialize)]
struct Report {
    model: String,
    precision: &'static str,
    images: usize,
    /// Share of the pictures whose class is the most similar one.
    top1: f64,
    /// Share of the pictures whose class is among the five most similar ones.
    top5: f64,
    /// Reading, decoding and embedding together.
    images_per_s: f64,
    classes: Vec<Class>,
    /// Number of pictures by the place of their class, then of the class that they were taken for.
    confusion: Vec<Vec<usize>>,
    predictions: Vec<Prediction>,
    failed: Vec<FailedFile>,
}

#[derive(Serialize)]
struct Class {
    label: String,
    images: usize,
    top1: f64,
    top5: f64,
    /// What its pictures are most often mistaken for, and how many are.
    mistaken_for: Option<(String, usize)>,
}

#[derive(Serialize)]
struct Prediction {
    path: PathBuf,
    label: String,
    /// The five most similar classes, best first.
    predicted: Vec<String>,
}

impl Eval {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        ensure!(
            self.template.contains(PLACEHOLDER),
            "the template `{}` lacks {PLACEHOLDER}",
            self.template
        );
        let set = pictures::find(&self.pictures, self.names.as_deref())?;
        let embedder = library::load_model(&config.model, config, None, &output::download())?;
        let report = self.measure(&set, &embedder, config)?;
        output::print(&report, self.json, print)?;
        let failed = report.failed.len();
        ensure!(
            failed == 0,
            "{failed} pictures could not be read and do not count"
        );
        Ok(())
    }

    fn measure(&self, set: &Labelled, embedder: &Embedder, config: &Config) -> Result<Report> {
        let texts = set
            .labels
            .iter()
            .map(|label| self.template.replace(PLACEHOLDER, label));
        let texts = embedder.embed_texts(texts.collect())?;
        let mut ranked = Vec::new();
        let mut failed = Vec::new();
        let bar = output::counting("measuring", set.pictures.len());
        let started = Instant::now();
        let decoder = Pictures::new(config.decode.clone(), embedder.pixels_maker());
        for batch in set.pictures.chunks(BATCH) {
            let (pixels, bad) = read(batch, &decoder);
            failed.extend(bad);
            let (known, pixels): (Vec<_>, Vec<Pixels>) = pixels.into_iter().unzip();
            let images = embedder.embed_images(pixels)?;
            let images = known.into_iter().zip(&images);
            ranked.extend(images.map(|(picture, image)| (picture, nearest(image, &texts))));
            bar.inc(batch.len() as u64);
        }
        bar.finish_and_clear();
        let images_per_s = ranked.len() as f64 / started.elapsed().as_secs_f64();
        Ok(Report {
            model: embedder.name().to_owned(),
            precision: embedder.placement().precision(),
            images_per_s,
            failed,
            ..report(&set.labels, &ranked)
        })
    }
}

type Picture = (PathBuf, usize);

/// The model's input of each picture, and those that have none.
fn read<'a>(
    batch: &'a [Picture],
    decoder: &Pictures,
) -> (Vec<(&'a Picture, Pixels)>, Vec<FailedFile>) {
    let read = |picture: &'a Picture| match decoder.pixels_of_file(&picture.0) {
        Ok(pixels) => Ok((picture, pixels)),
        Err(error) => Err(FailedFile {
            path: picture.0.display().to_string(),
            reason: error.to_string(),
        }),
    };
    batch.par_iter().map(read).partition_map(|read| match read {
        Ok(pixels) => rayon::iter::Either::Left(pixels),
        Err(failed) => rayon::iter::Either::Right(failed),
    })
}

/// The places of the texts, the most similar first; of equal ones the first.
fn nearest(image: &Embedding, texts: &[Embedding]) -> Vec<usize> {
    let similarities: Vec<f32> = texts.iter().map(|text| image.similarity(text)).collect();
    let mut places: Vec<usize> = (0..texts.len()).collect();
    places.sort_by(|&a, &b| similarities[b].total_cmp(&similarities[a]));
    places
}

/// All but what the model and the clock say.
fn report(labels: &[String], ranked: &[(&Picture, Vec<usize>)]) -> Report {
    let mut confusion = vec![vec![0; labels.len()]; labels.len()];
    let mut among_five = vec![0; labels.len()];
    for ((_, class), places) in ranked {
        confusion[*class][places[0]] += 1;
        among_five[*class] += usize::from(places.iter().take(5).any(|place| place == class));
    }
    let right = (0..labels.len()).map(|class| confusion[class][class]).sum();
    let class = |at: usize| class(labels, at, &confusion[at], among_five[at]);
    Report {
        images: ranked.len(),
        top1: share(right, ranked.len()),
        top5: share(among_five.iter().sum(), ranked.len()),
        classes: (0..labels.len()).map(class).collect(),
        predictions: ranked
            .iter()
            .map(|(picture, places)| prediction(labels, picture, places))
            .collect(),
        confusion,
        ..Report::default()
    }
}

fn share(part: usize, all: usize) -> f64 {
    part as f64 / all.max(1) as f64
}

/// The class at a place; `row` is what its pictures were taken for.
fn class(labels: &[String], at: usize, row: &[usize], among_five: usize) -> Class {
    let images = row.iter().sum();
    let mistakes = row.iter().enumerate();
    let mistakes = mistakes.filter(|(other, count)| *other != at && **count > 0);
    Class {
        label: labels[at].clone(),
        images,
        top1: share(row[at], images),
        top5: share(among_five, images),
        mistaken_for: mistakes
            .max_by_key(|(_, count)| **count)
            .map(|(other, count)| (labels[other].clone(), *count)),
    }
}

fn prediction(labels: &[String], (path, class): &Picture, places: &[usize]) -> Prediction {
    let five = places.iter().take(5);
    Prediction {
        path: path.clone(),
        label: labels[*class].clone(),
        predicted: five.map(|place| labels[*place].clone()).collect(),
    }
}

fn print(report: &Report) {
    print_line!("{:>7} {:>8} {:>8}  class", "images", "top-1", "top-5");
    for class in &report.classes {
        let mistaken = class.mistaken_for.as_ref();
        let mistaken = mistaken.map_or(String::new(), |(other, count)| {
            format!(", {count} taken for {other}")
        });
        print_line!(
            "{}{}{mistaken}",
            line(class.images, class.top1, class.top5),
            class.label
        );
    }
    print_line!("{}all", line(report.images, report.top1, report.top5));
    print_line!(
        "{} in {}, {:.1} images/s",
        report.model,
        report.precision,
        report.images_per_s
    );
    for FailedFile { path, reason } in &report.failed {
        print_line!("not read: {path}: {reason}");
    }
}

fn line(images: usize, top1: f64, top5: f64) -> String {
    format!(
        "{images:>7} {:>6.2} % {:>6.2} %  ",
        100.0 * top1,
        100.0 * top5
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_confusion_are_counted() {
        let labels: Vec<String> = ["a", "b"].map(str::to_owned).to_vec();
        let pictures: Vec<Picture> = [0, 0, 0, 1]
            .map(|class| (PathBuf::from("x"), class))
            .to_vec();
        let places = [vec![0, 1], vec![1, 0], vec![1, 0], vec![1, 0]];
        let ranked: Vec<_> = pictures.iter().zip(places).collect();
        let report = report(&labels, &ranked);
        assert_eq!((report.images, report.top1, report.top5), (4, 0.5, 1.0));
        assert_eq!(report.confusion, [[1, 2], [0, 1]]);
        assert_eq!(report.classes[0].mistaken_for, Some(("b".to_owned(), 2)));
        assert_eq!(report.classes[1].mistaken_for, None);
    }
}
