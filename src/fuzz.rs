//! What must hold of whatever bytes come from outside: a function for each sort of them, for the fuzz targets in `tests/fuzz`.
//!
//! Each panics where a promise of the code is broken. What is private to a room is looked at there, in its own `fuzz.rs`.

use std::fmt::Debug;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use image::{GrayImage, ImageFormat};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokenizers::Tokenizer;

use crate::cli;
use crate::config::{Config, DecodeConfig};
use crate::decode;
use crate::embed::check_text;
use crate::index;
use crate::model::{HubSettings, Model, ModelSource};
use crate::search::{self, MOST_TERMS, MOST_WEIGHT, Query, What};
use crate::serve;
use crate::spelling::{composed, folded};
use crate::store::{Decision, LabelName, LabelRef, PartialDate, SetName, Store};
use crate::tag::{self, LabelSet};
use crate::wire::{DecideMany, DecideOne, Forget, Purge, SearchRequest};
use crate::xmp::{self, Keywords};

const LIMITS: DecodeConfig = DecodeConfig {
    max_pixels: 10_000,
    max_file_bytes: 1 << 20,
    memory_bytes: 0,
    max_frames: 4,
    ffmpeg: String::new(),
};

/// A JPEG with this segment in it; nothing where that is too long for one.
fn jpeg_with(marker: u8, start: &[u8], rest: &[u8]) -> Option<Vec<u8>> {
    static PICTURE: OnceLock<Vec<u8>> = OnceLock::new();
    let picture = PICTURE.get_or_init(|| {
        let mut bytes = Cursor::new(Vec::new());
        let written = GrayImage::new(8, 8).write_to(&mut bytes, ImageFormat::Jpeg);
        written.map_or_else(|error| panic!("{error}"), |()| bytes.into_inner())
    });
    let length = u16::try_from(2 + start.len() + rest.len()).ok()?;
    let (first_marker, others) = picture.split_first_chunk::<2>()?;
    let head = [0xFF, marker];
    Some(
        [
            first_marker,
            &head[..],
            &length.to_be_bytes(),
            start,
            rest,
            others,
        ]
        .concat(),
    )
}

/// What a text is where bytes that are none stand for themselves.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder for the files of this process.
fn folder() -> PathBuf {
    static FOLDER: OnceLock<Option<TempDir>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().ok());
    folder
        .as_ref()
        .map_or(Path::new(""), TempDir::path)
        .to_owned()
}

fn file_of(bytes: &[u8]) -> PathBuf {
    let path = folder().join("file");
    assert!(fs::write(&path, bytes).is_ok());
    path
}

/// EXIF gives times and places that exist.
pub fn exif(bytes: &[u8]) {
    let Some(picture) = jpeg_with(0xE1, b"Exif\0\0", bytes) else {
        return;
    };
    let opened = decode::open(&picture, &LIMITS);
    assert!(opened.is_ok(), "the picture does not suffer");
    decode::values(&picture);
    let metadata = opened.map(|(description, _)| description.metadata).ok();
    let metadata = metadata.iter();
    for metadata in metadata {
        assert!(
            metadata
                .taken_at
                .iter()
                .all(|text| text.parse::<PartialDate>().is_ok()),
            "{metadata:?}"
        );
        assert!(
            metadata
                .latitude
                .iter()
                .all(|degrees| degrees.abs() <= 90.0)
        );
        assert!(
            metadata
                .longitude
                .iter()
                .all(|degrees| degrees.abs() <= 180.0)
        );
    }
}

/// Keywords are short, composed, and not too many.
pub fn keywords(bytes: &[u8]) {
    let xmp = jpeg_with(0xE1, b"http://ns.adobe.com/xap/1.0/\0", bytes);
    let iptc = jpeg_with(0xED, b"Photoshop 3.0\0", bytes);
    for picture in xmp.into_iter().chain(iptc) {
        let keywords = decode::keywords(&picture);
        assert!(keywords.len() <= xmp::MAX_KEYWORDS);
        for keyword in keywords {
            assert!((1..=xmp::MAX_KEYWORD_BYTES).contains(&keyword.len()));
            assert_eq!(composed(keyword.trim()), keyword);
        }
    }
}

