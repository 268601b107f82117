//! A time as the camera's clock showed it, read from whatever form programs gave it.

use std::ops::RangeInclusive;

use crate::calendar::days_of;

/// A second of a day that exists, with what is known beyond that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::decode) struct Moment {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    /// Within the second.
    pub(super) milliseconds: Option<u16>,
    /// How many minutes the clock was ahead of UTC.
    pub(super) offset_minutes: Option<i16>,
}

/// How the names of months begin.
const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// More words no time has.
const MAX_WORDS: usize = 16;

/// No zone is further from UTC.
const MAX_OFFSET_MINUTES: i16 = 14 * 60;

impl Moment {
    /// From a date with whatever between its numbers, and a time behind it, or none, which means midnight. Nothing where there
    /// is no such day or no such time: cameras whose clock is not set write zeros or blanks.
    ///
    /// exiftool gives such texts as they stand; what they mean is decided here. The year stands first, in four digits, as
    /// nobody can tell a day from a month in front of it.
    pub(in crate::decode) fn parse(text: &str) -> Option<Moment> {
        Moment::of_numbers(text).or_else(|| Moment::of_numbers(&in_numbers(text)?))
    }

    fn of_numbers(text: &str) -> Option<Moment> {
        let mut rest = Rest(text);
        rest.skip(|c| c.is_whitespace() || c == '\0');
        let (year, month, day) = date(&mut rest)?;
        let mut moment = Moment {
            year,
            month,
            day,
            hour: 0,
            minute: 0,
            second: 0,
            milliseconds: None,
            offset_minutes: None,
        };
        rest.skip(|c| c.is_whitespace() || "Tt:.,_-/".contains(c));
        moment.add_time(&mut rest)?;
        moment.is_real().then_some(moment)?.carried()
    }

    fn add_time(&mut self, rest: &mut Rest<'_>) -> Option<()> {
        let run = rest.digits();
        match run.len() {
            0 => {}
            1 | 2 => {
                self.hour = run.parse().ok()?;
                self.add_minutes(rest);
            }
            4 | 6 => {
                self.hour = run.get(..2)?.parse().ok()?;
                self.minute = run.get(2..4)?.parse().ok()?;
                self.second = run.get(4..6).map_or(Some(0), |run| run.parse().ok())?;
                self.milliseconds = fraction(rest);
            }
            _ => return None,
        }
        rest.skip(char::is_whitespace);
        self.hour = half(rest, self.hour);
        rest.skip(char::is_whitespace);
        self.offset_minutes = offset(rest.0);
        Some(())
    }

    fn add_minutes(&mut self, rest: &mut Rest<'_>) {
        let Some((between, minute)) = rest.part() else {
            return;
        };
        self.minute = minute;
        let before = *rest;
        match rest.part() {
            // A zone begins with what may stand between a date's numbers too.
            Some((between_next, second)) if between_next == between => {
                self.second = second;
                self.milliseconds = fraction(rest);
            }
            _ => *rest = before,
        }
    }

    /// Whether there is such a day and such a time. A clock that was never set says the first day of the first year.
    fn is_real(&self) -> bool {
        let is_day = (1..=days_of(self.year, self.month)).contains(&self.day);
        let is_set = self.year > 0 && (self.year, self.month, self.day) != (1, 1, 1);
        is_day && is_set && self.hour <= 24 && self.minute < 60 && self.second < 60
    }

    /// Some phones write the first hour of a day as the 25th of the day before.
    fn carried(self) -> Option<Moment> {
        if self.hour < 24 {
            return Some(self);
        }
        let next = if self.day < days_of(self.year, self.month) {
            (self.year, self.month, self.day + 1)
        } else if self.month < 12 {
            (self.year, self.month + 1, 1)
        } else {
            (self.year + 1, 1, 1)
        };
        let (year, month, day) = next;
        (year <= 9999).then_some(Moment {
            year,
            month,
            day,
            hour: 0,
            ..self
        })
    }

    /// With a part of a second and an offset that stand elsewhere, where the text itself has none.
    pub(super) fn completed(self, fraction: Option<&str>, zone: Option<&str>) -> Moment {
        let milliseconds = || milliseconds(fraction?.trim_matches([' ', '\0']));
        let zone = || offset(zone?.trim_matches([' ', '\0']));
        Moment {
            milliseconds: self.milliseconds.or_else(milliseconds),
            offset_minutes: self.offset_minutes.or_else(zone),
            ..self
        }
    }

    /// Of UTC, from seconds since 1970; none after the year 9999.
    pub(in crate::decode) fn of_unix(seconds: u64) -> Option<Moment> {
        let (mut days, second) = (seconds / 86_400, seconds % 86_400);
        let mut year = 1970;
        let days_in = |year| if days_of(year, 2) == 29 { 366 } else { 365 };
        while days >= days_in(year) {
            days -= days_in(year);
            year = (year < 9999).then_some(year + 1)?;
        }
        let mut month = 1;
        while days >= days_of(year, month).into() {
            days -= u64::from(days_of(year, month));
            month += 1;
        }
        Some(Moment {
            year,
            month,
            day: days as u8 + 1,
            hour: (second / 3600) as u8,
            minute: (second / 60 % 60) as u8,
            second: (second % 60) as u8,
            milliseconds: None,
            offset_minutes: Some(0),
        })
    }

