//! `pixdex inspect`: what is seen in a file, for owners who wonder, and for reports of faults.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use image::RgbImage;
use serde::Serialize;

use super::output;
use crate::config::Config;
use crate::decode::{Description, Value};
use crate::embed::Pixels;
use crate::formats::Format;
use crate::library;
use crate::pictures::{Original, PictureError, Pictures, Seen};
use crate::store::ContentHash;

/// Show what pixdex sees in files, whether they lie in a library or not. Nothing is written but what --out names.
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// Picture files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write the picture as the model looks at it: made small, cropped, upright; a PNG, of one file only
    #[arg(long, value_name = "PNG")]
    out: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    files: Vec<Inspected>,
}

/// What became of one file.
#[derive(Default, Serialize)]
struct Inspected {
    path: String,
    /// Identity of the content, as the library knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<ContentHash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    picture: Option<Picture>,
    /// Every value that stands in it, whether it is believed or not.
    values: Vec<Value>,
    warnings: Vec<String>,
    /// Why it is not indexed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What is believed of what it says.
#[derive(Serialize)]
struct Picture {
    #[serde(flatten)]
    description: Description,
    /// In pixels, before it is turned.
    stored_width: u32,
    stored_height: u32,
    turned: String,
}

impl Inspect {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        ensure!(
            self.out.is_none() || self.files.len() == 1,
            "--out takes the picture of one file: name one"
        );
        // Any model's pictures show whether a file can be decoded; how large they are matters to --out only.
        let model = if self.out.is_some() {
            &config.model
        } else {
            "bundled"
        };
        let maker = library::pixels_maker(model, &output::download())?;
        let pictures = Pictures::new(config.decode.clone(), maker);
        let mut report = Report { files: Vec::new() };
        for path in &self.files {
            let (inspected, pixels) = inspect(&pictures, path);
            if let (Some(out), Some(pixels)) = (&self.out, pixels) {
                save(&pixels, out)?;
            }
            report.files.push(inspected);
        }
        output::print(&report, self.json, print)?;
        match report
            .files
            .iter()
            .filter(|file| file.error.is_some())
            .count()
        {
            0 => Ok(()),
            files => bail!("{files} of {} files would not be indexed", self.files.len()),
        }
    }
}

fn inspect(pictures: &Pictures, path: &Path) -> (Inspected, Option<Pixels>) {
    let mut inspected = Inspected {
        path: path.display().to_string(),
        ..Inspected::default()
    };
    let pixels = pictures
        .read_anywhere(path)
        .and_then(|original| inspected.look(pictures, path, &original));
    match pixels {
        Ok(pixels) => (inspected, Some(pixels)),
        Err(error) => {
            inspected.error = Some(error.to_string());
            (inspected, None)
        }
    }
}

impl Inspected {
    fn look(
        &mut self,
        pictures: &Pictures,
        path: &Path,
        original: &Original,
    ) -> Result<Pixels, PictureError> {
        self.id = Some(ContentHash(original.hash()));
        self.size_bytes = Some(original.size_bytes());
        let seen = pictures.inspect(original)?;
        self.note(path, seen);
        pictures.first_pixels(original)
    }

    fn note(&mut self, path: &Path, seen: Seen) {
        let format = seen.description.metadata.format;
        if Format::of_path(path) != Some(format) {
            self.warnings
                .push(format!("its name does not say that it is {format}"));
        }
        self.warnings.extend(seen.warnings);
        self.values = seen.values;
        self.picture = Some(Picture {
            description: seen.description,
            stored_width: seen.stored.0,
            stored_height: seen.stored.1,
            turned: seen.turn,
        });
    }
}

fn save(pixels: &Pixels, out: &Path) -> Result<()> {
    let side = pixels.side() as u32;
    let picture = RgbImage::from_raw(side, side, pixels.bytes().to_vec());
    let picture = picture.context("the model looks at no square")?;
    let written = picture.save_with_format(out, image::ImageFormat::Png);
    written.with_context(|| format!("failed to write `{}`", out.display()))
}

fn print(report: &Report) {
    for file in &report.files {
        print_line!("{}", file.path);
        if let Some(size_bytes) = file.size_bytes {
            print_line!("  {size_bytes} bytes");
        }
        if let Some(picture) = &file.picture {
            print_picture(picture);
        }
        for Value { source, name, text } in &file.values {
            print_line!("  {source} {name}: {text}");
        }
        for warning in &file.warnings {
            print_line!("  odd: {warning}");
        }
        if let Some(error) = &file.error {
            print_line!("  not indexed: {error}");
        }
    }
}

fn print_picture(seen: &Picture) {
    let picture = &seen.description.metadata;
    print_line!(
        "  {}, {} x {} pixels, {}",
        picture.format,
        picture.width,
        picture.height,
        seen.turned
    );
    if let Some(duration_ms) = picture.duration_ms {
        print_line!("  {:.1} s long", duration_ms as f64 / 1000.0);
    }
    if let (Some(taken_at), Some(source)) = (&picture.taken_at, picture.date_source) {
        print_line!("  taken at {taken_at}, says {source}");
    }
    if let (Some(latitude), Some(longitude)) = (picture.latitude, picture.longitude) {
        print_line!("  at {latitude:.6}, {longitude:.6}");
    }
    let texts = [
        ("camera", &picture.camera),
        ("lens", &picture.lens),
        ("title", &picture.title),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            print_line!("  {name} {text}");
        }
    }
    if let Some(rating) = picture.rating {
        print_line!("  rating {rating}");
    }
    for keyword in &seen.description.keywords {
        print_line!("  keyword {keyword}");
    }
}
