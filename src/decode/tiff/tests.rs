//! TIFFs of every sort, written here or by libtiff.

use image::{Rgb, RgbImage};

use super::*;

const PAGE: &[u8] = include_bytes!("../../../tests/fixtures/decode/page.png");
const WAVES: &[u8] = include_bytes!("../../../tests/fixtures/decode/waves.png");
const FAXES: [&[u8]; 3] = [
    include_bytes!("../../../tests/fixtures/decode/fax-g3.tif"),
    include_bytes!("../../../tests/fixtures/decode/fax-g3-2d.tif"),
    include_bytes!("../../../tests/fixtures/decode/fax-g4.tif"),
];
const PACKED: [&[u8]; 2] = [
    include_bytes!("../../../tests/fixtures/decode/zstd.tif"),
    include_bytes!("../../../tests/fixtures/decode/lzma.tif"),
];

/// A TIFF that is written field by field.
struct Written {
    is_little: bool,
    is_big: bool,
    /// Tag, bytes of a value, values.
    fields: Vec<(u16, usize, Vec<u64>)>,
    parts: Vec<Vec<u8>>,
}

impl Written {
    fn new(size: (u64, u64), channels: u64, bits: u64, photometric: u64, part: Vec<u8>) -> Written {
        let fields = [
            (256, vec![size.0]),
            (257, vec![size.1]),
            (258, vec![bits; channels as usize]),
            (262, vec![photometric]),
            (277, vec![channels]),
        ];
        Written {
            is_little: true,
            is_big: false,
            fields: fields
                .into_iter()
                .map(|(tag, values)| (tag, 2, values))
                .collect(),
            parts: vec![part],
        }
    }

    fn with(mut self, tag: u16, values: &[u64]) -> Written {
        self.fields.push((tag, 2, values.to_vec()));
        self
    }

    fn number(&self, value: u64, len: usize) -> Vec<u8> {
        if self.is_little {
            value.to_le_bytes()[..len].to_vec()
        } else {
            value.to_be_bytes()[8 - len..].to_vec()
        }
    }

    fn directory(&self, at: usize, next: usize) -> (Vec<u8>, Vec<u8>) {
        let wide = if self.is_big { 8 } else { 4 };
        let mut fields = self.fields.clone();
        let lens: Vec<u64> = self.parts.iter().map(|part| part.len() as u64).collect();
        fields.push((279, 4, lens));
        // Where the parts stand is known when all else is.
        fields.push((273, 4, vec![0; self.parts.len()]));
        let mut behind_at =
            at + fields.len() * (4 + 2 * wide) + wide + if self.is_big { 8 } else { 2 };
        let values_len: usize = fields
            .iter()
            .map(|(_, len, values)| len * values.len())
            .filter(|len| *len > wide)
            .sum();
        let mut part_at = behind_at + values_len;
        for offset in &mut fields.last_mut().unwrap().2 {
            *offset = part_at as u64;
        }
        let offsets = fields.len() - 1;
        for (place, part) in self.parts.iter().enumerate() {
            fields[offsets].2[place] = part_at as u64;
            part_at += part.len();
        }
        let mut bytes = self.number(fields.len() as u64, if self.is_big { 8 } else { 2 });
        let mut behind = Vec::new();
        for (tag, len, values) in &fields {
            let data: Vec<u8> = values
                .iter()
                .flat_map(|value| self.number(*value, *len))
                .collect();
            bytes.extend(self.number(u64::from(*tag), 2));
            bytes.extend(self.number(if *len == 2 { 3 } else { 4 }, 2));
            bytes.extend(self.number(values.len() as u64, wide));
            if data.len() <= wide {
                let mut data = data;
                data.resize(wide, 0);
                bytes.extend(data);
            } else {
                bytes.extend(self.number(behind_at as u64, wide));
                behind_at += data.len();
                behind.extend(data);
            }
        }
        bytes.extend(self.number(next as u64, wide));
        behind.extend(self.parts.concat());
        (bytes, behind)
    }

    fn bytes(&self) -> Vec<u8> {
        self.followed_by(None)
    }

