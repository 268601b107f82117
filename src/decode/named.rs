//! When a picture was taken, as the name of its file tells: what phones, screenshots, messengers and tidy people write there.

use std::ops::RangeInclusive;

use crate::calendar::days_of;

/// Other numbers of four digits are those of pictures, not years.
const YEARS: RangeInclusive<u16> = 1900..=2099;

/// What stands between a day and a time.
const BETWEEN: [&str; 7] = ["_", "-", " ", ".", "T", "__", " at "];

/// Digits of a name, with what follows up to the next ones.
type Number<'a> = (&'a str, &'a str);

/// The first day in a file's name, with the time that follows it, `YYYY-MM-DDTHH:MM:SS`; midnight where none does.
pub fn date_in_name(name: &str) -> Option<String> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let numbers = numbers(stem);
    (0..numbers.len()).find_map(|first| {
        let ((year, month, day), rest) = day(&numbers[first..])?;
        let (hour, minute, second) = time(&rest).unwrap_or_default();
        Some(format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        ))
    })
}

fn numbers(stem: &str) -> Vec<Number<'_>> {
    let mut numbers = Vec::new();
    let mut rest = stem;
    while let Some(first) = rest.find(|c: char| c.is_ascii_digit()) {
        let (number, behind) = split(&rest[first..], |c| !c.is_ascii_digit());
        let (between, next) = split(behind, |c| c.is_ascii_digit());
        numbers.push((number, between));
        rest = next;
    }
    numbers
}

fn split(text: &str, is_end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(is_end).unwrap_or(text.len()))
}

/// A day that exists, and what stands behind it, what is between among it.
fn day<'a>(numbers: &[Number<'a>]) -> Option<((u16, u8, u8), Vec<Number<'a>>)> {
    let (first, between) = *numbers.first()?;
    let (parts, rest) = match first.len() {
        8 => (three(first, 4)?, numbers.to_vec()),
        // With the time right behind it, and perhaps a part of its second.
        14 | 17 => {
            let (day, time) = first.split_at(8);
            let rest = [&[(day, "_"), (time, between)], &numbers[1..]].concat();
            (three(day, 4)?, rest)
        }
        4 => (
            spread(numbers, &["-", "_", ".", " "])?,
            numbers.get(2..)?.to_vec(),
        ),
        _ => return None,
    };
    let year = parts[0].parse().ok()?;
    let [month, day] = [parts[1].parse().ok()?, parts[2].parse().ok()?];
    let exists = YEARS.contains(&year) && (1..=days_of(year, month)).contains(&day);
    exists.then_some(((year, month, day), rest))
}

