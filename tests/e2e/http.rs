//! What HTTP's standards say of every address: methods, types, conditions, parts, packing, and what browsers are told.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::lab::{Daemon, Lab, jpeg, limited};

fn lab() -> (Lab, Daemon, String) {
    let lab = Lab::new();
    lab.add("a \"b\" é.png", 1);
    lab.write_labels("set", "[[labels]]\nname = 'one'\n");
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    let id = daemon.images()[0]["id"].as_str().unwrap().to_owned();
    (lab, daemon, id)
}

/// Status, headers and body of an answer.
struct Answer {
    status: u16,
    headers: ureq::http::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        body["code"].as_str().unwrap().to_owned()
    }
}

fn ask(daemon: &Daemon, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    // ureq would unpack what it is not asked to.
    let headers = [headers, &[("accept-encoding", "identity")]].concat();
    let mut response = daemon.respond(method, path, &headers, body);
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.body_mut().read_to_vec().unwrap(),
    }
}

fn get(daemon: &Daemon, path: &str, headers: &[(&str, &str)]) -> Answer {
    ask(daemon, "GET", path, headers, "")
}

/// Addresses of every sort, with what each takes.
fn addresses(id: &str) -> Vec<(String, &'static str)> {
    let of_image = |rest: &str| format!("/api/v1/images/{id}{rest}");
    vec![
        ("/".to_owned(), "GET, HEAD, OPTIONS"),
        (
            "/?q=red+car&from=elsewhere".to_owned(),
            "GET, HEAD, OPTIONS",
        ),
        ("/labels/set".to_owned(), "GET, HEAD, OPTIONS"),
        ("/health/live".to_owned(), "GET, HEAD, OPTIONS"),
        ("/health/ready".to_owned(), "GET, HEAD, OPTIONS"),
        ("/api/v1/images".to_owned(), "GET, HEAD, OPTIONS"),
        ("/api/v1/tags".to_owned(), "GET, HEAD, OPTIONS"),
        (of_image(""), "GET, HEAD, OPTIONS"),
        (of_image("/file"), "GET, HEAD, OPTIONS"),
        (of_image("/thumbnail"), "GET, HEAD, OPTIONS"),
        ("/api/v1/search?q=a".to_owned(), "GET, POST, HEAD, OPTIONS"),
        (
            "/api/v1/label-sets/set".to_owned(),
            "GET, PUT, DELETE, PATCH, HEAD, OPTIONS",
        ),
        (of_image("/decisions/set/one"), "PUT, DELETE, OPTIONS"),
        ("/api/v1/rescan".to_owned(), "POST, OPTIONS"),
    ]
}

