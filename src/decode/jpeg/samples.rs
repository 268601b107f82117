//! From coefficients to pixels: each component at its own resolution, brought to that of the picture, and to colours.

use image::RgbImage;

use super::blocks::{Block, Grid, ZIGZAG};
use super::coefficients::Coefficients;
use super::frame::{Colors, Frame};
use super::transform::transform_of;
use crate::decode::DecodeError;
use crate::decode::raster::Raster;

/// All pixels at `eighths` of the size, rounded down.
pub(super) fn pixels(
    coefficients: Coefficients,
    colors: Colors,
    eighths: usize,
) -> Result<Raster, DecodeError> {
    let width = (coefficients.frame.width * eighths / 8).max(1);
    let height = (coefficients.frame.height * eighths / 8).max(1);
    let channels = coefficients.frame.components.len().max(3);
    let pixels = rows(
        coefficients,
        eighths,
        (width, height),
        channels,
        |lines, row| {
            paint(colors, lines, row);
        },
    )?;
    let (width, height) = (width as u32, height as u32);
    if channels == 4 {
        return Ok(Raster::Cmyk {
            width,
            height,
            inks: pixels,
        });
    }
    let picture = RgbImage::from_raw(width, height, pixels);
    Ok(Raster::Rgb(picture.ok_or(DecodeError::Panicked)?))
}

/// All channels side by side, as they stand, at full size.
pub(super) fn channels(coefficients: Coefficients) -> Result<Vec<u8>, DecodeError> {
    let size = (coefficients.frame.width, coefficients.frame.height);
    let channels = coefficients.frame.components.len();
    rows(coefficients, 8, size, channels, |lines, row| {
        for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
            for (channel, line) in pixel.iter_mut().zip(lines) {
                *channel = line.pixels[x];
            }
        }
    })
}

/// Paints row by row, from a line of each component.
fn rows(
    coefficients: Coefficients,
    eighths: usize,
    (width, height): (usize, usize),
    channels: usize,
    paint: impl Fn(&[Line], &mut [u8]),
) -> Result<Vec<u8>, DecodeError> {
    let Coefficients {
        frame,
        grids,
        quantization,
        ..
    } = coefficients;
    let parts = grids.into_iter().zip(&quantization).enumerate();
    let planes: Option<Vec<Plane>> = parts
        .map(|(place, (grid, table))| Plane::new(&frame, place, &grid, table, eighths))
        .collect();
    let planes = planes.ok_or(DecodeError::Broken("the components of the JPEG"))?;
    let mut pixels = vec![0; width * height * channels];
    let mut lines: Vec<Line> = planes.iter().map(|_| Line::new(width)).collect();
    for (y, row) in pixels.chunks_exact_mut(width * channels).enumerate() {
        for (plane, line) in planes.iter().zip(&mut lines) {
            plane.line(y, line);
        }
        paint(&lines, row);
    }
    Ok(pixels)
}

/// How a side of a component becomes one of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stretch {
    No,
    /// To two pixels each, between the neighbours.
    Double,
    /// So many pixels to so many.
    Repeat(usize, usize),
}

impl Stretch {
    fn new(from: usize, to: usize) -> Stretch {
        match (from, to) {
            (from, to) if from == to => Stretch::No,
            (from, to) if 2 * from == to => Stretch::Double,
            (from, to) => Stretch::Repeat(from, to),
        }
    }

    /// The nearest pixel of the component, and the nearest but one.
    fn source(self, at: usize, len: usize) -> (usize, usize) {
        let last = len.saturating_sub(1);
        match self {
            Stretch::No => (at.min(last), at.min(last)),
            Stretch::Repeat(from, to) => {
                let at = (at * from / to).min(last);
                (at, at)
            }
            Stretch::Double => {
                let near = (at / 2).min(last);
                let far = if at.is_multiple_of(2) {
                    near.saturating_sub(1)
                } else {
                    (near + 1).min(last)
                };
                (near, far)
            }
        }
    }
}

/// A component's pixels.
struct Plane {
    stride: usize,
    /// Without what only fills up the last blocks.
    size: (usize, usize),
    stretch: (Stretch, Stretch),
    pixels: Vec<u8>,
}

/// A row of a component at the picture's width, and room to make it in.
struct Line {
    pixels: Vec<u8>,
    sums: Vec<u16>,
}

