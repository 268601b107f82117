//! Where a page of a ranking ended, as a text that comes back with the request for the next one.
//!
//! It holds a place in the ranking and not a number of hits to skip, so that pictures may come and go in between: none is
//! shown twice, and none that was there all along is left out.

use std::fmt;
use std::str::FromStr;

use super::cutoff::Cut;
use super::query::Query;
use crate::store::ImageId;

/// Bytes of a hash that tell two models or two queries apart.
const TAG_DIGITS: usize = 12;

/// A place in the ranking of one query by one model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cursor {
    /// The start of the model's fingerprint.
    pub(super) model: String,
    /// Hash of the query.
    pub(super) query: String,
    /// Similarity of the last hit.
    pub(super) similarity: f32,
    /// The last hit.
    pub(super) image: ImageId,
    /// Where the ranking ends.
    pub(super) cut: Cut,
    /// What the query's terms weighed, which depends on what was in the library.
    pub(super) weights: Vec<f32>,
}

impl Cursor {
    /// What a cursor of this model and query begins with.
    pub(super) fn tags(fingerprint: &str, query: &Query) -> (String, String) {
        let model = fingerprint.chars().take(TAG_DIGITS).collect();
        // A query always has a JSON form; were one without, its pages would be told from others by their model alone.
        let written = serde_json::to_vec(query).unwrap_or_default();
        let hash = blake3::hash(&written).to_hex();
        (model, hash[..TAG_DIGITS].to_owned())
    }

    /// Whether a hit comes after this place.
    pub(super) fn is_before(&self, (image, similarity): (ImageId, f32)) -> bool {
        let order = self.similarity.total_cmp(&similarity).reverse();
        order.then(self.image.cmp(&image)).is_lt()
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cursor {
            model,
            query,
            similarity,
            image,
            cut: Cut { floor, fits },
            weights,
        } = self;
        let (similarity, floor) = (similarity.to_bits(), floor.to_bits());
        let fits = fits.map_or('-', |fits| if fits { 'y' } else { 'n' });
        write!(
            f,
            "{model}.{query}.{similarity:x}.{floor:x}.{fits}.{:x}",
            image.0
        )?;
        weights
            .iter()
            .try_for_each(|weight| write!(f, ".{:x}", weight.to_bits()))
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Cursor, ()> {
        let parts: Vec<&str> = text.split('.').collect();
        let [model, query, similarity, floor, fits, image, weights @ ..] = parts.as_slice() else {
            return Err(());
        };
        let number = |text: &str| u32::from_str_radix(text, 16).map(f32::from_bits);
        let weights = weights.iter().map(|weight| number(weight));
        let cut = Cut {
            floor: number(floor).map_err(drop)?,
            fits: match *fits {
                "-" => None,
                "y" => Some(true),
                "n" => Some(false),
                _ => return Err(()),
            },
        };
        let cursor = Cursor {
            model: (*model).to_owned(),
            query: (*query).to_owned(),
            similarity: number(similarity).map_err(drop)?,
            image: i64::from_str_radix(image, 16).map(ImageId).map_err(drop)?,
            cut,
            weights: weights.collect::<Result<_, _>>().map_err(drop)?,
        };
        let mut numbers = [cursor.similarity, cut.floor].into_iter();
        let is_sound = !numbers.any(f32::is_nan) && cursor.weights.iter().all(|it| it.is_finite());
        is_sound.then_some(cursor).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let (model, query) = Cursor::tags("0123456789abcdef", &Query::text("a dog"));
        let cursor = Cursor {
            model,
            query,
            similarity: 0.25,
            image: ImageId(77),
            cut: Cut::NONE,
            weights: vec![1.0, -0.5],
        };
        for fits in [None, Some(true), Some(false)] {
            let cut = Cut { fits, ..Cut::NONE };
            let cursor = Cursor {
                cut,
                ..cursor.clone()
            };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for wrong in [
            "",
            "1",
            "a.b.c.d.-.e.x",
            "a.b.x.0.-.0",
            "a.b.0.0.?.0",
            "a.b.7fc00000.0.-.0",
            "a.b.0.0.-.0.7f800000",
        ] {
            assert_eq!(wrong.parse::<Cursor>(), Err(()), "{wrong}");
        }
        let comes_after = |similarity, image| cursor.is_before((ImageId(image), similarity));
        assert!(comes_after(0.2, 1) && comes_after(0.25, 78));
        assert!(!comes_after(0.25, 77) && !comes_after(0.25, 76) && !comes_after(0.3, 99));
    }
}
