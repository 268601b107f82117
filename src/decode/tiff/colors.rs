//! Channels of eight bits to colours, by what a TIFF says they mean.

use image::RgbImage;

use super::page::{Page, Photometric};
use crate::decode::DecodeError;
use crate::decode::raster::Raster;

/// Paints a page, of which each pixel has so many channels.
pub(super) fn paint(page: &Page, bytes: Vec<u8>, channels: usize) -> Result<Raster, DecodeError> {
    let (width, height) = (page.width as u32, page.height as u32);
    let broken = DecodeError::Broken("the fields of the TIFF");
    if page.photometric == Photometric::Cmyk && channels == 4 {
        return Ok(Raster::Cmyk {
            width,
            height,
            inks: bytes,
        });
    }
    if page.photometric == Photometric::Rgb && channels == 3 {
        let picture = RgbImage::from_raw(width, height, bytes);
        return picture.map(Raster::Rgb).ok_or(broken);
    }
    let color = painter(page)?;
    let mut picture = RgbImage::new(width, height);
    for (pixel, channels) in picture.pixels_mut().zip(bytes.chunks_exact(channels)) {
        pixel.0 = color(channels);
    }
    Ok(Raster::Rgb(picture))
}

type Painter = Box<dyn Fn(&[u8]) -> [u8; 3]>;

fn painter(page: &Page) -> Result<Painter, DecodeError> {
    let first = |channels: &[u8]| channels.first().copied().unwrap_or_default();
    let three = |channels: &[u8]| *channels.first_chunk::<3>().unwrap_or(&[0; 3]);
    Ok(match page.photometric {
        Photometric::WhiteIsZero => Box::new(move |channels| [255 - first(channels); 3]),
        Photometric::BlackIsZero => Box::new(move |channels| [first(channels); 3]),
        Photometric::Palette => {
            let palette = palette(page)?;
            Box::new(move |channels| palette[usize::from(first(channels))])
        }
        Photometric::YCbCr => {
            if matches!(page.compression, 6 | 7) {
                // A JPEG's colours are JFIF's.
                let (luma, range) = (JFIF_LUMA, JFIF_RANGE);
                Box::new(move |channels| of_ycbcr(three(channels), luma, range))
            } else {
                let (luma, range) = (page.luma, page.range);
                Box::new(move |channels| of_ycbcr(three(channels), luma, range))
            }
        }
        Photometric::CieLab => {
            Box::new(move |channels| of_lab(three(channels), |byte| f32::from(byte as i8)))
        }
        Photometric::IccLab => {
            Box::new(move |channels| of_lab(three(channels), |byte| f32::from(byte) - 128.0))
        }
        Photometric::Rgb | Photometric::Cmyk => Box::new(move |channels| match *channels {
            [red, green, blue, opacity] => [red, green, blue].map(|color| divided(color, opacity)),
            _ => three(channels),
        }),
    })
}

const JFIF_LUMA: [f32; 3] = [0.299, 0.587, 0.114];
const JFIF_RANGE: [f32; 6] = [0.0, 255.0, 128.0, 255.0, 128.0, 255.0];

/// What a colour was before it was multiplied with the opacity.
fn divided(color: u8, opacity: u8) -> u8 {
    match opacity {
        0 => 0,
        _ => (u32::from(color) * 255 / u32::from(opacity)).min(255) as u8,
    }
}

/// The colours of all numbers that a byte can be.
fn palette(page: &Page) -> Result<Vec<[u8; 3]>, DecodeError> {
    let len = page.palette.len() / 3;
    if len == 0 || page.bits > 8 && len > 256 {
        return Err(DecodeError::Broken("the palette of the TIFF"));
    }
    // Some fill the lower byte of each value only.
    let is_narrow = page.palette.iter().all(|value| *value < 256);
    let byte = |at: usize| {
        let value = page.palette.get(at).copied().unwrap_or_default();
        if is_narrow {
            value as u8
        } else {
            (value >> 8) as u8
        }
    };
    let color = |at: usize| {
        if at < len {
            [byte(at), byte(len + at), byte(2 * len + at)]
        } else {
            [0; 3]
        }
    };
    Ok((0..256).map(color).collect())
}

fn of_ycbcr(channels: [u8; 3], luma: [f32; 3], range: [f32; 6]) -> [u8; 3] {
    let [y, cb, cr] = channels.map(f32::from);
    let wide = |value: f32, black: f32, white: f32, most: f32| {
        let range = white - black;
        if range == 0.0 {
            value
        } else {
            (value - black) * most / range
        }
    };
    let y = wide(y, range[0], range[1], 255.0);
    let cb = wide(cb, range[2], range[3], 127.0);
    let cr = wide(cr, range[4], range[5], 127.0);
    let red = y + cr * (2.0 - 2.0 * luma[0]);
    let blue = y + cb * (2.0 - 2.0 * luma[2]);
    let green = (y - luma[0] * red - luma[2] * blue) / luma[1];
    [red, green, blue].map(|light| (light + 0.5) as u8)
}

/// Under the light of print, D50, which is white on a screen as well.
fn of_lab([lightness, green_red, blue_yellow]: [u8; 3], signed: impl Fn(u8) -> f32) -> [u8; 3] {
    const WHITE: [f32; 3] = [0.964_22, 1.0, 0.825_21];
    const EPSILON: f32 = 6.0 / 29.0;
    let y = (f32::from(lightness) * 100.0 / 255.0 + 16.0) / 116.0;
    let (before, behind) = (signed(green_red) / 500.0, signed(blue_yellow) / 200.0);
    let xyz = [y + before, y, y - behind].map(|value| {
        if value > EPSILON {
            value.powi(3)
        } else {
            3.0 * EPSILON * EPSILON * (value - 4.0 / 29.0)
        }
    });
    let [x, y, z] = [xyz[0] * WHITE[0], xyz[1] * WHITE[1], xyz[2] * WHITE[2]];
    // From D50 to the primaries of sRGB.
    [
        3.133_856 * x - 1.616_867 * y - 0.490_615 * z,
        -0.978_768 * x + 1.916_142 * y + 0.033_454 * z,
        0.071_945 * x - 0.228_991 * y + 1.405_243 * z,
    ]
    .map(|light| {
        let light = light.clamp(0.0, 1.0);
        let shown = if light <= 0.003_130_8 {
            12.92 * light
        } else {
            1.055 * light.powf(1.0 / 2.4) - 0.055
        };
        (255.0 * shown + 0.5) as u8
    })
}

/// Rows of pixels with three channels each, from groups of pixels that share their colours.
pub(super) fn unshare(page: &Page, groups: &[u8], rows: usize) -> Vec<u8> {
    let (across, down) = page.shared;
    let width = page.chunk_width;
    let groups_across = width.div_ceil(across);
    let len = across * down + 2;
    let mut apart = vec![0; 3 * width * rows];
    for (y, row) in apart.chunks_exact_mut((3 * width).max(1)).enumerate() {
        for (x, pixel) in row.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let group = (y / down * groups_across + x / across) * len;
            let brightness = group + y % down * across + x % across;
            let colors = group + across * down;
            let byte = |at: usize| groups.get(at).copied().unwrap_or_default();
            *pixel = [byte(brightness), byte(colors), byte(colors + 1)];
        }
    }
    apart
}
