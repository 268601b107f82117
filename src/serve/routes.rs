//! Which address is answered by which handler: one table for whoever answers, documents or tests.

use self::Work::{AtOnce, Changing, Reading, Vital};
use super::answer::{Answer, JSON, json};
use super::error::ApiError;
use super::params::Known;
use super::request::Request;
use super::{
    decisions, events, files, health, label_sets, login, metrics, page, search, status, tokens,
    upkeep,
};
use crate::store::Scope;
use crate::tag;

/// Some pictures to search with, written in base64.
const MAX_QUERY_BYTES: usize = 64 * 1024 * 1024;

/// A decision, or what is to be purged or forgotten, is a word.
const MAX_WORD_BYTES: usize = 64 * 1024;

/// Some hundred thousand decisions.
const MAX_DECISIONS_BYTES: usize = 64 * 1024 * 1024;

/// What is done at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

impl Verb {
    /// As HTTP calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Delete => "DELETE",
        }
    }
}

/// An address with a method, and what answers there.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub(super) method: Verb,
    /// With a name in braces for each part that people choose.
    pub(super) path: &'static str,
    /// What may stand behind the `?`; anything where it is read by a page and not here.
    pub(super) params: Option<Known>,
    pub(super) body: Option<Body>,
    /// What it answers in, where all goes well.
    pub(super) gives: &'static str,
    pub(super) work: Work,
    /// What whoever asks must be let in for; none where everybody is.
    pub(super) scope: Option<Scope>,
}

/// A body that a route takes.
#[derive(Clone, Copy)]
pub(super) struct Body {
    /// The type of its content. Who names none is believed to send it.
    pub(super) media_types: &'static [&'static str],
    pub(super) most_bytes: usize,
}

/// What a handler does, and so where it is run.
#[derive(Clone, Copy)]
pub(super) enum Work {
    /// It waits for nothing.
    AtOnce(Handler),
    /// It reads from the disk or asks the model.
    Reading(Handler),
    /// It changes the library.
    Changing(Handler),
    /// It is answered however much there is to do.
    Vital(Handler),
}

pub(super) type Handler = fn(&Request) -> Result<Answer, ApiError>;

/// Label files, as they stand in their folder.
const TOML: Body = Body {
    media_types: &["application/toml", "text/plain", "application/octet-stream"],
    most_bytes: tag::MAX_FILE_BYTES as usize,
};

/// Lines of JSON.
const LINES: Body = Body {
    media_types: &[
        "application/jsonl",
        "application/x-ndjson",
        JSON,
        "text/plain",
        "application/octet-stream",
    ],
    most_bytes: MAX_DECISIONS_BYTES,
};

/// What the page that logs in sends.
const FORM: Body = Body {
    media_types: &["application/x-www-form-urlencoded"],
    most_bytes: MAX_WORD_BYTES,
};

const fn json_body(most_bytes: usize) -> Body {
    Body {
        media_types: &[JSON],
        most_bytes,
    }
}

/// A GET, answered in JSON.
const fn get(path: &'static str, params: Known, work: Work) -> Route {
    Route {
        method: Verb::Get,
        path,
        params: Some(params),
        body: None,
        gives: JSON,
        work,
        scope: Some(Scope::Read),
    }
}

/// A change, answered in JSON.
const fn change(method: Verb, path: &'static str, body: Option<Body>, handler: Handler) -> Route {
    Route {
        method,
        body,
        scope: Some(Scope::Label),
        ..get(path, &[], Changing(handler))
    }
}

/// What only the owner does, answered in JSON.
const fn administer(
    method: Verb,
    path: &'static str,
    body: Option<Body>,
    handler: Handler,
) -> Route {
    Route {
        scope: Some(Scope::Admin),
        ..change(method, path, body, handler)
    }
}

/// A file of the page: it tells nothing of any library.
const fn part_of_page(path: &'static str, gives: &'static str, handler: Handler) -> Route {
    Route {
        gives,
        params: None,
        scope: None,
        ..get(path, &[], AtOnce(handler))
    }
}

const SET: &str = "/api/v1/label-sets/{set}";
const DECISION: &str = "/api/v1/images/{image}/decisions/{set}/{label}";

