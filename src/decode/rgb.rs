//! Pixels of every sort, brought to eight bits of red, green and blue.

use image::{ColorType, DynamicImage, Rgb, RgbImage, Rgba, RgbaImage};

use crate::formats::Format;

/// Eight bits a channel as Hugging Face's processor sees them, since the models were trained on such pixels: the high
/// byte of sixteen, the colour behind a transparency, and white where a GIF shows nothing.
pub(super) fn eight_bits(picture: DynamicImage, format: Format) -> RgbImage {
    match picture.color() {
        ColorType::Rgb16 | ColorType::Rgba16 | ColorType::L16 | ColorType::La16 => {
            let wide = picture.into_rgb16();
            let mut narrow = RgbImage::new(wide.width(), wide.height());
            for (to, from) in narrow.iter_mut().zip(wide.iter()) {
                *to = (from >> 8) as u8;
            }
            narrow
        }
        ColorType::Rgba8 if format == Format::Gif => on_white(&picture.into_rgba8()),
        _ => picture.into_rgb8(),
    }
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

    #[test]
    fn sixteen_bits_become_the_high_byte() {
        let color = Rgb([0x12FF, 0xFF00, 0x0080]);
        let wide = image::ImageBuffer::<Rgb<u16>, _>::from_pixel(2, 2, color);
        let narrow = eight_bits(DynamicImage::ImageRgb16(wide), Format::Png);
        assert_eq!(narrow.get_pixel(0, 0).0, [0x12, 0xFF, 0x00]);
    }
}