#[test]
fn every_address_tells_its_methods_and_its_head() {
    let (_lab, daemon, id) = lab();
    for (path, allowed) in addresses(&id) {
        let options = ask(&daemon, "OPTIONS", &path, &[], "");
        assert_eq!(
            (options.status, options.header("allow")),
            (204, allowed),
            "{path}"
        );
        let method = if allowed.contains("PATCH") {
            "POST"
        } else {
            "PATCH"
        };
        let other = ask(&daemon, method, &path, &[], "");
        assert_eq!(
            (other.status, other.header("allow")),
            (405, allowed),
            "{path}"
        );
        assert_eq!(other.code(), "method_not_allowed");
        if !allowed.contains("GET") {
            assert_eq!(ask(&daemon, "HEAD", &path, &[], "").status, 405, "{path}");
            continue;
        }
        let whole = get(&daemon, &path, &[]);
        let head = ask(&daemon, "HEAD", &path, &[], "");
        assert_eq!((whole.status, head.status), (200, 200), "{path}");
        assert!(head.body.is_empty(), "{path}");
        for name in ["content-type", "content-length", "cache-control", "etag"] {
            assert!(!whole.header(name).is_empty(), "{path} {name}");
            assert_eq!(whole.header(name), head.header(name), "{path} {name}");
        }
        // What is there already is not sent again, and tells what it was by.
        let tag = whole.header("etag");
        for known in [tag.to_owned(), format!("\"other\", {tag}"), "*".to_owned()] {
            let again = get(&daemon, &path, &[("if-none-match", &known)]);
            assert_eq!((again.status, again.body.len()), (304, 0), "{path} {known}");
            assert_eq!(again.header("etag"), tag, "{path}");
        }
        let other = get(&daemon, &path, &[("if-none-match", "\"other\"")]);
        assert_eq!(
            (other.status, other.body == whole.body),
            (200, true),
            "{path}"
        );
    }
    // What is done is done again, and kept by nobody.
    let search = "/api/v1/search";
    let found = ask(
        &daemon,
        "POST",
        search,
        &[("if-none-match", "*")],
        "{\"q\": \"a\"}",
    );
    assert_eq!((found.status, found.header("etag")), (200, ""));
    assert_eq!(found.header("cache-control"), "no-store");
    for path in [
        "/none",
        "/api/v1/none",
        "/api/v1/images/a/b",
        "/api/v2/images",
    ] {
        let none = ask(&daemon, "OPTIONS", path, &[], "");
        assert_eq!(
            (none.status, none.code().as_str()),
            (404, "not_found"),
            "{path}"
        );
    }
}

#[test]
fn originals_are_given_in_parts() {
    let (lab, daemon, id) = lab();
    let path = format!("/api/v1/images/{id}/file");
    let bytes = fs::read(lab.photo("a \"b\" é.png")).unwrap();
    let length = bytes.len();
    let whole = get(&daemon, &path, &[]);
    assert_eq!((whole.status, &whole.body), (200, &bytes));
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(
        whole.header("content-disposition"),
        "inline; filename=\"a__b___.png\"; filename*=UTF-8''a%20%22b%22%20%C3%A9.png"
    );
    let (tag, modified) = (whole.header("etag"), whole.header("last-modified"));
    assert_eq!(tag, format!("\"{id}\""));
    for (range, part) in [
        ("bytes=0-9", 0..10),
        ("bytes=100-", 100..length),
        ("bytes=-7", length - 7..length),
        ("bytes=5-999999999", 5..length),
    ] {
        for condition in [None, Some(tag), Some(modified)] {
            let mut headers = vec![("range", range)];
            headers.extend(condition.map(|condition| ("if-range", condition)));
            let answer = get(&daemon, &path, &headers);
            assert_eq!(
                (answer.status, &answer.body),
                (206, &bytes[part.clone()].to_vec()),
                "{range}"
            );
            let said = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            assert_eq!(answer.header("content-range"), said);
            let length = part.len().to_string();
            assert_eq!(answer.header("content-length"), length);
        }
    }
    // Of another file, in several parts, or in other units: the whole.
    for headers in [
        [("range", "bytes=0-9"), ("if-range", "\"other\"")],
        [
            ("range", "bytes=0-9"),
            ("if-range", "Mon, 01 Jan 2001 00:00:00 GMT"),
        ],
        [("range", "bytes=0-1,4-5"), ("accept", "*/*")],
        [("range", "pages=1-2"), ("accept", "*/*")],
    ] {
        let answer = get(&daemon, &path, &headers);
        assert_eq!(
            (answer.status, answer.body.len()),
            (200, length),
            "{headers:?}"
        );
    }
    let head = ask(&daemon, "HEAD", &path, &[("range", "bytes=0-9")], "");
    let said = head.header("content-length");
    assert_eq!((head.status, said), (200, &*length.to_string()));
    let behind = get(&daemon, &path, &[("range", "bytes=99999999-")]);
    assert_eq!(
        (behind.status, behind.code().as_str()),
        (416, "no_such_part")
    );
    assert_eq!(behind.header("content-range"), format!("bytes */{length}"));
    let since = get(&daemon, &path, &[("if-modified-since", modified)]);
    assert_eq!(since.status, 304);
    let long_ago = "Mon, 01 Jan 2001 00:00:00 GMT";
    let since = get(&daemon, &path, &[("if-modified-since", long_ago)]);
    assert_eq!(since.status, 200);
}

