//! The layouts in which a hub keeps weights.

use std::fs;

use pixdex::model::{Filter, ModelError, Weights};

use crate::{
    cache, content, in_cache, offline, open,
    server::{COMMIT, CONFIG, Hub, WEIGHTS, safetensors},
    weights,
};

const CONVERTED_COMMIT: &str = "3333333333333333333333333333333333333333";
const PICKLE: &[u8] = include_bytes!("../fixtures/hub/pytorch_model.bin");

#[test]
fn a_model_as_transformers_saves_it() {
    let (hub, cache) = (Hub::start(), cache());
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/parity/quick_gelu"
    );
    let files = [
        "config.json",
        "preprocessor_config.json",
        "tokenizer.json",
        WEIGHTS,
    ];
    for file in files {
        hub.put(
            "main",
            file,
            COMMIT,
            fs::read(format!("{folder}/{file}")).unwrap(),
        );
    }
    let model = open("a/clip", &hub.settings(&cache)).unwrap();
    let same = open(folder, &hub.settings(&cache)).unwrap();
    assert_eq!(model.fingerprint, same.fingerprint);
    assert_eq!(model.architecture, same.architecture);
    let ids = model.tokenizer.encode_fast("a cat", true).unwrap();
    assert_eq!(
        ids.get_ids().last(),
        Some(&model.architecture.text.eos_token_id)
    );
}

#[test]
fn a_processor_as_transformers_5_saves_it() {
    let (hub, cache) = (Hub::with_model(), cache());
    hub.remove("preprocessor_config.json");
    let nested = r#"{"image_processor": {"size": 32, "crop_size": 32, "resample": 2}}"#;
    hub.put("main", "processor_config.json", COMMIT, nested);
    let settings = hub.settings(&cache);
    for settings in [settings.clone(), offline(&settings)] {
        let model = open("a/clip", &settings).unwrap();
        assert_eq!(model.preprocessing.filter, Filter::Bilinear);
    }
}

#[test]
fn shards_are_fetched_by_their_index() {
    let (hub, cache) = (Hub::with_model(), cache());
    hub.remove(WEIGHTS);
    let index = r#"{"weight_map": {"a": "m-2.safetensors", "b": "m-1.safetensors", "c": "m-1.safetensors"}}"#;
    hub.put("main", "model.safetensors.index.json", COMMIT, index);
    hub.put("main", "m-1.safetensors", COMMIT, safetensors(1));
    hub.put("main", "m-2.safetensors", COMMIT, safetensors(2));
    let settings = hub.settings(&cache);
    for settings in [settings.clone(), offline(&settings)] {
        let model = open("a/clip", &settings).unwrap();
        let Weights::Safetensors(shards) = &model.weights else {
            panic!("no shards")
        };
        let shards: Vec<_> = shards.iter().map(|shard| content(shard)).collect();
        assert_eq!(shards, [safetensors(1), safetensors(2)]);
    }
}

#[test]
fn shards_cannot_point_out_of_the_cache() {
    let (hub, cache) = (Hub::with_model(), cache());
    hub.remove(WEIGHTS);
    let index = r#"{"weight_map": {"a": "../../../../evil.safetensors"}}"#;
    hub.put("main", "model.safetensors.index.json", COMMIT, index);
    let error = open("a/clip", &hub.settings(&cache))
        .unwrap_err()
        .to_string();
    assert!(error.contains("is not the name of a shard"), "{error}");
}

/// A model with nothing but `pytorch_model.bin` on `main`, and its conversion at `refs/pr/<number>`.
fn with_conversion(repo: &str, number: u32) -> Hub {
    let hub = Hub::start();
    for (revision, commit) in [
        ("main", COMMIT),
        (&format!("refs/pr/{number}"), CONVERTED_COMMIT),
    ] {
        hub.put_small_files_in(repo, revision, commit);
        hub.put_in(repo, revision, "pytorch_model.bin", commit, PICKLE);
    }
    hub.put_in(
        repo,
        &format!("refs/pr/{number}"),
        WEIGHTS,
        CONVERTED_COMMIT,
        safetensors(3),
    );
    hub
}

