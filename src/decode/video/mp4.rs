//! MP4, `QuickTime` and 3GP: what is in which box, and where key frames are by the tables of a track or by its fragments.
//!
//! ISO/IEC 14496-12. Tables are walked and not unfolded: what they say of a million samples takes no more memory than they do.

use std::io::{Read, Seek};

use image::metadata::Orientation;

use super::super::DecodeError;
use super::super::boxes::{self, Reader};
use super::super::coded::{Codec, Coding};
use super::keys::{Key, Keys, Place};
use super::mp4_said;
use super::source::Source;
use super::told::{MOST_XMP_BYTES, Told};
use super::track::{Coder, MOST_CONFIG_BYTES, Track};

/// Larger tables than any film has: ten hours have some thirty megabytes.
pub(super) const MOST_INDEX_BYTES: u64 = 64 << 20;

/// A larger piece of a film in pieces is not read.
const MOST_FRAGMENT_BYTES: u64 = 16 << 20;

/// Boxes of a file that are looked at: each second of a film in pieces has some.
const MOST_BOXES: usize = 1 << 18;

/// Samples of a track that are looked at: three days have fewer.
const MOST_SAMPLES: u64 = 1 << 24;

const XMP: &[u8] = b"\xBE\x7A\xCF\xCB\x97\xA9\x42\xE8\x9C\x71\x99\x94\x91\xE3\xAF\xAC";

/// Reads all but the pictures.
pub(super) fn open<R: Read + Seek>(
    source: &mut Source<'_, R>,
) -> Result<(Track, Told), DecodeError> {
    let mut film = Film::default();
    let mut at = 0;
    for _ in 0..MOST_BOXES {
        let Some(found) = next(source, at)? else {
            break;
        };
        match &found.kind {
            b"moov" if film.track.is_none() => {
                let moov = source.whole(found.content, found.len, MOST_INDEX_BYTES)?;
                film.read(&moov)?;
            }
            b"moof" => {
                // One that is cut off is the last of a recording that was interrupted.
                let moof = source.whole(found.content, found.len, MOST_FRAGMENT_BYTES);
                match moof {
                    Ok(moof) => film.add_fragment(&moof, at),
                    Err(DecodeError::Io(error)) => return Err(DecodeError::Io(error)),
                    Err(_) => break,
                }
            }
            b"uuid" if found.len > 16 && film.told.wants_xmp(found.len - 16) => {
                let start = source.whole(found.content, 16, 16)?;
                if start == XMP {
                    let packet =
                        source.whole(found.content + 16, found.len - 16, MOST_XMP_BYTES)?;
                    film.told.add_xmp(packet);
                }
            }
            _ => {}
        }
        at = found.content.saturating_add(found.len);
    }
    film.finish()
}

struct Found {
    kind: [u8; 4],
    /// Where its content begins.
    content: u64,
    len: u64,
}

/// The box that begins there; none at the end of the file, or where what is there is none.
fn next<R: Read + Seek>(source: &mut Source<'_, R>, at: u64) -> Result<Option<Found>, DecodeError> {
    let head = source.read(at, 16, 16)?;
    let mut reader = Reader(&head);
    let mut found = || {
        let short = reader.u32()?;
        let kind = reader.four()?;
        let (head_len, len) = match short {
            0 => (8, source.len().checked_sub(at)?),
            1 => (16, reader.u64()?),
            len => (8, len.into()),
        };
        Some(Found {
            kind,
            content: at + head_len,
            len: len.checked_sub(head_len)?,
        })
    };
    Ok(found())
}

/// What is known of a film so far.
#[derive(Default)]
struct Film {
    track: Option<TrackBox>,
    told: Told,
    /// Of a film in pieces.
    fragments: Option<Fragments>,
}

/// The track that is looked at, before its key frames are all known.
struct TrackBox {
    id: u32,
    track: Track,
    clock: Clock,
    keys: Keys,
}

