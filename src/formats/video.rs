//! How videos are told by their first bytes.

/// What the first box of a file is called that is of `QuickTime` and does not say so: what MP4 has was taken from there.
const BOXES: [&[u8; 4]; 5] = [b"moov", b"mdat", b"wide", b"free", b"skip"];

/// Brands of files that are made of the same boxes and hold no video, or pictures in the first place.
const OTHERS: [&[u8; 4]; 3] = [b"crx ", b"M4A ", b"M4B "];

/// The name of a file's first box, and for `ftyp` the brand that it names first.
fn first_box(bytes: &[u8]) -> Option<(&[u8; 4], Option<&[u8; 4]>)> {
    let (_, rest) = bytes.split_first_chunk::<4>()?;
    let (name, rest) = rest.split_first_chunk::<4>()?;
    let brand = rest.first_chunk::<4>().filter(|_| name == b"ftyp");
    Some((name, brand))
}

/// A film of `QuickTime`, or a file of an older one, which had no name for itself.
pub(super) fn is_mov(bytes: &[u8]) -> bool {
    match first_box(bytes) {
        Some((_, Some(brand))) => brand == b"qt  ",
        Some((name, None)) => BOXES.contains(&name),
        None => false,
    }
}

/// Any other that names its brand; pictures that do are asked about before.
pub(super) fn is_mp4(bytes: &[u8]) -> bool {
    matches!(first_box(bytes), Some((_, Some(brand))) if brand != b"qt  " && !OTHERS.contains(&brand))
}

/// Whether a file of EBML says that it is of this kind.
fn is_ebml(bytes: &[u8], kind: &[u8]) -> bool {
    const MARK: &[u8] = b"\x1A\x45\xDF\xA3";
    /// The element that says it, by its number.
    const DOC_TYPE: &[u8] = b"\x42\x82";
    let start = &bytes[..bytes.len().min(64)];
    let told = memchr::memmem::find(start, DOC_TYPE).and_then(|at| start.get(at + 3..));
    start.starts_with(MARK) && told.is_some_and(|told| told.starts_with(kind))
}

pub(super) fn is_mkv(bytes: &[u8]) -> bool {
    is_ebml(bytes, b"matroska")
}

pub(super) fn is_webm(bytes: &[u8]) -> bool {
    is_ebml(bytes, b"webm")
}
