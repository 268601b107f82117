//! The common sort, from entropy-coded blocks to pixels, one row of units at a time: Huffman codes, grey or three colours, all
//! components in one scan.

use image::RgbImage;

use super::bits::Bits;
use super::blocks::ZIGZAG;
use super::coefficients::is_filled_up;
use super::frame::{Colors, Component, Frame, Scan, Tables};
use super::huffman::Huffman;
use super::transform::{Transform, transform_of};

/// What is needed to read the one scan of such a JPEG.
pub(super) struct Single<'a> {
    pub(super) frame: &'a Frame,
    pub(super) colors: Colors,
    pub(super) scan: &'a Scan<'a>,
    pub(super) tables: &'a Tables,
}

impl Single<'_> {
    /// Whether it is of the common sort.
    pub(super) fn is_common(&self) -> bool {
        let mut parts = self.scan.parts.iter().enumerate();
        !self.frame.is_progressive
            && !self.frame.is_arithmetic
            && matches!(self.colors, Colors::Grey | Colors::YCbCr | Colors::Rgb)
            && self.scan.parts.len() == self.frame.components.len()
            && parts.all(|(place, part)| place == part.component)
            && self.has_usual_sides()
    }

    /// Whether the blocks of each component are as large as those of all, or half as large.
    fn has_usual_sides(&self) -> bool {
        let is_usual = |unit: usize, part: usize| part == unit || 2 * part == unit;
        let (across, down) = self.frame.unit();
        let mut components = self.frame.components.iter();
        self.frame.components.len() == 1
            || components.all(|component| {
                is_usual(across, component.horizontal) && is_usual(down, component.vertical)
            })
    }

    /// Nothing where bits are missing or only fill up.
    fn finish(&self, bits: &Bits) -> Option<()> {
        bits.finish()?;
        (!is_filled_up(self.scan, bits.used())).then_some(())
    }
}

/// Where coefficients go that no pixel needs.
const NOWHERE: u8 = 64;

/// Calls `read` for each unit of the scan; nothing where one is missing or damaged.
fn each_unit<'a>(
    single: &Single<'a>,
    mut read: impl FnMut(Bits<'a>, Unit) -> Option<Bits<'a>>,
) -> Option<()> {
    let (across, down) = units(single.frame);
    let interval = single.tables.restart_interval;
    let mut bits = Bits::new(single.scan.data);
    let mut until_restart = interval;
    for row in 0..down {
        for column in 0..across {
            let is_restarted = interval > 0 && until_restart == 0;
            if is_restarted {
                bits.restart()?;
                until_restart = interval;
            }
            let is_last = column + 1 == across;
            let unit = Unit {
                row,
                column,
                is_restarted,
                is_last,
            };
            bits = read(bits, unit)?;
            until_restart = until_restart.wrapping_sub(1);
        }
    }
    single.finish(&bits)
}

/// A unit in its turn.
struct Unit {
    row: usize,
    column: usize,
    /// Whether a restart marker stood before it.
    is_restarted: bool,
    /// Of its row.
    is_last: bool,
}

/// Whether every block is there. No coefficient is computed.
pub(super) fn is_whole(single: &Single) -> Option<()> {
    let (frame, tables) = (single.frame, single.tables);
    let parts = single.scan.parts.iter().zip(&frame.components);
    let parts: Option<Vec<_>> = parts
        .map(|(part, component)| {
            let (across, down) = blocks(frame, component);
            Some((tables.dc(part.dc)?, tables.ac(part.ac)?, across * down))
        })
        .collect();
    let parts = parts?;
    each_unit(single, |mut bits, _| {
        for (dc, ac, blocks) in &parts {
            for _ in 0..*blocks {
                bits.refill();
                let size = dc.symbol(&mut bits).filter(|&size| size < 16)?;
                bits.skip(u32::from(size));
                ac.skip_block(&mut bits, 1)?;
            }
        }
        Some(bits)
    })
}

