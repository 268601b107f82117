//! Matroska and `WebM`: where key frames are by the cues of a file, or, where it has none, by a walk through its clusters.
//!
//! RFC 9559.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{Read, Seek};

use image::metadata::Orientation;

use super::super::DecodeError;
use super::super::coded::{Codec, Coding};
use super::ebml::{Head, elements, find, float, number, unsigned};
use super::keys::{Key, Keys, Place};
use super::source::{MOST_SAMPLE_BYTES, Source};
use super::told::Told;
use super::track::{Coder, MOST_CONFIG_BYTES, Track};

/// A longer list of tracks, cues or tags is not read.
const MOST_LIST_BYTES: u64 = 16 << 20;

/// Elements that are looked at on the way through a file without cues, and on that to one frame.
const MOST_ELEMENTS: usize = 1 << 21;
const MOST_ELEMENTS_OF_CLUSTER: usize = 1 << 16;

/// Places of lists that are gone to.
const MOST_LISTS: usize = 64;

/// Seconds from 1970 to 2001, from when dates count.
const FROM_1970_S: i64 = 978_307_200;

const SEGMENT: u32 = 0x1853_8067;
const SEEK_HEAD: u32 = 0x114D_9B74;
const INFO: u32 = 0x1549_A966;
const TRACKS: u32 = 0x1654_AE6B;
const CUES: u32 = 0x1C53_BB6B;
const CLUSTER: u32 = 0x1F43_B675;
const TAGS: u32 = 0x1254_C367;
const TIMESTAMP: u32 = 0xE7;
const SIMPLE_BLOCK: u32 = 0xA3;
const BLOCK_GROUP: u32 = 0xA0;
const BLOCK: u32 = 0xA1;
const REFERENCE: u32 = 0xFB;

/// What is known of a file so far.
#[derive(Default)]
struct File {
    /// Where positions count from.
    start: u64,
    /// Nanoseconds of a unit of time.
    scale: u64,
    duration: Option<f64>,
    track: Option<(u64, Track)>,
    has_info: bool,
    has_tags: bool,
    /// Times and places of key frames, of each track, as they stand in the file.
    cues: Option<Vec<u8>>,
    /// Where lists are, by their numbers.
    lists: BTreeSet<(u32, u64)>,
    told: Told,
}

struct Cue {
    track: u64,
    time: u64,
    cluster: u64,
}

/// Which frames of which track are wanted of a cluster.
#[derive(Debug, Clone, Copy)]
struct Block {
    track: u64,
    /// In units, from the start.
    time: i64,
    is_key: bool,
    offset: u64,
    len: u64,
}

/// Reads all but the pictures. The number of the track comes with it.
pub(super) fn open<R: Read + Seek>(
    source: &mut Source<'_, R>,
) -> Result<(Track, u64, Told), DecodeError> {
    let first = head(source, 0)?.ok_or(DecodeError::Broken("it ends before it begins"))?;
    let segment_at = first.len + first.content_len.unwrap_or(0);
    let segment = head(source, segment_at)?.filter(|head| head.id == SEGMENT);
    let segment = segment.ok_or(DecodeError::Broken("it has no segment"))?;
    let mut file = File {
        start: segment_at + segment.len,
        scale: 1_000_000,
        ..File::default()
    };
    let clusters_at = file.read_lists(source)?;
    file.read_listed(source)?;
    let (number, mut track) = file
        .track
        .take()
        .ok_or(DecodeError::Broken("it has no pictures, only sound"))?;
    let mut keys = Keys::new();
    let mut has_cues = false;
    let all = cues(file.cues.as_deref().unwrap_or_default());
    for cue in all.filter(|cue| cue.track == number) {
        let offset = file.start.saturating_add(cue.cluster);
        let time = i64::try_from(cue.time).unwrap_or(i64::MAX);
        keys.meet(|| file.key(offset, time));
        has_cues = true;
    }
    if !has_cues {
        file.walk(source, clusters_at, number, &mut keys)?;
    }
    track.keys = keys.in_order();
    let duration_ms = file.duration.map(|units| units * file.scale as f64 / 1e6);
    let last_ms = track.keys.last().map(|key| key.time_ms);
    track.duration_ms = duration_ms.map(|ms| ms.max(0.0) as u64).or(last_ms);
    Ok((track, number, file.told))
}

/// What begins there; none at the end, or where it is no element.
fn head<R: Read + Seek>(source: &mut Source<'_, R>, at: u64) -> Result<Option<Head>, DecodeError> {
    let bytes = source.read(at, Head::MOST_BYTES, Head::MOST_BYTES)?;
    Ok(Head::read(&bytes))
}

