//! No decoder takes more memory than its picture was said to need: counted at the allocator, for every sort of file.

use std::io::Cursor;
use std::path::Path;
use std::sync::Mutex;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use pixdex::config::DecodeConfig;
use pixdex::decode::{self, DecodeError, Encoded};
use pixdex::formats::Format;

#[path = "memory/counting.rs"]
mod counting;

use counting::most;

/// Held by the test that counts.
static COUNTING: Mutex<()> = Mutex::new(());

const LIMITS: DecodeConfig = DecodeConfig {
    max_pixels: 300_000_000,
    max_file_bytes: 500_000_000,
    memory_bytes: 0,
    max_frames: 4,
    ffmpeg: String::new(),
};

/// Whether the picture could be opened, and how much was said, and taken, for that.
fn check_opening<'a>(name: &str, bytes: &'a [u8]) -> Result<Encoded<'a>, DecodeError> {
    let (opened, taken) = most(|| decode::open(bytes, &LIMITS));
    let said = decode::need_to_open(bytes);
    println!("{name}: open {taken} of {said}");
    assert!(taken <= said, "{name} takes {taken} to open, not {said}");
    Ok(opened?.1)
}

/// The same for each step until it is decoded.
fn check(name: &str, bytes: &[u8]) -> Result<(), DecodeError> {
    let encoded = check_opening(name, bytes)?;
    for side in [1, 100, 300] {
        let Some(said) = encoded.need_shrunk(side) else {
            continue;
        };
        let (_, taken) = most(|| encoded.shrunk(side));
        assert!(
            taken <= said,
            "{name} takes {taken} when shrunk, not {said}"
        );
    }
    let said = encoded.need();
    // A decoder that panics is told of with a backtrace, which takes more than the picture.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let (decoded, taken) = most(|| encoded.whole());
    std::panic::set_hook(hook);
    println!("{name}: decode {taken} of {said}");
    assert!(taken <= said, "{name} takes {taken}, not {said}");
    decoded.map(drop)
}

fn waves(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * x / 9 + y) as u8, (x * 3) as u8, (x ^ y) as u8])
    })
}

fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn jpeg(color: ColorType, set: impl Fn(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let channels: usize = match color {
        ColorType::Luma => 1,
        ColorType::Rgb => 3,
        _ => 4,
    };
    let pixels: Vec<u8> = (0..900 * 700 * channels)
        .map(|at| (at * at / 31) as u8)
        .collect();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 80);
    set(&mut encoder);
    encoder.encode(&pixels, 900, 700, color).unwrap();
    bytes
}

fn be(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))
        })
    })
}

fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [&kind[..], data].concat();
    [&be(data.len() as u32)[..], &body, &be(crc(&body))].concat()
}

/// So many zeros as a zlib stream of stored blocks.
fn zeros(count: usize) -> Vec<u8> {
    let mut bytes = vec![0x78, 0x01];
    let mut left = count;
    while left > 0 {
        let len = left.min(65_535) as u16;
        left -= usize::from(len);
        bytes.push(u8::from(left == 0));
        bytes.extend(len.to_le_bytes());
        bytes.extend((!len).to_le_bytes());
        bytes.resize(bytes.len() + usize::from(len), 0);
    }
    bytes.extend(be((count % 65_521) as u32 * 65_536 + 1));
    bytes
}

/// A black PNG; `kind` is its type of colour.
fn png(
    width: u32,
    height: u32,
    depth: u8,
    kind: u8,
    is_interlaced: bool,
    between: &[u8],
) -> Vec<u8> {
    let channels = [1, 0, 3, 1, 2, 0, 4][usize::from(kind)];
    let row = |width: u32| (width * channels * u32::from(depth)).div_ceil(8) as usize;
    let pass = |x: u32, dx: u32, y: u32, dy: u32| {
        let (across, down) = ((width + dx - 1 - x) / dx, (height + dy - 1 - y) / dy);
        if across == 0 {
            0
        } else {
            (row(across) + 1) * down as usize
        }
    };
    let len = if is_interlaced {
        pass(0, 8, 0, 8)
            + pass(4, 8, 0, 8)
            + pass(0, 4, 4, 8)
            + pass(2, 4, 0, 4)
            + pass(0, 2, 2, 4)
            + pass(1, 2, 0, 2)
            + pass(0, 1, 1, 2)
    } else {
        (row(width) + 1) * height as usize
    };
    let header = [
        &be(width)[..],
        &be(height),
        &[depth, kind, 0, 0, u8::from(is_interlaced)],
    ];
    [
        b"\x89PNG\r\n\x1A\n".to_vec(),
        chunk(*b"IHDR", &header.concat()),
        between.to_vec(),
        chunk(*b"IDAT", &zeros(len)),
        chunk(*b"IEND", b""),
    ]
    .concat()
}