    fn followed_by(&self, next: Option<&Written>) -> Vec<u8> {
        let mark = if self.is_little { b"II" } else { b"MM" };
        let mut bytes = mark.to_vec();
        bytes.extend(self.number(if self.is_big { 43 } else { 42 }, 2));
        if self.is_big {
            bytes.extend(self.number(8, 2));
            bytes.extend(self.number(0, 2));
            bytes.extend(self.number(16, 8));
        } else {
            bytes.extend(self.number(8, 4));
        }
        let at = bytes.len();
        let (first, behind) = self.directory(at, 0);
        let end = at + first.len() + behind.len();
        let (first, behind) = self.directory(at, if next.is_some() { end } else { 0 });
        bytes.extend(first);
        bytes.extend(behind);
        if let Some(next) = next {
            let (second, behind) = next.directory(end, 0);
            bytes.extend(second);
            bytes.extend(behind);
        }
        bytes
    }
}

fn shown(bytes: &[u8]) -> RgbImage {
    let raster = decode(bytes).unwrap_or_else(|error| panic!("{error}"));
    raster.into_rgb()
}

fn colors(bytes: &[u8]) -> Vec<[u8; 3]> {
    shown(bytes).pixels().map(|pixel| pixel.0).collect()
}

fn png(bytes: &[u8]) -> RgbImage {
    image::load_from_memory(bytes).unwrap().into_rgb8()
}

#[test]
fn pages_of_faxes_are_shown_as_libtiff_shows_them() {
    let page = png(PAGE);
    for fax in FAXES {
        assert!(shown(fax) == page);
        for kept in (300..fax.len()).step_by(9) {
            drop(decode(&fax[..kept]));
        }
    }
}

#[test]
fn every_packing_gives_the_same_pixels() {
    let waves = png(WAVES);
    for packed in PACKED {
        assert!(shown(packed) == waves);
    }
}

#[test]
fn both_byte_orders_and_both_sizes_are_read() {
    let pixels = vec![1, 2, 3, 200, 100, 50];
    for (is_little, is_big) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut tiff = Written::new((2, 1), 3, 8, 2, pixels.clone());
        (tiff.is_little, tiff.is_big) = (is_little, is_big);
        assert_eq!(colors(&tiff.bytes()), [[1, 2, 3], [200, 100, 50]]);
        let wide: Vec<u8> = [0x1234_u64, 0xFF00, 0x00FF]
            .iter()
            .flat_map(|value| tiff.number(*value, 2))
            .collect();
        let mut tiff = Written::new((1, 1), 3, 16, 2, wide);
        (tiff.is_little, tiff.is_big) = (is_little, is_big);
        assert_eq!(colors(&tiff.bytes()), [[0x12, 0xFF, 0]]);
    }
}

#[test]
fn numbers_of_every_width_become_eight_bits() {
    let grey = |bits: u64, kind: u64, part: &[u8]| {
        let tiff = Written::new((2, 1), 1, bits, 1, part.to_vec()).with(339, &[kind]);
        let colors = colors(&tiff.bytes());
        [colors[0][0], colors[1][0]]
    };
    assert_eq!(grey(1, 1, &[0b0100_0000]), [0, 255]);
    assert_eq!(grey(2, 1, &[0b0111_0000]), [85, 255]);
    assert_eq!(grey(4, 1, &[0x3F]), [51, 255]);
    assert_eq!(grey(12, 1, &[0x80, 0x0F, 0xFF]), [128, 255]);
    assert_eq!(
        grey(32, 1, &[0, 0, 0, 0x80, 255, 255, 255, 255]),
        [128, 255]
    );
    assert_eq!(grey(32, 1, &[100, 0, 0, 0, 200, 0, 0, 0]), [100, 200]);
    assert_eq!(grey(16, 2, &[0, 0x40, 0xFF, 0x7F]), [128, 255]);
    let floats = |values: [f32; 2]| values.map(f32::to_le_bytes).concat();
    assert_eq!(grey(32, 3, &floats([0.5, 1.0])), [128, 255]);
    assert_eq!(grey(32, 3, &floats([128.0, 255.0])), [128, 255]);
    assert_eq!(grey(32, 3, &floats([f32::NAN, 0.25])), [0, 64]);
    let doubles = [0.5, 1.0].map(f64::to_le_bytes).concat();
    assert_eq!(grey(64, 3, &doubles), [128, 255]);
    assert_eq!(grey(16, 3, &[0x00, 0x38, 0x00, 0x3C]), [128, 255]);
    // One half and one, in 24 bits.
    assert_eq!(grey(24, 3, &[0, 0, 0x3E, 0, 0, 0x3F]), [128, 255]);
}

