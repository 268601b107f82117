//! Preprocessing: an upright picture to the square of bytes that the image tower reads, as Hugging Face's own
//! CLIP image processor makes it.

use std::ops::Range;
use std::sync::Arc;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use image::imageops;

use super::EmbedError;
use super::colours::Colours;
use crate::model::{Filter, Middle, Preprocessing, Resize};

/// Pixels to both sides that the widest filter, Lanczos, looks at when it does not shrink.
const REACH: f64 = 3.0;

/// How much larger than the model's input a picture is still worth reading: shrinking by two or more leaves nothing of
/// how it was made smaller before.
const ENOUGH: u32 = 2;

/// A square picture in the size of the model's input: rows of red, green, blue bytes. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    side: usize,
    bytes: Arc<Vec<u8>>,
}

impl Pixels {
    /// Takes rows of red, green, blue bytes.
    pub(super) fn new(side: usize, bytes: Vec<u8>) -> Pixels {
        debug_assert_eq!(bytes.len(), side * side * 3);
        let bytes = Arc::new(bytes);
        Pixels { side, bytes }
    }

    /// Width and height in pixels.
    pub fn side(&self) -> usize {
        self.side
    }

    /// `side · side · 3` bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What colours there are.
    pub fn colours(&self) -> Colours {
        Colours::of(self.side, &self.bytes)
    }
}

/// Makes [`Pixels`] for one model.
#[derive(Debug, Clone)]
pub struct PixelsMaker {
    preprocessing: Preprocessing,
}

impl PixelsMaker {
    /// For the model that is preprocessed like this.
    pub fn new(preprocessing: Preprocessing) -> PixelsMaker {
        PixelsMaker { preprocessing }
    }

    /// The short side from which on more pixels make no difference; nothing where every pixel counts.
    pub fn enough_side(&self) -> Option<u32> {
        let edge = match self.preprocessing.resize? {
            Resize::Exact(size) => size.width.max(size.height),
            Resize::ShortestEdge(edge) => edge,
        };
        Some(ENOUGH * edge as u32)
    }

    /// Most bytes of memory that [`PixelsMaker::make`] takes for a picture of this size: every row made narrow, and the square.
    pub fn need(&self, width: u32, height: u32) -> u64 {
        let exact = match self.preprocessing.resize {
            Some(Resize::Exact(size)) => Some(size),
            Some(Resize::ShortestEdge(_)) | None => None,
        };
        let made = self.preprocessing.crop.or(exact);
        let (across, down) = made.map_or((width, height), |size| {
            (size.width as u32, size.height as u32)
        });
        let bytes = |width, height| 3 * u64::from(width) * u64::from(height);
        bytes(across, height) + 2 * bytes(across, down)
    }

    /// Resizes and crops one picture.
    pub fn make(&self, picture: &RgbImage) -> Result<Pixels, EmbedError> {
        let resized = match self.preprocessing.resize {
            Some(size) => target_size(picture.dimensions(), size),
            None => picture.dimensions(),
        };
        let square = match self.preprocessing.crop {
            Some(size) => {
                let crop = (size.width as u32, size.height as u32);
                let middle = self.preprocessing.middle;
                resize_and_crop(picture, resized, crop, middle, self.filter())?
            }
            None => resize(picture, resized, self.filter())?,
        };
        Ok(Pixels::new(square.width() as usize, square.into_raw()))
    }

    fn filter(&self) -> FilterType {
        match self.preprocessing.filter {
            // Pillow's bicubic has a = -0.5, which is Catmull-Rom.
            Filter::Bicubic => FilterType::CatmullRom,
            Filter::Bilinear => FilterType::Bilinear,
        }
    }
}

/// Resizes with antialias, at eight bits a channel, as Pillow does it.
pub fn resize(
    picture: &RgbImage,
    (width, height): (u32, u32),
    filter: FilterType,
) -> Result<RgbImage, EmbedError> {
    resize_spans(picture, Span::whole(width), Span::whole(height), filter)
}

