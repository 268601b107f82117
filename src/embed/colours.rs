//! What colours a picture has, so far as it can be told in a few bytes: what is shown in its place until it is there itself.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Quarters of a picture.
const QUARTERS: usize = 4;

/// The mean colour of each quarter, as red, green and blue: top left, top right, bottom left, bottom right. Written as `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colours([[u8; 3]; QUARTERS]);

impl Colours {
    /// Of rows of red, green, blue bytes, `side` pixels each.
    pub(super) fn of(side: usize, bytes: &[u8]) -> Colours {
        let mut sums = [[0u64; 3]; QUARTERS];
        let mut pixels = [0u64; QUARTERS];
        for (at, pixel) in bytes.chunks_exact(3).enumerate() {
            let (row, column) = (at / side, at % side);
            let quarter = 2 * usize::from(2 * row >= side) + usize::from(2 * column >= side);
            pixels[quarter] += 1;
            for (sum, value) in sums[quarter].iter_mut().zip(pixel) {
                *sum += u64::from(*value);
            }
        }
        let mut colours = [[0; 3]; QUARTERS];
        for ((colour, sums), pixels) in colours.iter_mut().zip(sums).zip(pixels) {
            *colour = sums.map(|sum| (sum / pixels.max(1)) as u8);
        }
        Colours(colours)
    }

    /// As they are stored.
    pub fn to_bytes(self) -> Vec<u8> {
        self.0.concat()
    }

    /// What was stored; nothing where these are no colours.
    pub fn from_bytes(bytes: &[u8]) -> Option<Colours> {
        let (colours, rest) = bytes.as_chunks::<3>();
        let is_whole = rest.is_empty();
        let colours = colours.try_into().ok().filter(|_| is_whole)?;
        Some(Colours(colours))
    }
}

impl Serialize for Colours {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let texts = self
            .0
            .map(|[red, green, blue]| format!("#{red:02x}{green:02x}{blue:02x}"));
        texts.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Colours {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Colours, D::Error> {
        use serde::de::Error;
        let texts = <[String; QUARTERS]>::deserialize(from)?;
        let mut colours = [[0; 3]; QUARTERS];
        for (colour, text) in colours.iter_mut().zip(texts) {
            let number = text.strip_prefix('#').filter(|digits| digits.len() == 6);
            let number = number.and_then(|digits| u32::from_str_radix(digits, 16).ok());
            let number =
                number.ok_or_else(|| D::Error::custom(format!("`{text}` is no #rrggbb")))?;
            let [_, rgb @ ..] = number.to_be_bytes();
            *colour = rgb;
        }
        Ok(Colours(colours))
    }
}

impl JsonSchema for Colours {
    fn schema_name() -> Cow<'static, str> {
        "Colours".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "type": "string", "pattern": "^#[0-9a-f]{6}$" },
            "minItems": QUARTERS,
            "maxItems": QUARTERS,
            "description": "Mean colours of a picture's quarters, to show in its place until it is there: top left, top right, bottom left, bottom right.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_quarter_has_its_mean() {
        let [red, blue, green, grey] = [[255, 0, 0], [0, 0, 255], [0, 99, 0], [7, 8, 9]];
        // The middle row and column belong to the quarters above and to the left.
        let rows = [
            [red, red, blue],
            [red, red, blue],
            [[0, 98, 0], [0, 100, 0], grey],
        ];
        let colours = Colours::of(3, rows.as_flattened().as_flattened());
        assert_eq!(colours, Colours([red, blue, green, grey]));
        assert_eq!(Colours::from_bytes(&colours.to_bytes()), Some(colours));
        assert_eq!(Colours::from_bytes(&[0; 13]), None);
        assert_eq!(Colours::from_bytes(&[0; 9]), None);
        let json = serde_json::to_value(colours).unwrap();
        assert_eq!(
            json,
            serde_json::json!(["#ff0000", "#0000ff", "#006300", "#070809"])
        );
        assert_eq!(serde_json::from_value::<Colours>(json).unwrap(), colours);
        let bad = serde_json::json!(["#ff0000", "#0000ff", "#006300", "red"]);
        assert!(serde_json::from_value::<Colours>(bad).is_err());
    }
}
