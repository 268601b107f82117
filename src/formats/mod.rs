//! The table of picture formats: how each is called, recognised, handed to browsers and decoded.

pub(crate) mod raw;
pub(crate) mod tiff;
mod video;

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use image::ImageFormat;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
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
    /// Photos of phones, in HEVC.
    Heic,
    /// Pictures made for the web, in AV1.
    Avif,
    /// JPEG XL.
    Jxl,
    /// What a camera's sensor saw, in a file of its maker's, with a JPEG for looking at.
    Raw,
    /// Videos of phones and cameras, also in 3GP.
    Mp4,
    /// Videos of `QuickTime`, and of Apple's phones.
    Mov,
    /// Matroska.
    Mkv,
    /// Matroska for the web.
    Webm,
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
    /// Of the crate `image`; none where it reads no such files.
    decoder: Option<ImageFormat>,
}

impl Row {
    const fn of_video(
        name: &'static str,
        endings: &'static [&'static str],
        is_start: fn(&[u8]) -> bool,
        media_type: &'static str,
    ) -> Row {
        Row {
            name,
            endings,
            is_start,
            media_type,
            decoder: None,
        }
    }
}

impl Format {
    /// Every format, in the order in which people are told of them.
    pub const ALL: [Format; 14] = [
        Format::Jpeg,
        Format::Png,
        Format::WebP,
        Format::Gif,
        Format::Bmp,
        Format::Tiff,
        Format::Heic,
        Format::Avif,
        Format::Jxl,
        Format::Raw,
        Format::Mp4,
        Format::Mov,
        Format::Mkv,
        Format::Webm,
    ];

