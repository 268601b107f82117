//! The table of picture formats: how each is called, recognised, handed to browsers and decoded.

pub(crate) mod raw;
pub(crate) mod tiff;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use image::ImageFormat;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A format of picture files that pixdex reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Photos, nearly all.
    Jpeg,
    /// Drawings and screenshots.
    Png,
    /// Pictures made for the web.
    WebP,
    /// Drawings of few colours, and films, of which the first picture counts.
    Gif,
    /// Pixels as they are.
    Bmp,
    /// Scans, and photos on their way through programs.
    Tiff,
    /// What a camera's sensor saw, in a file of its maker's, with a JPEG for looking at.
    Raw,
}

/// All that distinguishes a format.
struct Row {
    /// As it is stored and typed.
    name: &'static str,
    /// What file names end with, in lower case. The name is one of them.
    endings: &'static [&'static str],
    /// Whether a file that begins like this is of the format.
    is_start: fn(&[u8]) -> bool,
    media_type: &'static str,
    is_shown_by_browsers: bool,
    decoder: ImageFormat,
}

impl Format {
    /// Every format, in the order in which people are told of them.
    pub const ALL: [Format; 7] = [
        Format::Jpeg,
        Format::Png,
        Format::WebP,
        Format::Gif,
        Format::Bmp,
        Format::Tiff,
        Format::Raw,
    ];

    const fn row(self) -> Row {
        match self {
            Format::Jpeg => Row {
                name: "jpeg",
                endings: &["jpg", "jpeg", "jpe", "jfif"],
                is_start: |bytes| bytes.starts_with(b"\xFF\xD8\xFF"),
                media_type: "image/jpeg",
                is_shown_by_browsers: true,
                decoder: ImageFormat::Jpeg,
            },
            Format::Png => Row {
                name: "png",
                endings: &["png"],
                is_start: |bytes| bytes.starts_with(b"\x89PNG\r\n\x1A\n"),
                media_type: "image/png",
                is_shown_by_browsers: true,
                decoder: ImageFormat::Png,
            },
            Format::WebP => Row {
                name: "webp",
                endings: &["webp"],
                is_start: |bytes| bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"),
                media_type: "image/webp",
                is_shown_by_browsers: true,
                decoder: ImageFormat::WebP,
            },
            Format::Gif => Row {
                name: "gif",
                endings: &["gif"],
                is_start: |bytes| bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a"),
                media_type: "image/gif",
                is_shown_by_browsers: true,
                decoder: ImageFormat::Gif,
            },
            Format::Bmp => Row {
                name: "bmp",
                endings: &["bmp"],
                is_start: |bytes| bytes.starts_with(b"BM"),
                media_type: "image/bmp",
                is_shown_by_browsers: true,
                decoder: ImageFormat::Bmp,
            },
            Format::Tiff => Row {
                name: "tiff",
                endings: &["tif", "tiff"],
                is_start: |bytes| {
                    let is_big = bytes.starts_with(b"II+\0") || bytes.starts_with(b"MM\0+");
                    is_big || raw::is_plain_start(bytes) && !raw::is_raw(bytes)
                },
                media_type: "image/tiff",
                is_shown_by_browsers: false,
                decoder: ImageFormat::Tiff,
            },
            Format::Raw => Row {
                name: "raw",
                endings: &[
                    "raw", "cr2", "cr3", "crw", "nef", "nrw", "arw", "srf", "sr2", "dng", "raf",
                    "rw2", "rwl", "orf", "pef", "srw", "3fr", "fff", "iiq", "mos", "mef", "mrw",
                    "erf", "kdc", "dcr", "x3f", "gpr",
                ],
                is_start: raw::is_raw,
                media_type: "image/x-dcraw",
                is_shown_by_browsers: false,
                decoder: ImageFormat::Jpeg,
            },
        }
    }

    /// As it is stored and typed, in lower case.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The format of a file, by the ending of its name; none where it is no picture that is read.
    pub fn of_path(path: &Path) -> Option<Format> {
        path.extension()?.to_str()?.parse().ok()
    }

    /// The format of a file, by its first bytes.
    pub fn of_bytes(bytes: &[u8]) -> Option<Format> {
        let mut all = Format::ALL.into_iter();
        all.find(|format| (format.row().is_start)(bytes))
    }

    /// What HTTP calls it.
    pub fn media_type(self) -> &'static str {
        self.row().media_type
    }

    /// Whether browsers show such a file as it is.
    pub fn is_shown_by_browsers(self) -> bool {
        self.row().is_shown_by_browsers
    }

    /// Which decoder reads it.
    pub(crate) fn decoder(self) -> ImageFormat {
        self.row().decoder
    }
}

/// The names of all formats as a part of a sentence, `last` before the last of them.
pub(crate) fn names(last: &str) -> String {
    let [others @ .., end] = Format::ALL.map(Format::name);
    format!("{} {last} {end}", others.join(", "))
}

/// A text that names no format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a picture format; known are {known}", known = names("and"))]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    /// By name or by any ending, in either case.
    fn from_str(text: &str) -> Result<Format, UnknownFormat> {
        let lower = text.to_lowercase();
        let mut all = Format::ALL.into_iter();
        all.find(|format| format.row().endings.contains(&lower.as_str()))
            .ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Format, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_endings_mean_their_format_in_either_case() {
        for format in Format::ALL {
            assert!(format.row().endings.contains(&format.name()), "{format}");
            for ending in format.row().endings {
                assert_eq!(ending.parse(), Ok(format));
                assert_eq!(ending.to_uppercase().parse(), Ok(format));
                let path = format!("a.b/c.{}", ending.to_uppercase());
                assert_eq!(Format::of_path(Path::new(&path)), Some(format));
            }
        }
        assert_eq!(Format::of_path(Path::new("jpg")), None);
        assert_eq!(
            "psd".parse::<Format>().unwrap_err().to_string(),
            "`psd` is not a picture format; known are jpeg, png, webp, gif, bmp, tiff and raw"
        );
    }

    /// What libraries of earlier versions hold: the names of another crate, in lower case.
    #[test]
    fn names_are_what_was_always_stored() {
        for format in Format::ALL {
            // A camera's file is called what it is; its preview is what is decoded.
            if format == Format::Raw {
                continue;
            }
            let stored = format!("{:?}", format.decoder()).to_lowercase();
            assert_eq!(format.to_string(), stored);
            let json = serde_json::to_string(&format).unwrap();
            assert_eq!(json, format!("\"{stored}\""));
            assert_eq!(serde_json::from_str::<Format>(&json).unwrap(), format);
        }
    }

    #[test]
    fn a_file_is_recognised_by_its_first_bytes() {
        let starts: [(&[u8], Format); 8] = [
            (b"\xFF\xD8\xFF\xE0", Format::Jpeg),
            (b"\x89PNG\r\n\x1A\n", Format::Png),
            (b"RIFF\0\0\0\0WEBPVP8", Format::WebP),
            (b"GIF87a", Format::Gif),
            (b"GIF89a", Format::Gif),
            (b"BM", Format::Bmp),
            (b"II*\0", Format::Tiff),
            (b"MM\0*", Format::Tiff),
        ];
        for (bytes, format) in starts {
            assert_eq!(Format::of_bytes(bytes), Some(format));
            assert_eq!(image::guess_format(bytes).unwrap(), format.decoder());
            assert_eq!(Format::of_bytes(&bytes[..1]), None);
        }
        assert_eq!(Format::of_bytes(b"RIFF\0\0\0\0WAVE"), None);
    }
}