impl File {
    fn key(&self, offset: u64, time: i64) -> Option<Key> {
        let ns = u128::try_from(time.max(0)).ok()? * u128::from(self.scale);
        Some(Key {
            time_ms: u64::try_from(ns / 1_000_000).ok()?,
            place: Place::Cluster { offset, time },
        })
    }

    /// Reads the lists that stand before the first cluster, and tells where that is.
    fn read_lists<R: Read + Seek>(
        &mut self,
        source: &mut Source<'_, R>,
    ) -> Result<u64, DecodeError> {
        let mut at = self.start;
        for _ in 0..MOST_ELEMENTS_OF_CLUSTER {
            let Some(head) = head(source, at)? else {
                break;
            };
            if head.id == CLUSTER {
                break;
            }
            let Some(len) = head.content_len else {
                break;
            };
            self.read_list(source, head.id, at + head.len, len)?;
            at = at.saturating_add(head.len).saturating_add(len);
        }
        Ok(at)
    }

    /// Reads those that stand elsewhere, and that are not read yet.
    fn read_listed<R: Read + Seek>(
        &mut self,
        source: &mut Source<'_, R>,
    ) -> Result<(), DecodeError> {
        for (id, position) in std::mem::take(&mut self.lists) {
            let is_read = match id {
                INFO => self.has_info,
                TRACKS => self.track.is_some(),
                CUES => self.cues.is_some(),
                TAGS => self.has_tags,
                _ => true,
            };
            let at = self.start.saturating_add(position);
            if is_read {
                continue;
            }
            if let Some(head) = head(source, at)?.filter(|head| head.id == id)
                && let Some(len) = head.content_len
            {
                self.read_list(source, id, at + head.len, len)?;
            }
        }
        Ok(())
    }

    fn read_list<R: Read + Seek>(
        &mut self,
        source: &mut Source<'_, R>,
        id: u32,
        at: u64,
        len: u64,
    ) -> Result<(), DecodeError> {
        if !matches!(id, SEEK_HEAD | INFO | TRACKS | CUES | TAGS) {
            return Ok(());
        }
        let content = source.read(at, len, MOST_LIST_BYTES)?;
        match id {
            SEEK_HEAD if self.lists.len() < MOST_LISTS => self.lists.extend(places(&content)),
            INFO => self.read_info(&content),
            TRACKS if self.track.is_none() => self.track = track(&content)?,
            CUES if self.cues.is_none() => self.cues = Some(content),
            TAGS => {
                self.has_tags = true;
                self.read_tags(&content);
            }
            _ => {}
        }
        Ok(())
    }

    fn read_info(&mut self, content: &[u8]) {
        self.has_info = true;
        let scale = find(content, 0x2A_D7B1).and_then(unsigned);
        self.scale = scale.filter(|scale| *scale > 0).unwrap_or(self.scale);
        self.duration = find(content, 0x4489).and_then(float);
        if let Some(title) = find(content, 0x7BA9) {
            self.told.add("TITLE", &start_of(title));
        }
        let created = find(content, 0x4461).and_then(unsigned);
        let created = created.map(|ns| ns.cast_signed() / 1_000_000_000 + FROM_1970_S);
        if let Some(seconds) = created.and_then(|seconds| u64::try_from(seconds).ok()) {
            self.told.add_created(seconds);
        }
    }

    /// Of tags that are about the whole file or about nothing in particular.
    fn read_tags(&mut self, content: &[u8]) {
        let tags = elements(content).filter(|element| element.id == 0x7373);
        let all = tags.flat_map(|tag| elements(tag.content));
        for tag in all.filter(|element| element.id == 0x67C8) {
            let text = |id| find(tag.content, id).map(start_of);
            if let (Some(name), Some(value)) = (text(0x45A3), text(0x4487)) {
                self.told.add(name.trim_end_matches('\0'), &value);
            }
        }
    }

    /// Goes through all clusters from here on.
    fn walk<R: Read + Seek>(
        &self,
        source: &mut Source<'_, R>,
        mut at: u64,
        track: u64,
        keys: &mut Keys,
    ) -> Result<(), DecodeError> {
        let mut left = MOST_ELEMENTS;
        while left > 0
            && let Some(found) = head(source, at)?
        {
            left -= 1;
            if found.id != CLUSTER {
                let Some(len) = found.content_len else {
                    break;
                };
                at = at.saturating_add(found.len).saturating_add(len);
                continue;
            }
            let offset = at;
            at = blocks(source, offset, &mut left, |block| {
                if block.track == track && block.is_key {
                    keys.meet(|| self.key(offset, block.time));
                }
                true
            })?;
        }
        Ok(())
    }
}

