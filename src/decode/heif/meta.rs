//! What the `meta` box of a HEIF file tells: its items, where their bytes lie, what is said of each, and how they belong together.
//!
//! All of it is copied before any of it is looked at, so the number of everything is bounded here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::DecodeError;
use super::super::boxes::{self, Chest, Reader};
use super::super::coded::Coding;
use super::{damaged, unsupported};

/// Most items; a picture of a thousand megapixels in small tiles has no more.
const MOST_ITEMS: usize = 16_384;

/// Most of what belongs to items: pieces of their data, properties, and links between them.
const MOST_PARTS: usize = 8 * MOST_ITEMS;

/// Most bytes that all that is told of the items takes, whatever the file says; and for each of its bytes.
pub(super) const NEED: u64 = 16 << 20;
pub(super) const NEED_BYTE: u64 = 64;

/// An item's number in its file.
pub(super) type Id = u32;

#[derive(Debug, Default)]
pub(super) struct Meta<'a> {
    file: &'a [u8],
    primary: Id,
    items: BTreeMap<Id, Item<'a>>,
    /// In the order in which items number them, from 1.
    properties: Vec<Chest<'a>>,
    links: Vec<Link>,
    /// How many pieces, links and mentions of properties there are, in all boxes.
    parts: usize,
    /// Data of small items.
    idat: &'a [u8],
}

#[derive(Debug, Default)]
struct Item<'a> {
    kind: [u8; 4],
    /// Of an item of kind `mime`.
    media_type: &'a [u8],
    properties: Vec<u16>,
    place: Place,
}

/// Where an item's data lies: pieces with start and length; the length 0 is all up to the end.
#[derive(Debug, Default)]
struct Place {
    method: u16,
    /// Whether that is in another file.
    is_elsewhere: bool,
    pieces: Vec<(u64, u64)>,
}

#[derive(Debug)]
struct Link {
    kind: [u8; 4],
    from: Id,
    to: Vec<Id>,
}

/// What is to be done to an item's pixels once they are decoded, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transform {
    /// By so many quarters, anticlockwise.
    Turn(u8),
    /// Left becomes right.
    MirrorSides,
    /// Top becomes bottom.
    Flip,
    Crop(Aperture),
}

/// A part of the picture around its middle; fractions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Aperture {
    width: (u32, u32),
    height: (u32, u32),
    right: (i32, u32),
    down: (i32, u32),
}