/// All of them.
pub(super) static ROUTES: &[Route] = &[
    part_of_page("/", page::HTML, |_| Ok(page::html())),
    part_of_page("/app.js", page::SCRIPT, |_| Ok(page::script())),
    part_of_page("/style.css", page::STYLE, |_| Ok(page::style())),
    part_of_page("/login", page::HTML, |_| Ok(login::form())),
    Route {
        method: Verb::Post,
        params: Some(&[]),
        body: Some(FORM),
        work: Changing(login::log_in),
        ..part_of_page("/login", page::HTML, |_| Ok(login::form()))
    },
    Route {
        method: Verb::Post,
        params: Some(&[]),
        work: Changing(login::log_out),
        ..part_of_page("/logout", page::HTML, |_| Ok(login::form()))
    },
    Route {
        scope: None,
        ..get("/health/live", &[], AtOnce(|_| json(Ok(health::ok()))))
    },
    Route {
        scope: None,
        ..get(
            "/health/ready",
            &[],
            Vital(|request| json(health::ready(request))),
        )
    },
    Route {
        gives: metrics::MEDIA_TYPE,
        ..get("/metrics", &[], Vital(metrics::metrics))
    },
    get(
        "/api/v1/images",
        search::LIST,
        Reading(|request| json(search::images(request))),
    ),
    get(
        "/api/v1/images/{image}",
        &[],
        Reading(|request| json(files::image(request))),
    ),
    Route {
        gives: files::ORIGINAL,
        ..get("/api/v1/images/{image}/file", &[], Reading(files::original))
    },
    Route {
        gives: files::JPEG,
        ..get(
            "/api/v1/images/{image}/thumbnail",
            files::THUMBNAIL,
            Reading(files::thumbnail),
        )
    },
    get(
        "/api/v1/search",
        search::RANKING,
        Reading(|request| json(search::search(request))),
    ),
    Route {
        method: Verb::Post,
        body: Some(json_body(MAX_QUERY_BYTES)),
        ..get(
            "/api/v1/search",
            &[],
            Reading(|request| json(search::form(request))),
        )
    },
    get(
        "/api/v1/duplicates",
        search::DUPLICATES,
        Reading(|request| json(search::duplicates(request))),
    ),
    get(
        "/api/v1/label-sets",
        &[],
        Reading(|request| json(Ok(label_sets::list(request)))),
    ),
    get(SET, &[], Reading(|request| json(label_sets::one(request)))),
    change(Verb::Put, SET, Some(TOML), |request| {
        json(label_sets::put(request))
    }),
    change(Verb::Delete, SET, None, |request| {
        json(label_sets::delete(request))
    }),
    Route {
        method: Verb::Post,
        body: Some(TOML),
        ..get(
            "/api/v1/label-sets/{set}/preview",
            &[],
            Reading(|request| json(label_sets::preview(request))),
        )
    },
    get(
        "/api/v1/tags",
        label_sets::TAGS,
        Reading(|request| json(label_sets::tags(request))),
    ),
    get(
        "/api/v1/decisions",
        decisions::WHICH,
        Reading(|request| json(decisions::list(request))),
    ),
    change(
        Verb::Post,
        "/api/v1/decisions",
        Some(json_body(MAX_DECISIONS_BYTES)),
        |request| json(decisions::post(request)),
    ),
    change(
        Verb::Post,
        "/api/v1/decisions/import",
        Some(LINES),
        |request| json(decisions::import(request)),
    ),
    change(
        Verb::Put,
        DECISION,
        Some(json_body(MAX_WORD_BYTES)),
        |request| json(decisions::put(request)),
    ),
    change(Verb::Delete, DECISION, None, |request| {
        json(decisions::delete(request))
    }),
    get(
        "/api/v1/status",
        &[],
        Reading(|request| json(status::status(request))),
    ),
    get(
        "/api/v1/failures",
        status::FAILURES,
        Reading(|request| json(status::failures(request))),
    ),
    administer(Verb::Post, "/api/v1/rescan", None, |request| {
        json(Ok(status::rescan(request)))
    }),
    administer(
        Verb::Post,
        "/api/v1/purge",
        Some(json_body(MAX_WORD_BYTES)),
        |request| json(upkeep::purge(request)),
    ),
    get(
        "/api/v1/roots",
        &[],
        Reading(|request| json(upkeep::roots(request))),
    ),
    administer(
        Verb::Post,
        "/api/v1/forget",
        Some(json_body(MAX_WORD_BYTES)),
        |request| json(upkeep::forget(request)),
    ),
    Route {
        scope: Some(Scope::Admin),
        ..get(
            "/api/v1/tokens",
            &[],
            Reading(|request| json(tokens::list(request))),
        )
    },
    administer(
        Verb::Post,
        "/api/v1/tokens",
        Some(json_body(MAX_WORD_BYTES)),
        |request| json(tokens::add(request)),
    ),
    administer(Verb::Delete, "/api/v1/tokens/{token}", None, |request| {
        json(tokens::remove(request))
    }),
    get(
        "/api/v1/whoami",
        &[],
        AtOnce(|request| json(Ok(tokens::whoami(request)))),
    ),
    Route {
        gives: events::MEDIA_TYPE,
        ..get("/api/v1/events", &[], AtOnce(events::open))
    },
];

