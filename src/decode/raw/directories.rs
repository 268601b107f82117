//! Previews that the directories of a TIFF structure point to.

use super::pieces::{Pieces, Places};
use super::plain::Plain;
use super::previews::Previews;
use crate::formats::raw::is_of_a_sensor;
use crate::formats::tiff::{Directory, Structure};

const SUBFILE: u16 = 0x00FE;
const WIDTH: u16 = 0x0100;
const HEIGHT: u16 = 0x0101;
const COMPRESSION: u16 = 0x0103;
const PHOTOMETRIC: u16 = 0x0106;
const ROWS_IN_STRIP: u16 = 0x0116;
const TILE_WIDTH: u16 = 0x0142;
const TILE_HEIGHT: u16 = 0x0143;

/// Offsets and lengths of strips, and of tiles.
const STRIPS: (u16, u16) = (0x0111, 0x0117);
const TILES: (u16, u16) = (0x0144, 0x0145);

/// Offset and length of a JPEG.
const JPEG: (u16, u16) = (0x0201, 0x0202);

/// Entries of Panasonic's that are whole JPEGs.
const PANASONIC: [u16; 2] = [0x002E, 0x0127];

/// Finds what is a preview, and what a sensor saw.
pub(super) fn read<'a>(structure: &Structure<'a>, previews: &mut Previews<'a>) {
    let directories = structure.directories();
    for directory in &directories {
        let place = |(at, length)| {
            let place: (u32, u32) = (directory.number(at)?, directory.number(length)?);
            Some((place.0.into(), place.1.into()))
        };
        previews.add_at(place(JPEG));
        for tag in PANASONIC {
            previews.add(directory.entry(tag).map(|entry| entry.value));
        }
        add_strips_or_tiles(directory, previews);
    }
    let is_any_lost = directories.iter().any(|directory| {
        let is_jpeg_lost = PANASONIC.iter().any(|tag| directory.has_lost(*tag));
        is_jpeg_lost || directory.has_lost_directories()
    });
    if is_any_lost {
        previews.add_missing(usize::MAX);
    }
    // Without it nobody knows how the picture is to be turned.
    if structure.has_lost_first() {
        previews.are_cut = true;
    }
}

fn add_strips_or_tiles<'a>(directory: &Directory<'a>, previews: &mut Previews<'a>) {
    let file = previews.file();
    let entries = |(offsets, lengths)| {
        let entries = (directory.entry(offsets)?, directory.entry(lengths)?);
        Some(Places::new(file, entries.0, entries.1))
    };
    let size = sides(directory, WIDTH, HEIGHT);
    let (places, piece) = match (entries(TILES), entries(STRIPS)) {
        (Some(tiles), _) => (tiles, sides(directory, TILE_WIDTH, TILE_HEIGHT)),
        (None, Some(strips)) => {
            let rows = directory.number(ROWS_IN_STRIP).unwrap_or(u32::MAX);
            (
                strips,
                size.map(|(width, height)| (width, rows.clamp(1, height))),
            )
        }
        (None, None) => return,
    };
    if is_of_a_sensor(directory) {
        let ends = places.each().map(|(at, length)| at.saturating_add(length));
        let start = places.each().map(|(at, _)| at).min();
        if let (Some(start), Some(end)) = (start, ends.max()) {
            previews.add_sensor(start..end);
        }
        return;
    }
    if !is_picture(directory) {
        return;
    }
    match (directory.number(COMPRESSION), directory.number(PHOTOMETRIC)) {
        (Some(6 | 7 | 99 | 34_892), _) => add_jpegs(directory, places, piece, previews),
        (None | Some(1), Some(2)) => {
            let plain = size.and_then(|size| Plain::of(directory, places, size));
            if let Some(plain) = plain {
                previews.add_plain(plain);
            }
        }
        _ => {}
    }
}

/// Whether it is neither a mask, which says what is sky and what skin, nor a map of depths.
fn is_picture(directory: &Directory<'_>) -> bool {
    // Of less detail, and another one of those.
    const PREVIEWS: u32 = 0x0001_0001;
    let is_preview = directory.number(SUBFILE).unwrap_or(0) & !PREVIEWS == 0;
    // Brightness; red, green and blue; brightness and colour.
    is_preview && matches!(directory.number(PHOTOMETRIC), None | Some(1 | 2 | 6))
}

/// Two sides; a JPEG has no longer ones.
fn sides(directory: &Directory<'_>, width: u16, height: u16) -> Option<(u32, u32)> {
    let sides = (directory.number(width)?, directory.number(height)?);
    let is_side = |side| (1..=u16::MAX.into()).contains(&side);
    (is_side(sides.0) && is_side(sides.1)).then_some(sides)
}

/// One JPEG, whatever strips it stands in; else a JPEG for each.
fn add_jpegs<'a>(
    directory: &Directory<'a>,
    places: Places<'a>,
    piece: Option<(u32, u32)>,
    previews: &mut Previews<'a>,
) {
    let whole = one_behind_the_other(&places);
    let file = previews.file();
    let starts = places.each().filter(|(at, _)| is_start(file, *at)).count();
    // Colours that no segment tells of are told of by the directory.
    let is_rgb =
        directory.number(COMPRESSION) == Some(7) && directory.number(PHOTOMETRIC) == Some(2);
    if starts > 1 || is_rgb {
        let size = sides(directory, WIDTH, HEIGHT);
        let pieces = size
            .zip(piece)
            .and_then(|(size, piece)| Pieces::of(directory, places, size, piece));
        if let Some(pieces) = pieces {
            return previews.add_pieces(pieces);
        }
    }
    if starts <= 1 {
        previews.add_at(whole);
    }
}

fn is_start(file: &[u8], at: usize) -> bool {
    file.get(at..)
        .is_some_and(|rest| rest.starts_with(b"\xFF\xD8"))
}

/// Offset and length of all together.
fn one_behind_the_other(places: &Places<'_>) -> Option<(u64, u64)> {
    let mut each = places.each().map(|(at, length)| (at as u64, length as u64));
    let first = each.next()?;
    each.try_fold(first, |(start, sum), (at, length)| {
        (at == start + sum).then_some((start, sum + length))
    })
}
