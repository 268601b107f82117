//! Hooks hear that an image gained a label, at least once, and the event stream says the same.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use serde_json::{Value, json};

use crate::events::Stream;
use crate::lab::{DEADLINE, Daemon, Lab};

/// A set in which every picture is `one`, and `two` only where a person says so.
const SET: &str = "
threshold = 0.000001
templates = ['{label}']
on_tag = 'web'
[[labels]]
name = 'one'
[[labels]]
name = 'two'
threshold = 1.0
";

/// Where events are posted: answers as it is told, then well, and says what it got.
struct Web {
    address: String,
    got: Receiver<String>,
}

impl Web {
    /// `answers`: statuses; 0 for no answer at all.
    fn listen(address: &str, answers: &[u16]) -> Web {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let ((sender, got), answers) = (channel(), answers.to_vec());
        thread::spawn(move || {
            let mut silent = Vec::new();
            let mut answers = answers.into_iter();
            for stream in listener.incoming() {
                let stream = answer(stream.unwrap(), answers.next().unwrap_or(204), &sender);
                silent.extend(stream);
            }
        });
        Web { address, got }
    }

    /// The next event, as JSON text.
    fn next(&self) -> String {
        self.got.recv_timeout(DEADLINE).unwrap()
    }

    fn hook(&self, name: &str) -> String {
        format!("[hooks.{name}]\nurl = 'http://{}/'\n", self.address)
    }
}

/// Gives the stream back where nothing is answered: closed, it would be an answer.
fn answer(mut stream: TcpStream, status: u16, got: &Sender<String>) -> Option<TcpStream> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length_bytes) = (String::new(), 0);
    while reader.read_line(&mut line).unwrap() > 2 {
        let header = line.to_ascii_lowercase();
        if let Some(length) = header.strip_prefix("content-length:") {
            length_bytes = length.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length_bytes];
    reader.read_exact(&mut body).unwrap();
    // The test may be over.
    let _ = got.send(String::from_utf8(body).unwrap());
    if status == 0 {
        return Some(stream);
    }
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    None
}

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Starts the daemon with this configuration.
fn serve(lab: &Lab, config: &str) -> Daemon {
    let file = lab.data().with_file_name("pixdex.toml");
    std::fs::write(&file, config).unwrap();
    let mut command = lab.command(&["serve", "--listen", "127.0.0.1:0"]);
    command
        .arg("--config")
        .arg(file)
        .arg(lab.photos())
        .env("PIXDEX_INGEST__SETTLE_MS", "300");
    Daemon::start(command)
}

fn hook(daemon: &Daemon, name: &str) -> Value {
    daemon.get("/api/v1/status").1["hooks"][name].clone()
}

fn wait_for_hook(daemon: &Daemon, name: &str, key: &str, count: u64) {
    daemon.wait_until(|daemon| hook(daemon, name)[key] == count);
}

fn put(daemon: &Daemon, text: &str) -> Value {
    let (status, answer) = daemon.send("PUT", "/api/v1/label-sets/set", &[], text);
    assert_eq!(status, 200, "{answer}");
    answer
}

#[test]
fn an_address_that_refuses_twice_gets_what_the_stream_says() {
    let lab = Lab::new();
    lab.write_labels("set", SET);
    let web = Web::listen("127.0.0.1:0", &[500, 302]);
    let daemon = serve(&lab, &web.hook("web"));
    let mut stream = Stream::open(&daemon);
    let path = lab.add("a.png", 1);
    let got = [web.next(), web.next(), web.next()];
    assert_eq!((&got[0], &got[0]), (&got[1], &got[2]));
    let event: Value = serde_json::from_str(&got[0]).unwrap();
    daemon.wait_for_images(1);
    let image = &daemon.images()[0];
    let expected = json!({
        "event": "tag", "id": event["id"], "time": event["time"], "set": "set", "label": "one",
        "score": image["tags"][0]["score"], "decision": null, "image": image["id"], "paths": [path],
    });
    assert_eq!(event, expected);
    assert_eq!(event["id"].as_str().unwrap().len(), 32);
    assert_eq!(stream.next("tag"), got[0]);
    let indexed: Value = serde_json::from_str(&stream.next("image")).unwrap();
    let expected = json!({
        "event": "image", "image": image["id"], "paths": [path], "tags": image["tags"],
    });
    assert_eq!(indexed, expected);
    wait_for_hook(&daemon, "web", "delivered", 1);
    let status = hook(&daemon, "web");
    assert_eq!(
        (&status["waiting"], &status["error"]),
        (&json!(0), &Value::Null)
    );
}

