//! The embeddings of the images: always in this process, wherever neighbours are found among them.

use super::frames;
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

    /// The embeddings of all frames of an image, row by row; a still has one.
    pub fn frames(&self, image: ImageId) -> Option<Vec<f32>> {
        let state = self.state.read();
        let mut rows = state.get(image)?.to_vec();
        let others = state.frames.of(image).iter();
        let others = others.filter_map(|frame| state.get(frames::row(*frame)));
        others.for_each(|row| rows.extend_from_slice(row));
        Some(rows)
    }

    /// Images with more than one frame, in order.
    pub fn videos(&self) -> Vec<ImageId> {
        self.state.read().frames.videos().collect()
    }

    /// The embedding of an image; of a video, that of the frame that stands for it.
    pub fn embedding(&self, image: ImageId) -> Option<Vec<f32>> {
        self.state.read().get(image).map(<[f32]>::to_vec)
    }

    /// All embeddings as they are now.
    pub fn snapshot(&self) -> Snapshot {
        self.state.read().snapshot()
    }
}
