//! The interface as its document says: every example is answered, every answer is of its schema, and what was once said stays so.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::lab::{Daemon, Lab};

const PLACES: &str = "[[labels]]\nname = 'beach'\n";

/// What stands in examples for what only a library knows.
type Names<'a> = [(&'a str, &'a str)];

struct Request<'a> {
    method: &'a str,
    path: String,
    body: Option<(&'a str, Vec<u8>)>,
}

fn with(text: &str, names: &Names<'_>) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(name, value)
    })
}

/// The example of an operation as a request.
fn example<'a>(
    path: &str,
    method: &'a str,
    operation: &'a Value,
    names: &Names<'_>,
) -> Request<'a> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for parameter in operation["parameters"].as_array().unwrap() {
        let example = match &parameter["example"] {
            Value::Array(several) => &several[0],
            one => one,
        };
        let name = parameter["name"].as_str().unwrap();
        match example {
            Value::Null => {}
            Value::String(text) => drop(query.append_pair(name, text)),
            other => drop(query.append_pair(name, &other.to_string())),
        }
    }
    let query = query.finish();
    let path = with(path, names);
    let body = operation["requestBody"]["content"]
        .as_object()
        .map(|content| {
            let (media_type, body) = content.iter().next().unwrap();
            let text = match &body["example"] {
                Value::String(text) => text.clone(),
                example => example.to_string(),
            };
            // What stands in braces in a label file is its own.
            let names: Vec<_> = names
                .iter()
                .filter(|(name, _)| !name.starts_with('{'))
                .copied()
                .collect();
            (media_type.as_str(), with(&text, &names).into_bytes())
        });
    let path = if query.is_empty() {
        path
    } else {
        format!("{path}?{query}")
    };
    Request { method, path, body }
}

fn ask(daemon: &Daemon, request: &Request<'_>) -> ureq::http::Response<ureq::Body> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0);
    let mut built = ureq::http::Request::builder()
        .method(request.method.to_uppercase().as_str())
        .uri(format!("http://{}{}", daemon.address, request.path));
    let (media_type, body) = request.body.clone().unzip();
    if let Some(media_type) = media_type {
        built = built.header("content-type", media_type);
    }
    let body = body.unwrap_or_default();
    let agent = ureq::Agent::new_with_config(config.build());
    agent.run(built.body(body).unwrap()).unwrap()
}

fn document(daemon: &Daemon) -> Value {
    let (status, document) = daemon.get("/api/v1/openapi.json");
    assert_eq!(status, 200);
    document
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, operations)| {
        let operations = operations.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (path, method, operation))
    })
}

#[test]
fn every_example_is_answered_as_its_schema_says() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    let gone = lab.add("old/b.png", 2);
    lab.write_labels("places", PLACES);
    let daemon = lab.serve();
    daemon.wait_for_images(2);
    let token = lab.json(&["token", "add", "browser"])["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let images = daemon.images();
    let path = |image: &Value| image["path"].as_str().unwrap().to_owned();
    let kept = images
        .iter()
        .find(|image| path(image).ends_with("a.png"))
        .unwrap();
    let id = kept["id"].as_str().unwrap();
    fs::remove_dir_all(gone.parent().unwrap()).unwrap();
    daemon.wait_for_images(1);
    let folder = gone.parent().unwrap().display().to_string();
    let file = daemon.page_file("main.js").split_off("/ui/".len());
    let names = [
        ("{image}", id),
        ("IMAGE_ID", id),
        ("{set}", "places"),
        ("{label}", "beach"),
        ("{token}", "laptop"),
        ("{search}", "sand"),
        ("{version}/{file}", &file),
        ("pixdex_secret", &token),
        ("/home/anna/Pictures/old", &folder),
    ];
    let search = daemon.send("PUT", "/api/v1/searches/sand", &[], r#"{"q": "tag:beach"}"#);
    assert_eq!(search.0, 200);
    let picture = fs::read(lab.photo("a.png")).unwrap();
    let document = document(&daemon);
    let mut seen = 0;
    // What is deleted is made before, and looked at before that.
    for turn in ["get", "post", "put", "patch", "delete"] {
        for (path, method, operation) in
            operations(&document).filter(|(_, method, _)| *method == turn)
        {
            let mut request = example(path, method, operation, &names);
            // Pictures are no examples that a document can show.
            if let (true, Some((_, body))) = (path.ends_with("/uploads"), &mut request.body) {
                body.clone_from(&picture);
            }
            let asked = format!("{method} {}", request.path);
            let mut response = ask(&daemon, &request);
            let status = response.status().as_u16().to_string();
            let is_forgotten = path.ends_with("/forget") && status == "404";
            assert!(
                ["200", "303"].contains(&status.as_str()) || is_forgotten,
                "{asked}: {status}"
            );
            let documented = &operation["responses"][&status];
            assert!(
                documented.is_object(),
                "{asked}: {status} is not documented"
            );
            seen += 1;
            let Some(content) = documented["content"].as_object() else {
                continue;
            };
            let given = response.headers()["content-type"]
                .to_str()
                .unwrap()
                .to_owned();
            let given = given.split(';').next().unwrap();
            let is_any = content.contains_key("*/*");
            assert!(is_any || content.contains_key(given), "{asked}: {given}");
            let schema = &content.get(given).unwrap_or(&Value::Null)["schema"];
            if given == "application/json" && !schema.is_null() {
                let answer: Value = response.body_mut().read_json().unwrap();
                let schema = json!({ "allOf": [schema], "components": document["components"] });
                let validator = jsonschema::draft202012::new(&schema).unwrap();
                let wrong: Vec<String> = validator
                    .iter_errors(&answer)
                    .map(|error| format!("{error} at {}", error.instance_path()))
                    .collect();
                assert!(wrong.is_empty(), "{asked}: {wrong:?} in {answer:#}");
            }
        }
    }
    assert!(seen >= 40, "{seen}");
    let page = String::from_utf8(daemon.bytes("GET", "/api/v1/docs", &[], "").1).unwrap();
    for (path, _, _) in operations(&document) {
        assert!(page.contains(path), "{path}");
    }
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "it asks no other host"
    );
}

