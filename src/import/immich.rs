//! What Immich's API answers, kept in a file: pages of `POST /api/search/metadata`, pictures, and albums of `GET /api/albums/{id}`, one
//! document behind the other or many in a list.

use std::collections::BTreeMap;
use std::fmt::{self, Formatter};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Described, Descriptions, ImportError};
use crate::xmp::sound_keywords;

/// A page, a picture or an album: what each of them has.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Node {
    /// The pictures of a page, as a list below `items`, or of an album, as they are.
    assets: Nodes,
    items: Nodes,
    album_name: Option<String>,
    original_path: Option<String>,
    original_file_name: Option<String>,
    is_trashed: bool,
    exif_info: Option<ExifInfo>,
    tags: Option<Vec<Tag>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExifInfo {
    file_size_in_byte: Option<i64>,
}

#[derive(Deserialize)]
struct Tag {
    /// Its name behind those above it, as in `places/beach`.
    value: String,
}

/// One, or a list of them.
#[derive(Default)]
struct Nodes(Vec<Node>);

impl<'de> Deserialize<'de> for Nodes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Nodes, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Nodes;

            fn expecting(&self, out: &mut Formatter<'_>) -> fmt::Result {
                out.write_str("pages, pictures or albums")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Nodes, A::Error> {
                let mut nodes = Vec::new();
                while let Some(Nodes(more)) = list.next_element()? {
                    nodes.extend(more);
                }
                Ok(Nodes(nodes))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Nodes, A::Error> {
                let node = Node::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Nodes(vec![node]))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

pub(super) fn read(path: &Path) -> Result<Descriptions, ImportError> {
    let file = File::open(path).map_err(|source| ImportError::Read {
        path: path.to_owned(),
        source,
    })?;
    // The same picture comes with a page and with each of its albums.
    let mut pictures = BTreeMap::new();
    for nodes in serde_json::Deserializer::from_reader(BufReader::new(file)).into_iter() {
        let Nodes(nodes) = nodes.map_err(|source| ImportError::Json {
            path: path.to_owned(),
            source,
        })?;
        for node in nodes {
            gather(node, None, &mut pictures);
        }
    }
    let pictures = pictures.into_values();
    Ok(Descriptions {
        pictures: pictures
            .filter(|one: &Described| !one.words.is_empty())
            .collect(),
        skipped: Vec::new(),
    })
}

fn gather(node: Node, album: Option<&str>, pictures: &mut BTreeMap<String, Described>) {
    let album = node.album_name.as_deref().or(album);
    for inner in node.assets.0.into_iter().chain(node.items.0) {
        gather(inner, album, pictures);
    }
    let Some(path) = node.original_path.filter(|_| !node.is_trashed) else {
        return;
    };
    let picture = pictures.entry(path).or_insert_with_key(|path| Described {
        path: path.trim_start_matches('/').to_owned(),
        ..Described::default()
    });
    picture.other_name = picture.other_name.take().or(node.original_file_name);
    let size = node.exif_info.and_then(|exif| exif.file_size_in_byte);
    picture.size_bytes = picture.size_bytes.or(size);
    let tags = node.tags.unwrap_or_default();
    let words = tags.iter().flat_map(|tag| tag.value.split('/'));
    picture.words.extend(sound_keywords(words.chain(album)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_pictures_and_albums_tell_of_the_same_picture() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("immich.json");
        let picture = r#"{"id": "1", "originalPath": "/usr/src/app/upload/library/a/2024/x.jpg", "originalFileName": "IMG_1.jpg",
            "isTrashed": false, "exifInfo": {"fileSizeInByte": 100, "city": null}, "tags": [{"id": "t", "name": "beach", "value": "places/beach"}]}"#;
        let trashed =
            r#"{"originalPath": "/y.jpg", "isTrashed": true, "tags": [{"value": "bin"}]}"#;
        let page = format!(
            r#"{{"albums": {{"total": 0}}, "assets": {{"total": 2, "items": [{picture}, {trashed}], "nextPage": null}}}}"#
        );
        let album = format!(r#"{{"albumName": "Summer", "assets": [{picture}]}}"#);
        for text in [
            format!("{page}\n{album}"),
            format!("[{page}, {album}]"),
            format!("[{picture}]{album}"),
        ] {
            std::fs::write(&path, text).unwrap();
            let read = read(&path).unwrap().pictures;
            let words = ["Summer", "beach", "places"].map(str::to_owned);
            assert_eq!(
                read,
                [Described {
                    path: "usr/src/app/upload/library/a/2024/x.jpg".to_owned(),
                    other_name: Some("IMG_1.jpg".to_owned()),
                    is_stem: false,
                    size_bytes: Some(100),
                    words: words.into(),
                }]
            );
        }
        for wrong in ["{", "7", "[\"x\"]", "{\"assets\": 3}"] {
            std::fs::write(&path, wrong).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains("Immich"), "{wrong}: {error}");
        }
    }
}
