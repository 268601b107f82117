//! Small JPEGs of the library's pictures, made when they are first asked for and kept in the library's folder.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use fast_image_resize::FilterType;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;

use super::{Original, OriginalFile, PictureBytes, PictureError, Pictures, locked};
use crate::decode::{Metadata, Purpose};
use crate::embed::resize;

/// Longest sides in pixels. Few, so that the folder holds few of each picture.
const SIZES: [u32; 5] = [160, 320, 640, 1280, 2048];

/// JPEG quality: small files without blocks that a person sees.
const QUALITY: u8 = 82;

/// Times the thumbnail that are decoded at least: shrinking by two hides how a JPEG was made smaller before.
const ENOUGH: u32 = 2;

/// The name of their folder inside the library's.
const FOLDER: &str = "thumbnails";

/// So many may be made at a time, and a page of them asks for different ones.
const LOCKS: usize = 64;

/// The size that is made for a wish: the next larger one.
pub(crate) fn thumbnail_size(wanted: u32) -> u32 {
    SIZES
        .into_iter()
        .find(|&size| size >= wanted)
        .unwrap_or(SIZES[SIZES.len() - 1])
}

/// Which thumbnail of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thumbnail {
    /// The longer side in pixels, as [`thumbnail_size`] gives it.
    pub(crate) size: u32,
    /// Of a video, the frame, by its time in milliseconds.
    pub(crate) time_ms: Option<i64>,
}

/// The thumbnails of one library. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Thumbnails {
    folder: PathBuf,
    pictures: Pictures,
    /// One of them is held by who makes a thumbnail, so that who asks for the same one waits for it.
    making: Arc<[Mutex<()>; LOCKS]>,
}

impl Thumbnails {
    /// Of the library in this folder.
    pub(crate) fn new(library: &Path, pictures: Pictures) -> Thumbnails {
        Thumbnails {
            folder: library.join(FOLDER),
            pictures,
            making: Arc::new([const { Mutex::new(()) }; LOCKS]),
        }
    }

    /// The thumbnail that is kept of an image, which is named by the digits of its hash. One that is damaged is none, and is made
    /// again.
    pub(crate) fn kept(&self, image: &str, what: Thumbnail) -> Option<Vec<u8>> {
        let kept = std::fs::read(self.path(image, what)).ok();
        kept.filter(|bytes| is_whole_thumbnail(bytes))
    }

    /// Makes the thumbnail of an image from a file that holds it, unless another does that now.
    pub(crate) fn make(
        &self,
        image: &str,
        what: Thumbnail,
        original: &OriginalFile,
    ) -> Result<Vec<u8>, PictureError> {
        let sum: usize = image.bytes().map(usize::from).sum();
        let _alone = locked(&self.making[sum % LOCKS]);
        if let Some(kept) = self.kept(image, what) {
            return Ok(kept);
        }
        let Thumbnail { size, time_ms } = what;
        let bytes = match self.pictures.read(original)? {
            Original::Picture(bytes) => self.of_picture(&bytes, size)?,
            Original::Video(video) => {
                let pictures = self.pictures.clone();
                let make_small =
                    move |frame: &RgbImage, metadata: &Metadata| shrink(frame, metadata, size);
                pictures.frame_of_video(video, time_ms.unwrap_or(0), need(size), make_small)?
            }
        };
        let path = self.path(image, what);
        // A full disk costs the keeping, not the answer.
        if let Err(error) = keep(&path, &bytes) {
            tracing::warn!(path = %path.display(), %error, "cannot keep a thumbnail");
        }
        Ok(bytes)
    }

    fn of_picture(&self, bytes: &PictureBytes, size: u32) -> Result<Vec<u8>, PictureError> {
        let enough_side = Some(ENOUGH * size);
        let (small, _) = self.pictures.reduce(
            bytes,
            Purpose::Showing,
            enough_side,
            need(size),
            move |picture, metadata| shrink(picture, metadata, size),
        )?;
        Ok(small)
    }

