//! The chunks of a PNG, before its pixels and behind them.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::ZlibDecoder;

use super::keep;
use crate::charset;
use crate::decode::metadata::Moment;
use crate::decode::parts::Parts;

/// How much what is compressed may unfold to, all of it together. The rest is not read.
pub(in crate::decode) const MAX_UNFOLDED: u64 = 16 << 20;

/// Longer times are not read.
const MAX_TIME_BYTES: usize = 64;

/// The name of a text that is an XMP packet.
const XMP: &[u8] = b"XML:com.adobe.xmp";

/// What the names of texts begin with in which programs put what PNG had no chunk for.
const RAW_PROFILE: &[u8] = b"Raw profile type ";

/// How such a text begins that is neither EXIF nor anything else.
const XMP_IN_JPEG: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// The name of a text that tells when a picture was made.
const CREATED: &[u8] = b"creation time";

/// When the file says that its picture was made.
pub(super) fn taken(bytes: &[u8]) -> Option<Moment> {
    let mut chunks = Chunks(bytes.get(8..).unwrap_or_default());
    chunks.find_map(|(kind, data)| {
        let (name, text) = split_at_nul(data)?;
        let text = match kind {
            b"tEXt" => text,
            b"iTXt" => international(text).filter(|(is_folded, _)| !is_folded)?.1,
            _ => return None,
        };
        let is_it = name.eq_ignore_ascii_case(CREATED);
        is_it.then(|| Moment::parse(&charset::guessed(charset::start(text, MAX_TIME_BYTES))))?
    })
}

pub(super) fn parts(bytes: &[u8]) -> Parts<'_> {
    let mut reader = Reader {
        parts: Parts::default(),
        exif_in_texts: Vec::new(),
        profile_in_text: None,
        room: MAX_UNFOLDED,
    };
    for (kind, data) in Chunks(bytes.get(8..).unwrap_or_default()) {
        match kind {
            b"eXIf" => keep(&mut reader.parts.exif, data),
            b"tEXt" => reader.add_text(data),
            b"zTXt" => reader.add_compressed_text(data),
            b"iTXt" => reader.add_international_text(data),
            b"iCCP" => reader.add_profile(data),
            _ => {}
        }
    }
    let mut parts = reader.parts;
    for block in reader.exif_in_texts {
        keep(&mut parts.exif, block);
    }
    parts.icc = parts.icc.or(reader.profile_in_text);
    parts
}

/// Kinds and data of all chunks to the end. What breaks off counts as far as it goes.
struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = (&'a [u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        let data = rest.get(..length).unwrap_or(rest);
        let behind = length.checked_add(4)?;
        self.0 = rest.get(behind..).unwrap_or_default();
        (kind != b"IEND").then_some((kind, data))
    }
}

struct Reader<'a> {
    parts: Parts<'a>,
    /// What has a chunk of its own counts before what stands in a text.
    exif_in_texts: Vec<Cow<'a, [u8]>>,
    profile_in_text: Option<Cow<'a, [u8]>>,
    /// How much may still be unfolded.
    room: u64,
}

impl<'a> Reader<'a> {
    fn add_text(&mut self, data: &'a [u8]) {
        if let Some((name, text)) = split_at_nul(data) {
            self.add(name, text.into());
        }
    }

    /// A name, a NUL, the method, which is always the same, and the text.
    fn add_compressed_text(&mut self, data: &'a [u8]) {
        if let Some((name, [_, text @ ..])) = split_at_nul(data)
            && is_known(name)
        {
            let text = self.unfolded(text);
            self.add(name, text.into());
        }
    }

    fn add_international_text(&mut self, data: &'a [u8]) {
        let Some((name, rest)) = split_at_nul(data) else {
            return;
        };
        match international(rest) {
            Some((true, text)) if is_known(name) => {
                let text = self.unfolded(text);
                self.add(name, text.into());
            }
            Some((false, text)) => self.add(name, text.into()),
            _ => {}
        }
    }

    fn add_profile(&mut self, data: &'a [u8]) {
        if let Some((_, [_, profile @ ..])) = split_at_nul(data)
            && self.parts.icc.is_none()
        {
            self.parts.icc = Some(self.unfolded(profile).into());
        }
    }

    fn add(&mut self, name: &[u8], text: Cow<'a, [u8]>) {
        if name == XMP {
            keep(&mut self.parts.xmp, text);
        } else if let Some(kind) = name.strip_prefix(RAW_PROFILE) {
            let Some(data) = of_raw_profile(&text) else {
                return;
            };
            match kind.to_ascii_lowercase().as_slice() {
                b"exif" | b"app1" => match data.strip_prefix(XMP_IN_JPEG) {
                    Some(packet) => keep(&mut self.parts.xmp, packet.to_vec()),
                    None => keep(&mut self.exif_in_texts, data),
                },
                b"xmp" => keep(&mut self.parts.xmp, data),
                b"iptc" | b"8bim" => keep(&mut self.parts.iptc, data),
                b"icc" | b"icm" => self.profile_in_text = Some(data.into()),
                _ => {}
            }
        }
    }

    /// As much of it as is sound.
    fn unfolded(&mut self, data: &[u8]) -> Vec<u8> {
        let mut unfolded = Vec::new();
        // What comes before an error is kept.
        let _ = ZlibDecoder::new(data)
            .take(self.room)
            .read_to_end(&mut unfolded);
        self.room = self.room.saturating_sub(unfolded.len() as u64);
        unfolded
    }
}