/// How a track's times are made those of the film.
#[derive(Debug, Clone, Copy)]
struct Clock {
    /// Units in a second.
    scale: u32,
    /// What the film begins with, in the track's units.
    start: i64,
    /// What is seen before, in milliseconds.
    empty_ms: u64,
}

impl Clock {
    /// When something is seen.
    fn ms(self, time: i128) -> u64 {
        let since_start = (time - i128::from(self.start)).max(0);
        let ms = since_start * 1000 / i128::from(self.scale.max(1));
        u64::try_from(ms)
            .unwrap_or(u64::MAX)
            .saturating_add(self.empty_ms)
    }
}

/// What samples of a piece have that do not say it themselves.
#[derive(Debug, Clone, Copy, Default)]
struct Defaults {
    duration: u32,
    size: u32,
    flags: u32,
}

struct Fragments {
    defaults: Defaults,
    /// When the next sample is decoded.
    time: u64,
    /// Samples that were met.
    met: u64,
}

/// Where a box lies that stands in others.
fn within<'a>(bytes: &'a [u8], path: &[[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, kind| {
        Some(boxes::find(bytes, *kind)?.content)
    })
}

impl Film {
    fn read(&mut self, moov: &[u8]) -> Result<(), DecodeError> {
        let header = boxes::find(moov, *b"mvhd").and_then(|header| Header::read(header.content));
        let header = header.unwrap_or_default();
        mp4_said::read(moov, header.created_s, &mut self.told);
        let tracks = boxes::boxes(moov).filter(|found| found.kind == *b"trak");
        let videos = tracks.filter_map(|track| Video::read(track.content));
        let videos: Vec<Video<'_>> = videos.collect();
        let video = videos
            .iter()
            .find(|video| video.is_enabled)
            .or(videos.first());
        let video = video.ok_or(DecodeError::Broken("it has no pictures, only sound"))?;
        let mut track = video.track(&header)?;
        let mut keys = Keys::new();
        video.meet_keys(video.clock(&header), &mut keys);
        if let Some(mvex) = within(moov, &[*b"mvex"]) {
            let long = within(mvex, &[*b"mehd"]).and_then(|mehd| {
                let mut reader = Reader(mehd);
                let (version, _) = reader.version()?;
                reader.number(if version == 1 { 8 } else { 4 })
            });
            if let Some(long) = long.filter(|long| *long > 0) {
                track.duration_ms = Some(header.ms(long));
            }
            self.fragments = Some(Fragments {
                defaults: defaults(mvex, video.id),
                time: 0,
                met: 0,
            });
        }
        self.track = Some(TrackBox {
            id: video.id,
            track,
            clock: video.clock(&header),
            keys,
        });
        Ok(())
    }

    /// Takes in a piece that begins at `at`; what cannot be read of it is left out.
    fn add_fragment(&mut self, moof: &[u8], at: u64) {
        if let (Some(track), Some(fragments)) = (&mut self.track, &mut self.fragments) {
            let pieces = boxes::boxes(moof).filter(|found| found.kind == *b"traf");
            for piece in pieces {
                let _ = add_piece(track, fragments, piece.content, at);
            }
        }
    }

    fn finish(self) -> Result<(Track, Told), DecodeError> {
        let unfinished = DecodeError::Broken("it has no index: its recording was never finished");
        let TrackBox {
            mut track,
            clock,
            keys,
            ..
        } = self.track.ok_or(unfinished)?;
        if let Some(fragments) = self.fragments {
            let end_ms = clock.ms(fragments.time.into());
            track.duration_ms = track.duration_ms.filter(|ms| *ms > 0).or(Some(end_ms));
        }
        track.keys = keys.in_order();
        Ok((track, self.told))
    }
}

/// `mvhd` or `mdhd`.
#[derive(Debug, Default, Clone, Copy)]
struct Header {
    /// Seconds since 1904.
    created_s: u64,
    scale: u32,
    duration: u64,
}

