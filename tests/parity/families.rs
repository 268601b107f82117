//! The same claim for every other family and layout, against transformers and `open_clip`.
//!
//! `fixtures/families/make.py` made the models (random weights, small shapes) and the references.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::siglip;
use image::RgbImage;
use pixdex::config::Precision;
use pixdex::embed::{Embedder, Embedding, Pixels};
use pixdex::model::{HubSettings, Model, ModelSource};
use serde::Deserialize;

use crate::{FLOORS, cosine, normalised, pixels, placement};

const MODELS: [&str; 6] = [
    "siglip",
    "siglip2",
    "metaclip2",
    "open_clip",
    "open_clip-custom",
    SMALL_TRUNK,
];

/// timm's trunks exist in full size only, so this one's configuration says `vit_base`.
const SMALL_TRUNK: &str = "open_clip-siglip";

/// The picture that needs no resizing.
const EXACT: &str = "exact";

#[derive(Deserialize)]
struct Reference {
    logit_scale: f32,
    logit_bias: Option<f32>,
    images: BTreeMap<String, Vec<f32>>,
    texts: Vec<Wording>,
}

#[derive(Deserialize)]
struct Wording {
    text: String,
    input_ids: Vec<u32>,
    embedding: Vec<f32>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families")
}

fn reference(name: &str) -> Reference {
    let path = fixtures().join(format!("reference-{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn open(name: &str) -> Model {
    let source = ModelSource::Folder(fixtures().join(name));
    let mut model = Model::open(&source, &HubSettings::from_env(), &|_| {}).unwrap();
    if name == SMALL_TRUNK {
        let tower = &mut model.architecture.vision.tower;
        (tower.width, tower.layers, tower.heads, tower.intermediate) = (64, 2, 4, 256);
        model.architecture.projection_dim = 64;
    }
    model
}

fn embedder(name: &str, precision: Precision) -> Option<Embedder> {
    Some(Embedder::load(open(name), placement(precision)?).unwrap())
}

/// A picture in the model's size, by the formula that `make.py` has too.
fn exact(embedder: &Embedder) -> Pixels {
    let side = embedder.image_size() as u32;
    let value = |x: u32, y: u32, channel: u32| (((x * 37) ^ (y * 11)) + channel * 80) as u8;
    let picture = RgbImage::from_fn(side, side, |x, y| {
        image::Rgb([0, 1, 2].map(|c| value(x, y, c)))
    });
    embedder.pixels_maker().make(&picture).unwrap()
}

/// The cosines to the reference, pictures first.
fn cosines(name: &str, embedder: &Embedder) -> Vec<(String, f32)> {
    let reference = reference(name);
    let images = reference.images.iter().map(|(picture, theirs)| {
        let pixels = match picture.as_str() {
            EXACT => exact(embedder),
            picture => pixels(embedder, picture),
        };
        let ours = embedder.embed_images(vec![pixels]);
        (picture.clone(), cosine(&ours.unwrap()[0], theirs))
    });
    let texts = reference.texts.iter().map(|text| {
        let ours = embedder.embed_texts(vec![text.text.clone()]).unwrap();
        (text.text.clone(), cosine(&ours[0], &text.embedding))
    });
    images.chain(texts).collect()
}

#[test]
fn every_family_embeds_as_its_makers_embed() {
    for name in MODELS {
        let embedder = embedder(name, Precision::F32).unwrap();
        let pictures = reference(name).images;
        for (what, cosine) in cosines(name, &embedder) {
            // Where nothing is resized, and so no byte rounded, tighter than the claim: a wrong activation or epsilon would
            // still pass 0.9999.
            let is_resized = what != EXACT && pictures.contains_key(&what);
            let floor = if is_resized { 0.9999 } else { 0.999_998 };
            assert!(cosine > floor, "{name}: {what}: {cosine}");
        }
    }
}

#[test]
fn every_family_reads_texts_as_its_makers_do() {
    for name in MODELS {
        let tokenizer = open(name).tokenizer;
        for Wording {
            text, input_ids, ..
        } in reference(name).texts
        {
            let ours = tokenizer.encode_fast(text.as_str(), true).unwrap();
            assert_eq!(ours.get_ids(), input_ids, "{name}: {text:?}");
        }
    }
}

#[test]
fn every_family_has_its_own_similarity() {
    for name in MODELS {
        let reference = reference(name);
        let similarity = embedder(name, Precision::F32).unwrap().similarity();
        assert!((similarity.logit_scale() / reference.logit_scale - 1.0).abs() < 1e-5);
        assert_eq!(similarity.logit_bias(), reference.logit_bias, "{name}");
    }
}

#[test]
fn fewer_bits_stay_near_in_every_family() {
    for (name, (precision, floor)) in MODELS
        .into_iter()
        .flat_map(|name| FLOORS.map(|floor| (name, floor)))
    {
        let Some(embedder) = embedder(name, precision) else {
            continue;
        };
        let (what, smallest) = cosines(name, &embedder)
            .into_iter()
            .min_by(|one, other| one.1.total_cmp(&other.1))
            .unwrap();
        let checked = embedder.placement().self_check_cosine();
        println!("{name} {precision:?}: {smallest:.6} ({what}), by its own check {checked:?}");
        assert!(smallest > floor, "{name} {precision:?}: {what}: {smallest}");
    }
}

#[test]
fn a_batch_embeds_as_its_members_do() {
    for name in MODELS {
        let embedder = embedder(name, Precision::F32).unwrap();
        let reference = reference(name);
        let pictures = reference.images.keys().filter(|name| *name != EXACT);
        let pictures: Vec<_> = pictures.map(|name| pixels(&embedder, name)).collect();
        let texts: Vec<String> = reference.texts.into_iter().map(|text| text.text).collect();
        let near = |together: Vec<Embedding>, alone: &dyn Fn(usize) -> Embedding| {
            for (at, together) in together.iter().enumerate() {
                assert!(together.similarity(&alone(at)) > 0.999_999, "{name}");
            }
        };
        near(embedder.embed_images(pictures.clone()).unwrap(), &|at| {
            embedder
                .embed_images(vec![pictures[at].clone()])
                .unwrap()
                .remove(0)
        });
        near(embedder.embed_texts(texts.clone()).unwrap(), &|at| {
            embedder
                .embed_texts(vec![texts[at].clone()])
                .unwrap()
                .remove(0)
        });
    }
}

/// Where its own configuration can say what the model is: it knows no projection of texts into another width.
#[test]
fn siglips_towers_agree_with_candle_transformers() {
    let (model, embedder) = (open("siglip"), embedder("siglip", Precision::F32).unwrap());
    let folder = fixtures().join("siglip");
    let config = std::fs::read(folder.join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    config["text_config"]["pad_token_id"] = 1.into();
    let config: siglip::Config = serde_json::from_value(config).unwrap();
    let weights = std::fs::read(folder.join("model.safetensors")).unwrap();
    let weights = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu);
    let theirs = siglip::Model::new(&config, weights.unwrap()).unwrap();
    let picture = pixels(&embedder, "landscape.png");
    let features = theirs.get_image_features(&normalised(&picture, &model));
    let ours = embedder.embed_images(vec![picture]).unwrap().remove(0);
    let features: Vec<f32> = features.unwrap().squeeze(0).unwrap().to_vec1().unwrap();
    assert!(cosine(&ours, &features) > 0.999_999);
    let text = "two dogs near a blue house";
    let ids = model.tokenizer.encode_fast(text, true).unwrap();
    let ids = Tensor::new(vec![ids.get_ids().to_vec()], &Device::Cpu).unwrap();
    let features = theirs.get_text_features(&ids).unwrap();
    let features: Vec<f32> = features.squeeze(0).unwrap().to_vec1().unwrap();
    let ours = embedder.embed_texts(vec![text.to_owned()]).unwrap();
    assert!(cosine(&ours[0], &features) > 0.999_999);
}

/// Its table of tokens is read as texts need it.
#[test]
fn a_model_that_is_written_into_while_it_is_used_gives_no_nonsense() {
    let place = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixtures().join("siglip2")).unwrap() {
        let from = entry.unwrap().path();
        std::fs::copy(&from, place.path().join(from.file_name().unwrap())).unwrap();
    }
    let source = ModelSource::Folder(place.path().to_owned());
    let model = Model::open(&source, &HubSettings::from_env(), &|_| {}).unwrap();
    let embedder = Embedder::load(model, placement(Precision::F32).unwrap()).unwrap();
    let text = || vec!["a photo of a cat".to_owned()];
    embedder.embed_texts(text()).unwrap();
    let weights = place.path().join("model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    // Another file in its place is none of its business.
    std::fs::remove_file(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    embedder.embed_texts(text()).unwrap();

    let model = fixtures().join("siglip2/model.safetensors");
    std::fs::remove_file(&weights).unwrap();
    std::fs::copy(model, &weights).unwrap();
    let model = Model::open(&source, &HubSettings::from_env(), &|_| {}).unwrap();
    let embedder = Embedder::load(model, placement(Precision::F32).unwrap()).unwrap();
    let file = std::fs::File::options().append(true).open(&weights);
    std::io::Write::write_all(&mut file.unwrap(), b"more").unwrap();
    let error = embedder.embed_texts(text()).unwrap_err().to_string();
    assert!(error.contains("was written into"), "{error}");
}
