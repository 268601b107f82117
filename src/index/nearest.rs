//! What is found: images with their similarity, best first.

use std::collections::BTreeMap;

use crate::store::{FrameId, ImageId};

/// An answer: the nearest images, best first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Nearest {
    /// Images with their similarity to the query.
    pub hits: Vec<(ImageId, f32)>,
    /// Of videos that fit by another frame than the one that stands for them, that frame.
    pub frames: BTreeMap<ImageId, FrameId>,
    /// Whether nothing can be missing: every image was compared, by its embedding or by codes that, however much they
    /// are off, put it behind all hits.
    pub exact: bool,
}

impl Nearest {
    /// These hits, best first, with nothing missing.
    pub(super) fn exact(hits: Vec<(ImageId, f32)>) -> Nearest {
        Nearest {
            hits,
            exact: true,
            ..Nearest::default()
        }
    }

    /// No more than the first so many.
    pub(super) fn truncate(&mut self, count: usize) {
        for (image, _) in self.hits.drain(count.min(self.hits.len())..) {
            self.frames.remove(&image);
        }
    }
}
