//! Pixels of every sort, brought to eight bits of red, green and blue.

use image::{DynamicImage, ImageBuffer, Luma, LumaA, Pixel, Rgb, RgbImage, Rgba, RgbaImage};

use crate::formats::Format;

/// Eight bits a channel as Hugging Face's processor sees them, since the models were trained on such pixels: the high
/// byte of sixteen, the colour behind a transparency, and white where a GIF shows nothing.
pub(super) fn eight_bits(picture: DynamicImage, format: Format) -> RgbImage {
    match picture {
        DynamicImage::ImageRgb16(wide) => high_bytes(&wide, |&Rgb(color)| color),
        DynamicImage::ImageRgba16(wide) => {
            high_bytes(&wide, |&Rgba([red, green, blue, _])| [red, green, blue])
        }
        DynamicImage::ImageLuma16(wide) => high_bytes(&wide, |&Luma([grey])| [grey; 3]),
        DynamicImage::ImageLumaA16(wide) => high_bytes(&wide, |&LumaA([grey, _])| [grey; 3]),
        DynamicImage::ImageRgba8(picture) if format == Format::Gif => on_white(&picture),
        _ => picture.into_rgb8(),
    }
}

/// Straight from one to the other: the wide picture is not held twice.
fn high_bytes<P: Pixel<Subpixel = u16>>(
    wide: &ImageBuffer<P, Vec<u16>>,
    color: impl Fn(&P) -> [u16; 3],
) -> RgbImage {
    let mut narrow = RgbImage::new(wide.width(), wide.height());
    for (to, from) in narrow.pixels_mut().zip(wide.pixels()) {
        to.0 = color(from).map(|channel| (channel >> 8) as u8);
    }
    narrow
}

/// The pixels of a GIF are either there or not.
fn on_white(picture: &RgbaImage) -> RgbImage {
    let mut white = RgbImage::new(picture.width(), picture.height());
    for (to, from) in white.pixels_mut().zip(picture.pixels()) {
        let Rgba([red, green, blue, opacity]) = *from;
        *to = if opacity == 0 {
            Rgb([u8::MAX; 3])
        } else {
            Rgb([red, green, blue])
        };
    }
    white
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `image` itself would bring every sort to red, green and blue of sixteen bits first.
    #[test]
    fn sixteen_bits_become_the_high_byte() {
        let color = Rgb([0x12FF, 0xFF00, 0x0080]);
        let wide = ImageBuffer::from_pixel(2, 2, color);
        let wide = DynamicImage::ImageRgb16(wide);
        let sorts = [
            wide.clone(),
            DynamicImage::ImageRgba16(wide.to_rgba16()),
            DynamicImage::ImageLuma16(wide.to_luma16()),
            DynamicImage::ImageLumaA16(wide.to_luma_alpha16()),
        ];
        for sort in sorts {
            let expected = sort
                .to_rgb16()
                .get_pixel(1, 1)
                .0
                .map(|channel| (channel >> 8) as u8);
            let narrow = eight_bits(sort, Format::Png);
            assert_eq!(narrow.get_pixel(1, 1).0, expected);
        }
        let narrow = eight_bits(wide, Format::Png);
        assert_eq!(narrow.get_pixel(0, 0).0, [0x12, 0xFF, 0x00]);
    }
}
