//! A small HTTP server that plays the model hub, well or badly, and remembers what it was asked.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use pixdex::model::HubSettings;
use ring::digest::{SHA256, digest};
use tempfile::TempDir;

pub(crate) const COMMIT: &str = "1111111111111111111111111111111111111111";
pub(crate) const WEIGHTS: &str = "model.safetensors";
pub(crate) const CONFIG: &str = r#"{"model_type": "clip", "projection_dim": 4,
    "text_config": {"hidden_size": 8, "num_attention_heads": 2, "vocab_size": 6, "eos_token_id": 5},
    "vision_config": {"hidden_size": 8, "num_attention_heads": 2, "image_size": 32, "patch_size": 16}}"#;
pub(crate) const SMALL_FILES: [(&str, &str); 4] = [
    ("config.json", CONFIG),
    (
        "preprocessor_config.json",
        r#"{"size": 32, "crop_size": 32}"#,
    ),
    (
        "vocab.json",
        r#"{"a": 0, "b": 1, "a</w>": 2, "b</w>": 3, "<|startoftext|>": 4, "<|endoftext|>": 5}"#,
    ),
    ("merges.txt", "#version: 0.2\n"),
];

/// A safetensors file of about 200 kB.
pub(crate) fn safetensors(fill: u8) -> Vec<u8> {
    let header =
        r#"{"logit_scale": {"dtype": "U8", "shape": [200000], "data_offsets": [0, 200000]}}"#;
    let length = (header.len() as u64).to_le_bytes();
    [length.as_slice(), header.as_bytes(), &vec![fill; 200_000]].concat()
}

/// What the hub does with one request instead of answering it well.
#[derive(Clone)]
pub(crate) enum Trouble {
    /// Sends this many bytes of what it announced, then hangs up.
    Cut(usize),
    /// Answers with a page and this status.
    Page(u16),
    /// Answers with the file's length in other bytes.
    Garbage,
    /// Answers with a page under the file's own headers.
    Disguise,
    /// Sends the whole file although a part was asked for.
    IgnoresRange,
    /// Says nothing.
    Silence,
    /// Is out of order for a while.
    Down,
}

/// A file of a revision.
#[derive(Clone)]
pub(crate) struct Stored {
    commit: &'static str,
    bytes: Vec<u8>,
}

/// What the server knows and has seen.
#[derive(Default)]
pub(crate) struct World {
    /// By path, with slashes in the revision.
    files: HashMap<String, Stored>,
    /// JSON answers of the API, by path and query.
    pub(crate) pages: HashMap<String, String>,
    /// Where else a path lies.
    pub(crate) redirects: HashMap<String, String>,
    /// Played in order, one for each body that is asked for.
    troubles: HashMap<String, Vec<Trouble>>,
    /// The answer to everything.
    pub(crate) status: Option<u16>,
    /// Whoever has not got it is refused.
    pub(crate) token: Option<&'static str>,
    pub(crate) requests: Vec<Request>,
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    pub(crate) authorization: Option<String>,
    pub(crate) sent_bytes: usize,
}

pub(crate) struct Hub {
    pub(crate) endpoint: String,
    world: Arc<Mutex<World>>,
}

impl Hub {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let world = Arc::new(Mutex::new(World::default()));
        let shared = Arc::clone(&world);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let world = Arc::clone(&shared);
                thread::spawn(move || serve(&stream.unwrap(), &world));
            }
        });
        Self { endpoint, world }
    }

    /// A hub with one model, `a/clip`, at `main`.
    pub(crate) fn with_model() -> Self {
        let hub = Self::start();
        hub.put("main", WEIGHTS, COMMIT, safetensors(1));
        hub.put_small_files("main", COMMIT);
        hub
    }

    pub(crate) fn put(
        &self,
        revision: &str,
        file: &str,
        commit: &'static str,
        bytes: impl Into<Vec<u8>>,
    ) {
        self.put_in("a/clip", revision, file, commit, bytes);
    }

    pub(crate) fn put_in(
        &self,
        repo: &str,
        revision: &str,
        file: &str,
        commit: &'static str,
        bytes: impl Into<Vec<u8>>,
    ) {
        let path = format!("/{repo}/resolve/{revision}/{file}");
        self.world().files.insert(
            path,
            Stored {
                commit,
                bytes: bytes.into(),
            },
        );
    }

    pub(crate) fn put_small_files(&self, revision: &str, commit: &'static str) {
        self.put_small_files_in("a/clip", revision, commit);
    }

    pub(crate) fn put_small_files_in(&self, repo: &str, revision: &str, commit: &'static str) {
        for (file, text) in SMALL_FILES {
            self.put_in(repo, revision, file, commit, text);
        }
    }

    pub(crate) fn remove(&self, file: &str) {
        self.world()
            .files
            .remove(&format!("/a/clip/resolve/main/{file}"));
    }

    pub(crate) fn trouble(&self, file: &str, troubles: &[Trouble]) {
        self.world()
            .troubles
            .insert(format!("/a/clip/resolve/main/{file}"), troubles.to_vec());
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// The requests for a file's content, without those that only asked about it.
    pub(crate) fn bodies(&self, file: &str) -> Vec<Request> {
        let asked = |request: &&Request| request.path.ends_with(file) && !is_question(request);
        self.world()
            .requests
            .iter()
            .filter(asked)
            .cloned()
            .collect()
    }

    pub(crate) fn settings(&self, cache: &TempDir) -> HubSettings {
        HubSettings {
            endpoint: self.endpoint.clone(),
            cache_dir: cache.path().join("hub"),
            token: None,
            timeout: Duration::from_secs(5),
        }
    }
}

fn is_question(request: &Request) -> bool {
    request.range.as_deref() == Some("bytes=0-0")
}

