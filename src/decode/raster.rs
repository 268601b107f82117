//! Pixels as a file stores them: in colours, or in inks.

use image::RgbImage;

/// Pixels as they are stored, not upright, and before any profile.
pub(super) enum Raster {
    /// Red, green and blue; grey is three times the same.
    Rgb(RgbImage),
    /// Four bytes each: cyan, magenta, yellow and black; 255 is all of it.
    Cmyk {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// Row by row.
        inks: Vec<u8>,
    },
}

impl Raster {
    /// In pixels.
    pub(super) fn dimensions(&self) -> (u32, u32) {
        match self {
            Raster::Rgb(picture) => picture.dimensions(),
            Raster::Cmyk { width, height, .. } => (*width, *height),
        }
    }

    /// Red, green and blue. Inks are taken for perfect, as Pillow takes them.
    pub(super) fn into_rgb(self) -> RgbImage {
        match self {
            Raster::Rgb(picture) => picture,
            Raster::Cmyk {
                width,
                height,
                inks,
            } => {
                let mut picture = RgbImage::new(width, height);
                for (pixel, inks) in picture.pixels_mut().zip(inks.as_chunks().0) {
                    let [cyan, magenta, yellow, black] = *inks;
                    let light = 255 - black;
                    pixel.0 = [cyan, magenta, yellow].map(|ink| light - share(ink, light));
                }
                picture
            }
        }
    }
}

/// `a · b / 255`, rounded.
fn share(a: u8, b: u8) -> u8 {
    let product = u32::from(a) * u32::from(b) + 128;
    ((product + (product >> 8)) >> 8) as u8
}