/// What of an earlier document does not hold any more.
fn broken(earlier: &Value, now: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, method, operation) in operations(earlier) {
        let name = format!("{method} {path}");
        let still = &now["paths"][path][method];
        if still.is_null() {
            broken.push(format!("{name} is gone"));
            continue;
        }
        if still["operationId"] != operation["operationId"] {
            broken.push(format!("{name} is called otherwise"));
        }
        let parameters = |of: &Value| of["parameters"].as_array().cloned().unwrap_or_default();
        for parameter in parameters(operation) {
            let is_same = |other: &Value| {
                other["name"] == parameter["name"] && other["in"] == parameter["in"]
            };
            if !parameters(still).iter().any(is_same) {
                broken.push(format!("{name} does not take {}", parameter["name"]));
            }
        }
        for status in operation["responses"]
            .as_object()
            .unwrap()
            .keys()
            .filter(|status| status.starts_with('2'))
        {
            if still["responses"][status].is_null() {
                broken.push(format!("{name} does not answer {status}"));
            }
        }
    }
    let schemas = |of: &Value| of["components"]["schemas"].clone();
    for (name, schema) in schemas(earlier).as_object().unwrap() {
        compare(name, schema, &schemas(now)[name], &mut broken);
    }
    broken
}

fn compare(name: &str, earlier: &Value, now: &Value, broken: &mut Vec<String>) {
    if now.is_null() {
        broken.push(format!("{name} is gone"));
        return;
    }
    if earlier["type"] != now["type"] || earlier["$ref"] != now["$ref"] {
        broken.push(format!("{name} is of another type"));
    }
    for (field, schema) in earlier["properties"].as_object().into_iter().flatten() {
        compare(
            &format!("{name}.{field}"),
            schema,
            &now["properties"][field],
            broken,
        );
    }
    let required = |of: &Value| of["required"].as_array().cloned().unwrap_or_default();
    let is_asked = earlier["additionalProperties"] == json!(false);
    for field in required(now) {
        if is_asked && !required(earlier).contains(&field) {
            broken.push(format!("{name}.{field} must be given now"));
        }
    }
    for field in required(earlier) {
        if !is_asked && !required(now).contains(&field) {
            broken.push(format!("{name}.{field} may be missing now"));
        }
    }
    for word in earlier["enum"].as_array().into_iter().flatten() {
        if !now["enum"]
            .as_array()
            .is_some_and(|words| words.contains(word))
        {
            broken.push(format!("{name} is never {word}"));
        }
    }
}

#[test]
fn what_was_released_stays() {
    let lab = Lab::new();
    let daemon = lab.serve();
    let released = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openapi/v1.json");
    let released: Value = serde_json::from_slice(&fs::read(released).unwrap()).unwrap();
    let now = document(&daemon);
    assert_eq!(broken(&released, &now), Vec::<String>::new());
    // It sees what is taken away, and what must be given that need not be before.
    let mut other = now.clone();
    other["paths"]
        .as_object_mut()
        .unwrap()
        .remove("/api/v1/tags");
    other["components"]["schemas"]["Tags"]["properties"]
        .as_object_mut()
        .unwrap()
        .remove("tags");
    other["components"]["schemas"]["Purge"]["required"] = json!(["older_than_days"]);
    let seen = broken(&now, &other);
    assert_eq!(seen.len(), 3, "{seen:?}");
}