/// Shows what frames a cluster has, one after the other, until it is told to stop; says where the cluster ends.
fn blocks<R: Read + Seek>(
    source: &mut Source<'_, R>,
    cluster_at: u64,
    left: &mut usize,
    mut each: impl FnMut(Block) -> bool,
) -> Result<u64, DecodeError> {
    let Some(cluster) = head(source, cluster_at)?.filter(|head| head.id == CLUSTER) else {
        return Err(DecodeError::Broken(
            "a frame of it is not where it should be",
        ));
    };
    let mut at = cluster_at + cluster.len;
    let end = cluster
        .content_len
        .map_or(source.len(), |len| at.saturating_add(len));
    let mut time = 0;
    while at < end && *left > 0 {
        *left -= 1;
        let Some(head) = head(source, at)? else {
            return Ok(source.len());
        };
        // One whose length nobody knew ends where something begins that cannot be in it.
        if matches!(head.id, CLUSTER | CUES | TAGS | INFO | TRACKS | SEEK_HEAD) {
            return Ok(at);
        }
        let content_at = at + head.len;
        let len = head.content_len.unwrap_or(0);
        let block = match head.id {
            TIMESTAMP => {
                let value = unsigned(&source.read(content_at, len, 8)?);
                time = value.and_then(|time| i64::try_from(time).ok()).unwrap_or(0);
                None
            }
            SIMPLE_BLOCK => block(source, content_at, len, time)?,
            BLOCK_GROUP => group(source, content_at, len, time, left)?,
            _ => None,
        };
        if block.is_some_and(|block| !each(block)) {
            return Ok(at);
        }
        at = content_at.saturating_add(len);
    }
    Ok(end)
}

/// A frame: its track, its time within the cluster, and flags stand before it. Several in one are made of sound.
fn block<R: Read + Seek>(
    source: &mut Source<'_, R>,
    at: u64,
    len: u64,
    cluster_time: i64,
) -> Result<Option<Block>, DecodeError> {
    const LACED: u8 = 0x06;
    const IS_KEY: u8 = 0x80;
    let start = source.read(at, len.min(11), 11)?;
    let read = || {
        let (track, track_len) = number(&start)?;
        let rest = start.get(track_len..)?;
        let &[high, low, flags] = rest.first_chunk()?;
        let head_len = track_len as u64 + 3;
        let is_alone = flags & LACED == 0;
        let block = Block {
            track: track?,
            time: cluster_time.saturating_add(i16::from_be_bytes([high, low]).into()),
            is_key: flags & IS_KEY != 0,
            offset: at + head_len,
            len: len.checked_sub(head_len)?,
        };
        is_alone.then_some(block)
    };
    Ok(read())
}

/// A frame with notes, one of which would name another that it needs.
fn group<R: Read + Seek>(
    source: &mut Source<'_, R>,
    at: u64,
    len: u64,
    cluster_time: i64,
    left: &mut usize,
) -> Result<Option<Block>, DecodeError> {
    let (mut at, end) = (at, at.saturating_add(len));
    let (mut found, mut needs_others) = (None, false);
    while at < end && *left > 0 {
        *left -= 1;
        let Some(head) = head(source, at)? else {
            break;
        };
        let len = head.content_len.unwrap_or(0);
        match head.id {
            BLOCK => found = block(source, at + head.len, len, cluster_time)?,
            REFERENCE => needs_others = true,
            _ => {}
        }
        at = at.saturating_add(head.len).saturating_add(len);
    }
    Ok(found.map(|block| Block {
        is_key: !needs_others,
        ..block
    }))
}

/// The bytes of the key frame of a track that is seen at this time.
pub(super) fn sample<R: Read + Seek>(
    source: &mut Source<'_, R>,
    track: u64,
    cluster_at: u64,
    time: i64,
) -> Result<Vec<u8>, DecodeError> {
    let mut found = None;
    let mut left = MOST_ELEMENTS_OF_CLUSTER;
    blocks(source, cluster_at, &mut left, |block| {
        if block.track == track && block.time == time {
            found = Some(block);
        }
        found.is_none()
    })?;
    let block = found.ok_or(DecodeError::Broken(
        "a frame of it is not where it should be",
    ))?;
    source.whole(block.offset, block.len, MOST_SAMPLE_BYTES)
}

/// Where lists are.
fn places(content: &[u8]) -> Vec<(u32, u64)> {
    let entries = elements(content).filter(|element| element.id == 0x4DBB);
    let places = entries.filter_map(|entry| {
        let id = find(entry.content, 0x53AB).and_then(unsigned)?;
        let position = find(entry.content, 0x53AC).and_then(unsigned)?;
        Some((u32::try_from(id).ok()?, position))
    });
    places.take(MOST_LISTS).collect()
}

