//! What is looked for: weighted texts and pictures, and a filter.

use std::fmt;

use super::SearchError;
use crate::store::{ContentHash, Filter};

/// The weight of what is to be avoided, where none is given: of "a star, not red" the first hits are right in 95 % with it,
/// and in 88 % with 1 (`tests/benches/scores/queries.py`).
pub const NEGATIVE_WEIGHT: f32 = -0.5;

/// Strictness of a description where none is asked for.
const DEFAULT_STRICTNESS: u8 = 50;

/// The largest weight.
pub const MOST_WEIGHT: f32 = 10.0;

/// Terms of one query: each is embedded, so their number is bounded.
pub const MOST_TERMS: usize = 32;

/// What to look for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// What the images should be similar to. Without terms all that pass the filter are found, newest first.
    pub terms: Vec<Term>,
    /// What they must be.
    pub filter: Filter,
    /// How much a hit must stand out, from 0 (not at all) to 100; see [`Search`](super::Search).
    pub strictness: Option<u8>,
}

/// One thing that images should, or should not, be similar to.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// The thing.
    pub what: What,
    /// How much it counts beside the others; below 0 for what is to be avoided.
    pub weight: f32,
}

/// What a term is about.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A description in plain words.
    Text(String),
    /// An image of the library.
    Image(ContentHash),
    /// A picture that came with the query.
    Upload(Upload),
}

/// The bytes of a picture file.
#[derive(Clone, PartialEq)]
pub struct Upload(pub Vec<u8>);

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upload({})", ContentHash::of(&self.0))
    }
}

impl Query {
    /// For a description in plain words.
    pub fn text(text: impl Into<String>) -> Query {
        Query {
            terms: vec![Term {
                what: What::Text(text.into()),
                weight: 1.0,
            }],
            ..Query::default()
        }
    }

    /// For images like this one.
    pub fn similar(image: ContentHash) -> Query {
        Query {
            terms: vec![Term {
                what: What::Image(image),
                weight: 1.0,
            }],
            ..Query::default()
        }
    }

    /// The filter of a query that has nothing else.
    pub fn only_filter(&self) -> Result<&Filter, SearchError> {
        let is_filter = self.terms.is_empty();
        is_filter
            .then_some(&self.filter)
            .ok_or(SearchError::OnlyFilters)
    }

    /// The text, if there is nothing else to look for.
    pub(super) fn only_text(&self) -> Option<&str> {
        match self.terms.as_slice() {
            [
                Term {
                    what: What::Text(text),
                    weight,
                },
            ] if *weight > 0.0 => Some(text),
            _ => None,
        }
    }

    /// How strict its cut-off is where nothing is said: a ranking by pictures, or by what is not wanted alone, has no end.
    pub(super) fn default_strictness(&self) -> u8 {
        let wants = self.terms.iter().any(|term| term.weight > 0.0);
        if wants && !self.has_picture() {
            DEFAULT_STRICTNESS
        } else {
            0
        }
    }

    /// Whether it is made of descriptions only, of what is wanted.
    pub(super) fn is_description(&self) -> bool {
        let is_wanted_text = |term: &Term| matches!(term.what, What::Text(_)) && term.weight > 0.0;
        self.terms.iter().all(is_wanted_text)
    }

    /// Whether a picture is part of it.
    pub(super) fn has_picture(&self) -> bool {
        let is_text = |term: &Term| matches!(term.what, What::Text(_));
        !self.terms.iter().all(is_text)
    }
}
