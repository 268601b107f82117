//! The order of a list of images, and where a page of it ends.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rusqlite::Row;
use rusqlite::types::Value;
use thiserror::Error;

use super::ids::ImageId;

/// What images are listed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// When they were taken; those of no known time as the oldest.
    Taken,
    /// When they came into the library.
    Added,
    /// What a file of theirs is called.
    Name,
    /// Length of the file.
    Size,
}

/// The order of a list, written `taken`, `added`, `name` or `size`, and with a `-` before it the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    by: By,
    is_descending: bool,
}

impl Order {
    /// All that there are, as they are written.
    pub const NAMES: &[&str] = &[
        "taken", "-taken", "added", "-added", "name", "-name", "size", "-size",
    ];

    /// What came last comes first.
    pub const NEWEST_FIRST: Order = Order {
        by: By::Added,
        is_descending: true,
    };

    /// How a list of images is made, of all of them or of those that pass a filter.
    pub(super) fn listed(self, all: bool) -> Listed {
        let (from, key) = match self.by {
            By::Taken => (IMAGES, "coalesce(taken_at, '')"),
            By::Added => (IMAGES, "0"),
            By::Size => (IMAGES, "size_bytes"),
            // Of all images the files are walked in the order of their names; few images are sorted sooner.
            By::Name if all => (FIRST_FILES, "f.name"),
            By::Name => (IMAGES, FIRST_NAME),
        };
        Listed {
            order: self,
            from,
            key,
        }
    }
}

const IMAGES: &str = "images i";

const FIRST_NAME: &str =
    "coalesce((SELECT min(f.name) FROM live_files f WHERE f.image_id = i.id), '')";

/// Images by that of their files which is called what comes first.
const FIRST_FILES: &str = "live_files f CROSS JOIN images i ON i.id = f.image_id AND f.id = (
    SELECT g.id FROM live_files g WHERE g.image_id = i.id ORDER BY g.name, g.id LIMIT 1)";

/// A list in some order, in SQL.
pub(super) struct Listed {
    order: Order,
    /// Where its rows come from.
    pub(super) from: &'static str,
    /// What is compared before the number of the row.
    pub(super) key: &'static str,
}

impl Listed {
    /// Whether its rows come from files, so that each image of it is held by one.
    pub(super) fn is_of_files(&self) -> bool {
        self.from != IMAGES
    }

    /// The condition that an image comes behind a place, with placeholders for what [`Place::values`] gives. Its first comparison is
    /// one that an index can begin at, which it cannot at a pair.
    pub(super) fn behind(&self) -> String {
        let than = if self.order.is_descending { '<' } else { '>' };
        let key = self.key;
        match self.order.by {
            By::Added => format!("i.id {than} ?"),
            _ => format!("{key} {than}= ? AND ({key} <> ? OR i.id {than} ?)"),
        }
    }

    /// The order.
    pub(super) fn order_by(&self) -> String {
        let way = if self.order.is_descending {
            "DESC"
        } else {
            "ASC"
        };
        match self.order.by {
            By::Added => format!("ORDER BY i.id {way}"),
            _ => format!("ORDER BY {} {way}, i.id {way}", self.key),
        }
    }
}

impl Display for Order {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            By::Taken => "taken",
            By::Added => "added",
            By::Name => "name",
            By::Size => "size",
        };
        let way = if self.is_descending { "-" } else { "" };
        write!(formatter, "{way}{by}")
    }
}

/// A text that is no [`Order`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is no order: there are taken, added, name and size, and with a `-` before it each the other way round"
)]
pub struct BadOrder(String);

impl FromStr for Order {
    type Err = BadOrder;

    fn from_str(text: &str) -> Result<Order, BadOrder> {
        let (is_descending, by) = match text.strip_prefix('-') {
            Some(by) => (true, by),
            None => (false, text),
        };
        let by = match by {
            "taken" => By::Taken,
            "added" => By::Added,
            "name" => By::Name,
            "size" => By::Size,
            _ => return Err(BadOrder(text.to_owned())),
        };
        Ok(Order { by, is_descending })
    }
}

/// A place in a list: what the image that stands there is compared by, and its row. Images may come and go around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    order: Order,
    key: Value,
    pub(super) image: ImageId,
}

impl Place {
    pub(super) fn read(order: Order, row: &Row<'_>) -> rusqlite::Result<Place> {
        Ok(Place {
            order,
            image: row.get(0)?,
            key: row.get(1)?,
        })
    }

    /// The order in which it is one.
    pub fn order(&self) -> Order {
        self.order
    }

    pub(super) fn values(&self) -> Vec<Value> {
        let (key, id) = (&self.key, Value::Integer(self.image.0));
        match self.order.by {
            By::Added => vec![id],
            _ => vec![key.clone(), key.clone(), id],
        }
    }
}

impl Display for Place {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let key = match &self.key {
            Value::Integer(number) => (*number).into(),
            Value::Text(text) => text.as_str().into(),
            _ => serde_json::Value::Null,
        };
        let place = serde_json::json!([self.order.to_string(), key, self.image.0]);
        formatter.write_str(&BASE64_URL_SAFE_NO_PAD.encode(place.to_string()))
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Place, ()> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(drop)?;
        let place: (String, serde_json::Value, i64) =
            serde_json::from_slice(&bytes).map_err(drop)?;
        let order: Order = place.0.parse().map_err(drop)?;
        let is_number = matches!(order.by, By::Added | By::Size);
        let key = match (place.1, is_number) {
            (serde_json::Value::Number(number), true) => Value::Integer(number.as_i64().ok_or(())?),
            (serde_json::Value::String(text), false) => Value::Text(text),
            _ => return Err(()),
        };
        Ok(Place {
            order,
            key,
            image: ImageId(place.2),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_places_are_read_as_they_are_written() {
        for name in Order::NAMES {
            let order: Order = name.parse().unwrap();
            assert_eq!(order.to_string(), *name);
            let key = match order.by {
                By::Taken | By::Name => Value::Text("ü \"x\"".to_owned()),
                By::Added | By::Size => Value::Integer(7),
            };
            let place = Place {
                order,
                key,
                image: ImageId(3),
            };
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for wrong in ["", "-", "Taken", "--taken", "score"] {
            assert!(wrong.parse::<Order>().is_err(), "{wrong}");
        }
        let written = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        for wrong in [
            "",
            "17",
            &written("[\"size\",\"a\",1]"),
            &written("[\"name\",1,1]"),
            &written("[\"size\",1.5,1]"),
            &written("[\"score\",1,1]"),
        ] {
            assert_eq!(wrong.parse::<Place>(), Err(()), "{wrong}");
        }
    }
}