/// A GIF that promises a frame and shows a pixel of it.
fn gif(screen: (u16, u16), frame: (u16, u16)) -> Vec<u8> {
    let mut bytes = b"GIF89a".to_vec();
    bytes.extend([screen.0, screen.1].map(u16::to_le_bytes).concat());
    bytes.extend([0x80, 0, 0, 0, 0, 0, 255, 255, 255, 0x2C, 0, 0, 0, 0]);
    bytes.extend([frame.0, frame.1].map(u16::to_le_bytes).concat());
    bytes.extend([0, 2, 2, 0x4C, 0x01, 0, 0x3B]);
    bytes
}

/// A black TIFF in tiles, of which the last ones stand out over the edge.
fn tiff_in_tiles(width: u32, height: u32, tile: u32) -> Vec<u8> {
    let tiles = width.div_ceil(tile) * height.div_ceil(tile);
    let fields: [(u16, u32, u32); 11] = [
        (256, 1, width),
        (257, 1, height),
        (258, 3, 0),
        (259, 1, 1),
        (262, 1, 2),
        (277, 1, 3),
        (284, 1, 1),
        (322, 1, tile),
        (323, 1, tile),
        (324, tiles, 0),
        (325, tiles, 0),
    ];
    let behind = 8 + 2 + 12 * fields.len() as u32 + 4;
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend((fields.len() as u16).to_le_bytes());
    let (bits, offsets) = (behind, behind + 12);
    let counts = offsets + 4 * tiles;
    let data = counts + 4 * tiles;
    for (tag, count, value) in fields {
        let value = match tag {
            258 => bits,
            324 => offsets,
            325 => counts,
            _ => value,
        };
        bytes.extend(tag.to_le_bytes());
        bytes.extend(4_u16.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes.extend([8_u32; 3].map(u32::to_le_bytes).concat());
    let tile_bytes = 3 * tile * tile;
    let each = |number: &dyn Fn(u32) -> u32| -> Vec<u8> {
        (0..tiles).flat_map(|at| number(at).to_le_bytes()).collect()
    };
    bytes.extend(each(&|at| data + at * tile_bytes));
    bytes.extend(each(&|_| tile_bytes));
    bytes.resize(bytes.len() + (tiles * tile_bytes) as usize, 0);
    bytes
}

/// A TIFF with a field of as many values as it likes.
fn tiff_of_many_values(count: u32) -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0\x03\0".to_vec();
    for (tag, kind, count, value) in [(256, 3, 1, 9), (257, 3, 1, 9), (339_u16, 3_u16, count, 50)] {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(u32::to_le_bytes(count));
        bytes.extend(u32::to_le_bytes(value));
    }
    bytes.resize(50 + 2 * count as usize, 1);
    bytes
}

#[test]
fn no_decoder_takes_more_than_was_said() {
    let _alone = COUNTING.lock();
    // What is made once for all is not the picture's.
    let warm = written(&waves(8, 8).into(), ImageFormat::Png);
    decode::open(&warm, &LIMITS).unwrap().1.whole().unwrap();

    let fixtures = ["parity/pictures", "decode"].map(|folder| {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        std::fs::read_dir(fixtures.join(folder)).unwrap()
    });
    let fixtures = fixtures.into_iter().flatten();
    let mut fixtures: Vec<_> = fixtures
        .map(|entry| entry.unwrap().path())
        .filter(|path| Format::of_path(path).is_some())
        .collect();
    fixtures.sort();
    assert!(fixtures.len() > 20);
    for path in fixtures {
        let name = path.file_name().unwrap().to_str().unwrap();
        check(name, &std::fs::read(&path).unwrap()).unwrap();
    }

    let picture = DynamicImage::from(waves(900, 700));
    let sorts = [
        ("rgb", picture.clone()),
        ("rgba", picture.to_rgba8().into()),
        ("grey", picture.to_luma8().into()),
        ("rgb 16", picture.to_rgb16().into()),
        ("rgba 16", picture.to_rgba16().into()),
        ("grey 16", picture.to_luma16().into()),
    ];
    for (sort, picture) in &sorts {
        for format in [ImageFormat::Png, ImageFormat::Tiff] {
            check(&format!("{sort} {format:?}"), &written(picture, format)).unwrap();
        }
    }
    for (sort, picture) in &sorts[..2] {
        for format in [ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp] {
            check(&format!("{sort} {format:?}"), &written(picture, format)).unwrap();
        }
    }

    for (sort, color) in [
        ("rgb", ColorType::Rgb),
        ("grey", ColorType::Luma),
        ("cmyk", ColorType::Cmyk),
    ] {
        check(&format!("{sort} jpeg"), &jpeg(color, |_| {})).unwrap();
        for progressive in [false, true] {
            for sampling in [
                SamplingFactor::R_4_4_4,
                SamplingFactor::R_4_2_0,
                SamplingFactor::R_4_1_1,
            ] {
                let bytes = jpeg(color, |encoder| {
                    encoder.set_progressive(progressive);
                    encoder.set_sampling_factor(sampling);
                });
                // Some sorts are refused; what that takes counts all the same.
                drop(check(
                    &format!("{sort} jpeg {sampling:?} {progressive}"),
                    &bytes,
                ));
            }
        }
    }
}

fn webp(parts: &[u8]) -> Vec<u8> {
    let length = (4 + parts.len() as u32).to_le_bytes();
    [b"RIFF", &length[..], b"WEBP", parts].concat()
}

fn webp_part(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u32).to_le_bytes();
    [&kind[..], &length, data, &vec![0; data.len() % 2]].concat()
}

