//! The previews that a RAW file was found to hold, and the largest of them.

use std::cmp::Reverse;
use std::mem;
use std::ops::Range;

use super::pieces::Pieces;
use super::plain::Plain;
use super::stream;
use crate::decode::DecodeError;
use crate::formats::tiff::LONGEST;

/// Most that are looked at, and most JPEGs whose ends are searched for: a search may run through the whole file.
const MOST: usize = 512;
const MOST_SEARCHED: usize = 16;

/// Where the short side of the largest is shorter, there may be a larger one that nothing points to.
const SHORT: u32 = 1_000;

/// What of a RAW file can be decoded here.
#[derive(Debug)]
pub(super) enum Preview<'a> {
    /// A whole JPEG.
    Jpeg(&'a [u8]),
    /// JPEGs that are strips or tiles of one picture.
    Pieces(Pieces<'a>),
    /// Pixels as they are; a thumbnail, as a rule.
    Plain(Plain<'a>),
}

/// All that was found in one file.
#[derive(Debug)]
pub(super) struct Previews<'a> {
    file: &'a [u8],
    found: Vec<Found<'a>>,
    plain: Option<Plain<'a>>,
    /// Where what the sensor saw stands.
    sensor: Vec<Range<usize>>,
    /// The most bytes that one was said to take which is not there.
    missing: usize,
    /// Whether something is missing that no preview makes up for.
    pub(super) are_cut: bool,
}

#[derive(Debug)]
struct Found<'a> {
    width: u32,
    height: u32,
    kind: Kind<'a>,
}

#[derive(Debug)]
enum Kind<'a> {
    /// All from its beginning on, and how much of that it was said to take.
    Jpeg(&'a [u8], usize),
    Pieces(Pieces<'a>),
}

impl Found<'_> {
    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

impl<'a> Previews<'a> {
    pub(super) fn of(file: &'a [u8]) -> Previews<'a> {
        Previews {
            file,
            found: Vec::new(),
            plain: None,
            sensor: Vec::new(),
            missing: 0,
            are_cut: false,
        }
    }

    pub(super) fn file(&self) -> &'a [u8] {
        self.file
    }

    /// A JPEG, if it is one.
    pub(super) fn add(&mut self, bytes: Option<&'a [u8]>) {
        if let Some(bytes) = bytes {
            self.add_jpeg(bytes, bytes.len());
        }
    }

    /// What is said to be a JPEG of so many bytes at a place of the file.
    pub(super) fn add_at(&mut self, place: Option<(u64, u64)>) {
        let Some((at, length)) = place.filter(|(at, length)| *at > 0 && *length > 0) else {
            return;
        };
        let end = at.saturating_add(length);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let rest = usize::try_from(at).ok().and_then(|at| self.file.get(at..));
        let rest = rest.unwrap_or_default();
        if stream::size(rest).is_some() {
            self.add_jpeg(rest, length);
        } else if (self.file.len() as u64..LONGEST as u64).contains(&end)
            && stream::may_be_start(rest)
        {
            self.add_missing(length);
        }
    }

    /// That one of so many bytes lies behind the end of the file.
    pub(super) fn add_missing(&mut self, length: usize) {
        self.missing = self.missing.max(length);
    }

    fn add_jpeg(&mut self, rest: &'a [u8], length: usize) {
        if let Some((width, height)) = stream::size(rest) {
            self.push(width, height, Kind::Jpeg(rest, length));
        }
    }

    pub(super) fn add_pieces(&mut self, pieces: Pieces<'a>) {
        let (width, height) = pieces.size();
        self.push(width, height, Kind::Pieces(pieces));
    }

    fn push(&mut self, width: u32, height: u32, kind: Kind<'a>) {
        if self.found.len() < MOST {
            self.found.push(Found {
                width,
                height,
                kind,
            });
        }
    }

    /// The largest stays.
    pub(super) fn add_plain(&mut self, plain: Plain<'a>) {
        if self
            .plain
            .as_ref()
            .is_none_or(|best| best.pixels() < plain.pixels())
        {
            self.plain = Some(plain);
        }
    }

    pub(super) fn add_sensor(&mut self, range: Range<usize>) {
        self.sensor.push(range);
    }

    /// Where what the sensor saw stands that covers this place.
    pub(super) fn sensor_at(&self, at: usize) -> Option<&Range<usize>> {
        self.sensor.iter().find(|range| range.contains(&at))
    }

    /// Whether there may be larger ones than were found.
    pub(super) fn are_short(&self) -> bool {
        self.found
            .iter()
            .all(|found| is_short((found.width, found.height)))
    }

    /// The largest; an error where it is short, and the file ends in front of a larger one.
    pub(super) fn largest(mut self) -> Result<Preview<'a>, DecodeError> {
        let mut found = mem::take(&mut self.found);
        // The first of those that are alike counts.
        found.sort_by_key(|found| Reverse(found.pixels()));
        let mut found = found.into_iter().take(MOST_SEARCHED);
        let chosen = found.find_map(|found| match found.kind {
            Kind::Jpeg(rest, length) => {
                let whole = whole(rest, length);
                if whole.is_none() {
                    self.add_missing(length);
                }
                whole.map(Preview::Jpeg)
            }
            Kind::Pieces(pieces) => Some(Preview::Pieces(pieces)),
        });
        let chosen = chosen.or_else(|| self.plain.take().map(Preview::Plain));
        match chosen {
            _ if self.are_cut => Err(DecodeError::Truncated),
            Some(chosen) if self.missing <= chosen.length() || !chosen.is_short() => Ok(chosen),
            None if self.missing == 0 => Err(DecodeError::NoPreview),
            _ => Err(DecodeError::Truncated),
        }
    }
}

fn is_short((width, height): (u32, u32)) -> bool {
    width.min(height) < SHORT
}

/// As far as its end marker, wherever it was said to end; without one, as it was said.
fn whole(rest: &[u8], length: usize) -> Option<&[u8]> {
    match stream::end(rest) {
        Some(end) => rest.get(..end),
        None => rest.get(..length),
    }
}

impl<'a> Preview<'a> {
    /// One that is a JPEG.
    pub(super) fn jpeg(&self) -> Option<&'a [u8]> {
        match self {
            Preview::Jpeg(jpeg) => Some(jpeg),
            Preview::Pieces(_) | Preview::Plain(_) => None,
        }
    }

    fn is_short(&self) -> bool {
        let size = match self {
            Preview::Jpeg(jpeg) => stream::size(jpeg),
            Preview::Pieces(pieces) => Some(pieces.size()),
            Preview::Plain(plain) => Some(plain.size()),
        };
        size.is_none_or(is_short)
    }

    /// The bytes of what is decoded.
    fn length(&self) -> usize {
        match self {
            Preview::Jpeg(jpeg) => jpeg.len(),
            Preview::Pieces(pieces) => pieces.length(),
            Preview::Plain(plain) => plain.length(),
        }
    }
}
