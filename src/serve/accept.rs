//! What a client takes, as its `Accept` headers weigh it (RFC 9110, 12.4.2).

use warp::http::HeaderMap;
use warp::http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

/// Whether the client takes what a route gives. Who says nothing takes all.
pub(super) fn takes_type(asked: &HeaderMap, gives: &str) -> bool {
    let choices = choices(asked, &ACCEPT);
    if choices.is_empty() {
        return true;
    }
    let gives = essence(gives);
    let kind = gives.split('/').next().unwrap_or_default();
    choices.iter().any(|(wanted, weight)| {
        let is_kind = wanted
            .strip_suffix("/*")
            .is_some_and(|wanted| wanted == kind);
        // A route that gives pictures of many types is not asked for one of them.
        let is_open = gives == "*/*" || gives.ends_with("/*") && wanted.starts_with(kind);
        *weight > 0.0 && (wanted == "*/*" || *wanted == gives || is_kind || is_open)
    })
}

/// Whether the client says that it unpacks gzip. Who names no encoding takes none.
pub(super) fn takes_gzip(asked: &HeaderMap) -> bool {
    let choices = choices(asked, &ACCEPT_ENCODING);
    let weight = |name: &str| {
        let mut choices = choices.iter();
        choices.find_map(|(wanted, weight)| (wanted == name).then_some(*weight))
    };
    weight("gzip").or_else(|| weight("*")).unwrap_or(0.0) > 0.0
}

/// What is named in such a header, each in small letters with its weight; what weighs no number weighs nothing.
fn choices(asked: &HeaderMap, header: &HeaderName) -> Vec<(String, f32)> {
    let values = asked.get_all(header).into_iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let named = texts
        .flat_map(|text| text.split(','))
        .filter(|choice| !choice.trim().is_empty());
    let weighed = named.map(|choice| {
        let mut parts = choice.split(';').skip(1).map(str::trim);
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        let weight = weight.map_or(1.0, |text| text.parse().unwrap_or(0.0));
        (essence(choice), weight)
    });
    weighed.collect()
}

/// The type without what is said beside it.
pub(super) fn essence(text: &str) -> String {
    let essence = text.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    use warp::http::HeaderValue;

    #[test]
    fn who_takes_a_type_says_so_or_nothing() {
        let json = "application/json";
        for (accept, gives, is_taken) in [
            ("", json, true),
            ("*/*", json, true),
            ("application/*", json, true),
            ("Application/JSON; charset=utf-8", json, true),
            ("text/html, application/json;q=0.1", json, true),
            ("text/html", json, false),
            ("application/json;q=0", json, false),
            ("application/json;q=0.000, text/plain", json, false),
            ("image/png", "*/*", true),
            ("text/html", "text/html; charset=utf-8", true),
            ("text/plain", "text/html; charset=utf-8", false),
        ] {
            let mut asked = HeaderMap::new();
            asked.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(takes_type(&asked, gives), is_taken, "{accept} {gives}");
        }
        assert!(takes_type(&HeaderMap::new(), json));
    }

    #[test]
    fn who_takes_gzip_says_so() {
        for (text, takes) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0, *", false),
            ("br, identity", false),
            ("gzip;q=much", false),
        ] {
            let mut asked = HeaderMap::new();
            asked.insert(ACCEPT_ENCODING, HeaderValue::from_static(text));
            assert_eq!(takes_gzip(&asked), takes, "{text}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
