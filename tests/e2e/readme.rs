//! README's sessions at a terminal, typed as they stand: what it shows is what happens.

use std::path::Path;
use std::process::Command;
use std::{env, iter};

use crate::lab::Lab;

/// The commands of all `console` blocks below a heading, each with what it is shown to print.
fn sessions(heading: &str) -> Vec<(String, String)> {
    let readme = include_str!("../../README.md");
    let section = readme.split(heading).nth(1).unwrap();
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
    let sessions = sessions("### Keywords and sidecars");
    assert!(!sessions.is_empty());
    for (line, shown) in sessions {
        assert_eq!(run(&lab, &line), shown, "{line}");
    }
}