#[test]
fn texts_are_packed_for_who_unpacks_them() {
    let (_lab, daemon, _) = lab();
    // ureq would unpack it unseen.
    let raw = |path: &str, encoding: &str| {
        let mut stream = TcpStream::connect(&daemon.address).unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\naccept-encoding: {encoding}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        (head.to_lowercase(), answer[end + 4..].to_vec())
    };
    let file = daemon.page_file("main.js");
    let (head, plain) = raw(&file, "identity");
    assert!(!head.contains("content-encoding") && head.contains("vary: accept-encoding"));
    let (packed_head, packed) = raw(&file, "br, gzip");
    assert!(
        packed_head.contains("content-encoding: gzip"),
        "{packed_head}"
    );
    assert!(packed.len() * 2 < plain.len());
    let mut unpacked = Vec::new();
    GzDecoder::new(&packed[..])
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, plain);
    // Two representations have two tags.
    let tag = |head: &str| {
        let line = head.lines().find(|line| line.starts_with("etag:"));
        line.unwrap().to_owned()
    };
    assert_ne!(tag(&head), tag(&packed_head));
    assert!(
        !raw("/health/live", "gzip").0.contains("content-encoding"),
        "too short to be worth it"
    );
}

#[test]
fn types_that_are_not_meant_are_refused_by_name() {
    let (_lab, daemon, id) = lab();
    let search = "/api/v1/search";
    let typed = |content_type| {
        let headers = [("content-type", content_type)];
        ask(&daemon, "POST", search, &headers, "{\"q\": \"a\"}")
    };
    for content_type in ["application/json", "Application/JSON; charset=utf-8"] {
        assert_eq!(typed(content_type).status, 200, "{content_type}");
    }
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "image/png",
        "x",
    ] {
        let refused = typed(content_type);
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (415, "unsupported_type")
        );
        assert!(String::from_utf8_lossy(&refused.body).contains("application/json"));
    }
    for (accept, path, status) in [
        ("text/html", search.to_owned() + "?q=a", 406),
        ("text/html, */*;q=0.1", search.to_owned() + "?q=a", 200),
        ("application/json;q=0", "/api/v1/tags".to_owned(), 406),
        ("image/*", format!("/api/v1/images/{id}/thumbnail"), 200),
        (
            "image/avif,image/webp",
            format!("/api/v1/images/{id}/thumbnail"),
            406,
        ),
        (
            "image/avif,image/webp",
            format!("/api/v1/images/{id}/file"),
            200,
        ),
    ] {
        let answer = get(&daemon, &path, &[("accept", accept)]);
        assert_eq!(answer.status, status, "{accept} {path}");
    }
}

/// What is wrong with a request is told in JSON, whatever it is.
#[test]
fn every_refusal_is_json() {
    let (_lab, daemon, _) = lab();
    let long = format!("/api/v1/images?path={}", "a".repeat(20_000));
    let refused = get(&daemon, &long, &[]);
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (414, "address_too_long")
    );
    let large = "a".repeat(70_000);
    let refused = get(&daemon, "/api/v1/tags", &[("x-large", &large)]);
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (431, "headers_too_large")
    );
    let refused = get(&daemon, "/api/v1/label-sets/%FF", &[]);
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (400, "bad_address")
    );
    // A body in chunks, which says nowhere how long it is.
    let chunked = |chunks: &[&str]| {
        let mut stream = TcpStream::connect(&daemon.address).unwrap();
        let head = "POST /api/v1/search HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
        let chunks = chunks
            .iter()
            .map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len()));
        let request = head.to_owned() + &chunks.collect::<String>() + "0\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = chunked(&["{\"q\"", ": \"a\"}"]);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn browsers_are_told_to_keep_it_to_themselves() {
    let (_lab, daemon, id) = lab();
    for (path, _) in addresses(&id) {
        let answer = get(&daemon, &path, &[]);
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
            "{path}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
        // No page of another site learns from an answer whether a picture is here.
        for site in ["cross-site", "same-site"] {
            let headers = [("sec-fetch-site", site), ("sec-fetch-mode", "no-cors")];
            assert_eq!(get(&daemon, &path, &headers).status, 403, "{path}");
        }
    }
    let visit = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
    ];
    assert_eq!(get(&daemon, "/", &visit).status, 200);
}