#[test]
fn only_what_is_gained_is_heard_of() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    lab.write_labels("set", SET);
    let (web, other) = (
        Web::listen("127.0.0.1:0", &[]),
        Web::listen("127.0.0.1:0", &[]),
    );
    let daemon = serve(&lab, &(web.hook("web") + &other.hook("other")));
    let first: Value = serde_json::from_str(&web.next()).unwrap();
    daemon.wait_for_images(1);
    let mut stream = Stream::open(&daemon);
    // The same set again, the same picture again, and another hook: nothing is gained, nothing is scored.
    let nothing = json!({ "added": 0, "removed": 0, "rescored": 0 });
    assert_eq!(put(&daemon, SET), nothing);
    let signature = |daemon: &Daemon| daemon.get("/api/v1/label-sets/set").1["signature"].clone();
    let before = signature(&daemon);
    assert_eq!(
        put(&daemon, &SET.replace("'web'", "['other', 'web']")),
        nothing
    );
    assert_eq!(signature(&daemon), before);
    std::fs::copy(lab.photo("a.png"), lab.photo("b.png")).unwrap();
    daemon.wait_until(|daemon| daemon.paths().len() == 2);
    // A person's word: gained once.
    let id = first["image"].as_str().unwrap();
    let address = |label: &str| format!("/api/v1/images/{id}/decisions/set/{label}");
    for label in ["one", "two", "two"] {
        let body = r#"{"decision": "confirmed"}"#;
        assert_eq!(daemon.send("PUT", &address(label), &[], body).0, 200);
    }
    let [event, same] = [web.next(), other.next()];
    assert_eq!(event, same);
    let event: Value = serde_json::from_str(&event).unwrap();
    let told = [
        &event["label"],
        &event["decision"],
        &event["score"],
        &event["image"],
    ];
    assert_eq!(
        told,
        [&json!("two"), &json!("confirmed"), &json!(1.0), &json!(id)]
    );
    let decided: Value = serde_json::from_str(&stream.next("decision")).unwrap();
    assert_eq!(
        (&decided["label"], &decided["image"]),
        (&json!("one"), &json!(id))
    );
    // A label that comes is gained.
    put(
        &daemon,
        &format!("{SET}[[labels]]\nname = 'three'\non_tag = 'other'\n"),
    );
    let event: Value = serde_json::from_str(&other.next()).unwrap();
    assert_eq!(event["label"], "three");
    let applied: Value = serde_json::from_str(&stream.next("label_set")).unwrap();
    assert_eq!(
        (&applied["set"], &applied["added"]),
        (&json!("set"), &json!(1))
    );
    wait_for_hook(&daemon, "web", "delivered", 2);
    wait_for_hook(&daemon, "other", "delivered", 2);
    // Known without the daemon too.
    drop(daemon);
    assert_eq!(lab.json(&["status"])["hooks"]["web"]["delivered"], 2);
}

#[test]
fn an_event_under_way_when_the_daemon_is_killed_is_delivered_again() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    lab.write_labels("set", SET);
    let web = Web::listen("127.0.0.1:0", &[0]);
    let mut daemon = serve(&lab, &web.hook("web"));
    let first = web.next();
    daemon.signal("-KILL");
    daemon.wait();
    let daemon = serve(&lab, &web.hook("web"));
    assert_eq!(web.next(), first);
    wait_for_hook(&daemon, "web", "delivered", 1);
}

#[test]
fn a_hook_that_is_down_holds_up_no_other_and_keeps_so_many() {
    let lab = Lab::new();
    (0..5).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    lab.write_labels(
        "set",
        &SET.replace("'web'", "['down', 'hopeless', 'program']"),
    );
    let (down, heard) = (nobody(), lab.data().with_file_name("heard"));
    let script =
        r#"test "$HOOK_LABEL" = one && test -f "$HOOK_PATH" && cat >> "$0" && echo >> "$0""#;
    let program = format!(
        "[hooks.program]\ncommand = ['sh', '-c', '''{script}''', '{}']\n",
        heard.display()
    );
    let config = format!(
        "{program}[hooks.down]\nurl = 'http://{down}/'\nmax_waiting = 2\n\
         [hooks.hopeless]\nurl = 'http://{}/'\ngive_up_after_s = 0\nmax_waiting = 1\n",
        nobody()
    );
    let daemon = serve(&lab, &config);
    daemon.wait_for_images(5);
    wait_for_hook(&daemon, "program", "delivered", 5);
    let heard = std::fs::read_to_string(heard).unwrap();
    let mut events: Vec<Value> = heard
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    events.sort_by_key(|event| event["id"].to_string());
    events.dedup();
    assert_eq!(events.len(), 5, "{heard}");
    wait_for_hook(&daemon, "down", "waiting", 2);
    let status = hook(&daemon, "down");
    assert_eq!(status["dropped"], 3, "{status}");
    daemon.wait_until(|daemon| hook(daemon, "down")["error"].is_string());
    wait_for_hook(&daemon, "hopeless", "waiting", 0);
    let status = hook(&daemon, "hopeless");
    assert!(
        status["given_up"].as_u64() >= Some(1) && status["given_up_for"].is_string(),
        "{status}"
    );
    // It comes up.
    let web = Web::listen(&down, &[]);
    assert!(heard.contains(&web.next()));
    wait_for_hook(&daemon, "down", "delivered", 2);
}

#[test]
fn a_name_that_no_hook_has_is_reported_and_takes_no_tag_away() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    let daemon = serve(&lab, "");
    daemon.wait_for_images(1);
    let answer = put(&daemon, SET);
    assert_eq!(answer["added"], 1);
    let says = |warnings: &Value| warnings[0].as_str().unwrap().contains("[hooks.web]");
    assert!(says(&answer["warnings"]), "{answer}");
    daemon.wait_for_log("[hooks.web]");
    let status = daemon.get("/api/v1/status").1;
    assert!(says(&status["label_sets"]["set"]["warnings"]), "{status}");
    assert_eq!(status["hooks"], json!({}));
    let checked = lab.json(&["labels", "check"]);
    assert!(says(&checked["files"][0]["warnings"]), "{checked}");
}

#[test]
fn streams_and_hooks_do_not_hold_up_the_end() {
    let lab = Lab::new();
    lab.write_labels("set", SET);
    let web = Web::listen("127.0.0.1:0", &[0]);
    let config = format!("{}timeout_ms = 600000\n", web.hook("web"));
    let mut daemon = serve(&lab, &config);
    let mut stream = Stream::open(&daemon);
    lab.add("a.png", 1);
    web.next();
    daemon.signal("-TERM");
    while stream.line().is_some() {}
    assert_eq!(daemon.wait().code(), Some(0));
}
