//! `pixdex model`: what a model is, and fetching one ahead of time.

use anyhow::Result;
use clap::Subcommand;
use serde::Serialize;

use super::output;
use crate::config::Config;
use crate::embed::{self, Placement};
use crate::library;
use crate::model::{
    self, HubSettings, Languages, ModelFile, ModelSource, RECOMMENDED, Recommended,
};

/// Models.
#[derive(Debug, Subcommand)]
pub(super) enum Model {
    /// Load the model and show what it is
    Info {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// List models that are worth taking, with what they cost on this machine
    ///
    /// Pictures a second and milliseconds a text are measured here and now, with one layer of each model's shape and no model;
    /// nothing is downloaded. Memory is that of both towers. The last figures are as others published them, in percent: pictures of
    /// `ImageNet` that are classed rightly, and captions of Crossmodal-3600 that find their picture.
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Download the model, so that later starts need no network
    Pull {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

#[derive(Serialize)]
struct Info {
    name: String,
    fingerprint: String,
    embedding_dim: usize,
    logit_scale: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    logit_bias: Option<f32>,
    device: &'static str,
    precision: &'static str,
    self_check_cosine: Option<f32>,
}

#[derive(Serialize)]
struct Pulled {
    name: String,
    files: Vec<PulledFile>,
}

#[derive(Serialize)]
struct PulledFile {
    path: String,
    size_bytes: u64,
}

impl Model {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        match self {
            Model::Info { json } => info(config, json),
            Model::List { json } => list(config, json),
            Model::Pull { json } => pull(config, json),
        }
    }
}

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    is_used: bool,
    is_here: bool,
    /// 1 for English only.
    languages: usize,
    licence: &'static str,
    good_for: &'static str,
    download_bytes: u64,
    /// None of these where the model runs on a GPU.
    #[serde(flatten)]
    speed: Option<Measured>,
    imagenet_percent: Option<f32>,
    recall_english_percent: Option<f32>,
    recall_german_percent: Option<f32>,
}

#[derive(Serialize)]
struct Measured {
    memory_bytes: u64,
    pictures_per_s: f64,
    text_ms: f64,
}

#[derive(Serialize)]
struct List {
    device: &'static str,
    precision: &'static str,
    models: Vec<Listed>,
}

fn list(config: &Config, json: bool) -> Result<()> {
    let placement = Placement::find(config.device, config.precision)?;
    let bar = output::counting("models", RECOMMENDED.len());
    let listed = |model: &Recommended| {
        let listed = listed(model, config, &placement);
        bar.inc(1);
        listed
    };
    let models = RECOMMENDED.iter().map(listed).collect::<Result<_>>()?;
    bar.finish_and_clear();
    let list = List {
        device: placement.device(),
        precision: placement.precision(),
        models,
    };
    output::print(&list, json, print_list)
}

fn listed(model: &Recommended, config: &Config, placement: &Placement) -> Result<Listed> {
    let speed = embed::measure(&model.architecture()?, placement)?;
    Ok(Listed {
        name: model.name,
        is_used: config.model.split('@').next() == Some(model.name),
        is_here: model.is_here(),
        languages: match model.languages {
            Languages::English => 1,
            Languages::Many(count) => count,
        },
        licence: model.licence,
        good_for: model.good_for,
        download_bytes: model.download_bytes()?,
        speed: speed.map(|speed| Measured {
            memory_bytes: speed.memory_bytes,
            pictures_per_s: speed.pictures_per_s,
            text_ms: speed.text_ms,
        }),
        imagenet_percent: model.imagenet,
        recall_english_percent: model.english,
        recall_german_percent: model.german,
    })
}

fn print_list(list: &List) {
    print_line!("On {}, {}:", list.device, list.precision);
    print_line!("");
    print_line!(
        "  {:46} languages download   memory  images/s  text ms  ImageNet  recall en, de  licence",
        "model"
    );
    for model in &list.models {
        print_line!("{}", row(model));
        print_line!("    {}", model.good_for);
    }
    print_line!("");
    print_line!(
        "* is the one that `model` names, + is on this machine. Take one with `--model NAME` or `model = \"NAME\"` in the"
    );
    print_line!(
        "configuration; the library goes over to it in the background, and the old one answers until then."
    );
}

/// In the columns of the heading.
fn row(model: &Listed) -> String {
    let mark = match (model.is_used, model.is_here) {
        (true, _) => '*',
        (false, true) => '+',
        (false, false) => ' ',
    };
    let told = |value: Option<f64>, decimals: usize| match value {
        Some(value) => format!("{value:.decimals$}"),
        None => "–".to_owned(),
    };
    let speed = model.speed.as_ref();
    let memory = speed.map(|speed| speed.memory_bytes as f64 / 1e6);
    let percent = |value: Option<f32>| told(value.map(f64::from), 1);
    format!(
        "{mark} {:46} {:>9} {:>5} MB {:>5} MB {:>9} {:>8} {:>9} {:>14}  {}",
        model.name,
        model.languages,
        model.download_bytes / 1_000_000,
        told(memory, 0),
        told(speed.map(|speed| speed.pictures_per_s), 1),
        told(speed.map(|speed| speed.text_ms), 1),
        percent(model.imagenet_percent),
        format!(
            "{}, {}",
            percent(model.recall_english_percent),
            percent(model.recall_german_percent)
        ),
        model.licence,
    )
}

fn info(config: &Config, json: bool) -> Result<()> {
    let embedder = library::load_model(&config.model, config, None, &output::download())?;
    let info = Info {
        name: embedder.name().to_owned(),
        fingerprint: embedder.fingerprint().to_owned(),
        embedding_dim: embedder.embedding_dim(),
        logit_scale: embedder.similarity().logit_scale(),
        logit_bias: embedder.similarity().logit_bias(),
        device: embedder.placement().device(),
        precision: embedder.placement().precision(),
        self_check_cosine: embedder.placement().self_check_cosine(),
    };
    output::print(&info, json, print_info)
}

fn print_info(info: &Info) {
    print_line!("name           {}", info.name);
    print_line!("fingerprint    {}", info.fingerprint);
    print_line!("embedding_dim  {}", info.embedding_dim);
    print_line!("logit_scale    {}", info.logit_scale);
    if let Some(bias) = info.logit_bias {
        print_line!("logit_bias     {bias}");
    }
    print_line!("runs on        {}, {}", info.device, info.precision);
    if let Some(cosine) = info.self_check_cosine {
        print_line!("self-check     {cosine:.6} (smallest cosine against f32)");
    }
}

fn pull(config: &Config, json: bool) -> Result<()> {
    let source: ModelSource = config.model.parse()?;
    let files = model::pull(&source, &HubSettings::from_env(), &output::download())?;
    let file = |ModelFile { path, size_bytes }| PulledFile {
        path: path.display().to_string(),
        size_bytes,
    };
    let pulled = Pulled {
        name: config.model.clone(),
        files: files.into_iter().map(file).collect(),
    };
    output::print(&pulled, json, print_pulled)
}

fn print_pulled(pulled: &Pulled) {
    if pulled.files.is_empty() {
        print_line!("{} needs no files: it is part of the program", pulled.name);
    }
    for PulledFile { path, size_bytes } in &pulled.files {
        print_line!("{size_bytes:>12}  {path}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_is_not_known_too() {
        let mut model = Listed {
            name: "a/b",
            is_used: false,
            is_here: true,
            languages: 109,
            licence: "MIT",
            good_for: "",
            download_bytes: 1_507_424_264,
            speed: Some(Measured {
                memory_bytes: 360_000_000,
                pictures_per_s: 81.25,
                text_ms: 9.96,
            }),
            imagenet_percent: None,
            recall_english_percent: Some(73.2),
            recall_german_percent: None,
        };
        let words = |model: &Listed| {
            let row = row(model);
            row.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            words(&model),
            "+ a/b 109 1507 MB 360 MB 81.2 10.0 – 73.2, – MIT"
        );
        (model.is_used, model.speed) = (true, None);
        assert_eq!(words(&model), "* a/b 109 1507 MB – MB – – – 73.2, – MIT");
    }
}
