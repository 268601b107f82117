//! From entropy-coded blocks to pixels, one row of units at a time.

use image::RgbImage;

use super::bits::Bits;
use super::frame::{Component, Frame};
use super::huffman::Huffman;
use super::transform::transform;

/// The place of each coefficient in a block, row by row.
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Where coefficients go that no pixel needs.
const NOWHERE: u8 = 64;

/// Decodes the scan to `eighths` of the size.
pub(super) fn decode(frame: &Frame, eighths: usize) -> Option<RgbImage> {
    let across = unit(frame, |component| component.horizontal);
    let down = unit(frame, |component| component.vertical);
    let units_across = frame.width.div_ceil(8 * across);
    let units_down = frame.height.div_ceil(8 * down);
    let width = (frame.width * eighths / 8).max(1);
    let height = (frame.height * eighths / 8).max(1);
    let mut planes = planes(frame, (across * eighths, down * eighths), units_across)?;
    let mut bits = Bits::new(frame.data);
    let mut pixels = vec![0; width * height * 3];
    let mut until_restart = frame.restart_interval;
    let rows = pixels
        .chunks_mut(down * eighths * width * 3)
        .map(Some)
        .chain(std::iter::repeat_with(|| None));
    for (_, rows) in (0..units_down).zip(rows) {
        for unit in 0..units_across {
            if frame.restart_interval > 0 && until_restart == 0 {
                bits.restart()?;
                for plane in &mut planes {
                    plane.last_dc = 0;
                }
                until_restart = frame.restart_interval;
            }
            planes
                .iter_mut()
                .try_for_each(|plane| plane.read_unit(&mut bits, unit))?;
            until_restart = until_restart.wrapping_sub(1);
        }
        if let Some(rows) = rows {
            to_rgb(&planes, rows, width);
        }
    }
    bits.finish()?;
    RgbImage::from_raw(width as u32, height as u32, pixels)
}

/// Blocks along one side of a unit. The blocks of a single component are units by themselves, whatever they say.
fn unit(frame: &Frame, side: impl Fn(&Component) -> usize) -> usize {
    match &frame.components[..] {
        [_] => 1,
        components => components.iter().map(side).max().unwrap_or(1),
    }
}

type Transform = fn(&[f32], &mut [f32], usize);

/// The pixels of a component in one row of units, at the resolution of the picture.
struct Plane<'a> {
    dc: &'a Huffman,
    ac: &'a Huffman,
    last_dc: i32,
    /// In the order of the coefficients: factor and place in `block`, up to the last one that a pixel needs.
    kept: Vec<(f32, u8)>,
    block: [f32; 65],
    transform: Transform,
    /// Blocks in a unit.
    blocks: (usize, usize),
    /// Pixels of a block.
    block_size: (usize, usize),
    /// Pixels in a row.
    stride: usize,
    pixels: Vec<f32>,
}

fn planes<'a>(
    frame: &'a Frame,
    unit: (usize, usize),
    units_across: usize,
) -> Option<Vec<Plane<'a>>> {
    let is_single = frame.components.len() == 1;
    frame
        .components
        .iter()
        .map(|component| {
            let blocks = if is_single {
                (1, 1)
            } else {
                (component.horizontal, component.vertical)
            };
            Plane::new(frame, component, blocks, unit, units_across)
        })
        .collect()
}

