//! Whatever is asked for has a bound, which stands in the answer, and nobody else waits for it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::lab::{COLOURS, Daemon, Lab};

fn search(daemon: &Daemon, form: &Value) -> (u16, Value) {
    daemon.send("POST", "/api/v1/search", &[], &form.to_string())
}

#[test]
fn megabytes_of_text_are_refused_at_once() {
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    (0..3).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    let daemon = lab.serve();
    daemon.wait_for_images(3);
    let long = "a dog on grass ".repeat(20_000_000 / 15);
    let most = "x".repeat(2000);
    for (form, sentence) in [
        (
            json!({ "terms": [{ "text": long }] }),
            "a description has at most 2000 characters",
        ),
        (
            json!({ "terms": [{ "text": format!("{most}x") }] }),
            "and this one has 2001",
        ),
        (json!({ "q": long }), "a query has at most 10000 characters"),
        (
            json!({ "q": format!("\"{most}x\"") }),
            "a description has at most 2000 characters",
        ),
        (
            json!({ "q": "dog", "cursor": long }),
            "`cursor` has at most 1000 characters",
        ),
        (
            json!({ "filter": { "after": long } }),
            "`after` has at most 1000 characters",
        ),
        (
            json!({ "filter": { "tags": { "any": [long] } } }),
            "has at most 1000 characters",
        ),
        (
            json!({ "filter": { "paths": [long] } }),
            "has at most 1000 characters",
        ),
        (
            json!({ "filter": { "cameras": [long] } }),
            "has at most 1000 characters",
        ),
        (
            json!({ "filter": { "tags": { "all": vec!["a"; 978] } } }),
            "at most 200 tags",
        ),
        (
            json!({ "filter": { "paths": vec!["a"; 495] } }),
            "at most 200 paths",
        ),
        (
            json!({ "terms": vec![json!({ "text": "a" }); 33] }),
            "at most 32 terms",
        ),
    ] {
        let started = Instant::now();
        let (status, answer) = search(&daemon, &form);
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(
            status == 400 && error.contains(sentence),
            "{status} {sentence}: {error}"
        );
        assert!(error.len() < 400, "{error}");
        assert!(started.elapsed() < Duration::from_secs(10), "{sentence}");
    }
    // What lies just within the bounds is answered.
    for form in [
        json!({ "terms": [{ "text": most }] }),
        json!({ "filter": { "tags": { "all": vec!["a"; 200], "none": [] } } }),
        json!({ "filter": { "paths": vec!["ü".repeat(1000); 200] } }),
        json!({ "filter": { "paths": vec!["ü*[".repeat(300); 200] } }),
    ] {
        assert_eq!(search(&daemon, &form).0, 200);
    }
    for path in [
        format!("search?q={}", "a".repeat(10_001)),
        format!("images?tag={}", "a".repeat(1001)),
    ] {
        assert_eq!(
            daemon.get(&format!("/api/v1/{path}")).0,
            400,
            "{}",
            &path[..20]
        );
    }
}

#[test]
fn label_files_and_commands_have_the_same_bounds() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    lab.write_labels("good", "[[labels]]\nname = 'a'");
    let prompts = format!(
        "[[labels]]\nname = 'a'\nprompts = ['{}']",
        "x".repeat(20_000)
    );
    lab.write_labels("long", &prompts);
    let names = (0..11_000).map(|at| format!("[[labels]]\nname = '{at}'\n"));
    lab.write_labels("many", &names.collect::<String>());
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    let sets = daemon.get("/api/v1/status").1["label_sets"].clone();
    let error = |set: &str| sets[set]["error"].as_str().unwrap_or_default().to_owned();
    assert_eq!(error("good"), "");
    assert!(
        error("long").contains("a prompt of `a` is too long: a description has at most 2000"),
        "{sets}"
    );
    assert!(
        error("many").contains("the set has 11000 labels, and may have 10000"),
        "{sets}"
    );
    for (name, code) in [
        ("a%00", "bad_label_set_name"),
        ("a%0A", "bad_label_set_name"),
        ("a%C2%9B", "bad_label_set_name"),
    ] {
        let put = daemon.send(
            "PUT",
            &format!("/api/v1/label-sets/{name}"),
            &[],
            "[[labels]]\nname = 'a'",
        );
        assert_eq!((put.0, &put.1["code"]), (400, &code.into()), "{name}");
    }
    for label in ["a\\u0000", "a\\u001b", &"x".repeat(201)] {
        let put = daemon.send(
            "PUT",
            "/api/v1/label-sets/x",
            &[],
            &format!("[[labels]]\nname = \"{label}\""),
        );
        assert_eq!(
            (put.0, &put.1["code"]),
            (400, &"bad_label_set".into()),
            "{label}"
        );
    }
    let output = lab.run(&["search", &"x".repeat(2001)]);
    let asked = String::from_utf8_lossy(&output.stderr).into_owned();
    drop(daemon);
    for arguments in [
        ["search", &"x".repeat(2001)],
        ["embed", &format!("--text={}", "x".repeat(2001))],
    ] {
        let output = lab.run(&arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && told.contains("at most 2000 characters"),
            "{told}"
        );
        assert!(asked.contains("at most 2000 characters"), "{asked}");
    }
}

/// A proxy is for what is far away, and the daemon is not.
#[test]
fn a_proxy_is_not_asked_for_the_daemon() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    for arguments in [
        &["tags"][..],
        &["status"],
        &["search", "x"],
        &["decisions", "export"],
    ] {
        let mut command = lab.command(arguments);
        for name in [
            "http_proxy",
            "HTTP_PROXY",
            "https_proxy",
            "all_proxy",
            "ALL_PROXY",
        ] {
            command.env(name, "http://127.0.0.1:9");
        }
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
