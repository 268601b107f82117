//! What EXIF says about a picture: when, where and by what it was taken.

use ::exif::{DateTime, Exif, In, Rational, Reader, Tag, Value};

use super::Metadata;

/// Damaged EXIF costs the metadata, not the picture.
pub(super) fn read(chunk: &[u8]) -> Option<Exif> {
    let chunk = chunk.strip_prefix(b"Exif\0\0").unwrap_or(chunk);
    Reader::new().read_raw(chunk.to_vec()).ok()
}

/// Adds when, where and by what the picture was taken.
pub(super) fn add_to(metadata: &mut Metadata, exif: &Exif) {
    metadata.taken_at = taken_at(exif);
    metadata.camera = camera(exif);
    metadata.latitude = degrees(exif, Tag::GPSLatitude, Tag::GPSLatitudeRef, b"S", 90.0);
    metadata.longitude = degrees(exif, Tag::GPSLongitude, Tag::GPSLongitudeRef, b"W", 180.0);
}

fn ascii(exif: &Exif, tag: Tag) -> Option<&[u8]> {
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(texts) => texts.first().map(Vec::as_slice),
        _ => None,
    }
}

fn taken_at(exif: &Exif) -> Option<String> {
    let text = ascii(exif, Tag::DateTimeOriginal).or_else(|| ascii(exif, Tag::DateTime))?;
    let time = DateTime::from_ascii(text).ok()?;
    // Cameras without a set clock write zeros.
    let is_day = time.year > 0 && (1..=12).contains(&time.month) && (1..=31).contains(&time.day);
    let is_hour = time.hour < 24 && time.minute < 60 && time.second < 60;
    (is_day && is_hour).then(|| {
        let DateTime {
            year,
            month,
            day,
            hour,
            minute,
            second,
            ..
        } = time;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    })
}

/// Make and model in one line; most models name their make already.
fn camera(exif: &Exif) -> Option<String> {
    let text = |tag| {
        ascii(exif, tag).map(|text| {
            String::from_utf8_lossy(text)
                .trim_matches(['\0', ' '])
                .to_owned()
        })
    };
    let make = text(Tag::Make).unwrap_or_default();
    let model = text(Tag::Model).unwrap_or_default();
    let name = if model.starts_with(&make) {
        model
    } else {
        format!("{make} {model}")
    };
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Degrees, minutes and seconds as one number; nothing where it is not a place on earth.
fn degrees(exif: &Exif, value: Tag, reference: Tag, negative: &[u8], limit: f64) -> Option<f64> {
    let Value::Rational(parts) = &exif.get_field(value, In::PRIMARY)?.value else {
        return None;
    };
    let part = |index: usize| parts.get(index).map_or(0.0, Rational::to_f64);
    let degrees = part(0) + part(1) / 60.0 + part(2) / 3600.0;
    let sign = if ascii(exif, reference)?.eq_ignore_ascii_case(negative) {
        -1.0
    } else {
        1.0
    };
    (degrees.is_finite() && degrees <= limit).then_some(sign * degrees)
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Cursor;

    use ::exif::Field;
    use ::exif::experimental::Writer;
    use image::ImageEncoder;
    use image::codecs::jpeg::JpegEncoder;

    use super::*;
    use crate::decode::tests::{LIMITS, decode};
    use crate::formats::Format;

    pub(in crate::decode) fn exif_block(fields: &[(Tag, Value)]) -> Vec<u8> {
        let fields: Vec<Field> = fields
            .iter()
            .map(|(tag, value)| Field {
                tag: *tag,
                ifd_num: In::PRIMARY,
                value: value.clone(),
            })
            .collect();
        let mut writer = Writer::new();
        for field in &fields {
            writer.push_field(field);
        }
        let mut block = Cursor::new(Vec::new());
        writer.write(&mut block, false).unwrap();
        block.into_inner()
    }

    pub(in crate::decode) fn jpeg_with(fields: &[(Tag, Value)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new(&mut bytes);
        encoder.set_exif_metadata(exif_block(fields)).unwrap();
        encoder
            .write_image(&[128; 40 * 20 * 3], 40, 20, image::ExtendedColorType::Rgb8)
            .unwrap();
        bytes
    }

    fn text(text: &str) -> Value {
        Value::Ascii(vec![text.as_bytes().to_vec()])
    }

    fn angle(parts: [(u32, u32); 3]) -> Value {
        Value::Rational(
            parts
                .iter()
                .map(|&(num, denom)| Rational { num, denom })
                .collect(),
        )
    }

    #[test]
    fn exif_tells_when_where_and_by_what() {
        let picture = decode(
            &jpeg_with(&[
                (Tag::Orientation, Value::Short(vec![6])),
                (Tag::DateTimeOriginal, text("2021:07:03 18:30:05")),
                (Tag::Make, text("Heron")),
                (Tag::Model, text("Heron X100")),
                (Tag::GPSLatitude, angle([(47, 1), (30, 1), (36, 1)])),
                (Tag::GPSLatitudeRef, text("S")),
                (Tag::GPSLongitude, angle([(8, 1), (15, 1), (0, 1)])),
                (Tag::GPSLongitudeRef, text("E")),
            ]),
            &LIMITS,
        );
        let expected = Metadata {
            format: Format::Jpeg,
            width: 20,
            height: 40,
            taken_at: Some("2021-07-03T18:30:05".to_owned()),
            camera: Some("Heron X100".to_owned()),
            latitude: Some(-47.51),
            longitude: Some(8.25),
        };
        assert_eq!(picture.unwrap().0.metadata, expected);
    }

    #[test]
    fn an_hour_that_no_clock_has_is_no_time() {
        for (time, is_read) in [
            ("2021:07:03 23:59:59", true),
            ("2021:07:03 24:00:00", false),
            ("2021:07:03 12:60:00", false),
            ("2021:07:03 12:00:60", false),
        ] {
            let bytes = jpeg_with(&[(Tag::DateTimeOriginal, text(time))]);
            let (description, _) = decode(&bytes, &LIMITS).unwrap();
            assert_eq!(description.metadata.taken_at.is_some(), is_read, "{time}");
        }
    }

    #[test]
    fn exif_that_makes_no_sense_is_left_out() {
        let picture = decode(
            &jpeg_with(&[
                (Tag::DateTimeOriginal, text("0000:00:00 00:00:00")),
                (Tag::GPSLatitude, angle([(1, 0), (0, 0), (0, 0)])),
                (Tag::GPSLatitudeRef, text("N")),
                (Tag::GPSLongitude, angle([(999, 1), (0, 1), (0, 1)])),
                (Tag::GPSLongitudeRef, text("E")),
            ]),
            &LIMITS,
        );
        let metadata = picture.unwrap().0.metadata;
        assert_eq!(
            (metadata.taken_at, metadata.latitude, metadata.longitude),
            (None, None, None)
        );
    }
}