/// The middle of the resized picture, on black where that is smaller. What the crop drops is never resized.
fn resize_and_crop(
    picture: &RgbImage,
    resized: (u32, u32),
    (width, height): (u32, u32),
    middle: Middle,
    filter: FilterType,
) -> Result<RgbImage, EmbedError> {
    let (left, across) = Span::middle(resized.0, width, middle);
    let (top, down) = Span::middle(resized.1, height, middle);
    let shown = resize_spans(picture, across, down, filter)?;
    if shown.dimensions() == (width, height) {
        return Ok(shown);
    }
    let mut square = RgbImage::new(width, height);
    imageops::replace(&mut square, &shown, left, top);
    Ok(square)
}

/// A part of one side of a resized picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    first: u32,
    len: u32,
    /// Of the whole side.
    side: u32,
}

impl Span {
    fn whole(side: u32) -> Span {
        Span {
            first: 0,
            len: side,
            side,
        }
    }

    /// What a crop to `len` pixels shows and where it stands in it.
    fn middle(side: u32, len: u32, middle: Middle) -> (i64, Span) {
        let beside = i64::from(side) - i64::from(len);
        let down = beside.div_euclid(2);
        let first = match middle {
            Middle::Down => down,
            Middle::Even => down + (beside & down & 1),
        };
        let span = Span {
            first: first.max(0) as u32,
            len: len.min(side),
            side,
        };
        (-first.min(0), span)
    }

    /// Where the span begins in a picture of `side` pixels, and how long it is there.
    fn within(self, side: u32) -> (f64, f64) {
        let scale = f64::from(side) / f64::from(self.side);
        (f64::from(self.first) * scale, f64::from(self.len) * scale)
    }

    /// The pixels of `side` that the filter looks at for the span.
    fn seen(self, side: u32) -> Range<u32> {
        let (first, len) = self.within(side);
        let reach = REACH * (f64::from(side) / f64::from(self.side)).max(1.0);
        (first - reach).max(0.0) as u32..((first + len + reach) as u32 + 1).min(side)
    }
}

/// One side, rounded to bytes, then the other: the library by itself would do both at once, and the rounding in between then falls on
/// other values in every fourth byte.
fn resize_spans(
    picture: &RgbImage,
    across: Span,
    down: Span,
    filter: FilterType,
) -> Result<RgbImage, EmbedError> {
    let failed = |reason: String| EmbedError::Resize {
        width: across.len,
        height: down.len,
        reason,
    };
    let rows = down.seen(picture.height());
    let row_bytes = picture.width() as usize * 3;
    let seen = &picture.as_raw()[rows.start as usize * row_bytes..rows.end as usize * row_bytes];
    let seen_rows = rows.end - rows.start;
    let (left, width) = across.within(picture.width());
    let (top, height) = down.within(picture.height());
    let top = top - f64::from(rows.start);
    let (all_across, all_down) = (f64::from(picture.width()), f64::from(seen_rows));
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter))
        .use_alpha(false);
    let source = ImageRef::new(picture.width(), seen_rows, seen, PixelType::U8x3)
        .map_err(|error| failed(error.to_string()))?;
    let mut target = Image::new(across.len, down.len, PixelType::U8x3);
    let mut resizer = Resizer::new();
    let (mut between, first, second) = if is_height_first(picture, across, down) {
        (
            Image::new(picture.width(), down.len, PixelType::U8x3),
            options.crop(0.0, top, all_across, height),
            options.crop(left, 0.0, width, f64::from(down.len)),
        )
    } else {
        (
            Image::new(across.len, seen_rows, PixelType::U8x3),
            options.crop(left, 0.0, width, all_down),
            options.crop(0.0, top, f64::from(across.len), height),
        )
    };
    resizer
        .resize(&source, &mut between, &first)
        .and_then(|()| resizer.resize(&between, &mut target, &second))
        .map_err(|error| failed(error.to_string()))?;
    RgbImage::from_raw(across.len, down.len, target.into_vec())
        .ok_or_else(|| failed("too few bytes".to_owned()))
}

/// Whether Pillow would begin with the height: from version 13 on it does where that loses more than twice as many pixels as the width
/// does (pull request 9549).
fn is_height_first(picture: &RgbImage, across: Span, down: Span) -> bool {
    let lost = |side: u32, made: u32| u64::from(side.saturating_sub(made));
    lost(picture.height(), down.side) > 2 * lost(picture.width(), across.side)
}

