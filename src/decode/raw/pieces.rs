//! A picture that stands in a file as strips or tiles, each a JPEG of its own.

use std::borrow::Cow;

use image::{GenericImage, RgbImage, imageops};

use super::stream;
use crate::decode::DecodeError;
use crate::formats::tiff::{Directory, Entry};

/// Most strips or tiles of a preview, and most that are looked at of what a sensor saw.
const MOST: usize = 4_096;
const MOST_PLACES: usize = 1 << 16;

/// What says that the three channels are red, green and blue.
const IS_RGB: &[u8] = b"\xFF\xEE\x00\x0EAdobe\x00\x64\x00\x00\x00\x00\x00";

/// Strips or tiles that are there, fit together, and cover their picture.
#[derive(Debug, Clone)]
pub(super) struct Pieces<'a> {
    places: Places<'a>,
    width: u32,
    height: u32,
    /// Of one piece; those at the far ends may be smaller, or reach out.
    piece: (u32, u32),
    /// What all pieces have in common, as a JPEG without a picture.
    tables: &'a [u8],
    is_rgb: bool,
}

/// Where strips or tiles stand.
#[derive(Debug, Clone)]
pub(super) struct Places<'a> {
    file: &'a [u8],
    offsets: Entry<'a>,
    lengths: Entry<'a>,
}

impl<'a> Places<'a> {
    /// As the entries of a directory say.
    pub(super) fn new(file: &'a [u8], offsets: Entry<'a>, lengths: Entry<'a>) -> Places<'a> {
        Places {
            file,
            offsets,
            lengths,
        }
    }

    /// Offset and length of each.
    pub(super) fn each(&self) -> impl Iterator<Item = (usize, usize)> + use<'a> {
        let pairs = self.offsets.numbers().zip(self.lengths.numbers());
        let pairs = pairs.take(MOST_PLACES);
        pairs.map(|(at, length)| (at as usize, length as usize))
    }

    /// The bytes of each; nothing where they are not there.
    pub(super) fn bytes(&self) -> impl Iterator<Item = Option<&'a [u8]>> + use<'a> {
        let file = self.file;
        self.each()
            .map(move |(at, length)| file.get(at..at.checked_add(length)?))
    }
}

impl<'a> Pieces<'a> {
    /// Nothing where a piece is missing, or has not its size.
    pub(super) fn of(
        directory: &Directory<'a>,
        places: Places<'a>,
        (width, height): (u32, u32),
        piece: (u32, u32),
    ) -> Option<Pieces<'a>> {
        const TABLES: u16 = 0x015B;
        const PHOTOMETRIC: u16 = 0x0106;
        let pieces = Pieces {
            places,
            width,
            height,
            piece,
            tables: directory.entry(TABLES).map_or(&[], |tables| tables.value),
            is_rgb: directory.number(PHOTOMETRIC) == Some(2),
        };
        pieces.are_whole().then_some(pieces)
    }

    pub(super) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The bytes of all pieces.
    pub(super) fn length(&self) -> usize {
        self.places.each().map(|(_, length)| length).sum()
    }

    /// Most bytes that decoding takes beside the picture.
    pub(super) fn need(&self) -> u64 {
        let lengths = self.places.each().map(|(_, length)| length);
        let longest = lengths.max().unwrap_or(0) + self.tables.len() + IS_RGB.len();
        let padded = |side: u32| u64::from(side) + 32;
        // Its bytes, here and in the decoder; its pixels, and in 16 bits its coefficients.
        2 * longest as u64 + 16 * padded(self.piece.0) * padded(self.piece.1)
    }

    fn are_whole(&self) -> bool {
        let (across, down) = (self.across(), self.height.div_ceil(self.piece.1.max(1)));
        let count = u64::from(across) * u64::from(down);
        let mut known = 0;
        let mut pieces = self
            .places
            .bytes()
            .take(count.min(MOST as u64) as usize)
            .enumerate();
        let fit = pieces.all(|(index, bytes)| {
            known += 1;
            let size = bytes.and_then(stream::size);
            size.is_some_and(|size| {
                let (_, _, width, height) = self.place(index as u32);
                (width..=self.piece.0).contains(&size.0)
                    && (height..=self.piece.1).contains(&size.1)
            })
        });
        fit && count > 0 && known == count
    }

    fn across(&self) -> u32 {
        self.width.div_ceil(self.piece.0.max(1)).max(1)
    }

    /// Where a piece stands in the picture, and how much of it is seen.
    fn place(&self, index: u32) -> (u32, u32, u32, u32) {
        let (across, (width, height)) = (self.across(), self.piece);
        let (x, y) = (index % across * width, index / across * height);
        let seen = |from: u32, piece: u32, whole: u32| piece.min(whole.saturating_sub(from));
        (
            x,
            y,
            seen(x, width, self.width),
            seen(y, height, self.height),
        )
    }

    /// All pixels; `decode` is for a JPEG.
    pub(super) fn decode(
        &self,
        decode: impl Fn(&[u8]) -> Result<RgbImage, DecodeError>,
    ) -> Result<RgbImage, DecodeError> {
        let mut picture = RgbImage::new(self.width, self.height);
        for (index, bytes) in self.places.bytes().enumerate() {
            let (x, y, width, height) = self.place(index as u32);
            if height == 0 {
                break;
            }
            let bytes = bytes.ok_or(DecodeError::Truncated)?;
            let piece = decode(&self.jpeg(bytes))?;
            let seen = imageops::crop_imm(&piece, 0, 0, width, height);
            picture
                .copy_from(&*seen, x, y)
                .map_err(DecodeError::Damaged)?;
        }
        Ok(picture)
    }

    /// A piece as a JPEG that stands for itself.
    fn jpeg(&self, piece: &'a [u8]) -> Cow<'a, [u8]> {
        // Both have first markers of their own, and the tables have an end.
        let tables = self
            .tables
            .get(2..self.tables.len().saturating_sub(2))
            .unwrap_or_default();
        let says_itself = [0xE0, 0xEE]
            .iter()
            .any(|marker| stream::has_segment(piece, *marker));
        let colours = if self.is_rgb && !says_itself {
            IS_RGB
        } else {
            &[]
        };
        match piece.split_first_chunk::<2>() {
            Some((start, rest)) if !tables.is_empty() || !colours.is_empty() => {
                [start, colours, tables, rest].concat().into()
            }
            _ => piece.into(),
        }
    }
}
