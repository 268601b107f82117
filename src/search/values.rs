//! The values that stand behind names in a query.

use std::fmt::Display;
use std::str::FromStr;

/// A value, or what is wrong with it.
pub(super) type Parsed<T> = Result<T, String>;

/// A value of a type that knows how it is written.
pub(super) fn parsed<T: FromStr<Err: Display>>(value: &str) -> Parsed<T> {
    value.parse().map_err(|error: T::Err| error.to_string())
}

pub(super) fn list(value: &str) -> impl Iterator<Item = String> {
    let parts = value
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts.map(str::to_owned)
}

pub(super) fn strictness(value: &str) -> Parsed<u8> {
    let number = value.parse().ok().filter(|number| *number <= 100);
    number.ok_or_else(|| format!("strictness is a number from 0 to 100, not `{value}`"))
}