/// The size to resize to; the longer side is rounded down, as Hugging Face does.
fn target_size((width, height): (u32, u32), size: Resize) -> (u32, u32) {
    match size {
        Resize::Exact(size) => (size.width as u32, size.height as u32),
        Resize::ShortestEdge(edge) => {
            let scaled =
                edge as u64 * u64::from(width.max(height)) / u64::from(width.min(height).max(1));
            let scaled = scaled.min(u32::MAX.into()) as u32;
            if width <= height {
                (edge as u32, scaled)
            } else {
                (scaled, edge as u32)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_side_is_rounded_down() {
        let size = Resize::ShortestEdge(224);
        assert_eq!(target_size((640, 480), size), (298, 224));
        assert_eq!(target_size((480, 640), size), (224, 298));
        assert_eq!(target_size((1, 1), size), (224, 224));
        // Longer than any picture can be made.
        assert_eq!(target_size((1 << 27, 1), size), (u32::MAX, 224));
    }

    #[test]
    fn a_crop_takes_the_middle_and_fills_up_with_black() {
        let picture = RgbImage::from_fn(5, 1, |x, _| image::Rgb([x as u8 + 1, 0, 0]));
        let row = |width, height, middle, y| {
            let cropped = resize_and_crop(
                &picture,
                (5, 1),
                (width, height),
                middle,
                FilterType::CatmullRom,
            );
            let cropped = cropped.unwrap();
            (0..width)
                .map(|x| cropped.get_pixel(x, y).0[0])
                .collect::<Vec<_>>()
        };
        assert_eq!(row(3, 2, Middle::Down, 0), [0, 0, 0]);
        assert_eq!(row(3, 2, Middle::Down, 1), [2, 3, 4]);
        assert_eq!(row(3, 2, Middle::Even, 0), [2, 3, 4]);
        assert_eq!(row(3, 2, Middle::Even, 1), [0, 0, 0]);
        assert_eq!(row(3, 1, Middle::Even, 0), [2, 3, 4]);
        assert_eq!(row(2, 1, Middle::Down, 0), [2, 3]);
        assert_eq!(row(2, 1, Middle::Even, 0), [3, 4]);
    }

    #[test]
    fn the_height_goes_first_where_pillow_begins_with_it() {
        // Sizes on both sides of Pillow's own border, asked of version 13.
        let cases = [
            ((95, 141), (64, 64), true),
            ((100, 136), (64, 64), false),
            ((100, 137), (64, 64), true),
            ((50, 65), (150, 64), true),
            ((640, 427), (224, 224), false),
        ];
        for ((width, height), (across, down), expected) in cases {
            let picture = RgbImage::new(width, height);
            let found = is_height_first(&picture, Span::whole(across), Span::whole(down));
            assert_eq!(found, expected, "{width} x {height}");
        }
    }

    #[test]
    fn resizing_the_crop_is_cropping_the_resized() {
        for (width, height) in [(97, 41), (41, 97), (640, 480), (30, 20)] {
            let picture = RgbImage::from_fn(width, height, |x, y| {
                image::Rgb([
                    ((x * 37) ^ (y * 11)) as u8,
                    (x * y) as u8,
                    (x + 7 * y) as u8,
                ])
            });
            let resized = target_size((width, height), Resize::ShortestEdge(32));
            for filter in [FilterType::CatmullRom, FilterType::Bilinear] {
                let whole = resize(&picture, resized, filter).unwrap();
                let (left, top) = ((resized.0 - 32) / 2, (resized.1 - 32) / 2);
                let expected = imageops::crop_imm(&whole, left, top, 32, 32).to_image();
                let cropped =
                    resize_and_crop(&picture, resized, (32, 32), Middle::Down, filter).unwrap();
                assert_eq!(cropped, expected, "{width} x {height}, {filter:?}");
            }
        }
    }

    #[test]
    fn a_hostile_panorama_takes_no_memory() {
        let picture =
            RgbImage::from_fn(60_000, 1, |x, _| image::Rgb([u8::from(x == 30_000), 0, 0]));
        let resized = target_size(picture.dimensions(), Resize::ShortestEdge(24));
        let cropped = resize_and_crop(
            &picture,
            resized,
            (24, 24),
            Middle::Down,
            FilterType::CatmullRom,
        )
        .unwrap();
        assert!(cropped.get_pixel(20, 12).0[0] == 1 && cropped.get_pixel(2, 12).0[0] == 0);
    }
}