    const fn row(self) -> Row {
        match self {
            Format::Jpeg => Row {
                name: "jpeg",
                endings: &["jpg", "jpeg", "jpe", "jfif"],
                is_start: |bytes| bytes.starts_with(b"\xFF\xD8\xFF"),
                media_type: "image/jpeg",
                decoder: Some(ImageFormat::Jpeg),
            },
            Format::Png => Row {
                name: "png",
                endings: &["png"],
                is_start: |bytes| bytes.starts_with(b"\x89PNG\r\n\x1A\n"),
                media_type: "image/png",
                decoder: Some(ImageFormat::Png),
            },
            Format::WebP => Row {
                name: "webp",
                endings: &["webp"],
                is_start: |bytes| bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"),
                media_type: "image/webp",
                decoder: Some(ImageFormat::WebP),
            },
            Format::Gif => Row {
                name: "gif",
                endings: &["gif"],
                is_start: |bytes| bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a"),
                media_type: "image/gif",
                decoder: Some(ImageFormat::Gif),
            },
            Format::Bmp => Row {
                name: "bmp",
                endings: &["bmp"],
                is_start: |bytes| bytes.starts_with(b"BM"),
                media_type: "image/bmp",
                decoder: Some(ImageFormat::Bmp),
            },
            Format::Tiff => Row {
                name: "tiff",
                endings: &["tif", "tiff"],
                is_start: |bytes| {
                    let is_big = bytes.starts_with(b"II+\0") || bytes.starts_with(b"MM\0+");
                    is_big || raw::is_plain_start(bytes) && !raw::is_raw(bytes)
                },
                media_type: "image/tiff",
                decoder: Some(ImageFormat::Tiff),
            },
            Format::Heic => Row {
                name: "heic",
                endings: &["heic", "heif", "hif", "heics", "heifs"],
                is_start: |bytes| has_brand(bytes, HEIC_BRANDS) && !is_avif(bytes),
                media_type: "image/heic",
                decoder: None,
            },
            Format::Avif => Row {
                name: "avif",
                endings: &["avif", "avifs"],
                is_start: is_avif,
                media_type: "image/avif",
                decoder: None,
            },
            Format::Jxl => Row {
                name: "jxl",
                endings: &["jxl"],
                is_start: |bytes| {
                    bytes.starts_with(b"\xFF\x0A") || bytes.starts_with(b"\0\0\0\x0CJXL \r\n\x87\n")
                },
                media_type: "image/jxl",
                decoder: None,
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
                decoder: None,
            },
            Format::Mp4 => Row::of_video(
                "mp4",
                &["mp4", "m4v", "3gp", "3g2"],
                video::is_mp4,
                "video/mp4",
            ),
            Format::Mov => Row::of_video("mov", &["mov", "qt"], video::is_mov, "video/quicktime"),
            Format::Mkv => Row::of_video("mkv", &["mkv"], video::is_mkv, "video/x-matroska"),
            Format::Webm => Row::of_video("webm", &["webm"], video::is_webm, "video/webm"),
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

    /// Whether it is a video.
    pub fn is_video(self) -> bool {
        matches!(self, Format::Mp4 | Format::Mov | Format::Mkv | Format::Webm)
    }

    /// Which decoder of the crate `image` reads it; none where it is read otherwise.
    pub(crate) fn decoder(self) -> Option<ImageFormat> {
        self.row().decoder
    }
}

/// What files of HEIF say that they are; the last four do not tell the codec.
const HEIC_BRANDS: &[[u8; 4]] = &[
    *b"heic", *b"heix", *b"heim", *b"heis", *b"hevc", *b"hevx", *b"hevm", *b"hevs", *b"mif1",
    *b"mif2", *b"msf1", *b"miaf",
];

/// Pictures and films of pictures in AV1.
const AVIF_BRANDS: &[[u8; 4]] = &[*b"avif", *b"avis"];

/// Whether the `ftyp` box that a file begins with names one of these brands, first or among those that it is compatible with.
fn has_brand(bytes: &[u8], brands: &[[u8; 4]]) -> bool {
    let Some((len, rest)) = bytes.split_first_chunk() else {
        return false;
    };
    let end = (u32::from_be_bytes(*len) as usize).min(bytes.len());
    let content = bytes.get(8..end).unwrap_or_default();
    let (words, _) = content.as_chunks::<4>();
    // The second word is a version.
    let mut named = words.iter().take(1).chain(words.iter().skip(2));
    rest.starts_with(b"ftyp") && named.any(|brand| brands.contains(brand))
}

/// Some writers name none but those of HEIF in general; then the kind of the first coded picture tells.
fn is_avif(bytes: &[u8]) -> bool {
    let general = &HEIC_BRANDS[8..];
    let is_general = || has_brand(bytes, general) && !has_brand(bytes, &HEIC_BRANDS[..8]);
    let start = &bytes[..bytes.len().min(16_384)];
    let has_kind = |kind: &[u8]| memchr::memmem::find(start, kind).is_some();
    has_brand(bytes, AVIF_BRANDS) || (is_general() && has_kind(b"av01") && !has_kind(b"hvc1"))
}

/// The names of all formats as a part of a sentence, `last` before the last of them.
pub(crate) fn names(last: &str) -> String {
    let [others @ .., end] = Format::ALL.map(Format::name);
    format!("{} {last} {end}", others.join(", "))
}

/// A text that names no format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no format that is read; known are {known}", known = names("and"))]
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

/// One of a few names where it is told; where it is asked for, also whatever files of it end in.
impl JsonSchema for Format {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Format".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        if generator.contract().is_deserialize() {
            return json_schema!({ "type": "string", "examples": ["jpeg", "tif"] });
        }
        let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
        json_schema!({ "type": "string", "enum": names })
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
            "`psd` is no format that is read; known are jpeg, png, webp, gif, bmp, tiff, heic, avif, jxl, raw, mp4, mov, mkv and webm"
        );
    }

    /// What libraries of earlier versions hold: the names of another crate, in lower case.
    #[test]
    fn names_are_what_was_always_stored() {
        for format in Format::ALL {
            let theirs = format.decoder().map(|decoder| format!("{decoder:?}"));
            let stored = theirs
                .unwrap_or_else(|| format!("{format:?}"))
                .to_lowercase();
            assert_eq!(format.to_string(), stored);
            let json = serde_json::to_string(&format).unwrap();
            assert_eq!(json, format!("\"{stored}\""));
            assert_eq!(serde_json::from_str::<Format>(&json).unwrap(), format);
        }
    }

    #[test]
    fn a_file_is_recognised_by_its_first_bytes() {
        let starts: [(&[u8], Format); 15] = [
            (b"\xFF\xD8\xFF\xE0", Format::Jpeg),
            (b"\x89PNG\r\n\x1A\n", Format::Png),
            (b"RIFF\0\0\0\0WEBPVP8", Format::WebP),
            (b"GIF87a", Format::Gif),
            (b"GIF89a", Format::Gif),
            (b"BM", Format::Bmp),
            (b"II*\0", Format::Tiff),
            (b"MM\0*", Format::Tiff),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Format::Heic),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", Format::Heic),
            (b"\0\0\0\x10ftypmsf1\0\0\0\0", Format::Heic),
            (b"\0\0\0\x18ftypavif\0\0\0\0mif1miaf", Format::Avif),
            (b"\0\0\0\x18ftypmif1\0\0\0\0miafavif", Format::Avif),
            (b"\xFF\x0A\x01", Format::Jxl),
            (b"\0\0\0\x0CJXL \r\n\x87\n", Format::Jxl),
        ];
        for (bytes, format) in starts {
            assert_eq!(Format::of_bytes(bytes), Some(format));
            if let Some(decoder) = format.decoder() {
                assert_eq!(image::guess_format(bytes).unwrap(), decoder);
            }
            assert_eq!(Format::of_bytes(&bytes[..1]), None);
        }
        assert_eq!(Format::of_bytes(b"RIFF\0\0\0\0WAVE"), None);
        // Films begin with a box of that kind too.
        for brand in [b"isom", b"mp42", b"3gp4", b"M4V "] {
            let bytes = [&b"\0\0\0\x14ftyp"[..], brand, b"\0\0\0\0", brand, b"heic"].concat();
            assert_eq!(Format::of_bytes(&bytes), Some(Format::Mp4));
        }
        let starts: [(&[u8], Option<Format>); 9] = [
            (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", Some(Format::Mov)),
            (b"\0\0\0\x08wide\0\0\0\0mdat", Some(Format::Mov)),
            (b"\0\0\x10\0moov\0\0\0\x6Cmvhd", Some(Format::Mov)),
            (b"\0\0\0\x14ftypM4A \0\0\0\0M4A ", None),
            (
                b"\x1A\x45\xDF\xA3\x9F\x42\x86\x81\x01\x42\x82\x84webm",
                Some(Format::Webm),
            ),
            (
                b"\x1A\x45\xDF\xA3\xA3\x42\x82\x88matroska",
                Some(Format::Mkv),
            ),
            (b"\x1A\x45\xDF\xA3\xA3\x42\x82\x83abc", None),
            (b"\x1A\x45\xDF\xA3", None),
            (b"\0\0\0\x08trak", None),
        ];
        for (bytes, format) in starts {
            assert_eq!(Format::of_bytes(bytes), format, "{bytes:?}");
        }
    }

    #[test]
    fn a_file_of_heif_that_names_no_codec_is_told_by_its_first_picture() {
        let start = b"\0\0\0\x14ftypmif1\0\0\0\0miaf";
        let of = |rest: &[u8]| Format::of_bytes(&[start, rest].concat());
        assert_eq!(of(b"infe av01"), Some(Format::Avif));
        assert_eq!(of(b"infe hvc1"), Some(Format::Heic));
        assert_eq!(of(b""), Some(Format::Heic));
    }
}