impl<'a> Plane<'a> {
    fn new(
        frame: &'a Frame,
        component: &Component,
        blocks: (usize, usize),
        unit: (usize, usize),
        units_across: usize,
    ) -> Option<Plane<'a>> {
        if blocks.0 == 0
            || blocks.1 == 0
            || !unit.0.is_multiple_of(blocks.0)
            || !unit.1.is_multiple_of(blocks.1)
        {
            return None;
        }
        let block_size = (unit.0 / blocks.0, unit.1 / blocks.1);
        let quantization = frame.quantization.get(component.quantization)?.as_ref()?;
        Some(Plane {
            dc: frame.dc.get(component.dc)?.as_ref()?,
            ac: frame.ac.get(component.ac)?.as_ref()?,
            last_dc: 0,
            kept: kept(quantization, block_size),
            block: [0.0; 65],
            transform: transform_of(block_size)?,
            blocks,
            block_size,
            stride: unit.0 * units_across,
            pixels: vec![0.0; unit.0 * units_across * unit.1],
        })
    }

    fn read_unit(&mut self, bits: &mut Bits, unit: usize) -> Option<()> {
        let (width, height) = self.block_size;
        for row in 0..self.blocks.1 {
            for column in 0..self.blocks.0 {
                *bits = self.read_block(*bits)?;
                let at = row * height * self.stride + (unit * self.blocks.0 + column) * width;
                (self.transform)(
                    &self.block[..width * height],
                    &mut self.pixels[at..],
                    self.stride,
                );
            }
        }
        Some(())
    }

    fn read_block<'b>(&mut self, mut bits: Bits<'b>) -> Option<Bits<'b>> {
        self.block[..self.block_size.0 * self.block_size.1].fill(0.0);
        bits.refill();
        let size = self.dc.symbol(&mut bits).filter(|&size| size < 16)?;
        self.last_dc = self.last_dc.wrapping_add(bits.signed(u32::from(size)));
        self.block[0] = self.last_dc as f32 * self.kept[0].0;
        let mut at = 1;
        while at < self.kept.len() {
            bits.refill();
            let Some((zeros, value)) = self.ac.coefficient(&mut bits)? else {
                return Some(bits);
            };
            at += zeros;
            if let Some((factor, place)) = self.kept.get(at) {
                self.block[usize::from(*place)] = value as f32 * factor;
            }
            at += 1;
        }
        self.ac.skip_block(&mut bits, at)?;
        Some(bits)
    }
}

fn kept(quantization: &[u16; 64], (width, height): (usize, usize)) -> Vec<(f32, u8)> {
    let place = |natural: u8| {
        let row = usize::from(natural / 8);
        let column = usize::from(natural % 8);
        if row < height && column < width {
            (row * width + column) as u8
        } else {
            NOWHERE
        }
    };
    let mut kept: Vec<(f32, u8)> = ZIGZAG
        .iter()
        .zip(quantization)
        .map(|(&natural, &factor)| (f32::from(factor), place(natural)))
        .collect();
    let needed = kept
        .iter()
        .rposition(|(_, place)| *place != NOWHERE)
        .map_or(0, |last| last + 1);
    kept.truncate(needed);
    kept
}

/// The sizes that the usual ways to store colours lead to.
fn transform_of(block_size: (usize, usize)) -> Option<Transform> {
    Some(match block_size {
        (1, 1) => transform::<1, 1>,
        (2, 2) => transform::<2, 2>,
        (4, 4) => transform::<4, 4>,
        (8, 8) => transform::<8, 8>,
        (2, 1) => transform::<2, 1>,
        (4, 2) => transform::<4, 2>,
        (8, 4) => transform::<8, 4>,
        (1, 2) => transform::<1, 2>,
        (2, 4) => transform::<2, 4>,
        (4, 8) => transform::<4, 8>,
        _ => return None,
    })
}

fn to_rgb(planes: &[Plane], rows: &mut [u8], width: usize) {
    for (y, row) in rows.chunks_exact_mut(width * 3).enumerate() {
        let line = |plane: usize| &planes[plane].pixels[y * planes[plane].stride..][..width];
        if planes.len() == 1 {
            for (pixel, grey) in row.as_chunks_mut().0.iter_mut().zip(line(0)) {
                *pixel = [byte(*grey); 3];
            }
            continue;
        }
        let colours = line(1).iter().zip(line(2));
        for ((pixel, y), (cb, cr)) in row.as_chunks_mut().0.iter_mut().zip(line(0)).zip(colours) {
            // JFIF's, which is what every decoder does.
            *pixel = [
                byte(y + 1.402 * cr),
                byte(y - 0.344_136 * cb - 0.714_136 * cr),
                byte(y + 1.772 * cb),
            ];
        }
    }
}

/// Around 0 to a byte; values out of range are cut.
fn byte(value: f32) -> u8 {
    (value + 128.5) as u8
}
