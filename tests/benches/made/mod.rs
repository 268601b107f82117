//! A library of made images: real rows, real (empty) files, drawn embeddings. Stands for one that took hours to index.

use std::path::{Path, PathBuf};

use pixdex::decode::Metadata;
use pixdex::embed::{Embedder, Embedding};
use pixdex::formats::Format;
use pixdex::random::Random;
use pixdex::store::{
    Content, ContentHash, FileKeywords, FileRecord, FileStat, ImageId, ImageTags, ModelId, Reading,
    RootId, SeenFile, Store,
};

/// Files written in one transaction.
const BATCH: usize = 2_000;

/// Files in one folder.
const FOLDER_SIZE: usize = 1_000;

/// Words that queries and labels are made of.
const WORDS: [&str; 20] = [
    "red", "old", "small", "wet", "bright", "empty", "quiet", "broken", "wooden", "distant", "dog",
    "house", "boat", "street", "tree", "child", "cup", "bridge", "cloud", "garden",
];

/// The `i`th of 100 short descriptions, "a red dog" and so on.
pub(crate) fn description(i: usize) -> String {
    format!("{} {}", WORDS[i % 10], WORDS[10 + i / 10 % 10])
}

/// Nearly normal, mean 0, deviation 1: the sum of four uniform numbers.
fn normal(random: &mut Random) -> f32 {
    let bits = random.bits();
    let sum: f32 = (0..4)
        .map(|part| (bits >> (16 * part) & 0xFFFF) as f32 / 65_536.0 - 0.5)
        .sum();
    sum * 3.0_f32.sqrt()
}

/// Embeddings as pictures have them: in 2,000 clusters that crowd around one direction.
pub(crate) struct Embeddings {
    random: Random,
    centres: Vec<Vec<f32>>,
}

impl Embeddings {
    /// Of this length.
    pub(crate) fn new(embedding_dim: usize) -> Embeddings {
        let mut random = Random::new(7);
        let crowd: Vec<f32> = (0..embedding_dim).map(|_| normal(&mut random)).collect();
        let mut centre = || {
            crowd
                .iter()
                .map(|value| 0.85 * value + normal(&mut random))
                .collect()
        };
        let centres = (0..2_000).map(|_| centre()).collect();
        Embeddings { random, centres }
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> Embedding {
        let centre = &self.centres[self.random.bits() as usize % self.centres.len()];
        let noisy = centre
            .iter()
            .map(|value| value + 0.45 * normal(&mut self.random));
        Embedding::new(noisy.collect()).expect("noise is never zero")
    }
}

/// Writes `count` images with their files under `photos`, and returns them in order.
pub(crate) fn fill(
    store: &Store,
    photos: &Path,
    embedder: &Embedder,
    count: usize,
) -> Vec<(ImageId, Embedding)> {
    let mut embeddings = Embeddings::new(embedder.embedding_dim());
    std::fs::create_dir_all(photos).expect("the folder can be made");
    let photos = photos.canonicalize().expect("the folder is there");
    let root = store.root(&photos).expect("the library works");
    let model = store
        .model(embedder.fingerprint(), embedder.name())
        .expect("the library works");
    let mut images = Vec::with_capacity(count);
    for start in (0..count).step_by(BATCH) {
        let batch: Vec<Embedding> = (start..count.min(start + BATCH))
            .map(|_| embeddings.next())
            .collect();
        images.extend(record(store, root, model, &photos, start, batch));
    }
    images
}

fn record(
    store: &Store,
    root: RootId,
    model: ModelId,
    photos: &Path,
    first: usize,
    batch: Vec<Embedding>,
) -> Vec<(ImageId, Embedding)> {
    let records: Vec<FileRecord> = batch
        .iter()
        .enumerate()
        .map(|(i, embedding)| {
            let path = make_file(photos, first + i);
            let stat = FileStat::of(&path.metadata().expect("the file was made"));
            let content = Content {
                hash: hash(first + i),
                metadata: Metadata::new(Format::Jpeg, 4_000, 3_000),
                keywords: FileKeywords::default(),
                embedded: embedding.clone().into(),
                tags: ImageTags::default(),
            };
            FileRecord {
                root,
                file: SeenFile {
                    path,
                    stat,
                    is_mounted: false,
                },
                reading: Reading::Image(Box::new(content)),
            }
        })
        .collect();
    let recorded = store.record(model, &records).expect("the library works");
    recorded.images.into_iter().flatten().zip(batch).collect()
}

/// Of the image with this number.
pub(crate) fn hash(number: usize) -> ContentHash {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&(number as u64).to_le_bytes());
    ContentHash(hash)
}

fn make_file(photos: &Path, number: usize) -> PathBuf {
    let folder = photos.join(format!("{:04}", number / FOLDER_SIZE));
    if number.is_multiple_of(FOLDER_SIZE) {
        std::fs::create_dir_all(&folder).expect("a folder can be made");
    }
    let path = folder.join(format!("{number:07}.jpg"));
    std::fs::write(&path, []).expect("a file can be made");
    path
}

/// The value below which `share` of them lie.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}
