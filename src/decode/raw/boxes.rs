//! Canon's CR3: boxes, some of which hold JPEGs, and others what the camera says.

use memchr::memmem;

use super::previews::Previews;

/// Most boxes in one other, and most pictures.
const MOST: usize = 256;

/// Most bytes in front of the JPEG in a box for one.
const MOST_NUMBERS: usize = 64;

/// Canon's box in `moov`, that of its middle preview, and that of the XMP packet.
pub(super) const CANON: &[u8] = b"\x85\xC0\xB6\x87\x82\x0F\x11\xE0\x81\x11\xF4\xCE\x46\x2B\x6A\x48";
pub(super) const PREVIEW: &[u8] =
    b"\xEA\xF4\x2B\x5E\x1C\x98\x4B\x88\xB9\xFB\xB7\xDC\x40\x6E\x4D\x16";
pub(super) const XMP: &[u8] = b"\xBE\x7A\xCF\xCB\x97\xA9\x42\xE8\x9C\x71\x99\x94\x91\xE3\xAF\xAC";

/// What a CR3 says about its picture: whole TIFF structures, whose first directories are what EXIF spreads over three, and
/// the XMP packet.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    /// Camera and orientation.
    pub(super) main: Option<&'a [u8]>,
    /// What EXIF has of its own.
    pub(super) exif: Option<&'a [u8]>,
    /// The place.
    pub(super) gps: Option<&'a [u8]>,
    pub(super) xmp: Option<&'a [u8]>,
}

/// Boxes one after the other.
struct Boxes<'a>(&'a [u8]);

/// A box, so far as it is there.
struct Found<'a> {
    kind: [u8; 4],
    body: &'a [u8],
    is_whole: bool,
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        let (size, rest) = self.0.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let (length, rest) = match u32::from_be_bytes(*size) {
            // To the end of all.
            0 => (rest.len() as u64, rest),
            1 => {
                let (size, rest) = rest.split_first_chunk()?;
                (u64::from_be_bytes(*size).checked_sub(16)?, rest)
            }
            size => (u64::from(size).checked_sub(8)?, rest),
        };
        let there = rest
            .len()
            .min(usize::try_from(length).unwrap_or(usize::MAX));
        let (body, behind) = rest.split_at_checked(there)?;
        self.0 = behind;
        Some(Found {
            kind: *kind,
            body,
            is_whole: there as u64 == length,
        })
    }
}

/// The first box of a kind.
fn find(bytes: &[u8], wanted: [u8; 4]) -> Option<&[u8]> {
    let mut boxes = Boxes(bytes).take(MOST);
    let found = boxes.find(|found| found.kind == wanted)?;
    Some(found.body)
}

/// Finds the previews, and what is said.
pub(super) fn read<'a>(bytes: &'a [u8], previews: &mut Previews<'a>) -> Said<'a> {
    let mut said = Said::default();
    for Found {
        kind,
        body,
        is_whole,
    } in Boxes(bytes).take(MOST)
    {
        if !is_whole {
            previews.add_missing(usize::MAX);
        }
        match &kind {
            b"moov" => read_moov(body, previews, &mut said),
            b"uuid" => match body.split_at_checked(PREVIEW.len()) {
                Some((PREVIEW, body)) => previews.add(jpeg_in(body)),
                Some((XMP, body)) => said.xmp = Some(body),
                _ => {}
            },
            _ => {}
        }
    }
    said
}

fn read_moov<'a>(moov: &'a [u8], previews: &mut Previews<'a>, said: &mut Said<'a>) {
    for Found { kind, body, .. } in Boxes(moov).take(MOST) {
        match &kind {
            b"trak" => previews.add_at(place_of_picture(body)),
            b"uuid" => {
                let Some(body) = body.strip_prefix(CANON) else {
                    continue;
                };
                previews.add(find(body, *b"THMB").and_then(jpeg_in));
                said.main = find(body, *b"CMT1");
                said.exif = find(body, *b"CMT2");
                said.gps = find(body, *b"CMT4");
            }
            _ => {}
        }
    }
}

/// The JPEG behind some numbers, of which there are more or fewer.
fn jpeg_in(bytes: &[u8]) -> Option<&[u8]> {
    let numbers = bytes.get(..MOST_NUMBERS).unwrap_or(bytes);
    bytes.get(memmem::find(numbers, b"\xFF\xD8\xFF")?..)
}

/// Where the only picture of a track begins, and how long it is.
fn place_of_picture(trak: &[u8]) -> Option<(u64, u64)> {
    let path = [*b"mdia", *b"minf", *b"stbl"];
    let table = path.into_iter().try_fold(trak, find)?;
    // Versions and flags stand first in each; then a size for all or 0, and how many sizes follow.
    let sizes = find(table, *b"stsz")?;
    let size = match u32_at(sizes, 4)? {
        0 => u32_at(sizes, 12)?,
        size => size,
    };
    let at = match find(table, *b"co64") {
        Some(places) => u64::from_be_bytes(*places.get(8..)?.first_chunk()?),
        None => u32_at(find(table, *b"stco")?, 8)?.into(),
    };
    Some((at, size.into()))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|bytes| u32::from_be_bytes(*bytes))
}
