//! The YAML files that `PhotoPrism` writes: one for each picture, which mirrors the path of that, and one for each album.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path};

use serde::Deserialize;
use walkdir::WalkDir;

use super::{Described, Descriptions, ImportError};
use crate::xmp::sound_keywords;

/// A picture's file has some thousand, and that of an album some dozen for each of its pictures.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// A picture or an album: what either of them has.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Document {
    #[serde(rename = "UID")]
    uid: String,
    #[serde(rename = "Type")]
    kind: String,
    title: String,
    deleted_at: Option<String>,
    details: Option<Details>,
    photos: Vec<Member>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Details {
    keywords: String,
    /// Who said so; nothing where `PhotoPrism` found them by itself.
    keywords_src: String,
    subject: String,
    subject_src: String,
}

#[derive(Deserialize)]
struct Member {
    #[serde(rename = "UID")]
    uid: String,
}

pub(super) fn read(folder: &Path) -> Result<Descriptions, ImportError> {
    let unreadable = |source| ImportError::Read {
        path: folder.to_owned(),
        source,
    };
    // A folder that is not there is no empty one.
    fs::read_dir(folder).map_err(unreadable)?;
    let (mut pictures, mut albums, mut skipped) = (HashMap::new(), Vec::new(), Vec::new());
    for entry in WalkDir::new(folder) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                skipped.push(error.to_string());
                continue;
            }
        };
        if !entry.file_type().is_file() || !is_yaml(entry.path()) {
            continue;
        }
        let document = match parse(entry.path()) {
            Ok(document) => document,
            Err(reason) => {
                skipped.push(format!("`{}`: {reason}", entry.path().display()));
                continue;
            }
        };
        // Folders, months and states are albums that nobody put together.
        if document.kind == "album" {
            albums.push(document);
        } else if document.deleted_at.is_none() && document.details.is_some() {
            let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            pictures.insert(document.uid.clone(), picture(below, &document));
        }
    }
    for album in albums {
        for member in album.photos {
            if let Some(picture) = pictures.get_mut(&member.uid) {
                picture.words.extend(sound_keywords([&album.title]));
            }
        }
    }
    let mut pictures: Vec<Described> = pictures.into_values().collect();
    pictures.retain(|picture| !picture.words.is_empty());
    Ok(Descriptions { pictures, skipped })
}

fn is_yaml(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    matches!(ending, Some("yml" | "yaml"))
}

fn parse(path: &Path) -> Result<Document, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    let read = file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text);
    if read.map_err(|error| error.to_string())? as u64 > MAX_FILE_BYTES {
        return Err(format!("it has more than {MAX_FILE_BYTES} bytes"));
    }
    serde_saphyr::from_str(&text).map_err(|error| {
        let error = error.to_string();
        error.lines().next().unwrap_or_default().to_owned()
    })
}

fn picture(below: &Path, document: &Document) -> Described {
    let mut words = Vec::new();
    if let Some(details) = &document.details {
        for (text, source) in [
            (&details.keywords, &details.keywords_src),
            (&details.subject, &details.subject_src),
        ] {
            if !source.is_empty() {
                words.extend(text.split(','));
            }
        }
    }
    Described {
        path: original(below),
        is_stem: true,
        words: sound_keywords(words),
        ..Described::default()
    }
}

/// Where the picture lies below `PhotoPrism`'s originals: its file is at the same place below `sidecar`, or in a folder beside it.
fn original(file: &Path) -> String {
    let parts = file.with_extension("");
    let parts = parts.components().filter_map(|part| match part {
        Component::Normal(part) => part.to_str().map(str::to_owned),
        _ => None,
    });
    let mut parts: Vec<String> = parts.filter(|part| part != ".photoprism").collect();
    if let Some(at) = parts.iter().position(|part| part == "sidecar") {
        parts.drain(..=at);
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_of_people_and_albums_are_taken_and_those_of_the_program_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let picture = |uid: &str, details: &str| {
            format!(
                "TakenAt: 2024-07-01T10:00:00Z\nUID: {uid}\nType: image\nTitle: \"A: b\"\nDetails:\n{details}"
            )
        };
        write(
            "sidecar/2024/07/IMG_1.yml",
            &picture(
                "p1",
                "  Keywords: beach, Grünes Meer\n  KeywordsSrc: manual\n  Subject: dog\n",
            ),
        );
        write(
            "sidecar/2024/IMG_2.yml",
            &picture("p2", "  Keywords: green, germany\n"),
        );
        write(
            "sidecar/IMG_3.yml",
            &picture(
                "p3",
                "  Keywords: x\n  KeywordsSrc: meta\nDeletedAt: 2024-07-02T10:00:00Z\n",
            ),
        );
        write("sidecar/bad.yml", "Type: [\n");
        write(
            "sidecar/bomb.yml",
            "a: &a [x,x]\nb: &b [*a,*a]\nTitle: *b\n",
        );
        write(
            "backup/albums/album/summer.yml",
            "UID: a1\nType: album\nTitle: Summer\nPhotos:\n- UID: p2\n  CreatedAt: 2024-07-01T10:00:00Z\n- UID: p9\n",
        );
        write(
            "backup/albums/month/july.yml",
            "UID: a2\nType: month\nTitle: July\nPhotos:\n- UID: p1\n",
        );
        let mut all = read(folder.path()).unwrap();
        all.pictures.sort_by(|a, b| a.path.cmp(&b.path));
        let of = |path: &str, words: &[&str]| Described {
            path: path.to_owned(),
            is_stem: true,
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            ..Described::default()
        };
        let expected = [
            of("2024/07/IMG_1", &["Grünes Meer", "beach"]),
            of("2024/IMG_2", &["Summer"]),
        ];
        assert_eq!(all.pictures, expected);
        assert_eq!(all.skipped.len(), 2, "{:?}", all.skipped);
        let missing = read(&folder.path().join("nowhere")).unwrap_err();
        assert!(missing.to_string().contains("nowhere"));
    }
}
