//! What a video's container tells about it, beside its pictures.

use super::super::metadata::{self, Moment, Place, Said, Value};
use super::super::parts::Parts;

/// A longer value or name is not kept, and no more than so many.
const MOST_VALUE_BYTES: usize = 1024;
pub(super) const MOST_NAME_BYTES: usize = 128;
pub(super) const MOST_VALUES: usize = 256;

/// Packets of XMP that are read, and most bytes of one.
pub(super) const MOST_PACKETS: usize = 2;
pub(super) const MOST_XMP_BYTES: u64 = 1 << 20;

/// Seconds from 1904, when clocks of films begin, to 1970.
const FROM_1904_S: u64 = 2_082_844_800;

/// Everything that is told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// By the names that the container has for them.
    values: Vec<(String, String)>,
    /// In seconds since 1970, of UTC.
    created_s: Option<u64>,
    xmp: Vec<Vec<u8>>,
}

/// Names of values that mean the same, the best first.
const TAKEN: &[&str] = &["com.apple.quicktime.creationdate", "©day", "DATE_RECORDED"];
const PLACE: &[&str] = &["com.apple.quicktime.location.ISO6709", "©xyz", "loci"];
const MAKE: &[&str] = &[
    "com.apple.quicktime.make",
    "©mak",
    "com.android.manufacturer",
];
const MODEL: &[&str] = &["com.apple.quicktime.model", "©mod", "com.android.model"];
const TITLE: &[&str] = &["com.apple.quicktime.title", "©nam", "TITLE"];
const CONTENT_IDENTIFIER: &[&str] = &["com.apple.quicktime.content.identifier"];
const KEYWORDS: &[&str] = &["com.apple.quicktime.keywords", "keyw", "KEYWORDS"];

impl Told {
    /// Keeps a value.
    pub(super) fn add(&mut self, name: &str, text: &str) {
        let text = text.trim_matches(['\0', ' ', '\n', '\r', '\t']);
        let fits = (1..=MOST_VALUE_BYTES).contains(&text.len()) && name.len() <= MOST_NAME_BYTES;
        if fits && self.values.len() < MOST_VALUES {
            self.values.push((name.to_owned(), text.to_owned()));
        }
    }

    /// Whether another packet of XMP of this length is read.
    pub(super) fn wants_xmp(&self, len: u64) -> bool {
        self.xmp.len() < MOST_PACKETS && len <= MOST_XMP_BYTES
    }

    /// Keeps a packet that is wanted.
    pub(super) fn add_xmp(&mut self, packet: Vec<u8>) {
        if self.wants_xmp(packet.len() as u64) {
            self.xmp.push(packet);
        }
    }

    /// Keeps when the film was made, in seconds since 1904; 0 is what a writer says that does not know, and many years count from
    /// 1970.
    pub(super) fn add_created_1904(&mut self, seconds: u64) {
        if seconds > 0 {
            self.created_s = seconds.checked_sub(FROM_1904_S).or(Some(seconds));
        }
    }

    /// The same in seconds since 1970.
    pub(super) fn add_created(&mut self, seconds: u64) {
        self.created_s = Some(seconds);
    }

    fn first(&self, names: &[&str]) -> Option<&str> {
        let value = |name: &&str| self.values.iter().find(|value| value.0 == *name);
        names.iter().find_map(value).map(|value| value.1.as_str())
    }

    /// What is believed. What a packet of XMP says is believed after the container, but for keywords, which are joined.
    pub(super) fn said(&self) -> Said {
        let text = |names| self.first(names).map(str::to_owned);
        let moment = self.first(TAKEN).and_then(Moment::parse);
        let moment = moment.or_else(|| Moment::of_unix(self.created_s?));
        let of_xmp = metadata::read(&self.parts(), None);
        let mut keywords = of_xmp.keywords;
        let own = self.first(KEYWORDS).unwrap_or_default().split([',', ';']);
        keywords.extend(crate::xmp::sound_keywords(own));
        Said {
            taken: moment.map(metadata::of_container).or(of_xmp.taken),
            camera: metadata::named(text(MAKE), text(MODEL)).or(of_xmp.camera),
            place: self.first(PLACE).and_then(place).or(of_xmp.place),
            title: text(TITLE).or(of_xmp.title),
            content_identifier: text(CONTENT_IDENTIFIER),
            keywords,
            orientation: None,
            ..of_xmp
        }
    }

    /// Every value, whether it is believed or not.
    pub(super) fn values(&self) -> Vec<Value> {
        let created = self.created_s.and_then(Moment::of_unix);
        let created = created.map(|moment| ("created".to_owned(), moment.text()));
        let own = self.values.iter().cloned().chain(created);
        let own = own.map(|(name, text)| Value {
            source: "container",
            name,
            text,
        });
        own.chain(metadata::values(&self.parts())).collect()
    }

