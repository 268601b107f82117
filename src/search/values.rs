//! The values that stand behind names in a query: dates, ranges, sizes, areas.

use super::query::What;
use crate::store::{Area, ContentHash, Filter, Span};

/// A value, or what is wrong with it.
pub(super) type Parsed<T> = Result<T, String>;

pub(super) fn image(value: &str) -> Parsed<What> {
    let hash: Result<ContentHash, _> = value.parse();
    hash.map(What::Image)
        .map_err(|_| format!("`{value}` is not an image id, which has 64 hexadecimal digits"))
}

pub(super) fn list(value: &str) -> impl Iterator<Item = String> {
    let parts = value
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts.map(str::to_owned)
}

/// Formats by the names that files have.
pub(super) fn known_format(name: &str) -> String {
    match name.to_lowercase().as_str() {
        "jpg" | "jpe" | "jfif" => "jpeg".to_owned(),
        "tif" => "tiff".to_owned(),
        name => name.to_owned(),
    }
}

/// Refuses what is no beginning of `YYYY-MM-DDTHH:MM:SS`, cut off behind a number.
pub(super) fn check_date(value: &str) -> Result<(), String> {
    const SHAPE: &str = "dddd-dd-ddTdd:dd:dd";
    let fits = |(c, shape): (char, char)| match shape {
        'd' => c.is_ascii_digit(),
        shape => c == shape,
    };
    let is_whole = matches!(value.len(), 4 | 7 | 10 | 13 | 16 | 19);
    if is_whole && value.chars().zip(SHAPE.chars()).all(fits) {
        return Ok(());
    }
    Err(format!(
        "`{value}` is not a date such as 2023, 2023-05, 2023-05-31 or 2023-05-31T18:30"
    ))
}

/// Refuses dates and places that cannot be: for filters that were not typed in the short form.
pub fn check_filter(filter: &Filter) -> Result<(), String> {
    let mut dates = filter.after.iter().chain(&filter.before);
    dates.try_for_each(|date| check_date(date))?;
    filter.area.map_or(Ok(()), check_area)
}

fn check_area(area: Area) -> Result<(), String> {
    let is_latitude = |degrees: f64| (-90.0..=90.0).contains(&degrees);
    let is_longitude = |degrees: f64| (-180.0..=180.0).contains(&degrees);
    let is_sound = is_latitude(area.south)
        && is_latitude(area.north)
        && area.south <= area.north
        && is_longitude(area.west)
        && is_longitude(area.east);
    is_sound
        .then_some(())
        .ok_or_else(|| "an area is south,west,north,east in degrees, south below north".to_owned())
}

pub(super) fn area(value: &str) -> Parsed<Area> {
    let numbers: Result<Vec<f64>, _> = value.split(',').map(|part| part.trim().parse()).collect();
    let Ok([south, west, north, east]) = numbers.as_deref() else {
        return Err(format!(
            "`{value}` is not an area: south,west,north,east in degrees, as in 59.8,10.5,60.0,10.9"
        ));
    };
    let area = Area {
        south: *south,
        west: *west,
        north: *north,
        east: *east,
    };
    check_area(area).map(|()| area)
}

/// `from..to`, `from..`, `..to`, or one number.
pub(super) fn span(value: &str, is_size: bool) -> Parsed<Span> {
    let number = |text: &str| match text {
        "" => Ok(None),
        text => number(text, is_size).map(Some),
    };
    let (from, to) = value.split_once("..").unwrap_or((value, value));
    let span = Span {
        from: number(from)?,
        to: number(to)?,
    };
    match span {
        Span {
            from: None,
            to: None,
        } => Err("a range needs a number: 800.., ..800 or 800..1600".to_owned()),
        span => Ok(span),
    }
}

fn number(text: &str, is_size: bool) -> Parsed<i64> {
    let lower = text.to_ascii_lowercase();
    let units = [("kb", 1_000), ("mb", 1_000_000), ("gb", 1_000_000_000)];
    let unit = units
        .iter()
        .find(|(unit, _)| is_size && lower.ends_with(unit));
    let (digits, factor) = unit.map_or((lower.as_str(), 1), |(unit, factor)| {
        (lower.trim_end_matches(unit), *factor)
    });
    let what = if is_size {
        "a size, such as 500kb, 2mb or 1gb"
    } else {
        "a number of pixels"
    };
    let number = digits.parse::<i64>().ok().filter(|number| *number >= 0);
    number
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| format!("`{text}` is not {what}"))
}

pub(super) fn strictness(value: &str) -> Parsed<u8> {
    let number = value.parse().ok().filter(|number| *number <= 100);
    number.ok_or_else(|| format!("strictness is a number from 0 to 100, not `{value}`"))
}
