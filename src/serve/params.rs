//! What stands behind the `?` of an address.

use std::ops::RangeInclusive;

use super::error::ApiError;
use crate::search::{self, Query, SearchError, Slice};
use crate::store::{BadImageId, ContentHash, Order, PartialDate};
use crate::wire::{BadSearch, DEFAULT_LIMIT, MAX_LIMIT, read_limit};

/// A name that a route knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// Whether it may be given several times.
    pub(super) is_list: bool,
    pub(super) value: Value,
    /// What it is for, in a sentence.
    pub(super) does: &'static str,
}

/// What stands behind a name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    /// A text of so many characters at most.
    Text(usize),
    /// A whole number, from and to.
    Integer(i64, i64),
    /// A number, from and to.
    Number(f64, f64),
    Flag,
    OneOf(&'static [&'static str]),
    /// The beginning of a local time.
    Date,
    Image,
}

/// One that is given once at most.
pub(super) const fn one(name: &'static str, value: Value, does: &'static str) -> Parameter {
    Parameter {
        name,
        is_list: false,
        value,
        does,
    }
}

/// One that may be given several times.
pub(super) const fn list(name: &'static str, value: Value, does: &'static str) -> Parameter {
    Parameter {
        is_list: true,
        ..one(name, value, does)
    }
}

/// One names an entry by what it is called, of which the longest is a path.
const MOST_CURSOR_CHARACTERS: usize = 8_000;

/// How long a page is.
pub(super) const LIMIT: Parameter = one(
    "limit",
    Value::Integer(1, MAX_LIMIT as i64),
    "Entries on a page.",
);

/// Whether a list is counted.
pub(super) const TOTAL: Parameter = one(
    "total",
    Value::Flag,
    "Whether all entries are counted, not only those of the page.",
);

/// Where a page begins.
pub(super) const CURSOR: Parameter = one(
    "cursor",
    Value::Text(MOST_CURSOR_CHARACTERS),
    "Where the page before ended, as its answer said.",
);

/// No library has as many pictures.
const MOST_OFFSET: i64 = u32::MAX as i64;

/// Where a page begins, without the pages before.
pub(super) const OFFSET: Parameter = one(
    "offset",
    Value::Integer(0, MOST_OFFSET),
    "Entries that are left out before the page: to look further down. A cursor is steadier where pictures come and go.",
);

/// What a route takes behind the `?`, in groups; nothing else gets through.
pub(super) type Known = &'static [&'static [Parameter]];

