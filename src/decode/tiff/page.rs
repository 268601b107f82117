//! A page of a TIFF: how its pixels are stored.

use super::directory::{Directory, Numbers};
use crate::decode::DecodeError;

/// Most channels of a page, and most bytes of one of its parts.
const MOST_CHANNELS: usize = 64;
const MOST_CHUNK_BYTES: usize = 1 << 30;

/// Channels that are kept: four inks and what is behind them.
const MOST_KEPT: usize = 5;

/// What the numbers of a channel are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Unsigned,
    Signed,
    Float,
}

/// What the channels mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Photometric {
    WhiteIsZero,
    BlackIsZero,
    Rgb,
    Palette,
    Cmyk,
    YCbCr,
    /// CIE L*a*b*, with signed colours.
    CieLab,
    /// The same as ICC profiles store it.
    IccLab,
}

/// How the pixels of a page are stored.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) numbers: Numbers,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) bits: usize,
    pub(super) kind: Kind,
    /// Channels of a pixel.
    pub(super) channels: usize,
    pub(super) photometric: Photometric,
    pub(super) compression: u64,
    pub(super) predictor: u64,
    /// The lowest bit of a byte comes first.
    pub(super) is_reversed: bool,
    /// Each channel by itself.
    pub(super) is_planar: bool,
    /// The colours are multiplied with the opacity.
    pub(super) is_premultiplied: bool,
    pub(super) chunk_width: usize,
    pub(super) chunk_height: usize,
    pub(super) chunks: Vec<&'a [u8]>,
    /// Of YCbCr: pixels that share colours, side by side and one above the other.
    pub(super) shared: (usize, usize),
    /// Of YCbCr: the parts of red, green and blue in brightness.
    pub(super) luma: [f32; 3],
    /// Of YCbCr: what is black and white of each channel.
    pub(super) range: [f32; 6],
    /// Of a palette: all reds, then all greens and blues.
    pub(super) palette: Vec<u64>,
    pub(super) jpeg_tables: &'a [u8],
    /// A whole JPEG, as the first edition of TIFF 6.0 stores it.
    pub(super) jpeg: Option<&'a [u8]>,
    pub(super) fax_options: u64,
    pub(super) profile: Option<&'a [u8]>,
    pub(super) orientation: u64,
}

/// The page to show: the first that is no smaller picture of another one and no mask.
pub(super) fn shown(bytes: &[u8]) -> Result<Page<'_>, DecodeError> {
    let all = Directory::all(bytes);
    let first = all.iter().find(|directory| is_picture(directory));
    let directory = first.or_else(|| all.first());
    let directory = directory.ok_or(DecodeError::Broken("there is no page in the TIFF"))?;
    Page::new(bytes, directory)
}

fn is_picture(directory: &Directory) -> bool {
    const REDUCED: u64 = 1;
    const MASK: u64 = 4;
    let kind = directory.number(254).unwrap_or(0);
    let old_kind = directory.number(255).unwrap_or(1);
    kind & (REDUCED | MASK) == 0
        && old_kind != 2
        && directory.number(262) != Some(4)
        && [256, 257]
            .iter()
            .all(|tag| directory.number(*tag) > Some(0))
}