/// A label file is refused, or all can be made of it that is, and it is read as it is told.
pub fn label_set(bytes: &[u8]) {
    let Ok(set) = LabelSet::parse(&text(bytes)) else {
        return;
    };
    tag::fuzz::check(&set);
    set.key("name");
    set.warnings(&[].into());
    is_read_as_it_is_told(&set);
}

fn is_read_as_it_is_told<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let told = serde_json::to_string(value).unwrap_or_default();
    assert_eq!(
        serde_json::from_str::<T>(&told).ok().as_ref(),
        Some(value),
        "{told}"
    );
}

/// A query is refused with the place of the mistake, or it is one that can be asked.
pub fn query(bytes: &[u8]) {
    let text = text(bytes);
    match search::parse(&text) {
        Ok(query) => check_query(&query),
        Err(error) => assert!(
            (1..=text.chars().count() + 1).contains(&error.at),
            "{error}"
        ),
    }
}

fn check_query(query: &Query) {
    assert!(query.terms.len() <= MOST_TERMS);
    for term in &query.terms {
        assert!(term.weight != 0.0 && term.weight.abs() <= MOST_WEIGHT);
    }
    assert!(serde_json::to_string(query).is_ok());
    let _ = query.only_filter();
}

/// Any filter is answered by the database.
pub fn filter(bytes: &[u8]) {
    let Ok(query) = search::parse(&text(bytes)) else {
        return;
    };
    if query.only_filter().is_ok() {
        let passing = store().matching(&query.filter);
        assert!(passing.is_ok(), "{passing:?} {:?}", query.filter);
    }
    for term in query.terms {
        if let What::Text(name) = term.what {
            assert!(store().named(&name, &query.filter).is_ok());
        }
    }
}

/// An empty library with a root.
fn store() -> &'static Store {
    static STORE: OnceLock<Store> = OnceLock::new();
    STORE.get_or_init(|| {
        let store = Store::open(&folder().join("library"));
        let opened = store.and_then(|store| store.root(Path::new("/photos")).map(|_| store));
        opened.unwrap_or_else(|error| panic!("{error}"))
    })
}

/// A cursor is refused, or is the one that it is written as.
pub fn cursor(bytes: &[u8]) {
    search::fuzz::cursor(&text(bytes));
}

/// A packet keeps every byte of others through what is written into it, and gives that back.
///
/// The keywords to be written stand in front of the packet, one a line, up to a NUL.
pub fn sidecar(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(0);
    let (wanted, packet) = (
        wanted(&text(&bytes[..end])),
        bytes.get(end + 1..).unwrap_or_default(),
    );
    let nothing = Keywords::default();
    let write = |packet: &[u8], wanted| xmp::write(Some(packet), wanted).ok();
    let Some(Some(written)) = write(packet, &wanted) else {
        return;
    };
    let is_kept = |packet: &[u8], wanted| write(packet, wanted) == Some(Some(packet.to_owned()));
    assert!(
        is_kept(&written, &wanted),
        "a second time something is written"
    );
    assert_eq!(
        xmp::read(&written).ok(),
        xmp::read(packet).ok(),
        "others' keywords"
    );
    let without = write(packet, &nothing);
    let is_others = |packet: &Option<Vec<u8>>| !packet.iter().any(|bytes| xmp::has_own(bytes));
    // Somebody may have put a list of ours into a form that holds nothing.
    if without.as_ref().is_some_and(is_others) {
        assert_eq!(write(&written, &nothing), without, "others' bytes");
    }
    if !xmp::has_own(packet) {
        assert_eq!(without, Some(Some(packet.to_owned())));
        are_written(&wanted, packet, &written);
    }
}

/// Labels as they are written into sidecars.
fn wanted(lines: &str) -> Keywords {
    let labels = lines
        .lines()
        .filter_map(|line| line.parse::<LabelName>().ok())
        // What is ours is told from it by that.
        .filter(|label| !label.contains("urn:pixdex"));
    let (hierarchical, subjects) = labels
        .map(|label| label.to_string())
        .partition(|label| label.contains('|'));
    Keywords {
        subjects,
        hierarchical,
    }
}

