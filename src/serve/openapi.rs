//! The interface as a document (`OpenAPI` 3.1), made of the table of routes and of the types that are sent.

use schemars::generate::{Contract, SchemaSettings};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value as Json, json};

use super::access;
use super::answer::JSON;
use super::params::{Parameter, Value};
use super::route::{Body, Route};
use super::routes::ROUTES;
use crate::store::{ContentHash, LabelName, SEARCH_NAME_CHARACTERS, Scope, SetName, TokenName};
use crate::wire::{ErrorBody, Event};

/// What any request may be refused with.
const REFUSALS: &[u16] = &[400, 401, 403, 406, 414, 429, 431, 500, 503];

/// What a request with a body may be refused with besides.
const REFUSALS_OF_BODIES: &[u16] = &[408, 413, 415];

const ABOUT: &str = "\
Errors are `{\"error\": \"<sentence>\", \"code\": \"<stable_snake_case>\"}`. Every GET answers HEAD too, has a strong `ETag` and takes \
`If-None-Match`; every address answers OPTIONS with what it takes. Texts are packed with gzip for whoever unpacks them. Within `v1`, \
answers only ever gain fields, and requests only fields that may be left out. What changes takes `If-Match` with the `ETag` of what was \
read there, and `If-None-Match: *` for what must not be there yet. `X-Request-Id` is what a request is known by in the log.

Whoever asks from the machine itself needs no token, unless its owner closed that too. A token is of a scope: `read`, `label` or `admin`; \
each may do what those before it may.

`/api/v1/events` is a stream of server-sent events, each of the schema `Event`; with the `Last-Event-ID` of the last one that was heard it \
begins with what happened meanwhile.";

/// The whole of it.
pub(super) fn document() -> Json {
    let mut answers = generator(Contract::Serialize);
    let mut requests = generator(Contract::Deserialize);
    let mut paths: Map<String, Json> = Map::new();
    for route in ROUTES {
        let operations = paths.entry(route.path).or_insert_with(|| json!({}));
        let method = route.method.name().to_lowercase();
        operations[method] = operation(route, &mut answers, &mut requests);
    }
    let refused = answers.subschema_for::<ErrorBody>();
    let all = ROUTES.iter().flat_map(refusals).map(|status| {
        let mut refusal = json!({ "description": describe(status) });
        // What is far too long is refused before it is read: without a word.
        if ![414, 431].contains(&status) {
            refusal["content"] = json!({ JSON: { "schema": refused } });
        }
        (status.to_string(), refusal)
    });
    let refusals: Map<String, Json> = all.collect();
    let _ = answers.subschema_for::<Event>();
    let mut schemas = answers.take_definitions(true);
    schemas.extend(requests.take_definitions(true));
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "pixdex",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": env!("CARGO_PKG_DESCRIPTION"),
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": refusals,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "As `pixdex token add` gives it out." },
                "session": { "type": "apiKey", "in": "cookie", "name": access::COOKIE, "description": "Of a browser that logged in." },
            },
        },
    })
}

fn generator(contract: Contract) -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.contract = contract;
    settings.into_generator()
}

fn operation(route: &Route, answers: &mut SchemaGenerator, requests: &mut SchemaGenerator) -> Json {
    let parts = route.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(part_of_address(name, requests))
    });
    let parts: Vec<Json> = parts.collect();
    let known = route.params.into_iter().flatten().copied().flatten();
    let params = known.map(|parameter| parameter_of(parameter, route, requests));
    let parameters: Vec<Json> = parts.into_iter().chain(params).collect();
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.does,
        "parameters": parameters,
        "responses": responses(route, answers),
        "security": security(route.scope),
    });
    if let Some(body) = &route.body {
        operation["requestBody"] = body_of(body, requests);
    }
    operation
}

