//! Videos of every sort that is read, and what is left of them when parts are missing.

use std::io::Cursor;

use super::*;

const LIMITS: DecodeConfig = DecodeConfig {
    max_pixels: 1_000_000,
    max_file_bytes: 1 << 20,
    memory_bytes: 0,
    max_frames: 16,
    ffmpeg: String::new(),
};

/// A red disc, from 4 s on a blue one, from 8 s on black: see `tests/fixtures/videos/make.py`.
macro_rules! video {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("../../../tests/fixtures/videos/", $name)) as &[u8],
        )
    };
}

const ALL: [(&str, &[u8]); 6] = [
    video!("h264.mp4"),
    video!("turned.mov"),
    video!("pieces.mp4"),
    video!("hevc.mkv"),
    video!("av1.webm"),
    video!("live.webm"),
];

fn open(bytes: &[u8]) -> Result<(Description, Video), DecodeError> {
    open_video(&mut Cursor::new(bytes), bytes.len() as u64, &LIMITS)
}

/// Times of the frames that are looked at with the colour in the middle of each: red, blue or black.
fn seen(bytes: &[u8]) -> Result<Vec<(u64, char)>, DecodeError> {
    let (description, video) = open(bytes)?;
    let Metadata { width, height, .. } = description.metadata;
    let frames = video.moments(16).into_iter().map(|moment| {
        let frame = video.frame(&mut Cursor::new(bytes), &moment)?;
        assert_eq!(frame.dimensions(), (width, height));
        let [red, _, blue] = frame.get_pixel(width / 2, height / 2).0;
        let color = match (red > 150, blue > 150) {
            (true, false) => 'r',
            (false, true) => 'b',
            _ => '0',
        };
        Ok((moment.time_ms(), color))
    });
    frames.collect()
}

#[test]
fn frames_lie_where_every_sort_of_container_says() {
    for (name, bytes) in ALL {
        // What nobody finished does not know its cues nor its length; pieces begin with what waits for frames that need it.
        let expected = match name {
            "live.webm" => [(2000, 'r'), (4000, 'b'), (8000, '0')],
            "pieces.mp4" => [(2400, 'r'), (6400, 'b'), (10_400, '0')],
            _ => [(2000, 'r'), (6000, 'b'), (10_000, '0')],
        };
        assert_eq!(seen(bytes).unwrap(), expected, "{name}");
        let (description, video) = open(bytes).unwrap();
        assert_eq!(video.moments(1).len(), 1);
        assert!(video.is_decodable() && video.need(&video.moments(1)[0]) > 192 * 108 * 3);
        let length = description.metadata.duration_ms.unwrap();
        let known = if name == "live.webm" { 10_000 } else { 12_000 };
        assert_eq!(length, known, "{name}");
    }
}

#[test]
fn what_a_container_says_is_read() {
    for name in ["h264.mp4", "hevc.mkv"] {
        let (_, bytes) = ALL.into_iter().find(|video| video.0 == name).unwrap();
        let (Description { metadata, .. }, video) = open(bytes).unwrap();
        assert_eq!(metadata.taken_at.as_deref(), Some("2021-07-03T18:30:05"));
        assert_eq!(metadata.utc_offset_minutes, Some(0), "{name}");
        assert_eq!(metadata.title.as_deref(), Some("Discs"), "{name}");
        if name == "h264.mp4" {
            let place = (metadata.latitude.unwrap(), metadata.longitude.unwrap());
            assert!((place.0 - 48.8577).abs() < 1e-4 && (place.1 - 2.295).abs() < 1e-4);
        }
        assert!(video.values().iter().any(|value| value.text == "Discs"));
    }
    let (_, turned) = ALL[1];
    let (Description { metadata, .. }, video) = open(turned).unwrap();
    assert_eq!((metadata.width, metadata.height), (108, 192));
    let (width, height, turn) = video.stored();
    assert_eq!((width, height), (192, 108));
    assert_eq!(turn.to_string(), "a quarter clockwise");
}

#[test]
fn what_is_not_decoded_here_is_refused_by_its_name_and_read_all_the_same() {
    let (_, bytes) = video!("vp9.webm");
    let (description, video) = open(bytes).unwrap();
    assert_eq!((video.codec(), video.is_decodable()), ("VP9", false));
    assert_eq!(description.metadata.duration_ms, Some(12_000));
    let moment = video.moments(1)[0];
    let error = video.frame(&mut Cursor::new(bytes), &moment).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("VP9") && error.contains("decode.ffmpeg"),
        "{error}"
    );
}

