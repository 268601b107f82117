//! What an image must be to pass: conditions on its metadata, its tags and where its files lie.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::date::PartialDate;
use crate::formats::Format;

/// Conditions that an image must meet, all of them. A label is named as `label` or `set/label`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Filter {
    /// Labels that it must carry.
    pub all_tags: Vec<String>,
    /// Of each of these groups it must carry a label.
    pub any_tags: Vec<Vec<String>>,
    /// Labels that it must not carry.
    pub no_tags: Vec<String>,
    /// One of its files must lie in one of these folders, or match one of these globs (`*`, `?`, `[…]`) or lie below; absolute, or
    /// relative to a root. `*` also stands for what is in folders below.
    pub paths: Vec<String>,
    /// Taken at this local time or later.
    pub after: Option<PartialDate>,
    /// Taken before this local time.
    pub before: Option<PartialDate>,
    /// In one of these formats.
    pub formats: Vec<Format>,
    /// At one of these times, each the beginning of a local one: a year, a month, a day.
    pub taken: Vec<PartialDate>,
    /// Part of the make and model of one of these cameras, in either case.
    pub cameras: Vec<String>,
    /// Width in pixels.
    pub width: Span,
    /// Height in pixels.
    pub height: Span,
    /// Length of the file.
    pub size_bytes: Span,
    /// Where it was taken.
    pub area: Option<Area>,
    /// What it must not be.
    pub not: Excluded,
}

/// Conditions of which an image may meet none.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Excluded {
    /// Folders or globs in none of which a file of it may lie.
    pub paths: Vec<String>,
    /// Times at which it was not taken.
    pub taken: Vec<PartialDate>,
    /// Formats in which it is not.
    pub formats: Vec<Format>,
    /// Cameras with which it was not taken.
    pub cameras: Vec<String>,
}

/// Tags that a filter names, and the same for places: each is looked up.
const MOST_VALUES: usize = 200;

/// The longest name, place or camera in a filter.
pub const VALUE_CHARACTERS: usize = 1000;

/// A filter that would take too long.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TooMuchFilter {
    /// Too many of something.
    #[error("a filter has at most {MOST_VALUES} {what}, and this one has {count}")]
    Many {
        /// Tags, paths, times or cameras.
        what: &'static str,
        /// How many there are.
        count: usize,
    },
    /// A text that nothing is called.
    #[error("a tag, path or camera has at most {VALUE_CHARACTERS} characters, and one has {0}")]
    Long(usize),
}

impl Filter {
    /// Whether it is small enough to be asked for.
    pub fn check(&self) -> Result<(), TooMuchFilter> {
        let tags = || {
            self.any_tags
                .iter()
                .flatten()
                .chain(&self.all_tags)
                .chain(&self.no_tags)
        };
        // A group without a tag is looked up too.
        let groups = self.any_tags.len();
        for (what, count) in [
            ("tags", tags().count().max(groups)),
            ("paths", self.paths.len() + self.not.paths.len()),
            ("times", self.taken.len() + self.not.taken.len()),
            ("cameras", self.cameras.len() + self.not.cameras.len()),
        ] {
            if count > MOST_VALUES {
                return Err(TooMuchFilter::Many { what, count });
            }
        }
        let texts = tags()
            .chain(&self.paths)
            .chain(&self.cameras)
            .chain(&self.not.paths)
            .chain(&self.not.cameras);
        let longest = texts.map(|text| text.chars().count()).max();
        match longest {
            Some(characters) if characters > VALUE_CHARACTERS => {
                Err(TooMuchFilter::Long(characters))
            }
            _ => Ok(()),
        }
    }

    /// Whether every image passes.
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }
}

/// From one number to another, both included; open where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Span {
    /// The least.
    pub from: Option<i64>,
    /// The most.
    pub to: Option<i64>,
}

/// A text that is no [`Span`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadSpan {
    /// It has no number at all.
    #[error("a range needs a number: 800.., ..800 or 800..1600")]
    Open,
    /// Of pixels.
    #[error("`{0}` is not a number of pixels")]
    Pixels(String),
    /// Of bytes.
    #[error("`{0}` is not a size, such as 500kb, 2mb or 1gb")]
    Bytes(String),
}

impl Span {
    /// Reads `from..to`, `from..`, `..to`, or one number, of pixels.
    pub fn of_pixels(text: &str) -> Result<Span, BadSpan> {
        Span::parse(text, |number| {
            whole_number(number).ok_or_else(|| BadSpan::Pixels(number.to_owned()))
        })
    }

    /// The same for bytes, with or without a unit.
    pub fn of_bytes(text: &str) -> Result<Span, BadSpan> {
        Span::parse(text, |number| {
            bytes(number).ok_or_else(|| BadSpan::Bytes(number.to_owned()))
        })
    }

    fn parse(text: &str, number: impl Fn(&str) -> Result<i64, BadSpan>) -> Result<Span, BadSpan> {
        let number = |text: &str| (!text.is_empty()).then(|| number(text)).transpose();
        let (from, to) = text.split_once("..").unwrap_or((text, text));
        let span = Span {
            from: number(from)?,
            to: number(to)?,
        };
        if span == Span::default() {
            return Err(BadSpan::Open);
        }
        Ok(span)
    }
}

fn whole_number(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number| *number >= 0)
}

fn bytes(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let units = [("kb", 1_000), ("mb", 1_000_000), ("gb", 1_000_000_000)];
    let with_unit = |(unit, factor)| Some((lower.strip_suffix(unit)?, factor));
    let (digits, factor) = units.into_iter().find_map(with_unit).unwrap_or((&lower, 1));
    whole_number(digits)?.checked_mul(factor)
}

