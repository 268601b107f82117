//! Videos: what their containers say, and single frames of them.
//!
//! No video is read whole: they are larger than memory. A container's own tables tell where those frames are that can be decoded
//! without others, and only what is asked for is read.

mod ebml;
mod keys;
mod mkv;
mod mp4;
mod mp4_said;
mod source;
#[cfg(test)]
mod tests;
mod told;
mod track;

use std::io::{Read, Seek};

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

use super::coded::{BT601, BT709, Coded};
use super::metadata::Value;
use super::{DecodeError, Description, Metadata, Turn, check_pixels, guarded, is_turning};
use crate::config::DecodeConfig;
use crate::formats::Format;
use keys::{Key, Place, spread};
use source::{MOST_SAMPLE_BYTES, Source};
use told::{MOST_PACKETS, MOST_XMP_BYTES};
use track::{Coder, Track};

/// A frame of a video that can be decoded without others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(Key);

impl Moment {
    /// When it is seen, in milliseconds from the video's start.
    pub fn time_ms(&self) -> u64 {
        self.0.time_ms
    }
}

/// A video whose container was read.
#[derive(Debug)]
pub struct Video {
    format: Format,
    track: Track,
    /// By which a container of Matroska knows it.
    number: u64,
    len: u64,
    values: Vec<Value>,
}

/// Most bytes that [`open_video`] takes for a file of this length: its tables, packets of XMP, which take eight bytes for one with
/// all that is listed of them, and what is kept of both.
pub fn need_to_open_video(len: u64) -> u64 {
    let xmp = 8 * MOST_PACKETS as u64 * len.min(MOST_XMP_BYTES);
    len.min(mp4::MOST_INDEX_BYTES) + xmp + (2 << 20)
}

/// Reads all of a video but its pictures, from its container's own tables: a few parts of the file, which has `len` bytes.
pub fn open_video<R: Read + Seek>(
    from: &mut R,
    len: u64,
    limits: &DecodeConfig,
) -> Result<(Description, Video), DecodeError> {
    guarded(|| {
        let mut source = Source::new(from, len);
        let start = source.read(0, 4096, 4096)?;
        let format = Format::of_bytes(&start).ok_or(DecodeError::UnknownFormat)?;
        let (track, number, told) = match format {
            Format::Mkv | Format::Webm => mkv::open(&mut source)?,
            _ => {
                let (track, told) = mp4::open(&mut source)?;
                (track, 0, told)
            }
        };
        let (width, height) = track.size;
        if width == 0 || height == 0 {
            return Err(DecodeError::Broken(
                "it does not say how large its pictures are",
            ));
        }
        check_pixels(width, height, limits)?;
        let values = told.values();
        let said = told.said();
        let (width, height) = upright(track.size, track.orientation);
        let metadata = Metadata {
            duration_ms: track
                .duration_ms
                .map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)),
            ..Metadata::new(format, width, height)
        };
        let description = Description {
            keywords: said.keywords.clone(),
            metadata: metadata.saying(said),
        };
        let video = Video {
            format,
            track,
            number,
            len,
            values,
        };
        Ok((description, video))
    })
}

/// Frames of so many rows are in the colours of HDTV where nobody says otherwise; players take them so.
const HDTV_ROWS: u32 = 720;

fn upright((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    if is_turning(orientation) {
        (height, width)
    } else {
        (width, height)
    }
}

impl Video {
    /// Its container.
    pub fn format(&self) -> Format {
        self.format
    }

    /// What coded its pictures, as people call it.
    pub fn codec(&self) -> &str {
        match &self.track.coder {
            Coder::Known(codec, _) => codec.name(),
            Coder::Other(name) => name,
        }
    }

    /// Whether this build decodes it.
    pub fn is_decodable(&self) -> bool {
        matches!(&self.track.coder, Coder::Known(codec, _) if codec.is_there())
    }

    /// Upright width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        upright(self.track.size, self.track.orientation)
    }

    /// Width and height in pixels as frames are stored, and how they are turned before anyone sees them.
    pub fn stored(&self) -> (u32, u32, Turn) {
        let (width, height) = self.track.size;
        (width, height, Turn(self.track.orientation))
    }

    /// Every value that its container holds, whether it is believed or not.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// Frames spread over its length, in order of time: one for each few seconds, and no more than `most`.
    pub fn moments(&self, most: usize) -> Vec<Moment> {
        let duration_ms = self.track.duration_ms.unwrap_or(0);
        let chosen = spread(&self.track.keys, duration_ms, most);
        chosen.into_iter().map(Moment).collect()
    }

    /// Most bytes of memory that a frame takes while it is decoded, the answer among them.
    pub fn need(&self, moment: &Moment) -> u64 {
        let (width, height) = self.track.size;
        let decoded = match &self.track.coder {
            Coder::Known(codec, _) => codec.need(self.track.size),
            Coder::Other(_) => 0,
        };
        let turned = 2 * 3 * u64::from(width) * u64::from(height);
        let sample = match moment.0.place {
            Place::At { len, .. } => len,
            Place::Cluster { .. } => MOST_SAMPLE_BYTES,
        };
        let sample = sample.min(MOST_SAMPLE_BYTES).min(self.len);
        decoded + turned + 3 * sample
    }

    /// Decodes a frame, upright.
    pub fn frame<R: Read + Seek>(
        &self,
        from: &mut R,
        moment: &Moment,
    ) -> Result<RgbImage, DecodeError> {
        guarded(|| {
            let Coder::Known(codec, config) = &self.track.coder else {
                let what = format!(
                    "{} in a video (a program that reads it can be named in decode.ffmpeg)",
                    self.codec()
                );
                return Err(DecodeError::Unsupported(what.into()));
            };
            let mut source = Source::new(from, self.len);
            let data = self.sample(&mut source, moment.0.place)?;
            let decoded = codec.decode(&Coded {
                config,
                data: &data,
                size: self.track.size,
                coding: self.track.coding,
                usual_matrix: if self.track.size.1 < HDTV_ROWS {
                    BT601
                } else {
                    BT709
                },
            })?;
            Ok(self.upright(decoded))
        })
    }

    fn sample<R: Read + Seek>(
        &self,
        source: &mut Source<'_, R>,
        place: Place,
    ) -> Result<Vec<u8>, DecodeError> {
        let data = match place {
            Place::At { offset, len } => source.whole(offset, len, MOST_SAMPLE_BYTES)?,
            Place::Cluster { offset, time } => mkv::sample(source, self.number, offset, time)?,
        };
        if self.track.prefix.is_empty() {
            return Ok(data);
        }
        Ok([self.track.prefix.as_slice(), &data].concat())
    }

    /// A frame as it is stored, brought upright.
    pub fn upright(&self, frame: RgbImage) -> RgbImage {
        let mut picture = DynamicImage::ImageRgb8(frame);
        picture.apply_orientation(self.track.orientation);
        picture.into_rgb8()
    }
}