/// The time behind a day, whose last number comes first.
fn time(numbers: &[Number<'_>]) -> Option<(u8, u8, u8)> {
    let (_, between) = numbers.first()?;
    let numbers = numbers.get(1..).filter(|_| BETWEEN.contains(between))?;
    let (first, behind) = *numbers.first()?;
    let (parts, behind) = match first.len() {
        6 | 9 => (three(first, 2)?, behind),
        1 | 2 => (spread(numbers, &["-", ".", ":", "_"])?, numbers.get(2)?.1),
        _ => return None,
    };
    let [hour, minute, second] = [
        parts[0].parse().ok()?,
        parts[1].parse().ok()?,
        parts[2].parse().ok()?,
    ];
    let hour = hour_of_day(hour, behind.trim_start());
    (hour < 24 && minute < 60 && second < 60).then_some((hour, minute, second))
}

/// Twice twelve hours are told apart by what follows.
fn hour_of_day(hour: u8, behind: &str) -> u8 {
    match behind.get(..2).map(str::to_ascii_uppercase).as_deref() {
        Some("AM") if hour == 12 => 0,
        Some("PM") if hour < 12 => hour + 12,
        _ => hour,
    }
}

/// The first so many digits, and the next two and two.
fn three(digits: &str, first: usize) -> Option<[&str; 3]> {
    let part = |from, to| digits.get(from..to);
    Some([
        part(0, first)?,
        part(first, first + 2)?,
        part(first + 2, first + 4)?,
    ])
}

/// Three numbers with the same between them, the last two of two digits.
fn spread<'a>(numbers: &[Number<'a>], allowed: &[&str]) -> Option<[&'a str; 3]> {
    let [(first, between), (second, between_next), (third, _), ..] = numbers else {
        return None;
    };
    let is_one = between == between_next && allowed.contains(between);
    (is_one && (second.len(), third.len()) == (2, 2)).then_some([first, second, third])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_phones_screenshots_and_messengers_tell_the_day() {
        for (name, date) in [
            ("IMG_20190501_123456.jpg", "2019-05-01T12:34:56"),
            ("PXL_20210102_030405678.jpg", "2021-01-02T03:04:05"),
            ("PXL_20210102_030405678.MP.jpg", "2021-01-02T03:04:05"),
            ("20190501_123456_HDR.jpg", "2019-05-01T12:34:56"),
            ("20190501123456.png", "2019-05-01T12:34:56"),
            ("MVIMG_20190501_123456.jpg", "2019-05-01T12:34:56"),
            ("IMG_20190501_123456_BURST001.jpg", "2019-05-01T12:34:56"),
            (
                "Screenshot_20190501-123456_Chrome.png",
                "2019-05-01T12:34:56",
            ),
            (
                "Screenshot_2019-05-01-12-34-56-789.png",
                "2019-05-01T12:34:56",
            ),
            (
                "Screenshot from 2019-05-01 12-34-56.png",
                "2019-05-01T12:34:56",
            ),
            (
                "Screen Shot 2019-05-01 at 1.34.56 PM.png",
                "2019-05-01T13:34:56",
            ),
            (
                "Screenshot 2024-05-01 at 12.34.56\u{202f}AM.png",
                "2024-05-01T00:34:56",
            ),
            ("2019-05-01 12.34.56.jpg", "2019-05-01T12:34:56"),
            ("2019-05-01 12.34.56-2.jpg", "2019-05-01T12:34:56"),
            ("2019-05-01T12:34:56.jpg", "2019-05-01T12:34:56"),
            ("photo_2019-05-01_12-34-56.jpg", "2019-05-01T12:34:56"),
            ("signal-2019-05-01-123456.jpg", "2019-05-01T12:34:56"),
            (
                "WhatsApp Image 2019-05-01 at 12.34.56.jpeg",
                "2019-05-01T12:34:56",
            ),
            ("IMG-20190501-WA0001.jpg", "2019-05-01T00:00:00"),
            ("1965-07-04 picnic 12.jpg", "1965-07-04T00:00:00"),
            ("2019.05.01_wedding.jpg", "2019-05-01T00:00:00"),
            ("2019_05_01.jpg", "2019-05-01T00:00:00"),
            ("2019-05-01 25.00.00.jpg", "2019-05-01T00:00:00"),
            ("20190501_0042.jpg", "2019-05-01T00:00:00"),
            ("3 2019-05-01.jpg", "2019-05-01T00:00:00"),
            ("\u{e9}t\u{e9} 2020-02-29.jpg", "2020-02-29T00:00:00"),
        ] {
            assert_eq!(date_in_name(name).as_deref(), Some(date), "{name}");
        }
    }

    #[test]
    fn other_numbers_are_no_days() {
        for name in [
            "IMG_1234.jpg",
            "DSC_20191301.jpg",
            "20190230.jpg",
            "2019-02-29.jpg",
            "18991231.jpg",
            "120190501.jpg",
            "2019-5-1.jpg",
            "2019-05_01.jpg",
            "2019.jpg",
            "FB_IMG_1556712000000.jpg",
            "a2019-0501.jpg",
            "",
            ".jpg",
        ] {
            assert_eq!(date_in_name(name), None, "{name}");
        }
    }
}