#[test]
fn a_video_larger_than_the_limit_is_refused_before_a_frame_is_read() {
    let limits = DecodeConfig {
        max_pixels: 20_000,
        ..LIMITS
    };
    for (name, bytes) in ALL {
        let len = bytes.len() as u64;
        let error = open_video(&mut Cursor::new(bytes), len, &limits).unwrap_err();
        assert!(matches!(error, DecodeError::TooManyPixels { .. }), "{name}");
    }
}

/// Those whose frames are decoded in no time: where checks are built in, the decoder of AV1 makes one for each block.
fn cheap() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    ALL.into_iter().filter(|(name, _)| !name.ends_with("webm"))
}

/// Whatever is cut off: an answer or a reason, and never a frame of another picture.
#[test]
fn a_video_that_is_cut_off_gives_what_it_has_or_a_reason() {
    for (name, bytes) in cheap() {
        let mut given = 0;
        for len in (0..bytes.len()).step_by(173) {
            match seen(&bytes[..len]) {
                Ok(frames) => {
                    given += usize::from(!frames.is_empty());
                    let right = |(time, color): &(u64, char)| match time {
                        0..=3999 => *color == 'r',
                        4000..=7999 => *color == 'b',
                        _ => *color == '0',
                    };
                    assert!(frames.iter().all(right), "{name} {len}: {frames:?}");
                }
                Err(error) => assert!(!matches!(error, DecodeError::Panicked), "{name} {len}"),
            }
        }
        // Only what is written so that it can be cut anywhere is of use then.
        assert!(given > 0 || name != "pieces.mp4", "{name}");
    }
}

/// Every byte wrong, one after the other: no panic, no endless walk.
#[test]
fn damage_anywhere_ends_in_an_answer_or_a_reason() {
    for (name, bytes) in ALL {
        let mut bytes = bytes.to_vec();
        let len = bytes.len();
        // Tables stand at the start and at the end.
        for at in (0..len.min(1200))
            .chain(len.saturating_sub(1200)..len)
            .step_by(29)
        {
            for wrong in [0, 0xFF] {
                let right = std::mem::replace(&mut bytes[at], wrong);
                if let Ok((_, video)) = open(&bytes) {
                    let moments = video.moments(2).into_iter();
                    for moment in moments.filter(|_| cheap().any(|(cheap, _)| cheap == name)) {
                        let frame = video.frame(&mut Cursor::new(&bytes), &moment);
                        assert!(!matches!(frame, Err(DecodeError::Panicked)), "{name} {at}");
                    }
                }
                bytes[at] = right;
            }
        }
    }
}

/// As systems are: they do not go where no file reaches.
struct Strict<'a>(Cursor<&'a [u8]>);

impl Read for Strict<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(to)
    }
}

impl Seek for Strict<'_> {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        match to {
            std::io::SeekFrom::Start(at) if at > 1 << 40 => {
                Err(std::io::ErrorKind::InvalidInput.into())
            }
            to => self.0.seek(to),
        }
    }
}

#[test]
fn places_that_no_file_has_are_not_gone_to() {
    let (_, bytes) = ALL[0];
    let far = [bytes, &[0, 0, 0, 1], b"free", &[0x7F; 8]].concat();
    let len = far.len() as u64;
    let (_, video) = open_video(&mut Strict(Cursor::new(&far)), len, &LIMITS).unwrap();
    assert_eq!(video.moments(3).len(), 3);
}

/// The bytes with those of the first `from` replaced.
fn with(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = memchr::memmem::find(bytes, from).unwrap();
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn key_frames_are_found_where_tables_are_of_little_use() {
    // All that cues tell of is another track.
    let (_, matroska) = ALL[3];
    let mut others = matroska.to_vec();
    let mut places = Vec::new();
    places.extend(memchr::memmem::find_iter(matroska, &[0xF7, 0x81, 1]));
    assert!(places.len() > 2);
    for at in &places {
        others[at + 2] = 9;
    }
    assert_eq!(seen(&others).unwrap(), seen(matroska).unwrap());
    // The first of the list of key frames is none.
    let (_, mp4) = ALL[0];
    let at = memchr::memmem::find(mp4, b"stss").unwrap();
    let list = &mp4[at..at + 16];
    let odd = with(mp4, list, &[&list[..12], &[0; 4]].concat());
    let times: Vec<u64> = seen(&odd).unwrap().iter().map(|frame| frame.0).collect();
    assert_eq!(times, [2000, 6000, 10_000]);
}

#[test]
fn the_end_of_a_recording_that_was_interrupted_costs_the_end_alone() {
    let (_, bytes) = ALL[2];
    let last = memchr::memmem::rfind(bytes, b"moof").unwrap();
    let cut = seen(&bytes[..last + 20]).unwrap();
    assert!(cut.len() > 1 && cut[0] == (2400, 'r'), "{cut:?}");
}
