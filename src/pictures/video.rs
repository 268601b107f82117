//! What is looked at of a video: a few frames, spread over its length.

use std::path::Path;
use std::sync::Arc;

use image::RgbImage;

use super::deadline::{self, Clock};
use super::ffmpeg::{self, FfmpegError, Wanted};
use super::file::FileError;
use super::original::VideoFile;
use super::{LONGEST, LONGEST_PER_MEGAPIXEL, PictureError, Pictures, Seen};
use crate::decode::{self, DecodeError, Description, Metadata, Moment, Video};
use crate::embed::{EmbedError, Shot};

/// A frame whose brightness varies less, as a standard deviation of 255 steps, shows nothing: films begin with black.
const LEAST_DEVIATION: f64 = 4.0;

impl Pictures {
    /// The frames of a video as the model's input, and what the file says about it.
    pub(super) fn shots_of_video(
        &self,
        video: &VideoFile,
        clock: &Clock,
    ) -> Result<(Vec<Shot>, Description), PictureError> {
        let (description, opened) = self.open_video(video, clock)?;
        let mut shots = Vec::new();
        let mut blank = None;
        let mut failed = None;
        for moment in opened.moments(self.limits.max_frames) {
            let shot = |frame: &RgbImage| -> Result<Shot, EmbedError> {
                let pixels = self.maker.make(frame)?;
                let time_ms = Some(moment.time_ms() as i64);
                Ok(Shot { time_ms, pixels })
            };
            let need = |width, height| self.maker.need(width, height);
            let shown = self.with_frame(video, &opened, &moment, need, clock, |frame| {
                Ok((is_blank(frame), shot(frame)?))
            });
            match shown {
                Ok((true, shot)) => blank = blank.or(Some(shot)),
                Ok((false, shot)) => shots.push(shot),
                Err(
                    error @ (PictureError::Decode(_)
                    | PictureError::Ffmpeg(
                        FfmpegError::Refused(_) | FfmpegError::TooSlow(_),
                    )),
                ) => failed = failed.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        video.check()?;
        if shots.is_empty() {
            shots.extend(blank);
        }
        match failed {
            Some(error) if shots.is_empty() => Err(error),
            _ if shots.is_empty() => Err(DecodeError::NoFrames.into()),
            _ => Ok((shots, description)),
        }
    }

    /// Reads all of a video but its pictures.
    pub(super) fn open_video(
        &self,
        video: &VideoFile,
        clock: &Clock,
    ) -> Result<(Description, Video), PictureError> {
        let _turn = self.turn(decode::need_to_open_video(video.size_bytes), clock)?;
        clock.start(LONGEST);
        let mut reader = video.reader();
        Ok(decode::open_video(
            &mut reader,
            video.size_bytes,
            &self.limits,
        )?)
    }

    /// All that is seen in a video but its frames.
    pub(super) fn inspect_video(
        &self,
        video: &VideoFile,
        clock: &Clock,
    ) -> Result<Seen, PictureError> {
        let (description, opened) = self.open_video(video, clock)?;
        let (width, height, turn) = opened.stored();
        Ok(Seen {
            stored: (width, height),
            turn: turn.to_string(),
            values: opened.values().to_vec(),
            warnings: Vec::new(),
            description,
        })
    }

    /// Makes something small of the frame of a video that is seen at this time, or nearest to it.
    pub(super) fn frame_of_video<T: Send + 'static>(
        &self,
        video: Arc<VideoFile>,
        time_ms: i64,
        need: impl Fn(u32, u32) -> u64 + Send + 'static,
        make_small: impl FnOnce(&RgbImage, &Metadata) -> Result<T, PictureError> + Send + 'static,
    ) -> Result<T, PictureError> {
        let pictures = self.clone();
        deadline::run(move |clock| {
            let (Description { metadata, .. }, opened) = pictures.open_video(&video, clock)?;
            let moments = opened.moments(pictures.limits.max_frames);
            let nearest = moments
                .into_iter()
                .min_by_key(|moment| (moment.time_ms() as i64).abs_diff(time_ms));
            let moment = nearest.ok_or(DecodeError::NoFrames)?;
            let small = pictures.with_frame(&video, &opened, &moment, need, clock, |frame| {
                make_small(frame, &metadata)
            })?;
            video.check()?;
            Ok(small)
        })
    }

    /// Decodes one frame, and does something with it.
    fn with_frame<T>(
        &self,
        video: &VideoFile,
        opened: &Video,
        moment: &Moment,
        need: impl Fn(u32, u32) -> u64,
        clock: &Clock,
        with: impl FnOnce(&RgbImage) -> Result<T, PictureError>,
    ) -> Result<T, PictureError> {
        let size = opened.size();
        let megapixels = u64::from(size.0) * u64::from(size.1) / 1_000_000;
        let limit = LONGEST + LONGEST_PER_MEGAPIXEL * megapixels as u32;
        if let Some(program) = self.ffmpeg_for(opened) {
            let (stored_width, stored_height, _) = opened.stored();
            let stored = (stored_width, stored_height);
            let need = ffmpeg::need(stored).saturating_add(need(size.0, size.1));
            let _turn = self.turn(need, clock)?;
            clock.start(limit + LONGEST);
            let wanted = Wanted {
                format: opened.format(),
                size: stored,
                time_ms: moment.time_ms(),
            };
            let frame = ffmpeg::frame(program, &video.file, wanted, limit)?;
            return with(&opened.upright(frame));
        }
        let need = opened.need(moment).saturating_add(need(size.0, size.1));
        let _turn = self.turn(need, clock)?;
        let _begun = self.reading.begin(&video.hash)?;
        clock.start(limit);
        with(&opened.frame(&mut video.reader(), moment).map_err(refused)?)
    }

    /// The owner's program, for what is not decoded here.
    fn ffmpeg_for(&self, opened: &Video) -> Option<&Path> {
        let is_wanted = !opened.is_decodable() && !self.limits.ffmpeg.is_empty();
        is_wanted.then(|| Path::new(&self.limits.ffmpeg))
    }
}

/// A disk that does not give what is asked for is no verdict on the video.
fn refused(error: DecodeError) -> PictureError {
    match error {
        DecodeError::Io(error) => FileError::from(error).into(),
        error => error.into(),
    }
}

/// Whether all of a frame is of one brightness, or nearly.
fn is_blank(frame: &RgbImage) -> bool {
    let (mut sum, mut squares) = (0.0, 0.0);
    for pixel in frame.pixels() {
        let brightness =
            f64::from(pixel.0.iter().map(|value| u32::from(*value)).sum::<u32>()) / 3.0;
        sum += brightness;
        squares += brightness * brightness;
    }
    let count = (f64::from(frame.width()) * f64::from(frame.height())).max(1.0);
    let mean = sum / count;
    squares / count - mean * mean < LEAST_DEVIATION * LEAST_DEVIATION
}
