//! From an item to upright pixels: coded as it is, in tiles, upon others, or another one once more.

use image::imageops;
use image::{Rgb, RgbImage};

use super::super::DecodeError;
use super::super::boxes::Reader;
use super::super::coded::{BT601, Codec, Coded};
use super::meta::{Id, Meta, Transform};
use super::{damaged, unsupported};
use crate::formats::Format;

/// Items are made of items, that many times at most.
const MOST_DEPTH: u32 = 4;

/// Tiles, of one size, row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Grid {
    rows: u32,
    columns: u32,
    width: u32,
    height: u32,
}

/// No side of 256 tiles is longer, each of which has 65,536 pixels at most.
const LONGEST_SIDE: u32 = 1 << 24;

/// Pictures that one is made of, those of which these are made among them; one of 200 megapixels has some 800 tiles.
const MOST_PARTS: usize = 4_096;

/// How many times the pixels that are shown, or those of a small picture, may be decoded for it.
const MOST_WORK: u64 = 16;
const SMALL_PIXELS: u64 = 1 << 24;

/// Refuses an item that is made of others, and those of others again, so that decoding it would not come to an end.
pub(super) fn check(meta: &Meta<'_>, id: Id) -> Result<(), DecodeError> {
    let mut left = Left {
        parts: MOST_PARTS,
        pixels: MOST_WORK * pixels(stored_size(meta, id)?).max(SMALL_PIXELS),
    };
    left.take(meta, id, 0)?;
    match hiding(meta, id) {
        Some(opacity) => left.take(meta, opacity, 0),
        None => Ok(()),
    }
}

/// What may still be decoded for one picture.
struct Left {
    parts: usize,
    pixels: u64,
}

impl Left {
    fn take(&mut self, meta: &Meta<'_>, id: Id, depth: u32) -> Result<(), DecodeError> {
        let too_many = || damaged("its pictures are made of too many others");
        if depth > MOST_DEPTH {
            return Err(too_many());
        }
        self.parts = self.parts.checked_sub(1).ok_or_else(too_many)?;
        let pixels = pixels(stored_size(meta, id)?);
        self.pixels = self.pixels.checked_sub(pixels).ok_or_else(too_many)?;
        let kind = meta.kind(id)?;
        if !matches!(&kind, b"grid" | b"iovl" | b"iden") {
            return Ok(());
        }
        for part in meta.linked(id, *b"dimg") {
            self.take(meta, *part, depth + 1)?;
            if let Some(opacity) = meta.opacity(*part).filter(|_| kind == *b"iovl") {
                self.take(meta, opacity, depth + 1)?;
            }
        }
        Ok(())
    }
}

fn pixels((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height)
}

/// How opaque an item is, where its colours were multiplied by it.
fn hiding(meta: &Meta<'_>, id: Id) -> Option<Id> {
    let opacity = meta.opacity(id)?;
    meta.linked(id, *b"prem")
        .contains(&opacity)
        .then_some(opacity)
}

/// The upright size of an item.
pub(super) fn size(meta: &Meta<'_>, id: Id) -> Result<(u32, u32), DecodeError> {
    let stored = stored_size(meta, id)?;
    meta.transforms(id)
        .try_fold(stored, |size, transform| transform.size(size))
}

fn stored_size(meta: &Meta<'_>, id: Id) -> Result<(u32, u32), DecodeError> {
    let is_side = |side: u32| (1..=LONGEST_SIDE).contains(&side);
    match meta.size(id) {
        Some((width, height)) if is_side(width) && is_side(height) => Ok((width, height)),
        _ => Err(damaged("it does not say how large its picture is")),
    }
}

/// Decodes an item, and does to it what its properties say.
pub(super) fn decode(meta: &Meta<'_>, id: Id) -> Result<RgbImage, DecodeError> {
    let upright = decode_at(meta, id, 0)?;
    match hiding(meta, id) {
        Some(opacity) if size(meta, opacity)? == upright.dimensions() => {
            Ok(undo_opacity(upright, &decode_at(meta, opacity, 0)?))
        }
        Some(_) => Err(damaged("it is of another size than how opaque it is")),
        None => Ok(upright),
    }
}

fn decode_at(meta: &Meta<'_>, id: Id, depth: u32) -> Result<RgbImage, DecodeError> {
    if depth > MOST_DEPTH {
        return Err(damaged("its pictures are made of too many others"));
    }
    let stored = stored_size(meta, id)?;
    let decoded = match &meta.kind(id)? {
        b"hvc1" | b"hev1" | b"av01" => coded(meta, id, stored)?,
        b"grid" => tiles(meta, id, stored, depth)?,
        b"iovl" => overlay(meta, id, stored, depth)?,
        b"iden" => match meta.linked(id, *b"dimg") {
            [same] => {
                let same = decode_at(meta, *same, depth + 1)?;
                if same.dimensions() != stored {
                    return Err(damaged("a picture in it is of another size than it says"));
                }
                same
            }
            _ => return Err(damaged("a picture in it is made of no other one")),
        },
        other => {
            let kind = String::from_utf8_lossy(other);
            return Err(unsupported(&format!("a picture of the kind `{kind}`")));
        }
    };
    meta.transforms(id).try_fold(decoded, apply)
}

