//! The program and the hub: what the environment says is honoured, and an unreachable hub is told plainly.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::lab::Lab;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A hub with one repository, `pixdex/tiny`; remembers the headers of each request.
struct Hub {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    fn start() -> Hub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &seen);
            }
        });
        Hub { address, requests }
    }
}

fn answer(mut stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let lines = BufReader::new(stream.try_clone().unwrap())
        .lines()
        .map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let Some(request) = head.first() else { return };
    let path = request.split(' ').nth(1).unwrap().to_owned();
    seen.lock().unwrap().push(head.join("\n").to_lowercase());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/gelu");
    let name = path.rsplit('/').next().unwrap();
    let is_file = path.contains("/resolve/") && folder.join(name).is_file();
    let (status, body) = match path.as_str() {
        _ if is_file => ("200 OK", std::fs::read(folder.join(name)).unwrap()),
        path if path.starts_with("/api/models/pixdex/tiny") => ("200 OK", repository()),
        _ => ("404 Not Found", Vec::new()),
    };
    let etag = blake3::hash(&body).to_hex();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\netag: \"{}\"\r\nx-repo-commit: {COMMIT}\r\naccept-ranges: bytes\r\nconnection: close\r\n\r\n",
        body.len(),
        &etag[..40],
    )
    .unwrap();
    if !request.starts_with("HEAD") {
        let _ = stream.write_all(&body);
    }
}

fn repository() -> Vec<u8> {
    let files = [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "tokenizer.json",
    ];
    let siblings: Vec<_> = files
        .iter()
        .map(|name| serde_json::json!({ "rfilename": name }))
        .collect();
    serde_json::json!({ "id": "pixdex/tiny", "sha": COMMIT, "siblings": siblings })
        .to_string()
        .into_bytes()
}

#[test]
fn a_hub_model_is_downloaded_once_with_the_token_of_the_environment() {
    let lab = Lab::new();
    let hub = Hub::start();
    let home = lab.data().with_file_name("hub-home");
    let embed = || {
        let mut command =
            lab.command(&["embed", "--text", "x", "--model", "pixdex/tiny", "--json"]);
        command
            .env("HF_ENDPOINT", &hub.address)
            .env("HF_HOME", &home)
            .env("HF_TOKEN", "hf_secret");
        command.env_remove("HF_HUB_CACHE").output().unwrap()
    };
    let output = embed();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    assert!(
        log.contains("downloading") && log.contains("model.safetensors"),
        "{log}"
    );
    assert!(!log.contains("hf_secret"));
    assert!(home.join("hub/models--pixdex--tiny/snapshots").is_dir());
    let asked = std::mem::take(&mut *hub.requests.lock().unwrap());
    assert!(
        asked
            .iter()
            .all(|head| head.contains("authorization: bearer hf_secret")),
        "{asked:#?}"
    );
    let again = embed();
    assert_eq!(output.stdout, again.stdout);
    assert!(
        hub.requests.lock().unwrap().is_empty(),
        "the second start asks nothing"
    );
}

#[test]
fn an_unreachable_hub_names_the_offline_ways_out() {
    let lab = Lab::new();
    let mut command = lab.command(&["embed", "--text", "x", "--model", "pixdex/tiny"]);
    command
        .env("HF_ENDPOINT", "http://127.0.0.1:9")
        .env("HF_HOME", lab.data());
    let output = command.output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        error.contains("--model bundled") && error.contains("folder"),
        "{error}"
    );
}