    /// Two digits of the hash as a folder: directories of a million files are slow.
    fn path(&self, image: &str, Thumbnail { size, time_ms }: Thumbnail) -> PathBuf {
        let (first, _) = image.split_at(2);
        let time = time_ms.map_or_else(String::new, |time_ms| format!("-{time_ms}"));
        let name = format!("{image}-{size}{time}.jpg");
        self.folder.join(first).join(name)
    }
}

/// All thumbnails that are kept of the library in this folder, each with the digits that it is named by: one list for each folder
/// of them that can be read.
pub(crate) fn kept_thumbnails(library: &Path) -> impl Iterator<Item = Vec<(String, PathBuf)>> {
    let folders = std::fs::read_dir(library.join(FOLDER));
    let folders = folders.into_iter().flatten().flatten();
    folders.filter_map(|folder| {
        let files = std::fs::read_dir(folder.path()).ok()?.flatten();
        let named = files.filter_map(|file| {
            let name = file.file_name().into_string().ok()?;
            let (image, _) = name.strip_suffix(".jpg")?.split_once('-')?;
            Some((image.to_owned(), file.path()))
        });
        Some(named.collect())
    })
}

/// What [`shrink`] takes at most: every row made narrow, the thumbnail, and its JPEG.
fn need(size: u32) -> impl Fn(u32, u32) -> u64 {
    move |width, height| {
        let size = u64::from(size);
        3 * u64::from(width).min(size) * u64::from(height) + 6 * size * size
    }
}

/// Whether these are the bytes of a JPEG, from its first marker to its last: a power cut can leave less of one.
pub(crate) fn is_whole_thumbnail(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xFF, 0xD8, 0xFF]) && bytes.ends_with(&[0xFF, 0xD9])
}

/// The longer side gets `size` pixels, of a picture that may be decoded at a fraction of what `metadata` says.
fn shrink(picture: &RgbImage, metadata: &Metadata, size: u32) -> Result<Vec<u8>, PictureError> {
    let longer = metadata.width.max(metadata.height);
    let scale = (f64::from(size) / f64::from(longer)).min(1.0);
    let scaled = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    let target = (scaled(metadata.width), scaled(metadata.height));
    let small = resize(picture, target, FilterType::Lanczos3)?;
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    encoder.encode_image(&small).map_err(PictureError::Encode)?;
    Ok(bytes)
}

/// Written whole or not at all: the next one reads it without asking.
fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use image::ImageFormat;

    use super::super::FileStat;
    use super::super::tests::{file, pictures};
    use super::*;

    #[test]
    fn a_thumbnail_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        std::fs::write(&path, file(200, ImageFormat::Png)).unwrap();
        let original = OriginalFile {
            root: folder.path().to_owned(),
            stat: FileStat::of(&path.metadata().unwrap()),
            path: path.clone(),
        };
        let [small, larger] = [160, 320].map(|size| Thumbnail {
            size,
            time_ms: None,
        });
        let thumbnails = Thumbnails::new(folder.path(), pictures(0));
        assert_eq!(thumbnails.kept("00aa", small), None);
        let made = thumbnails.make("00aa", small, &original).unwrap();
        let decoded = image::load_from_memory(&made).unwrap();
        assert_eq!((decoded.width(), decoded.height()), (160, 160));
        // Who waited for it while it was made takes it as it is.
        std::fs::remove_file(path).unwrap();
        assert_eq!(thumbnails.make("00aa", small, &original).unwrap(), made);
        assert_eq!(thumbnails.kept("00aa", small), Some(made));
        assert!(thumbnails.make("00aa", larger, &original).is_err());
        // What is damaged is not served.
        let whole = thumbnails.kept("00aa", small).unwrap();
        let zeros = vec![0; whole.len()];
        for damaged in [&b""[..], b"<html>", &whole[..whole.len() / 2], &zeros] {
            std::fs::write(thumbnails.path("00aa", small), damaged).unwrap();
            assert_eq!(thumbnails.kept("00aa", small), None);
        }
        let kept: Vec<_> = kept_thumbnails(folder.path()).flatten().collect();
        assert_eq!(kept, [("00aa".to_owned(), thumbnails.path("00aa", small))]);
    }
}