/// The connections of this end are files too.
#[cfg(unix)]
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = maximum;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}

/// Whoever only holds connections keeps nobody out, and no reader of events either.
#[cfg(unix)]
#[test]
fn many_idle_connections_leave_room_for_others() {
    allow_many_files();
    let lab = Lab::new();
    lab.add("a.png", 1);
    let serve = lab.command(&["serve", "--listen", "127.0.0.1:0"]);
    let daemon = Daemon::start(limited(&lab, &serve, 256));
    daemon.wait_for_images(1);
    let connect = || TcpStream::connect(&daemon.address);
    let mut events: Vec<_> = (0..40).map(|_| connect().unwrap()).collect();
    for stream in &mut events {
        let head = "GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).unwrap();
        assert_eq!(&start, b"HTTP/1.1 200");
    }
    // Some say nothing, and some never end what they say.
    let mut idle = Vec::new();
    for at in 0..1000 {
        let mut stream = connect().unwrap();
        if at % 2 == 0 {
            let _ = stream.write_all(b"GET /api/v1/tags HTTP/1.1\r\nhost: ");
        }
        idle.push(stream);
    }
    for _ in 0..50 {
        assert_eq!(daemon.images().len(), 1);
    }
    assert_eq!(daemon.get("/health/ready").0, 200);
    lab.add("b.png", 2);
    daemon.wait_for_images(2);
    // A reader of events was cut off neither.
    for stream in &mut events {
        let mut told = Vec::new();
        let mut bytes = [0; 1024];
        while !String::from_utf8_lossy(&told).contains("event:image") {
            let count = stream.read(&mut bytes).unwrap();
            assert!(count > 0, "a reader was cut off");
            told.extend_from_slice(&bytes[..count]);
        }
    }
}