/// A lossy picture that says this size, of which nothing follows but one partition that says it is as long as can be.
fn lossy_webp(width: u16, height: u16) -> Vec<u8> {
    let mut data = vec![0x10, 2, 0, 0x9D, 0x01, 0x2A];
    data.extend([width, height].map(u16::to_le_bytes).concat());
    // The bits say that there are eight partitions.
    data.extend([0, 3, 0xFF, 0xFF]);
    data.resize(10 + 16, 0);
    data.extend([0xFF; 21]);
    webp_part(*b"VP8 ", &data)
}

/// Bits, the least significant first.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(&mut self, number: u32, len: u32) {
        self.0
            .extend((0..len).map(|place| number >> place & 1 == 1));
    }

    /// A code of one symbol.
    fn put_symbol(&mut self, symbol: u32) {
        self.put(0b101, 3);
        self.put(symbol, 8);
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            bits.iter()
                .rev()
                .fold(0, |byte, bit| byte << 1 | u8::from(*bit))
        };
        self.0.chunks(8).map(byte).collect()
    }
}

/// The stream of a lossless picture of four by four pixels with so many sets of codes, of which each takes as much as it can.
fn lossless_webp(sets: u32, with_header: bool) -> Vec<u8> {
    let mut bits = Bits::default();
    if with_header {
        bits.put(0x2F, 8);
        bits.put(3 | 3 << 14, 32);
    }
    // No transform, a cache of 2,048 colours, and one part with the last set.
    bits.put(0, 1);
    bits.put(1 | 11 << 1, 5);
    bits.put(1, 4);
    bits.put(0, 1);
    let last = sets - 1;
    for symbol in [last & 0xFF, last >> 8, 0, 255, 0] {
        bits.put_symbol(symbol);
    }
    for _ in 0..sets {
        // 2,048 codes of eleven bits.
        bits.put(11 << 1, 5);
        (0..14).for_each(|_| bits.put(0, 3));
        bits.put(1, 3);
        bits.put(1 | 5 << 1, 4);
        bits.put(2_046, 12);
        (0..4).for_each(|_| bits.put_symbol(0));
    }
    bits.put(0, 32);
    bits.bytes()
}

