//! The HTTP interface: shapes of answers, and errors that help.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::lab::{COLOURS, Daemon, Lab, demo_library};

fn items(answer: &Value) -> &Vec<Value> {
    answer["items"]
        .as_array()
        .unwrap_or_else(|| panic!("no items in {answer}"))
}

fn served(lab: &Lab) -> (Daemon, Vec<pixdex::demo::Picture>) {
    lab.write_labels("colours", COLOURS);
    let pictures = demo_library(&lab.photos());
    let daemon = lab.serve();
    daemon.wait_for_images(145);
    (daemon, pictures)
}

#[test]
fn search_filters_and_pages() {
    let lab = Lab::new();
    let (daemon, pictures) = served(&lab);
    let (status, answer) = daemon.get("/api/v1/search?q=a+red+star&limit=5");
    assert_eq!(
        (status, items(&answer).len(), &answer["exact"]),
        (200, 5, &true.into())
    );
    let scores: Vec<f64> = items(&answer)
        .iter()
        .map(|item| item["score"].as_f64().unwrap())
        .collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    // Tags, folders and dates narrow it down.
    let (_, red) = daemon.get("/api/v1/search?q=anything&strictness=0&limit=1000&tag=colours/red");
    assert!(!items(&red).is_empty());
    assert!(items(&red).iter().all(|item| {
        item["tags"]
            .as_array()
            .unwrap()
            .iter()
            .any(|tag| tag["label"] == "red")
    }));
    let in_folder = pictures
        .iter()
        .filter(|picture| picture.path.starts_with("2021"))
        .count();
    let (_, folder) = daemon.get("/api/v1/search?q=anything&strictness=0&limit=1000&path=2021");
    let folder_paths = items(&folder)
        .iter()
        .flat_map(|item| item["paths"].as_array().unwrap());
    assert_eq!(
        folder_paths
            .filter(|path| path.as_str().unwrap().contains("/2021/"))
            .count(),
        in_folder
    );
    let (_, dated) =
        daemon.get("/api/v1/search?q=anything&strictness=0&limit=1000&after=2021&before=2022-06");
    assert!(!items(&dated).is_empty());
    for item in items(&dated) {
        let taken_at = item["taken_at"].as_str().unwrap();
        assert!(("2021".."2022-06").contains(&taken_at), "{taken_at}");
    }
    // An image of the library as the query: the nearest others, without itself.
    let id = items(&answer)[0]["id"].as_str().unwrap();
    let (_, similar) = daemon.get(&format!("/api/v1/search?similar={id}&limit=3"));
    assert_eq!(items(&similar).len(), 3);
    assert!(items(&similar).iter().all(|item| item["id"] != id));
    // Pages hold each image once.
    let mut seen = Vec::new();
    let mut address = "/api/v1/images?limit=40".to_owned();
    loop {
        let (_, page) = daemon.get(&address);
        seen.extend(
            items(&page)
                .iter()
                .map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["cursor"].as_str() else {
            break;
        };
        address = format!("/api/v1/images?limit=40&cursor={cursor}");
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((seen.len(), count), (145, 145));
}

#[test]
fn images_are_shown_whole_and_small() {
    let lab = Lab::new();
    let (daemon, pictures) = served(&lab);
    for picture in pictures.iter().step_by(9) {
        let path = lab.photos().join(&picture.path);
        let image = daemon.images().into_iter().find(|image| {
            image["paths"]
                .as_array()
                .unwrap()
                .iter()
                .any(|known| known.as_str().unwrap() == path.to_str().unwrap())
        });
        let image = image.unwrap();
        let address = format!("/api/v1/images/{}", image["id"].as_str().unwrap());
        assert_eq!(daemon.get(&address).1["path"], image["path"]);
        assert_eq!(
            daemon.bytes("GET", &format!("{address}/file"), &[], ""),
            (200, std::fs::read(path).unwrap())
        );
        for _ in 0..2 {
            let (status, bytes) =
                daemon.bytes("GET", &format!("{address}/thumbnail?size=150"), &[], "");
            let small = image::load_from_memory(&bytes).unwrap();
            assert_eq!((status, small.width().max(small.height())), (200, 160));
            let is_upright = (small.width() > small.height())
                == (image["width"].as_u64() > image["height"].as_u64());
            assert!(is_upright, "{}", picture.path.display());
        }
    }
}

#[test]
fn metadata_of_the_file_is_told() {
    let lab = Lab::new();
    let (daemon, _) = served(&lab);
    let images = daemon.images();
    let with = |key: &str| images.iter().filter(|image| !image[key].is_null()).count();
    assert!(
        with("taken_at") > 80 && with("camera") > 80,
        "{} {}",
        with("taken_at"),
        with("camera")
    );
    assert!(with("latitude") >= 12 && with("latitude") == with("longitude"));
    let formats: std::collections::BTreeSet<&str> = images
        .iter()
        .map(|image| image["format"].as_str().unwrap())
        .collect();
    assert_eq!(
        formats.into_iter().collect::<Vec<_>>(),
        ["bmp", "gif", "jpeg", "png", "tiff", "webp"]
    );
    let failures = daemon.get("/api/v1/failures").1;
    assert_eq!(failures["failures"].as_array().unwrap().len(), 1);
}

#[test]
fn mistakes_are_the_callers_and_are_told() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    let zeros = "0".repeat(64);
    let cases = [
        ("/api/v1/search", 400, "empty_query"),
        ("/api/v1/search?q=", 400, "empty_query"),
        ("/api/v1/search?q=a&limit=0", 400, "bad_limit"),
        ("/api/v1/search?q=a&limit=x", 400, "bad_limit"),
        ("/api/v1/search?q=a&strictness=101", 400, "bad_strictness"),
        ("/api/v1/search?q=a&facets=maybe", 400, "bad_parameter"),
        ("/api/v1/search?q=a&cursor=x", 400, "bad_cursor"),
        ("/api/v1/search?q=colour:red", 400, "bad_query"),
        ("/api/v1/search?q=a&after=May", 400, "bad_filter"),
        ("/api/v1/images?q=a", 400, "bad_query"),
        ("/api/v1/duplicates?by=name", 400, "bad_likeness"),
        ("/api/v1/duplicates?similarity=2", 400, "bad_likeness"),
        ("/api/v1/search?q=a&tags=red", 400, "unknown_parameter"),
        ("/api/v1/search?similar=abc", 400, "bad_image_id"),
        (
            &format!("/api/v1/search?similar={zeros}"),
            404,
            "unknown_image",
        ),
        (&format!("/api/v1/images/{zeros}"), 404, "unknown_image"),
        (
            "/api/v1/images/..%2F..%2Fetc%2Fpasswd/file",
            400,
            "bad_image_id",
        ),
        ("/api/v1/images?cursor=x", 400, "bad_cursor"),
        ("/api/v1/label-sets/none", 404, "unknown_label_set"),
        ("/api/v2/search", 404, "not_found"),
        ("/etc/passwd", 404, "not_found"),
    ];
    for (address, status, code) in cases {
        let (found, body) = daemon.get(address);
        assert_eq!(
            (found, body["code"].as_str()),
            (status, Some(code)),
            "{address}: {body}"
        );
        assert!(body["error"].as_str().unwrap().len() > 10, "{body}");
    }
    let (status, body) = daemon.send("POST", "/api/v1/tags", &[], "");
    assert_eq!((status, &body["code"]), (405, &json!("method_not_allowed")));
    assert!(refusal_of_a_large_body(&daemon).starts_with("HTTP/1.1 413"));
}

/// What the daemon says as soon as it is told how much is to come.
/// A misspelt parameter must not look like one that does nothing.
#[test]
fn every_address_refuses_parameters_that_it_does_not_know() {
    let lab = Lab::new();
    let daemon = lab.serve();
    let id = "ab".repeat(32);
    let image = format!("/api/v1/images/{id}");
    let decision = format!("{image}/decisions/a/b");
    let routes = [
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
        ("GET", "/api/v1/search"),
        ("POST", "/api/v1/search"),
        ("GET", "/api/v1/images"),
        ("GET", &image),
        ("GET", &format!("{image}/file")),
        ("GET", &format!("{image}/thumbnail")),
        ("GET", "/api/v1/duplicates"),
        ("GET", "/api/v1/tags"),
        ("GET", "/api/v1/label-sets"),
        ("GET", "/api/v1/label-sets/a"),
        ("PUT", "/api/v1/label-sets/a"),
        ("DELETE", "/api/v1/label-sets/a"),
        ("POST", "/api/v1/label-sets/a/preview"),
        ("PUT", &decision),
        ("DELETE", &decision),
        ("GET", "/api/v1/decisions"),
        ("POST", "/api/v1/decisions"),
        ("POST", "/api/v1/decisions/import"),
        ("GET", "/api/v1/status"),
        ("GET", "/api/v1/failures"),
        ("GET", "/api/v1/events"),
        ("POST", "/api/v1/rescan"),
    ];
    for (method, path) in routes {
        let (status, answer) = daemon.send(method, &format!("{path}?bogus=1"), &[], "{}");
        let about = format!("{method} {path}: {answer}");
        assert_eq!(
            (status, &answer["code"]),
            (400, &json!("unknown_parameter")),
            "{about}"
        );
        assert!(
            answer["error"].as_str().unwrap().contains("`bogus`"),
            "{about}"
        );
    }
    for path in [
        "search?q=a&q=b",
        "images?limit=1&limit=1",
        "decisions?set=a&set=b",
    ] {
        let (status, answer) = daemon.get(&format!("/api/v1/{path}"));
        assert_eq!(
            (status, &answer["code"]),
            (400, &json!("repeated_parameter")),
            "{path}"
        );
    }
    assert_eq!(
        daemon.get("/api/v1/images?tag=a&tag=b&path=c&path=d").0,
        200
    );
}

fn refusal_of_a_large_body(daemon: &Daemon) -> String {
    let mut stream = TcpStream::connect(&daemon.address).unwrap();
    let head =
        "PUT /api/v1/label-sets/x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2000000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

#[test]
fn pages_of_others_are_kept_out() {
    let lab = Lab::new();
    let daemon = lab.serve();
    let with = |name, value| daemon.send("GET", "/api/v1/tags", &[(name, value)], "").0;
    assert_eq!(with("host", "localhost"), 200);
    assert_eq!(with("host", "evil.example"), 403);
    assert_eq!(with("origin", "http://evil.example"), 403);
    assert_eq!(with("origin", &format!("http://{}", daemon.address)), 200);
}

#[test]
fn every_view_is_the_page_and_its_files_are_kept() {
    let lab = Lab::new();
    let daemon = lab.serve();
    let page = String::from_utf8(daemon.bytes("GET", "/", &[], "").1).unwrap();
    assert!(page.contains("<title>pixdex") && !page.contains("{ui}"));
    for view in [
        "/labels",
        "/labels/a%2Fb",
        "/review/a/b",
        "/duplicates",
        "/map",
        "/library",
        "/image/x?q=y",
    ] {
        assert_eq!(
            daemon.bytes("GET", view, &[], "").1,
            page.as_bytes(),
            "{view}"
        );
    }
    let files = page.split('"').filter(|text| text.starts_with("/ui/"));
    for file in files {
        let response = daemon.respond("GET", file, &[], "");
        assert_eq!(response.status(), 200, "{file}");
        let cache = response.headers()["cache-control"].to_str().unwrap();
        assert!(cache.contains("immutable"), "{file}: {cache}");
    }
    let other = daemon.page_file("main.js").replace("/ui/", "/ui/0");
    let (status, answer) = daemon.get(&other);
    assert_eq!((status, &answer["code"]), (404, &json!("unknown_file")));
}
