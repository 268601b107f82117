//! What a picture's file says about it, whatever sort of file it is: every value that is there, none lost to its neighbours.
//!
//! Containers hand over [`Parts`]; here they are read. Where several parts say the same thing differently, EXIF is believed
//! before XMP and XMP before IPTC, as cameras write the first and programs later the others. Rating and title are the other
//! way round: no camera knows them. Values are those of exiftool, orientations those of Pillow; where the two disagree, or
//! are not followed, a comment at the rule says so.

mod exif;
mod iptc;
mod moment;
mod place;

use std::collections::BTreeSet;
use std::fmt;

use image::metadata::Orientation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::Parts;
use crate::spelling::composed;
use crate::xmp::{self, Fields, Name};
use exif::Exif;
use iptc::Iptc;
use place::Axis;

pub(super) use moment::Moment;
pub(super) use place::Place;

/// More parts of one sort are not read.
pub(super) const MAX_PARTS: usize = 8;

/// A longer title, or name of a camera, is cut off.
const MAX_TEXT_BYTES: usize = 1_024;

/// Who says when a picture was taken. The first that does is believed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DateSource {
    /// EXIF: when the shutter was pressed.
    DateTimeOriginal,
    /// EXIF: when the picture was made of what the shutter let in, or a slide was scanned.
    DateTimeDigitized,
    /// EXIF: when it was last changed, which is often the same.
    DateTime,
    /// An XMP packet.
    Xmp,
    /// IPTC data sets.
    Iptc,
    /// What the file is made of.
    Container,
    /// The name of a file: a guess.
    FileName,
    /// When a file was last written to: a guess, and after copying a bad one.
    FileTime,
}

impl DateSource {
    const ALL: [DateSource; 8] = [
        DateSource::DateTimeOriginal,
        DateSource::DateTimeDigitized,
        DateSource::DateTime,
        DateSource::Xmp,
        DateSource::Iptc,
        DateSource::Container,
        DateSource::FileName,
        DateSource::FileTime,
    ];

    /// As it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            DateSource::DateTimeOriginal => "date_time_original",
            DateSource::DateTimeDigitized => "date_time_digitized",
            DateSource::DateTime => "date_time",
            DateSource::Xmp => "xmp",
            DateSource::Iptc => "iptc",
            DateSource::Container => "container",
            DateSource::FileName => "file_name",
            DateSource::FileTime => "file_time",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<DateSource> {
        let mut all = DateSource::ALL.into_iter();
        all.find(|source| source.name() == name)
    }
}

impl fmt::Display for DateSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A time and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The camera's local time, `YYYY-MM-DDTHH:MM:SS`.
    pub at: String,
    /// Within that second.
    pub milliseconds: Option<u16>,
    /// How many minutes the camera's clock was ahead of UTC.
    pub offset_minutes: Option<i16>,
    /// Where the file says so.
    pub source: DateSource,
}

/// What is believed of all that a file says.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// How the pixels are to be turned. Not for containers that turn them themselves.
    pub(super) orientation: Option<Orientation>,
    pub(super) taken: Option<Taken>,
    /// Make and model.
    pub(super) camera: Option<String>,
    pub(super) lens: Option<String>,
    pub(super) place: Option<Place>,
    pub(super) title: Option<String>,
    /// 0 to 5, and -1 of a picture that its owner rejects.
    pub(super) rating: Option<i8>,
    pub(super) keywords: BTreeSet<String>,
    /// By what a phone knows the files of one shot.
    pub(super) content_identifier: Option<String>,
}

/// One value that a file holds, whether it is believed or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Value {
    /// `EXIF`, `XMP`, `IPTC`, or the container.
    pub source: &'static str,
    /// As exiftool calls it, or the property of XMP.
    pub name: String,
    /// As it stands there.
    pub text: String,
}

/// The parts of a file, taken apart.
struct Blocks<'a> {
    exif: Vec<Exif<'a>>,
    xmp: Vec<Fields>,
    iptc: Vec<Iptc<'a>>,
}

/// What is believed of all that a file says. `container` is when the file itself says that its picture was taken.
pub(super) fn read(parts: &Parts<'_>, container: Option<Moment>) -> Said {
    with_blocks(parts, |blocks| Said {
        orientation: blocks.orientation(),
        taken: blocks.taken(container),
        camera: blocks.camera(),
        lens: blocks.lens(),
        place: blocks.place(),
        title: blocks.title(),
        rating: blocks.rating(),
        keywords: blocks.keywords(),
        content_identifier: blocks.of_exif(Exif::content_identifier),
    })
}

/// Every value of all parts that says something of what is read.
pub(super) fn values(parts: &Parts<'_>) -> Vec<Value> {
    with_blocks(parts, listed)
}

