//! What is embedded of an image: a still has one frame, of a video those that differ.

use super::colours::Colours;
use super::embedding::Embedding;
use super::error::EmbedError;
use super::pixels::Pixels;
use crate::kernels::dot;

/// A picture to embed.
#[derive(Debug, Clone)]
pub struct Shot {
    /// Of a video's frame, when it is seen, in milliseconds from the video's start.
    pub time_ms: Option<i64>,
    /// The model's input.
    pub pixels: Pixels,
}

/// What is kept of a shot beside its embedding.
pub(super) struct Seen {
    time_ms: Option<i64>,
    colours: Colours,
}

impl From<&Shot> for Seen {
    fn from(shot: &Shot) -> Seen {
        Seen {
            time_ms: shot.time_ms,
            colours: shot.pixels.colours(),
        }
    }
}

/// The embeddings of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// Of the still, or of the frame that stands for a video.
    pub embedding: Embedding,
    /// The frames of a video.
    pub video: Option<VideoFrames>,
    /// The colours of what the model saw, where it was seen here.
    pub colours: Option<Colours>,
}

/// The frames of a video.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoFrames {
    /// When the frame is seen that stands for it, in milliseconds from its start.
    pub cover_ms: i64,
    /// The others, in order of time.
    pub others: Vec<Frame>,
}

/// A frame of a video.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// When it is seen, in milliseconds from the video's start.
    pub time_ms: i64,
    /// Its vector.
    pub embedding: Embedding,
}

/// From this similarity on a frame shows nothing that the one before it did not.
const NEARLY_EQUAL: f32 = 0.95;

impl From<Embedding> for Embedded {
    fn from(embedding: Embedding) -> Embedded {
        Embedded {
            embedding,
            video: None,
            colours: None,
        }
    }
}

impl Embedded {
    /// Of the shots of one image: of a still, or of those frames of a video that could be embedded.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn of(
        shots: impl IntoIterator<Item = (Seen, Result<Embedding, EmbedError>)>,
    ) -> Result<Embedded, EmbedError> {
        let mut frames = Vec::new();
        let mut first_error = EmbedError::Stopped;
        let mut has_failed = false;
        let mut of_cover = None;
        for (Seen { time_ms, colours }, embedding) in shots {
            match (time_ms, embedding) {
                (None, embedding) => {
                    return Ok(Embedded {
                        colours: Some(colours),
                        ..embedding?.into()
                    });
                }
                (Some(time_ms), Ok(embedding)) => {
                    of_cover.get_or_insert(colours);
                    frames.push(Frame { time_ms, embedding });
                }
                (_, Err(error)) if !has_failed => {
                    first_error = error;
                    has_failed = true;
                }
                (_, Err(_)) => {}
            }
        }
        let embedded = Embedded::of_video(frames).ok_or(first_error)?;
        Ok(Embedded {
            colours: of_cover,
            ..embedded
        })
    }

    /// Of the frames of a video, in order of time, without those that are nearly equal to the one before; none where there is no
    /// frame. The first stands for the video.
    fn of_video(frames: Vec<Frame>) -> Option<Embedded> {
        let mut frames = frames.into_iter();
        let cover = frames.next()?;
        let mut others: Vec<Frame> = Vec::new();
        for frame in frames {
            let before = &others.last().unwrap_or(&cover).embedding;
            if dot(before.as_slice(), frame.embedding.as_slice()) < NEARLY_EQUAL {
                others.push(frame);
            }
        }
        Some(Embedded {
            embedding: cover.embedding,
            video: Some(VideoFrames {
                cover_ms: cover.time_ms,
                others,
            }),
            colours: None,
        })
    }

    /// The embeddings of all frames, row by row.
    pub fn rows(&self) -> Vec<f32> {
        let others = self.video.iter().flat_map(|video| &video.others);
        let others = others.map(|frame| &frame.embedding);
        let all = [&self.embedding].into_iter().chain(others);
        all.flat_map(Embedding::as_slice).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(time_ms: i64, angle: f32) -> Frame {
        let embedding = Embedding::new(vec![angle.cos(), angle.sin()]).unwrap();
        Frame { time_ms, embedding }
    }

    #[test]
    fn frames_that_show_nothing_new_are_dropped() {
        let slow = [0.0, 0.2, 0.4, 0.5, 1.5, 0.0];
        let frames = (0..).zip(slow).map(|(at, angle)| frame(1000 * at, angle));
        let embedded = Embedded::of_video(frames.collect()).unwrap();
        assert_eq!(embedded.embedding, frame(0, 0.0).embedding);
        let video = embedded.video.clone().unwrap();
        let times: Vec<i64> = video.others.iter().map(|frame| frame.time_ms).collect();
        // Each is compared with the last that was kept, so that a slow change is seen.
        assert_eq!((video.cover_ms, times), (0, vec![2000, 4000, 5000]));
        assert_eq!(embedded.rows().len(), 2 * 4);
        assert_eq!(Embedded::of_video(Vec::new()), None);
    }

    #[test]
    fn a_video_is_embedded_by_the_frames_that_can_be() {
        let fine = || Ok(frame(0, 0.0).embedding);
        let bad = || Err(EmbedError::Tokenize(String::new()));
        let seen = |time_ms: Option<i64>| Seen {
            time_ms,
            colours: Colours::of(1, &[time_ms.unwrap_or_default() as u8; 3]),
        };
        let all = [(5, bad()), (7, fine()), (9, bad())];
        let video = Embedded::of(all.map(|(time_ms, of)| (seen(Some(time_ms)), of))).unwrap();
        assert_eq!(video.video.unwrap().cover_ms, 7);
        // They are those of the frame that stands for it.
        assert_eq!(video.colours, Some(seen(Some(7)).colours));
        assert!(matches!(
            Embedded::of([(seen(Some(5)), bad())]),
            Err(EmbedError::Tokenize(_))
        ));
        let still = Embedded::of([(seen(None), fine())]).unwrap();
        assert_eq!(
            (still.video, still.colours),
            (None, Some(seen(None).colours))
        );
    }
}
