//! Pixels of every sort, brought to eight bits of red, green and blue.

use image::{DynamicImage, ImageBuffer, Luma, LumaA, Pixel, Rgb, RgbImage, Rgba};

/// Eight bits a channel as Hugging Face's processor sees them, since the models were trained on such pixels: the high
/// byte of sixteen, and the colour behind a transparency.
pub(super) fn eight_bits(picture: DynamicImage) -> RgbImage {
    match picture {
        DynamicImage::ImageRgb16(wide) => high_bytes(&wide, |&Rgb(color)| color),
        DynamicImage::ImageRgba16(wide) => {
            high_bytes(&wide, |&Rgba([red, green, blue, _])| [red, green, blue])
        }
        DynamicImage::ImageLuma16(wide) => high_bytes(&wide, |&Luma([grey])| [grey; 3]),
        DynamicImage::ImageLumaA16(wide) => high_bytes(&wide, |&LumaA([grey, _])| [grey; 3]),
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
            let narrow = eight_bits(sort);
            assert_eq!(narrow.get_pixel(1, 1).0, expected);
        }
        let narrow = eight_bits(wide);
        assert_eq!(narrow.get_pixel(0, 0).0, [0x12, 0xFF, 0x00]);
    }
}