/// The parameters of one request, in the order in which they stand.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `name=value&…`; form encoding takes any text. Refuses names that mean nothing here, and a second value where
    /// one is taken: a misspelt filter must not look like one that lets everything pass.
    pub(super) fn read(raw: &str, known: Known) -> Result<Params, ApiError> {
        let params: Vec<(String, String)> = form_urlencoded::parse(raw.as_bytes())
            .into_owned()
            .collect();
        for (at, (name, value)) in params.iter().enumerate() {
            let Some(parameter) = known
                .iter()
                .copied()
                .flatten()
                .find(|known| known.name == name)
            else {
                return Err(unknown(name, known));
            };
            let is_repeated = params[..at].iter().any(|(earlier, _)| earlier == name);
            if is_repeated && !parameter.is_list {
                let message = format!("`{name}` is given several times and takes one value");
                return Err(ApiError::bad_request("repeated_parameter", message));
            }
            if let Value::Text(most) = parameter.value
                && value.chars().count() > most
            {
                let message = format!("`{name}` has at most {most} characters");
                return Err(ApiError::bad_request("parameter_too_long", message));
            }
        }
        Ok(Params(params))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn limit(&self) -> Result<usize, ApiError> {
        let limit = self.get("limit").map_or(Ok(DEFAULT_LIMIT), read_limit);
        Ok(limit?)
    }

    /// A whole number of this range, where one is given.
    pub(super) fn number(
        &self,
        name: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<usize>, ApiError> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        let number = number.and_then(|number| usize::try_from(number).ok());
        number.map(Some).ok_or_else(|| {
            let (least, most) = range.into_inner();
            let message =
                format!("`{name}` is a whole number from {least} to {most}, not `{text}`");
            ApiError::bad_request("bad_parameter", message)
        })
    }

    /// The query: its short form in `q`, an image in `similar`, and filters each by its own name, which all hold.
    pub(super) fn query(&self) -> Result<Query, ApiError> {
        let mut query =
            search::parse(self.get("q").unwrap_or_default()).map_err(SearchError::from)?;
        if let Some(id) = self.get("similar") {
            query.terms.extend(Query::similar(image_hash(id)?).terms);
        }
        if let Some(text) = self.get("strictness") {
            query.strictness = Some(text.parse().map_err(BadSearch::Strictness)?);
        }
        let filter = &mut query.filter;
        filter.all_tags.extend(self.all("tag"));
        filter.paths.extend(self.all("path"));
        filter.after = self.date("after")?.or(filter.after.take());
        filter.before = self.date("before")?.or(filter.before.take());
        Ok(query)
    }

    /// The part of an answer that is wanted.
    pub(super) fn slice(&self) -> Result<Slice, ApiError> {
        Ok(Slice {
            limit: self.limit()?,
            cursor: self.given("cursor"),
            offset: self.number("offset", 0..=MOST_OFFSET)?.unwrap_or_default(),
            order: self.order()?,
            total: self.flag("total")?,
            facets: self.flag("facets")?,
        })
    }

    fn order(&self) -> Result<Option<Order>, ApiError> {
        let order = self.given("order").map(|text| text.parse());
        Ok(order.transpose().map_err(BadSearch::Order)?)
    }

    fn date(&self, name: &str) -> Result<Option<PartialDate>, ApiError> {
        let date = self.given(name).map(|text| text.parse());
        Ok(date.transpose().map_err(BadSearch::Date)?)
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(ApiError::bad_request(
                "bad_parameter",
                format!("`{name}` is true or false, not `{other}`"),
            )),
        }
    }

    /// All values of a name, but for empty ones: forms send those for what nobody filled in.
    fn all(&self, name: &str) -> impl Iterator<Item = String> {
        let named = self
            .0
            .iter()
            .filter(move |(known, value)| known == name && !value.is_empty());
        named.map(|(_, value)| value.clone())
    }

    fn given(&self, name: &str) -> Option<String> {
        self.all(name).next()
    }
}

fn unknown(name: &str, known: Known) -> ApiError {
    let names: Vec<&str> = known
        .iter()
        .copied()
        .flatten()
        .map(|known| known.name)
        .collect();
    let names = match names.join(", ") {
        names if names.is_empty() => "there are none".to_owned(),
        names => format!("known are {names}"),
    };
    let message = format!("`{name}` is not a parameter here; {names}");
    ApiError::bad_request("unknown_parameter", message)
}

/// Reads an image id from an address.
pub(super) fn image_hash(text: &str) -> Result<ContentHash, ApiError> {
    text.parse()
        .map_err(|error: BadImageId| ApiError::bad_request("bad_image_id", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_route_knows_gets_through_and_only_lists_repeat() {
        const KNOWN: Known = &[&[LIMIT], &[list("tag", Value::Text(9), "")]];
        let read = |raw| Params::read(raw, KNOWN).map(|params| params.0.len());
        assert_eq!(read("").unwrap(), 0);
        assert_eq!(read("tag=a&limit=&tag=b").unwrap(), 3);
        for (raw, sentence) in [
            ("limits=3", "known are limit, tag"),
            ("limit=1&limit=1", "`limit` is given several times"),
            ("tag=a&Tag=b", "`Tag` is not a parameter"),
            ("tag=1234567890", "`tag` has at most 9 characters"),
        ] {
            let error = format!("{:?}", read(raw).unwrap_err());
            assert!(error.contains(sentence), "{raw}: {error}");
        }
        let near = |text: &str| {
            let given = Params(vec![("near".to_owned(), text.to_owned())]);
            given.number("near", 1..=100)
        };
        assert_eq!(near("100").unwrap(), Some(100));
        for bad in ["0", "101", "-1", "99999999999999999999", "a", ""] {
            let error = format!("{:?}", near(bad).unwrap_err());
            assert!(error.contains("from 1 to 100"), "{error}");
        }
        let error = Params::read("q=", &[]).unwrap_err();
        assert!(format!("{error:?}").contains("there are none"));
    }
}
