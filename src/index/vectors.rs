//! The embeddings of the images: always in this process, wherever neighbours are found among them.

use super::snapshot::Snapshot;
use super::state::SharedState;
use crate::store::ImageId;

/// Lends the embeddings of one index. Cheap to clone; every clone lends those of the same index.
#[derive(Debug, Clone)]
pub struct Vectors {
    state: SharedState,
}

impl Vectors {
    pub(super) fn new(state: SharedState) -> Vectors {
        Vectors { state }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.state.read().len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is an embedding of this image.
    pub fn contains(&self, image: ImageId) -> bool {
        self.state.read().get(image).is_some()
    }

    /// The embedding of an image.
    pub fn embedding(&self, image: ImageId) -> Option<Vec<f32>> {
        self.state.read().get(image).map(<[f32]>::to_vec)
    }

    /// All embeddings as they are now.
    pub fn snapshot(&self) -> Snapshot {
        self.state.read().snapshot()
    }
}
