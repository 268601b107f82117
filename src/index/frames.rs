//! Which rows of an index are frames of videos: a video is found by whichever of its frames fits best, and is one hit.
//!
//! An image's row has the image's number. A video has rows for further frames, which are kept under numbers below zero; nobody
//! outside of this folder meets them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::nearest::Nearest;
use crate::store::{FrameId, ImageId};

/// The further frames of all videos of an index.
#[derive(Debug, Clone, Default)]
pub(super) struct Frames {
    video_of: HashMap<FrameId, ImageId>,
    of_video: BTreeMap<ImageId, Vec<FrameId>>,
}

/// The number under which a frame is kept.
pub(super) fn row(frame: FrameId) -> ImageId {
    ImageId(frame.0.saturating_neg())
}

/// The frame that is kept under this number; none where an image is.
pub(super) fn frame_at(row: ImageId) -> Option<FrameId> {
    // A file that was tampered with has any number.
    (row.0 < 0).then(|| FrameId(row.0.saturating_neg()))
}

impl Frames {
    /// Each frame with its video.
    pub(super) fn new(frames: &[(FrameId, ImageId)]) -> Frames {
        let mut all = Frames::default();
        for &(frame, video) in frames {
            all.add(video, frame);
        }
        all
    }

    pub(super) fn add(&mut self, video: ImageId, frame: FrameId) {
        if self.video_of.insert(frame, video).is_none() {
            self.of_video.entry(video).or_default().push(frame);
        }
    }

    /// Forgets the frames of a video, and returns them.
    pub(super) fn remove(&mut self, video: ImageId) -> Vec<FrameId> {
        let frames = self.of_video.remove(&video).unwrap_or_default();
        for frame in &frames {
            self.video_of.remove(frame);
        }
        frames
    }

    pub(super) fn is_empty(&self) -> bool {
        self.video_of.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.video_of.len()
    }

    /// The further frames of an image: none of a still.
    pub(super) fn of(&self, image: ImageId) -> &[FrameId] {
        self.of_video.get(&image).map_or(&[], Vec::as_slice)
    }

    /// Images with further frames, in order.
    pub(super) fn videos(&self) -> impl Iterator<Item = ImageId> {
        self.of_video.keys().copied()
    }

    /// The image that a row is of.
    pub(super) fn image_at(&self, row: ImageId) -> Option<ImageId> {
        match frame_at(row) {
            None => Some(row),
            Some(frame) => self.video_of.get(&frame).copied(),
        }
    }

    /// The rows of these images, which are in order; so are the rows.
    pub(super) fn rows<'a>(&self, images: &'a [ImageId]) -> Cow<'a, [ImageId]> {
        if self.is_empty() {
            return Cow::Borrowed(images);
        }
        let videos = self.of_video.iter();
        let wanted = videos.filter(|(video, _)| images.binary_search(video).is_ok());
        let mut rows: Vec<ImageId> = wanted
            .flat_map(|(_, frames)| frames.iter().copied().map(row))
            .collect();
        rows.sort_unstable();
        rows.extend_from_slice(images);
        Cow::Owned(rows)
    }

    /// What was found among rows, as what was found among images: each where its best row is.
    pub(super) fn by_image(&self, found: Nearest) -> Nearest {
        if self.is_empty() {
            return found;
        }
        let mut best: HashMap<ImageId, Option<FrameId>> = HashMap::new();
        let mut hits = Vec::new();
        for (row, similarity) in found.hits {
            let Some(image) = self.image_at(row) else {
                continue;
            };
            best.entry(image).or_insert_with(|| {
                hits.push((image, similarity));
                frame_at(row)
            });
        }
        let frames = best.into_iter();
        Nearest {
            hits,
            frames: frames
                .filter_map(|(image, frame)| Some((image, frame?)))
                .collect(),
            exact: found.exact,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The image 7 is a video with the frames 1 and 3, and 9 one with the frame 2.
    fn frames() -> Frames {
        Frames::new(&[
            (FrameId(1), ImageId(7)),
            (FrameId(2), ImageId(9)),
            (FrameId(3), ImageId(7)),
        ])
    }

    fn ids(ids: &[i64]) -> Vec<ImageId> {
        ids.iter().copied().map(ImageId).collect()
    }

    #[test]
    fn any_number_below_zero_is_a_frame() {
        assert_eq!(frame_at(row(FrameId(5))), Some(FrameId(5)));
        assert_eq!(frame_at(ImageId(5)), None);
        assert_eq!(frame_at(ImageId(i64::MIN)), Some(FrameId(i64::MAX)));
    }

    #[test]
    fn rows_of_images_are_in_order() {
        let frames = frames();
        assert_eq!(*frames.rows(&ids(&[2, 7, 8])), ids(&[-3, -1, 2, 7, 8]));
        assert_eq!(*frames.rows(&ids(&[2, 8])), ids(&[2, 8]));
        assert_eq!(*Frames::default().rows(&ids(&[7])), ids(&[7]));
    }

    #[test]
    fn a_video_is_one_hit_where_its_best_frame_is() {
        let hits = [
            (-1, 0.9),
            (4, 0.8),
            (7, 0.7),
            (-3, 0.6),
            (9, 0.5),
            (-2, 0.4),
            (-8, 0.3),
        ];
        let found = frames().by_image(Nearest {
            hits: hits
                .map(|(row, similarity)| (ImageId(row), similarity))
                .to_vec(),
            frames: BTreeMap::new(),
            exact: true,
        });
        let expected = [(7, 0.9), (4, 0.8), (9, 0.5)];
        assert_eq!(
            found.hits,
            expected.map(|(image, similarity)| (ImageId(image), similarity))
        );
        assert_eq!(found.frames, BTreeMap::from([(ImageId(7), FrameId(1))]));
    }

    #[test]
    fn a_video_goes_with_its_frames() {
        let mut frames = frames();
        assert_eq!(frames.remove(ImageId(7)), [FrameId(1), FrameId(3)]);
        assert_eq!(frames.remove(ImageId(7)), []);
        assert_eq!(
            (frames.len(), frames.of(ImageId(9))),
            (1, &[FrameId(2)][..])
        );
        assert_eq!(frames.image_at(ImageId(-1)), None);
    }
}
