//! What is asked for in a search.

use std::fmt::Display;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::formats::Format;
use crate::search::{
    self, BadQuery, BadStrictness, MOST_TERMS, MOST_WEIGHT, Query, Slice, Term, Upload, What,
};
use crate::store::{
    Area, BadArea, BadDate, BadOrder, ContentHash, Filter, PartialDate, Span, VALUE_CHARACTERS,
};

/// Hits when no `limit` is given.
pub const DEFAULT_LIMIT: usize = 50;

/// The largest `limit`: an answer must fit in memory and in patience.
pub const MAX_LIMIT: usize = 1000;

/// A query, and the part of its answer that is wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SearchRequest {
    /// The short form; what stands beside it is added.
    pub q: Option<String>,
    /// What images should, or should not, be similar to.
    pub terms: Vec<TermRequest>,
    /// What they must be.
    pub filter: FilterRequest,
    /// How much a hit must stand out, from 0 to 100.
    pub strictness: Option<i64>,
    /// Images on a page.
    pub limit: Option<usize>,
    /// Where the page before ended, as its answer said.
    pub cursor: Option<String>,
    /// Hits that are left out before the page: to look further down. A cursor is steadier where pictures come and go.
    pub offset: usize,
    /// The order, where only filters are given: `taken`, `added`, `name` or `size`, with a `-` before it the other way round.
    pub order: Option<String>,
    /// Whether all hits are counted.
    pub total: bool,
    /// Whether all hits are counted, by tag, year and folder.
    pub facets: bool,
}

/// One of `text`, `image` and `upload`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TermRequest {
    /// A description in plain words.
    pub text: Option<String>,
    /// An image of the library.
    pub image: Option<ContentHash>,
    /// Bytes of a picture file in base64.
    pub upload: Option<String>,
    /// How much it counts beside the others, 1 where none is given; below 0 for what is to be avoided.
    pub weight: Option<f32>,
}

/// Conditions that an image must meet, all of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FilterRequest {
    /// Labels, named `label` or `set/label`.
    pub tags: TagsRequest,
    /// Folders or globs, in one of which a file of it must lie.
    pub paths: Vec<String>,
    /// Taken at this local time or later.
    pub after: Option<String>,
    /// Taken before this local time.
    pub before: Option<String>,
    /// In one of these formats.
    pub formats: Vec<Format>,
    /// At one of these local times, each a year, a month or a day.
    pub taken: Vec<String>,
    /// Part of the make and model of one of these cameras.
    pub cameras: Vec<String>,
    /// Width in pixels.
    pub width: Span,
    /// Height in pixels.
    pub height: Span,
    /// Length of the file.
    pub size_bytes: Span,
    /// South, west, north, east, in degrees.
    pub area: Option<[f64; 4]>,
    /// What it must not be.
    pub not: ExcludedRequest,
}

/// Conditions of which an image may meet none.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExcludedRequest {
    /// Folders or globs, in none of which a file of it may lie.
    pub paths: Vec<String>,
    /// Local times at which it was not taken, each a year, a month or a day.
    pub taken: Vec<String>,
    /// Formats in which it is not.
    pub formats: Vec<Format>,
    /// Part of the make and model of cameras with which it was not taken.
    pub cameras: Vec<String>,
}

/// Labels that an image must carry, or not.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TagsRequest {
    /// All of these.
    pub all: Vec<String>,
    /// One of these at least.
    pub any: Vec<String>,
    /// None of these.
    pub none: Vec<String>,
}

