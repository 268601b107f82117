//! RAW files: what the sensor saw is left alone, and the largest preview that the camera put beside it is looked at.
//!
//! Makers differ in where they put it, and in little else. Containers are walked over bytes that are never believed: depths,
//! counts and offsets have bounds, and nothing is copied but what the container says about its picture.

mod stream;

mod pieces;

mod plain;

mod previews;

mod directories;

mod boxes;

mod said;

mod scan;

mod opened;

#[cfg(test)]
mod tests;

use super::DecodeError;
use super::parts::Parts;
use crate::formats::raw::is_dng;
use crate::formats::tiff::Structure;

use previews::{Preview, Previews};
use said::Said;

pub(super) use opened::{decode, need_to_decode, need_to_open, open, orientation, parts};

/// Entries of the first directory: an XMP packet, resources of Photoshop and data sets of IPTC.
const XMP: u16 = 0x02BC;
const IPTC: [u16; 2] = [0x8649, 0x83BB];

/// A RAW file, but for what the sensor saw.
#[derive(Debug)]
struct Raw<'a> {
    /// The largest picture in it.
    preview: Preview<'a>,
    /// What the container says; the preview may say more.
    parts: Parts<'a>,
}

/// Finds the preview, and what is said about it.
fn read(bytes: &[u8]) -> Result<Raw<'_>, DecodeError> {
    let mut previews = Previews::of(bytes);
    let mut parts = Parts::default();
    let said = match bytes {
        [b'F', b'U', b'J', b'I', ..] => {
            previews.add_at(place_in_raf(bytes));
            None
        }
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => {
            let boxes = boxes::read(bytes, &mut previews);
            parts.xmp.extend(boxes.xmp.map(Into::into));
            boxes
                .main
                .and_then(|main| Said::of_three(main, boxes.exif, boxes.gps))
        }
        [0, b'M', b'R', b'M', ..] => structure_in_mrw(bytes).and_then(|found| Said::of(&found)),
        // Sigma's, and the first of Canon's.
        [b'F', b'O', b'V', b'b', ..] | [b'I', b'I', 0x1A, ..] => None,
        _ => Structure::of(bytes).and_then(|structure| {
            directories::read(&structure, &mut previews);
            Said::of(&structure)
        }),
    };
    // Only Adobe's format says all that is in it, and what looks like a JPEG there may be of the sensor.
    let says_all = Structure::of(bytes).is_some_and(|structure| is_dng(&structure));
    if !says_all && previews.are_short() {
        scan::run(&mut previews);
    }
    if let Some(said) = &said {
        parts.exif.push(said.to_structure().into());
        parts.xmp.extend(said.value(XMP).map(Into::into));
        let iptc = IPTC.into_iter().filter_map(|tag| said.value(tag));
        parts.iptc.extend(iptc.map(Into::into));
    }
    Ok(Raw {
        preview: previews.largest()?,
        parts,
    })
}

/// Offset and length in numbers of Fuji's.
fn place_in_raf(bytes: &[u8]) -> Option<(u64, u64)> {
    let number = |at: usize| {
        let bytes = bytes.get(at..)?.first_chunk()?;
        Some(u64::from(u32::from_be_bytes(*bytes)))
    };
    Some((number(84)?, number(88)?))
}

/// Minolta's file is blocks, the first of which holds the others; one of them is a structure.
fn structure_in_mrw(bytes: &[u8]) -> Option<Structure<'_>> {
    const MOST_BLOCKS: usize = 64;
    let mut rest = bytes.get(8..)?;
    for _ in 0..MOST_BLOCKS {
        let (name, body) = rest.split_first_chunk::<4>()?;
        let (length, body) = body.split_first_chunk()?;
        let (block, behind) = body.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        if name == b"\0TTW" {
            return Structure::of(block);
        }
        rest = behind;
    }
    None
}