/// Decodes the scan to `eighths` of the size.
pub(super) fn decode(single: &Single, eighths: usize) -> Option<RgbImage> {
    let frame = single.frame;
    let across = unit(frame, |component| component.horizontal);
    let down = unit(frame, |component| component.vertical);
    let (units_across, _) = units(frame);
    let width = (frame.width * eighths / 8).max(1);
    let height = (frame.height * eighths / 8).max(1);
    let mut planes = planes(single, (across * eighths, down * eighths), units_across)?;
    let mut pixels = vec![0; width * height * 3];
    let row_bytes = down * eighths * width * 3;
    let colors = single.colors;
    each_unit(single, |mut bits, unit| {
        for plane in &mut planes {
            if unit.is_restarted {
                plane.last_dc = 0;
            }
            bits = plane.read_unit(bits, unit.column)?;
        }
        if unit.is_last {
            let first = (unit.row * row_bytes).min(pixels.len());
            let last = (first + row_bytes).min(pixels.len());
            to_rgb(&planes, colors, &mut pixels[first..last], width);
        }
        Some(bits)
    })?;
    RgbImage::from_raw(width as u32, height as u32, pixels)
}

/// Units in a row, and rows of them.
fn units(frame: &Frame) -> (usize, usize) {
    let across = unit(frame, |component| component.horizontal);
    let down = unit(frame, |component| component.vertical);
    (
        frame.width.div_ceil(8 * across),
        frame.height.div_ceil(8 * down),
    )
}

/// Blocks of a component in a unit.
fn blocks(frame: &Frame, component: &Component) -> (usize, usize) {
    match &frame.components[..] {
        [_] => (1, 1),
        _ => (component.horizontal, component.vertical),
    }
}

/// Blocks along one side of a unit. The blocks of a single component are units by themselves, whatever they say.
fn unit(frame: &Frame, side: impl Fn(&Component) -> usize) -> usize {
    match &frame.components[..] {
        [_] => 1,
        components => components.iter().map(side).max().unwrap_or(1),
    }
}

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
    single: &'a Single,
    unit: (usize, usize),
    units_across: usize,
) -> Option<Vec<Plane<'a>>> {
    let places = 0..single.frame.components.len();
    places
        .map(|place| Plane::new(single, place, unit, units_across))
        .collect()
}

impl<'a> Plane<'a> {
    fn new(
        single: &'a Single,
        place: usize,
        unit: (usize, usize),
        units_across: usize,
    ) -> Option<Plane<'a>> {
        let component = single.frame.components.get(place)?;
        let part = single.scan.parts.get(place)?;
        let blocks = blocks(single.frame, component);
        if !unit.0.is_multiple_of(blocks.0) || !unit.1.is_multiple_of(blocks.1) {
            return None;
        }
        let block_size = (unit.0 / blocks.0, unit.1 / blocks.1);
        let tables = single.tables;
        let quantization = tables.quantization.get(component.quantization)?;
        Some(Plane {
            dc: tables.dc(part.dc)?,
            ac: tables.ac(part.ac)?,
            last_dc: 0,
            kept: kept(quantization.as_ref()?, block_size),
            block: [0.0; 65],
            transform: transform_of(block_size.0, block_size.1)?,
            blocks,
            block_size,
            stride: unit.0 * units_across,
            pixels: vec![0.0; unit.0 * units_across * unit.1],
        })
    }

    fn read_unit<'b>(&mut self, mut bits: Bits<'b>, unit: usize) -> Option<Bits<'b>> {
        let (width, height) = self.block_size;
        for row in 0..self.blocks.1 {
            for column in 0..self.blocks.0 {
                bits = self.read_block(bits)?;
                let at = row * height * self.stride + (unit * self.blocks.0 + column) * width;
                (self.transform)(
                    &self.block[..width * height],
                    &mut self.pixels[at..],
                    self.stride,
                );
            }
        }
        Some(bits)
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

fn to_rgb(planes: &[Plane], colors: Colors, rows: &mut [u8], width: usize) {
    for (y, row) in rows.chunks_exact_mut(width * 3).enumerate() {
        let line = |plane: usize| &planes[plane].pixels[y * planes[plane].stride..][..width];
        let row = row.as_chunks_mut().0.iter_mut();
        if planes.len() == 1 {
            for (pixel, grey) in row.zip(line(0)) {
                *pixel = [byte(*grey); 3];
            }
            continue;
        }
        let others = line(1).iter().zip(line(2));
        let pixels = row.zip(line(0)).zip(others);
        if colors == Colors::Rgb {
            for ((pixel, red), (green, blue)) in pixels {
                *pixel = [byte(*red), byte(*green), byte(*blue)];
            }
            continue;
        }
        for ((pixel, y), (cb, cr)) in pixels {
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
