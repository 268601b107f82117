//! What README, the page about labels and `--help` show, typed as it stands: what they show is what happens.

use std::path::Path;
use std::process::Command;
use std::{env, fs, iter};

use crate::lab::Lab;

/// The commands of all `console` blocks of a page below a heading, each with what it is shown to print.
fn sessions(page: &str, heading: &str) -> Vec<(String, String)> {
    let section = page.split(heading).nth(1).unwrap();
    let section = section.split("\n#").next().unwrap();
    let blocks = section.split("```console\n").skip(1);
    let typed = blocks.flat_map(|block| {
        let block = block.split("```").next().unwrap();
        block.split("$ ").skip(1)
    });
    typed
        .map(|typed| {
            let (command, output) = typed.split_once('\n').unwrap();
            (command.to_owned(), output.to_owned())
        })
        .collect()
}

/// Runs a line in the folder that holds `photos` and `labels`, with this pixdex.
fn run(lab: &Lab, line: &str) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_pixdex")).parent().unwrap();
    let others = env::var_os("PATH").unwrap();
    let path = iter::once(programs.to_owned()).chain(env::split_paths(&others));
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(lab.photos().parent().unwrap())
        .env("PATH", env::join_paths(path).unwrap())
        .env("PIXDEX_MODEL", "bundled")
        .env("PIXDEX_DATA_DIR", lab.data())
        .env("PIXDEX_LABELS_DIR", lab.labels())
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {complaints}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn sidecars_are_written_as_shown() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    let every_picture_is_a_dog = "templates = ['{label}']\nthreshold = 0.000001\n\
        [[labels]]\nname = 'dog'\nparent = 'animal'\n[[labels]]\nname = 'animal'\n";
    lab.write_labels("pets", every_picture_is_a_dog);
    let page = include_str!("../../config/labels/README.md");
    let sessions = sessions(page, "## Keywords and sidecars");
    assert!(!sessions.is_empty());
    for (line, shown) in sessions {
        assert_eq!(run(&lab, &line), shown, "{line}");
    }
}

/// The requests that begin on a line of this text, each with the lines that it goes on for.
fn requests(text: &str) -> Vec<String> {
    let mut requests: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in text.lines() {
        let begins = line.trim_start().starts_with("curl ");
        if begins {
            requests.push(line.trim().to_owned());
        } else if let Some(request) = requests.last_mut().filter(|_| is_open) {
            request.push('\n');
            request.push_str(line);
        }
        let request = requests.last().map_or("", String::as_str);
        is_open = request.ends_with('\\') || request.matches('\'').count() % 2 == 1;
    }
    requests
}

/// The status that a request is answered with; `id` is that of a picture.
fn status(lab: &Lab, address: &str, id: &str, request: &str) -> String {
    let request = request.replace("127.0.0.1:7878", address);
    let request = request.replace("IMAGE_ID", id);
    // Headers come at once, also where the answer never ends.
    let within_s = if request.contains(" -N ") { 3 } else { 60 };
    let curl = format!("curl -sS -m {within_s} -H Expect: -D - -o /dev/null ");
    let line = format!("{} | head -1", request.replacen("curl ", &curl, 1));
    let output = Command::new("sh")
        .args(["-c", &line])
        .current_dir(lab.labels())
        .env("A", format!("http://{address}/api/v1"))
        .env("ID", id)
        .output()
        .unwrap();
    let answer = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    let status = answer.split(' ').nth(1);
    status.unwrap_or(&complaints).trim().to_owned()
}

#[test]
fn every_request_that_is_shown_is_answered() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    lab.write_labels("beach", "[[labels]]\nname = 'beach'\n");
    let daemon = lab.serve();
    daemon.wait_for_images(1);
    // Beside the label files, from where they are typed.
    fs::copy(lab.photo("a.png"), lab.labels().join("photo.jpg")).unwrap();
    let id = daemon.images()[0]["id"].as_str().unwrap().to_owned();
    let help = lab.run(&["serve", "--help"]).stdout;
    let help = String::from_utf8(help).unwrap();
    let readme = include_str!("../../README.md");
    let http = readme.split("## HTTP").nth(1).unwrap();
    let http = http.split("\n## ").next().unwrap();
    let requests = [requests(http), requests(&help)].concat();
    assert!(requests.len() >= 25, "{requests:#?}");
    for request in requests {
        let status = status(&lab, &daemon.address, &id, &request);
        let expected = if request.contains(" -r ") {
            "206"
        } else {
            "200"
        };
        assert_eq!(status, expected, "{request}");
    }
}