impl Header {
    fn read(content: &[u8]) -> Option<Header> {
        let mut reader = Reader(content);
        let (version, _) = reader.version()?;
        let len = if version == 1 { 8 } else { 4 };
        let created_s = reader.number(len)?;
        reader.number(len)?;
        let scale = reader.u32()?;
        let duration = reader.number(len)?;
        let is_known = duration != u64::MAX >> (64 - 8 * len);
        Some(Header {
            created_s,
            scale,
            duration: if is_known { duration } else { 0 },
        })
    }

    fn ms(&self, units: u64) -> u64 {
        let ms = u128::from(units) * 1000 / u128::from(self.scale.max(1));
        u64::try_from(ms).unwrap_or(u64::MAX)
    }
}

/// A track of pictures.
struct Video<'a> {
    id: u32,
    is_enabled: bool,
    orientation: Orientation,
    header: Header,
    edits: Option<&'a [u8]>,
    tables: &'a [u8],
    entry: Entry<'a>,
}

/// What the samples of a track are.
struct Entry<'a> {
    kind: [u8; 4],
    size: (u16, u16),
    /// The boxes in it.
    boxes: &'a [u8],
}

impl<'a> Entry<'a> {
    fn read(stsd: &'a [u8]) -> Option<Entry<'a>> {
        let mut reader = Reader(stsd);
        reader.take(8)?;
        let entry = boxes::boxes(reader.0).next()?;
        let mut reader = Reader(entry.content);
        reader.take(24)?;
        let size = (reader.u16()?, reader.u16()?);
        reader.take(50)?;
        Some(Entry {
            kind: entry.kind,
            size,
            boxes: reader.0,
        })
    }

    fn coder(&self) -> Coder {
        let (codec, config) = match &self.kind {
            b"avc1" | b"avc3" | b"dva1" | b"dvav" => (Codec::H264, *b"avcC"),
            b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => (Codec::Hevc, *b"hvcC"),
            b"av01" | b"dav1" => (Codec::Av1(0), *b"av1C"),
            other => return Coder::Other(name_of(*other)),
        };
        let config = boxes::find(self.boxes, config).map(|found| found.content);
        let config = config.filter(|config| config.len() <= MOST_CONFIG_BYTES);
        let config = config.unwrap_or_default();
        Coder::Known(codec, config.to_vec())
    }

    fn coding(&self) -> Option<Coding> {
        let mut reader = Reader(boxes::find(self.boxes, *b"colr")?.content);
        let kind = reader.four()?;
        if kind != *b"nclx" && kind != *b"nclc" {
            return None;
        }
        let primaries = reader.u16()?;
        reader.u16()?;
        let matrix = reader.u16()?;
        let is_full_range = kind == *b"nclx" && reader.u8()? & 0x80 != 0;
        Some(Coding {
            primaries,
            matrix,
            is_full_range,
        })
    }
}

/// What people call a codec that is not decoded here.
fn name_of(kind: [u8; 4]) -> String {
    match &kind {
        b"vp08" => "VP8".to_owned(),
        b"vp09" => "VP9".to_owned(),
        b"mp4v" => "MPEG-4".to_owned(),
        b"s263" | b"h263" => "H.263".to_owned(),
        b"apch" | b"apcn" | b"apcs" | b"apco" | b"ap4h" | b"ap4x" => "ProRes".to_owned(),
        b"jpeg" | b"mjpa" | b"mjpb" => "Motion JPEG".to_owned(),
        b"encv" => "an encryption".to_owned(),
        other => format!("`{}`", String::from_utf8_lossy(other).trim()),
    }
}

impl<'a> Video<'a> {
    fn read(trak: &'a [u8]) -> Option<Video<'a>> {
        let mdia = within(trak, &[*b"mdia"])?;
        let handler = within(mdia, &[*b"hdlr"])?.get(8..12)?;
        if handler != b"vide" {
            return None;
        }
        let mut reader = Reader(within(trak, &[*b"tkhd"])?);
        let (version, flags) = reader.version()?;
        let time_len = if version == 1 { 8 } else { 4 };
        reader.take(2 * time_len)?;
        let id = reader.u32()?;
        reader.take(4 + time_len + 16)?;
        let tables = within(mdia, &[*b"minf", *b"stbl"])?;
        Some(Video {
            id,
            is_enabled: flags & 1 == 1,
            orientation: orientation(&mut reader).unwrap_or(Orientation::NoTransforms),
            header: Header::read(within(mdia, &[*b"mdhd"])?)?,
            edits: within(trak, &[*b"edts", *b"elst"]),
            entry: Entry::read(within(tables, &[*b"stsd"])?)?,
            tables,
        })
    }

    fn track(&self, film: &Header) -> Result<Track, DecodeError> {
        if self.entry.kind == *b"encv" {
            return Err(DecodeError::Unsupported("an encrypted video".into()));
        }
        let of_film = film.ms(film.duration);
        let of_track = self.header.ms(self.header.duration);
        Ok(Track {
            coder: self.entry.coder(),
            size: (self.entry.size.0.into(), self.entry.size.1.into()),
            orientation: self.orientation,
            coding: self.entry.coding(),
            duration_ms: [of_film, of_track].into_iter().find(|ms| *ms > 0),
            keys: Vec::new(),
            prefix: Vec::new(),
        })
    }

    /// What the film shows first of the track; where it shows several parts of it, the first counts.
    fn clock(&self, film: &Header) -> Clock {
        let mut clock = Clock {
            scale: self.header.scale,
            start: 0,
            empty_ms: 0,
        };
        let mut read = || {
            let mut reader = Reader(self.edits?);
            let (version, _) = reader.version()?;
            for _ in 0..reader.u32()? {
                let (units, start) = if version == 1 {
                    (reader.u64()?, reader.u64()?.cast_signed())
                } else {
                    (reader.u32()?.into(), reader.i32()?.into())
                };
                reader.take(4)?;
                if start >= 0 {
                    clock.start = start;
                    break;
                }
                clock.empty_ms = clock.empty_ms.saturating_add(film.ms(units));
            }
            Some(())
        };
        let _ = read();
        clock
    }

    /// Goes through all samples that the tables tell of, and meets those that need no other.
    fn meet_keys(&self, clock: Clock, keys: &mut Keys) {
        let table = |kind| within(self.tables, &[kind]);
        let Some(sizes) = table(*b"stsz")
            .and_then(Sizes::read)
            .or_else(|| table(*b"stz2").and_then(Sizes::read_small))
        else {
            return;
        };
        let mut steps = Runs::read(table(*b"stts"));
        let mut shifts = Runs::read(table(*b"ctts"));
        let mut syncs = table(*b"stss").map(list);
        let mut sync = syncs.as_mut().map(Reader::u32);
        let (mut sample, mut time) = (0, 0_i128);
        let chunks = Chunks::read(&table);
        for (offset, count) in chunks.into_iter().flatten() {
            let mut offset = offset;
            for _ in 0..count {
                let Some(len) = sizes.of(sample).filter(|_| sample < MOST_SAMPLES) else {
                    return;
                };
                sample += 1;
                let shift = shifts.next().map_or(0, u32::cast_signed);
                let is_key = match &mut sync {
                    None => true,
                    Some(next) => {
                        // Some stand in no order.
                        while next.is_some_and(|next| u64::from(next) < sample)
                            && let Some(syncs) = &mut syncs
                        {
                            *next = syncs.u32();
                        }
                        next.is_some_and(|next| u64::from(next) == sample)
                    }
                };
                if is_key {
                    let time_ms = clock.ms(time + i128::from(shift));
                    let place = Place::At { offset, len };
                    keys.meet(|| (len > 0).then_some(Key { time_ms, place }));
                }
                offset = offset.saturating_add(len);
                time += i128::from(steps.next().unwrap_or(0));
            }
        }
    }
}

/// What a matrix does to a picture: only its signs count, as players scale to their windows anyway.
fn orientation(reader: &mut Reader<'_>) -> Option<Orientation> {
    let mut rows = [[0; 2]; 2];
    for row in &mut rows {
        *row = [reader.i32()?.signum(), reader.i32()?.signum()];
        reader.i32()?;
    }
    Some(match rows {
        [[0, 1], [-1, 0]] => Orientation::Rotate90,
        [[-1, 0], [0, -1]] => Orientation::Rotate180,
        [[0, -1], [1, 0]] => Orientation::Rotate270,
        [[-1, 0], [0, 1]] => Orientation::FlipHorizontal,
        [[1, 0], [0, -1]] => Orientation::FlipVertical,
        [[0, 1], [1, 0]] => Orientation::Rotate90FlipH,
        [[0, -1], [-1, 0]] => Orientation::Rotate270FlipH,
        _ => Orientation::NoTransforms,
    })
}

/// The entries of a table, behind version and count.
fn list(content: &[u8]) -> Reader<'_> {
    Reader(content.get(8..).unwrap_or_default())
}

/// Numbers each of which holds for so many samples.
struct Runs<'a> {
    entries: Reader<'a>,
    left: u32,
    value: u32,
}

