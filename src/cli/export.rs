//! `pixdex export`: everything that is known about the pictures, for other programs.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;
use tempfile::NamedTempFile;

use super::output;
use super::vectors::{self, Shape};
use crate::config::Config;
use crate::decode::DateSource;
use crate::store::{
    ContentHash, Decision, Filter, ImageId, KnownModel, ModelId, Source, Store, WhichDecisions,
};
use crate::wire::Item;

/// Images that are read together.
const BATCH: usize = 256;

/// Standard output instead of a file.
const STDOUT: &str = "-";

/// Write what is known about each picture: paths, metadata, tags with scores, decisions; and the embeddings.
///
/// A running daemon goes on meanwhile. A file is there as a whole or not at all.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The file, or `-` for standard output
    #[arg(value_name = "FILE", required_unless_present = "embeddings")]
    file: Option<PathBuf>,
    /// How pictures are written
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// Write the embeddings too: to FILE.safetensors, or to FILE.npy with the ids in FILE.ids
    #[arg(long, value_name = "FILE")]
    embeddings: Option<PathBuf>,
    /// Print one JSON document on what was written
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// A JSON document a line
    Jsonl,
    /// Comma-separated values; lists are JSON within their cells
    Csv,
    /// A file a line, with its tags, in the words of Immich's API: a script looks each up there by `originalPath` and tags it
    Immich,
}

/// A file as Immich's API tells of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asset<'a> {
    original_path: &'a str,
    original_file_name: &'a str,
    exif_info: ExifInfo,
    tags: Vec<AssetTag<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExifInfo {
    file_size_in_byte: i64,
}

#[derive(Serialize)]
struct AssetTag<'a> {
    name: &'a str,
    /// The name behind that of its set, which stands above it.
    value: String,
}

#[derive(Serialize)]
struct Report {
    images: usize,
    embeddings: usize,
}

/// All about one image.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    item: Item,
    decisions: Vec<Decision>,
}

/// The same in cells.
#[derive(Serialize)]
struct Cells<'a> {
    id: ContentHash,
    paths: String,
    format: &'a str,
    width: u32,
    height: u32,
    size_bytes: i64,
    taken_at: Option<&'a str>,
    date_source: Option<DateSource>,
    camera: Option<&'a str>,
    lens: Option<&'a str>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    title: Option<&'a str>,
    rating: Option<i8>,
    duration_ms: Option<i64>,
    tags: String,
    decisions: String,
}

impl Export {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let store = Store::open_existing(&config.library_dir()?)?;
        let to_stdout = self.file.as_deref() == Some(Path::new(STDOUT));
        ensure!(
            !(to_stdout && self.json),
            "--json answers on standard output, where the pictures go: name a file"
        );
        let mut report = Report {
            images: 0,
            embeddings: 0,
        };
        if let Some(file) = &self.file {
            report.images = if to_stdout {
                write_lines(&store, self.format, &mut BufWriter::new(output::Stdout))?
            } else {
                whole_file(file, |out| write_lines(&store, self.format, out))?
            };
        }
        if let Some(file) = &self.embeddings {
            report.embeddings = write_embeddings(&store, file)?;
        }
        output::print(&report, self.json, |Report { images, embeddings }| {
            if !to_stdout {
                print_line!("{images} images and {embeddings} embeddings exported");
            }
        })
    }
}

/// Writes beside the file, and puts it in its place when it is whole.
fn whole_file<T>(path: &Path, write: impl FnOnce(&mut BufWriter<&File>) -> Result<T>) -> Result<T> {
    let name = || format!("failed to write `{}`", path.display());
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let temporary = NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).with_context(name)?;
    let mut out = BufWriter::new(temporary.as_file());
    let answer = write(&mut out).with_context(name)?;
    out.flush().with_context(name)?;
    drop(out);
    temporary.as_file().sync_all().with_context(name)?;
    temporary.persist(path).with_context(name)?;
    Ok(answer)
}

fn write_lines(store: &Store, format: Format, out: &mut impl Write) -> Result<usize> {
    match format {
        Format::Jsonl => each_line(store, |line| {
            serde_json::to_writer(&mut *out, &line)?;
            Ok(writeln!(out)?)
        }),
        Format::Immich => each_line(store, |line| {
            for asset in assets(&line.item) {
                serde_json::to_writer(&mut *out, &asset)?;
                writeln!(out)?;
            }
            Ok(())
        }),
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(out);
            let written = each_line(store, |line| Ok(csv.serialize(cells(&line)?)?))?;
            csv.flush()?;
            Ok(written)
        }
    }
}

