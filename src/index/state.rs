//! What is in the index: a segment, what has gone from it, and what is newer than it.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::bitset::BitSet;
use super::frames::{self, Frames};
use super::matrix::Matrix;
use super::segment::Segment;
use super::snapshot::Snapshot;
use super::tuning::Tuning;
use crate::store::{FrameId, ImageId};

/// A segment is built again when one in so many of its images has come or gone since.
const REBUILD_SHARE: usize = 4;

/// The state of one index, as all its handles share it.
#[derive(Debug, Clone)]
pub(super) struct SharedState(Arc<RwLock<State>>);

impl SharedState {
    pub(super) fn new(state: State) -> SharedState {
        SharedState(Arc::new(RwLock::new(state)))
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every image with its embedding is either in the segment and not `gone`, or `recent`.
#[derive(Debug)]
pub(super) struct State {
    embedding_dim: usize,
    pub(super) segment: Option<Arc<Segment>>,
    pub(super) tuning: Tuning,
    /// Nodes of the segment whose images have gone, or have another embedding now.
    pub(super) gone: BitSet,
    /// Images that are not in the segment, or have another embedding now.
    pub(super) recent: Matrix,
    /// Which of these rows are frames of videos.
    pub(super) frames: Arc<Frames>,
    /// Images that changed since a build began; nothing while none is under way.
    changed: Option<HashSet<ImageId>>,
}

impl State {
    pub(super) fn new(embedding_dim: usize) -> State {
        State {
            embedding_dim,
            segment: None,
            tuning: Tuning::default(),
            gone: BitSet::default(),
            recent: Matrix::new(embedding_dim),
            frames: Arc::default(),
            changed: None,
        }
    }

    /// Number of images.
    pub(super) fn len(&self) -> usize {
        self.rows().saturating_sub(self.frames.len())
    }

    /// Number of embeddings: images, and further frames of videos.
    pub(super) fn rows(&self) -> usize {
        self.segment_len() - self.gone.len() + self.recent.len()
    }

    pub(super) fn segment_len(&self) -> usize {
        self.segment.as_ref().map_or(0, |segment| segment.len())
    }

    pub(super) fn get(&self, image: ImageId) -> Option<&[f32]> {
        self.recent.get(image).or_else(|| {
            let segment = self.segment.as_ref()?;
            Some(segment.row(self.node(image)?))
        })
    }

    /// The node of an image of which the segment has the embedding.
    fn node(&self, image: ImageId) -> Option<u32> {
        let node = self.segment.as_ref()?.node(image)?;
        (!self.gone.contains(node)).then_some(node)
    }

    pub(super) fn insert(&mut self, image: ImageId, embedding: &[f32]) {
        assert_eq!(
            embedding.len(),
            self.embedding_dim,
            "embeddings of two models must not meet"
        );
        if self.get(image) == Some(embedding) {
            return;
        }
        self.forget(image);
        self.recent.insert(image, embedding);
    }

    /// Makes these all the further frames of a video.
    pub(super) fn insert_frames(&mut self, video: ImageId, frames: &[(FrameId, &[f32])]) {
        self.remove_frames(video);
        for (frame, embedding) in frames {
            Arc::make_mut(&mut self.frames).add(video, *frame);
            self.insert(frames::row(*frame), embedding);
        }
    }

    fn remove_frames(&mut self, video: ImageId) {
        if self.frames.of(video).is_empty() {
            return;
        }
        for frame in Arc::make_mut(&mut self.frames).remove(video) {
            self.remove_row(frames::row(frame));
        }
    }

    /// Takes out an image, with all its frames.
    pub(super) fn remove(&mut self, image: ImageId) {
        self.remove_frames(image);
        self.remove_row(image);
    }

    fn remove_row(&mut self, image: ImageId) {
        if self.get(image).is_some() {
            self.forget(image);
            self.recent.remove(image);
        }
    }

    fn forget(&mut self, image: ImageId) {
        if let Some(node) = self.node(image) {
            self.gone.insert(node);
        }
        if let Some(changed) = &mut self.changed {
            changed.insert(image);
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            embedding_dim: self.embedding_dim,
            segment: self.segment.clone(),
            gone: self.gone.clone(),
            recent: self.recent.blocks().to_vec(),
            frames: Arc::clone(&self.frames),
        }
    }

    /// Whether so much has changed since the segment was built that it should be built again.
    pub(super) fn wants_segment(&self, hnsw_from: usize) -> bool {
        match &self.segment {
            None => self.rows() >= hnsw_from,
            Some(segment) => {
                let changed = self.recent.len() + self.gone.len();
                changed > (segment.len() / REBUILD_SHARE).max(hnsw_from / 2)
            }
        }
    }

    /// What is there now, for a segment to be built from; what changes from here on is remembered until it is ready.
    pub(super) fn begin_build(&mut self) -> Snapshot {
        self.changed = Some(HashSet::new());
        self.snapshot()
    }

    pub(super) fn end_build(&mut self, built: Option<(Segment, Tuning)>) {
        let changed = self.changed.take().unwrap_or_default();
        let Some((segment, tuning)) = built else {
            return;
        };
        let mut recent = Matrix::new(self.embedding_dim);
        let mut gone = BitSet::new(segment.len());
        for &image in &changed {
            if let Some(row) = self.get(image) {
                recent.insert(image, row);
            }
            if let Some(node) = segment.node(image) {
                gone.insert(node);
            }
        }
        self.recent = recent;
        self.gone = gone;
        self.segment = Some(Arc::new(segment));
        self.tuning = tuning;
    }

    /// Puts a segment from a file in force, of an index that is empty.
    pub(super) fn adopt(&mut self, segment: Segment, tuning: Tuning) {
        self.gone = BitSet::new(segment.len());
        self.segment = Some(Arc::new(segment));
        self.tuning = tuning;
    }

    /// Takes a segment that is not to be trusted out of force. Its images are missing then.
    pub(super) fn discard(&mut self) {
        self.segment = None;
        self.tuning = Tuning::default();
        self.gone = BitSet::default();
    }

    /// Forgets all rows but those of these images (in order) and frames of videos; which of them are missing.
    pub(super) fn keep_only(&mut self, images: &[ImageId], frames: Frames) -> Vec<ImageId> {
        self.frames = Arc::new(frames);
        let live = self.frames.rows(images).into_owned();
        let mut is_here = vec![false; live.len()];
        let mut mark = |image: ImageId| {
            let place = live.binary_search(&image);
            place.map(|place| is_here[place] = true).is_ok()
        };
        let snapshot = self.snapshot();
        let dead: Vec<ImageId> = snapshot.row_ids().filter(|image| !mark(*image)).collect();
        drop(snapshot);
        for image in dead {
            self.remove_row(image);
        }
        live.iter()
            .zip(is_here)
            .filter(|(_, is_here)| !is_here)
            .map(|(image, _)| *image)
            .collect()
    }
}