/// Decodes an item that is coded as it is.
fn coded(meta: &Meta<'_>, id: Id, size: (u32, u32)) -> Result<RgbImage, DecodeError> {
    let Some((codec, property)) = codec(meta, id, meta.kind(id)?) else {
        return Err(damaged("a picture in it is coded by nothing"));
    };
    if !codec.is_there() {
        let format = if codec == Codec::Hevc {
            Format::Heic
        } else {
            Format::Avif
        };
        return Err(DecodeError::LeftOut(format));
    }
    let config = meta.property(id, property).unwrap_or_default();
    codec.decode(&Coded {
        config,
        data: &meta.data(id)?,
        size,
        coding: meta.coding(id),
        usual_matrix: BT601,
    })
}

/// What codes an item of this kind, and the kind of the property that says what its decoder must know before.
fn codec(meta: &Meta<'_>, id: Id, kind: [u8; 4]) -> Option<(Codec, [u8; 4])> {
    match &kind {
        b"hvc1" | b"hev1" => Some((Codec::Hevc, *b"hvcC")),
        b"av01" => {
            let layers = meta.property(id, *b"a1op").and_then(<[u8]>::first);
            let layers = layers.map_or(0, |layers| layers & 31);
            Some((Codec::Av1(layers), *b"av1C"))
        }
        _ => None,
    }
}

fn apply(picture: RgbImage, transform: Transform) -> Result<RgbImage, DecodeError> {
    let mut picture = picture;
    Ok(match transform {
        // Quarters are anticlockwise here and clockwise there.
        Transform::Turn(1) => imageops::rotate270(&picture),
        Transform::Turn(3) => imageops::rotate90(&picture),
        Transform::Turn(2) => {
            imageops::rotate180_in_place(&mut picture);
            picture
        }
        Transform::Turn(_) => picture,
        Transform::MirrorSides => {
            imageops::flip_horizontal_in_place(&mut picture);
            picture
        }
        Transform::Flip => {
            imageops::flip_vertical_in_place(&mut picture);
            picture
        }
        Transform::Crop(aperture) => {
            let (left, top, width, height) = aperture.part(picture.dimensions())?;
            imageops::crop_imm(&picture, left, top, width, height).to_image()
        }
    })
}

fn tiles(
    meta: &Meta<'_>,
    id: Id,
    (width, height): (u32, u32),
    depth: u32,
) -> Result<RgbImage, DecodeError> {
    let grid = grid(&meta.data(id)?).ok_or_else(|| damaged("its grid of tiles is cut off"))?;
    let tiles = meta.linked(id, *b"dimg");
    if (grid.width, grid.height) != (width, height) {
        return Err(damaged("its grid of tiles is of another size than it says"));
    }
    if tiles.len() as u64 != u64::from(grid.rows) * u64::from(grid.columns) {
        return Err(damaged("its grid has more or fewer tiles than it says"));
    }
    let (tile_width, tile_height) = size(meta, tiles[0])?;
    let is_covered = |side: u32, tile: u32, count: u32| {
        let (side, tile, count) = (u64::from(side), u64::from(tile), u64::from(count));
        // The last one shows, or all of it could be decoded for nothing.
        tile * count >= side && tile * (count - 1) < side
    };
    if !is_covered(width, tile_width, grid.columns) || !is_covered(height, tile_height, grid.rows) {
        return Err(damaged("the tiles of its grid do not cover it"));
    }
    let mut picture = RgbImage::new(width, height);
    for (at, tile) in (0..).zip(tiles) {
        if size(meta, *tile)? != (tile_width, tile_height) {
            return Err(damaged("the tiles of its grid differ in size"));
        }
        let tile = decode_at(meta, *tile, depth + 1)?;
        let (left, top) = (
            at % grid.columns * tile_width,
            at / grid.columns * tile_height,
        );
        imageops::replace(&mut picture, &tile, left.into(), top.into());
    }
    Ok(picture)
}

fn grid(data: &[u8]) -> Option<Grid> {
    let mut reader = Reader(data);
    let _version = reader.u8()?;
    let side = if reader.u8()? & 1 == 0 { 2 } else { 4 };
    Some(Grid {
        rows: u32::from(reader.u8()?) + 1,
        columns: u32::from(reader.u8()?) + 1,
        width: reader.number(side)? as u32,
        height: reader.number(side)? as u32,
    })
}

