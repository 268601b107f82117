//! A thumbnail whose pixels stand in a file as they are.

use image::RgbImage;

use super::pieces::Places;
use crate::formats::tiff::Directory;

const BITS: u16 = 0x0102;
const SAMPLES: u16 = 0x0115;
const PLANES: u16 = 0x011C;
const TILES: u16 = 0x0144;

/// Strips of red, green and blue of eight bits each, of which there are enough.
#[derive(Debug, Clone)]
pub(super) struct Plain<'a> {
    places: Places<'a>,
    width: u32,
    height: u32,
}

impl<'a> Plain<'a> {
    /// Nothing where pixels are missing, or are others. A thumbnail has no tiles.
    pub(super) fn of(
        directory: &Directory<'a>,
        places: Places<'a>,
        (width, height): (u32, u32),
    ) -> Option<Plain<'a>> {
        let is_like = directory.number(SAMPLES) == Some(3)
            && directory.entry(BITS)?.numbers().eq([8; 3])
            && matches!(directory.number(PLANES), None | Some(1))
            && directory.entry(TILES).is_none();
        let plain = Plain {
            places,
            width,
            height,
        };
        let there = plain
            .places
            .bytes()
            .flatten()
            .map(|strip| strip.len() as u64);
        // Strips may lie over each other, so the sum says little, but it says whether there is enough.
        (is_like && plain.pixels() > 0 && there.sum::<u64>() >= 3 * plain.pixels()).then_some(plain)
    }

    pub(super) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    pub(super) fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// The bytes of its pixels.
    pub(super) fn length(&self) -> usize {
        3 * self.pixels() as usize
    }

    /// All pixels; nothing where they are not there after all.
    pub(super) fn decode(&self) -> Option<RgbImage> {
        let length = self.length();
        let mut pixels = Vec::with_capacity(length);
        for strip in self.places.bytes() {
            let strip = strip?;
            let missing = length - pixels.len();
            pixels.extend_from_slice(strip.get(..missing).unwrap_or(strip));
        }
        RgbImage::from_raw(self.width, self.height, pixels)
    }
}