impl<'a> Meta<'a> {
    pub(super) fn read(file: &'a [u8]) -> Result<Meta<'a>, DecodeError> {
        let Some(meta) = boxes::find(file, *b"meta") else {
            return Err(match boxes::boxes(file).last() {
                Some(last) if !last.is_whole => DecodeError::Truncated,
                _ if boxes::find(file, *b"moov").is_some() => unsupported("a film without a still"),
                _ => damaged("it has no `meta` box"),
            });
        };
        if !meta.is_whole {
            return Err(DecodeError::Truncated);
        }
        let content = meta.content.get(4..).unwrap_or_default();
        let mut meta = Meta {
            file,
            ..Meta::default()
        };
        // Items first, since all else is told of them.
        for infos in boxes::boxes(content).filter(|chest| chest.kind == *b"iinf") {
            meta.read_items(infos.content)?;
        }
        for chest in boxes::boxes(content) {
            let read = match &chest.kind {
                b"pitm" => meta.read_primary(chest.content),
                b"iloc" => meta.read_places(chest.content),
                b"iref" => meta.read_links(chest.content),
                b"iprp" => meta.read_properties(chest.content),
                b"idat" => {
                    meta.idat = chest.content;
                    Some(())
                }
                _ => Some(()),
            };
            read.ok_or_else(|| {
                let kind = String::from_utf8_lossy(&chest.kind).into_owned();
                damaged(&format!("its `{kind}` box is cut off or too long"))
            })?;
        }
        Ok(meta)
    }

    fn read_items(&mut self, content: &'a [u8]) -> Result<(), DecodeError> {
        let mut reader = Reader(content);
        let wide = reader.version().is_some_and(|(version, _)| version > 0);
        reader.take(if wide { 4 } else { 2 });
        for info in boxes::boxes(reader.0).filter(|chest| chest.kind == *b"infe") {
            if self.items.len() == MOST_ITEMS {
                return Err(damaged("it has too many items"));
            }
            if let Some((id, item)) = item(info.content) {
                self.items.entry(id).or_insert(item);
            }
        }
        Ok(())
    }

    /// Counts so many, and what holds them; nothing where there are too many then.
    fn add_parts(&mut self, count: u16) -> Option<()> {
        self.parts += usize::from(count) + 1;
        (self.parts <= MOST_PARTS).then_some(())
    }

    fn read_primary(&mut self, content: &[u8]) -> Option<()> {
        let mut reader = Reader(content);
        let wide = reader.version()?.0 > 0;
        self.primary = id(&mut reader, wide)?;
        Some(())
    }

    fn read_places(&mut self, content: &[u8]) -> Option<()> {
        let mut reader = Reader(content);
        let (version, _) = reader.version()?;
        let sizes = reader.u16()?;
        let size = |shift: u16| usize::from(sizes >> shift & 15);
        let (start_size, len_size, base_size) = (size(12), size(8), size(4));
        let index_size = if version > 0 { size(0) } else { 0 };
        // Pieces that take no bytes to tell of could be told of without end.
        let is_told = |count: u16| count < 2 || start_size + len_size > 0;
        let count = id(&mut reader, version > 1)?;
        for _ in 0..count {
            let item = id(&mut reader, version > 1)?;
            let method = if version > 0 { reader.u16()? & 15 } else { 0 };
            let is_elsewhere = reader.u16()? != 0;
            let base = reader.number(base_size)?;
            let mut place = Place {
                method,
                is_elsewhere,
                pieces: Vec::new(),
            };
            let count = reader.u16()?;
            if !is_told(count) {
                return None;
            }
            self.add_parts(count)?;
            for _ in 0..count {
                reader.number(index_size)?;
                let start = base.checked_add(reader.number(start_size)?)?;
                place.pieces.push((start, reader.number(len_size)?));
            }
            if let Some(item) = self.items.get_mut(&item) {
                item.place = place;
            }
        }
        Some(())
    }

    fn read_links(&mut self, content: &[u8]) -> Option<()> {
        let mut reader = Reader(content);
        let wide = reader.version()?.0 > 0;
        for chest in boxes::boxes(reader.0) {
            let mut reader = Reader(chest.content);
            let from = id(&mut reader, wide)?;
            let count = reader.u16()?;
            self.add_parts(count)?;
            let to = (0..count)
                .map(|_| id(&mut reader, wide))
                .collect::<Option<_>>()?;
            self.links.push(Link {
                kind: chest.kind,
                from,
                to,
            });
        }
        Some(())
    }

    fn read_properties(&mut self, content: &'a [u8]) -> Option<()> {
        for chest in boxes::boxes(content) {
            match &chest.kind {
                b"ipco" => self.properties = boxes::boxes(chest.content).take(MOST_PARTS).collect(),
                b"ipma" => self.read_associations(chest.content)?,
                _ => {}
            }
        }
        Some(())
    }

    fn read_associations(&mut self, content: &[u8]) -> Option<()> {
        let mut reader = Reader(content);
        let (version, flags) = reader.version()?;
        let wide = flags & 1 == 1;
        for _ in 0..reader.u32()? {
            let item = id(&mut reader, version > 0)?;
            let count = reader.u8()?;
            self.add_parts(count.into())?;
            // The highest bit says only that whoever does not know the property should give up.
            let number = |_| {
                if wide {
                    Some(reader.u16()? & 0x7FFF)
                } else {
                    Some(u16::from(reader.u8()? & 0x7F))
                }
            };
            let numbers = (0..count).map(number).collect::<Option<Vec<u16>>>()?;
            if let Some(item) = self.items.get_mut(&item) {
                item.properties = numbers;
            }
        }
        Some(())
    }

    /// The item that stands for the file.
    pub(super) fn primary(&self) -> Id {
        self.primary
    }

    /// What an item is: `hvc1`, `grid`, `Exif` and so on.
    pub(super) fn kind(&self, id: Id) -> Result<[u8; 4], DecodeError> {
        Ok(self.item(id)?.kind)
    }

    fn item(&self, id: Id) -> Result<&Item<'a>, DecodeError> {
        let item = self.items.get(&id);
        item.ok_or_else(|| damaged("it names an item that it does not have"))
    }

    /// How long the file is.
    pub(super) fn file_bytes(&self) -> usize {
        self.file.len()
    }

