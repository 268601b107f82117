//! The interface as a document for programs, and as a page to read, which asks no other host.

use std::fmt::Write;

use serde_json::Value as Json;

use super::answer::{Answer, JSON};
use super::page::{HTML, with_folder};
use super::request::Request;

/// Both forms of it.
#[derive(Debug)]
pub(super) struct Reference {
    text: String,
    page: String,
}

impl Reference {
    pub(super) fn of(document: &Json) -> Reference {
        Reference {
            text: document.to_string(),
            page: page_of(document),
        }
    }
}

pub(super) fn document(Request { api, .. }: &Request) -> Answer {
    Answer::text(JSON, &api.clients.reference.text)
}

pub(super) fn page(Request { api, .. }: &Request) -> Answer {
    Answer::text(HTML, &api.clients.reference.page)
}

/// Every route with what it takes and gives, then every type.
fn page_of(document: &Json) -> String {
    let info = &document["info"];
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>pixdex: the interface</title>\n\
         {}</head>\n<body class=\"reference\">\n<main>\n<h1>pixdex {}</h1>\n",
        with_folder("<link rel=\"stylesheet\" href=\"{ui}/base.css\">\n"),
        text(&info["version"])
    );
    for paragraph in string(&info["description"]).split("\n\n") {
        add(&mut page, format_args!("<p>{}</p>\n", marked(paragraph)));
    }
    add(
        &mut page,
        format_args!(
            "<p>The same for programs: <a href=\"/api/v1/openapi.json\">openapi.json</a></p>\n"
        ),
    );
    for (path, operations) in entries(&document["paths"]) {
        for (method, operation) in entries(operations) {
            add_operation(&mut page, path, method, operation);
        }
    }
    page += "<h2>Refusals</h2>\n<dl>\n";
    for (status, refusal) in entries(&document["components"]["responses"]) {
        let does = marked(string(&refusal["description"]));
        add(
            &mut page,
            format_args!("<dt id=\"{status}\">{status}</dt><dd>{does}</dd>\n"),
        );
    }
    page += "</dl>\n<h2>Types</h2>\n";
    for (name, schema) in entries(&document["components"]["schemas"]) {
        let does = marked(string(&schema["description"]));
        add(
            &mut page,
            format_args!(
                "<section id=\"{name}\"><h3>{name}</h3>\n<p>{does}</p>\n{}</section>\n",
                fields(schema)
            ),
        );
    }
    page + "</main>\n</body>\n</html>\n"
}

fn add_operation(page: &mut String, path: &str, method: &str, operation: &Json) {
    let id = text(&operation["operationId"]);
    let does = marked(string(&operation["summary"]));
    let method = method.to_uppercase();
    add(
        page,
        format_args!(
            "<section id=\"{id}\"><h3><code>{method} {}</code></h3>\n<p>{does}</p>\n<dl>\n",
            escaped(path)
        ),
    );
    let scope = &operation["security"][1]["token"][0];
    if scope.is_string() {
        add(
            page,
            format_args!("<dt>scope</dt><dd>{}</dd>\n", text(scope)),
        );
    }
    for parameter in list(&operation["parameters"]) {
        let (name, does) = (
            text(&parameter["name"]),
            marked(string(&parameter["description"])),
        );
        let kind = kind(&parameter["schema"]);
        add(
            page,
            format_args!("<dt><code>{name}</code> <small>{kind}</small></dt><dd>{does}</dd>\n"),
        );
    }
    for (media_type, body) in entries(&operation["requestBody"]["content"]).take(1) {
        let kind = kind(&body["schema"]);
        let example = match &body["example"] {
            Json::String(text) => text.clone(),
            example => example.to_string(),
        };
        add(
            page,
            format_args!(
                "<dt>body <small>{media_type}</small></dt><dd>{kind}<pre>{}</pre></dd>\n",
                escaped(&example)
            ),
        );
    }
    let mut refusals = Vec::new();
    for (status, response) in entries(&operation["responses"]) {
        if response["$ref"].is_string() {
            refusals.push(format!("<a href=\"#{status}\">{status}</a>"));
            continue;
        }
        let schema = &response["content"]["application/json"]["schema"];
        let (kind, does) = (kind(schema), text(&response["description"]));
        add(
            page,
            format_args!("<dt>{status}</dt><dd>{does} {kind}</dd>\n"),
        );
    }
    let refusals = refusals.join(", ");
    add(page, format_args!("<dt>or</dt><dd>{refusals}</dd>\n"));
    *page += "</dl></section>\n";
}

/// The fields of a type; of one that is one of several, those of each.
fn fields(schema: &Json) -> String {
    let mut fields = String::new();
    for one in list(&schema["oneOf"]).chain(list(&schema["anyOf"])) {
        let does = marked(string(&one["description"]));
        let constant = &one["const"];
        let constant = if constant.is_null() {
            String::new()
        } else {
            format!("<code>{}</code> ", escaped(&constant.to_string()))
        };
        add(
            &mut fields,
            format_args!("<p>{constant}{does}</p>{}\n", self::fields(one)),
        );
    }
    if schema["properties"].is_object() {
        fields += "<dl>\n";
        for (name, field) in entries(&schema["properties"]) {
            let (kind, does) = (kind(field), marked(string(&field["description"])));
            add(
                &mut fields,
                format_args!("<dt><code>{name}</code> <small>{kind}</small></dt><dd>{does}</dd>\n"),
            );
        }
        fields += "</dl>\n";
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words
            .iter()
            .map(|word| format!("<code>{}</code>", escaped(&word.to_string())))
            .collect();
        add(&mut fields, format_args!("<p>{}</p>\n", words.join(", ")));
    }
    fields
}

/// What a value is, in a few words, with links to types.
fn kind(schema: &Json) -> String {
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next())
    {
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    let several: Vec<String> = list(&schema["anyOf"]).map(kind).collect();
    if !several.is_empty() {
        return several.join(" or ");
    }
    if schema["items"].is_object() {
        return format!("list of {}", kind(&schema["items"]));
    }
    if schema["additionalProperties"].is_object() {
        return format!("{} by name", kind(&schema["additionalProperties"]));
    }
    let names = match &schema["type"] {
        Json::Array(names) => names.iter().map(text).collect::<Vec<_>>().join(" or "),
        name => text(name),
    };
    let bounds = ["minimum", "maximum", "maxLength"]
        .into_iter()
        .filter_map(|bound| {
            let value = &schema[bound];
            (!value.is_null()).then(|| format!(", {bound} {value}"))
        });
    names + &bounds.collect::<String>()
}

/// Writing to a text does not fail.
fn add(page: &mut String, more: std::fmt::Arguments<'_>) {
    let _ = page.write_fmt(more);
}

fn entries(of: &Json) -> impl Iterator<Item = (&String, &Json)> {
    of.as_object().into_iter().flatten()
}

fn list(of: &Json) -> impl Iterator<Item = &Json> {
    of.as_array().into_iter().flatten()
}

fn string(of: &Json) -> &str {
    of.as_str().unwrap_or_default()
}

fn text(of: &Json) -> String {
    escaped(string(of))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// With what stands between backticks as code.
fn marked(text: &str) -> String {
    let parts = text.split('`').zip([false, true].into_iter().cycle());
    let parts = parts.map(|(part, is_code)| {
        let part = escaped(part);
        if is_code {
            format!("<code>{part}</code>")
        } else {
            part
        }
    });
    parts.collect()
}
