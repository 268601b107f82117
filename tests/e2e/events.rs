//! What happens to the library is told as it happens, and again to who was cut off.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::Value;

use crate::lab::{DEADLINE, Daemon, Lab};

/// An open stream of events.
pub(crate) struct Stream {
    lines: BufReader<TcpStream>,
    /// The id of the last event that was read.
    last: String,
}

impl Stream {
    /// Open when this returns: what happens from now on is on it.
    pub(crate) fn open(daemon: &Daemon) -> Stream {
        Stream::open_with(daemon, "")
    }

    /// Goes on behind the event of this id.
    fn open_behind(daemon: &Daemon, id: &str) -> Stream {
        Stream::open_with(daemon, &format!("last-event-id: {id}\r\n"))
    }

    fn open_with(daemon: &Daemon, headers: &str) -> Stream {
        let mut stream = TcpStream::connect(&daemon.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let head = format!("GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut stream = Stream {
            lines: BufReader::new(stream),
            last: String::new(),
        };
        assert!(stream.line().unwrap().contains("200"));
        stream
    }

    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).unwrap();
        (read > 0).then(|| line.trim().to_owned())
    }

    /// The data of the next event of this kind.
    pub(crate) fn next(&mut self, event: &str) -> String {
        loop {
            let (name, data) = self.event();
            if name == event {
                return data;
            }
        }
    }

    /// The name and the data of the next event.
    fn event(&mut self) -> (String, String) {
        let (mut name, mut data) = (String::new(), String::new());
        loop {
            let line = self.line().expect("the stream goes on");
            match line.split_once(':') {
                Some(("event", text)) => text.clone_into(&mut name),
                Some(("data", text)) => text.clone_into(&mut data),
                Some(("id", text)) => text.clone_into(&mut self.last),
                None if !name.is_empty() => return (name, data),
                _ => {}
            }
        }
    }

    fn json(&mut self, event: &str) -> Value {
        serde_json::from_str(&self.next(event)).unwrap()
    }
}

#[test]
fn what_comes_and_what_goes_is_told() {
    let lab = Lab::new();
    let all = "threshold = 0.000001\ntemplates = ['{label}']\n[[labels]]\nname = 'one'\n";
    lab.write_labels("all", all);
    let away = lab.photo("away");
    fs::create_dir_all(&away).unwrap();
    lab.add("away/x.png", 9);
    let roots = [lab.photos().join("near"), away.clone()];
    fs::create_dir_all(&roots[0]).unwrap();
    let mut serving = lab.serving(&roots[0]);
    serving.arg(&away);
    let daemon = Daemon::start(serving);
    daemon.wait_for_images(1);
    let mut stream = Stream::open(&daemon);
    let path = lab.add("near/a.png", 1);
    let image = stream.json("image");
    assert_eq!(image["paths"][0], path.to_str().unwrap());
    let progress = stream.json("progress");
    assert_eq!(
        (&progress["queued"], &progress["failed"]),
        (&0.into(), &0.into())
    );
    fs::write(lab.photo("near/bad.png"), "no picture").unwrap();
    let failure = stream.json("failure");
    assert!(
        failure["path"].as_str().unwrap().ends_with("bad.png"),
        "{failure}"
    );
    fs::remove_file(&path).unwrap();
    assert_eq!(stream.json("image_gone")["image"], image["image"]);
    // A folder that is away is told, and that it is back.
    let aside = lab.data().join("aside");
    fs::rename(&away, &aside).unwrap();
    daemon.send("POST", "/api/v1/rescan", &[], "");
    let root = stream.json("root");
    assert_eq!(
        (&root["path"], &root["online"]),
        (&away.to_str().unwrap().into(), &false.into())
    );
    fs::rename(&aside, &away).unwrap();
    daemon.send("POST", "/api/v1/rescan", &[], "");
    assert_eq!(stream.json("root")["online"], true);
    fs::remove_file(lab.labels().join("all.toml")).unwrap();
    assert!(stream.json("label_set")["removed"].as_u64().unwrap() > 0);
}

#[test]
fn who_was_cut_off_is_told_what_happened_meanwhile() {
    let lab = Lab::new();
    let mut daemon = lab.serve();
    let mut stream = Stream::open(&daemon);
    let name = |path: &Path| path.display().to_string();
    let first = name(&lab.add("a.png", 1));
    assert_eq!(stream.json("image")["paths"][0], first.as_str());
    let last = stream.last.clone();
    drop(stream);
    // Nobody listens.
    let second = name(&lab.add("b.png", 2));
    daemon.wait_for_images(2);
    let mut stream = Stream::open_behind(&daemon, &last);
    assert_eq!(stream.json("image")["paths"][0], second.as_str());
    assert_ne!(stream.last, last);
    let mut again = Stream::open_behind(&daemon, &last);
    assert_eq!(
        again.json("image")["paths"][0],
        second.as_str(),
        "as often as it is asked for"
    );
    assert_eq!(again.last, stream.last);
    // Another daemon does not know what the one before told.
    daemon.signal("-TERM");
    daemon.wait();
    let daemon = lab.serve();
    let mut stream = Stream::open_behind(&daemon, &last);
    assert_eq!(
        stream.event(),
        (
            "missed".to_owned(),
            "{\"event\":\"missed\",\"count\":0}".to_owned()
        )
    );
}