/// A box on the map, in degrees; where `west` is greater than `east`, it lies across the date line. Written
/// south, west, north, east.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Area {
    south: f64,
    west: f64,
    north: f64,
    east: f64,
}

/// What is no [`Area`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadArea {
    /// Not four numbers.
    #[error("`{0}` is not an area: south,west,north,east in degrees, as in 59.8,10.5,60.0,10.9")]
    NoNumbers(String),
    /// Four numbers that are nowhere on the map.
    #[error("an area is south,west,north,east in degrees, south below north")]
    Nowhere,
}

impl TryFrom<[f64; 4]> for Area {
    type Error = BadArea;

    fn try_from([south, west, north, east]: [f64; 4]) -> Result<Area, BadArea> {
        let is_latitude = |degrees: f64| (-90.0..=90.0).contains(&degrees);
        let is_longitude = |degrees: f64| (-180.0..=180.0).contains(&degrees);
        let is_on_the_map = [south, north].into_iter().all(is_latitude)
            && [west, east].into_iter().all(is_longitude);
        if !is_on_the_map || south > north {
            return Err(BadArea::Nowhere);
        }
        Ok(Area {
            south,
            west,
            north,
            east,
        })
    }
}

impl From<Area> for [f64; 4] {
    fn from(area: Area) -> [f64; 4] {
        [area.south, area.west, area.north, area.east]
    }
}

impl FromStr for Area {
    type Err = BadArea;

    fn from_str(text: &str) -> Result<Area, BadArea> {
        let parts = text.split(',').map(|part| part.trim().parse());
        let numbers: Option<Vec<f64>> = parts.map(Result::ok).collect();
        let corners: Option<[f64; 4]> = numbers.and_then(|numbers| numbers.try_into().ok());
        corners
            .ok_or_else(|| BadArea::NoNumbers(text.to_owned()))?
            .try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_units() {
        let span = |from, to| Ok(Span { from, to });
        let pixels = |text: &str| Err(BadSpan::Pixels(text.to_owned()));
        let bytes = |text: &str| Err(BadSpan::Bytes(text.to_owned()));
        for (text, expected) in [
            ("800..1600", span(Some(800), Some(1600))),
            ("800..", span(Some(800), None)),
            ("..0", span(None, Some(0))),
            ("7", span(Some(7), Some(7))),
            ("..", Err(BadSpan::Open)),
            ("", Err(BadSpan::Open)),
            ("-5", pixels("-5")),
            ("1mb..", pixels("1mb")),
        ] {
            assert_eq!(Span::of_pixels(text), expected, "{text}");
        }
        for (text, expected) in [
            ("10kb..2MB", span(Some(10_000), Some(2_000_000))),
            ("12", span(Some(12), Some(12))),
            ("1tb", bytes("1tb")),
            ("kb..", bytes("kb")),
            ("1kbkb", bytes("1kbkb")),
            ("9999999999999gb", bytes("9999999999999gb")),
        ] {
            assert_eq!(Span::of_bytes(text), expected, "{text}");
        }
    }

    #[test]
    fn what_a_filter_asks_for_has_a_bound() {
        let many = || vec!["a".to_owned(); 201];
        let long = || vec!["ü".repeat(1001)];
        let of = |change: &dyn Fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            filter.check().map_err(|error| error.to_string())
        };
        let (many_tags, too_long) = ("at most 200 tags, and this one has 201", "and one has 1001");
        for (change, sentence) in [
            (
                &(|filter: &mut Filter| filter.all_tags = many()) as &dyn Fn(&mut Filter),
                many_tags,
            ),
            (&|filter| filter.no_tags = many(), many_tags),
            (&|filter| filter.any_tags = vec![many()], many_tags),
            (&|filter| filter.any_tags = vec![Vec::new(); 201], many_tags),
            (&|filter| filter.paths = many(), "at most 200 paths"),
            (&|filter| filter.all_tags = long(), too_long),
            (&|filter| filter.no_tags = long(), too_long),
            (&|filter| filter.any_tags = vec![long()], too_long),
            (&|filter| filter.paths = long(), too_long),
            (&|filter| filter.cameras = long(), too_long),
            (&|filter| filter.not.paths = long(), too_long),
            (&|filter| filter.not.cameras = long(), too_long),
            (&|filter| filter.not.paths = many(), "at most 200 paths"),
            (&|filter| filter.cameras = many(), "at most 200 cameras"),
        ] {
            let error = of(change).unwrap_err();
            assert!(error.contains(sentence), "{error}");
        }
        let most = |filter: &mut Filter| {
            filter.any_tags = vec![vec!["ü".repeat(1000)]; 200];
            filter.paths = vec!["ü".repeat(1000); 200];
        };
        assert_eq!(of(&most), Ok(()));
    }

    #[test]
    fn areas_are_on_the_map() {
        let area = |south, west, north, east| Area::try_from([south, west, north, east]);
        let text = |text: &str| text.parse::<Area>();
        assert_eq!(text("-10, 170,5.5,-170"), area(-10.0, 170.0, 5.5, -170.0));
        assert!(area(-10.0, 170.0, 5.5, -170.0).is_ok());
        for nowhere in ["60,0,50,1", "0,0,91,0", "0,-181,0,0", "NaN,0,0,0"] {
            assert_eq!(text(nowhere), Err(BadArea::Nowhere), "{nowhere}");
        }
        for bad in ["1,2,3", "1,2,3,4,5", "a,b,c,d", ""] {
            assert_eq!(text(bad), Err(BadArea::NoNumbers(bad.to_owned())));
        }
    }
}
