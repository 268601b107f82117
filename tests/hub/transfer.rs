//! Files that arrive cut, late, or as something else.

use std::{
    fs,
    time::{Duration, Instant},
};

use pixdex::model::{HubError, HubSettings};

use crate::{
    OTHER_COMMIT, blob, cache, hub_error, in_cache, open,
    server::{Hub, Request, Trouble, WEIGHTS, safetensors},
    weights,
};

fn ranges(requests: &[Request]) -> Vec<Option<&str>> {
    requests
        .iter()
        .map(|request| request.range.as_deref())
        .collect()
}

#[test]
fn a_page_instead_of_a_file_is_never_kept() {
    for (file, trouble) in [
        ("config.json", Trouble::Page(200)),
        ("merges.txt", Trouble::Page(200)),
        (WEIGHTS, Trouble::Page(200)),
        ("config.json", Trouble::Disguise),
        ("merges.txt", Trouble::Disguise),
        (WEIGHTS, Trouble::Disguise),
    ] {
        let (hub, cache) = (Hub::with_model(), cache());
        hub.trouble(file, &[trouble]);
        let error = hub_error(open("a/clip", &hub.settings(&cache)));
        assert!(error.to_string().contains("web page"), "{error}");
        assert_eq!(
            weights(&open("a/clip", &hub.settings(&cache)).unwrap()),
            safetensors(1)
        );
    }
}

#[test]
fn a_server_error_is_tried_again() {
    let (hub, cache) = (Hub::with_model(), cache());
    hub.trouble(WEIGHTS, &[Trouble::Page(503), Trouble::Page(500)]);
    assert_eq!(
        weights(&open("a/clip", &hub.settings(&cache)).unwrap()),
        safetensors(1)
    );
    assert_eq!(hub.bodies(WEIGHTS).len(), 3);
}

#[test]
fn other_bytes_than_announced_are_thrown_away() {
    for file in ["config.json", WEIGHTS] {
        let (hub, cache) = (Hub::with_model(), cache());
        hub.trouble(file, &[Trouble::Garbage]);
        let error = hub_error(open("a/clip", &hub.settings(&cache)));
        assert!(
            matches!(&error, HubError::Damaged { file: named, .. } if named == file),
            "{error}"
        );
        assert!(!blob(&cache, &safetensors(1), "").exists());
        assert_eq!(
            weights(&open("a/clip", &hub.settings(&cache)).unwrap()),
            safetensors(1)
        );
    }
}

#[test]
fn the_hash_is_checked_where_the_format_shows_nothing() {
    let (hub, cache) = (Hub::with_model(), cache());
    fs::create_dir_all(in_cache(&cache, "blobs")).unwrap();
    // A start of another file: whole it has the right length and a good header.
    fs::write(
        blob(&cache, &safetensors(1), ".part"),
        &safetensors(9)[..150_000],
    )
    .unwrap();
    let error = hub_error(open("a/clip", &hub.settings(&cache)));
    assert!(error.to_string().contains("SHA-256"), "{error}");
    assert_eq!(
        weights(&open("a/clip", &hub.settings(&cache)).unwrap()),
        safetensors(1)
    );
}

#[test]
fn a_connection_cut_in_the_middle_is_resumed() {
    let (hub, cache) = (Hub::with_model(), cache());
    hub.trouble(WEIGHTS, &[Trouble::Cut(70_000), Trouble::Cut(50_000)]);
    assert_eq!(
        weights(&open("a/clip", &hub.settings(&cache)).unwrap()),
        safetensors(1)
    );
    let bodies = hub.bodies(WEIGHTS);
    assert_eq!(
        ranges(&bodies),
        [None, Some("bytes=70000-"), Some("bytes=120000-")]
    );
    let sent: usize = bodies.iter().map(|request| request.sent_bytes).sum();
    assert_eq!(sent, safetensors(1).len(), "no byte is fetched twice");
}

#[test]
fn the_next_start_resumes_what_this_one_gave_up() {
    let (hub, cache) = (Hub::with_model(), cache());
    hub.trouble(
        WEIGHTS,
        &[
            Trouble::Cut(70_000),
            Trouble::Down,
            Trouble::Down,
            Trouble::Down,
        ],
    );
    let error = hub_error(open("a/clip", &hub.settings(&cache)));
    assert!(
        matches!(
            error,
            HubError::BrokenOff {
                done_bytes: 70_000,
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error.to_string().contains("it goes on from there"),
        "{error}"
    );

    hub.world().requests.clear();
    assert_eq!(
        weights(&open("a/clip", &hub.settings(&cache)).unwrap()),
        safetensors(1)
    );
    assert_eq!(ranges(&hub.bodies(WEIGHTS)), [Some("bytes=70000-")]);
}

#[test]
fn a_part_that_is_complete_already_is_not_asked_for() {
    let (hub, cache) = (Hub::with_model(), cache());
    fs::create_dir_all(in_cache(&cache, "blobs")).unwrap();
    fs::write(blob(&cache, &safetensors(1), ".part"), safetensors(1)).unwrap();
    assert_eq!(
        weights(&open("a/clip", &hub.settings(&cache)).unwrap()),
        safetensors(1)
    );
    assert!(hub.bodies(WEIGHTS).is_empty());
}

#[test]
fn a_part_that_is_too_long_starts_over() {
    let (hub, cache) = (Hub::with_model(), cache());
    fs::create_dir_all(in_cache(&cache, "blobs")).unwrap();
    fs::write(blob(&cache, &safetensors(1), ".part"), vec![0; 300_000]).unwrap();
    assert_eq!(
        weights(&open("a/clip", &hub.settings(&cache)).unwrap()),
        safetensors(1)
    );
}

#[test]
fn a_server_that_ignores_ranges_sends_it_all_again() {
    let (hub, cache) = (Hub::with_model(), cache());
    hub.trouble(WEIGHTS, &[Trouble::Cut(70_000), Trouble::IgnoresRange]);
    assert_eq!(
        weights(&open("a/clip", &hub.settings(&cache)).unwrap()),
        safetensors(1)
    );
}

#[test]
fn a_silent_hub_is_not_waited_for_endlessly() {
    let (hub, cache) = (Hub::with_model(), cache());
    hub.trouble(
        WEIGHTS,
        &[
            Trouble::Silence,
            Trouble::Silence,
            Trouble::Silence,
            Trouble::Silence,
        ],
    );
    let settings = HubSettings {
        timeout: Duration::from_millis(100),
        ..hub.settings(&cache)
    };
    let start = Instant::now();
    let error = hub_error(open("a/clip", &settings));
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
    assert!(
        start.elapsed() < Duration::from_secs(7),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn files_of_two_commits_are_not_mixed() {
    let (hub, cache) = (Hub::with_model(), cache());
    hub.put("main", WEIGHTS, OTHER_COMMIT, safetensors(1));
    let error = hub_error(open("a/clip", &hub.settings(&cache)));
    assert!(matches!(error, HubError::Changed { .. }), "{error}");
}