    /// `YYYY-MM-DDTHH:MM:SS`.
    pub(in crate::decode) fn text(&self) -> String {
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            self.year, self.month, self.day, self.hour, self.minute, self.second
        )
    }
}

/// What is left of a text.
#[derive(Clone, Copy)]
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self, is_skipped: impl Fn(char) -> bool) {
        self.0 = self.0.trim_start_matches(is_skipped);
    }

    fn digits(&mut self) -> &'a str {
        let len = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at_checked(len).unwrap_or((self.0, ""));
        self.0 = rest;
        digits
    }

    /// What separates, with blanks around it perhaps, and the number of one or two digits behind it.
    fn part(&mut self) -> Option<(char, u8)> {
        let mut after = *self;
        let between = after.0.chars().find(|c| !c.is_whitespace() && *c != '\0');
        let between = between.filter(|c| ":./-".contains(*c));
        if self.0.starts_with(|c: char| c.is_whitespace()) || between.is_some() {
            after.skip(|c| c.is_whitespace() || Some(c) == between);
        }
        let digits = after.digits();
        if !(1..=2).contains(&digits.len()) {
            return None;
        }
        *self = after;
        Some((between.unwrap_or(' '), digits.parse().ok()?))
    }
}

/// Year, month and day, with signs between them or none.
fn date(rest: &mut Rest<'_>) -> Option<(u16, u8, u8)> {
    let mut after = *rest;
    let run = after.digits();
    let year = run.get(..4)?.parse().ok()?;
    if run.len() == 4 {
        *rest = after;
        return Some((year, rest.part()?.1, rest.part()?.1));
    }
    // The time may follow without a sign.
    let (month, day) = (run.get(4..6)?.parse().ok()?, run.get(6..8)?.parse().ok()?);
    *rest = Rest(rest.0.get(8..)?);
    Some((year, month, day))
}

/// The same as numbers where the month is a word, as in mails and in C: `Wed, 01 May 2019 12:00:00 +0200`.
fn in_numbers(text: &str) -> Option<String> {
    let words: Vec<&str> = text
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .take(MAX_WORDS)
        .collect();
    let number = |lengths: RangeInclusive<usize>| {
        let is_number = |word: &&&str| {
            lengths.contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit())
        };
        words.iter().find(is_number).copied()
    };
    let of_word = |word: &&str| {
        let start = word.get(..3)?.to_ascii_lowercase();
        MONTHS.iter().position(|month| *month == start)
    };
    let month = words.iter().find_map(of_word)? + 1;
    let (year, day) = (number(4..=4)?, number(1..=2)?);
    let time = words.iter().position(|word| word.contains(':'));
    let time = time.and_then(|time| words.get(time..)).unwrap_or_default();
    Some(format!("{year}-{month}-{day} {}", time.join(" ")))
}

/// A part of a second behind a point or a comma.
fn fraction(rest: &mut Rest<'_>) -> Option<u16> {
    let mut after = Rest(rest.0.strip_prefix(['.', ','])?);
    let digits = after.digits();
    *rest = after;
    milliseconds(digits)
}

/// The digits behind a second's point.
fn milliseconds(digits: &str) -> Option<u16> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let three = digits.bytes().chain(*b"00").take(3);
    is_number.then(|| three.fold(0, |sum, digit| 10 * sum + u16::from(digit - b'0')))
}

/// The hour of the day, where its half stands behind it.
fn half(rest: &mut Rest<'_>, hour: u8) -> u8 {
    let lower = rest.0.to_ascii_lowercase();
    let is_half = |half: &str| {
        [half, &half.replace('m', ".m")]
            .iter()
            .any(|half| lower.starts_with(half))
    };
    let (is_morning, is_afternoon) = (is_half("am"), is_half("pm"));
    if is_morning || is_afternoon {
        rest.skip(|c| c.is_ascii_alphabetic() || c == '.');
    }
    match hour {
        12 if is_morning => 0,
        1..12 if is_afternoon => hour + 12,
        _ => hour,
    }
}

