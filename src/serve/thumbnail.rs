//! Small JPEGs of the library's pictures, made when they are first asked for and kept in the library's folder.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use fast_image_resize::FilterType;
use image::codecs::jpeg::JpegEncoder;

use crate::config::DecodeConfig;
use crate::decode::{self, Picture};
use crate::embed::resize;
use crate::store::ContentHash;

/// Longest sides in pixels. Few, so that the folder holds few of each picture.
const SIZES: [u32; 4] = [160, 320, 640, 1280];

/// JPEG quality: small files without blocks that a person sees.
const QUALITY: u8 = 82;

/// Times the thumbnail that are decoded at least: shrinking by two hides how a JPEG was made smaller before.
const ENOUGH: u32 = 2;

/// The size that is made for a wish: the next larger one.
pub(super) fn nearest_size(wanted: u32) -> u32 {
    SIZES
        .into_iter()
        .find(|&size| size >= wanted)
        .unwrap_or(SIZES[SIZES.len() - 1])
}

/// The kept thumbnail, or a new one from `original`.
pub(super) fn get(
    folder: &Path,
    hash: &ContentHash,
    size: u32,
    original: Option<&Path>,
    limits: &DecodeConfig,
) -> anyhow::Result<Option<Vec<u8>>> {
    let path = path(folder, hash, size);
    match (std::fs::read(&path), original) {
        (Ok(kept), _) => Ok(Some(kept)),
        (Err(_), None) => Ok(None),
        (Err(_), Some(original)) => {
            let bytes = make(&std::fs::read(original)?, size, limits)?;
            // A full disk costs the keeping, not the answer.
            if let Err(error) = keep(&path, &bytes) {
                tracing::warn!(path = %path.display(), %error, "cannot keep a thumbnail");
            }
            Ok(Some(bytes))
        }
    }
}

/// Two digits of the hash as a folder: directories of a million files are slow.
fn path(folder: &Path, hash: &ContentHash, size: u32) -> PathBuf {
    let hash = hash.to_string();
    folder.join(&hash[..2]).join(format!("{hash}-{size}.jpg"))
}

fn make(original: &[u8], size: u32, limits: &DecodeConfig) -> anyhow::Result<Vec<u8>> {
    let Picture {
        pixels, metadata, ..
    } = decode::decode_enough(original, limits, Some(ENOUGH * size))?;
    let (width, height) = (metadata.width, metadata.height);
    let scale = (f64::from(size) / f64::from(width.max(height))).min(1.0);
    let scaled = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    let small = resize(
        &pixels,
        (scaled(width), scaled(height)),
        FilterType::Lanczos3,
    )?;
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(&small)?;
    Ok(bytes)
}

/// Written whole or not at all: two requests may make the same one at the same time.
fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}
