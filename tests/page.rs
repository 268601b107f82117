//! The page in a real browser. `tests/page` has the tests; they need Chromium, and Python with `tests/page/requirements.txt`: that of
//! `PIXDEX_PYTHON`, or else the one that `.ci/run` sets up. Where either is not there nothing is tested, and said so.

use std::env;
use std::path::PathBuf;
use std::process::Command;

#[test]
fn the_page_in_a_browser() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let tools = root.join("target/tools/bin/python");
    let python = env::var_os("PIXDEX_PYTHON").map_or(tools, PathBuf::from);
    let runs = |program: &mut Command| program.output().is_ok_and(|output| output.status.success());
    let packages = ["-c", "import axe_playwright_python, playwright, pytest"];
    let is_there = runs(Command::new("chromium").arg("--version"))
        && runs(Command::new(&python).args(packages));
    if !is_there {
        eprintln!(
            "the page is not tested: there is no Chromium, or no Python with tests/page/requirements.txt"
        );
        return;
    }
    let tests = Command::new(&python)
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/page"])
        .args(["--pixdex", env!("CARGO_BIN_EXE_pixdex")])
        .current_dir(&root)
        .status()
        .unwrap();
    assert!(tests.success());
}