#[test]
fn long_lists_are_given_in_pages() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    (0..5).for_each(|at| fs::write(lab.photo(&format!("{at}.jpg")), "no picture").unwrap());
    let label = |at| format!("[[labels]]\nname = 'label {at}'\n");
    let labels = (0..9).map(label).collect::<Vec<_>>().concat();
    lab.write_labels("set", &labels);
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    daemon.wait_until(|daemon| {
        let failures = daemon.get("/api/v1/failures").1["failures"].clone();
        failures
            .as_array()
            .is_some_and(|failures| failures.len() == 5)
    });
    let id = daemon.images()[0]["id"].as_str().unwrap().to_owned();
    for at in 0..9 {
        let path = format!("/api/v1/images/{id}/decisions/set/label%20{at}");
        let body = "{\"decision\": \"confirmed\"}";
        assert_eq!(ask(&daemon, "PUT", &path, &[], body).status, 200);
    }
    for (list, count) in [("decisions", 9_usize), ("tags", 9), ("failures", 5)] {
        let (mut all, mut pages, mut cursor) = (Vec::new(), 0, String::new());
        loop {
            let path = format!("/api/v1/{list}?limit=2{cursor}");
            let (status, page) = daemon.get(&path);
            assert_eq!(status, 200, "{path}: {page}");
            let entries = page[list].as_array().unwrap().clone();
            assert!((1..=2).contains(&entries.len()), "{page}");
            all.extend(entries);
            pages += 1;
            match page["cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!((all.len(), pages), (count, count.div_ceil(2)), "{list}");
        let whole = daemon.get(&format!("/api/v1/{list}")).1;
        let whole = whole[list].as_array().unwrap();
        assert!(all.iter().all(|entry| whole.contains(entry)), "{list}");
        let none = get(&daemon, &format!("/api/v1/{list}?cursor=none"), &[]);
        assert_eq!((none.status, none.code().as_str()), (400, "bad_cursor"));
    }
}

/// Large bodies that come at once are held in memory up to a bound, and the rest is told to come back.
#[cfg(target_os = "linux")]
#[test]
fn large_bodies_at_once_take_bounded_memory() {
    const BODY_BYTES: usize = 30 << 20;
    let (_lab, daemon, _) = lab();
    let before_kb = daemon.peak_kb();
    let send = || {
        let mut stream = TcpStream::connect(&daemon.address).unwrap();
        let head = format!(
            "POST /api/v1/search HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
            BODY_BYTES + 1
        );
        stream.write_all(head.as_bytes()).unwrap();
        let piece = vec![b' '; 1 << 20];
        // All but the last byte; where it is turned away the daemon reads no further.
        for _ in 0..BODY_BYTES >> 20 {
            if stream.write_all(&piece).is_err() {
                break;
            }
        }
        stream
    };
    let streams: Vec<TcpStream> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..40).map(|_| scope.spawn(send)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let taken_kb = daemon.peak_kb() - before_kb;
    assert!(taken_kb < 700 << 10, "{taken_kb} kB for bodies of 1,200 MB");
    assert_eq!(daemon.get("/api/v1/tags").0, 200);
    drop(streams);
}

#[test]
fn who_is_not_ready_says_what_is_wrong() {
    let (lab, daemon, _) = lab();
    let ready = || get(&daemon, "/health/ready", &[]);
    assert_eq!(ready().status, 200);
    let database = rusqlite::Connection::open(lab.data().join("library.db")).unwrap();
    let rename = |from: &str, to: &str| {
        let legacy = database.pragma_update(None, "legacy_alter_table", true);
        legacy.unwrap();
        let rename = format!("ALTER TABLE {from} RENAME TO {to}");
        database.execute_batch(&rename).unwrap();
    };
    rename("files", "away");
    // It is looked at again in a moment.
    daemon.wait_until(|_| ready().status == 503);
    let refused = ready();
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (503, "not_ready")
    );
    assert!(String::from_utf8_lossy(&refused.body).contains("database"));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(get(&daemon, "/health/live", &[]).status, 200);
    rename("away", "files");
    daemon.wait_until(|_| ready().status == 200);
}

