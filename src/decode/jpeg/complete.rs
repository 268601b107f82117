//! Whether the file of a JPEG is there to its end.

/// Whether a JPEG reaches its end-of-image marker.
///
/// The decoder fills what is missing with grey and reports success, so a half-copied file would be indexed as it is.
/// Walks the markers as ITU T.81 Annex B lays them out, so that the end marker of an embedded thumbnail does not count.
pub(in crate::decode) fn is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let (Some(0xFF), Some(&marker)) = (bytes.get(at).copied(), bytes.get(at + 1)) {
        at += match marker {
            0xD9 => return true,
            0xFF => 1,
            0x01 | 0xD0..=0xD8 => 2,
            _ => match bytes.get(at + 2..at + 4) {
                Some(length) => 2 + usize::from(u16::from_be_bytes([length[0], length[1]])),
                None => return false,
            },
        };
        if marker == 0xDA {
            at = match end_of_scan(bytes, at) {
                Some(end) => end,
                None => return false,
            };
        }
    }
    false
}

/// The next marker after entropy-coded data, in which 0xFF is followed by 0x00 or a restart marker.
fn end_of_scan(bytes: &[u8], from: usize) -> Option<usize> {
    let scan = bytes.get(from..)?;
    let offset = memchr::memchr_iter(0xFF, scan)
        .find(|&at| !matches!(scan.get(at + 1), None | Some(0x00 | 0xD0..=0xD7 | 0xFF)))?;
    Some(from + offset)
}
