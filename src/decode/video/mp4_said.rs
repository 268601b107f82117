//! What MP4 and `QuickTime` say about a film: texts in its user data, in lists of Apple's, and in the forms of 3GP.

use super::super::boxes::{self, Reader};
use super::told::{MOST_NAME_BYTES, MOST_VALUES, Told};

/// Reads what the box of all tables says.
pub(super) fn read(moov: &[u8], created_s: u64, told: &mut Told) {
    told.add_created_1904(created_s);
    let content = |kind| boxes::find(moov, kind).map(|found| found.content);
    if let Some(meta) = content(*b"meta") {
        read_meta(meta, told);
    }
    let Some(udta) = content(*b"udta") else {
        return;
    };
    for found in boxes::boxes(udta) {
        match &found.kind {
            b"meta" => read_meta(found.content, told),
            b"XMP_" if told.wants_xmp(found.content.len() as u64) => {
                told.add_xmp(found.content.to_vec());
            }
            b"loci" => drop(read_place(found.content, told)),
            b"titl" | b"keyw" => drop(read_3gp(found.kind, found.content, told)),
            [0xA9, ..] => drop(read_text(found.kind, found.content, told)),
            _ => {}
        }
    }
}

/// What a box is called whose name may begin with the sign of copyright, in the encoding of the Macintosh.
fn name(kind: [u8; 4]) -> String {
    kind.iter()
        .map(|byte| {
            if *byte == 0xA9 {
                '©'
            } else {
                char::from(*byte)
            }
        })
        .collect()
}

/// Behind its length and its language.
fn read_text(kind: [u8; 4], content: &[u8], told: &mut Told) -> Option<()> {
    let mut reader = Reader(content);
    let len = reader.u16()?;
    reader.u16()?;
    let text = reader.take(usize::from(len).min(reader.0.len()))?;
    told.add(&name(kind), &String::from_utf8_lossy(text));
    Some(())
}

/// 3GPP TS 26.244, 8: behind version and language; keywords behind their number, each with its length.
fn read_3gp(kind: [u8; 4], content: &[u8], told: &mut Told) -> Option<()> {
    let mut reader = Reader(content);
    reader.take(6)?;
    if kind == *b"titl" {
        told.add("©nam", &text_3gp(reader.0));
        return Some(());
    }
    let mut words = Vec::new();
    for _ in 0..reader.u8()? {
        let len = reader.u8()?;
        words.push(text_3gp(reader.take(len.into())?));
    }
    told.add("keyw", &words.join(","));
    Some(())
}

/// UTF-8, or UTF-16 with a mark before it.
fn text_3gp(bytes: &[u8]) -> String {
    match bytes {
        [0xFE, 0xFF, rest @ ..] => crate::charset::utf16(rest, false),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Longitude first, in 16 bits before the point and as many behind it, after a name that ends with a zero.
fn read_place(content: &[u8], told: &mut Told) -> Option<()> {
    let mut reader = Reader(content);
    reader.take(6)?;
    let is_wide = reader.0.starts_with(&[0xFE, 0xFF]);
    let end = if is_wide {
        2 * reader
            .0
            .as_chunks::<2>()
            .0
            .iter()
            .position(|pair| *pair == [0, 0])?
            + 2
    } else {
        reader.0.iter().position(|byte| *byte == 0)? + 1
    };
    reader.take(end + 1)?;
    let degrees = |fixed: i32| f64::from(fixed) / 65_536.0;
    let (longitude, latitude) = (degrees(reader.i32()?), degrees(reader.i32()?));
    told.add("loci", &format!("{latitude:+}{longitude:+}/"));
    Some(())
}

/// Lists of values by names: those of `QuickTime` have their names in a list beside, those of iTunes are named by their boxes.
fn read_meta(meta: &[u8], told: &mut Told) {
    // With a version in MP4, without one in QuickTime.
    let is_list = |bytes: &&[u8]| boxes::find(bytes, *b"ilst").is_some();
    let later = meta.get(4..).unwrap_or_default();
    let Some(meta) = [later, meta].into_iter().find(is_list) else {
        return;
    };
    let keys = boxes::find(meta, *b"keys").map(|found| keys(found.content));
    let Some(list) = boxes::find(meta, *b"ilst") else {
        return;
    };
    for item in boxes::boxes(list.content) {
        let Some(data) = boxes::find(item.content, *b"data") else {
            continue;
        };
        let number = u32::from_be_bytes(item.kind);
        let place = usize::try_from(number)
            .ok()
            .and_then(|at| at.checked_sub(1));
        let named = match &keys {
            Some(keys) => place.and_then(|at| keys.get(at).map(|key| String::from_utf8_lossy(key))),
            None => Some(name(item.kind).into()),
        };
        let mut reader = Reader(data.content);
        let (kind, _) = (reader.u32(), reader.u32());
        if let (Some(named), Some(UTF_8)) = (named, kind) {
            told.add(&named, &String::from_utf8_lossy(reader.0));
        }
    }
}

/// The kind of a value that is a text.
const UTF_8: u32 = 1;

/// Names of values, in order.
fn keys(content: &[u8]) -> Vec<&[u8]> {
    let entries = boxes::boxes(content.get(8..).unwrap_or_default());
    // One that is too long to be kept is not even looked at.
    let names = entries.map(|entry| entry.content);
    let names = names.map(|name| name.get(..MOST_NAME_BYTES + 1).unwrap_or(name));
    names.take(MOST_VALUES).collect()
}
