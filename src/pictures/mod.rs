//! The one door to pixels: what becomes of files and uploads, within the owner's limits.
//!
//! Whoever wants a picture asks here: ingest, thumbnails, queries with a picture, and the commands. So limits are kept in one place,
//! and all that is decoded at once, whoever asked for it, stays within one budget of memory.

mod budget;
mod deadline;
mod ffmpeg;
mod file;
mod machine;
mod original;
mod reading;
mod thumbnails;
mod video;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use image::{ImageError, RgbImage};
use thiserror::Error;

use crate::config::DecodeConfig;
use crate::decode::{self, DecodeError, Description, Encoded, Metadata, Purpose, Value};
use crate::embed::{EmbedError, Pixels, PixelsMaker, Shot};

use budget::{Budget, Turn};
use deadline::Clock;
use original::VideoFile;
use reading::Reading;

pub(crate) use budget::{BudgetReport, Bytes};
pub(crate) use ffmpeg::FfmpegError;
pub use file::FileStat;
pub(crate) use file::{FileError, OriginalFile, open_regular};
pub(crate) use machine::memory_bytes;
pub(crate) use original::{Original, PictureBytes};
pub(crate) use thumbnails::{
    Thumbnail, Thumbnails, is_whole_thumbnail, kept_thumbnails, thumbnail_size,
};

/// The longest that a decoder may take for a picture, and what it may take longer for each million of pixels. The slowest decoder
/// on a slow machine takes a tenth of it.
const LONGEST: Duration = Duration::from_mins(1);
const LONGEST_PER_MEGAPIXEL: Duration = Duration::from_secs(1);

/// Pictures that take so many bytes take a while as well: that they are begun is written down.
const RISKY: u64 = 16 << 20;

/// Why there is no picture. The text is shown to people.
#[derive(Debug, Error)]
pub enum PictureError {
    /// The file that is meant cannot be opened, or not be read to its end.
    #[error(transparent)]
    File(#[from] FileError),
    /// The bytes are no picture that is read here.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The owner's program gave no frame of a video.
    #[error(transparent)]
    Ffmpeg(#[from] FfmpegError),
    /// It could not be made small.
    #[error(transparent)]
    Resize(#[from] EmbedError),
    /// It takes more memory than there will ever be.
    #[error(
        "decoding it takes {needed} of memory, and there are {given} for it: raise `decode.memory_bytes` to decode it"
    )]
    TooMuchMemory {
        /// At most.
        needed: Bytes,
        /// To all decoders together.
        given: Bytes,
    },
    /// Others hold the memory that it takes.
    #[error("no memory became free to decode it within {} s: try again later", .0.as_secs())]
    Busy(Duration),
    /// The process did not live to the end of it, more than once.
    #[error(
        "pixdex has ended twice while it was being decoded, so it is left alone: to try again, remove `{}` and touch the file",
        .0.display()
    )]
    EndedProcess(PathBuf),
    /// There is no thread to decode it on.
    #[error("no thread can be had to decode it: {0}")]
    Thread(io::Error),
    /// It could not be made a JPEG.
    #[error("the thumbnail cannot be written: {0}")]
    Encode(ImageError),
}

/// All that is seen in a file but pixels.
#[derive(Debug)]
pub struct Seen {
    /// What is believed.
    pub description: Description,
    /// Width and height in pixels before the picture is turned.
    pub stored: (u32, u32),
    /// How it is turned then.
    pub turn: String,
    /// Every value that is there, whether it is believed or not.
    pub values: Vec<Value>,
    /// What cannot be read, and what is odd.
    pub warnings: Vec<String>,
}

/// Turns files and uploads into what a model or a person looks at. Cheap to clone; clones share one budget of memory.
#[derive(Debug, Clone)]
pub struct Pictures {
    limits: DecodeConfig,
    maker: PixelsMaker,
    budget: Budget,
    reading: Reading,
    follows_links: bool,
}

impl Pictures {
    /// Within these limits, for the model that `maker` makes pixels for.
    pub fn new(limits: DecodeConfig, maker: PixelsMaker) -> Pictures {
        Pictures {
            budget: Budget::new(limits.memory_bytes),
            reading: Reading::default(),
            limits,
            maker,
            follows_links: false,
        }
    }

