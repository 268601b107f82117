//! The files of the demo pictures: formats, and in JPEGs what a camera notes down about a shot.

use anyhow::Context;
use exif::experimental::Writer;
use exif::{Field, In, Rational, Tag, Value};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageEncoder, ImageFormat, RgbImage};
use std::io::Cursor;
use tiny_skia::Pixmap;

/// What a camera notes down about a shot.
pub(super) struct Shot {
    /// Local time, as EXIF writes it: `2019:07:31 18:05:00`.
    pub(super) taken_at: String,
    /// Maker and model.
    pub(super) camera: (&'static str, &'static str),
    /// Latitude and longitude in degrees.
    pub(super) place: Option<(f64, f64)>,
    /// 1, 3, 6 or 8: how a viewer must turn the stored pixels.
    pub(super) orientation: u16,
}

/// The bytes of a file named after `format`'s usual extension that shows `picture`.
pub(super) fn encode(
    picture: &Pixmap,
    format: ImageFormat,
    shot: &Shot,
) -> anyhow::Result<Vec<u8>> {
    let upright = DynamicImage::ImageRgb8(opaque(picture)?);
    let mut bytes = Cursor::new(Vec::new());
    if format == ImageFormat::Jpeg {
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 88);
        encoder.set_exif_metadata(notes(shot)?)?;
        turned(upright, shot.orientation).write_with_encoder(encoder)?;
    } else {
        upright.write_to(&mut bytes, format)?;
    }
    Ok(bytes.into_inner())
}

fn opaque(picture: &Pixmap) -> anyhow::Result<RgbImage> {
    let rgb = picture
        .data()
        .chunks_exact(4)
        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
        .collect();
    RgbImage::from_raw(picture.width(), picture.height(), rgb).context("a picture lost pixels")
}

/// The pixels as a camera held sideways stores them: turned the other way than `orientation` tells
/// a viewer to turn them.
fn turned(upright: DynamicImage, orientation: u16) -> DynamicImage {
    match orientation {
        3 => upright.rotate180(),
        6 => upright.rotate270(),
        8 => upright.rotate90(),
        _ => upright,
    }
}

fn notes(shot: &Shot) -> anyhow::Result<Vec<u8>> {
    let mut fields = vec![
        field(Tag::Make, text(shot.camera.0)),
        field(Tag::Model, text(shot.camera.1)),
        field(Tag::Orientation, Value::Short(vec![shot.orientation])),
        field(Tag::DateTimeOriginal, text(&shot.taken_at)),
    ];
    if let Some((latitude, longitude)) = shot.place {
        fields.push(field(
            Tag::GPSLatitudeRef,
            text(if latitude < 0.0 { "S" } else { "N" }),
        ));
        fields.push(field(Tag::GPSLatitude, degrees(latitude)));
        fields.push(field(
            Tag::GPSLongitudeRef,
            text(if longitude < 0.0 { "W" } else { "E" }),
        ));
        fields.push(field(Tag::GPSLongitude, degrees(longitude)));
    }
    let mut writer = Writer::new();
    for field in &fields {
        writer.push_field(field);
    }
    let mut bytes = Cursor::new(Vec::new());
    writer
        .write(&mut bytes, true)
        .context("failed to write EXIF")?;
    Ok(bytes.into_inner())
}

fn field(tag: Tag, value: Value) -> Field {
    Field {
        tag,
        ifd_num: In::PRIMARY,
        value,
    }
}

fn text(text: &str) -> Value {
    Value::Ascii(vec![text.as_bytes().to_vec()])
}

/// Degrees, minutes and hundredths of seconds, without their sign.
fn degrees(angle: f64) -> Value {
    let hundredths = (angle.abs() * 360_000.0).round() as u32;
    let part = |num, denom| Rational { num, denom };
    let (whole, rest) = (hundredths / 360_000, hundredths % 360_000);
    Value::Rational(vec![
        part(whole, 1),
        part(rest / 6_000, 1),
        part(rest % 6_000, 100),
    ])
}

#[cfg(test)]
mod tests {
    use image::ImageDecoder;
    use image::codecs::jpeg::JpegDecoder;

    use super::*;

    /// A red picture whose lower half is blue.
    fn flag() -> Pixmap {
        let mut flag = Pixmap::new(32, 64).unwrap();
        for (index, pixel) in flag.data_mut().chunks_exact_mut(4).enumerate() {
            pixel.copy_from_slice(if index < 32 * 32 {
                &[255, 0, 0, 255]
            } else {
                &[0, 0, 255, 255]
            });
        }
        flag
    }

    #[test]
    fn a_viewer_who_heeds_the_orientation_sees_it_upright() {
        for orientation in [1, 3, 6, 8] {
            let taken_at = "2019:07:31 18:05:00".to_owned();
            let shot = Shot {
                taken_at,
                camera: ("Lumora", "L20"),
                place: Some((-33.925, 18.424)),
                orientation,
            };
            let bytes = encode(&flag(), ImageFormat::Jpeg, &shot).unwrap();
            let mut decoder = JpegDecoder::new(Cursor::new(bytes)).unwrap();
            let turn = decoder.orientation().unwrap();
            assert_eq!(u16::from(turn.to_exif()), orientation);
            let mut seen = DynamicImage::from_decoder(decoder).unwrap();
            seen.apply_orientation(turn);
            let seen = seen.to_rgb8();
            assert_eq!(seen.dimensions(), (32, 64));
            assert!(
                seen[(16, 8)][0] > 200 && seen[(16, 56)][2] > 200,
                "orientation {orientation}"
            );
        }
    }

    #[test]
    fn the_notes_can_be_read_back() {
        let shot = Shot {
            taken_at: "2019:07:31 18:05:00".to_owned(),
            camera: ("Lumora", "L20"),
            place: Some((-33.925, 18.424)),
            orientation: 1,
        };
        let exif = exif::Reader::new().read_raw(notes(&shot).unwrap()).unwrap();
        let shown = |tag| {
            exif.get_field(tag, In::PRIMARY)
                .unwrap()
                .display_value()
                .with_unit(&exif)
                .to_string()
        };
        assert_eq!(shown(Tag::DateTimeOriginal), "2019-07-31 18:05:00");
        assert_eq!(shown(Tag::Model), "\"L20\"");
        assert_eq!(shown(Tag::GPSLatitude), "33 deg 55 min 30 sec S");
    }
}