#[test]
fn figures_are_told_in_the_words_of_prometheus() {
    let (_lab, daemon, id) = lab();
    for path in [
        format!("/api/v1/images/{id}"),
        format!("/api/v1/images/{id}/thumbnail"),
        format!("/api/v1/images/{id}/thumbnail"),
        "/api/v1/search?q=red".to_owned(),
        format!("/api/v1/search?q=red&similar={id}"),
        "/api/v1/images/zzz".to_owned(),
        "/zzz/x".to_owned(),
    ] {
        get(&daemon, &path, &[]);
    }
    let answer = get(
        &daemon,
        "/metrics",
        &[(
            "accept",
            "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
        )],
    );
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    let text = String::from_utf8(answer.body).unwrap();
    for line in [
        "pixdex_images 1",
        "pixdex_files{state=\"indexed\"} 1",
        "pixdex_files_indexed_total 1",
        "pixdex_trouble 0",
        "pixdex_label_sets 1",
        "pixdex_http_request_seconds_count{method=\"GET\",path=\"/api/v1/images/{image}\",status=\"400\"} 1",
        "pixdex_stage_seconds_count{stage=\"decode\"} 1",
        "pixdex_stage_seconds_count{stage=\"write\"} 1",
        "pixdex_batch_pictures_sum 1.0",
        "pixdex_embeddings_total{from=\"model\"} 1",
        "pixdex_search_seconds_count{kind=\"description\"} 1",
        "pixdex_search_seconds_count{kind=\"mixed\"} 1",
        "pixdex_thumbnails_total{from=\"made\"} 1",
        "pixdex_thumbnails_total{from=\"kept\"} 1",
        "# EOF",
    ] {
        assert!(text.lines().any(|told| told == line), "{line}: {text}");
    }
    assert!(text.contains("pixdex_search_part_seconds_count{part=\"compare\"} "));
    assert!(
        text.contains("pixdex_decoding_memory_bytes ")
            && text.contains("pixdex_folder_online{folder=")
    );
    // Rules and the board ask for what there is.
    let asked = concat!(
        include_str!("../../config/alerts.yml"),
        include_str!("../../config/grafana.json")
    );
    let names = asked.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names: Vec<&str> = names.filter(|name| name.starts_with("pixdex_")).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        // Of hooks there are none here.
        let is_told = text.contains(&format!("\n{name}")) || name.starts_with("pixdex_hook_");
        assert!(is_told, "{name}: {text}");
    }
    assert!(
        !text.contains(&id) && !text.contains("zzz"),
        "no address is a figure of its own: {text}"
    );
}

#[test]
fn images_are_listed_in_every_order_page_by_page() {
    let lab = Lab::new();
    for (name, seed) in [("c.png", 1), ("a.png", 300), ("b.png", 7), ("d.png", 2)] {
        lab.add(name, seed);
    }
    fs::write(lab.photo("e.jpg"), jpeg(1)).unwrap();
    let daemon = lab.serve();
    daemon.wait_for_images(5);
    let all = daemon.images();
    let text = |item: &Value, field: &str| item[field].as_str().unwrap_or_default().to_owned();
    for order in ["taken", "added", "name", "size"] {
        let pages = |order: &str| {
            let (mut items, mut cursor) = (Vec::new(), String::new());
            loop {
                let path =
                    format!("/api/v1/images?order={order}&limit=2&total=true&cursor={cursor}");
                let (status, page) = daemon.get(&path);
                assert_eq!((status, &page["total"]), (200, &5.into()), "{order}");
                items.extend(page["items"].as_array().unwrap().clone());
                match page["cursor"].as_str() {
                    Some(next) => next.clone_into(&mut cursor),
                    None => return items,
                }
            }
        };
        let (up, mut down) = (pages(order), pages(&format!("-{order}")));
        down.reverse();
        assert_eq!((up.len(), &up), (5, &down), "{order}");
        let mut sorted = all.clone();
        match order {
            "taken" => sorted.sort_by_key(|item| text(item, "taken_at")),
            "name" => sorted.sort_by_key(|item| text(item, "path")),
            "size" => sorted.sort_by_key(|item| item["size_bytes"].as_i64()),
            _ => sorted.reverse(),
        }
        let field = |items: &[Value]| -> Vec<String> {
            let of = |item: &Value| match order {
                "taken" => text(item, "taken_at"),
                "size" => item["size_bytes"].to_string(),
                _ => text(item, "path"),
            };
            items.iter().map(of).collect()
        };
        assert_eq!(field(&up), field(&sorted), "{order}");
    }
    let first = daemon.get("/api/v1/images?order=size&limit=2").1["cursor"].clone();
    let other = format!(
        "/api/v1/images?order=name&cursor={}",
        first.as_str().unwrap()
    );
    assert_eq!(daemon.get(&other).1["code"], "bad_cursor");
    assert_eq!(
        daemon.get("/api/v1/images?order=score").1["code"],
        "bad_order"
    );
    assert_eq!(
        daemon.get("/api/v1/search?q=red&order=size").1["code"],
        "bad_order"
    );
    let counted = daemon
        .get("/api/v1/search?q=red+strictness:0&total=true&limit=1")
        .1;
    assert!(
        counted["total"].as_u64().unwrap() >= 1 && counted["facets"].is_null(),
        "{counted}"
    );
    // Groups page by page, the largest first.
    for (copy, of) in [("c2.png", 1), ("c3.png", 1), ("a2.png", 300)] {
        lab.add(copy, of);
    }
    daemon.wait_until(|daemon| daemon.get("/api/v1/duplicates?by=hash").1["total"] == 2);
    let first = daemon.get("/api/v1/duplicates?by=hash&limit=1").1;
    let next = format!(
        "/api/v1/duplicates?by=hash&limit=1&cursor={}",
        first["cursor"].as_str().unwrap()
    );
    let second = daemon.get(&next).1;
    assert_ne!(
        first["groups"][0]["images"][0]["id"],
        second["groups"][0]["images"][0]["id"]
    );
    assert!(second["cursor"].is_null());
    assert_eq!(
        daemon.get("/api/v1/duplicates?cursor=x").1["code"],
        "bad_cursor"
    );
    assert_eq!(
        daemon.get("/api/v1/tags?total=true&limit=1").1["total"].as_u64(),
        Some(0)
    );
}

