//! Each family in the layout that the real hub has it in, and two layouts in one repository.

use std::{fs, path::PathBuf};

use pixdex::model::{Layout, Model, ModelError};
use tempfile::TempDir;

use crate::{
    OTHER_COMMIT, cache, hub_error, offline, open,
    server::{COMMIT, Hub, Trouble, WEIGHTS, safetensors},
};

const FAMILIES: [&str; 6] = [
    "siglip",
    "siglip2",
    "metaclip2",
    "open_clip",
    "open_clip-custom",
    "open_clip-siglip",
];
const OPEN_CLIP: &str = "open_clip_config.json";
const OPEN_CLIP_WEIGHTS: &str = "open_clip_model.safetensors";

/// What timm leaves beside `open_clip`'s files.
const OF_TIMM: &str = r#"{"architecture": "vit_base_patch16_siglip_224", "num_classes": 0}"#;

fn folder(family: &str) -> PathBuf {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/families");
    PathBuf::from(fixtures).join(family)
}

/// Puts all that makes the model beside what is there.
fn put(hub: &Hub, family: &str) {
    for entry in fs::read_dir(folder(family)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        hub.put("main", name, COMMIT, fs::read(&path).unwrap());
    }
}

/// The model as the hub gives it, and again without the hub.
fn opened(hub: &Hub, cache: &TempDir) -> [Model; 2] {
    let settings = hub.settings(cache);
    [settings.clone(), offline(&settings)].map(|settings| open("a/clip", &settings).unwrap())
}

fn is_open_clip(model: &Model) -> bool {
    model.architecture.layout != Layout::Transformers
}

#[test]
fn every_family_comes_from_the_hub_as_it_lies_in_a_folder() {
    for family in FAMILIES {
        let (hub, cache) = (Hub::start(), cache());
        put(&hub, family);
        let same = open(folder(family).to_str().unwrap(), &hub.settings(&cache)).unwrap();
        for model in opened(&hub, &cache) {
            assert_eq!(model.fingerprint, same.fingerprint, "{family}");
            assert_eq!(model.architecture, same.architecture, "{family}");
        }
    }
}

#[test]
fn a_download_in_open_clips_layout_goes_on_where_it_broke_off() {
    let (hub, cache) = (Hub::start(), cache());
    put(&hub, "open_clip");
    hub.trouble(OPEN_CLIP_WEIGHTS, &[Trouble::Cut(1000), Trouble::Cut(5000)]);
    opened(&hub, &cache);
    let ranges: Vec<_> = hub
        .bodies(OPEN_CLIP_WEIGHTS)
        .into_iter()
        .map(|request| request.range)
        .collect();
    let from = |start: u32| Some(format!("bytes={start}-"));
    assert_eq!(ranges, [None, from(1000), from(6000)]);
}

#[test]
fn of_two_layouts_the_hubs_own_is_taken() {
    let (hub, cache) = (Hub::with_model(), cache());
    put(&hub, "open_clip");
    // `with_model` has its tokenizer in two files.
    hub.remove("tokenizer.json");
    for model in opened(&hub, &cache) {
        assert!(!is_open_clip(&model));
    }
    assert!(hub.bodies(OPEN_CLIP_WEIGHTS).is_empty());
}

#[test]
fn open_clips_layout_is_taken_where_the_hubs_own_is_not_whole_or_of_something_else() {
    let no_settings = Hub::with_model();
    put(&no_settings, "open_clip");
    no_settings.remove("preprocessor_config.json");
    let no_weights = Hub::with_model();
    put(&no_weights, "open_clip");
    no_weights.remove(WEIGHTS);
    let of_timm = Hub::start();
    put(&of_timm, "open_clip-siglip");
    of_timm.put("main", "config.json", COMMIT, OF_TIMM);
    of_timm.put("main", "preprocessor_config.json", COMMIT, "{}");
    of_timm.put("main", WEIGHTS, COMMIT, safetensors(1));
    for hub in [no_settings, no_weights, of_timm] {
        let cache = cache();
        for model in opened(&hub, &cache) {
            assert!(is_open_clip(&model));
        }
        assert!(hub.bodies(&format!("/{WEIGHTS}")).is_empty());
    }
}

#[test]
fn both_layouts_must_be_of_one_commit() {
    let (hub, cache) = (Hub::start(), cache());
    put(&hub, "open_clip");
    let weights = fs::read(folder("open_clip").join(OPEN_CLIP_WEIGHTS)).unwrap();
    hub.put("main", OPEN_CLIP_WEIGHTS, OTHER_COMMIT, weights);
    let error = hub_error(open("a/clip", &hub.settings(&cache)));
    assert!(error.to_string().contains("changed on the hub"), "{error}");
}

#[test]
fn what_cannot_be_run_is_refused_before_its_weights_are_fetched() {
    let config = fs::read_to_string(folder("open_clip").join(OPEN_CLIP)).unwrap();
    let resnet = config.replace(r#""layers": 3"#, r#""layers": [3, 4, 6, 3]"#);
    assert_ne!(resnet, config);
    let cases = [
        (OPEN_CLIP, resnet, "ResNet"),
        (
            "config.json",
            r#"{"model_type": "siglip2"}"#.to_owned(),
            "siglip2-base-patch16-256",
        ),
        (
            "config.json",
            r#"{"model_type": "chinese_clip"}"#.to_owned(),
            "BERT",
        ),
    ];
    for (file, text, expected) in cases {
        let (hub, cache) = (Hub::start(), cache());
        hub.put("main", OPEN_CLIP_WEIGHTS, COMMIT, safetensors(1));
        hub.put("main", WEIGHTS, COMMIT, safetensors(1));
        hub.put("main", file, COMMIT, text);
        let error = open("a/clip", &hub.settings(&cache)).unwrap_err();
        assert!(matches!(error, ModelError::Invalid { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        let bodies = [WEIGHTS, OPEN_CLIP_WEIGHTS].map(|file| hub.bodies(file).len());
        assert_eq!(bodies, [0, 0]);
    }
}

#[test]
fn a_file_that_is_missing_is_named() {
    let cases = [
        (OPEN_CLIP_WEIGHTS, "`open_clip_pytorch_model.bin`"),
        ("tokenizer.json", "`tokenizer.json`"),
        // Nothing says what is in the other layout, so this is no model in the hub's.
        (OPEN_CLIP, "`config.json`"),
    ];
    for (file, expected) in cases {
        let (hub, cache) = (Hub::start(), cache());
        put(&hub, "open_clip");
        hub.remove(file);
        let error = hub_error(open("a/clip", &hub.settings(&cache)));
        assert!(error.to_string().contains(expected), "{file}: {error}");
    }
}

#[test]
fn a_vocabulary_that_cannot_be_read_is_named() {
    let place = tempfile::tempdir().unwrap();
    for file in ["config.json", "preprocessor_config.json", WEIGHTS] {
        fs::copy(folder("siglip").join(file), place.path().join(file)).unwrap();
    }
    fs::write(place.path().join("spiece.model"), "").unwrap();
    let settings = Hub::start().settings(&cache());
    let error = open(place.path().to_str().unwrap(), &settings).unwrap_err();
    assert!(error.to_string().contains("`spiece.model`"), "{error}");
}
