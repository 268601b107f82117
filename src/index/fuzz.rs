//! Any bytes as the file of a segment: it is refused, or it is used without harm.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::file::header;
use super::layout::{HEADER_BYTES, SegmentShape};
use super::neighbours::QueryKind;
use super::{Index, IndexSetup, Tuning};
use crate::config::{IndexConfig, IndexMode};
use crate::stop::{Stop, Threads};
use crate::store::ImageId;

const FINGERPRINT: &str = "model";

/// Of a segment whose manifest is any text.
const EMBEDDING_DIM: usize = 4;

/// More of what is counted would be a larger file, and not another one.
const MOST: usize = 64;

/// More than one for each node.
const LINKS: usize = 4;

const CONFIG: IndexConfig = IndexConfig {
    hnsw_from: 1 << 40,
    mode: IndexMode::Hnsw,
    target_recall_text: 0.9,
    target_recall_image: 0.9,
};

/// A first byte of 0 puts a manifest of any text into a sound header; else numbers of a shape follow, and what its arrays
/// hold. `folder` is for the file.
pub(crate) fn segment(bytes: &[u8], folder: &Path) {
    let Some((file, embedding_dim)) = file(bytes) else {
        return;
    };
    let setup = IndexSetup {
        folder: folder.to_owned(),
        fingerprint: FINGERPRINT.to_owned(),
        embedding_dim,
        texts: Box::new(Vec::new),
    };
    let path = setup.file();
    // Another file each time: what is mapped must not change.
    let _ = fs::remove_file(&path);
    assert!(fs::write(&path, file).is_ok());
    use_all_of(
        &Index::open(setup, CONFIG, Stop::default(), Threads::default()),
        embedding_dim,
    );
}

fn file(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (numbers, rest) = bytes.split_first_chunk()?;
    let [kind, nodes, embedding_dim, upper_links, links] = numbers.map(usize::from);
    if kind == 0 {
        return Some((header(bytes[1..].to_vec()), EMBEDDING_DIM));
    }
    let embedding_dim = embedding_dim % MOST + 1;
    let mut shape = SegmentShape::new(FINGERPRINT, embedding_dim);
    shape.nodes = nodes % MOST;
    shape.upper_links = upper_links % MOST;
    shape.links = LINKS * links;
    let manifest = json!({ "shape": shape, "tuning": Tuning::default(), "checksum": "" });
    let mut file = header(manifest.to_string().into_bytes());
    file.extend_from_slice(rest);
    file.resize(shape.file_bytes().max(HEADER_BYTES), 0);
    Some((file, embedding_dim))
}

fn use_all_of(index: &Index, embedding_dim: usize) {
    let query: Vec<f32> = (0..embedding_dim).map(|at| 0.5 - at as f32).collect();
    let snapshot = index.vectors().snapshot();
    let mut images: Vec<ImageId> = snapshot.row_ids().collect();
    images.sort_unstable();
    images.dedup();
    assert!(images.len() <= snapshot.len());
    assert!(snapshot.sample(10).len() <= 10 * embedding_dim);
    let neighbours = index.neighbours();
    for k in [1, 10] {
        for kind in [QueryKind::Text, QueryKind::Image] {
            assert!(neighbours.search(&query, k, kind, None).hits.len() <= k);
        }
        assert!(neighbours.by_scan(&query, k).hits.len() <= k);
        neighbours.search(&query, k, QueryKind::Image, Some(&images));
        neighbours.by_graph(&query, k, k);
    }
    neighbours.above(&query, 0.5, None);
    neighbours.above(&query, 0.5, Some(&images));
    neighbours.near_duplicates(&images, 0.9);
    for &image in &images {
        index.vectors().embedding(image);
    }
    index.remove(&images[..images.len() / 2]);
    neighbours.search(&query, 3, QueryKind::Image, None);
    neighbours.near_duplicates(&images, 0.9);
    index.status();
}
