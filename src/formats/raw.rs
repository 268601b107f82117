//! How the files of cameras, straight from the sensor, are told from all others, and from a plain TIFF above all.

use super::tiff::{Directory, SUB_DIRECTORIES, Structure};

/// How files begin that are no TIFF.
const STARTS: [&[u8]; 8] = [
    // Fuji.
    b"FUJIFILMCCD-RAW",
    // Panasonic and Leica.
    b"IIU\0",
    // Olympus.
    b"IIRO",
    b"IIRS",
    b"MMOR",
    // Minolta.
    b"\0MRM",
    // Sigma.
    b"FOVb",
    // Canon before 2004.
    b"II\x1A\0\0\0HEAPCCDR",
];

/// What Canon puts behind the first offset of a TIFF.
const CANON: [&[u8]; 2] = [b"CR\x02\0", b"\xBA\xB0\xAC\xBB"];

const SUBFILE: u16 = 0x00FE;
const COMPRESSION: u16 = 0x0103;
const PHOTOMETRIC: u16 = 0x0106;
const MAKE: u16 = 0x010F;
const DNG_VERSION: u16 = 0xC612;

/// Whether a file of these bytes is a RAW file.
pub(crate) fn is_raw(bytes: &[u8]) -> bool {
    STARTS.iter().any(|start| bytes.starts_with(start))
        || bytes.get(4..12) == Some(b"ftypcrx ")
        || is_plain_start(bytes) && is_of_a_camera(bytes)
}

/// Whether they begin like a TIFF.
pub(super) fn is_plain_start(bytes: &[u8]) -> bool {
    bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*")
}

fn is_of_a_camera(bytes: &[u8]) -> bool {
    let Some(structure) = Structure::of(bytes) else {
        return false;
    };
    is_canon(&structure)
        || is_phase_one(bytes)
        || is_dng(&structure)
        || is_thumbnail_first(&structure)
        || structure.directories().iter().any(is_of_a_sensor)
}

/// The pixels of a plain TIFF may stand where its mark stands, so the mark alone does not tell.
fn is_canon(structure: &Structure<'_>) -> bool {
    let mark = structure.bytes().get(8..).unwrap_or_default();
    let make = structure.first().and_then(|first| first.entry(MAKE));
    CANON.iter().any(|canon| mark.starts_with(canon))
        && make.is_some_and(|make| make.value.starts_with(b"Canon"))
}

/// Cameras put a thumbnail in front, and all else below it, where it may be missing.
fn is_thumbnail_first(structure: &Structure<'_>) -> bool {
    structure.first().is_some_and(|first| {
        first.number(SUBFILE) == Some(1) && first.has(MAKE) && first.has(SUB_DIRECTORIES)
    })
}

/// `Raw` behind four letters, in the order of its bytes.
fn is_phase_one(bytes: &[u8]) -> bool {
    let mark = bytes.get(8..16).unwrap_or_default();
    mark.starts_with(b"IIII") && mark.ends_with(b"waR") || mark.starts_with(b"MMMMRaw")
}

/// Whether it is Adobe's format, which says all that is in the file.
pub(crate) fn is_dng(structure: &Structure<'_>) -> bool {
    structure
        .first()
        .is_some_and(|first| first.has(DNG_VERSION))
}

/// Whether what the directory tells of is what a sensor saw, and no picture yet.
pub(crate) fn is_of_a_sensor(directory: &Directory<'_>) -> bool {
    // A mosaic of colours, or one that was only made full.
    let is_mosaic = matches!(directory.number(PHOTOMETRIC), Some(32_803 | 34_892));
    // Of Sony, Epson, Samsung twice, Kodak, Nikon, Kodak and Pentax.
    let is_packed = matches!(
        directory.number(COMPRESSION),
        Some(32_767 | 32_769 | 32_770 | 32_772 | 32_867 | 34_713 | 65_000 | 65_535)
    );
    is_mosaic || is_packed
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::tiff::Order::{Big, Little};
    use super::super::tiff::written::{Values, Writer};
    use super::*;

    fn shorts(value: u16) -> Values {
        Values::Shorts(vec![value])
    }

    /// A structure with this mark, whose first directory has these entries, and this one below it.
    fn structure(mark: &[u8], mut first: Vec<(u16, Values)>, below: (u16, u16)) -> Vec<u8> {
        let mut writer = Writer::new(Little, 42, mark);
        let below = writer.directory(&[(below.0, shorts(below.1))], 0);
        first.push((SUB_DIRECTORIES, Values::Longs(vec![below])));
        let first = writer.directory(&first, 0);
        writer.finish(first)
    }

    #[test]
    fn the_files_of_cameras_are_told_from_plain_ones() {
        let make = |make| (MAKE, Values::Text(make));
        let plain = (PHOTOMETRIC, 2);
        let raw = [
            structure(b"CR\x02\0", vec![make("Canon")], plain),
            structure(b"\xBA\xB0\xAC\xBB", vec![make("Canon")], plain),
            structure(b"IIIITwaR", vec![], plain),
            structure(
                b"",
                vec![(DNG_VERSION, Values::Bytes(vec![1, 4, 0, 0]))],
                plain,
            ),
            structure(b"", vec![], (PHOTOMETRIC, 32_803)),
            structure(b"", vec![], (PHOTOMETRIC, 34_892)),
            structure(b"", vec![], (COMPRESSION, 34_713)),
            structure(b"", vec![make("NIKON"), (SUBFILE, shorts(1))], plain),
            b"FUJIFILMCCD-RAW 0201".to_vec(),
            b"IIU\0".to_vec(),
            b"IIRO\x08\0\0\0".to_vec(),
            b"MMOR\0\0\0\x08".to_vec(),
            b"\0MRM".to_vec(),
            b"FOVb".to_vec(),
            b"\0\0\0\x18ftypcrx \0\0\0\x01".to_vec(),
            b"II\x1A\0\0\0HEAPCCDR".to_vec(),
        ];
        for bytes in raw {
            assert_eq!(Format::of_bytes(&bytes), Some(Format::Raw), "{bytes:?}");
        }
        // Pixels stand where marks do, and thumbnails below pictures.
        let mut empty = Writer::plain(Big);
        let first = empty.directory(&[(PHOTOMETRIC, shorts(2))], 0);
        let not_raw = [
            structure(b"CR\x02\0", vec![], plain),
            structure(b"IIIIIIII", vec![make("Canon")], plain),
            structure(b"MMMMMMMM", vec![make("Canon")], plain),
            structure(b"", vec![make("NIKON"), (SUBFILE, shorts(0))], (SUBFILE, 1)),
            structure(b"", vec![(SUBFILE, shorts(1))], plain),
            structure(b"", vec![(COMPRESSION, shorts(7))], (COMPRESSION, 8)),
            empty.finish(first),
            b"II*\0".to_vec(),
        ];
        for bytes in not_raw {
            assert_eq!(Format::of_bytes(&bytes), Some(Format::Tiff), "{bytes:?}");
        }
    }
}
