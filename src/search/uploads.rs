//! Pictures that are brought to search with: each is embedded once, and known by the hash of its bytes for an hour.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::query::Upload;
use super::{Search, SearchError};
use crate::store::ContentHash;

/// So long one is known after it was brought.
const KEPT: Duration = Duration::from_hours(1);

/// More are not known at a time: the oldest goes.
const MOST: usize = 1000;

/// The embeddings of pictures that were brought. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Uploads(Arc<Mutex<HashMap<ContentHash, Known>>>);

/// An embedding, and since when it is known.
type Known = (Vec<f32>, Instant);

impl Uploads {
    pub(super) fn get(&self, hash: &ContentHash) -> Option<Vec<f32>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (vector, since) = known.get(hash)?;
        (since.elapsed() < KEPT).then(|| vector.clone())
    }

    fn put(&self, hash: ContentHash, vector: Vec<f32>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (_, since)| since.elapsed() < KEPT);
        let oldest = known.iter().min_by_key(|(_, (_, since))| *since);
        if let Some(oldest) = oldest
            .map(|(hash, _)| *hash)
            .filter(|_| known.len() >= MOST)
        {
            known.remove(&oldest);
        }
        known.insert(hash, (vector, Instant::now()));
    }
}

impl Search {
    /// Takes in a picture that is brought: queries name it, as they name images of the library, by what is returned.
    pub fn bring(&self, bytes: &[u8]) -> Result<ContentHash, SearchError> {
        let hash = ContentHash::of(bytes);
        if self.uploads.get(&hash).is_none() {
            let vector = self.embed_upload(&Upload(bytes.to_vec()))?;
            self.uploads.put(hash, vector);
        }
        Ok(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_where_there_are_too_many() {
        let uploads = Uploads::default();
        let hash = |number: usize| ContentHash::of(&number.to_le_bytes());
        for number in 0..=MOST {
            uploads.put(hash(number), vec![number as f32]);
        }
        assert_eq!(uploads.get(&hash(0)), None);
        assert_eq!(uploads.get(&hash(1)), Some(vec![1.0]));
        assert_eq!(uploads.get(&hash(MOST)), Some(vec![MOST as f32]));
    }
}