/// The routes of an address, and the parts of it that people chose, as they stand there.
pub(super) fn at(path: &str) -> (Vec<&'static Route>, Vec<&str>) {
    let mut parts = Vec::new();
    let mut routes = Vec::new();
    for route in ROUTES {
        if let Some(found) = chosen(route.path, path) {
            routes.push(route);
            parts = found;
        }
    }
    (routes, parts)
}

/// What stands where the template has braces; nothing where the two differ.
fn chosen<'a>(template: &str, path: &'a str) -> Option<Vec<&'a str>> {
    // A slash at the end changes nothing, but for the root.
    let path = match path.strip_suffix('/') {
        Some(path) if !path.is_empty() && !path.ends_with('/') => path,
        _ => path,
    };
    let mut chosen = Vec::new();
    let (mut templates, mut parts) = (template.split('/'), path.split('/'));
    loop {
        match (templates.next(), parts.next()) {
            (None, None) => return Some(chosen),
            (Some(template), Some(part)) if template.starts_with('{') && !part.is_empty() => {
                chosen.push(part);
            }
            (Some(template), Some(part)) if template == part => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_one_template_and_each_method_one_route() {
        for route in ROUTES {
            let path = route.path.replace(['{', '}'], "");
            let (routes, parts) = at(&path);
            assert!(
                routes.iter().all(|other| other.path == route.path),
                "{path}"
            );
            let same = routes.iter().filter(|other| other.method == route.method);
            assert_eq!(same.count(), 1, "{:?} {path}", route.method);
            assert_eq!(parts.len(), route.path.matches('{').count(), "{path}");
        }
    }

    #[test]
    fn whatever_tells_of_a_library_or_changes_it_needs_a_scope() {
        let open = ROUTES.iter().filter(|route| route.scope.is_none());
        let open: Vec<_> = open
            .map(|route| (route.method.name(), route.path))
            .collect();
        let expected = [
            ("GET", "/"),
            ("GET", "/app.js"),
            ("GET", "/style.css"),
            ("GET", "/login"),
            ("POST", "/login"),
            ("POST", "/logout"),
            ("GET", "/health/live"),
            ("GET", "/health/ready"),
        ];
        assert_eq!(open, expected);
        for route in ROUTES
            .iter()
            .filter(|route| route.scope == Some(Scope::Read))
        {
            let is_search = ["/api/v1/search", "/api/v1/label-sets/{set}/preview"];
            assert!(
                route.method == Verb::Get || is_search.contains(&route.path),
                "{}",
                route.path
            );
        }
    }

    #[test]
    fn parts_are_found_as_they_stand() {
        let parts = |path| {
            let (routes, parts) = at(path);
            (routes.len(), parts)
        };
        let decision = "/api/v1/images/ab/decisions/my%20set/a%2Fb";
        assert_eq!(parts(decision), (2, vec!["ab", "my%20set", "a%2Fb"]));
        assert_eq!(parts("/api/v1/label-sets/x/"), (3, vec!["x"]));
        assert_eq!(parts("/").0, 1);
        for none in [
            "",
            "//",
            "/api/v1",
            "/api/v1/label-sets//preview",
            "/api/v1/images/a/file/b",
        ] {
            assert_eq!(parts(none).0, 0, "{none}");
        }
    }
}
