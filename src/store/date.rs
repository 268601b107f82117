//! The beginning of a local time, as filters name it.

use std::ops::Range;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

use crate::calendar::days_of;

/// A year, or a month, a day, an hour, a minute or a second of one, which exists: `2023`, `2023-05` … `2023-05-31T18:30:00`.
/// Sorts as the whole times do that begin with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PartialDate(String);

/// A text that is no [`PartialDate`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a date such as 2023, 2023-05, 2023-05-31 or 2023-05-31T18:30")]
pub struct BadDate(String);

impl PartialDate {
    /// The text that it was read from.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PartialDate {
    type Err = BadDate;

    fn from_str(text: &str) -> Result<PartialDate, BadDate> {
        if has_shape(text) && exists(text) {
            Ok(PartialDate(text.to_owned()))
        } else {
            Err(BadDate(text.to_owned()))
        }
    }
}

/// Whether it is the beginning of `YYYY-MM-DDTHH:MM:SS`, cut off behind a number.
fn has_shape(text: &str) -> bool {
    const SHAPE: &str = "dddd-dd-ddTdd:dd:dd";
    let fits = |(c, shape): (char, char)| match shape {
        'd' => c.is_ascii_digit(),
        shape => c == shape,
    };
    matches!(text.len(), 4 | 7 | 10 | 13 | 16 | 19) && text.chars().zip(SHAPE.chars()).all(fits)
}

/// Whether a text of that shape is in the calendar; what is cut off counts as the first that there is.
fn exists(text: &str) -> bool {
    fn number<T: FromStr>(text: &str, digits: Range<usize>) -> Option<T> {
        text.get(digits)?.parse().ok()
    }
    let year = number(text, 0..4).unwrap_or(0);
    let month = number(text, 5..7).unwrap_or(1);
    let number = |digits| number::<u8>(text, digits);
    (1..=days_of(year, month)).contains(&number(8..10).unwrap_or(1))
        && number(11..13).unwrap_or(0) < 24
        && number(14..16).unwrap_or(0) < 60
        && number(17..19).unwrap_or(0) < 60
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_the_calendar_is_a_date() {
        for good in [
            "2023",
            "0000",
            "2023-05",
            "2023-12",
            "2023-05-31",
            "2024-02-29",
            "2000-02-29",
            "2023-05-31T00",
            "2023-05-31T23:59",
            "2023-05-31T18:30:59",
        ] {
            assert_eq!(good.parse::<PartialDate>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "yesterday",
            "20",
            "2023-",
            "2023-1",
            "2023-05-31 18",
            "２０２３",
            "2023-00",
            "2020-13",
            "2023-01-00",
            "2023-02-29",
            "2024-02-30",
            "1900-02-29",
            "2023-04-31",
            "2023-05-31T24",
            "2023-05-31T23:60",
            "2023-05-31T23:59:60",
        ] {
            let error = bad.parse::<PartialDate>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("`{bad}` is not a date such as 2023")),
                "{error}"
            );
        }
    }
}