    /// The same, where a picture that ends the process is remembered in this folder, which is for nothing else.
    #[must_use]
    pub(crate) fn remembering(self, folder: PathBuf) -> Pictures {
        let reading = Reading::new(folder);
        Pictures { reading, ..self }
    }

    /// The same, where links below watched folders are followed, or are not.
    #[must_use]
    pub(crate) fn following_links(self, follows_links: bool) -> Pictures {
        Pictures {
            follows_links,
            ..self
        }
    }

    /// The same, for another model.
    #[must_use]
    pub(crate) fn for_model(&self, maker: PixelsMaker) -> Pictures {
        Pictures {
            maker,
            ..self.clone()
        }
    }

    /// To be told when the process ends in order: what is being decoded then is not to blame for its end.
    pub(crate) fn close(&self) {
        self.reading.close();
    }

    /// How much memory there is for decoding, and how much of it is taken.
    pub fn budget(&self) -> BudgetReport {
        self.budget.report()
    }

    /// Whose word it is where there is no picture: what decoders of another release, or with other limits, may read.
    pub(crate) fn decoders(&self) -> String {
        let (release, readers) = (env!("CARGO_PKG_VERSION"), decode::readers());
        let DecodeConfig {
            max_pixels,
            max_file_bytes,
            ffmpeg,
            ..
        } = &self.limits;
        let memory_bytes = self.budget().memory_bytes;
        format!("{release} {readers} {max_pixels} {max_file_bytes} {memory_bytes} {ffmpeg}")
    }

    /// Opens the very file of the library that is meant, whoever reads it then.
    pub(crate) fn open_file(&self, file: &OriginalFile) -> Result<File, FileError> {
        file.open(self.follows_links)
    }

    /// Opens a file of the library: the bytes of a picture, unless there are too many, or a video. All of it is of one moment.
    pub(crate) fn read(&self, file: &OriginalFile) -> Result<Original, PictureError> {
        let opened = self.open_file(file)?;
        let size_bytes = file.stat.size_bytes as u64;
        if let Some(video) = VideoFile::open(&opened, size_bytes, Some(file))? {
            return Ok(Original::Video(Arc::new(video)));
        }
        decode::check_size(size_bytes, &self.limits)?;
        let turn = self.budget.file(size_bytes)?;
        let bytes = file.read(&opened)?;
        Ok(Original::Picture(PictureBytes::new(bytes, turn)))
    }

    /// The same of a file that its owner named, wherever it lies.
    pub fn read_anywhere(&self, path: &Path) -> Result<Original, PictureError> {
        let (opened, size_bytes) = file::open_anywhere(path).map_err(FileError::Io)?;
        if let Some(video) = VideoFile::open(&opened, size_bytes, None)? {
            return Ok(Original::Video(Arc::new(video)));
        }
        decode::check_size(size_bytes, &self.limits)?;
        let turn = self.budget.file(size_bytes)?;
        let bytes = file::read_whole(&opened, size_bytes).map_err(FileError::Io)?;
        Ok(Original::Picture(PictureBytes::new(bytes, turn)))
    }

    /// The bytes of a picture that comes from elsewhere.
    pub fn upload(&self, bytes: &[u8]) -> Result<PictureBytes, PictureError> {
        decode::check_size(bytes.len() as u64, &self.limits)?;
        let turn = self.budget.file(bytes.len() as u64)?;
        Ok(PictureBytes::new(bytes.to_vec(), turn))
    }

    /// What the file of a picture says about it; pixels are not looked at.
    pub fn describe(&self, original: &Original) -> Result<Description, PictureError> {
        let (pictures, original) = (self.clone(), original.clone());
        deadline::run(move |clock| match &original {
            Original::Picture(bytes) => Ok(pictures.open(bytes, clock)?.0),
            Original::Video(video) => Ok(pictures.open_video(video, clock)?.0),
        })
    }

