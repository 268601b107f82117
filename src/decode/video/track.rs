//! The pictures of a video, whatever container they lie in.

use image::metadata::Orientation;

use super::super::coded::{Codec, Coding};
use super::keys::Key;

/// What a decoder must know before is not longer.
pub(super) const MOST_CONFIG_BYTES: usize = 1 << 20;

/// What coded a video.
#[derive(Debug)]
pub(super) enum Coder {
    /// One that is decoded here, and what its decoder must know before.
    Known(Codec, Vec<u8>),
    /// Another, as people call it.
    Other(String),
}

/// The pictures of a video, and where those are that need no other.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) coder: Coder,
    /// In pixels, as it is stored.
    pub(super) size: (u32, u32),
    pub(super) orientation: Orientation,
    pub(super) coding: Option<Coding>,
    pub(super) duration_ms: Option<u64>,
    /// In order of time.
    pub(super) keys: Vec<Key>,
    /// What each frame begins with and the file has only once.
    pub(super) prefix: Vec<u8>,
}