#[test]
fn no_webp_takes_more_than_was_said() {
    let _alone = COUNTING.lock();
    let header = [16 + 8, 0, 0, 0, 3, 0, 0, 3, 0, 0];
    let extended = |parts: &[Vec<u8>]| {
        let header = webp_part(*b"VP8X", &header);
        webp(&[header, parts.concat()].concat())
    };
    drop(check(
        "lossy webp of a part that is not there",
        &webp(&lossy_webp(4, 4)),
    ));
    drop(check(
        "webp of two sizes",
        &extended(&[lossy_webp(9_000, 9_000)]),
    ));
    let lossless = webp_part(*b"VP8L", &lossless_webp(1_000, true));
    drop(check("webp of many codes", &webp(&lossless)));
    drop(check(
        "webp of many codes in a part",
        &extended(&[lossless]),
    ));
    let opacity = [&[1][..], &lossless_webp(1_000, false)].concat();
    let opacity = webp_part(*b"ALPH", &opacity);
    drop(check(
        "webp of many codes for its opacity",
        &extended(&[opacity, lossy_webp(4, 4)]),
    ));
    let mut metadata = webp_part(*b"EXIF", b"");
    metadata[4..8].copy_from_slice(&100_000_000_u32.to_le_bytes());
    let metadata = &[lossy_webp(4, 4), metadata];
    drop(check(
        "webp of metadata that are not there",
        &extended(metadata),
    ));
    let mut lossy = lossy_webp(9_000, 9_000);
    lossy[..4].copy_from_slice(b"JUNK");
    let opacity = webp_part(*b"ALPH", &[0; 17]);
    let frame = [
        &[0; 6][..],
        &[3, 0, 0, 3, 0, 0, 0, 0, 0, 0],
        &opacity,
        &lossy,
    ]
    .concat();
    let film = [
        webp_part(*b"VP8X", &[2, 0, 0, 0, 3, 0, 0, 3, 0, 0]),
        webp_part(*b"ANIM", &[0; 6]),
        webp_part(*b"ANMF", &frame),
    ];
    drop(check("film of two sizes", &webp(&film.concat())));
    // Bytes that no decoder looks at are copied all the same.
    let long = [&lossy_webp(4, 4)[8..], &vec![0; 20_000_000]].concat();
    drop(check(
        "webp with a long end",
        &webp(&webp_part(*b"VP8 ", &long)),
    ));
}

/// Small files that want much memory: by their header, or by what unfolds.
#[test]
fn no_bomb_takes_more_than_was_said() {
    let _alone = COUNTING.lock();
    for (depth, kind) in [(1, 0), (8, 0), (16, 2), (8, 6), (16, 6), (16, 4)] {
        for is_interlaced in [false, true] {
            let name = format!("png {depth} {kind} {is_interlaced}");
            check(&name, &png(501, 333, depth, kind, is_interlaced, b"")).unwrap();
        }
    }
    check("png of one row", &png(2_000_000, 1, 16, 6, false, b"")).unwrap();
    check("png of one column", &png(1, 200_000, 16, 6, false, b"")).unwrap();
    let profile = chunk(*b"iCCP", &[b"x\0\0", &zeros(3_000_000)[..]].concat());
    check(
        "png with a large profile",
        &png(9, 9, 8, 2, false, &profile),
    )
    .unwrap();

    for (screen, frame) in [
        ((3_000, 3_000), (3_000, 3_000)),
        ((1, 1), (4_000, 3_000)),
        ((3_000, 3_000), (1, 1)),
        ((3_000, 3_000), (2_999, 3_000)),
    ] {
        drop(check(
            &format!("gif {screen:?} {frame:?}"),
            &gif(screen, frame),
        ));
    }
    check("tiff in tiles", &tiff_in_tiles(500, 300, 256)).unwrap();
    drop(check(
        "tiff in one large tile",
        &tiff_in_tiles(20, 20, 2_048),
    ));
    drop(check("tiff of many values", &tiff_of_many_values(200_000)));
}