    /// What is to be embedded of a file, and what it says about itself: of a picture one shot, of a video several.
    pub fn shots(&self, original: &Original) -> Result<(Vec<Shot>, Description), PictureError> {
        match original {
            Original::Picture(bytes) => {
                let (pixels, description) = self.pixels(bytes)?;
                let time_ms = None;
                Ok((vec![Shot { time_ms, pixels }], description))
            }
            Original::Video(video) => {
                let (pictures, video) = (self.clone(), Arc::clone(video));
                deadline::run(move |clock| pictures.shots_of_video(&video, clock))
            }
        }
    }

    /// All that is seen in a file but pixels: for owners who wonder, and for reports of faults.
    pub fn inspect(&self, original: &Original) -> Result<Seen, PictureError> {
        let pictures = self.clone();
        let original = match original {
            Original::Picture(bytes) => bytes.clone(),
            Original::Video(video) => {
                let video = Arc::clone(video);
                return deadline::run(move |clock| pictures.inspect_video(&video, clock));
            }
        };
        deadline::run(move |clock| {
            let (values, warnings) = {
                let _turn = pictures.turn(decode::need_to_open(&original), clock)?;
                clock.start(LONGEST);
                decode::values(&original)
            };
            let (description, encoded) = pictures.open(&original, clock)?;
            let (width, height, turn) = encoded.stored();
            Ok(Seen {
                description,
                stored: (width, height),
                turn: turn.to_string(),
                values,
                warnings,
            })
        })
    }

    /// The model's input, and what the file says about the picture.
    pub fn pixels(&self, original: &PictureBytes) -> Result<(Pixels, Description), PictureError> {
        let maker = self.maker.clone();
        let of_maker = maker.clone();
        let need = move |width, height| of_maker.need(width, height);
        self.reduce(
            original,
            Purpose::Embedding,
            self.maker.enough_side(),
            need,
            move |picture, _| Ok(maker.make(picture)?),
        )
    }

    /// The model's input from a file; from the first frame of a video that shows something.
    pub fn pixels_of_file(&self, path: &Path) -> Result<Pixels, PictureError> {
        self.first_pixels(&self.read_anywhere(path)?)
    }

    /// The same from one that is open.
    pub fn first_pixels(&self, original: &Original) -> Result<Pixels, PictureError> {
        let (shots, _) = self.shots(original)?;
        let first = shots.into_iter().next().ok_or(DecodeError::NoFrames)?;
        Ok(first.pixels)
    }

    /// Waits for memory; the clock stands still meanwhile.
    fn turn(&self, bytes: u64, clock: &Clock) -> Result<Turn, PictureError> {
        clock.stop();
        self.budget.pixels(bytes)
    }

    fn open<'a>(
        &self,
        bytes: &'a [u8],
        clock: &Clock,
    ) -> Result<(Description, Encoded<'a>), PictureError> {
        let _turn = self.turn(decode::need_to_open(bytes), clock)?;
        clock.start(LONGEST);
        Ok(decode::open(bytes, &self.limits)?)
    }

    /// Decodes a picture, or so much of it that its short side has `enough_side` pixels, and makes something small of it, which
    /// takes `need` bytes more, by the width and height that are decoded at most.
    fn reduce<T: Send + 'static>(
        &self,
        original: &PictureBytes,
        purpose: Purpose,
        enough_side: Option<u32>,
        need: impl Fn(u32, u32) -> u64 + Send + 'static,
        make_small: impl FnOnce(&RgbImage, &Metadata) -> Result<T, PictureError> + Send + 'static,
    ) -> Result<(T, Description), PictureError> {
        let (pictures, original) = (self.clone(), original.clone());
        deadline::run(move |clock| {
            let (description, encoded) = pictures.open(&original, clock)?;
            let encoded = encoded.for_purpose(purpose);
            let metadata = &description.metadata;
            let need = need(metadata.width, metadata.height);
            let limit = LONGEST + LONGEST_PER_MEGAPIXEL * (encoded.pixels() / 1_000_000) as u32;
            let shrunk = enough_side.and_then(|side| Some((side, encoded.need_shrunk(side)?)));
            if let Some((side, shrunk)) = shrunk {
                // Held, as the other turn below, until the picture is small.
                let _turn = pictures.turn(shrunk.saturating_add(need), clock)?;
                clock.start(limit);
                if let Some(pixels) = encoded.shrunk(side) {
                    return Ok((make_small(&pixels, metadata)?, description));
                }
            }
            let need = encoded.need().saturating_add(need);
            let _turn = pictures.turn(need, clock)?;
            let is_risky = need >= RISKY || encoded.may_end_process();
            let _begun = if is_risky {
                pictures.reading.begin(&blake3::hash(&original))?
            } else {
                None
            };
            clock.start(limit);
            let small = make_small(&encoded.whole()?, metadata)?;
            Ok((small, description))
        })
    }
}

