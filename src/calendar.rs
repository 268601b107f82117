//! Which days there are.

/// The days of each month of a common year.
const DAYS: [u8; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// How many days a month has; none where there is no such month.
pub(crate) fn days_of(year: u16, month: u8) -> u8 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = usize::from(month)
        .checked_sub(1)
        .and_then(|month| DAYS.get(month));
    days.map_or(0, |days| days + u8::from(is_leap && month == 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leap_years_have_a_day_more() {
        for (year, month, days) in [
            (2023, 2, 28),
            (2024, 2, 29),
            (1900, 2, 28),
            (2000, 2, 29),
            (2023, 4, 30),
            (2023, 12, 31),
            (2023, 0, 0),
            (2023, 13, 0),
        ] {
            assert_eq!(days_of(year, month), days, "{year}-{month}");
        }
    }
}
