//! The one door to pixels: what becomes of files and uploads, within the owner's limits.
//!
//! Whoever wants a picture asks here: ingest, thumbnails, queries with a picture, and the commands. So limits are kept in one place,
//! and never are two large pictures in memory at once, whoever asked for them.

mod thumbnails;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use image::{ImageError, RgbImage};
use thiserror::Error;

use crate::config::DecodeConfig;
use crate::decode::{self, DecodeError, Description, Metadata};
use crate::embed::{EmbedError, Pixels, PixelsMaker};

pub(crate) use thumbnails::{Thumbnails, kept_thumbnails, thumbnail_size};

/// More pixels than nearly all cameras make; decoded in full, they take from 200 MB up.
const LARGE_PIXELS: u64 = 64_000_000;

/// Why there is no picture. The text is shown to people.
#[derive(Debug, Error)]
pub enum PictureError {
    /// The disk, or whoever owns the file, does not give its bytes.
    #[error("the file cannot be read: {0}")]
    Read(io::Error),
    /// The bytes are no picture that is read here.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It could not be made small.
    #[error(transparent)]
    Resize(#[from] EmbedError),
    /// It could not be made a JPEG.
    #[error("the thumbnail cannot be written: {0}")]
    Encode(ImageError),
}

/// Turns files and uploads into what a model or a person looks at. Cheap to clone; clones take turns with each other.
#[derive(Debug, Clone)]
pub struct Pictures {
    limits: DecodeConfig,
    maker: PixelsMaker,
    large_pixels: u64,
    /// Held by the one who decodes a large picture.
    large: Arc<Mutex<()>>,
}

impl Pictures {
    /// Within these limits, for the model that `maker` makes pixels for.
    pub fn new(limits: DecodeConfig, maker: PixelsMaker) -> Pictures {
        Pictures {
            limits,
            maker,
            large_pixels: LARGE_PIXELS,
            large: Arc::default(),
        }
    }

    /// The bytes of a file, unless there are too many.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>, PictureError> {
        let mut file = File::open(path).map_err(PictureError::Read)?;
        let size_bytes = file.metadata().map_err(PictureError::Read)?.len();
        decode::check_size(size_bytes, &self.limits)?;
        let mut bytes = Vec::with_capacity(size_bytes as usize);
        file.read_to_end(&mut bytes).map_err(PictureError::Read)?;
        Ok(bytes)
    }

    /// What the file of a picture says about it; pixels are not looked at.
    pub fn describe(&self, bytes: &[u8]) -> Result<Description, DecodeError> {
        let (description, _) = decode::open(bytes, &self.limits)?;
        Ok(description)
    }

    /// The model's input, and what the file says about the picture.
    pub fn pixels(&self, bytes: &[u8]) -> Result<(Pixels, Description), PictureError> {
        self.reduce(bytes, self.maker.enough_side(), |picture, _| {
            Ok(self.maker.make(picture)?)
        })
    }

    /// The model's input from a file.
    pub fn pixels_of_file(&self, path: &Path) -> Result<Pixels, PictureError> {
        let (pixels, _) = self.pixels(&self.read(path)?)?;
        Ok(pixels)
    }

    /// Decodes a picture, or so much of it that its short side has `enough_side` pixels, and makes something small of it.
    fn reduce<T>(
        &self,
        bytes: &[u8],
        enough_side: Option<u32>,
        make_small: impl FnOnce(&RgbImage, &Metadata) -> Result<T, PictureError>,
    ) -> Result<(T, Description), PictureError> {
        let (description, encoded) = decode::open(bytes, &self.limits)?;
        let shrunk = enough_side.and_then(|side| encoded.shrunk(side));
        let is_large = shrunk.is_none() && encoded.pixels() > self.large_pixels;
        // Held until the picture is small: memory stays bounded whatever the number of threads and of requests.
        let _alone = is_large.then(|| locked(&self.large));
        let pixels = shrunk.map_or_else(|| encoded.whole(), Ok)?;
        let small = make_small(&pixels, &description.metadata)?;
        Ok((small, description))
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
    use crate::model::{Filter, Preprocessing};

    /// For pictures of which one of more than `large_pixels` is large.
    pub(super) fn pictures(large_pixels: u64) -> Pictures {
        let limits = DecodeConfig {
            max_pixels: 1_000_000,
            max_file_bytes: 100_000,
        };
        let preprocessing = Preprocessing {
            resize: None,
            filter: Filter::Bicubic,
            crop: None,
            rescale_factor: 1.0,
            image_mean: [0.0; 3],
            image_std: [1.0; 3],
        };
        Pictures {
            large_pixels,
            ..Pictures::new(limits, PixelsMaker::new(preprocessing))
        }
    }

    pub(super) fn file(side: u32, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        RgbImage::new(side, side)
            .write_to(&mut bytes, format)
            .unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_large_picture_is_decoded_by_one_at_a_time() {
        let pictures = pictures(100);
        let other = pictures.clone();
        let is_free = || other.large.try_lock().is_ok();
        let meanwhile = |bytes: &[u8], enough_side| {
            let looked = pictures.reduce(bytes, enough_side, |_, _| Ok(is_free()));
            looked.unwrap().0
        };
        let large = file(16, ImageFormat::Jpeg);
        assert!(
            !meanwhile(&large, None),
            "another could decode a second one"
        );
        assert!(!meanwhile(&large, Some(16)), "no less is enough");
        assert!(!meanwhile(&file(16, ImageFormat::Png), Some(1)));
        // What does not take much memory does not wait.
        assert!(meanwhile(&large, Some(1)), "one eighth is not large");
        assert!(meanwhile(&file(10, ImageFormat::Png), None));
        assert!(is_free());
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jpg");
        let error = |path| pictures(100).read(path).unwrap_err().to_string();
        assert!(error(&path).starts_with("the file cannot be read: "));
        File::create(&path).unwrap().set_len(100_001).unwrap();
        assert!(error(&path).contains("decode.max_file_bytes"));
        File::create(&path).unwrap();
        assert_eq!(error(&path), "the file is empty");
    }
}
