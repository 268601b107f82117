//! Any bytes as a picture: it is refused, or decoded in the size that it said, and within the memory that it was said to need.

use libfuzzer_sys::Corpus;
use pixdex::config::DecodeConfig;
use pixdex::decode;
use pixdex::formats::Format;

use crate::counting::most;

/// Large enough for what a decoder takes beside the picture to show, and small enough to be done thousands of times.
pub const LIMITS: DecodeConfig = DecodeConfig {
    max_pixels: 200_000,
    max_file_bytes: 1 << 20,
    memory_bytes: 0,
    max_frames: 4,
    ffmpeg: String::new(),
};

/// Looks at files of this format only.
pub fn check(bytes: &[u8], format: Format) -> Corpus {
    if Format::of_bytes(bytes) != Some(format) {
        return Corpus::Reject;
    }
    let (opened, taken) = most(|| decode::open(bytes, &LIMITS));
    let said = decode::need_to_open(bytes);
    assert!(taken <= said, "to open: {taken} bytes and not {said}");
    let Ok((description, encoded)) = opened else {
        return Corpus::Keep;
    };
    let metadata = description.metadata;
    for side in [1, 20] {
        if let Some(said) = encoded.need_shrunk(side) {
            let (shrunk, taken) = most(|| encoded.shrunk(side));
            assert!(taken <= said, "shrunk: {taken} bytes and not {said}");
            let short = shrunk.map(|pixels| pixels.width().min(pixels.height()));
            assert!(short.is_none_or(|short| short >= side));
        }
    }
    let said = encoded.need();
    let (decoded, taken) = most(|| encoded.whole());
    assert!(taken <= said, "whole: {taken} bytes and not {said}");
    if let Ok(pixels) = decoded {
        assert_eq!(pixels.dimensions(), (metadata.width, metadata.height));
    }
    Corpus::Keep
}