    fn parts(&self) -> Parts<'_> {
        Parts {
            xmp: self.xmp.iter().map(Into::into).collect(),
            ..Parts::default()
        }
    }
}

/// ISO 6709: `+48.8577+002.2950+035/`, degrees with a sign each, in decimals, or with minutes and seconds written behind them.
fn place(text: &str) -> Option<Place> {
    let is_sign = |c: char| c == '+' || c == '-';
    let longitude_at = 1 + text.get(1..)?.find(is_sign)?;
    let (latitude, rest) = text.split_at_checked(longitude_at)?;
    let end = rest
        .get(1..)?
        .find(|c: char| !c.is_ascii_digit() && c != '.');
    let longitude = rest.get(..end.map_or(rest.len(), |end| end + 1))?;
    Place::of(degrees(latitude, 2), degrees(longitude, 3))
}

/// An angle whose degrees have so many digits.
fn degrees(text: &str, digits: usize) -> Option<f64> {
    let (sign, number) = text.split_at_checked(1)?;
    let whole = number.split('.').next()?.len();
    let value: f64 = number.parse().ok()?;
    let degrees = if whole <= digits {
        value
    } else if whole == digits + 2 {
        let degrees = (value / 100.0).floor();
        degrees + (value - 100.0 * degrees) / 60.0
    } else {
        let (degrees, minutes) = ((value / 10_000.0).floor(), (value / 100.0).floor() % 100.0);
        degrees + minutes / 60.0 + (value % 100.0) / 3600.0
    };
    match sign {
        "+" => Some(degrees),
        "-" => Some(-degrees),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_in_every_form_of_the_standard() {
        for (text, latitude, longitude) in [
            ("+48.8577+002.2950/", 48.8577, 2.295),
            ("+48.8577-002.2950+035.12/", 48.8577, -2.295),
            ("-33.9CRSWGS_84/", f64::NAN, 0.0),
            ("-3351.5+15112.6/", -33.858_333, 151.21),
            ("+401213.1-0750015.1/", 40.203_639, -75.004_194),
            ("+00.0000+000.0000/", f64::NAN, 0.0),
            ("48.8577,2.2950", f64::NAN, 0.0),
            ("+91.0+000.1/", f64::NAN, 0.0),
            ("", f64::NAN, 0.0),
        ] {
            let found = place(text);
            match found {
                None => assert!(latitude.is_nan(), "{text}"),
                Some(found) => {
                    let off =
                        (found.latitude - latitude).abs() + (found.longitude - longitude).abs();
                    assert!(off < 1e-5, "{text}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_told_best_is_believed() {
        let mut told = Told::default();
        told.add_created_1904(FROM_1904_S + 1_600_000_000);
        let at = |told: &Told| {
            let taken = told.said().taken.unwrap();
            (taken.at, taken.offset_minutes)
        };
        assert_eq!(at(&told), ("2020-09-13T12:26:40".to_owned(), Some(0)));
        told.add(
            "com.apple.quicktime.creationdate",
            "2020-09-13T14:26:38+0200",
        );
        assert_eq!(at(&told), ("2020-09-13T14:26:38".to_owned(), Some(120)));
        told.add("com.apple.quicktime.make", "Apple\0");
        told.add("com.apple.quicktime.model", "iPhone 12");
        told.add("©xyz", "+48.8577+002.2950/");
        told.add("keyw", "sea, sun;  sea ");
        told.add("©nam", " ");
        let said = told.said();
        assert_eq!(said.camera.as_deref(), Some("Apple iPhone 12"));
        assert!(said.place.is_some() && said.title.is_none());
        assert_eq!(
            said.keywords.into_iter().collect::<Vec<_>>(),
            ["sea", "sun"]
        );
        assert_eq!(told.values().len(), 6);
        let mut unknown = Told::default();
        unknown.add_created_1904(0);
        assert!(unknown.said().taken.is_none());
        unknown.add("long", &"x".repeat(2000));
        unknown.add(&"long".repeat(100), "x");
        assert_eq!(unknown.values().len(), 0);
        (0..1000).for_each(|at| unknown.add(&at.to_string(), "x"));
        assert_eq!(unknown.values().len(), MOST_VALUES);
        (0..9).for_each(|_| unknown.add_xmp(vec![0; 9]));
        unknown.add_xmp(vec![0; MOST_XMP_BYTES as usize + 1]);
        assert_eq!(unknown.xmp.len(), MOST_PACKETS);
    }
}