/// What a part of this file holds that cannot be read.
pub(super) fn warnings(parts: &Parts<'_>) -> Vec<String> {
    with_blocks(parts, |blocks| {
        let errors = blocks.xmp.iter().filter_map(|fields| fields.error.as_ref());
        let mut warnings: Vec<String> = errors.map(|error| format!("its XMP: {error}")).collect();
        if blocks.exif.len() < parts.exif.len() {
            warnings.push("its EXIF is none".to_owned());
        }
        warnings
    })
}

/// What stands in a part may hold parts itself.
fn with_blocks<T>(parts: &Parts<'_>, read: impl FnOnce(&Blocks<'_>) -> T) -> T {
    let exif = parts.exif.iter().take(MAX_PARTS);
    let exif: Vec<Exif<'_>> = exif.filter_map(|block| Exif::read(block)).collect();
    let nested: Vec<_> = exif.iter().map(Exif::nested).collect();
    let iptc = parts
        .iptc
        .iter()
        .chain(nested.iter().flat_map(|nested| &nested.iptc));
    let iptc: Vec<&[u8]> = iptc.map(AsRef::as_ref).take(MAX_PARTS).collect();
    let own = parts.xmp.iter().map(AsRef::as_ref);
    let in_exif = nested.iter().flat_map(|nested| nested.xmp.iter().copied());
    let in_resources = iptc.iter().flat_map(|block| iptc::packets(block));
    let packets = own.chain(in_exif).chain(in_resources).take(MAX_PARTS);
    read(&Blocks {
        xmp: packets.map(Fields::read).collect(),
        iptc: iptc.into_iter().map(iptc::read).collect(),
        exif,
    })
}

