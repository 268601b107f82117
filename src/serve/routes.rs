//! Which address is answered by which handler: one table for whoever answers, documents or tests.

use schemars::SchemaGenerator;

use super::answer::{JSON, json};
use super::request::Request;
use super::route::{Body, Link, Route, Verb, Work, change, get, json_body, schema_of};
use super::{
    albums, decisions, events, files, health, label_sets, login, metrics, page, reference, search,
    status, tokens, upkeep,
};
use crate::tag::{self, SetEdit};
use crate::wire;

/// Some pictures to search with, written in base64.
const MAX_QUERY_BYTES: usize = 64 * 1024 * 1024;

/// A decision, or what is to be purged or forgotten, is a word.
const MAX_WORD_BYTES: usize = 64 * 1024;

/// Some hundred thousand decisions.
const MAX_DECISIONS_BYTES: usize = 64 * 1024 * 1024;

/// A handler whose answer is JSON, with the schema of that.
macro_rules! in_json {
    ($handler:expr) => {
        (
            |request| json($handler(request)),
            Some(|generator: &mut SchemaGenerator| schema_of($handler, generator)),
        )
    };
    // One that never fails.
    (always $handler:expr) => {
        in_json!(|request: &Request| Ok($handler(request)))
    };
}

/// Label files, as they stand in their folder.
const TOML: Body = Body {
    media_types: &["application/toml", "text/plain", "application/octet-stream"],
    most_bytes: tag::MAX_FILE_BYTES as usize,
    schema: None,
    example: "templates = [\"a photo of a {label}.\"]\n\n[[labels]]\nname = \"beach\"\n",
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
    schema: None,
    example: "{\"image\": \"IMAGE_ID\", \"set\": \"places\", \"label\": \"beach\", \"decision\": \"confirmed\"}\n",
};

/// A picture, of whatever kind.
const PICTURE: Body = Body {
    media_types: &[
        "application/octet-stream",
        "image/jpeg",
        "image/png",
        "image/webp",
        "image/gif",
        "image/heic",
        "image/avif",
    ],
    most_bytes: MAX_QUERY_BYTES,
    schema: None,
    example: "",
};

/// What the page that logs in sends.
const FORM: Body = Body {
    media_types: &["application/x-www-form-urlencoded"],
    most_bytes: MAX_WORD_BYTES,
    schema: None,
    example: "token=pixdex_secret",
};

const SET: &str = "/api/v1/label-sets/{set}";
const SEARCH: &str = "/api/v1/searches/{search}";
const EDIT: &str = "{\"labels\": [{\"name\": \"beach\", \"threshold\": 0.7}]}";
const DECISION: &str = "/api/v1/images/{image}/decisions/{set}/{label}";

/// To the image that comes first in an answer.
const FIRST_IMAGE: Link = Link {
    to: "getImage",
    part: "image",
    from: "$response.body#/items/0/id",
};

const fn next_page(to: &'static str) -> Link {
    Link {
        to,
        part: "cursor",
        from: "$response.body#/cursor",
    }
}

/// A label that a list of tags or decisions leads to.
const fn set_of_first(from: &'static str) -> Link {
    Link {
        to: "getLabelSet",
        part: "set",
        from,
    }
}

/// An address of the page itself.
const fn view(path: &'static str, id: &'static str, does: &'static str) -> Route {
    get(path, id, does, (|_| Ok(page::html()), None)).part_of_page(page::HTML)
}