/// What a panic left behind holds no data.
fn locked(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::ImageFormat;

    use super::*;
    use crate::model::Preprocessing;

    /// With so many bytes to decode in.
    pub(super) fn pictures(memory_bytes: u64) -> Pictures {
        let limits = DecodeConfig {
            max_pixels: 1_000_000,
            max_file_bytes: 100_000,
            memory_bytes,
            max_frames: 4,
            ffmpeg: String::new(),
        };
        Pictures::new(limits, PixelsMaker::new(Preprocessing::none()))
    }

    pub(super) fn file(side: u32, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        RgbImage::new(side, side)
            .write_to(&mut bytes, format)
            .unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_picture_holds_its_memory_until_it_is_small() {
        let pictures = pictures(100 << 20);
        let taken = |bytes: &[u8], enough_side| {
            let budget = || pictures.budget().in_use_bytes;
            assert_eq!(budget(), 0);
            let original = pictures.upload(bytes).unwrap();
            let file = budget();
            let other = pictures.clone();
            let look = move |_: &RgbImage, _: &Metadata| Ok(other.budget().in_use_bytes);
            let looked =
                pictures.reduce(&original, Purpose::Showing, enough_side, |_, _| 7_000, look);
            drop(original);
            looked.unwrap().0 - file
        };
        let (jpeg, png) = (file(800, ImageFormat::Jpeg), file(800, ImageFormat::Png));
        let pixels = 3 * 800 * 800;
        assert!(taken(&png, None) > pixels + 7_000);
        assert!(taken(&jpeg, None) > pixels);
        assert!(taken(&jpeg, Some(800)) > pixels, "no less is enough");
        let eighth = taken(&jpeg, Some(1));
        assert!(
            eighth > pixels / 64 && eighth < taken(&jpeg, None),
            "{eighth}"
        );
        // Damage costs no memory for good.
        let half = pictures.upload(&jpeg[..jpeg.len() / 2]).unwrap();
        assert!(pictures.pixels(&half).is_err());
        drop(half);
        assert_eq!(pictures.budget().in_use_bytes, 0);
    }

    #[test]
    fn a_picture_that_never_fits_is_refused_with_its_need() {
        let error = |error: PictureError| error.to_string();
        let pictures = pictures(4 << 20);
        let pixels = |side| {
            let original = pictures.upload(&file(side, ImageFormat::Png)).unwrap();
            pictures.pixels(&original)
        };
        let told = error(pixels(900).unwrap_err());
        assert!(
            told.contains("MiB") && told.contains("decode.memory_bytes"),
            "{told}"
        );
        pixels(100).unwrap();
        assert_eq!(pictures.budget().in_use_bytes, 0);
    }

    #[test]
    fn a_file_counts_while_it_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        std::fs::write(&path, [7; 60]).unwrap();
        let pictures = pictures(400);
        let held = pictures.read_anywhere(&path).unwrap();
        assert_eq!(
            (held.size_bytes(), pictures.budget().in_use_bytes),
            (60, 60)
        );
        drop(held);
        assert_eq!(pictures.budget().in_use_bytes, 0);
        std::fs::write(&path, [7; 101]).unwrap();
        let error = pictures.read_anywhere(&path).unwrap_err().to_string();
        assert!(error.contains("decode.memory_bytes"), "{error}");
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jpg");
        let error = |path| pictures(0).read_anywhere(path).unwrap_err().to_string();
        assert!(error(&path).starts_with("it cannot be read: "));
        assert!(error(folder.path()).contains("no regular file"));
        File::create(&path).unwrap().set_len(100_001).unwrap();
        assert!(error(&path).contains("decode.max_file_bytes"));
        File::create(&path).unwrap();
        assert_eq!(error(&path), "the file is empty");
    }
}