/// Each file of a picture, with the tags of that.
fn assets(item: &Item) -> impl Iterator<Item = Asset<'_>> {
    item.paths.iter().map(|path| Asset {
        original_path: path,
        original_file_name: path.rsplit(['/', '\\']).next().unwrap_or(path),
        exif_info: ExifInfo {
            file_size_in_byte: item.size_bytes,
        },
        tags: item
            .tags
            .iter()
            .map(|tag| AssetTag {
                name: &tag.label,
                value: match tag.source {
                    Source::File => tag.label.clone(),
                    _ => format!("{}/{}", tag.set, tag.label),
                },
            })
            .collect(),
    })
}

fn cells(line: &Line) -> Result<Cells<'_>> {
    let item = &line.item;
    let metadata = &item.metadata;
    Ok(Cells {
        id: item.id,
        paths: serde_json::to_string(&item.paths)?,
        format: metadata.format.name(),
        width: metadata.width,
        height: metadata.height,
        size_bytes: item.size_bytes,
        taken_at: metadata.taken_at.as_deref(),
        date_source: metadata.date_source,
        camera: metadata.camera.as_deref(),
        lens: metadata.lens.as_deref(),
        latitude: metadata.latitude,
        longitude: metadata.longitude,
        title: metadata.title.as_deref(),
        rating: metadata.rating,
        duration_ms: metadata.duration_ms,
        tags: serde_json::to_string(&item.tags)?,
        decisions: serde_json::to_string(&line.decisions)?,
    })
}

fn each_line(store: &Store, mut each: impl FnMut(Line) -> Result<()>) -> Result<usize> {
    // All at once: people decide about few of their pictures, and a query for each of the others would find nothing.
    let mut decided: HashMap<ContentHash, Vec<Decision>> = HashMap::new();
    for decision in store.decisions(&WhichDecisions::default())? {
        decided.entry(decision.image).or_default().push(decision);
    }
    let ids = store.matching(&Filter::default())?;
    let bar = output::counting("exporting", ids.len());
    let mut lines = 0;
    for ids in ids.chunks(BATCH) {
        for row in store.images(ids)? {
            each(Line {
                decisions: decided.remove(&row.hash).unwrap_or_default(),
                item: row.into(),
            })?;
            lines += 1;
        }
        bar.inc(ids.len() as u64);
    }
    bar.finish_and_clear();
    Ok(lines)
}

fn write_embeddings(store: &Store, file: &Path) -> Result<usize> {
    let (model, shape, ids) = known_model(store)?;
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("safetensors") => whole_file(file, |out| {
            vectors::write_safetensors_header(out, &shape)?;
            write_rows(store, model, &ids, out)?;
            each_hash(store, &ids, |hash| Ok(out.write_all(&hash.0)?))
        }),
        Some("npy") => {
            whole_file(&file.with_extension("ids"), |out| {
                each_hash(store, &ids, |hash| Ok(writeln!(out, "{hash}")?))
            })?;
            whole_file(file, |out| {
                vectors::write_npy_header(out, &shape)?;
                write_rows(store, model, &ids, out)
            })
        }
        _ => bail!(
            "`{}` ends neither with .safetensors nor with .npy",
            file.display()
        ),
    }
}

fn write_rows(
    store: &Store,
    model: ModelId,
    ids: &[ImageId],
    out: &mut impl Write,
) -> Result<usize> {
    let bar = output::counting("exporting embeddings", ids.len());
    let mut rows = 0;
    let mut failure = Ok(());
    for ids in ids.chunks(BATCH) {
        store.each_embedding(model, ids, |_, embedding| {
            rows += 1;
            if failure.is_ok() {
                failure = out.write_all(&embedding.to_le_bytes());
            }
        })?;
        bar.inc(ids.len() as u64);
    }
    bar.finish_and_clear();
    failure?;
    ensure!(rows == ids.len(), "embeddings went meanwhile: try again");
    Ok(rows)
}

fn each_hash(
    store: &Store,
    ids: &[ImageId],
    mut each: impl FnMut(ContentHash) -> Result<()>,
) -> Result<usize> {
    for ids in ids.chunks(BATCH) {
        store.hashes(ids)?.into_iter().try_for_each(&mut each)?;
    }
    Ok(ids.len())
}

/// The model whose embeddings the library uses, what a file of them says about it, and the images that have one.
fn known_model(store: &Store) -> Result<(ModelId, Shape, Vec<ImageId>)> {
    let unknown =
        "the library does not say which model it uses: start `pixdex serve` or `pixdex index` once";
    let KnownModel { name, fingerprint } = store.model_in_force()?.context(unknown)?;
    let id = store.model(&fingerprint, &name)?;
    let mut embedding_dim = 0;
    let ids = store.live_images(id)?;
    store.each_embedding(id, &ids[..ids.len().min(1)], |_, embedding| {
        embedding_dim = embedding.as_slice().len();
    })?;
    let shape = Shape {
        rows: ids.len(),
        embedding_dim,
        fingerprint,
        model: name,
    };
    Ok((id, shape, ids))
}