impl Line {
    fn new(width: usize) -> Line {
        Line {
            pixels: vec![0; width],
            sums: Vec::new(),
        }
    }
}

impl Plane {
    fn new(
        frame: &Frame,
        place: usize,
        grid: &Grid,
        quantization: &[u16; 64],
        eighths: usize,
    ) -> Option<Plane> {
        let component = frame.components.get(place)?;
        let unit = frame.unit();
        let (width, horizontal) = side(unit.0, component.horizontal, eighths);
        let (height, vertical) = side(unit.1, component.vertical, eighths);
        let transform = transform_of(width, height)?;
        let stride = grid.across * width;
        let mut pixels = vec![0; grid.blocks.len() * width * height];
        let factors = factors(quantization);
        for (rows, blocks) in pixels
            .chunks_exact_mut(stride * height)
            .zip(grid.blocks.chunks_exact(grid.across))
        {
            for (column, coefficients) in blocks.iter().enumerate() {
                let mut values = [0.0; 64];
                if coefficients[1..].iter().fold(0, |any, value| any | value) == 0 {
                    values.fill(f32::from(coefficients[0]) * factors[0] / 8.0);
                } else {
                    let block = dequantize(coefficients, &factors, (width, height));
                    transform(&block[..width * height], &mut values, width);
                }
                let values = values.map(byte);
                let rows = rows.chunks_exact_mut(stride);
                for (row, values) in rows.zip(values.chunks_exact(width)) {
                    row[column * width..][..width].copy_from_slice(values);
                }
            }
        }
        let shown = |side: usize, part: usize, unit: usize, block: usize| {
            ((side * part).div_ceil(unit) * block).div_ceil(8)
        };
        let size = (
            shown(frame.width, component.horizontal, unit.0, width),
            shown(frame.height, component.vertical, unit.1, height),
        );
        Some(Plane {
            stride,
            size,
            stretch: (horizontal, vertical),
            pixels,
        })
    }

    fn row(&self, y: usize) -> &[u8] {
        let row = self.pixels.get(y * self.stride..).unwrap_or_default();
        row.get(..self.size.0).unwrap_or_default()
    }

    /// A row of the picture. Doubled sides are made as libjpeg makes them: three parts of the nearest and one of the next.
    fn line(&self, y: usize, line: &mut Line) {
        let (horizontal, vertical) = self.stretch;
        let (near, far) = vertical.source(y, self.size.1);
        let (near, far) = (self.row(near), self.row(far));
        match (horizontal, vertical) {
            (Stretch::No, Stretch::No | Stretch::Repeat(..)) => {
                let len = line.pixels.len().min(near.len());
                line.pixels[..len].copy_from_slice(&near[..len]);
            }
            (Stretch::No, Stretch::Double) => {
                let bias = if y.is_multiple_of(2) { 1 } else { 2 };
                for ((to, near), far) in line.pixels.iter_mut().zip(near).zip(far) {
                    *to = ((3 * u16::from(*near) + u16::from(*far) + bias) >> 2) as u8;
                }
            }
            (Stretch::Double, Stretch::Double) => {
                let sum = |(near, far): (&u8, &u8)| 3 * u16::from(*near) + u16::from(*far);
                line.sums.clear();
                line.sums.extend(near.iter().zip(far).map(sum));
                double(&line.sums, &mut line.pixels, 4, (8, 7));
            }
            (Stretch::Double, _) => {
                line.sums.clear();
                line.sums.extend(near.iter().map(|&pixel| u16::from(pixel)));
                double(&line.sums, &mut line.pixels, 2, (1, 2));
            }
            (Stretch::Repeat(from, to), _) => {
                let last = near.len().saturating_sub(1);
                for (x, pixel) in line.pixels.iter_mut().enumerate() {
                    *pixel = near
                        .get((x * from / to).min(last))
                        .copied()
                        .unwrap_or_default();
                }
            }
        }
    }
}

/// To pairs of pixels, the left and the right with a rounding of its own.
fn double(sums: &[u16], pixels: &mut [u8], shift: u32, bias: (u16, u16)) {
    let last = sums.len().saturating_sub(1);
    let at = |at: usize| sums.get(at).copied().unwrap_or_default();
    for (x, pair) in pixels.chunks_mut(2).enumerate() {
        let near = 3 * at(x);
        let both = [
            near + at(x.saturating_sub(1)) + bias.0,
            near + at((x + 1).min(last)) + bias.1,
        ];
        for (pixel, sum) in pair.iter_mut().zip(both) {
            *pixel = (sum >> shift) as u8;
        }
    }
}

