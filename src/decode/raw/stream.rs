//! JPEGs inside other files: how large their pictures are, and where they end.

/// Most segments in front of the size of a picture.
const MOST_SEGMENTS: usize = 512;

/// Width and height where a JPEG begins here that shows a picture: eight bits, and not without loss, which is how cameras
/// pack what their sensors saw.
pub(super) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.strip_prefix(b"\xFF\xD8")?;
    for _ in 0..MOST_SEGMENTS {
        let (marker, body) = segment(rest)?;
        match marker {
            0xC0..=0xC2 => return size_of_frame(body),
            0xC4 | 0xC8 | 0xCC | 0xDB | 0xDD | 0xE0..=0xEF | 0xFE | 0x01 => {}
            _ => return None,
        }
        rest = body.get(length(marker, body)?..)?;
    }
    None
}

/// Whether a JPEG begins here, so far as there is anything.
pub(super) fn may_be_start(bytes: &[u8]) -> bool {
    b"\xFF\xD8\xFF"
        .iter()
        .zip(bytes)
        .all(|(expected, byte)| byte == expected)
}

fn size_of_frame(body: &[u8]) -> Option<(u32, u32)> {
    let [_, _, 8, h, height, w, width, ..] = *body else {
        return None;
    };
    let size = [[w, width], [h, height]].map(|side| u32::from(u16::from_be_bytes(side)));
    (!size.contains(&0)).then_some((size[0], size[1]))
}

/// The marker that stands here, and what stands behind it. It may be filled up with more of its first byte.
fn segment(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let mut rest = bytes.strip_prefix(b"\xFF")?;
    while let [0xFF, filled @ ..] = rest {
        rest = filled;
    }
    rest.split_first().map(|(marker, body)| (*marker, body))
}

/// How many bytes behind a marker belong to it.
fn length(marker: u8, body: &[u8]) -> Option<usize> {
    match marker {
        0x01 | 0xD0..=0xD8 => Some(0),
        _ => body
            .first_chunk()
            .map(|length| u16::from_be_bytes(*length).into()),
    }
}

/// Whether a segment with this marker stands in front of the pixels.
pub(super) fn has_segment(bytes: &[u8], wanted: u8) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let Some((marker, body)) = segment(rest) {
        if marker == wanted {
            return true;
        }
        let behind = length(marker, body).and_then(|length| body.get(length..));
        let Some(behind) = behind.filter(|_| marker != 0xDA) else {
            break;
        };
        rest = behind;
    }
    false
}

/// How many bytes a JPEG takes that begins here, up to and with its end marker.
pub(super) fn end(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes.strip_prefix(b"\xFF\xD8")?;
    loop {
        let (marker, body) = segment(rest)?;
        if marker == 0xD9 {
            return Some(bytes.len() - body.len());
        }
        rest = body.get(length(marker, body)?..)?;
        if marker == 0xDA {
            rest = behind_scan(rest)?;
        }
    }
}

/// From the next marker on that is none of those which stand among the pixels.
fn behind_scan(bytes: &[u8]) -> Option<&[u8]> {
    let is_marker =
        |at: &usize| !matches!(bytes.get(at + 1), None | Some(0x00 | 0xD0..=0xD7 | 0xFF));
    bytes.get(memchr::memchr_iter(0xFF, bytes).find(is_marker)?..)
}
