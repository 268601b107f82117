//! What a query is made of, part by part as it was typed: for whoever shows it as more than a text.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parse::{BadQuery, Sign, parse, words};

/// A part of a query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// The part as it stands in the query; a space between parts makes one of them again.
    pub text: String,
    /// Place of its first character, from 1.
    pub at: usize,
    /// What it is.
    pub kind: PartKind,
    /// What stands in front of its colon: of filters, and of images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The description without its quotes, or what stands behind the colon.
    pub values: Vec<String>,
    /// How much a description or an image counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f32>,
    /// Whether a filter lets through what it is not about.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_excluded: bool,
}

/// What a part of a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PartKind {
    /// A bare word; all of them together are one description.
    Word,
    /// A description of its own.
    Description,
    /// An image that hits should, or should not, be like.
    Image,
    /// A condition.
    Filter,
}

/// The parts of a query that [`parse`] takes.
pub fn parts(text: &str) -> Result<Vec<Part>, BadQuery> {
    parse(text)?;
    let words = words(text)?.into_iter();
    words
        .map(|word| {
            let (sign, start) = word.sign();
            let (weight, start) = word.weight(sign, start).map_err(word.at(start))?;
            let named = word.name(start);
            let kind = match &named {
                Some((name, _)) if name == "image" => PartKind::Image,
                Some(_) => PartKind::Filter,
                None if sign == Sign::None && word.chars[start] != '"' => PartKind::Word,
                None => PartKind::Description,
            };
            let (name, value_at) = named.unzip();
            let values = word.values(name.as_deref(), value_at.unwrap_or(start))?;
            let is_filter = kind == PartKind::Filter;
            Ok(Part {
                text: word.chars.iter().collect(),
                at: word.at,
                kind,
                name,
                values,
                weight: (!is_filter).then_some(weight),
                is_excluded: is_filter && sign == Sign::Minus,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_say_what_they_are_and_make_the_same_query_again() {
        let id = "ab".repeat(32);
        let text = format!(
            "a  dog tag:set/b,\"c, d\" -path:old +0.5:night \"red \\\"car\\\"\" -image:{id} strictness:20 -snow"
        );
        let parts = parts(&text).unwrap();
        let kinds: Vec<_> = parts
            .iter()
            .map(|part| (part.kind, part.values[0].as_str()))
            .collect();
        let expected = [
            (PartKind::Word, "a"),
            (PartKind::Word, "dog"),
            (PartKind::Filter, "set/b"),
            (PartKind::Filter, "old"),
            (PartKind::Description, "night"),
            (PartKind::Description, "red \"car\""),
            (PartKind::Image, &id),
            (PartKind::Filter, "20"),
            (PartKind::Description, "snow"),
        ];
        assert_eq!(kinds, expected);
        assert_eq!(parts[1].at, 4);
        assert_eq!(parts[2].values, ["set/b", "c, d"]);
        assert_eq!((parts[2].weight, parts[2].is_excluded), (None, false));
        assert!(parts[3].is_excluded && parts[3].name.as_deref() == Some("path"));
        assert_eq!(parts[4].weight, Some(0.5));
        assert_eq!(parts[6].weight, Some(-0.5));
        let texts: Vec<_> = parts.iter().map(|part| part.text.as_str()).collect();
        assert_eq!(parse(&texts.join(" ")).unwrap(), parse(&text).unwrap());
    }

    #[test]
    fn a_query_that_is_none_has_no_parts() {
        let error = parts("a \"red car").unwrap_err();
        assert_eq!(error, parse("a \"red car").unwrap_err());
        assert!(parts(" ").unwrap().is_empty());
    }
}