/// Pictures one upon the other on a ground of one colour.
fn overlay(
    meta: &Meta<'_>,
    id: Id,
    (width, height): (u32, u32),
    depth: u32,
) -> Result<RgbImage, DecodeError> {
    let data = meta.data(id)?;
    let layers = meta.linked(id, *b"dimg");
    let mut reader = Reader(&data);
    let (color, size, places) = ground(&mut reader, layers.len())
        .ok_or_else(|| damaged("the places of its layers are cut off"))?;
    if size != (width, height) {
        return Err(damaged("its layers are of another size than it says"));
    }
    let mut picture = RgbImage::from_pixel(width, height, color);
    for (layer, (left, top)) in layers.iter().zip(places) {
        let colors = decode_at(meta, *layer, depth + 1)?;
        match meta.opacity(*layer) {
            None => imageops::replace(&mut picture, &colors, left.into(), top.into()),
            Some(opacity) => {
                let opacity = decode_at(meta, opacity, depth + 1)?;
                blend(&mut picture, &colors, &opacity, (left, top));
            }
        }
    }
    Ok(picture)
}

type Ground = (Rgb<u8>, (u32, u32), Vec<(i32, i32)>);

fn ground(reader: &mut Reader<'_>, layers: usize) -> Option<Ground> {
    let _version = reader.u8()?;
    let len = if reader.u8()? & 1 == 0 { 2 } else { 4 };
    let mut channel = || Some((reader.u16()? >> 8) as u8);
    let color = Rgb([channel()?, channel()?, channel()?]);
    let _opacity = channel()?;
    let size = (reader.number(len)? as u32, reader.number(len)? as u32);
    let mut shift = || {
        let number = reader.number(len)? as u32;
        let number = number.cast_signed();
        Some(if len == 2 {
            i32::from(number as i16)
        } else {
            number
        })
    };
    let all = (0..layers)
        .map(|_| Some((shift()?, shift()?)))
        .collect::<Option<_>>()?;
    Some((color, size, all))
}

/// Lays a picture upon another. Beyond the end of its opacity it does not show.
fn blend(ground: &mut RgbImage, colors: &RgbImage, opacity: &RgbImage, (left, top): (i32, i32)) {
    for (x, y, color) in colors.enumerate_pixels() {
        let at = (
            i64::from(left) + i64::from(x),
            i64::from(top) + i64::from(y),
        );
        let (Ok(to_x), Ok(to_y)) = (u32::try_from(at.0), u32::try_from(at.1)) else {
            continue;
        };
        let (Some(below), Some(Rgb([opacity, ..]))) = (
            ground.get_pixel_mut_checked(to_x, to_y),
            opacity.get_pixel_checked(x, y),
        ) else {
            continue;
        };
        let opacity = u32::from(*opacity);
        for (below, above) in below.0.iter_mut().zip(color.0) {
            let mixed = u32::from(above) * opacity + u32::from(*below) * (255 - opacity);
            *below = ((mixed + 127) / 255) as u8;
        }
    }
}

/// The colours before they were darkened by their transparency.
fn undo_opacity(mut picture: RgbImage, opacity: &RgbImage) -> RgbImage {
    for (x, y, color) in picture.enumerate_pixels_mut() {
        let opacity = opacity
            .get_pixel_checked(x, y)
            .map_or(0, |pixel| u32::from(pixel.0[0]));
        for channel in &mut color.0 {
            let full = (u32::from(*channel) * 255 + opacity / 2).checked_div(opacity);
            *channel = full.map_or(0, |full| full.min(255) as u8);
        }
    }
    picture
}

/// Most bytes that it takes to decode the primary picture.
pub(super) fn need(meta: &Meta<'_>) -> u64 {
    let id = meta.primary();
    let shown = stored_size(meta, id).map_or(0, pixels);
    let opacity = hiding(meta, id).map_or(0, |opacity| 3 * shown + need_at(meta, opacity, 0));
    need_at(meta, id, 0).max(opacity)
}

fn need_at(meta: &Meta<'_>, id: Id, depth: u32) -> u64 {
    let (Ok(stored), Ok(kind)) = (stored_size(meta, id), meta.kind(id)) else {
        return 0;
    };
    if depth > MOST_DEPTH {
        return 0;
    }
    let pixels = pixels(stored);
    let data = meta.data(id).map_or(0, |data| data.len() as u64);
    let parts = || meta.linked(id, *b"dimg").iter();
    let largest = |parts: &mut dyn Iterator<Item = &Id>| {
        parts
            .map(|part| need_at(meta, *part, depth + 1))
            .max()
            .unwrap_or(0)
    };
    let decoding = match &kind {
        b"grid" => 3 * pixels + largest(&mut parts()),
        b"iovl" => {
            let layers = parts().copied();
            let all: Vec<Id> = layers
                .flat_map(|id| [Some(id), meta.opacity(id)])
                .flatten()
                .collect();
            3 * pixels + 2 * largest(&mut all.iter())
        }
        b"iden" => largest(&mut parts()),
        _ => codec(meta, id, kind).map_or(0, |(codec, _)| codec.need(stored)) + 4 * data,
    };
    let turned = 3 * pixels;
    decoding.max(2 * turned)
}