impl<'a> Runs<'a> {
    fn read(content: Option<&'a [u8]>) -> Runs<'a> {
        Runs {
            entries: list(content.unwrap_or_default()),
            left: 0,
            value: 0,
        }
    }

    fn next(&mut self) -> Option<u32> {
        while self.left == 0 {
            self.left = self.entries.u32()?;
            self.value = self.entries.u32()?;
        }
        self.left -= 1;
        Some(self.value)
    }
}

/// The lengths of samples.
enum Sizes<'a> {
    Same(u64, u64),
    Each(&'a [[u8; 4]]),
    /// In so many bits each.
    Small(u8, &'a [u8]),
}

impl<'a> Sizes<'a> {
    fn read(content: &'a [u8]) -> Option<Sizes<'a>> {
        let mut reader = Reader(content);
        reader.u32()?;
        let (same, count) = (reader.u32()?, reader.u32()?);
        Some(match same {
            0 => Sizes::Each(reader.0.as_chunks().0),
            same => Sizes::Same(same.into(), count.into()),
        })
    }

    fn read_small(content: &'a [u8]) -> Option<Sizes<'a>> {
        let mut reader = Reader(content);
        reader.take(7)?;
        let bits = reader.u8()?;
        reader.u32()?;
        matches!(bits, 4 | 8 | 16).then_some(Sizes::Small(bits, reader.0))
    }

    fn of(&self, sample: u64) -> Option<u64> {
        let at = usize::try_from(sample).ok()?;
        match *self {
            Sizes::Same(len, count) => (sample < count).then_some(len),
            Sizes::Each(all) => all.get(at).map(|len| u32::from_be_bytes(*len).into()),
            Sizes::Small(4, bytes) => {
                let both = *bytes.get(at / 2)?;
                Some(
                    (if at.is_multiple_of(2) {
                        both >> 4
                    } else {
                        both & 15
                    })
                    .into(),
                )
            }
            Sizes::Small(8, bytes) => bytes.get(at).map(|len| u64::from(*len)),
            Sizes::Small(_, bytes) => {
                let pair = bytes.as_chunks::<2>().0.get(at)?;
                Some(u16::from_be_bytes(*pair).into())
            }
        }
    }
}

/// Where samples lie one behind the other, and how many of them.
struct Chunks<'a> {
    offsets: Reader<'a>,
    offset_len: usize,
    counts: Reader<'a>,
    /// The chunk from which on the next entry holds.
    next_from: Option<u32>,
    count: u32,
    chunk: u32,
}

impl<'a> Chunks<'a> {
    fn read(table: &impl Fn([u8; 4]) -> Option<&'a [u8]>) -> Option<Chunks<'a>> {
        let (offsets, offset_len) = match (table(*b"stco"), table(*b"co64")) {
            (Some(short), _) => (short, 4),
            (None, long) => (long?, 8),
        };
        let mut counts = list(table(*b"stsc")?);
        Some(Chunks {
            offsets: list(offsets),
            offset_len,
            next_from: counts.u32(),
            counts,
            count: 0,
            chunk: 0,
        })
    }
}

impl Iterator for Chunks<'_> {
    type Item = (u64, u32);

    fn next(&mut self) -> Option<(u64, u32)> {
        let offset = self.offsets.number(self.offset_len)?;
        self.chunk = self.chunk.saturating_add(1);
        while self.next_from.is_some_and(|from| from <= self.chunk) {
            self.count = self.counts.u32()?;
            self.counts.u32()?;
            self.next_from = self.counts.u32();
        }
        Some((offset, self.count))
    }
}

/// What samples of this track have in all pieces.
fn defaults(mvex: &[u8], track: u32) -> Defaults {
    let all = boxes::boxes(mvex).filter(|found| found.kind == *b"trex");
    let mut found = all.filter_map(|trex| {
        let mut reader = Reader(trex.content);
        reader.u32()?;
        let id = reader.u32()?;
        reader.u32()?;
        let defaults = Defaults {
            duration: reader.u32()?,
            size: reader.u32()?,
            flags: reader.u32()?,
        };
        (id == track).then_some(defaults)
    });
    found.next().unwrap_or_default()
}

/// Meets the key frames of a track's piece.
fn add_piece(
    track: &mut TrackBox,
    fragments: &mut Fragments,
    traf: &[u8],
    moof_at: u64,
) -> Option<()> {
    let mut reader = Reader(within(traf, &[*b"tfhd"])?);
    let (_, flags) = reader.version()?;
    if reader.u32()? != track.id {
        return None;
    }
    let mut base = moof_at;
    if flags & 1 != 0 {
        base = reader.u64()?;
    }
    if flags & 2 != 0 {
        reader.u32()?;
    }
    let mut defaults = fragments.defaults;
    for (flag, value) in [
        (8, &mut defaults.duration),
        (0x10, &mut defaults.size),
        (0x20, &mut defaults.flags),
    ] {
        if flags & flag != 0 {
            *value = reader.u32()?;
        }
    }
    if let Some(tfdt) = within(traf, &[*b"tfdt"]) {
        let mut reader = Reader(tfdt);
        let (version, _) = reader.version()?;
        fragments.time = reader.number(if version == 1 { 8 } else { 4 })?;
    }
    let mut offset = base;
    for run in boxes::boxes(traf).filter(|found| found.kind == *b"trun") {
        offset = add_run(track, fragments, run.content, defaults, (base, offset))?;
    }
    Some(())
}

/// Says that a sample needs others.
const NEEDS_OTHERS: u32 = 0x1_0000;

/// Meets the key frames of a run of samples; says where the next one begins.
fn add_run(
    track: &mut TrackBox,
    fragments: &mut Fragments,
    trun: &[u8],
    defaults: Defaults,
    (base, offset): (u64, u64),
) -> Option<u64> {
    let mut reader = Reader(trun);
    let (_, flags) = reader.version()?;
    let count = reader.u32()?;
    let mut offset = offset;
    if flags & 1 != 0 {
        offset = base.checked_add_signed(reader.i32()?.into())?;
    }
    let mut first_flags = None;
    if flags & 4 != 0 {
        first_flags = reader.u32();
    }
    for _ in 0..count {
        if fragments.met == MOST_SAMPLES {
            return None;
        }
        fragments.met += 1;
        let mut field = |flag, usual| {
            if flags & flag == 0 {
                Some(usual)
            } else {
                reader.u32()
            }
        };
        let duration = field(0x100, defaults.duration)?;
        let len = u64::from(field(0x200, defaults.size)?);
        let of_sample = field(0x400, defaults.flags)?;
        let shift = field(0x800, 0)?.cast_signed();
        let of_sample = first_flags.take().unwrap_or(of_sample);
        if of_sample & NEEDS_OTHERS == 0 {
            let time_ms = track
                .clock
                .ms(i128::from(fragments.time) + i128::from(shift));
            let place = Place::At { offset, len };
            track
                .keys
                .meet(|| (len > 0).then_some(Key { time_ms, place }));
        }
        offset = offset.saturating_add(len);
        fragments.time = fragments.time.saturating_add(duration.into());
    }
    Some(offset)
}
