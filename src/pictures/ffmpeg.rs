//! Frames of videos that no decoder here reads, by the program `ffmpeg`, where its owner has said so.
//!
//! It gets the file that is open already, and no name; it may open no other, nor the network. Its time, memory and output are
//! bounded, and it is told which container it has before it, so that no file talks it into another.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use image::RgbImage;
use thiserror::Error;

use crate::child;
use crate::formats::Format;

/// The longest side of a frame that is asked for, in pixels: as much as any thumbnail shows.
const MOST_SIDE: u32 = 1280;

/// Memory for the program, in bytes: what it takes by itself, and for each pixel of the video, with the frames before this one
/// that it is made of.
const BASE_BYTES: u64 = 1 << 30;
const BYTES_PER_PIXEL: u64 = 64;

/// Bytes of what it says about an error that are told.
const MOST_SAID: u64 = 300;

/// Why the program gave no frame. The text is shown to people.
#[derive(Debug, Error)]
pub enum FfmpegError {
    /// It could not be started or watched.
    #[error("`{program}` (decode.ffmpeg) cannot be run: {source}")]
    Run {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It gave no frame of the size that was asked for.
    #[error("ffmpeg cannot decode it: {0}")]
    Refused(String),
    /// It did not end.
    #[error("ffmpeg did not end within {} s and was killed", .0.as_secs())]
    TooSlow(Duration),
}

/// Which frame is wanted, of a video of this container and size in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) format: Format,
    pub(super) size: (u32, u32),
    pub(super) time_ms: u64,
}

/// Bytes of memory that the program may take for a frame of this size.
pub(super) fn need((width, height): (u32, u32)) -> u64 {
    BASE_BYTES + BYTES_PER_PIXEL * u64::from(width) * u64::from(height)
}