/// A RAW file of Adobe's: a directory of these numbers, with strips or tiles behind it that are all the same.
fn dng(
    numbers: &[(u16, u32)],
    (offsets, lengths): (u16, u16),
    count: usize,
    part: &[u8],
) -> Vec<u8> {
    let entries = numbers.len() + 4;
    let behind = 8 + 6 + 12 * entries;
    let entry = |tag: u16, kind: u16, count: usize, value: u32| {
        let head = [tag.to_le_bytes(), kind.to_le_bytes()].concat();
        [
            head,
            (count as u32).to_le_bytes().to_vec(),
            value.to_le_bytes().to_vec(),
        ]
        .concat()
    };
    let lists = [behind, behind + 4 * count].map(|at| at as u32);
    let pixels = (behind + 8 * count) as u32;
    let mut bytes = [&b"II*\0\x08\0\0\0"[..], &(entries as u16).to_le_bytes()].concat();
    for (tag, number) in numbers {
        bytes.extend(entry(*tag, 4, 1, *number));
    }
    bytes.extend(entry(0x0102, 1, 3, 0x0008_0808));
    bytes.extend(entry(0xC612, 1, 4, 1));
    bytes.extend(entry(
        offsets,
        4,
        count,
        if count == 1 { pixels } else { lists[0] },
    ));
    bytes.extend(entry(
        lengths,
        4,
        count,
        if count == 1 {
            part.len() as u32
        } else {
            lists[1]
        },
    ));
    bytes.extend([0; 4]);
    bytes.extend(pixels.to_le_bytes().repeat(count));
    bytes.extend((part.len() as u32).to_le_bytes().repeat(count));
    bytes.extend(part);
    bytes
}

#[test]
fn no_raw_file_takes_more_than_was_said() {
    let _alone = COUNTING.lock();
    let picture = jpeg(ColorType::Rgb, |_| {});
    let mut fuji = b"FUJIFILMCCD-RAW ".to_vec();
    fuji.resize(84, 0);
    fuji.extend([be(92), be(picture.len() as u32)].concat());
    let kinds = [
        (
            "raw with a jpeg",
            [&fuji[..], &picture, &vec![7; 9_000_000]].concat(),
        ),
        (
            "raw to be searched",
            [&b"IIRO\x08\0\0\0"[..], &vec![0; 9_000_000], &picture].concat(),
        ),
        (
            "raw of tiles",
            dng(
                &[
                    (0x100, 2_600),
                    (0x101, 2_000),
                    (0x103, 7),
                    (0x106, 6),
                    (0x142, 900),
                    (0x143, 700),
                    (0x112, 6),
                ],
                (0x144, 0x145),
                9,
                &picture,
            ),
        ),
        (
            "raw of plain pixels",
            dng(
                &[
                    (0x100, 900),
                    (0x101, 700),
                    (0x103, 1),
                    (0x106, 2),
                    (0x115, 3),
                    (0x112, 6),
                ],
                (0x111, 0x117),
                1,
                &vec![9; 900 * 700 * 3],
            ),
        ),
    ];
    for (name, bytes) in kinds {
        check(name, &bytes).unwrap();
    }
}

fn segment(marker: u8, parts: &[&[u8]]) -> Vec<u8> {
    let data = parts.concat();
    let length = (data.len() as u16 + 2).to_be_bytes();
    [&[0xFF, marker], &length[..], &data].concat()
}

fn jpeg_with(segments: &[Vec<u8>]) -> Vec<u8> {
    let bytes = written(&waves(8, 8).into(), ImageFormat::Jpeg);
    [&bytes[..2], &segments.concat(), &bytes[2..]].concat()
}