/// A text, no longer than any that is kept.
fn start_of(content: &[u8]) -> Cow<'_, str> {
    const MOST_BYTES: usize = 4096;
    String::from_utf8_lossy(&content[..content.len().min(MOST_BYTES)])
}

fn cues(content: &[u8]) -> impl Iterator<Item = Cue> {
    let points = elements(content).filter(|element| element.id == 0xBB);
    points.flat_map(|point| {
        let time = find(point.content, 0xB3).and_then(unsigned);
        let places = elements(point.content).filter(|element| element.id == 0xB7);
        places.filter_map(move |place| {
            Some(Cue {
                track: find(place.content, 0xF7).and_then(unsigned)?,
                time: time?,
                cluster: find(place.content, 0xF1).and_then(unsigned)?,
            })
        })
    })
}

/// The first track of pictures that is not switched off, and its number.
fn track(content: &[u8]) -> Result<Option<(u64, Track)>, DecodeError> {
    const IS_VIDEO: u64 = 1;
    let entries = elements(content).filter(|element| element.id == 0xAE);
    let videos = entries.map(|entry| entry.content).filter(|entry| {
        let kind = find(entry, 0x83).and_then(unsigned);
        let is_enabled = find(entry, 0xB9).and_then(unsigned) != Some(0);
        kind == Some(IS_VIDEO) && is_enabled
    });
    let Some(entry) = { videos }.next() else {
        return Ok(None);
    };
    let number = find(entry, 0xD7).and_then(unsigned);
    let picture = find(entry, 0xE0).unwrap_or_default();
    let side = |id| {
        let side = find(picture, id).and_then(unsigned);
        side.and_then(|side| u32::try_from(side).ok()).unwrap_or(0)
    };
    let track = Track {
        coder: coder(entry),
        size: (side(0xB0), side(0xBA)),
        orientation: orientation(picture),
        coding: find(picture, 0x55B0).and_then(coding),
        duration_ms: None,
        keys: Vec::new(),
        prefix: prefix(entry)?,
    };
    Ok(number.map(|number| (number, track)))
}

fn coder(entry: &[u8]) -> Coder {
    const MOST_NAME_BYTES: usize = 64;
    let id = find(entry, 0x86).unwrap_or_default();
    let id = String::from_utf8_lossy(&id[..id.len().min(MOST_NAME_BYTES)]);
    let config = find(entry, 0x63A2).filter(|config| config.len() <= MOST_CONFIG_BYTES);
    let config = config.unwrap_or_default().to_vec();
    match id.trim_end_matches('\0') {
        "V_MPEG4/ISO/AVC" => Coder::Known(Codec::H264, config),
        "V_MPEGH/ISO/HEVC" => Coder::Known(Codec::Hevc, config),
        "V_AV1" => Coder::Known(Codec::Av1(0), config),
        other => Coder::Other(other.trim_start_matches("V_").to_owned()),
    }
}

fn coding(content: &[u8]) -> Option<Coding> {
    const UNKNOWN: u64 = 2;
    const FULL: u64 = 2;
    let value = |id| find(content, id).and_then(unsigned);
    Some(Coding {
        primaries: value(0x55BB).unwrap_or(UNKNOWN) as u16,
        matrix: value(0x55B1)? as u16,
        is_full_range: value(0x55B9) == Some(FULL),
    })
}

/// By the roll of the picture, in degrees anticlockwise.
fn orientation(picture: &[u8]) -> Orientation {
    let roll = find(picture, 0x7670).and_then(|projection| float(find(projection, 0x7675)?));
    match roll.map(|roll| (roll / 90.0).round() as i32) {
        Some(1) => Orientation::Rotate270,
        Some(-1) => Orientation::Rotate90,
        Some(2 | -2) => Orientation::Rotate180,
        _ => Orientation::NoTransforms,
    }
}

/// What was taken off the start of every frame, to be put back.
fn prefix(entry: &[u8]) -> Result<Vec<u8>, DecodeError> {
    const STRIPPED: u64 = 3;
    let Some(encodings) = find(entry, 0x6D80) else {
        return Ok(Vec::new());
    };
    let mut all = elements(encodings).filter(|element| element.id == 0x6240);
    let one = all.next().map_or(&[][..], |encoding| encoding.content);
    let packed = || DecodeError::Unsupported("a video whose frames are packed or encrypted".into());
    let compression = find(one, 0x5034).filter(|_| all.next().is_none());
    let compression = compression.ok_or_else(packed)?;
    match find(compression, 0x4254).map_or(Some(0), unsigned) {
        Some(STRIPPED) => {
            let start = find(compression, 0x4255).unwrap_or_default();
            let is_short = start.len() <= MOST_CONFIG_BYTES;
            is_short.then(|| start.to_vec()).ok_or_else(packed)
        }
        _ => Err(packed()),
    }
}