/// A part of an address that people choose.
fn part_of_address(name: &str, schemas: &mut SchemaGenerator) -> Json {
    let (schema, does) = match name {
        "image" => (schemas.subschema_for::<ContentHash>(), "The image."),
        "set" => (schemas.subschema_for::<SetName>(), "Name of the label set."),
        "label" => (schemas.subschema_for::<LabelName>(), "Name of the label."),
        "search" => (text_of(1, SEARCH_NAME_CHARACTERS), "Name of the search."),
        "version" | "file" => (text_of(1, 64), "As the page names it."),
        _ => (schemas.subschema_for::<TokenName>(), "Name of the token."),
    };
    json!({ "name": name, "in": "path", "required": true, "description": does, "schema": schema })
}

fn text_of(least: usize, most: usize) -> Schema {
    json_schema!({ "type": "string", "minLength": least, "maxLength": most })
}

fn parameter_of(parameter: &Parameter, route: &Route, schemas: &mut SchemaGenerator) -> Json {
    let Parameter {
        name,
        is_list,
        value,
        does,
    } = parameter;
    let schema = match value {
        Value::Text(most) => json!({ "type": "string", "maxLength": most }),
        Value::Integer(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Value::Number(least, most) => {
            json!({ "type": "number", "minimum": least, "maximum": most })
        }
        Value::Flag => json!({ "type": "boolean" }),
        Value::OneOf(words) => json!({ "type": "string", "enum": words }),
        Value::Date => {
            let shape = r"^(\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d)?)?)?)?)?)?$";
            json!({ "type": "string", "pattern": shape })
        }
        Value::Image => schemas.subschema_for::<ContentHash>().to_value(),
    };
    let schema = if *is_list {
        json!({ "type": "array", "items": schema })
    } else {
        schema
    };
    let mut described =
        json!({ "name": name, "in": "query", "description": does, "schema": schema });
    let mut examples = form_urlencoded::parse(route.example.as_bytes());
    if let Some((_, example)) = examples.find(|(of, _)| of == name) {
        let example = serde_json::from_str(&example).unwrap_or_else(|_| json!(example));
        described["example"] = if *is_list { json!([example]) } else { example };
    }
    described
}

fn body_of(body: &Body, schemas: &mut SchemaGenerator) -> Json {
    let schema = body.schema.map_or_else(
        || json!({ "type": "string" }),
        |schema| schema(schemas).to_value(),
    );
    let example = match body.schema {
        None => json!(body.example),
        Some(_) => serde_json::from_str(body.example).unwrap_or_default(),
    };
    let content = body.media_types.iter().map(|media_type| {
        let content = json!({ "schema": schema, "example": example });
        ((*media_type).to_owned(), content)
    });
    let content: Map<String, Json> = content.collect();
    let most = format!("At most {} bytes.", body.most_bytes);
    json!({ "required": body.schema.is_some(), "description": most, "content": content })
}

fn responses(route: &Route, schemas: &mut SchemaGenerator) -> Json {
    let schema = route.schema.map(|schema| schema(schemas).to_value());
    let media_type = route.gives.split(';').next().unwrap_or_default();
    let content = match (schema, media_type) {
        (Some(schema), _) => json!({ JSON: { "schema": schema } }),
        (None, media_type) if media_type.starts_with("text/") || media_type == JSON => {
            json!({ media_type: {} })
        }
        (None, media_type) => {
            json!({ media_type: { "schema": { "contentMediaType": media_type } } })
        }
    };
    let mut responses = Map::new();
    let is_sent_on = ["logIn", "logOut"].contains(&route.id);
    if is_sent_on {
        let sent_on = json!({ "description": "Sent on, with a cookie." });
        responses.insert("303".to_owned(), sent_on);
    } else {
        let links = route.links.iter().map(|link| {
            let link_to = json!({ "operationId": link.to, "parameters": { link.part: link.from } });
            (link.to.to_owned(), link_to)
        });
        let links: Map<String, Json> = links.collect();
        let answered = json!({ "description": "Done.", "content": content, "links": links });
        responses.insert("200".to_owned(), answered);
    }
    if route.method.name() == "GET" {
        let known =
            json!({ "description": "It is as it was (`If-None-Match`, `If-Modified-Since`)." });
        responses.insert("304".to_owned(), known);
    }
    if route.refusals.contains(&416) {
        let part = json!({ "description": "The part that `Range` asks for.", "content": content });
        responses.insert("206".to_owned(), part);
    }
    for status in refusals(route) {
        let refusal = json!({ "$ref": format!("#/components/responses/{status}") });
        // What a browser's form is refused with is a page.
        let page =
            json!({ "description": describe(status), "content": { JSON: {}, "text/html": {} } });
        let is_page = is_sent_on && [400, 401, 429].contains(&status);
        responses.insert(status.to_string(), if is_page { page } else { refusal });
    }
    responses.into()
}

/// What it may be refused with.
fn refusals(route: &Route) -> Vec<u16> {
    let of_parts = route.path.contains('{').then_some(404);
    let of_body = if route.body.is_some() {
        REFUSALS_OF_BODIES
    } else {
        &[]
    };
    let all = [REFUSALS, route.refusals, of_body].concat();
    let mut all: Vec<u16> = all.into_iter().chain(of_parts).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn describe(status: u16) -> &'static str {
    match status {
        400 => "What is asked for cannot be meant; the sentence says why.",
        401 => "A token is needed, or the one that is shown is not known.",
        403 => {
            "Whoever asks may not: the token is of a lower scope, or a page of another site asks."
        }
        404 => "There is no such thing.",
        406 => "It is not given in a type that the request takes.",
        408 => "The body did not come in time.",
        409 => "It does not go with what is there; the sentence says why.",
        412 => "What is there is not what `If-Match` or `If-None-Match` says.",
        413 => "The body is too long.",
        414 => "The address is too long. From 64 KiB on there is no body.",
        415 => "The body is of another type.",
        416 => "The file has no such part.",
        422 => "The picture is too much to decode.",
        429 => {
            "Too many tokens that there are not came from this address: `Retry-After` says when to go on."
        }
        431 => "The headers are too long. From 256 KiB on there is no body.",
        500 => "It is our fault; the log says why.",
        503 => "There is too much to do, or it is not ready: `Retry-After` says when to try again.",
        _ => "Refused.",
    }
}

/// Nothing, a token or a session; none of them where everybody is let in.
fn security(scope: Option<Scope>) -> Json {
    match scope {
        None => json!([]),
        Some(scope) => {
            let scope = scope.name();
            json!([{}, { "token": [scope] }, { "session": [scope] }])
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_told_once_and_links_lead_somewhere() {
        let ids: BTreeSet<&str> = ROUTES.iter().map(|route| route.id).collect();
        assert_eq!(ids.len(), ROUTES.len());
        let document = document();
        for link in ROUTES.iter().flat_map(|route| route.links) {
            let to = ROUTES.iter().find(|route| route.id == link.to).unwrap();
            let operation = &document["paths"][to.path][to.method.name().to_lowercase()];
            let parameters = operation["parameters"].as_array().unwrap();
            let mut names = parameters.iter().map(|parameter| &parameter["name"]);
            assert!(names.any(|name| name == link.part), "{}", link.to);
        }
    }

    #[test]
    fn a_type_that_is_asked_and_answered_is_the_same_both_times() {
        let mut generators = [Contract::Serialize, Contract::Deserialize].map(generator);
        let [answers, requests] = &mut generators;
        for route in ROUTES {
            operation(route, answers, requests);
        }
        let [answers, requests] = generators.map(|mut generator| generator.take_definitions(true));
        for (name, schema) in requests {
            assert!(
                answers.get(&name).is_none_or(|other| *other == schema),
                "{name}"
            );
        }
    }

    #[test]
    fn it_is_written_for_people_who_know_no_rust() {
        let text = document().to_string();
        for markup in ["[`", "::"] {
            let at = text.find(markup).unwrap_or(text.len());
            assert_eq!(&text[at..(at + 60).min(text.len())], "");
        }
    }
}
