//! What is looked for: weighted texts and pictures, and a filter.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use thiserror::Error;

use super::SearchError;
use crate::embed::check_text;
use crate::store::{ContentHash, Filter};

/// The weight of what is to be avoided, where none is given: of "a star, not red" the first hits are right in 95 % with it,
/// and in 88 % with 1 (`tests/benches/scores/queries.py`).
pub const NEGATIVE_WEIGHT: f32 = -0.5;

/// The largest weight.
pub const MOST_WEIGHT: f32 = 10.0;

/// Terms of one query: each is embedded, so their number is bounded.
pub const MOST_TERMS: usize = 32;

/// How much a hit must stand out, from 0 (not at all) to 100 (as the best one does).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Strictness(u8);

/// No strictness.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`strictness` is a number from 0 to 100, not `{0}`")]
pub struct BadStrictness(String);

impl Strictness {
    /// Everything is a hit.
    pub const NONE: Strictness = Strictness(0);

    /// That of a description where none is asked for.
    const DEFAULT: Strictness = Strictness(50);

    /// As a share of 1.
    pub(super) fn share(self) -> f32 {
        f32::from(self.0) / 100.0
    }
}

impl TryFrom<i64> for Strictness {
    type Error = BadStrictness;

    fn try_from(number: i64) -> Result<Strictness, BadStrictness> {
        let percent = u8::try_from(number).ok().filter(|percent| *percent <= 100);
        percent
            .map(Strictness)
            .ok_or_else(|| BadStrictness(number.to_string()))
    }
}

impl FromStr for Strictness {
    type Err = BadStrictness;

    fn from_str(text: &str) -> Result<Strictness, BadStrictness> {
        let number: i64 = text.parse().map_err(|_| BadStrictness(text.to_owned()))?;
        number.try_into()
    }
}

/// What to look for.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Query {
    /// What the images should be similar to. Without terms all that pass the filter are found, newest first.
    pub terms: Vec<Term>,
    /// What they must be.
    pub filter: Filter,
    /// How much a hit must stand out, from 0 (not at all) to 100; see [`Search`](super::Search).
    pub strictness: Option<Strictness>,
}

/// One thing that images should, or should not, be similar to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Term {
    /// The thing.
    pub what: What,
    /// How much it counts beside the others; below 0 for what is to be avoided.
    pub weight: f32,
}

/// What a term is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
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

/// By its hash, which says as much and is short.
impl Serialize for Upload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ContentHash::of(&self.0).serialize(serializer)
    }
}

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

    /// What is asked for, in a word.
    pub(crate) fn kind(&self) -> &'static str {
        let mut kinds = self.terms.iter().map(|term| match term.what {
            What::Text(_) => "description",
            What::Image(_) | What::Upload(_) => "picture",
        });
        let Some(first) = kinds.next() else {
            return "filter";
        };
        if kinds.all(|kind| kind == first) {
            first
        } else {
            "mixed"
        }
    }

    /// Whether it is small enough to be answered; asked before anything of it is looked up or embedded.
    pub(super) fn check(&self) -> Result<(), SearchError> {
        for term in &self.terms {
            if let What::Text(text) = &term.what {
                check_text(text)?;
            }
        }
        Ok(self.filter.check()?)
    }

    /// The filter of a query that has nothing else.
    pub fn only_filter(&self) -> Result<&Filter, SearchError> {
        self.check()?;
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
    pub(super) fn default_strictness(&self) -> Strictness {
        let wants = self.terms.iter().any(|term| term.weight > 0.0);
        if wants && !self.has_picture() {
            Strictness::DEFAULT
        } else {
            Strictness::NONE
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
