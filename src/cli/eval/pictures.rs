//! Pictures whose classes are known: a folder with one sub-folder for each class, or a list in a CSV file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use walkdir::WalkDir;

use crate::formats::Format;

/// Pictures with the place of each one's class among the labels.
pub(super) struct Labelled {
    pub(super) labels: Vec<String>,
    pub(super) pictures: Vec<(PathBuf, usize)>,
}

/// `names` gives a sub-folder's label; without it a sub-folder is called what it shows, with `_` for a space.
pub(super) fn find(path: &Path, names: Option<&Path>) -> Result<Labelled> {
    let pictures = if path.is_dir() {
        in_folders(path, names)?
    } else {
        ensure!(
            names.is_none(),
            "--names is for a folder; a CSV file holds the labels itself"
        );
        let folder = path.parent().unwrap_or(Path::new(""));
        let rows = rows(path)?.into_iter();
        rows.map(|(picture, label)| (folder.join(picture), label))
            .collect()
    };
    ensure!(
        !pictures.is_empty(),
        "there are no pictures in `{}`",
        path.display()
    );
    let labels: BTreeSet<&String> = pictures.iter().map(|(_, label)| label).collect();
    let labels: Vec<String> = labels.into_iter().cloned().collect();
    ensure!(
        labels.len() > 1,
        "all pictures in `{}` are of one class",
        path.display()
    );
    let place = |label: &String| labels.binary_search(label).unwrap_or_default();
    let pictures = pictures
        .into_iter()
        .map(|(path, label)| (path, place(&label)))
        .collect();
    Ok(Labelled { labels, pictures })
}

fn in_folders(folder: &Path, names: Option<&Path>) -> Result<Vec<(PathBuf, String)>> {
    let names: Option<BTreeMap<String, String>> = match names {
        Some(file) => Some(rows(file)?.into_iter().collect()),
        None => None,
    };
    let mut pictures = Vec::new();
    for entry in WalkDir::new(folder)
        .min_depth(2)
        .follow_links(true)
        .sort_by_file_name()
    {
        let entry = entry?;
        if entry.file_type().is_file() && Format::of_path(entry.path()).is_some() {
            let class = entry.path().strip_prefix(folder)?.components().next();
            let class = class
                .context("a class has a name")?
                .as_os_str()
                .to_string_lossy();
            pictures.push((entry.path().to_owned(), label(&class, names.as_ref())?));
        }
    }
    Ok(pictures)
}

fn label(class: &str, names: Option<&BTreeMap<String, String>>) -> Result<String> {
    match names {
        None => Ok(class.replace('_', " ")),
        Some(names) => match names.get(class) {
            Some(label) => Ok(label.clone()),
            None => bail!("--names has no label for the sub-folder `{class}`"),
        },
    }
}

/// The rows of a CSV file, of two columns and without a head.
fn rows(file: &Path) -> Result<Vec<(String, String)>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_path(file)
        .with_context(|| format!("failed to read `{}`", file.display()))?;
    let rows = reader.deserialize().collect::<csv::Result<_>>();
    rows.with_context(|| format!("`{}` is not a CSV file of two columns", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_come_from_folders_names_and_lists() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [
            "n1/a.jpg",
            "n1/deep/b.PNG",
            "red_car/c.jpg",
            "red_car/notes.txt",
        ] {
            std::fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            std::fs::write(at(name), "").unwrap();
        }
        let found = find(folder.path(), None).unwrap();
        assert_eq!(found.labels, ["n1", "red car"]);
        let expected = [("n1/a.jpg", 0), ("n1/deep/b.PNG", 0), ("red_car/c.jpg", 1)];
        assert_eq!(
            found.pictures,
            expected.map(|(path, class)| (at(path), class))
        );
        std::fs::write(at("names.csv"), "n1,\"tench, a fish\"\nred_car,car\n").unwrap();
        let named = find(folder.path(), Some(&at("names.csv"))).unwrap();
        assert_eq!(named.labels, ["car", "tench, a fish"]);
        std::fs::write(at("list.csv"), "n1/a.jpg,x\nred_car/c.jpg,y\n").unwrap();
        let listed = find(&at("list.csv"), None).unwrap();
        assert_eq!(listed.pictures[1], (at("red_car/c.jpg"), 1));
        std::fs::write(at("names.csv"), "n1,x\n").unwrap();
        let error = find(folder.path(), Some(&at("names.csv")))
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("`red_car`"), "{error}");
    }
}