impl<'a> Blocks<'a> {
    /// Of the first block that says it. Pillow looks at no other; exiftool lets a later block win, but for the orientation.
    fn of_exif<T>(&self, read: impl FnMut(&Exif<'a>) -> Option<T>) -> Option<T> {
        self.exif.iter().find_map(read)
    }

    /// The first text of a property in any packet.
    fn of_xmp(&self, name: Name) -> Option<&str> {
        self.xmp
            .iter()
            .find_map(|fields| fields.text(name))
            .map(str::trim)
    }

    /// EXIF's, be it one or not; XMP's where EXIF has none. That is what Pillow turns pictures by.
    fn orientation(&self) -> Option<Orientation> {
        let of_xmp = || self.of_xmp(("tiff", "Orientation"))?.parse().ok();
        let number = self.of_exif(Exif::orientation).or_else(of_xmp)?;
        Orientation::from_exif(u8::try_from(number).ok()?)
    }

    fn taken(&self, container: Option<Moment>) -> Option<Taken> {
        let of_exif = |clock, source| {
            let moment = self.of_exif(|exif| exif.moment(clock))?;
            Some((moment, source))
        };
        let (moment, source) = of_exif(exif::ORIGINAL, DateSource::DateTimeOriginal)
            .or_else(|| of_exif(exif::DIGITIZED, DateSource::DateTimeDigitized))
            .or_else(|| of_exif(exif::CHANGED, DateSource::DateTime))
            .or_else(|| Some((self.moment_of_xmp()?, DateSource::Xmp)))
            .or_else(|| Some((self.moment_of_iptc()?, DateSource::Iptc)))
            .or_else(|| Some((container?, DateSource::Container)))?;
        Some(taken(moment, source))
    }

    fn moment_of_xmp(&self) -> Option<Moment> {
        let names = [
            ("exif", "DateTimeOriginal"),
            ("photoshop", "DateCreated"),
            ("xmp", "CreateDate"),
            ("exif", "DateTimeDigitized"),
        ];
        names.into_iter().find_map(|name| {
            let mut texts = self.xmp.iter().flat_map(|fields| fields.texts(name));
            texts.find_map(Moment::parse)
        })
    }

    fn moment_of_iptc(&self) -> Option<Moment> {
        let clocks = [
            (iptc::DATE_CREATED, iptc::TIME_CREATED),
            (iptc::DATE_DIGITIZED, iptc::TIME_DIGITIZED),
        ];
        clocks.into_iter().find_map(|(date, time)| {
            self.iptc.iter().find_map(|iptc| {
                let (date, time) = (iptc.first(date)?, iptc.first(time).unwrap_or_default());
                Moment::parse(&format!("{date} {time}")).or_else(|| Moment::parse(&date))
            })
        })
    }

    /// Make and model in one line; most models name their make already.
    fn camera(&self) -> Option<String> {
        let make = self.of_exif(Exif::make);
        let model = self.of_exif(Exif::model);
        let of_xmp = |name| self.of_xmp(("tiff", name)).map(str::to_owned);
        named(
            make.or_else(|| of_xmp("Make")),
            model.or_else(|| of_xmp("Model")),
        )
    }

    fn lens(&self) -> Option<String> {
        let model = self.of_exif(Exif::lens_model);
        let names = [("exifEX", "LensModel"), ("aux", "Lens")];
        let mut of_xmp = names.into_iter().filter_map(|name| self.of_xmp(name));
        let model = model.or_else(|| of_xmp.next().map(str::to_owned))?;
        named(self.of_exif(Exif::lens_make), Some(model))
    }

    fn place(&self) -> Option<Place> {
        let of_xmp = |fields: &Fields| {
            let angle = |name, axis| place::angle(fields.text(("exif", name))?, axis);
            let latitude = angle("GPSLatitude", Axis::Latitude);
            Place::of(latitude, angle("GPSLongitude", Axis::Longitude))
        };
        self.of_exif(Exif::place)
            .or_else(|| self.xmp.iter().find_map(of_xmp))
    }

    /// What is called a title comes first, from the place where programs write it now to the oldest; what describes the picture
    /// comes last, for cameras fill that with their own names.
    fn title(&self) -> Option<String> {
        let of_xmp = self.of_xmp(("dc", "title")).map(str::to_owned);
        let of_iptc = || self.iptc.iter().find_map(|iptc| iptc.first(iptc::TITLE));
        let described = || {
            self.of_exif(Exif::description)
                .filter(|text| !is_of_camera(text))
        };
        let title = of_xmp
            .or_else(of_iptc)
            .or_else(|| self.of_exif(Exif::title))
            .or_else(described)?;
        sound(&title)
    }

    fn rating(&self) -> Option<i8> {
        let of_xmp = || {
            let rating: f64 = self.of_xmp(("xmp", "Rating"))?.parse().ok()?;
            Some(rating.round())
        };
        let of_exif = || Some(self.of_exif(Exif::rating)? as f64);
        let percent = || {
            let of_xmp = || self.of_xmp(("MicrosoftPhoto", "Rating"))?.parse().ok();
            let percent = self.of_exif(Exif::rating_percent).or_else(of_xmp)?;
            (0..=100).contains(&percent).then(|| stars(percent))
        };
        let rating = of_xmp().or_else(of_exif).or_else(percent)?;
        (-1.0..=5.0).contains(&rating).then_some(rating as i8)
    }

    fn keywords(&self) -> BTreeSet<String> {
        let of_xmp = self.xmp.iter().flat_map(xmp::keywords);
        let of_iptc = self.iptc.iter().flat_map(|iptc| iptc.texts(iptc::KEYWORD));
        let of_exif = self.exif.iter().flat_map(Exif::keywords);
        xmp::sound_keywords(of_xmp.chain(of_iptc).chain(of_exif))
    }
}

fn listed(blocks: &Blocks<'_>) -> Vec<Value> {
    let mut values = Vec::new();
    let mut add = |source, name: String, text: &str| {
        values.push(Value {
            source,
            name,
            text: text.to_owned(),
        });
    };
    for exif in &blocks.exif {
        for (name, text) in exif.all() {
            add("EXIF", name.to_owned(), &text);
        }
    }
    for fields in &blocks.xmp {
        for ((prefix, name), text) in fields.all() {
            add("XMP", format!("{prefix}:{name}"), text.trim());
        }
    }
    for iptc in &blocks.iptc {
        for (name, text) in iptc.all() {
            add("IPTC", name.to_owned(), &text);
        }
    }
    values
}

/// Windows counts in hundredths: 1, 25, 50, 75 and 99 are its five stars.
fn stars(percent: i64) -> f64 {
    match percent {
        0 => 0.0,
        1..=12 => 1.0,
        13..=37 => 2.0,
        38..=62 => 3.0,
        63..=87 => 4.0,
        _ => 5.0,
    }
}

/// A time that stands in this place.
fn taken(moment: Moment, source: DateSource) -> Taken {
    Taken {
        at: moment.text(),
        milliseconds: moment.milliseconds,
        offset_minutes: moment.offset_minutes,
        source,
    }
}

/// A time that the container itself tells.
pub(super) fn of_container(moment: Moment) -> Taken {
    taken(moment, DateSource::Container)
}

/// A make before a model that does not begin with it.
pub(super) fn named(make: Option<String>, model: Option<String>) -> Option<String> {
    let (make, model) = (make.unwrap_or_default(), model.unwrap_or_default());
    let is_repeated = model
        .get(..make.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(&make));
    let name = if is_repeated {
        model
    } else {
        format!("{make} {model}")
    };
    sound(&name)
}

/// What cameras and phones write where their owner could describe the picture.
fn is_of_camera(description: &str) -> bool {
    let lower = description.to_lowercase();
    lower.ends_with("digital camera")
        || lower.ends_with("digital still camera")
        || lower.starts_with("dcim\\")
        || [
            "sony dsc",
            "exif_jpeg_picture",
            "jpeg",
            "default",
            "untitled",
        ]
        .contains(&&*lower)
}

/// A text as it is kept: in one line, composed, and of some length.
fn sound(text: &str) -> Option<String> {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let text = composed(&words.join(" ")).into_owned();
    let text = text.get(..text.floor_char_boundary(MAX_TEXT_BYTES))?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