fn serve(stream: &TcpStream, world: &Mutex<World>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader) {
        let reply = reply_and_remember(request, &mut world.lock().unwrap());
        if reply.head.is_empty() {
            return thread::sleep(Duration::from_secs(2));
        }
        let mut stream = stream;
        let head = stream.write_all(reply.head.as_bytes());
        // The other end may have had enough of the body: that is its right.
        if head.and_then(|()| stream.write_all(&reply.body)).is_err() || reply.hang_up {
            return;
        }
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut request = Request {
        path,
        range: None,
        authorization: None,
        sent_bytes: 0,
    };
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else {
            return Some(request);
        };
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = Some(value.to_owned()),
            "authorization" => request.authorization = Some(value.to_owned()),
            _ => (),
        }
    }
}

struct Reply {
    head: String,
    body: Vec<u8>,
    hang_up: bool,
}

impl Reply {
    /// `headers` are lines that end in CR LF; the length is that of the body.
    fn new(status: &str, headers: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
        Self {
            head,
            body,
            hang_up: false,
        }
    }

    fn refusal(status: u16, code: &str) -> Self {
        Self::new(
            &format!("{status} No"),
            &format!("X-Error-Code: {code}\r\n"),
            "",
        )
    }
}

fn reply_and_remember(request: Request, world: &mut World) -> Reply {
    let reply = reply(&request, world);
    world.requests.push(Request {
        sent_bytes: reply.body.len(),
        ..request
    });
    reply
}

fn reply(request: &Request, world: &mut World) -> Reply {
    if let Some(status) = world.status {
        return Reply::refusal(status, "");
    }
    let wanted = world.token.map(|token| format!("Bearer {token}"));
    if wanted.is_some() && request.authorization != wanted {
        return Reply::refusal(401, "GatedRepo");
    }
    if let Some(json) = world.pages.get(&request.path) {
        return Reply::new("200 OK", "", json.as_str());
    }
    let path = request.path.replace("%2F", "/");
    if let Some(location) = world.redirects.get(&path) {
        return redirect(location, &world.files[&path]);
    }
    let Some(stored) = world.files.get(&path).cloned() else {
        return not_found(&path, world);
    };
    let troubles = world.troubles.entry(path).or_default();
    let next = (!is_question(request) && !troubles.is_empty()).then(|| troubles.remove(0));
    match next {
        None => stored.reply(request.range.as_deref()),
        Some(trouble) => trouble.reply(&stored, request),
    }
}

impl Stored {
    fn reply(&self, range: Option<&str>) -> Reply {
        let total = self.bytes.len();
        let names = format!(
            "ETag: \"{}\"\r\nX-Repo-Commit: {}\r\n",
            etag(&self.bytes),
            self.commit
        );
        let Some((start, end)) =
            range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
        else {
            return Reply::new("200 OK", &names, self.bytes.as_slice());
        };
        let start: usize = start.parse().unwrap();
        let end = end.parse().map_or(total, |last: usize| last + 1);
        if start >= total {
            return Reply::refusal(416, "RangeNotSatisfiable");
        }
        let headers = format!(
            "{names}Content-Range: bytes {start}-{}/{total}\r\n",
            end - 1
        );
        Reply::new("206 Partial Content", &headers, &self.bytes[start..end])
    }
}

impl Trouble {
    fn reply(&self, stored: &Stored, request: &Request) -> Reply {
        let good = stored.reply(request.range.as_deref());
        let length = good.body.len();
        match self {
            Self::Cut(length) => Reply {
                body: good.body[..*length].to_vec(),
                hang_up: true,
                ..good
            },
            Self::Garbage => Reply {
                body: vec![b'x'; length],
                ..good
            },
            Self::Disguise => {
                let page = "<!DOCTYPE html>".repeat(length);
                Reply {
                    body: page.as_bytes()[..length].to_vec(),
                    ..good
                }
            }
            Self::IgnoresRange => stored.reply(None),
            Self::Silence => Reply {
                head: String::new(),
                body: Vec::new(),
                hang_up: true,
            },
            Self::Page(status) => {
                let kind = "Content-Type: text/html; charset=utf-8\r\n";
                Reply::new(
                    &format!("{status} Hm"),
                    kind,
                    "<!DOCTYPE html><html>Sorry!</html>",
                )
            }
            Self::Down => Reply::refusal(502, ""),
        }
    }
}

/// Large files lie in a storage elsewhere that knows neither the commit nor the tag.
fn redirect(location: &str, stored: &Stored) -> Reply {
    let (commit, etag) = (stored.commit, etag(&stored.bytes));
    let names =
        format!("X-Repo-Commit: {commit}\r\nX-Linked-Etag: \"{etag}\"\r\nETag: \"a-storage\"\r\n");
    Reply::new("302 Found", &format!("Location: {location}\r\n{names}"), "")
}

fn not_found(path: &str, world: &World) -> Reply {
    let (repo, rest) = path.split_once("/resolve/").unwrap_or((path, ""));
    let revision = rest.rsplit_once('/').map_or("", |(revision, _)| revision);
    let any_in = |start: &str| world.files.keys().any(|known| known.starts_with(start));
    let code = if !any_in(&format!("{repo}/")) {
        "RepoNotFound"
    } else if !any_in(&format!("{repo}/resolve/{revision}/")) {
        "RevisionNotFound"
    } else {
        "EntryNotFound"
    };
    Reply::refusal(404, code)
}

/// The tag of a large file is its SHA-256, that of a small one is shorter, as on the real hub.
pub(crate) fn etag(bytes: &[u8]) -> String {
    let hash = digest(&SHA256, bytes);
    let hex: String = hash
        .as_ref()
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    if bytes.len() > 2000 {
        hex
    } else {
        hex[..40].to_owned()
    }
}