/// Pixels along a side of a block, and how they are stretched then: blocks of few components become larger by themselves, so
/// far as they have details for it.
fn side(unit: usize, part: usize, eighths: usize) -> (usize, Stretch) {
    let wanted = (unit * eighths).div_ceil(part);
    let block = wanted.next_power_of_two().min(8);
    (block, Stretch::new(part * block, unit * eighths))
}

/// By place in a block, row by row.
fn factors(quantization: &[u16; 64]) -> [f32; 64] {
    let mut factors = [0.0; 64];
    for (place, factor) in ZIGZAG.iter().zip(quantization) {
        factors[usize::from(*place)] = f32::from(*factor);
    }
    factors
}

/// The lowest frequencies, row by row.
fn dequantize(
    coefficients: &Block,
    factors: &[f32; 64],
    (width, height): (usize, usize),
) -> [f32; 64] {
    let mut all = [0.0; 64];
    for ((to, from), factor) in all.iter_mut().zip(coefficients).zip(factors) {
        *to = f32::from(*from) * factor;
    }
    if width < 8 {
        for row in 1..height {
            all.copy_within(8 * row..8 * row + width, row * width);
        }
    }
    all
}

/// Around 0 to a byte; values out of range are cut.
fn byte(value: f32) -> u8 {
    // Not straight to a byte, which compilers do one by one.
    (value + 128.5).clamp(0.0, 255.0) as i32 as u8
}

/// One row of the picture from one of each component.
fn paint(colors: Colors, lines: &[Line], row: &mut [u8]) {
    match (colors, lines) {
        (Colors::Grey, [grey]) => {
            for (pixel, grey) in row.as_chunks_mut::<3>().0.iter_mut().zip(&grey.pixels) {
                *pixel = [*grey; 3];
            }
        }
        (Colors::YCbCr | Colors::Rgb, [a, b, c]) => {
            if colors == Colors::YCbCr {
                paint_ycbcr(row, [&a.pixels, &b.pixels, &c.pixels]);
                return;
            }
            let parts = a.pixels.iter().zip(&b.pixels).zip(&c.pixels);
            for (pixel, ((a, b), c)) in row.as_chunks_mut::<3>().0.iter_mut().zip(parts) {
                *pixel = [*a, *b, *c];
            }
        }
        (_, [a, b, c, d]) => {
            let parts = a.pixels.iter().zip(&b.pixels).zip(&c.pixels).zip(&d.pixels);
            for (pixel, (((a, b), c), d)) in row.as_chunks_mut::<4>().0.iter_mut().zip(parts) {
                // Everyone stores what the inks leave of the light.
                let left = if colors == Colors::Ycck {
                    of_ycbcr(*a, *b, *c).map(|light| 255 - light)
                } else {
                    [*a, *b, *c]
                };
                let [cyan, magenta, yellow] = left.map(|left| 255 - left);
                *pixel = [cyan, magenta, yellow, 255 - d];
            }
        }
        _ => {}
    }
}

/// So many pixels at a time, which compilers do side by side.
fn paint_ycbcr(row: &mut [u8], [y, cb, cr]: [&[u8]; 3]) {
    const TOGETHER: usize = 16;
    let parts = y
        .chunks(TOGETHER)
        .zip(cb.chunks(TOGETHER))
        .zip(cr.chunks(TOGETHER));
    for (pixels, ((y, cb), cr)) in row.chunks_mut(3 * TOGETHER).zip(parts) {
        let mut light = [[0; 3]; TOGETHER];
        for (((light, y), cb), cr) in light.iter_mut().zip(y).zip(cb).zip(cr) {
            *light = of_ycbcr(*y, *cb, *cr);
        }
        pixels.copy_from_slice(&light.as_flattened()[..pixels.len()]);
    }
}

/// JFIF's, in sixteen bits behind the point.
fn of_ycbcr(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let byte = |value: i32| ((y << 16) + value + (1 << 15)) >> 16;
    [
        byte(91_881 * cr),
        byte(-22_554 * cb - 46_802 * cr),
        byte(116_130 * cb),
    ]
    .map(|value| value.clamp(0, 255) as u8)
}