/// All of them.
pub(super) static ROUTES: &[Route] = &[
    view("/", "getPage", "The page that shows the library: its pictures."),
    view("/image/{image}", "getImagePage", "The page, showing one picture."),
    view("/labels", "getLabelsPage", "The page, showing the label sets."),
    view("/labels/{set}", "getLabelSetPage", "The page, showing one label set."),
    view("/review/{set}/{label}", "getReviewPage", "The page, asking about one label."),
    view("/duplicates", "getDuplicatesPage", "The page, showing what looks the same."),
    view("/map", "getMapPage", "The page, showing places."),
    view("/library", "getLibraryPage", "The page, showing how the library stands."),
    get("/ui/{version}/{file}", "getPageFile", "A script or a style of the page.", (page::file, None))
        .part_of_page("*/*"),
    get("/login", "getLogin", "The page that asks for a token.", (|_| Ok(login::form()), None))
        .part_of_page(page::HTML),
    change(
        Verb::Post,
        "/login",
        "logIn",
        "Logs a browser in that shows a token, and sends it to the page with a cookie.",
        (login::log_in, None),
    )
    .giving(page::HTML)
    .with(FORM)
    .needing(None),
    change(
        Verb::Post,
        "/logout",
        "logOut",
        "Forgets the browser that asks, and sends it to the page that asks for a token.",
        (login::log_out, None),
    )
    .giving(page::HTML)
    .needing(None),
    get(
        "/health/live",
        "getLive",
        "Whether the program turns.",
        in_json!(always health::live),
    )
    .doing(Work::AtOnce)
    .needing(None),
    get(
        "/health/ready",
        "getReady",
        "Whether database, model and index answer; 503 with what is wrong where they do not.",
        in_json!(health::ready),
    )
    .doing(Work::Vital)
    .needing(None),
    get(
        "/metrics",
        "getMetrics",
        "Figures for Prometheus.",
        (metrics::metrics, None),
    )
    .giving(metrics::MEDIA_TYPE)
    .doing(Work::Vital),
    get(
        "/api/v1/openapi.json",
        "getOpenApi",
        "This document.",
        (|request| Ok(reference::document(request)), None),
    )
    .doing(Work::AtOnce)
    .needing(None),
    get(
        "/api/v1/docs",
        "getDocs",
        "The same to read.",
        (|request| Ok(reference::page(request)), None),
    )
    .giving(page::HTML)
    .doing(Work::AtOnce)
    .needing(None),
    get(
        "/api/v1/images",
        "listImages",
        "Images that pass a filter, in the order of a list.",
        in_json!(search::images),
    )
    .taking(search::LIST, "tag=beach&after=2021&limit=2")
    .refusing(&[409])
    .leading(&[FIRST_IMAGE, next_page("listImages")]),
    get(
        "/api/v1/images/{image}",
        "getImage",
        "One image: its files, tags, and what its file says.",
        in_json!(files::image),
    ),
    get(
        "/api/v1/images/{image}/scores",
        "getImageScores",
        "How an image stands with every label, and with each term of a query.",
        in_json!(files::scores),
    )
    .taking(files::SCORES, "q=a+dog+-snow")
    .refusing(&[409]),
    get(
        "/api/v1/images/{image}/file",
        "getOriginal",
        "The original file, or a part of it.",
        (files::original, None),
    )
    .doing(Work::Long)
    .giving(files::ORIGINAL)
    .refusing(&[416]),
    get(
        "/api/v1/images/{image}/thumbnail",
        "getThumbnail",
        "A small picture of it, upright and in sRGB.",
        (files::thumbnail, None),
    )
    .doing(Work::Long)
    .giving(files::JPEG)
    .taking(files::THUMBNAIL, "size=320")
    .refusing(&[422]),
    get(
        "/api/v1/search",
        "search",
        "Images by a description, filters, or an image that they should be like: the short form.",
        in_json!(search::search),
    )
    .taking(search::RANKING, "q=a+dog+on+grass+-snow&limit=2&facets=true")
    .refusing(&[404, 409])
    .leading(&[FIRST_IMAGE, next_page("search")]),
    change(
        Verb::Post,
        "/api/v1/search",
        "searchByForm",
        "The same in the full form: weighted terms, also pictures that come with it.",
        in_json!(search::form),
    )
    .with(json_body::<wire::SearchRequest>(
        MAX_QUERY_BYTES,
        "{\"terms\": [{\"text\": \"a red car\"}, {\"text\": \"snow\", \"weight\": -0.5}], \"limit\": 2}",
    ))
    .asking()
    .refusing(&[404, 409])
    .leading(&[FIRST_IMAGE]),
    get(
        "/api/v1/parse",
        "parseQuery",
        "What a query is made of, or what is wrong with it; nothing is searched.",
        in_json!(always search::parsed),
    )
    .taking(search::PARSED, "q=a+dog+tag:beach+-0.5:snow")
    .doing(Work::AtOnce),
    change(
        Verb::Post,
        "/api/v1/uploads",
        "bringPicture",
        "Takes a picture to search with: `image:` in a query knows it for an hour by the id that is answered.",
        in_json!(search::bring),
    )
    .with(PICTURE)
    .asking()
    .doing(Work::Long),
    get(
        "/api/v1/places",
        "listPlaces",
        "Where the images were taken that a query finds, by cells of the map.",
        in_json!(search::places),
    )
    .taking(search::PLACES, "q=tag:beach&cell_degrees=5")
    .refusing(&[404, 409]),
    get(
        "/api/v1/searches",
        "listSearches",
        "Searches that are kept.",
        in_json!(albums::list),
    ),
    change(
        Verb::Put,
        SEARCH,
        "putSearch",
        "Keeps a search under this name.",
        in_json!(albums::put),
    )
    .with(json_body::<wire::SaveSearch>(
        MAX_WORD_BYTES,
        "{\"q\": \"tag:beach taken:2023\", \"order\": \"-taken\"}",
    ))
    .refusing(&[409, 412]),
    change(
        Verb::Delete,
        SEARCH,
        "deleteSearch",
        "Forgets a search that is kept.",
        in_json!(albums::delete),
    ),
    get(
        "/api/v1/searches/{search}/images",
        "listAlbum",
        "The images that a search finds now which is kept.",
        in_json!(albums::images),
    )
    .taking(albums::ALBUM, "limit=2")
    .refusing(&[409])
    .leading(&[FIRST_IMAGE, next_page("listAlbum")]),
    get(
        "/api/v1/duplicates",
        "listDuplicates",
        "Groups of images that are the same, or look the same, the largest first.",
        in_json!(search::duplicates),
    )
    .doing(Work::Long)
    .taking(search::DUPLICATES, "similarity=0.97&limit=2"),
    get(
        "/api/v1/label-sets",
        "listLabelSets",
        "All label sets as they are in force.",
        in_json!(always label_sets::list),
    ),
    get(
        SET,
        "getLabelSet",
        "One label set, with the text of its file.",
        in_json!(label_sets::by_name),
    ),
    change(
        Verb::Put,
        SET,
        "putLabelSet",
        "Writes a label set's file and tags the library by it.",
        in_json!(label_sets::put),
    )
    .with(TOML)
    .refusing(&[409, 412]),
    change(
        Verb::Delete,
        SET,
        "deleteLabelSet",
        "Deletes a label set's file, and its tags with it.",
        in_json!(label_sets::delete),
    )
    .refusing(&[409, 412]),
    change(
        Verb::Patch,
        SET,
        "patchLabelSet",
        "Changes some of a label set's file, leaves the rest of its text as it is, and tags the library by it.",
        in_json!(label_sets::patch),
    )
    .with(json_body::<SetEdit>(MAX_WORD_BYTES, EDIT))
    .refusing(&[409, 412]),
    change(
        Verb::Post,
        "/api/v1/label-sets/{set}/edit",
        "editLabelSet",
        "The text of a label set as such a change would make it; nothing is changed.",
        in_json!(label_sets::edited),
    )
    .with(json_body::<wire::EditText>(
        tag::MAX_FILE_BYTES as usize * 2,
        "{\"text\": \"[[labels]]\\nname = \\\"beach\\\"\\n\", \"edit\": {\"labels\": [{\"name\": \"beach\", \"threshold\": 0.7}]}}",
    ))
    .asking()
    .refusing(&[409]),
    get(
        "/api/v1/label-sets/{set}/labels/{label}/review",
        "reviewLabel",
        "Images to decide about, the most uncertain first, and what the answers so far say.",
        in_json!(label_sets::review),
    )
    .taking(label_sets::REVIEW, "limit=12")
    .doing(Work::Long),
    change(
        Verb::Post,
        "/api/v1/label-sets/{set}/preview",
        "previewLabelSet",
        "What such a file would change, and which images are nearest to its thresholds; nothing is changed.",
        in_json!(label_sets::preview),
    )
    .with(TOML)
    .taking(label_sets::PREVIEW, "label=beach&near=12")
    .asking()
    .doing(Work::Long)
    .refusing(&[409]),
    get(
        "/api/v1/tags",
        "listTags",
        "Labels with the number of images that carry each.",
        in_json!(label_sets::tags),
    )
    .taking(label_sets::TAGS, "limit=2")
    .leading(&[next_page("listTags"), set_of_first("$response.body#/tags/0/set")]),
    get(
        "/api/v1/decisions",
        "listDecisions",
        "What people decided about tags.",
        in_json!(decisions::list),
    )
    .taking(decisions::WHICH, "set=places&label=beach&limit=2")
    .leading(&[next_page("listDecisions")]),
    change(
        Verb::Post,
        "/api/v1/decisions",
        "decide",
        "Decides about one label on images that are named, or found by a search.",
        in_json!(decisions::post),
    )
    .with(json_body::<wire::DecideMany>(
        MAX_DECISIONS_BYTES,
        "{\"set\": \"places\", \"label\": \"beach\", \"decision\": \"confirmed\", \"images\": [\"IMAGE_ID\"]}",
    ))
    .refusing(&[404, 409]),
    change(
        Verb::Post,
        "/api/v1/decisions/import",
        "importDecisions",
        "Decisions as they were exported, a document a line: all or, where one is wrong, none.",
        in_json!(decisions::import),
    )
    .with(LINES)
    .refusing(&[404, 409]),
    change(
        Verb::Put,
        DECISION,
        "putDecision",
        "Decides about one label on one image; it wins over every score, for ever.",
        in_json!(decisions::put),
    )
    .with(json_body::<wire::DecideOne>(
        MAX_WORD_BYTES,
        "{\"decision\": \"rejected\"}",
    ))
    .refusing(&[409]),
    change(
        Verb::Delete,
        DECISION,
        "deleteDecision",
        "Takes that back: the score counts again.",
        in_json!(decisions::delete),
    )
    .refusing(&[409]),
    get(
        "/api/v1/status",
        "getStatus",
        "How the library stands, and what the daemon is doing.",
        in_json!(status::status),
    ),
    get(
        "/api/v1/failures",
        "listFailures",
        "Files that are not indexed, each with the reason.",
        in_json!(status::failures),
    )
    .taking(status::FAILURES, "limit=2")
    .leading(&[next_page("listFailures")]),
    change(
        Verb::Post,
        "/api/v1/failures/retry",
        "retryFailures",
        "Has all files read again that are not indexed.",
        in_json!(status::retry),
    )
    .for_owner(),
    change(
        Verb::Post,
        "/api/v1/rescan",
        "rescan",
        "Compares all folders with the library again.",
        in_json!(always status::rescan),
    )
    .for_owner(),
    change(
        Verb::Post,
        "/api/v1/purge",
        "purge",
        "Takes out for good what is known of images that are gone.",
        in_json!(upkeep::purge),
    )
    .with(json_body::<wire::Purge>(
        MAX_WORD_BYTES,
        "{\"older_than_days\": 30}",
    ))
    .for_owner(),
    get(
        "/api/v1/roots",
        "listRoots",
        "The folders of this run and of earlier ones.",
        in_json!(upkeep::roots),
    ),
    change(
        Verb::Post,
        "/api/v1/forget",
        "forget",
        "Takes out at once what is not there, or not watched any more.",
        in_json!(upkeep::forget),
    )
    .with(json_body::<wire::Forget>(
        MAX_WORD_BYTES,
        "{\"path\": \"/home/anna/Pictures/old\"}",
    ))
    .for_owner()
    .refusing(&[404, 409]),
    get(
        "/api/v1/tokens",
        "listTokens",
        "Tokens, with what each is good for and when it was last used.",
        in_json!(tokens::list),
    )
    .for_owner(),
    change(
        Verb::Post,
        "/api/v1/tokens",
        "addToken",
        "Gives out a token, which is told this once.",
        in_json!(tokens::add),
    )
    .with(json_body::<wire::AddToken>(
        MAX_WORD_BYTES,
        "{\"name\": \"laptop\", \"scope\": \"label\"}",
    ))
    .for_owner()
    .refusing(&[409])
    .leading(&[Link {
        to: "removeToken",
        part: "token",
        from: "$response.body#/name",
    }]),
    change(
        Verb::Delete,
        "/api/v1/tokens/{token}",
        "removeToken",
        "Takes a token back, with the browsers that logged in by it.",
        in_json!(tokens::remove),
    )
    .for_owner(),
    get(
        "/api/v1/whoami",
        "whoAmI",
        "What whoever asks is let in for.",
        in_json!(always tokens::whoami),
    )
    .doing(Work::AtOnce),
    get(
        "/api/v1/events",
        "listenToEvents",
        "What happens to the library, as it happens (server-sent events).",
        (events::open, None),
    )
    .giving(events::MEDIA_TYPE)
    .doing(Work::Vital),
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
    use crate::store::Scope;

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
            ("GET", "/image/{image}"),
            ("GET", "/labels"),
            ("GET", "/labels/{set}"),
            ("GET", "/review/{set}/{label}"),
            ("GET", "/duplicates"),
            ("GET", "/map"),
            ("GET", "/library"),
            ("GET", "/ui/{version}/{file}"),
            ("GET", "/login"),
            ("POST", "/login"),
            ("POST", "/logout"),
            ("GET", "/health/live"),
            ("GET", "/health/ready"),
            ("GET", "/api/v1/openapi.json"),
            ("GET", "/api/v1/docs"),
        ];
        assert_eq!(open, expected);
        for route in ROUTES
            .iter()
            .filter(|route| route.scope == Some(Scope::Read))
        {
            let is_read =
                route.method == Verb::Get || matches!(route.work, Work::Reading | Work::Long);
            assert!(is_read, "{}", route.path);
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
        assert_eq!(parts("/api/v1/label-sets/x/"), (4, vec!["x"]));
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