    /// The bytes of an item.
    pub(super) fn data(&self, id: Id) -> Result<Cow<'a, [u8]>, DecodeError> {
        let place = &self.item(id)?.place;
        let source = match place.method {
            0 if place.is_elsewhere => {
                return Err(unsupported("items whose bytes are in another file"));
            }
            0 => self.file,
            1 => self.idat,
            _ => return Err(unsupported("items made of other items' bytes")),
        };
        let piece = |(start, len): &(u64, u64)| -> Option<&'a [u8]> {
            let from_start = source.get(usize::try_from(*start).ok()?..)?;
            match usize::try_from(*len).ok()? {
                0 => Some(from_start),
                len => from_start.get(..len),
            }
        };
        if let [only] = place.pieces.as_slice() {
            return piece(only).map(Cow::Borrowed).ok_or(DecodeError::Truncated);
        }
        let mut data = Vec::new();
        for place in &place.pieces {
            let piece = piece(place).ok_or(DecodeError::Truncated)?;
            // Pieces that overlap could make much of a little.
            if data.len() + piece.len() > source.len() {
                return Err(damaged("the pieces of an item overlap"));
            }
            data.extend_from_slice(piece);
        }
        Ok(Cow::Owned(data))
    }

    fn properties(&self, id: Id) -> impl Iterator<Item = &Chest<'a>> {
        let numbers = self.items.get(&id).into_iter();
        let numbers = numbers.flat_map(|item| &item.properties);
        numbers.filter_map(|number| self.properties.get(usize::from(*number).checked_sub(1)?))
    }

    /// What a property of this kind holds.
    pub(super) fn property(&self, id: Id, kind: [u8; 4]) -> Option<&'a [u8]> {
        let found = self.properties(id).find(|chest| chest.kind == kind)?;
        Some(found.content)
    }

    /// Width and height before anything is done to the pixels.
    pub(super) fn size(&self, id: Id) -> Option<(u32, u32)> {
        let mut reader = Reader(self.property(id, *b"ispe")?);
        reader.version()?;
        Some((reader.u32()?, reader.u32()?))
    }

    pub(super) fn transforms(&self, id: Id) -> impl Iterator<Item = Transform> {
        self.properties(id).filter_map(|chest| {
            let mut reader = Reader(chest.content);
            Some(match &chest.kind {
                b"irot" => Transform::Turn(reader.u8()? & 3),
                b"imir" if reader.u8()? & 1 == 0 => Transform::Flip,
                b"imir" => Transform::MirrorSides,
                b"clap" => Transform::Crop(Aperture {
                    width: (reader.u32()?, reader.u32()?),
                    height: (reader.u32()?, reader.u32()?),
                    right: (reader.i32()?, reader.u32()?),
                    down: (reader.i32()?, reader.u32()?),
                }),
                _ => return None,
            })
        })
    }

    fn colors(&self, id: Id) -> impl Iterator<Item = ([u8; 4], Reader<'a>)> {
        let colors = self.properties(id).filter(|chest| chest.kind == *b"colr");
        colors.filter_map(|chest| {
            let mut reader = Reader(chest.content);
            Some((reader.four()?, reader))
        })
    }

    /// How the container says that colours are coded.
    pub(super) fn coding(&self, id: Id) -> Option<Coding> {
        let (_, mut reader) = self.colors(id).find(|(kind, _)| kind == b"nclx")?;
        let primaries = reader.u16()?;
        let _transfer = reader.u16()?;
        Some(Coding {
            primaries,
            matrix: reader.u16()?,
            is_full_range: reader.u8()? & 0x80 != 0,
        })
    }

    /// The colour profile of an item, or else of the first that it is made of.
    pub(super) fn profile(&self, id: Id) -> Option<&'a [u8]> {
        let profile = |id| {
            let mut colors = self.colors(id);
            let (_, profile) = colors
                .find(|(kind, rest)| (kind == b"prof" || kind == b"rICC") && !rest.0.is_empty())?;
            Some(profile.0)
        };
        profile(id).or_else(|| profile(*self.linked(id, *b"dimg").first()?))
    }

    /// The items that this one refers to in this way.
    pub(super) fn linked(&self, from: Id, kind: [u8; 4]) -> &[Id] {
        let mut links = self.links.iter();
        let link = links.find(|link| link.from == from && link.kind == kind);
        link.map_or(&[], |link| &link.to)
    }

    /// The items that refer to this one in this way.
    pub(super) fn linking(&self, to: Id, kind: [u8; 4]) -> impl Iterator<Item = Id> {
        let links = self.links.iter().filter(move |link| link.kind == kind);
        links
            .filter(move |link| link.to.contains(&to))
            .map(|link| link.from)
    }

    /// The items that describe a picture; where nothing describes it itself, the first of its tiles.
    pub(super) fn describing(&self, picture: Id) -> Vec<Id> {
        let own: Vec<Id> = self.linking(picture, *b"cdsc").collect();
        match self.linked(picture, *b"dimg").first() {
            Some(tile) if own.is_empty() => self.linking(*tile, *b"cdsc").collect(),
            _ => own,
        }
    }

    pub(super) fn is_xmp(&self, id: Id) -> bool {
        let item = self.items.get(&id);
        item.is_some_and(|item| item.kind == *b"mime" && item.media_type == b"application/rdf+xml")
    }

    /// The item that tells how opaque this one is.
    pub(super) fn opacity(&self, id: Id) -> Option<Id> {
        let is_opacity = |aux: &Id| {
            let name = self
                .property(*aux, *b"auxC")
                .and_then(|content| content.get(4..));
            let name = name.and_then(|name| name.split(|byte| *byte == 0).next());
            matches!(
                name,
                Some(
                    b"urn:mpeg:hevc:2015:auxid:1" | b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"
                )
            )
        };
        self.linking(id, *b"auxl").find(is_opacity)
    }
}