#[test]
fn channels_are_what_the_fields_say() {
    let one = |photometric: u64, channels: u64, part: &[u8]| {
        let tiff = Written::new((1, 1), channels, 8, photometric, part.to_vec());
        colors(&tiff.bytes())[0]
    };
    assert_eq!(one(0, 1, &[55]), [200; 3]);
    assert_eq!(one(1, 2, &[55, 9]), [55; 3]);
    assert_eq!(one(2, 4, &[1, 2, 3, 9]), [1, 2, 3]);
    assert_eq!(one(5, 4, &[0, 255, 255, 0]), [255, 0, 0]);
    assert_eq!(one(8, 3, &[255, 0, 0]), [255; 3]);
    assert_eq!(one(9, 3, &[255, 128, 128]), [255; 3]);
    let red = one(8, 3, &[138, 81, 70]);
    assert!(red[0] > 245 && red[1] < 25 && red[2] < 30, "{red:?}");
    let multiplied = Written::new((1, 1), 4, 8, 2, vec![50, 25, 0, 128]).with(338, &[1]);
    assert_eq!(colors(&multiplied.bytes()), [[99, 49, 0]]);
    let palette: Vec<u64> = [[0, 0xFF00], [0, 0x8000], [0, 0x1000]].concat();
    let of_palette = Written::new((2, 1), 1, 1, 3, vec![0b0100_0000]).with(320, &palette);
    assert_eq!(colors(&of_palette.bytes()), [[0; 3], [0xFF, 0x80, 0x10]]);
    let apart = Written {
        parts: vec![vec![1, 4], vec![2, 5], vec![3, 6]],
        ..Written::new((2, 1), 3, 8, 2, Vec::new()).with(284, &[2])
    };
    assert_eq!(colors(&apart.bytes()), [[1, 2, 3], [4, 5, 6]]);
}

#[test]
fn colours_that_pixels_share_are_those_of_each() {
    // Two by two: brightness, and one pair of colours.
    let shared = Written::new((2, 2), 3, 8, 6, vec![0, 100, 200, 255, 128, 128]);
    let shared = shared.with(530, &[2, 2]);
    assert_eq!(
        colors(&shared.bytes()),
        [[0; 3], [100; 3], [200; 3], [255; 3]]
    );
}

#[test]
fn bits_may_come_from_the_other_end_and_as_differences() {
    let reversed = Written::new((2, 1), 1, 8, 1, vec![0x80, 0x01]).with(266, &[2]);
    assert_eq!(colors(&reversed.bytes()), [[1; 3], [128; 3]]);
    let differences = Written::new((2, 1), 3, 8, 2, vec![10, 20, 30, 1, 2, 255]);
    let differences = differences.with(317, &[2]);
    assert_eq!(colors(&differences.bytes()), [[10, 20, 30], [11, 22, 29]]);
    let runs = Written::new((4, 1), 1, 8, 1, vec![254, 7, 0, 9]).with(259, &[32_773]);
    assert_eq!(colors(&runs.bytes()), [[7; 3], [7; 3], [7; 3], [9; 3]]);
}

#[test]
fn the_page_that_is_a_picture_of_its_own_is_shown() {
    let picture = Written::new((2, 1), 1, 8, 1, vec![5, 6]);
    let small = Written::new((1, 1), 1, 8, 1, vec![9]).with(254, &[1]);
    let mask = Written::new((2, 1), 1, 1, 4, vec![0]).with(254, &[4]);
    for first in [&small, &mask] {
        assert_eq!(colors(&first.followed_by(Some(&picture))), [[5; 3], [6; 3]]);
    }
    assert_eq!(colors(&picture.followed_by(Some(&small))), [[5; 3], [6; 3]]);
    assert_eq!(colors(&small.bytes()), [[9; 3]]);
}

#[test]
fn a_jpeg_may_be_a_part_or_all_of_it() {
    let picture = RgbImage::from_pixel(16, 8, Rgb([200, 60, 90]));
    let mut jpeg = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 95);
    let color = jpeg_encoder::ColorType::Rgb;
    encoder.encode(&picture, 16, 8, color).unwrap();
    let part = Written::new((16, 8), 3, 8, 6, jpeg.clone()).with(259, &[7]);
    let near = |bytes: &[u8]| {
        let [red, green, blue] = colors(bytes)[20];
        red.abs_diff(200) < 4 && green.abs_diff(60) < 4 && blue.abs_diff(90) < 4
    };
    assert!(near(&part.bytes()));
    // As TIFF 6.0 had it first: a field says where the JPEG begins.
    let old = Written::new((16, 8), 3, 8, 6, jpeg).with(259, &[6]);
    assert!(near(&old.bytes()));
    let at = old.bytes().windows(2).position(|pair| pair == [0xFF, 0xD8]);
    // The field itself moves the JPEG by twelve bytes.
    let pointed = old.with(513, &[at.unwrap() as u64 + 12]);
    assert!(near(&pointed.bytes()));
}