impl<'a> Page<'a> {
    fn new(bytes: &'a [u8], directory: &Directory<'a>) -> Result<Page<'a>, DecodeError> {
        let broken = || DecodeError::Broken("the fields of the TIFF");
        let number = |tag, missing| directory.number(tag).unwrap_or(missing);
        let side = |tag| {
            let side = directory.number(tag).filter(|side| *side > 0);
            side.and_then(|side| u32::try_from(side).ok())
                .map(|side| side as usize)
        };
        let width = side(256).ok_or_else(broken)?;
        let height = side(257).ok_or_else(broken)?;
        let channels = usize::try_from(number(277, 1)).map_err(|_| broken())?;
        if !(1..=MOST_CHANNELS).contains(&channels) {
            return Err(broken());
        }
        let is_planar = number(284, 1) == 2 && channels > 1;
        let tiles = side(322).zip(side(323));
        let rows = usize::try_from(number(278, u64::MAX)).unwrap_or(usize::MAX);
        let (chunk_width, chunk_height) = tiles.unwrap_or((width, rows.clamp(1, height)));
        let compression = number(259, 1);
        let photometric = photometric(directory, compression, channels)?;
        let page = Page {
            numbers: directory.numbers,
            width,
            height,
            bits: bits(directory)?,
            kind: kind(directory)?,
            channels,
            photometric,
            compression,
            predictor: number(317, 1),
            is_reversed: number(266, 1) == 2,
            is_planar,
            is_premultiplied: directory.number(338) == Some(1),
            chunk_width,
            chunk_height,
            chunks: chunks(bytes, directory, tiles.is_some()),
            shared: match directory.numbers(530)[..] {
                [across @ (1 | 2 | 4), down @ (1 | 2 | 4), ..] => (across as usize, down as usize),
                _ => (2, 2),
            },
            luma: match directory.fractions(529)[..] {
                [red, green, blue, ..] if green > 0.0 => [red, green, blue],
                _ => [0.299, 0.587, 0.114],
            },
            range: match directory.fractions(532)[..] {
                [y0, y1, cb0, cb1, cr0, cr1, ..] => [y0, y1, cb0, cb1, cr0, cr1],
                _ => [0.0, 255.0, 128.0, 255.0, 128.0, 255.0],
            },
            palette: directory.numbers(320),
            jpeg_tables: directory.bytes(347).unwrap_or_default(),
            jpeg: jpeg(bytes, directory),
            fax_options: number(292, 0),
            profile: directory.bytes(34_675),
            orientation: number(274, 1),
        };
        let enough = page.chunks_across() * page.chunks_down();
        let planes = if is_planar { channels } else { 1 };
        let has_all = page.chunks.len() >= enough.saturating_mul(planes);
        if !has_all && page.jpeg.is_none() {
            return Err(DecodeError::Truncated);
        }
        if page.is_shared() && channels != 3 {
            return Err(DecodeError::Unsupported(
                "a TIFF of shared colours with something beside them".into(),
            ));
        }
        if page.chunk_bytes().is_none_or(|len| len > MOST_CHUNK_BYTES) {
            return Err(broken());
        }
        Ok(page)
    }

    /// Parts in a row, and rows of them, of a plane.
    pub(super) fn chunks_across(&self) -> usize {
        self.width.div_ceil(self.chunk_width)
    }

    pub(super) fn chunks_down(&self) -> usize {
        self.height.div_ceil(self.chunk_height)
    }

    /// Channels that stand side by side in a part.
    pub(super) fn channels_together(&self) -> usize {
        if self.is_planar { 1 } else { self.channels }
    }

    /// Channels that a picture is made of; the opacity only where colours were multiplied with it.
    pub(super) fn kept(&self) -> usize {
        let colors = match self.photometric {
            Photometric::WhiteIsZero | Photometric::BlackIsZero | Photometric::Palette => 1,
            Photometric::Cmyk => 4,
            Photometric::Rgb => 3 + usize::from(self.is_premultiplied),
            Photometric::YCbCr | Photometric::CieLab | Photometric::IccLab => 3,
        };
        colors.min(self.channels).min(MOST_KEPT)
    }

    /// Whether colours are shared by pixels, in parts that are no JPEGs.
    pub(super) fn is_shared(&self) -> bool {
        self.photometric == Photometric::YCbCr
            && !matches!(self.compression, 6 | 7)
            && self.shared != (1, 1)
            && !self.is_planar
    }

    /// Bytes of a row of a part.
    pub(super) fn row_bytes(&self) -> Option<usize> {
        let bits = self.bits.checked_mul(self.channels_together())?;
        Some(self.chunk_width.checked_mul(bits)?.div_ceil(8))
    }

    /// Bytes of a part that is whole.
    pub(super) fn chunk_bytes(&self) -> Option<usize> {
        if self.is_shared() {
            return self.shared_bytes(self.chunk_height);
        }
        self.row_bytes()?.checked_mul(self.chunk_height)
    }

    /// Bytes of so many rows where colours are shared: those of each group behind its brightness.
    pub(super) fn shared_bytes(&self, rows: usize) -> Option<usize> {
        let (across, down) = self.shared;
        let groups = self.chunk_width.div_ceil(across) * rows.div_ceil(down);
        groups.checked_mul(across * down + 2)
    }
}