fn id(reader: &mut Reader<'_>, is_wide: bool) -> Option<Id> {
    if is_wide {
        reader.u32()
    } else {
        reader.u16().map(Id::from)
    }
}

/// One of an `infe` box; nothing where it is of a version before HEIF.
fn item(content: &[u8]) -> Option<(Id, Item<'_>)> {
    let mut reader = Reader(content);
    let (version, _) = reader.version()?;
    if version < 2 {
        return None;
    }
    let id = id(&mut reader, version > 2)?;
    // How it is protected.
    reader.u16()?;
    let kind = reader.four()?;
    let mut texts = reader.0.split(|byte| *byte == 0);
    let _name = texts.next();
    let item = Item {
        kind,
        media_type: texts.next().unwrap_or_default(),
        ..Item::default()
    };
    Some((id, item))
}

impl Transform {
    /// What becomes of a size.
    pub(super) fn size(self, (width, height): (u32, u32)) -> Result<(u32, u32), DecodeError> {
        Ok(match self {
            Transform::Turn(quarters) if quarters % 2 == 1 => (height, width),
            Transform::Turn(_) | Transform::MirrorSides | Transform::Flip => (width, height),
            Transform::Crop(aperture) => {
                let (_, _, width, height) = aperture.part((width, height))?;
                (width, height)
            }
        })
    }
}

impl Aperture {
    /// Left, top, width and height of the part of a picture of this size.
    pub(super) fn part(self, size: (u32, u32)) -> Result<(u32, u32, u32, u32), DecodeError> {
        let across = part_of_side(size.0, self.width, self.right);
        let down = part_of_side(size.1, self.height, self.down);
        let (Some((left, width)), Some((top, height))) = (across, down) else {
            return Err(damaged("its clean aperture is none"));
        };
        Ok((left, top, width, height))
    }
}

/// Where the part begins, and how long it is.
fn part_of_side(side: u32, len: (u32, u32), shift: (i32, u32)) -> Option<(u32, u32)> {
    let [side_, len_n, len_d, shift_d] = [side, len.0, len.1, shift.1].map(i128::from);
    let shift_n = i128::from(shift.0);
    // side / 2 + shift - length / 2
    let start_n = side_ * len_d * shift_d + 2 * shift_n * len_d - len_n * shift_d;
    let start = start_n
        .checked_div_euclid(2 * len_d * shift_d)?
        .clamp(0, side_);
    let len = len_n.checked_div(len_d)?.min(side_ - start);
    (len > 0).then_some((start as u32, len as u32))
}

#[cfg(test)]
mod tests {
    use super::super::super::boxes::boxed;
    use super::*;

    fn full(kind: [u8; 4], version: u8, content: &[u8]) -> Vec<u8> {
        boxed(kind, &[&[version, 0, 0, 0], content].concat())
    }

