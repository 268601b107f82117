//! What the hub does not give, and to whom.

use pixdex::model::{HubError, HubSettings};

use crate::{
    OTHER_COMMIT, blob, cache, hub_error, in_cache, offline, open,
    server::{COMMIT, CONFIG, Hub, WEIGHTS, safetensors},
    weights,
};

#[test]
fn a_gated_model_wants_a_token() {
    let (hub, cache) = (Hub::with_model(), cache());
    hub.world().token = Some("good");
    let settings = hub.settings(&cache);
    let with = |token: &str| HubSettings {
        token: Some(token.to_owned()),
        ..settings.clone()
    };

    let none = hub_error(open("a/clip", &settings));
    assert!(matches!(none, HubError::NeedsToken { .. }), "{none}");
    let text = none.to_string();
    assert!(
        text.contains("`HF_TOKEN`") && text.contains(&format!("{}/a/clip", hub.endpoint)),
        "{text}"
    );
    let wrong = hub_error(open("a/clip", &with("bad")));
    assert!(matches!(wrong, HubError::TokenRefused { .. }), "{wrong}");
    assert_eq!(
        weights(&open("a/clip", &with("good")).unwrap()),
        safetensors(1)
    );
}

#[test]
fn the_token_stays_with_the_hub_when_it_sends_on() {
    let (hub, storage, cache) = (Hub::with_model(), Hub::start(), cache());
    hub.world().token = Some("good");
    storage.put_in("storage", "x", WEIGHTS, OTHER_COMMIT, safetensors(1));
    hub.put_in("cached", "x", "config.json", OTHER_COMMIT, CONFIG);
    let weights_elsewhere = format!("{}/storage/resolve/x/{WEIGHTS}", storage.endpoint);
    let redirects = [
        (WEIGHTS, weights_elsewhere),
        ("config.json", "/cached/resolve/x/config.json".to_owned()),
    ];
    for (file, location) in redirects {
        hub.world()
            .redirects
            .insert(format!("/a/clip/resolve/main/{file}"), location);
    }
    let settings = HubSettings {
        token: Some("good".to_owned()),
        ..hub.settings(&cache)
    };
    assert_eq!(weights(&open("a/clip", &settings).unwrap()), safetensors(1));
    assert!(in_cache(&cache, &format!("snapshots/{COMMIT}/{WEIGHTS}")).exists());
    assert!(
        blob(&cache, &safetensors(1), "").exists(),
        "named by the hub's own tag"
    );
    let requests = storage.world().requests.clone();
    assert!(
        !requests.is_empty()
            && requests
                .iter()
                .all(|request| request.authorization.is_none())
    );
}

#[test]
fn an_unreachable_hub_names_the_ways_without_it() {
    let (hub, cache) = (Hub::start(), cache());
    let error = hub_error(open("a/clip", &offline(&hub.settings(&cache)))).to_string();
    assert!(
        error.contains("`--model bundled`") && error.contains("`--model FOLDER`"),
        "{error}"
    );
}

#[test]
fn what_is_missing_is_named() {
    let (hub, cache) = (Hub::with_model(), cache());
    let settings = hub.settings(&cache);
    let error = |model: &str| hub_error(open(model, &settings)).to_string();
    assert!(error("a/other").contains("no model `a/other`"));
    assert!(error("a/clip@v9").contains("no revision `v9` of `a/clip`"));
    for (file, expected) in [
        (WEIGHTS, "`pytorch_model.bin`"),
        (
            "merges.txt",
            "`tokenizer.json` (or `vocab.json` and `merges.txt`)",
        ),
        ("preprocessor_config.json", "`preprocessor_config.json`"),
        ("config.json", "`config.json`"),
    ] {
        hub.remove(file);
        let text = error("a/clip");
        assert!(
            text.contains(expected) && text.contains("`a/clip`"),
            "{text}"
        );
    }
    assert!(
        !in_cache(&cache, "refs").exists(),
        "an incomplete revision is not remembered"
    );
}

#[test]
fn a_model_of_another_kind_is_known_before_its_weights_are_fetched() {
    let (hub, cache) = (Hub::with_model(), cache());
    hub.put(
        "main",
        "config.json",
        COMMIT,
        CONFIG.replace(r#""clip""#, r#""vit""#),
    );
    let error = open("a/clip", &hub.settings(&cache))
        .unwrap_err()
        .to_string();
    assert!(error.contains("`vit` is not supported"), "{error}");
    assert!(hub.bodies(WEIGHTS).is_empty());
}

#[test]
fn a_storage_that_refuses_is_no_gate() {
    let (hub, storage, cache) = (Hub::with_model(), Hub::start(), cache());
    storage.world().status = Some(403);
    let elsewhere = format!("{}/storage/x", storage.endpoint);
    let path = format!("/a/clip/resolve/main/{WEIGHTS}");
    hub.world().redirects.insert(path, elsewhere);
    let error = hub_error(open("a/clip", &hub.settings(&cache)));
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
    assert_eq!(
        storage.world().requests.len(),
        4,
        "the hub gives a new address each time"
    );
}
