//! The full form of a query: what stands in the body of a search.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use warp::hyper::body::Bytes;

use super::error::ApiError;
use super::params::{DEFAULT_LIMIT, bad_filter, checked_limit, strictness};
use crate::search::{self, MOST_TERMS, MOST_WEIGHT, Query, SearchError, Slice, Term, Upload, What};
use crate::store::{Area, ContentHash, Filter, PartialDate, Span};

type Result<T> = std::result::Result<T, ApiError>;

/// A query with the part of its answer that is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    /// The short form; what stands beside it is added.
    q: Option<String>,
    #[serde(default)]
    terms: Vec<TermForm>,
    #[serde(default)]
    filter: FilterForm,
    strictness: Option<i64>,
    limit: Option<usize>,
    cursor: Option<String>,
    #[serde(default)]
    facets: bool,
}

/// One of `text`, `image` and `upload`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TermForm {
    text: Option<String>,
    image: Option<ContentHash>,
    /// Bytes of a picture file in base64.
    upload: Option<String>,
    weight: Option<f32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FilterForm {
    tags: TagForm,
    paths: Vec<String>,
    after: Option<String>,
    before: Option<String>,
    formats: Vec<String>,
    camera: Option<String>,
    width: Span,
    height: Span,
    size_bytes: Span,
    /// South, west, north, east.
    area: Option<[f64; 4]>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TagForm {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Form {
    /// Reads and checks the body of a search.
    pub(super) fn parse(body: &Bytes) -> Result<(Query, Slice)> {
        let bad = |error| bad_query(format!("the body is wrong: {error}"));
        let form: Form = serde_json::from_slice(body).map_err(bad)?;
        form.read()
    }

    /// The query and the part of its answer, checked.
    pub(super) fn read(self) -> Result<(Query, Slice)> {
        let mut query = search::parse(&self.q.unwrap_or_default()).map_err(SearchError::from)?;
        for term in self.terms {
            query.terms.push(term.read()?);
        }
        if query.terms.len() > MOST_TERMS {
            return Err(bad_query(format!("a query has at most {MOST_TERMS} terms")));
        }
        self.filter.add_to(&mut query.filter)?;
        if let Some(number) = self.strictness {
            query.strictness = Some(strictness(number)?);
        }
        let slice = Slice {
            limit: checked_limit(self.limit.unwrap_or(DEFAULT_LIMIT))?,
            cursor: self.cursor,
            facets: self.facets,
        };
        Ok((query, slice))
    }
}

impl TermForm {
    fn read(self) -> Result<Term> {
        let what = match (self.text, self.image, self.upload) {
            (Some(text), None, None) => What::Text(text),
            (None, Some(image), None) => What::Image(image),
            (None, None, Some(upload)) => What::Upload(Upload(decoded(&upload)?)),
            _ => return Err(bad_query("a term has one of `text`, `image` and `upload`")),
        };
        let weight = self.weight.unwrap_or(1.0);
        if !(weight.abs() <= MOST_WEIGHT && weight != 0.0) {
            return Err(bad_query(format!(
                "a weight is a number from -{MOST_WEIGHT} to {MOST_WEIGHT} and not 0"
            )));
        }
        Ok(Term { what, weight })
    }
}

fn decoded(upload: &str) -> Result<Vec<u8>> {
    BASE64_STANDARD
        .decode(upload.trim())
        .map_err(|error| bad_query(format!("`upload` is not base64: {error}")))
}

fn bad_query(message: impl Into<String>) -> ApiError {
    ApiError::bad_request("bad_query", message)
}

impl FilterForm {
    fn add_to(self, filter: &mut Filter) -> Result<()> {
        filter.all_tags.extend(self.tags.all);
        filter.no_tags.extend(self.tags.none);
        filter
            .any_tags
            .extend(Some(self.tags.any).filter(|tags| !tags.is_empty()));
        filter.paths.extend(self.paths);
        filter.after = date(self.after)?.or(filter.after.take());
        filter.before = date(self.before)?.or(filter.before.take());
        filter.formats.extend(self.formats);
        filter.camera = self.camera.or(filter.camera.take());
        for (span, given) in [
            (&mut filter.width, self.width),
            (&mut filter.height, self.height),
            (&mut filter.size_bytes, self.size_bytes),
        ] {
            span.from = given.from.or(span.from);
            span.to = given.to.or(span.to);
        }
        let area = self.area.map(Area::try_from).transpose();
        filter.area = area.map_err(bad_filter)?.or(filter.area.take());
        Ok(())
    }
}

fn date(text: Option<String>) -> Result<Option<PartialDate>> {
    let date = text.map(|text| text.parse()).transpose();
    date.map_err(bad_filter)
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
        let (query, slice) = Form::parse(&Bytes::from(form)).unwrap();
        assert_eq!(
            (query.terms.len(), slice.limit, slice.facets),
            (4, 20, true)
        );
        assert_eq!(query.filter.any_tags, [["beach", "lake"]]);
    }
}