#[test]
fn who_changes_what_another_changed_meanwhile_is_told() {
    let (_lab, daemon, _) = lab();
    let set = |name: &str| format!("/api/v1/label-sets/{name}");
    let text = |label: &str| format!("[[labels]]\nname = '{label}'\n");
    let put = |name: &str, condition: (&str, &str), label: &str| {
        let answer = ask(&daemon, "PUT", &set(name), &[condition], &text(label));
        let code = if answer.status == 200 {
            String::new()
        } else {
            answer.code()
        };
        (answer.status, code)
    };
    let fine = (200, String::new());
    let failed = (412, "condition_failed".to_owned());
    let seen = get(&daemon, &set("set"), &[]).header("etag").to_owned();
    assert_eq!(put("set", ("if-match", &seen), "two"), fine);
    assert_eq!(put("set", ("if-match", &seen), "three"), failed);
    let now = get(&daemon, &set("set"), &[]);
    assert!(String::from_utf8(now.body.clone()).unwrap().contains("two"));
    let packed = now
        .header("etag")
        .replacen('"', "", 1)
        .replace('"', "-gzip\"");
    let either = format!("\"other\", \"{packed}");
    assert_eq!(put("set", ("if-match", &either), "four"), fine);
    assert_eq!(put("set", ("if-match", "*"), "five"), fine);
    assert_eq!(put("set", ("if-none-match", "*"), "six"), failed);
    assert_eq!(put("new", ("if-match", "*"), "six"), failed);
    assert_eq!(put("new", ("if-none-match", "*"), "six"), fine);
    let gone = ask(
        &daemon,
        "DELETE",
        &set("new"),
        &[("if-match", "\"other\"")],
        "",
    );
    assert_eq!(gone.status, 412);
    let tag = get(&daemon, &set("new"), &[]).header("etag").to_owned();
    let gone = ask(&daemon, "DELETE", &set("new"), &[("if-match", &tag)], "");
    assert_eq!(gone.status, 200);
}

#[test]
fn a_request_has_a_number_which_its_proxy_may_give() {
    let (_lab, daemon, _) = lab();
    let number = |given: &[(&str, &str)]| {
        let answer = get(&daemon, "/api/v1/tags", given);
        answer.header("x-request-id").to_owned()
    };
    assert_eq!(number(&[("x-request-id", "proxy-17.a")]), "proxy-17.a");
    let (first, second) = (number(&[]), number(&[("x-request-id", "a b;c")]));
    assert!(first != second && first.len() == 8, "{first} {second}");
    let refused = get(&daemon, "/none", &[("x-request-id", "x")]);
    assert_eq!((refused.status, refused.header("x-request-id")), (404, "x"));
}