fn bits(directory: &Directory) -> Result<usize, DecodeError> {
    let bits = directory.numbers(258);
    let first = bits.first().copied().unwrap_or(1);
    if bits.iter().any(|other| *other != first) || !(1..=64).contains(&first) {
        return Err(DecodeError::Unsupported(
            "a TIFF whose channels have different numbers of bits".into(),
        ));
    }
    Ok(first as usize)
}

fn kind(directory: &Directory) -> Result<Kind, DecodeError> {
    match directory.number(339).unwrap_or(1) {
        // Void is read as what it most often is.
        1 | 4 => Ok(Kind::Unsigned),
        2 => Ok(Kind::Signed),
        3 => Ok(Kind::Float),
        _ => Err(DecodeError::Unsupported("a TIFF of complex numbers".into())),
    }
}

fn photometric(
    directory: &Directory,
    compression: u64,
    channels: usize,
) -> Result<Photometric, DecodeError> {
    let missing = match (compression, channels) {
        (2..=4 | 32_771, _) => 0,
        (_, 3..) => 2,
        _ => 1,
    };
    let photometric = match directory.number(262).unwrap_or(missing) {
        0 => Photometric::WhiteIsZero,
        1 => Photometric::BlackIsZero,
        2 => Photometric::Rgb,
        3 => Photometric::Palette,
        5 if directory.number(332).unwrap_or(1) == 1 => Photometric::Cmyk,
        6 => Photometric::YCbCr,
        8 => Photometric::CieLab,
        9 => Photometric::IccLab,
        _ => return Err(DecodeError::Unsupported("a TIFF of such colours".into())),
    };
    let least = match photometric {
        Photometric::WhiteIsZero | Photometric::BlackIsZero | Photometric::Palette => 1,
        Photometric::Cmyk => 4,
        _ => 3,
    };
    if channels < least {
        return Err(DecodeError::Broken("the TIFF lacks channels"));
    }
    Ok(photometric)
}

/// What is there of each part.
fn chunks<'a>(bytes: &'a [u8], directory: &Directory, has_tiles: bool) -> Vec<&'a [u8]> {
    let (offsets, counts) = if has_tiles { (324, 325) } else { (273, 279) };
    let (mut offsets, mut counts) = (directory.numbers(offsets), directory.numbers(counts));
    if offsets.is_empty() {
        // Some call tiles strips.
        (offsets, counts) = (directory.numbers(273), directory.numbers(279));
    }
    let part = |(at, offset): (usize, &u64)| {
        let behind = usize::try_from(*offset).ok().and_then(|at| bytes.get(at..));
        let behind = behind.unwrap_or_default();
        // Some leave the count out where there is one part.
        let count = counts.get(at).copied().filter(|count| *count > 0);
        let count = count.map_or(behind.len(), |count| {
            usize::try_from(count).unwrap_or(usize::MAX)
        });
        &behind[..count.min(behind.len())]
    };
    offsets.iter().enumerate().map(part).collect()
}

fn jpeg<'a>(bytes: &'a [u8], directory: &Directory) -> Option<&'a [u8]> {
    let at = usize::try_from(directory.number(513)?).ok()?;
    let jpeg = bytes.get(at..)?;
    jpeg.starts_with(&[0xFF, 0xD8]).then_some(jpeg)
}
