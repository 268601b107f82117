//! What decoding a WebP takes beside the picture: known from the file's parts, of which it looks at the first of each kind.

mod codes;
mod lossless;

/// The longest part of a lossy stream, which is taken before it is read.
const PARTITION: u64 = 1 << 24;

/// Copies of the file's bytes.
const COPIES: u64 = 4;

/// Most bytes for a picture of this size: by what comes first, `VP8 ` is lossy, `VP8L` lossless, `VP8X` has transparency or is a film.
pub(super) fn need(bytes: &[u8], size: (u32, u32)) -> u64 {
    let pixels = u64::from(size.0) * u64::from(size.1);
    let planes = |pixels: u64, bytes: u64| bytes * (pixels + (1 << 20));
    let rest = bytes.get(12..).unwrap_or_default();
    let Some(Chunk { kind, data, .. }) = chunks(rest).next() else {
        return 0;
    };
    let streams = match kind {
        // Brightness, and colours halved both ways.
        b"VP8 " => planes(pixels, 2) + PARTITION,
        b"VP8L" => planes(pixels, 5) + lossless::need(data, size),
        _ => {
            const IS_FILM: u8 = 2;
            let is_film = data.first().is_some_and(|flags| flags & IS_FILM != 0);
            // The canvas, a frame of it, its transparency and that before it is unfolded.
            let canvas = planes(pixels, if is_film { 15 } else { 8 });
            canvas + of_parts(rest, size)
        }
    };
    streams + COPIES * bytes.len() as u64
}

/// What the parts of a picture take, and those of its first frame: each says a size of its own, or takes room for its codes.
fn of_parts(bytes: &[u8], canvas: (u32, u32)) -> u64 {
    let frame = first(bytes, *b"ANMF").and_then(|data| Some((data.get(16..)?, frame_size(data)?)));
    // One that stands out over the edge is refused before it is read.
    let frame = frame.filter(|(_, size)| size.0 <= canvas.0 && size.1 <= canvas.1);
    let frame = frame.map_or(0, |(parts, size)| of_streams(parts, size));
    of_streams(bytes, canvas) + frame
}

fn of_streams(bytes: &[u8], size: (u32, u32)) -> u64 {
    let lossy = [first(bytes, *b"VP8 "), behind_opacity(bytes)];
    let of_lossy = |data| PARTITION + 2 * lossy_pixels(data);
    let lossy = lossy.into_iter().flatten().map(of_lossy).max();
    let lossless = first(bytes, *b"VP8L").map_or(0, |data| lossless::need(data, size));
    let opacity = match first(bytes, *b"ALPH") {
        Some([how, stream @ ..]) if how & 3 == 1 => lossless::need_of_opacity(stream, size),
        _ => 0,
    };
    lossy.unwrap_or(0) + lossless + opacity
}

fn first(bytes: &[u8], kind: [u8; 4]) -> Option<&[u8]> {
    let chunk = chunks(bytes).find(|chunk| *chunk.kind == kind);
    chunk.map(|chunk| chunk.data)
}

/// In a frame, what follows its opacity is taken for a lossy stream, whatever it is called.
fn behind_opacity(frame: &[u8]) -> Option<&[u8]> {
    let mut chunks = chunks(frame);
    let is_opacity = chunks.next()?.kind == b"ALPH";
    chunks.next().filter(|_| is_opacity).map(|chunk| chunk.data)
}

/// Bytes of metadata that are not there, and for which there is room all the same when they are read.
pub(super) fn missing_metadata(bytes: &[u8]) -> u64 {
    let parts = bytes.get(12..).unwrap_or_default();
    let frame = first(parts, *b"ANMF").and_then(|frame| frame.get(16..));
    let all = chunks(parts).chain(chunks(frame.unwrap_or_default()));
    let metadata = all.filter(|chunk| [b"EXIF", b"XMP ", b"ICCP"].contains(&chunk.kind));
    metadata
        .map(|chunk| (chunk.length - chunk.data.len()) as u64)
        .sum()
}

/// The pixels that a lossy stream says it has, in whole blocks.
fn lossy_pixels(data: &[u8]) -> u64 {
    let side = |at: usize| {
        let bytes = data.get(at..at + 2).unwrap_or_default();
        let side = bytes
            .iter()
            .rev()
            .fold(0, |side, byte| side << 8 | u64::from(*byte));
        (side & 0x3FFF).next_multiple_of(16)
    };
    side(6) * side(8)
}

/// Width and height of a frame: each less one, in three bytes.
fn frame_size(frame: &[u8]) -> Option<(u32, u32)> {
    let side = |at: usize| {
        let bytes = frame.get(at..at + 3)?.iter().rev();
        Some(bytes.fold(0, |side, byte| side << 8 | u32::from(*byte)) + 1)
    };
    Some((side(6)?, side(9)?))
}

/// A part of a file.
struct Chunk<'a> {
    kind: &'a [u8; 4],
    /// As far as it is there.
    data: &'a [u8],
    /// As long as it says it is.
    length: usize,
}

fn chunks(mut bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    std::iter::from_fn(move || {
        let (kind, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = u32::from_le_bytes(*length) as usize;
        let data = &rest[..length.min(rest.len())];
        bytes = rest.get(length.next_multiple_of(2)..).unwrap_or_default();
        Some(Chunk { kind, data, length })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u32).to_le_bytes();
        [&kind[..], &length, data, &vec![0; data.len() % 2]].concat()
    }

    /// A film of this size whose first frame says to be as large as can be; its pixels take no bits at all.
    fn film(parts: &[u8]) -> Vec<u8> {
        let frame = [&[0; 6][..], &[0xFF; 6], &[0; 4], parts].concat();
        let header = chunk(*b"VP8X", &[2, 0, 0, 0, 8, 0, 0, 8, 0, 0]);
        [b"RIFF\0\0\0\0WEBP", &header[..], &chunk(*b"ANMF", &frame)].concat()
    }

    #[test]
    fn what_is_larger_than_the_picture_is_not_passed_over() {
        // No transform, no cache, sets by part; in the picture that says which, no cache, and five codes of one symbol.
        let stream = [0b1000_0100, 0b1000_1000, 0b1000_1000, 0];
        let opacity = chunk(*b"ALPH", &[&[1][..], &stream].concat());
        let header = [0x2F, 0xFF, 0xFF, 0xFF, 0x0F];
        let lossless = chunk(*b"VP8L", &[&header[..], &stream].concat());
        // Where it is passed over, this takes minutes.
        for parts in [&opacity, &lossless] {
            let still = [&film(b"")[..30], parts].concat();
            assert!(need(&film(parts), (9, 9)) < 1 << 30);
            assert!(need(&still, (9, 9)) < 1 << 30);
        }
        let small = lossless::need_of_opacity(&stream, (9, 9));
        assert!((1..100_000).contains(&small), "{small}");
    }
}