/// Minutes ahead of UTC: `Z`, `+02:00`, `-0330`, `+5`.
fn offset(text: &str) -> Option<i16> {
    let text = text
        .strip_prefix("UTC")
        .or(text.strip_prefix("GMT"))
        .unwrap_or(text);
    if text.starts_with(['Z', 'z']) {
        return Some(0);
    }
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' | '\u{2212}' => -1,
        _ => return None,
    };
    let mut rest = Rest(text.trim_start_matches(['+', '-', '\u{2212}']));
    let run = rest.digits();
    let (hours, minutes) = match run.len() {
        1 | 2 => {
            let minutes = rest.0.strip_prefix(':').map(|rest| Rest(rest).digits());
            (run, minutes.unwrap_or("0"))
        }
        3 | 4 => run.split_at_checked(run.len() - 2)?,
        _ => return None,
    };
    let (hours, minutes): (i16, i16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let ahead = hours.checked_mul(60)?.checked_add(minutes)?;
    (minutes < 60 && ahead <= MAX_OFFSET_MINUTES).then_some(sign * ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        Moment::parse(text).map(|moment| moment.text())
    }

    #[test]
    fn a_time_is_read_in_every_form() {
        for text in [
            "2019:05:01 12:03:04",
            "2019-05-01 12:03:04",
            "2019/05/01 12:03:04",
            "2019.05.01 12.03.04",
            "2019 05 01 12 03 04",
            "2019-05-01T12:03:04",
            "2019-05-01t12:03:04Z",
            "2019:05:01:12:03:04",
            "2019:05:01_12-03-04",
            "  2019:05:01  12:03:04 ",
            "2019: 5: 1 12: 3: 4",
            "2019:5:1 12:3:4",
            "20190501120304",
            "20190501 120304",
            "20190501T120304+0200",
            "2019:05:01 12:03:04.567",
            "2019:05:01 12:03:04 PM",
            "2019:05:01 12:03:04+02:00",
        ] {
            assert_eq!(read(text).as_deref(), Some("2019-05-01T12:03:04"), "{text}");
        }
        for (text, time) in [
            ("2019:05:01 12:03", "12:03:00"),
            ("2019-05-01T12:03-05:00", "12:03:00"),
            ("2019-05-01T12", "12:00:00"),
            ("2019:05:01", "00:00:00"),
            ("20190501", "00:00:00"),
            ("2019:05:01   :  :  ", "00:00:00"),
            ("2019:05:01 01:03:04 PM", "13:03:04"),
            ("2019:05:01 01:03:04pm", "13:03:04"),
            ("2019:05:01 12:03:04 a.m.", "00:03:04"),
            ("2019:05:01 11:03 P.M.", "23:03:00"),
            ("2019:05:01 13:03 PM", "13:03:00"),
        ] {
            let expected = format!("2019-05-01T{time}");
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_month_may_be_a_word() {
        for text in [
            "Wed, 01 May 2019 12:03:04 +0200",
            "Wed May  1 12:03:04 2019",
            "1 May 2019 12:03:04 PM CEST",
            "Wed 01 may 2019 12:03:04",
        ] {
            assert_eq!(read(text).as_deref(), Some("2019-05-01T12:03:04"), "{text}");
        }
        let zone = Moment::parse("Wed, 01 May 2019 12:03:04 +0200").unwrap();
        assert_eq!(zone.offset_minutes, Some(120));
        assert_eq!(read("May 2019"), None);
        assert_eq!(read("31 April 2019"), None);
    }

    #[test]
    fn only_what_is_in_the_calendar_is_a_time() {
        for text in [
            "",
            "    :  :     :  :  ",
            "0000:00:00 00:00:00",
            "0001:01:01 00:00:00",
            "0000-01-01T00:00:00",
            "2019:00:01 12:00:00",
            "2019:13:01 12:00:00",
            "2019:02:29 12:00:00",
            "2019:04:31 12:00:00",
            "2019:05:01 25:00:00",
            "2019:05:01 12:60:00",
            "2019:05:01 12:00:60",
            "2019:05",
            "2019",
            "01/05/2019 12:00:00",
            "19:05:01 12:00:00",
            "9999:12:31 24:00:00",
            "yesterday",
            "201905",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_hour_24_is_the_first_of_the_next_day() {
        for (text, expected) in [
            ("2019:01:01 24:04:20", "2019-01-02T00:04:20"),
            ("2019:02:28 24:00:00", "2019-03-01T00:00:00"),
            ("2019:12:31 24:59:59", "2020-01-01T00:59:59"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn parts_of_a_second_and_zones_are_kept() {
        for (text, milliseconds, offset) in [
            ("2019-05-01T12:00:00.5", Some(500), None),
            ("2019-05-01T12:00:00,0456+02:00", Some(45), Some(120)),
            ("2019-05-01T12:00:00Z", None, Some(0)),
            ("2019:05:01 12:00:00 -03:30", None, Some(-210)),
            ("2019:05:01 12:00:00 UTC+1", None, Some(60)),
            ("2019:05:01 12:00:00+0530", None, Some(330)),
            ("2019:05:01 12:00:00+15:00", None, None),
            ("2019:05:01 12:00:00+02:60", None, None),
        ] {
            let moment = Moment::parse(text).unwrap();
            let found = (moment.milliseconds, moment.offset_minutes);
            assert_eq!(found, (milliseconds, offset), "{text}");
        }
        let moment = Moment::parse("2019-05-01T12:00:00").unwrap();
        let found = moment.completed(Some("7 \0"), Some("-05:00\0"));
        assert_eq!(
            (found.milliseconds, found.offset_minutes),
            (Some(700), Some(-300))
        );
        let found = moment.completed(Some("x"), Some("   :  "));
        assert_eq!((found.milliseconds, found.offset_minutes), (None, None));
        let own = Moment::parse("2019-05-01T12:00:00.1Z").unwrap();
        assert_eq!(own.completed(Some("9"), Some("+01:00")), own);
    }
}