/// Behind the name: whether and how it is compressed, a language, the name in it, and the text. Whether it is, and the text.
fn international(data: &[u8]) -> Option<(bool, &[u8])> {
    let [is_compressed, _, rest @ ..] = data else {
        return None;
    };
    let (_, rest) = split_at_nul(rest)?;
    let (_, text) = split_at_nul(rest)?;
    Some((*is_compressed != 0, text))
}

fn is_known(name: &[u8]) -> bool {
    name == XMP || name.starts_with(RAW_PROFILE)
}

fn split_at_nul(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(0, data)?;
    Some((data.get(..at)?, data.get(at + 1..)?))
}

/// A line that is empty, one with the kind, one with the length, and all bytes in hexadecimal digits.
fn of_raw_profile(text: &[u8]) -> Option<Vec<u8>> {
    let mut lines = text.trim_ascii_start().splitn(3, |byte| *byte == b'\n');
    let (_, _, digits) = (lines.next()?, lines.next()?, lines.next()?);
    let mut digits = digits
        .iter()
        .filter_map(|byte| (*byte as char).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len() / 2);
    while let (Some(high), Some(low)) = (digits.next(), digits.next()) {
        bytes.push((high << 4 | low) as u8);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn chunk(kind: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let data = parts.concat();
        [&(data.len() as u32).to_be_bytes()[..], kind, &data, b"sums"].concat()
    }

    fn png(chunks: &[Vec<u8>]) -> Vec<u8> {
        [b"\x89PNG\r\n\x1A\n".to_vec(), chunks.concat()].concat()
    }

    fn folded(data: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn raw_profile(kind: &str, data: &[u8]) -> Vec<u8> {
        let digits: Vec<String> = data.iter().map(|byte| format!("{byte:02x}")).collect();
        let lines: Vec<String> = digits.chunks(4).map(<[String]>::concat).collect();
        format!("\n{kind}\n{:8}\n{}\n", data.len(), lines.join("\n")).into_bytes()
    }

    #[test]
    fn chunks_are_read_before_the_pixels_and_behind_them() {
        let exif = folded(&raw_profile("exif", b"Exif\0\0II*\0old"));
        let app1 = raw_profile("APP1", &[XMP_IN_JPEG, b"<b/>"].concat());
        let bytes = png(&[
            chunk(b"IHDR", &[&[0; 13]]),
            chunk(b"zTXt", &[RAW_PROFILE, b"exif\0\0", &exif]),
            chunk(b"iCCP", &[b"name\0\0", &folded(b"profile")]),
            chunk(b"IDAT", &[b"pixels"]),
            chunk(b"eXIf", &[b"II*\0"]),
            chunk(b"iTXt", &[XMP, b"\0\0\0\0\0<a/>"]),
            chunk(b"tEXt", &[RAW_PROFILE, b"APP1\0", &app1]),
            chunk(b"iTXt", &[XMP, b"\0\x01\0en\0titre\0", &folded(b"<c/>")]),
            chunk(
                b"tEXt",
                &[RAW_PROFILE, b"iptc\0", &raw_profile("iptc", b"8BIM")],
            ),
            chunk(b"tEXt", &[b"Title\0no more"]),
            chunk(b"IEND", &[]),
            chunk(b"eXIf", &[b"II*\0behind the end"]),
        ]);
        let parts = parts(&bytes);
        assert_eq!(parts.exif, [&b"II*\0"[..], b"Exif\0\0II*\0old"]);
        assert_eq!(parts.xmp, [&b"<a/>"[..], b"<b/>", b"<c/>"]);
        assert_eq!(parts.iptc, [&b"8BIM"[..]]);
        assert_eq!(parts.icc.as_deref(), Some(&b"profile"[..]));
    }

    #[test]
    fn a_text_tells_when_the_picture_was_made() {
        let time = b"Wed, 01 May 2019 12:00:00 +0200";
        let expected = Moment::parse("2019-05-01T12:00:00+02:00");
        for made in [
            chunk(b"tEXt", &[b"Creation Time\0", time]),
            chunk(b"iTXt", &[b"creation time\0\0\0\0\0", time]),
        ] {
            assert_eq!(
                taken(&png(&[chunk(b"tEXt", &[b"Title\0x"]), made])),
                expected
            );
        }
        assert_eq!(taken(&png(&[chunk(b"tEXt", &[b"Title\0", time])])), None);
    }

    #[test]
    fn what_unfolds_has_an_end() {
        let bomb = folded(&vec![b' '; 2 * MAX_UNFOLDED as usize]);
        let text = |name: &[u8]| chunk(b"zTXt", &[name, b"\0\0", &bomb]);
        let bytes = png(&[text(XMP), text(XMP), text(b"unknown")]);
        let lengths = parts(&bytes).xmp;
        let lengths: Vec<usize> = lengths.iter().map(|packet| packet.len()).collect();
        assert_eq!(lengths, [MAX_UNFOLDED as usize, 0]);
    }

    #[test]
    fn a_file_that_breaks_off_has_said_what_stands_before() {
        let folded = folded(b"<a/>");
        let bytes = png(&[
            chunk(b"eXIf", &[b"II*\0"]),
            chunk(b"zTXt", &[XMP, b"\0\0", &folded]),
        ]);
        for cut in 0..bytes.len() {
            parts(&bytes[..cut]);
        }
        assert_eq!(parts(&bytes[..bytes.len() - 3]).xmp, [&b"<a/>"[..]]);
        let endless = [&bytes[..8], &[0xFF; 4], b"eXIfII*\0"].concat();
        assert_eq!(parts(&endless).exif, [&b"II*\0"[..]]);
    }
}