/// Why a request for a search cannot be meant.
#[derive(Debug, Error)]
pub enum BadSearch {
    /// Its short form cannot be read.
    #[error(transparent)]
    Query(#[from] BadQuery),
    /// Each term is embedded.
    #[error("a query has at most {} terms", MOST_TERMS)]
    TooManyTerms,
    /// A text that no answer held, and nobody types.
    #[error("`{field}` has at most {VALUE_CHARACTERS} characters, and this one has {characters}")]
    TooLong {
        /// The field.
        field: &'static str,
        /// How many it has.
        characters: usize,
    },
    /// A term that is about nothing, or about several things.
    #[error("a term has one of `text`, `image` and `upload`")]
    Term,
    /// A picture that is not written in base64.
    #[error("`upload` is not base64: {0}")]
    Upload(#[from] base64::DecodeError),
    /// A weight that weighs nothing, or too much.
    #[error(
        "a weight is a number from -{} to {} and not 0",
        MOST_WEIGHT,
        MOST_WEIGHT
    )]
    Weight,
    /// A date that is none.
    #[error(transparent)]
    Date(#[from] BadDate),
    /// A place that is none.
    #[error(transparent)]
    Area(#[from] BadArea),
    /// An order that is none.
    #[error(transparent)]
    Order(#[from] BadOrder),
    /// A strictness that is none.
    #[error(transparent)]
    Strictness(#[from] BadStrictness),
    /// A limit that no answer can be made for.
    #[error("`limit` must be a number from 1 to {max}, not `{0}`", max = MAX_LIMIT)]
    Limit(String),
}

impl SearchRequest {
    /// The query and the part of its answer, checked.
    pub fn read(self) -> Result<(Query, Slice), BadSearch> {
        for (field, value) in [
            ("after", &self.filter.after),
            ("before", &self.filter.before),
            ("cursor", &self.cursor),
        ] {
            let characters = value.as_ref().map_or(0, |value| value.chars().count());
            if characters > VALUE_CHARACTERS {
                return Err(BadSearch::TooLong { field, characters });
            }
        }
        let mut query = search::parse(&self.q.unwrap_or_default())?;
        for term in self.terms {
            query.terms.push(term.read()?);
        }
        if query.terms.len() > MOST_TERMS {
            return Err(BadSearch::TooManyTerms);
        }
        self.filter.add_to(&mut query.filter)?;
        if let Some(number) = self.strictness {
            query.strictness = Some(number.try_into()?);
        }
        let slice = Slice {
            limit: self.limit.map_or(Ok(DEFAULT_LIMIT), read_limit)?,
            cursor: self.cursor,
            offset: self.offset,
            order: self.order.map(|order| order.parse()).transpose()?,
            total: self.total,
            facets: self.facets,
        };
        Ok((query, slice))
    }
}

impl TermRequest {
    fn read(self) -> Result<Term, BadSearch> {
        let what = match (self.text, self.image, self.upload) {
            (Some(text), None, None) => What::Text(text),
            (None, Some(image), None) => What::Image(image),
            (None, None, Some(upload)) => {
                What::Upload(Upload(BASE64_STANDARD.decode(upload.trim())?))
            }
            _ => return Err(BadSearch::Term),
        };
        let weight = self.weight.unwrap_or(1.0);
        if !(weight.abs() <= MOST_WEIGHT && weight != 0.0) {
            return Err(BadSearch::Weight);
        }
        Ok(Term { what, weight })
    }
}

impl FilterRequest {
    fn add_to(self, filter: &mut Filter) -> Result<(), BadSearch> {
        filter.all_tags.extend(self.tags.all);
        filter.no_tags.extend(self.tags.none);
        filter
            .any_tags
            .extend(Some(self.tags.any).filter(|tags| !tags.is_empty()));
        filter.paths.extend(self.paths);
        filter.after = date(self.after)?.or(filter.after.take());
        filter.before = date(self.before)?.or(filter.before.take());
        filter.formats.extend(self.formats);
        filter.taken.extend(times(&self.taken)?);
        filter.cameras.extend(self.cameras);
        filter.not.paths.extend(self.not.paths);
        filter.not.taken.extend(times(&self.not.taken)?);
        filter.not.formats.extend(self.not.formats);
        filter.not.cameras.extend(self.not.cameras);
        for (span, given) in [
            (&mut filter.width, self.width),
            (&mut filter.height, self.height),
            (&mut filter.size_bytes, self.size_bytes),
        ] {
            span.from = given.from.or(span.from);
            span.to = given.to.or(span.to);
        }
        let area = self.area.map(Area::try_from).transpose()?;
        filter.area = area.or(filter.area.take());
        Ok(())
    }
}

fn times(texts: &[String]) -> Result<Vec<PartialDate>, BadDate> {
    texts.iter().map(|text| text.parse()).collect()
}

fn date(text: Option<String>) -> Result<Option<PartialDate>, BadDate> {
    text.map(|text| text.parse()).transpose()
}

/// A number of hits that an answer can be made for.
pub fn read_limit(given: impl Display) -> Result<usize, BadSearch> {
    let given = given.to_string();
    let limit = given.parse().ok();
    limit
        .filter(|limit| (1..=MAX_LIMIT).contains(limit))
        .ok_or(BadSearch::Limit(given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_shows_a_full_form_that_is_read() {
        let help = include_str!("../cli/help/serve.txt");
        let start = help.find("\n  {\"terms\"").unwrap();
        let form = help[start..].split("\n\n").next().unwrap();
        let form = form
            .replace("\"ID\"", &format!("\"{}\"", "0".repeat(64)))
            .replace("BASE64", "AAAA");
        let request: SearchRequest = serde_json::from_str(&form).unwrap();
        let (query, slice) = request.read().unwrap();
        assert_eq!(
            (query.terms.len(), slice.limit, slice.facets),
            (4, 20, true)
        );
        assert_eq!(query.filter.any_tags, [["beach", "lake"]]);
    }

    #[test]
    fn both_forms_can_say_the_same() {
        let typed = "path:a -path:b taken:2022 -taken:2022-07 format:png -format:gif,bmp camera:K5,Q2 -camera:scanner";
        let full = serde_json::json!({ "filter": {
            "paths": ["a"], "taken": ["2022"], "formats": ["png"], "cameras": ["K5", "Q2"],
            "not": { "paths": ["b"], "taken": ["2022-07"], "formats": ["gif", "bmp"], "cameras": ["scanner"] },
        } });
        let request: SearchRequest = serde_json::from_value(full).unwrap();
        assert_eq!(request.read().unwrap().0, search::parse(typed).unwrap());
    }

    #[test]
    fn formats_mean_the_same_in_both_forms() {
        let formats = |formats: &str| {
            let form = format!("{{\"filter\": {{\"formats\": {formats}}}}}");
            let request = serde_json::from_str::<SearchRequest>(&form)?;
            Ok::<_, serde_json::Error>(request.read().unwrap().0.filter.formats)
        };
        let typed = |text: &str| search::parse(text).map(|query| query.filter.formats);
        assert_eq!(formats("[\"jpg\"]").unwrap(), typed("format:jpg").unwrap());
        assert_eq!(
            formats("[\"JPEG\", \"tif\"]").unwrap(),
            typed("format:jpe,TIFF").unwrap()
        );
        assert!(typed("format:jpog").is_err());
        let error = formats("[\"jpog\"]").unwrap_err().to_string();
        assert!(error.contains("known are jpeg, png"), "{error}");
    }
}
