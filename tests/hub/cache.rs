//! What is kept, and when the hub is asked again.

use std::{cell::RefCell, fs, path::Path};

use pixdex::model::{Model, Progress, pull};

use crate::{
    OTHER_COMMIT, blob, cache, in_cache, offline, open,
    server::{COMMIT, CONFIG, Hub, WEIGHTS, etag, safetensors},
    source, weights,
};

#[test]
fn the_first_start_downloads_and_the_second_needs_no_hub() {
    let (hub, cache) = (Hub::with_model(), cache());
    let settings = hub.settings(&cache);
    let seen = RefCell::new(Vec::new());
    let note = |now: Progress<'_>| {
        let now = (now.file.to_owned(), now.done_bytes, now.total_bytes);
        seen.borrow_mut().push(now);
    };
    let first = Model::open(&source("a/clip"), &settings, &note).unwrap();

    let bytes = safetensors(1);
    let total = bytes.len() as u64;
    let seen = seen.into_inner();
    let of_weights: Vec<_> = seen.iter().filter(|(file, ..)| file == WEIGHTS).collect();
    assert_eq!((of_weights[0].1, of_weights[0].2), (0, total));
    assert_eq!(of_weights.last().unwrap().1, total);
    assert!(of_weights.is_sorted_by_key(|(_, done, _)| done) && of_weights.len() > 3);
    assert_eq!(weights(&first), bytes);
    assert_eq!(
        (first.name.as_str(), first.architecture.text.eos_token_id),
        ("a/clip", 5)
    );

    let asked = hub.world().requests.len();
    let second = open("a/clip", &settings).unwrap();
    assert_eq!(
        hub.world().requests.len(),
        asked,
        "a second start asks the hub nothing"
    );
    let third = open("a/clip", &offline(&settings)).unwrap();
    assert_eq!(first.fingerprint, second.fingerprint);
    assert_eq!(first.fingerprint, third.fingerprint);
}

#[test]
fn the_cache_is_laid_out_as_python_does() {
    let (hub, cache) = (Hub::with_model(), cache());
    open("a/clip", &hub.settings(&cache)).unwrap();
    assert_eq!(
        fs::read_to_string(in_cache(&cache, "refs/main")).unwrap(),
        COMMIT
    );
    let link = fs::read_link(in_cache(&cache, &format!("snapshots/{COMMIT}/{WEIGHTS}"))).unwrap();
    assert_eq!(link, Path::new("../../blobs").join(etag(&safetensors(1))));
    assert_eq!(
        fs::read(blob(&cache, &safetensors(1), "")).unwrap(),
        safetensors(1)
    );
}

#[test]
fn a_revision_is_pinned() {
    let (hub, cache) = (Hub::with_model(), cache());
    for revision in ["v1", OTHER_COMMIT] {
        hub.put_small_files(revision, OTHER_COMMIT);
        hub.put(revision, WEIGHTS, OTHER_COMMIT, safetensors(7));
    }
    let settings = hub.settings(&cache);
    let main = open("a/clip", &settings).unwrap();
    for pinned in [&format!("a/clip@{OTHER_COMMIT}"), "a/clip@v1"] {
        assert_eq!(weights(&open(pinned, &settings).unwrap()), safetensors(7));
        let again = open(pinned, &offline(&settings)).unwrap();
        assert_eq!(
            (weights(&again), again.name.as_str()),
            (safetensors(7), pinned)
        );
        assert_ne!(main.fingerprint, again.fingerprint);
    }
    assert!(!in_cache(&cache, &format!("refs/{OTHER_COMMIT}")).exists());
    assert_eq!(
        weights(&open("a/clip", &offline(&settings)).unwrap()),
        safetensors(1)
    );
}

#[test]
fn pull_follows_a_branch_that_moved_and_open_does_not() {
    let (hub, cache) = (Hub::with_model(), cache());
    let settings = hub.settings(&cache);
    open("a/clip", &settings).unwrap();
    hub.put_small_files("main", OTHER_COMMIT);
    hub.put("main", WEIGHTS, OTHER_COMMIT, safetensors(2));
    assert_eq!(weights(&open("a/clip", &settings).unwrap()), safetensors(1));

    let files = pull(&source("a/clip"), &settings, &|_| ()).unwrap();
    let found = files
        .iter()
        .find(|file| file.path.ends_with(WEIGHTS))
        .unwrap();
    assert_eq!(found.size_bytes, safetensors(2).len() as u64);
    assert_eq!(files.len(), 5);
    assert_eq!(
        weights(&open("a/clip", &offline(&settings)).unwrap()),
        safetensors(2)
    );
    assert_eq!(
        hub.bodies("/config.json").len(),
        1,
        "what is there already is not fetched again"
    );
}

#[test]
fn a_damaged_cache_is_fetched_again() {
    let (hub, cache) = (Hub::with_model(), cache());
    let settings = hub.settings(&cache);
    open("a/clip", &settings).unwrap();
    for bytes in [safetensors(1).as_slice(), CONFIG.as_bytes()] {
        fs::write(blob(&cache, bytes, ""), &bytes[..bytes.len() / 2]).unwrap();
        assert_eq!(weights(&open("a/clip", &settings).unwrap()), safetensors(1));
    }
}