    fn numbers(numbers: &[u16]) -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect()
    }

    /// A file with two items and these boxes that tell of them.
    fn file(boxes: &[Vec<u8>]) -> Vec<u8> {
        let item = |id: u16, kind: [u8; 4]| {
            full(
                *b"infe",
                2,
                &[&numbers(&[id, 0])[..], &kind, b"\0"].concat(),
            )
        };
        let items = [numbers(&[2]), item(1, *b"hvc1"), item(2, *b"Exif")].concat();
        let primary = full(*b"pitm", 0, &numbers(&[1]));
        let meta = [full(*b"iinf", 0, &items), primary, boxes.concat()].concat();
        [boxed(*b"ftyp", b"heic\0\0\0\0"), full(*b"meta", 0, &meta)].concat()
    }

    /// Pieces of an item's data in a box of version 0 with numbers of two bytes: starts and lengths.
    fn pieces(item: u16, pieces: &[(u16, u16)]) -> Vec<u8> {
        let mut content = numbers(&[0x2200, 1, item, 0, pieces.len() as u16]);
        content.extend(
            pieces
                .iter()
                .flat_map(|(start, len)| numbers(&[*start, *len])),
        );
        full(*b"iloc", 0, &content)
    }

    #[test]
    fn the_data_of_an_item_are_its_pieces_one_behind_the_other() {
        let bytes = file(&[pieces(2, &[(4, 4), (8, 2)])]);
        let meta = Meta::read(&bytes).unwrap();
        assert_eq!(*meta.data(2).unwrap(), *b"ftyphe");
        assert_eq!(meta.kind(1).unwrap(), *b"hvc1");
        assert!(meta.data(1).unwrap().is_empty());
        assert!(meta.data(3).is_err());
        let mut elsewhere = pieces(2, &[(4, 4)]);
        let of_file = elsewhere.len() - 2 * 4;
        elsewhere[of_file + 1] = 1;
        let bytes = file(&[elsewhere]);
        let error = Meta::read(&bytes).unwrap().data(2).map(drop).unwrap_err();
        assert!(error.to_string().contains("another file"), "{error}");
        let all = file(&[pieces(2, &[(4, 0)])]);
        assert_eq!(*Meta::read(&all).unwrap().data(2).unwrap(), all[4..]);
    }

    #[test]
    fn pieces_that_are_not_there_or_overlap_are_refused() {
        let bytes = file(&[pieces(2, &[(4, 60_000)])]);
        let cut = Meta::read(&bytes).unwrap().data(2).map(drop);
        assert!(matches!(cut, Err(DecodeError::Truncated)), "{cut:?}");
        let bytes = file(&[pieces(2, &[(0, 0); 2])]);
        let overlap = Meta::read(&bytes).unwrap().data(2).map(drop);
        assert!(
            matches!(overlap, Err(DecodeError::Damaged(_))),
            "{overlap:?}"
        );
    }

    #[test]
    fn counts_are_bounded_whatever_a_file_says() {
        // As many pieces as there can be, none of which takes a byte to tell of.
        let endless = full(*b"iloc", 0, &numbers(&[0, 1, 2, 0, u16::MAX]));
        assert!(Meta::read(&file(&[endless])).is_err());
        // More items than there are bytes.
        let cut = full(*b"iloc", 2, &[&[0x22, 0][..], &[255; 4]].concat());
        assert!(Meta::read(&file(&[cut])).is_err());
        let many = |boxes| vec![pieces(2, &vec![(0, 1); 10_000]); boxes];
        assert!(Meta::read(&file(&many(13))).is_ok());
        assert!(Meta::read(&file(&many(14))).is_err());
        let links = vec![[0; 4]; 20_000].concat();
        let link = boxed(*b"dimg", &[&numbers(&[1, 40_000])[..], &links].concat());
        let links = full(*b"iref", 0, &vec![link; 4].concat());
        assert!(Meta::read(&file(&[links])).is_err());
    }

    #[test]
    fn an_item_may_be_made_of_itself_and_nothing_runs_for_ever() {
        let link = boxed(*b"dimg", &numbers(&[1, 1, 1]));
        let bytes = file(&[full(*b"iref", 0, &link)]);
        let meta = Meta::read(&bytes).unwrap();
        assert_eq!(meta.linked(1, *b"dimg"), [1]);
        assert_eq!(meta.profile(1), None);
        assert!(meta.describing(1).is_empty());
    }

    #[test]
    fn a_clean_aperture_lies_around_the_middle() {
        let aperture = |width, right| Aperture {
            width: (width, 1),
            height: (4, 1),
            right,
            down: (0, 1),
        };
        let part = |width, right| aperture(width, right).part((10, 4)).ok();
        assert_eq!(part(4, (0, 1)), Some((3, 0, 4, 4)));
        assert_eq!(part(4, (2, 1)), Some((5, 0, 4, 4)));
        assert_eq!(part(5, (1, 2)), Some((3, 0, 5, 4)));
        assert_eq!(part(20, (0, 1)), Some((0, 0, 10, 4)));
        assert_eq!(part(0, (0, 1)), None);
        assert_eq!(part(4, (0, 0)), None);
        assert_eq!(part(4, (i32::MIN, 1)), Some((0, 0, 4, 4)));
        assert_eq!(part(4, (i32::MAX, 1)), None);
    }
}
