//! Any bytes as a video: it is refused, or its frames are decoded in the size that it said, and within the memory that it was
//! said to need.

use std::io::Cursor;

use libfuzzer_sys::Corpus;
use pixdex::decode;
use pixdex::formats::Format;

use crate::counting::most;
use crate::picture::LIMITS;

/// Looks at files of these formats only.
pub fn check(bytes: &[u8], formats: [Format; 2]) -> Corpus {
    if !Format::of_bytes(bytes).is_some_and(|format| formats.contains(&format)) {
        return Corpus::Reject;
    }
    let len = bytes.len() as u64;
    let open = || decode::open_video(&mut Cursor::new(bytes), len, &LIMITS);
    let (opened, taken) = most(open);
    let said = decode::need_to_open_video(len);
    assert!(taken <= said, "to open: {taken} bytes and not {said}");
    let Ok((description, video)) = opened else {
        return Corpus::Keep;
    };
    for moment in video.moments(2) {
        let (frame, taken) = most(|| video.frame(&mut Cursor::new(bytes), &moment));
        let said = video.need(&moment);
        assert!(taken <= said, "a frame: {taken} bytes and not {said}");
        if let Ok(frame) = frame {
            let metadata = &description.metadata;
            assert_eq!(frame.dimensions(), (metadata.width, metadata.height));
        }
    }
    Corpus::Keep
}
