//! Imports point upstream: a module of the crate uses only modules that `lib.rs` declares above it, and no files of one
//! folder use each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The modules in the order of `lib.rs`.
fn modules(lib: &str) -> Vec<String> {
    let declared = |line: &str| {
        let line = line.trim_start_matches("pub(crate) ");
        let line = line.trim_start_matches("pub ");
        Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    lib.lines().filter_map(declared).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    entries
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let below = |path: PathBuf| {
        if path.is_dir() {
            rust_files(&path)
        } else {
            vec![path]
        }
    };
    let files = entries(folder).into_iter().flat_map(below);
    files.filter(|path| is_rust(path)).collect()
}

/// The module that a file or folder of `folder` is or belongs to.
fn module_of(path: &Path, folder: &Path) -> String {
    let first = path.strip_prefix(folder).unwrap().components().next();
    let first = first.unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
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
    let src = src();
    let modules = modules(&fs::read_to_string(src.join("lib.rs")).unwrap());
    assert!(modules.len() > 10, "found {modules:?}");
    for file in rust_files(&src) {
        let name = module_of(&file, &src);
        let Some(place) = modules.iter().position(|module| *module == name) else {
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

/// Code without comments and without the tests behind it, which may use whatever they like.
fn shipped(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let code = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    code.collect::<Vec<_>>().join("\n")
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The names at the top of `a::{b, c}, d, …` up to the brace that closes the list.
fn listed(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut is_start = true;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => is_start = true,
            c if is_start && (c.is_alphabetic() || c == '_') => {
                names.push(identifier(&text[at..]));
                is_start = false;
            }
            _ => {}
        }
    }
    names
}

/// What follows `prefix` in a path of the text: one name, or those of a list in braces.
fn named_after<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices(prefix) {
        let before = &text[..at];
        if before.ends_with("::") || before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &text[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(list) => names.extend(listed(list)),
            None => names.push(identifier(rest)),
        }
    }
    names
}

/// For each name that a folder's `mod.rs` takes from one of its files: that file.
fn taken<'a>(root: &'a str, files: &BTreeSet<String>) -> BTreeMap<&'a str, String> {
    let mut taken = BTreeMap::new();
    for line in root.split(';') {
        let Some((_, path)) = line.split_once("use ") else {
            continue;
        };
        let path = path.trim().trim_start_matches("self::");
        let Some(file) = files.get(identifier(path)) else {
            continue;
        };
        let Some((_, names)) = path.split_once("::") else {
            continue;
        };
        let names = match names.strip_prefix('{') {
            Some(list) => listed(list),
            None => vec![names.rsplit("::").next().map_or("", identifier)],
        };
        taken.extend(names.into_iter().map(|name| (name, file.clone())));
    }
    taken
}

/// Which files of one folder use which: `root` is its `mod.rs`, the rest are its files with how deep below it each lies.
fn uses(
    root: &str,
    files: &[(String, usize, String)],
    path: &str,
) -> BTreeMap<String, BTreeSet<String>> {
    let names: BTreeSet<String> = files.iter().map(|(name, ..)| name.clone()).collect();
    let root = shipped(root);
    let taken = taken(&root, &names);
    let mut links: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, depth, text) in files {
        let text = shipped(text);
        let mut used = named_after(&text, &"super::".repeat(*depth));
        let from_the_top = format!("crate::{path}::");
        used.extend(named_after(&text, &from_the_top));
        let used = used.into_iter().filter_map(|used| {
            let file = names.get(used).or_else(|| taken.get(used))?;
            (file != name).then(|| file.clone())
        });
        links.entry(name.clone()).or_default().extend(used);
    }
    links
}

/// All that can be reached from each.
fn reachable(uses: &BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    let mut reachable = uses.clone();
    loop {
        let mut next = reachable.clone();
        for found in next.values_mut() {
            let more: Vec<String> = found
                .iter()
                .filter_map(|name| reachable.get(name))
                .flatten()
                .cloned()
                .collect();
            found.extend(more);
        }
        if next == reachable {
            return reachable;
        }
        reachable = next;
    }
}

/// Groups of files that reach each other.
fn circles(uses: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<Vec<String>> {
    let reachable = reachable(uses);
    let reaches =
        |from: &String, to: &String| reachable.get(from).is_some_and(|found| found.contains(to));
    let group = |name: &String| {
        let mutual = uses
            .keys()
            .filter(|other| reaches(name, other) && reaches(other, name));
        mutual.cloned().collect::<Vec<_>>()
    };
    let groups = uses.keys().map(group);
    groups.filter(|group| !group.is_empty()).collect()
}

/// The circles among the files of a folder.
fn circles_in(folder: &Path) -> BTreeSet<Vec<String>> {
    let mut files = Vec::new();
    let mut root = String::new();
    for file in rust_files(folder) {
        let text = fs::read_to_string(&file).unwrap();
        let below = file.strip_prefix(folder).unwrap();
        if below == Path::new("mod.rs") {
            root = text;
        } else if !below.ends_with("tests.rs") {
            let is_root = below.ends_with("mod.rs");
            let depth = below.components().count() - usize::from(is_root);
            files.push((module_of(&file, folder), depth, text));
        }
    }
    let path = folder.strip_prefix(src()).unwrap();
    circles(&uses(
        &root,
        &files,
        &path.to_str().unwrap().replace('/', "::"),
    ))
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let below = entries(folder).into_iter().filter(|path| path.is_dir());
    below
        .flat_map(|path| [vec![path.clone()], folders(&path)].concat())
        .collect()
}

#[test]
fn no_files_of_a_folder_use_each_other_in_a_circle() {
    let src = src();
    let mut found = Vec::new();
    for folder in folders(&src) {
        let name = folder.strip_prefix(&src).unwrap().to_str().unwrap();
        let circles = circles_in(&folder);
        if !circles.is_empty() {
            found.push(format!("{name}: {circles:?}"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_circle_is_seen_however_it_is_written() {
    let file = |name: &str, depth, text: &str| (name.to_owned(), depth, text.to_owned());
    let is_circle = |root: &str, files: &[(String, usize, String)]| {
        !circles(&uses(root, files, "room")).is_empty()
    };
    let a = file("a", 1, "use super::{\n    x::{B, C},\n    b::B,\n};");
    let root = "mod a;\nmod b;\npub use a::{A, other::Z};\n";
    for text in [
        "use super::a::A;",
        "use super::A;",
        "use super::{Q, A};",
        "fn f() { super::a::f() }",
        "use crate::room::A;",
    ] {
        assert!(is_circle(root, &[a.clone(), file("b", 1, text)]), "{text}");
    }
    // From a folder inside the folder.
    assert!(is_circle(
        root,
        &[a.clone(), file("b", 2, "use super::super::A;")]
    ));
    for text in [
        "use super::Q;",
        "// super::A",
        "fn f() {}\n#[cfg(test)]\nmod tests { use super::A; }",
        "pub(in super::super) struct S;",
    ] {
        assert!(!is_circle(root, &[a.clone(), file("b", 1, text)]), "{text}");
    }
}
