//! The boxes that files of HEIF, AVIF, JPEG XL and MP4 are made of: where each lies, and numbers in it.

use std::borrow::Cow;

/// A box: four letters that say what it is, and what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chest<'a> {
    pub(super) kind: [u8; 4],
    /// All of it that the file has.
    pub(super) content: &'a [u8],
    /// Whether the file has all that the header tells of.
    pub(super) is_whole: bool,
}

/// The boxes that stand in these bytes one behind the other, up to the first that is none: phones put other things behind
/// their pictures.
pub(super) fn boxes(bytes: &[u8]) -> impl Iterator<Item = Chest<'_>> {
    let mut rest = Reader(bytes);
    std::iter::from_fn(move || next(&mut rest))
}

fn next<'a>(rest: &mut Reader<'a>) -> Option<Chest<'a>> {
    let short = rest.u32()?;
    let kind = rest.four()?;
    let content_len = match short {
        // Up to the end of the file.
        0 => rest.0.len() as u64,
        1 => rest.u64()?.checked_sub(16)?,
        len => u64::from(len).checked_sub(8)?,
    };
    let len = usize::try_from(content_len).unwrap_or(usize::MAX);
    let is_whole = len <= rest.0.len();
    Some(Chest {
        kind,
        content: rest.take(len.min(rest.0.len()))?,
        is_whole,
    })
}

/// The first box of this kind.
pub(super) fn find(bytes: &[u8], kind: [u8; 4]) -> Option<Chest<'_>> {
    boxes(bytes).find(|chest| chest.kind == kind)
}

/// What is not read yet. Numbers have their highest byte first; nothing where there are not so many bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn four(&mut self) -> Option<[u8; 4]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    /// A number of so many bytes, eight at most.
    pub(super) fn number(&mut self, len: usize) -> Option<u64> {
        let bytes = self.take(len)?;
        let join = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        (len <= 8).then(|| bytes.iter().fold(0, join))
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.number(1).map(|number| number as u8)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.number(2).map(|number| number as u16)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.number(4).map(|number| number as u32)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.u32().map(u32::cast_signed)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.number(8)
    }

    /// The version and the flags that many boxes begin with.
    pub(super) fn version(&mut self) -> Option<(u8, u32)> {
        let both = self.u32()?;
        Some(((both >> 24) as u8, both & 0x00FF_FFFF))
    }
}

/// The TIFF structure in a block of EXIF: four bytes say where it begins. Some writers leave them out, or are wrong about them, or
/// keep the head that it has in JPEGs.
#[cfg_attr(
    not(any(feature = "heif", feature = "avif", feature = "jxl")),
    allow(dead_code, reason = "videos have none")
)]
pub(super) fn tiff_of_exif(block: Cow<'_, [u8]>) -> Option<Cow<'_, [u8]>> {
    let mut reader = Reader(&block);
    let offset = reader.u32()? as usize;
    let is_tiff = |at: &usize| {
        let bytes = block.get(*at..).unwrap_or_default();
        bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*")
    };
    let told = offset.saturating_add(4);
    let behind_head = told.saturating_add(6);
    let start = [told, behind_head, 0, 4, 6, 10].into_iter().find(is_tiff)?;
    Some(match block {
        Cow::Borrowed(block) => Cow::Borrowed(block.get(start..)?),
        Cow::Owned(mut block) => {
            block.drain(..start);
            Cow::Owned(block)
        }
    })
}

/// A box of this kind around these bytes.
#[cfg(test)]
pub(super) fn boxed(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let len = content.len() as u32 + 8;
    [&len.to_be_bytes()[..], &kind, content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_found_one_behind_the_other() {
        let long = [&[0, 0, 0, 1][..], b"long", &19_u64.to_be_bytes(), b"abc"].concat();
        let bytes = [
            boxed(*b"ftyp", b"heic"),
            long,
            boxed(*b"none", b""),
            [&[0; 4][..], b"rest", b"all of it"].concat(),
        ]
        .concat();
        let found: Vec<_> = boxes(&bytes)
            .map(|chest| (chest.kind, chest.content, chest.is_whole))
            .collect();
        let expected: [([u8; 4], &[u8], bool); 4] = [
            (*b"ftyp", b"heic", true),
            (*b"long", b"abc", true),
            (*b"none", b"", true),
            (*b"rest", b"all of it", true),
        ];
        assert_eq!(found, expected);
        assert_eq!(find(&bytes, *b"long").unwrap().content, b"abc");
        assert_eq!(find(&bytes, *b"meta"), None);
    }

    #[test]
    fn a_box_that_is_cut_off_has_what_is_there_and_what_is_none_ends_them() {
        let mut bytes = boxed(*b"mdat", b"123456");
        bytes.truncate(11);
        let cut = find(&bytes, *b"mdat").unwrap();
        assert_eq!((cut.content, cut.is_whole), (&b"123"[..], false));
        let far = [&[0, 0, 0, 1][..], b"mdat", &[255; 8], b"12"].concat();
        assert!(!find(&far, *b"mdat").unwrap().is_whole);
        for none in [
            &b"\0\0\0\x07mdat"[..],
            b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x0F",
            b"\0\0",
        ] {
            assert_eq!(boxes(none).count(), 0, "{none:?}");
        }
    }
}