/// The frame that is seen at a time, as it is stored: not turned, and no larger than it has to be.
pub(super) fn frame(
    program: &Path,
    file: &File,
    wanted: Wanted,
    limit: Duration,
) -> Result<RgbImage, FfmpegError> {
    let (width, height) = shown(wanted.size);
    let length = 3 * u64::from(width) * u64::from(height);
    let failed = |source| FfmpegError::Run {
        program: program.to_owned(),
        source,
    };
    let (mut pixels, mut said) = files().map_err(failed)?;
    let run = || {
        let mut command = bounded(program, need(wanted.size), length, limit);
        command
            .args(arguments(wanted, (width, height)))
            .stdin(file.try_clone()?)
            .stdout(pixels.try_clone()?)
            .stderr(said.try_clone()?);
        child::wait(child::spawn(&mut command)?, limit)
    };
    let status = run().map_err(failed)?.ok_or(FfmpegError::TooSlow(limit))?;
    if let Some(error) = cannot_run(status) {
        return Err(failed(error));
    }
    let mut bytes = Vec::new();
    pixels.rewind().map_err(failed)?;
    pixels
        .take(length + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let is_whole = status.success() && bytes.len() as u64 == length;
    let picture = is_whole.then(|| RgbImage::from_raw(width, height, bytes));
    picture.flatten().ok_or_else(|| {
        let mut text = Vec::new();
        let read = said
            .rewind()
            .and_then(|()| said.take(MOST_SAID).read_to_end(&mut text));
        let text = String::from_utf8_lossy(&text);
        let reason = match text.trim() {
            "" => status.to_string(),
            text => text.to_owned(),
        };
        read.map_or_else(failed, |_| FfmpegError::Refused(reason))
    })
}

/// Where its pixels and its complaints go: files rather than pipes, so that nobody waits for anybody.
fn files() -> io::Result<(File, File)> {
    Ok((tempfile::tempfile()?, tempfile::tempfile()?))
}

/// The size at which a frame is asked for.
fn shown((width, height): (u32, u32)) -> (u32, u32) {
    let longer = f64::from(width.max(height).max(1));
    let scale = (f64::from(MOST_SIDE) / longer).min(1.0);
    let scaled = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    (scaled(width), scaled(height))
}

fn arguments(wanted: Wanted, (width, height): (u32, u32)) -> Vec<String> {
    let container = match wanted.format {
        Format::Mkv | Format::Webm => "matroska",
        _ => "mov",
    };
    let time = format!("{}.{:03}", wanted.time_ms / 1000, wanted.time_ms % 1000);
    let scale = format!("scale={width}:{height}");
    [
        "-v",
        "error",
        "-nostdin",
        "-threads",
        "1",
        "-noautorotate",
        "-protocol_whitelist",
        "file",
        "-f",
        container,
        "-ss",
        &time,
        "-i",
        "file:/dev/stdin",
        "-map",
        "0:v:0",
        "-frames:v",
        "1",
        "-vf",
        &scale,
        "-pix_fmt",
        "rgb24",
        "-f",
        "rawvideo",
        "pipe:1",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Sets bounds for itself and becomes the program: whatever that starts has them too. Not every system knows all of them.
const BOUNDED: &str =
    "ulimit -c 0; ulimit -t $0; ulimit -f $1; ulimit -v $2 2>/dev/null; shift 2; exec \"$@\"";

/// The program with bounds on what it may take: bytes of memory and of output, and time of the processor.
fn bounded(program: &Path, memory_bytes: u64, output_bytes: u64, limit: Duration) -> Command {
    const BLOCK_BYTES: u64 = 512;
    const KIB: u64 = 1024;
    let blocks = (output_bytes + MOST_SAID).div_ceil(BLOCK_BYTES) + 1;
    let bounds = [limit.as_secs() + 1, blocks, memory_bytes / KIB];
    let mut command = Command::new("sh");
    command.arg("-c").arg(BOUNDED);
    command
        .args(bounds.map(|bound| bound.to_string()))
        .arg(program);
    command
}

/// What a shell ends with where there is no such program, or none that may be run.
fn cannot_run(status: ExitStatus) -> Option<io::Error> {
    match status.code()? {
        127 => Some(io::ErrorKind::NotFound.into()),
        126 => Some(io::ErrorKind::PermissionDenied.into()),
        _ => None,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const WANTED: Wanted = Wanted {
        format: Format::Mkv,
        size: (4, 2),
        time_ms: 1500,
    };

    /// What becomes of a frame where this script is the program.
    fn by(script: &str, limit: Duration) -> Result<RgbImage, FfmpegError> {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("ffmpeg");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let video = folder.path().join("video");
        std::fs::write(&video, "123456789012345678901234").unwrap();
        frame(&program, &File::open(video).unwrap(), WANTED, limit)
    }

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn a_frame_is_what_the_program_writes_of_the_file_that_is_open() {
        let picture = by("cat", LONG).unwrap();
        assert_eq!((picture.width(), picture.height()), (4, 2));
        assert_eq!(picture.get_pixel(1, 0).0, *b"456");
        let told = by("echo $* >&2; exit 1", LONG).unwrap_err().to_string();
        for argument in [
            "-f matroska -ss 1.500",
            "scale=4:2",
            "-protocol_whitelist file",
        ] {
            assert!(told.contains(argument), "{told}");
        }
    }

    #[test]
    fn what_is_no_frame_of_the_size_asked_for_is_refused() {
        for (script, reason) in [
            ("exit 3", "exit status: 3"),
            ("echo no such codec >&2; exit 1", "no such codec"),
            ("head -c 23", "exit status: 0"),
            ("cat; echo more", "exit status: 0"),
        ] {
            let told = by(script, LONG).unwrap_err().to_string();
            assert!(told.contains(reason), "{script}: {told}");
        }
        let slow = by("sleep 1000 & sleep 1000", Duration::from_millis(100)).unwrap_err();
        assert!(matches!(slow, FfmpegError::TooSlow(_)), "{slow}");
        let file = tempfile::tempfile().unwrap();
        let missing = frame(Path::new("/no/such/ffmpeg"), &file, WANTED, LONG).unwrap_err();
        assert!(missing.to_string().contains("/no/such/ffmpeg"), "{missing}");
    }

    #[test]
    fn it_takes_no_more_than_it_is_given() {
        // More output than a frame has, by what it starts itself.
        let told = by("yes & wait $!; ls -l /proc/self/fd/1 >&2; exit 9", LONG);
        let told = told.unwrap_err().to_string();
        assert!(!told.contains("killed"), "{told}");
    }

    #[test]
    fn large_frames_are_asked_for_smaller() {
        assert_eq!(shown((3840, 2160)), (1280, 720));
        assert_eq!(shown((100, 9)), (100, 9));
        assert_eq!(shown((100_000, 1)), (1280, 1));
    }
}
