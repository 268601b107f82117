//! Imports point upstream: a module of the crate uses only modules that `lib.rs` declares above it.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules in the order of `lib.rs`.
fn modules(lib: &str) -> Vec<String> {
    lib.lines()
        .filter_map(|line| {
            line.strip_prefix("pub mod ")?
                .strip_suffix(';')
                .map(str::to_owned)
        })
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                rust_files(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The module of a file below `src`, by its first part.
fn module_of(file: &Path, src: &Path) -> String {
    let first = file.strip_prefix(src).unwrap().components().next().unwrap();
    first
        .as_os_str()
        .to_str()
        .unwrap()
        .trim_end_matches(".rs")
        .to_owned()
}

/// Modules that come too late for this text, which stands in the module at `place`.
fn wrong_imports<'a>(text: &str, place: usize, modules: &'a [String]) -> Vec<&'a str> {
    let later = modules.iter().skip(place + 1);
    let is_used = |module: &&String| {
        let path = format!("crate::{module}");
        text.match_indices(&path).any(|(at, _)| {
            !text[at + path.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
        })
    };
    later.filter(is_used).map(String::as_str).collect()
}

#[test]
fn imports_point_upstream() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let modules = modules(&fs::read_to_string(src.join("lib.rs")).unwrap());
    assert!(modules.len() > 10, "found {modules:?}");
    for file in rust_files(&src) {
        let Some(place) = modules
            .iter()
            .position(|module| *module == module_of(&file, &src))
        else {
            continue;
        };
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            !text.contains("crate::{"),
            "{}: write one `use crate::module` line for each module",
            file.display()
        );
        let wrong = wrong_imports(&text, place, &modules);
        assert!(
            wrong.is_empty(),
            "{} imports {wrong:?}, declared below it in lib.rs",
            file.display()
        );
    }
}

#[test]
fn an_import_from_below_is_seen() {
    let modules = ["config", "store", "serve"].map(str::to_owned);
    assert_eq!(wrong_imports("use crate::serve;", 1, &modules), ["serve"]);
    assert_eq!(
        wrong_imports("fn f() { crate::serve::run() }", 0, &modules),
        ["serve"]
    );
    assert!(wrong_imports("use crate::config::Config; use crate::server;", 1, &modules).is_empty());
}