fn list_pull_request(hub: &Hub, number: u32, author: &str) {
    let query = "/api/models/a/clip/discussions?type=pull_request&author=SFconvertbot";
    let list = format!(
        r#"{{"discussions": [{{"num": {number}, "author": {{"name": "{author}"}}, "isPullRequest": true}}]}}"#
    );
    hub.world().pages.insert(query.to_owned(), list);
}

#[test]
fn the_revision_that_has_safetensors_is_found() {
    let (hub, cache) = (with_conversion("a/clip", 4), cache());
    list_pull_request(&hub, 4, "SFconvertbot");
    let settings = hub.settings(&cache);
    for settings in [settings.clone(), offline(&settings)] {
        assert_eq!(weights(&open("a/clip", &settings).unwrap()), safetensors(3));
    }
    assert!(hub.bodies("pytorch_model.bin").is_empty());
    assert!(!in_cache(&cache, &format!("snapshots/{COMMIT}/{WEIGHTS}")).exists());
}

#[test]
fn the_known_conversion_needs_no_list() {
    let (hub, cache) = (with_conversion("openai/clip-vit-base-patch32", 15), cache());
    let model = open("openai/clip-vit-base-patch32", &hub.settings(&cache)).unwrap();
    assert_eq!(weights(&model), safetensors(3));
}

#[test]
fn a_conversion_of_something_else_is_left_alone() {
    let strangers = with_conversion("a/clip", 4);
    list_pull_request(&strangers, 4, "somebody");
    let other_config = with_conversion("a/clip", 4);
    list_pull_request(&other_config, 4, "SFconvertbot");
    other_config.put(
        "refs/pr/4",
        "config.json",
        CONVERTED_COMMIT,
        CONFIG.replace("16", "8"),
    );
    let other_weights = with_conversion("a/clip", 4);
    list_pull_request(&other_weights, 4, "SFconvertbot");
    other_weights.put(
        "refs/pr/4",
        "pytorch_model.bin",
        CONVERTED_COMMIT,
        [PICKLE, b"newer"].concat(),
    );
    for hub in [strangers, other_config, other_weights] {
        let model = open("a/clip", &hub.settings(&cache())).unwrap();
        assert!(matches!(model.weights, Weights::Pickle(_)));
    }
}

#[test]
fn torchs_own_format_is_the_last_resort() {
    let (hub, cache) = (Hub::with_model(), cache());
    hub.remove(WEIGHTS);
    hub.put("main", "pytorch_model.bin", COMMIT, PICKLE);
    let settings = hub.settings(&cache);
    let fingerprints = [settings.clone(), offline(&settings)].map(|settings| {
        let model = open("a/clip", &settings).unwrap();
        let Weights::Pickle(path) = &model.weights else {
            panic!("no pickle")
        };
        assert_eq!(candle_core::pickle::read_all(path).unwrap().len(), 3);
        model.fingerprint
    });
    assert_eq!(fingerprints[0], fingerprints[1]);
}

#[test]
fn a_pickle_that_cannot_be_read_is_named() {
    let cut = PICKLE[..PICKLE.len() - 40].to_vec();
    let old = [b"\x80\x02\x8a\x0a".as_slice(), &[0; 5000]].concat();
    for (bytes, expected) in [
        (cut, "pytorch_model.bin`"),
        (old, "save it again as `model.safetensors`"),
    ] {
        let (hub, cache) = (Hub::with_model(), cache());
        hub.remove(WEIGHTS);
        hub.put("main", "pytorch_model.bin", COMMIT, bytes);
        let error = open("a/clip", &hub.settings(&cache)).unwrap_err();
        assert!(matches!(error, ModelError::Invalid { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}
