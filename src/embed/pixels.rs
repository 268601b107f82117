//! Preprocessing: an upright picture to the square of bytes that the image tower reads, as Hugging Face's own
//! CLIP image processor makes it.

use std::borrow::Cow;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use image::imageops;

use super::EmbedError;
use crate::model::{Filter, Preprocessing, Resize};

/// Aspect ratio from which on the far ends of a panorama, which the centre crop drops anyway, are dropped before
/// resizing: a picture of 1 x 65,000 pixels would otherwise be blown up to gigabytes.
const WIDEST_RESIZED: u32 = 24;

/// A square picture in the size of the model's input: rows of red, green, blue bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    side: usize,
    bytes: Vec<u8>,
}

impl Pixels {
    /// Takes rows of red, green, blue bytes.
    pub(super) fn new(side: usize, bytes: Vec<u8>) -> Pixels {
        debug_assert_eq!(bytes.len(), side * side * 3);
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

    /// Resizes and crops one picture.
    pub fn make(&self, picture: &RgbImage) -> Result<Pixels, EmbedError> {
        let picture = without_far_ends(picture);
        let resized = match self.preprocessing.resize {
            Some(size) => Cow::Owned(resize(
                &picture,
                target_size(picture.dimensions(), size),
                self.filter(),
            )?),
            None => picture,
        };
        let square = match self.preprocessing.crop {
            Some(size) => centre_crop(&resized, size.width as u32, size.height as u32),
            None => resized.into_owned(),
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
///
/// Width first, rounded to bytes, then height: the library by itself would begin with the height, and the rounding in
/// between then falls on other values in every fourth byte.
pub fn resize(
    picture: &RgbImage,
    (width, height): (u32, u32),
    filter: FilterType,
) -> Result<RgbImage, EmbedError> {
    let narrow = resize_once(picture, (width, picture.height()), filter)?;
    resize_once(&narrow, (width, height), filter)
}

fn resize_once(
    picture: &RgbImage,
    (width, height): (u32, u32),
    filter: FilterType,
) -> Result<RgbImage, EmbedError> {
    let failed = |reason: String| EmbedError::Resize {
        width,
        height,
        reason,
    };
    let source = ImageRef::new(
        picture.width(),
        picture.height(),
        picture.as_raw(),
        PixelType::U8x3,
    )
    .map_err(|error| failed(error.to_string()))?;
    let mut target = Image::new(width, height, PixelType::U8x3);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter))
        .use_alpha(false);
    Resizer::new()
        .resize(&source, &mut target, &options)
        .map_err(|error| failed(error.to_string()))?;
    RgbImage::from_raw(width, height, target.into_vec())
        .ok_or_else(|| failed("too few bytes".to_owned()))
}

/// The size to resize to; the longer side is rounded down, as Hugging Face does.
fn target_size((width, height): (u32, u32), size: Resize) -> (u32, u32) {
    match size {
        Resize::Exact(size) => (size.width as u32, size.height as u32),
        Resize::ShortestEdge(edge) => {
            let scaled =
                edge as u64 * u64::from(width.max(height)) / u64::from(width.min(height).max(1));
            if width <= height {
                (edge as u32, scaled as u32)
            } else {
                (scaled as u32, edge as u32)
            }
        }
    }
}

/// The middle of the picture, on black where the picture is smaller; halves are rounded as Hugging Face rounds them.
fn centre_crop(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    let left = (i64::from(picture.width()) - i64::from(width)).div_euclid(2);
    let top = (i64::from(picture.height()) - i64::from(height)).div_euclid(2);
    let mut square = RgbImage::new(width, height);
    imageops::replace(&mut square, picture, -left, -top);
    square
}

fn without_far_ends(picture: &RgbImage) -> Cow<'_, RgbImage> {
    let (width, height) = picture.dimensions();
    let longest = width.min(height).saturating_mul(WIDEST_RESIZED);
    if width.max(height) <= longest {
        return Cow::Borrowed(picture);
    }
    let (new_width, new_height) = (width.min(longest), height.min(longest));
    let (left, top) = ((width - new_width) / 2, (height - new_height) / 2);
    Cow::Owned(imageops::crop_imm(picture, left, top, new_width, new_height).to_image())
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
    }

    #[test]
    fn a_crop_takes_the_middle_and_fills_up_with_black() {
        let picture = RgbImage::from_fn(5, 1, |x, _| image::Rgb([x as u8 + 1, 0, 0]));
        let row = |image: &RgbImage, y| {
            (0..image.width())
                .map(|x| image.get_pixel(x, y).0[0])
                .collect::<Vec<_>>()
        };
        assert_eq!(row(&centre_crop(&picture, 2, 1), 0), [2, 3]);
        assert_eq!(row(&centre_crop(&picture, 3, 2), 0), [0, 0, 0]);
        assert_eq!(row(&centre_crop(&picture, 3, 2), 1), [2, 3, 4]);
    }

    #[test]
    fn far_ends_of_a_hostile_panorama_are_dropped_around_the_centre() {
        let picture = RgbImage::from_fn(10_000, 1, |x, _| image::Rgb([u8::from(x == 5_000), 0, 0]));
        let cropped = without_far_ends(&picture);
        assert_eq!(cropped.dimensions(), (24, 1));
        assert_eq!(cropped.get_pixel(12, 0).0, [1, 0, 0]);
    }
}