#[test]
fn what_is_missing_or_not_read_is_told() {
    let whole = Written::new((4, 4), 3, 8, 2, vec![7; 48]).bytes();
    assert!(decode(&whole).is_ok());
    assert!(matches!(
        decode(&whole[..whole.len() - 1]),
        Err(DecodeError::Truncated)
    ));
    let packed = Written::new((1, 1), 1, 8, 1, vec![0]).with(259, &[34_712]);
    let error = decode(&packed.bytes()).map(Raster::into_rgb).unwrap_err();
    assert!(
        error.to_string().ends_with("is not read by pixdex"),
        "{error}"
    );
    let odd = Written::new((1, 1), 1, 8, 32_845, vec![0]);
    assert!(matches!(
        decode(&odd.bytes()),
        Err(DecodeError::Unsupported(_))
    ));
}

#[test]
fn damage_anywhere_ends_in_a_picture_or_in_none() {
    let mut big = Written::new((4, 2), 3, 8, 2, vec![7; 24]);
    big.is_big = true;
    let plain = big.bytes();
    let all: Vec<&[u8]> = FAXES
        .into_iter()
        .chain(PACKED)
        .chain([&plain[..]])
        .collect();
    for bytes in all {
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1 << (at % 8);
            // What the caller checks first.
            let need = header(&damaged).map_or(u64::MAX, |header| header.need);
            if need < 300 << 20 {
                drop(decode(&damaged));
            }
        }
    }
}

/// The rows that a part lacks would be black.
#[test]
fn a_part_with_fewer_rows_than_are_shown_of_it_is_cut_off() {
    let jpeg = |height: u16| {
        let picture = RgbImage::from_pixel(16, height.into(), Rgb([200, 60, 90]));
        let mut jpeg = Vec::new();
        let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 95);
        let color = jpeg_encoder::ColorType::Rgb;
        encoder.encode(&picture, 16, height, color).unwrap();
        jpeg
    };
    let webp = |height: u32| {
        let mut webp = Vec::new();
        let encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut webp);
        let pixels = vec![90; 16 * height as usize * 3];
        let color = image::ExtendedColorType::Rgb8;
        encoder.encode(&pixels, 16, height, color).unwrap();
        webp
    };
    let of = |compression, parts: [Vec<u8>; 2]| {
        let photometric = if compression == 7 { 6 } else { 2 };
        let mut page = Written::new((16, 24), 3, 8, photometric, Vec::new());
        page.parts = parts.to_vec();
        decode(&page.with(259, &[compression]).with(278, &[16]).bytes())
    };
    assert!(of(7, [jpeg(16), jpeg(8)]).is_ok());
    // More than is shown is as good.
    assert!(of(7, [jpeg(16), jpeg(16)]).is_ok());
    assert!(of(WEBP, [webp(16), webp(8)]).is_ok());
    for cut in [
        of(7, [jpeg(8), jpeg(8)]),
        of(7, [jpeg(16), jpeg(7)]),
        of(WEBP, [webp(8), webp(8)]),
        of(WEBP, [webp(16), webp(7)]),
    ] {
        assert!(matches!(cut, Err(DecodeError::Truncated)));
    }
}

#[test]
fn shared_colours_stand_alone() {
    let shared = |channels: u64| {
        let page = Written::new((4, 4), channels, 8, 6, vec![128; 64]);
        decode(&page.with(530, &[2, 2]).bytes())
    };
    assert!(shared(3).is_ok());
    assert!(matches!(shared(4), Err(DecodeError::Unsupported(_))));
}

/// Codes of runs of nothing, of which a small file holds millions.
#[test]
fn a_row_of_a_fax_has_no_more_changes_than_pixels() {
    // Horizontal, white 0 (00110101), black 0 (0000110111), over and over.
    let mut bits = String::new();
    (0..200).for_each(|_| bits += "001001101010000110111");
    let bytes: Vec<u8> = bits
        .as_bytes()
        .chunks(8)
        .map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | (bit - b'0')) << (8 - byte.len()))
        .collect();
    assert_eq!(fax::unpack(&bytes, fax::Coding::Group4, 20, 1), None);
    let page = Written::new((20, 1), 1, 1, 0, bytes).with(259, &[4]);
    assert!(matches!(decode(&page.bytes()), Err(DecodeError::Truncated)));
}
