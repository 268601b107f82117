//! A place on earth, from the forms in which files write it.

/// Degrees, north and east positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::decode) struct Place {
    pub(in crate::decode) latitude: f64,
    pub(in crate::decode) longitude: f64,
}

/// One of the two angles that make a place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Axis {
    Latitude,
    Longitude,
}

impl Axis {
    /// The first letters of the directions in which it counts up and down.
    fn letters(self) -> [char; 2] {
        match self {
            Axis::Latitude => ['N', 'S'],
            Axis::Longitude => ['E', 'W'],
        }
    }

    /// -1 or 1, from a letter or a word such as `South`. In what else it may begin with, nobody can tell a direction: half the
    /// languages go west where the others go east. exiftool takes all that is not S or W for north and east.
    pub(super) fn sign(self, direction: &str) -> Option<f64> {
        let first = direction.trim_start().chars().next()?.to_ascii_uppercase();
        let [up, down] = self.letters();
        (first == down)
            .then_some(-1.0)
            .or((first == up).then_some(1.0))
    }
}

impl Place {
    /// Nothing where an angle is missing or not on earth, and where both are nought: that is what a receiver writes that does
    /// not know.
    pub(in crate::decode) fn of(latitude: Option<f64>, longitude: Option<f64>) -> Option<Place> {
        let (latitude, longitude) = (latitude?, longitude?);
        let is_on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        let is_known = latitude != 0.0 || longitude != 0.0;
        (is_on_earth && is_known).then_some(Place {
            latitude,
            longitude,
        })
    }
}

/// Degrees, minutes and seconds as one number, without a sign: a direction stands beside them, and it is what counts, as with
/// exiftool.
///
/// Seconds of 0/0, which some cameras write behind minutes with a fraction, count as none, for the place is right within a
/// street; exiftool leaves it out. The same minutes would move it to another town, unless the degrees have a fraction.
pub(super) fn degrees(parts: &[f64]) -> Option<f64> {
    let part = |index| parts.get(index).map_or(0.0, |part: &f64| part.abs());
    let degrees = parts.first()?.abs();
    let minutes = if part(1).is_finite() {
        part(1)
    } else if degrees.fract() == 0.0 {
        return None;
    } else {
        0.0
    };
    let seconds = if part(2).is_finite() { part(2) } else { 0.0 };
    let sum = degrees + minutes / 60.0 + seconds / 3600.0;
    sum.is_finite().then_some(sum)
}

/// An angle as XMP writes it, `47,30.6N` or `47,30,36N`, and as some programs do, `-47.51`.
pub(super) fn angle(text: &str, axis: Axis) -> Option<f64> {
    let text = text.trim();
    let is_of_number = |c: char| c.is_ascii_digit() || ".+-".contains(c);
    let parts = text
        .split(|c| !is_of_number(c))
        .filter(|part| !part.is_empty());
    let parts: Option<Vec<f64>> = parts.take(3).map(|part| part.parse().ok()).collect();
    let size = degrees(&parts?)?;
    let mut words = text.split(|c: char| !c.is_ascii_alphabetic());
    let sign = match words.rfind(|word| !word.is_empty()) {
        Some(direction) => axis.sign(direction)?,
        None if text.starts_with('-') => -1.0,
        None => 1.0,
    };
    Some(sign * size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_letters_or_words() {
        for (text, sign) in [
            ("N", Some(1.0)),
            ("s", Some(-1.0)),
            ("S ", Some(-1.0)),
            (" South", Some(-1.0)),
            ("", None),
            ("W", None),
            ("0", None),
        ] {
            assert_eq!(Axis::Latitude.sign(text), sign, "{text}");
        }
        assert_eq!(Axis::Longitude.sign("west"), Some(-1.0));
        assert_eq!(Axis::Longitude.sign("O"), None);
    }

    #[test]
    fn parts_of_an_angle_add_up() {
        let (none, endless) = (f64::NAN, f64::INFINITY);
        for (parts, expected) in [
            (&[47.0, 30.0, 36.0][..], Some(47.51)),
            (&[47.0, 30.6], Some(47.51)),
            (&[47.51], Some(47.51)),
            (&[-47.0, 30.0, 36.0], Some(47.51)),
            (&[47.0, 30.6, none], Some(47.51)),
            (&[47.51, none, none], Some(47.51)),
            (&[47.51, 0.0, endless], Some(47.51)),
            (&[47.0, none, none], None),
            (&[none, 30.0, 36.0], None),
            (&[endless], None),
            (&[], None),
        ] {
            assert_eq!(degrees(parts), expected, "{parts:?}");
        }
    }

    #[test]
    fn angles_are_read_as_texts() {
        for (text, expected) in [
            ("47,30.6N", Some(47.51)),
            ("47,30,36S", Some(-47.51)),
            ("-47.51", Some(-47.51)),
            ("47.51", Some(47.51)),
            ("47.51 s", Some(-47.51)),
            ("47,30.6", Some(47.51)),
            ("47 deg 30' 36 South", Some(-47.51)),
            ("47,30.6W", None),
            ("north", None),
            ("", None),
            ("4-7", None),
        ] {
            assert_eq!(angle(text, Axis::Latitude), expected, "{text}");
        }
    }

    #[test]
    fn half_a_place_is_none_and_neither_is_nowhere() {
        assert!(Place::of(Some(0.0), Some(8.25)).is_some());
        for (latitude, longitude) in [
            (Some(47.51), None),
            (None, Some(8.25)),
            (Some(0.0), Some(-0.0)),
            (Some(90.1), Some(8.25)),
            (Some(47.51), Some(-180.1)),
        ] {
            assert_eq!(Place::of(latitude, longitude), None);
        }
    }
}