/// A TIFF structure of one directory with so many fields, each of which says that it is a text of so many bytes.
fn crowded_tiff(fields: u16, tag: u16, text: &[u8]) -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend(fields.to_le_bytes());
    let behind = 8 + 2 + 12 * u32::from(fields) + 4;
    for _ in 0..fields {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(2_u16.to_le_bytes());
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(behind.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes.extend(text);
    bytes
}

/// A packet of as many keywords as there is room for.
fn crowded_packet(room: usize) -> Vec<u8> {
    let start = "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description \
                 xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:subject><rdf:Bag>";
    let end = "</rdf:Bag></dc:subject></rdf:Description></rdf:RDF>";
    let items = (room - start.len() - end.len()) / 18;
    format!("{start}{}{end}", "<rdf:li>a</rdf:li>".repeat(items)).into_bytes()
}

#[test]
fn nothing_that_a_file_says_takes_more_than_was_said() {
    let _alone = COUNTING.lock();
    drop(check_opening("warm", &jpeg_with(&[])));
    let xmp = |packet: &[u8]| segment(0xE1, &[b"http://ns.adobe.com/xap/1.0/\0", packet]);
    let crowded = crowded_packet(65_000);
    let piece = vec![0x80; 65_000];
    let western = [b"<", &piece[..], b">"].concat();
    let exif = |block: &[u8]| segment(0xE1, &[b"Exif\0\0", block]);
    let name = [b'A'; 32];
    let piece = vec![0x80; 65_000];
    let more: Vec<u8> = (0..300)
        .flat_map(|at: u32| {
            let start = b"http://ns.adobe.com/xmp/extension/\0";
            let place = (at * 65_000).to_be_bytes();
            segment(0xE1, &[start, &name, &[0; 4], &place, &piece])
        })
        .collect();
    let sets = [0x1C, 2, 25, 0, 1, b'a'].repeat(10_000);
    let sets = [
        b"8BIM\x04\x04\0\0",
        &(sets.len() as u32).to_be_bytes()[..],
        &sets,
    ]
    .concat();
    let sets = segment(0xED, &[b"Photoshop 3.0\0", &sets]);
    let tiny = xmp(b"<");
    let keywords = crowded_tiff(5_000, 0x9C9E, &b"a\0;\0".repeat(1_000));
    for (name, segments) in [
        ("packets", vec![xmp(&crowded); 20]),
        ("western packets", vec![xmp(&western); 20]),
        ("tiny packets", vec![tiny; 100_000]),
        ("a long packet", vec![xmp(&name), more]),
        (
            "fields",
            vec![exif(&crowded_tiff(5_000, 0x9003, b"no time at all")); 20],
        ),
        ("keywords", vec![exif(&keywords); 20]),
        ("tiny blocks", vec![exif(b"II"); 100_000]),
        ("parts of blocks", vec![exif(b""); 100_000]),
        ("data sets", vec![sets; 20]),
    ] {
        check_opening(&format!("jpeg of {name}"), &jpeg_with(&segments)).unwrap();
    }
    let wide = b"<\0\x80\x80".repeat(3 << 20);
    for (name, tag, text) in [
        (
            "a western packet",
            700,
            [b'<'].into_iter().chain(vec![0x80; 10 << 20]).collect(),
        ),
        ("a wide packet", 700, wide),
        ("a crowded packet", 700, crowded_packet(3 << 20)),
        ("a long text", 0x110, vec![b' '; 20 << 20]),
        ("a long keyword", 0x9C9E, vec![b';'; 20 << 20]),
        (
            "data sets",
            0x83BB,
            [0x1C, 2, 25, 0, 1, b'a'].repeat(1 << 20),
        ),
        ("turned data sets", 0x83BB, [0, 25, 2, 0x1C].repeat(1 << 20)),
    ] {
        // It shows no picture, but what it says is read without one.
        let bytes = crowded_tiff(1, tag, &text);
        let (_, taken) = most(|| decode::keywords(&bytes));
        let said = decode::need_to_open(&bytes);
        println!("tiff of {name}: {taken} of {said}");
        assert!(taken <= said, "{name} takes {taken}, not {said}");
    }
    let bomb = |start: &[u8]| {
        let data = [start, b"\0\0", &folded(b' ', 40 << 20)].concat();
        chunk(*b"zTXt", &data)
    };
    for name in [&b"XML:com.adobe.xmp"[..], b"Raw profile type exif"] {
        let bytes = png(8, 8, 8, 2, false, &[bomb(name), bomb(name)].concat());
        check_opening("png of much that is folded", &bytes).unwrap();
    }
}

/// So many bytes of one sort as a zlib stream.
fn folded(byte: u8, count: usize) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&vec![byte; count]).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn no_picture_in_boxes_takes_more_than_was_said() {
    let _counting = COUNTING.lock();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/containers");
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if Format::of_path(&path).is_some() {
            let name = path.display().to_string();
            check(&name, &std::fs::read(path).unwrap()).unwrap();
        }
    }
}