/// As another program reads them.
fn are_written(wanted: &Keywords, before: &[u8], written: &[u8]) {
    let theirs = text(written).replace("urn:pixdex:1.0/", "urn:others:1.0/");
    let (Ok(mut expected), Ok(found)) = (xmp::read(before), xmp::read(theirs.as_bytes())) else {
        panic!("what was written cannot be read");
    };
    let parts = wanted.hierarchical.iter().flat_map(|path| path.split('|'));
    let parts = parts.chain(wanted.subjects.iter().map(String::as_str));
    expected.extend(parts.map(|part| composed(part.trim()).into_owned()));
    expected.remove("");
    if expected.len() < xmp::MAX_KEYWORDS {
        assert_eq!(found, expected);
    }
}

/// The file of a segment is refused, or used without harm.
pub fn segment(bytes: &[u8]) {
    index::fuzz::segment(bytes, &folder());
}

/// What stands behind the `?` of an address is refused, or is a query that can be asked.
pub fn address(bytes: &[u8]) {
    if let Some(query) = serve::fuzz::address(&text(bytes)) {
        check_query(&query);
    }
}

/// The body of a request is refused, or is what can be asked.
pub fn request(bytes: &[u8]) {
    let search: Option<SearchRequest> = serde_json::from_slice(bytes).ok();
    let many: Option<DecideMany> = serde_json::from_slice(bytes).ok();
    let search = search.or_else(|| many?.search);
    if let Some(Ok((query, _))) = search.map(SearchRequest::read) {
        check_query(&query);
    }
    let _ = serde_json::from_slice::<DecideOne>(bytes);
    let _ = serde_json::from_slice::<Forget>(bytes);
    let _ = serde_json::from_slice::<Purge>(bytes);
}

/// Decisions are refused with their line, or read as they are exported; and as a journal they are compared with the library.
pub fn decisions(bytes: &[u8]) {
    if let Ok(decisions) = Decision::parse_lines(bytes) {
        decisions.iter().for_each(is_read_as_it_is_told);
    }
    assert!(fs::write(store().journal_path(), bytes).is_ok());
    assert!(store().journal_difference().is_ok());
}

/// A file of embeddings is refused, or read.
pub fn vectors(bytes: &[u8]) {
    cli::fuzz::vectors(&file_of(bytes));
}

/// A configuration is refused, or one that can be told.
pub fn config(bytes: &[u8]) {
    if let Ok(config) = Config::load(Some(&file_of(bytes)), [].into_iter(), Vec::new()) {
        assert!(toml::to_string(&config).is_ok());
    }
}

/// Every text of a length that is taken becomes ids that the text tower has.
pub fn tokens(bytes: &[u8]) {
    static MODEL: OnceLock<Option<Model>> = OnceLock::new();
    let model = MODEL
        .get_or_init(|| Model::open(&ModelSource::Bundled, &HubSettings::from_env(), &|_| {}).ok());
    let text = text(bytes);
    let (Some(model), Ok(())) = (model, check_text(&text)) else {
        return;
    };
    let ids = ids(&model.tokenizer, &text);
    let shape = &model.architecture.text;
    assert!((2..=shape.context_length).contains(&ids.len()));
    assert_eq!(ids.last(), Some(&shape.eos_token_id));
    assert!(ids.iter().all(|id| (*id as usize) < shape.vocab_size));
}

fn ids(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    let encoded = tokenizer.encode_fast(text, true);
    encoded.map_or_else(
        |error| panic!("{error}"),
        |encoded| encoded.get_ids().to_vec(),
    )
}

/// A name is refused, or the same when it is read again.
pub fn names(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(name) = text.parse::<SetName>() {
        assert_eq!(name.parse().as_ref(), Ok(&name));
        assert!(name.is_same(&text) && name.is_same(&name.folded()));
    }
    if let Ok(name) = text.parse::<LabelName>() {
        assert_eq!(name.parse().as_ref(), Ok(&name));
    }
    let _ = text.parse::<LabelRef>();
    assert_eq!(folded(&folded(&text)), folded(&text));
}
