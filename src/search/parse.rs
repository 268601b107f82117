//! The short form of a query: what people type into a search box.
//!
//! ```text
//! red car +0.5:night -snow tag:vehicle -tag:toy after:2023-01 path:2023/*
//! ```
//!
//! Bare words together are one description. A word or a "quoted text" with a sign is one of its own, with a weight; a
//! `name:value` is a filter. Within quotes `\"` is a quote and `\\` a backslash. Whatever is neither is an error that points at
//! the character.

use std::str::FromStr;

use thiserror::Error;

use super::query::{BadStrictness, MOST_TERMS, MOST_WEIGHT, NEGATIVE_WEIGHT, Query, Term, What};
use crate::formats::{Format, UnknownFormat};
use crate::store::{BadArea, BadDate, BadImageId, BadSpan, Span};

/// What may stand in front of a colon.
const NAMES: &str = "tag, path, taken, after, before, format, camera, width, height, size, area, image and strictness";

/// The longest short form: more descriptions than a query may have, each longer than people type.
pub const MOST_QUERY_CHARACTERS: usize = 10_000;

/// What is wrong with a query, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("at character {at}: {mistake}")]
pub struct BadQuery {
    /// The character that it is about, from 1.
    pub at: usize,
    /// What is wrong, and what would be right.
    pub mistake: Mistake,
}

/// What is wrong with a part of a query, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Mistake {
    /// All of it is taken apart.
    #[error("a query has at most {MOST_QUERY_CHARACTERS} characters, and this one has {0}")]
    TooLong(usize),
    /// Each term is embedded.
    #[error("a query has at most {MOST_TERMS} descriptions and pictures")]
    TooManyTerms,
    /// Everything behind it would belong to it.
    #[error("this quote is never closed")]
    OpenQuote,
    /// Something follows a quote at once.
    #[error("a space must follow the closing quote")]
    AfterQuote,
    /// A sign or an empty quote alone.
    #[error("a description is missing here")]
    NoDescription,
    /// A weight that weighs nothing, or too much.
    #[error("a weight is a number above 0 and up to {MOST_WEIGHT}, not `{0}`")]
    Weight(String),
    /// A sign where there is nothing to want more or less.
    #[error(
        "a sign cannot stand in front of `{0}:`; it can in front of `image:`, and a - in front of `tag:`, `path:`, `taken:`, `format:` and `camera:`"
    )]
    Sign(String),
    /// No filter has this name.
    #[error(
        "`{0}:` is not known here; known are {NAMES}. To look for it as text, put it in quotes"
    )]
    UnknownName(String),
    /// A name with nothing behind it.
    #[error("`{0}:` has no value")]
    NoValue(String),
    /// A date that is none.
    #[error(transparent)]
    Date(#[from] BadDate),
    /// A range that is none.
    #[error(transparent)]
    Span(#[from] BadSpan),
    /// A place that is none.
    #[error(transparent)]
    Area(#[from] BadArea),
    /// An image id that is none.
    #[error(transparent)]
    Image(#[from] BadImageId),
    /// A format that is none.
    #[error(transparent)]
    Format(#[from] UnknownFormat),
    /// A strictness that is none.
    #[error(transparent)]
    Strictness(#[from] BadStrictness),
}

/// A part of the query, up to the next space outside of quotes.
pub(super) struct Word {
    /// Place of its first character, from 1.
    pub(super) at: usize,
    pub(super) chars: Vec<char>,
}

/// What stands in front of a word.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Sign {
    None,
    Plus,
    Minus,
}

/// Reads the short form.
pub fn parse(text: &str) -> Result<Query, BadQuery> {
    let characters = text.chars().count();
    if characters > MOST_QUERY_CHARACTERS {
        let mistake = Mistake::TooLong(characters);
        return Err(BadQuery { at: 1, mistake });
    }
    let mut query = Query::default();
    let mut bare = Vec::new();
    for word in words(text)? {
        word.read(&mut query, &mut bare)?;
    }
    if !bare.is_empty() {
        let what = What::Text(bare.join(" "));
        query.terms.insert(0, Term { what, weight: 1.0 });
    }
    if query.terms.len() > MOST_TERMS {
        let mistake = Mistake::TooManyTerms;
        return Err(BadQuery { at: 1, mistake });
    }
    Ok(query)
}

/// What stands between spaces that no quotes hold together.
pub(super) fn words(text: &str) -> Result<Vec<Word>, BadQuery> {
    let mut words: Vec<Word> = Vec::new();
    let mut quote = None;
    let mut is_escaped = false;
    let mut is_inside = false;
    for (at, c) in (1..).zip(text.chars()) {
        if c.is_whitespace() && quote.is_none() {
            is_inside = false;
            continue;
        }
        if !is_inside {
            words.push(Word {
                at,
                chars: Vec::new(),
            });
            is_inside = true;
        }
        if let Some(word) = words.last_mut() {
            match (c, quote) {
                ('"', Some(_)) if !is_escaped => quote = None,
                ('"', None) if word.may_open_quote() => quote = Some(at),
                _ => {}
            }
            is_escaped = c == '\\' && quote.is_some() && !is_escaped;
            word.chars.push(c);
        }
    }
    match quote {
        None => Ok(words),
        Some(at) => Err(BadQuery {
            at,
            mistake: Mistake::OpenQuote,
        }),
    }
}

impl Word {
    /// In the middle of a word a quote is a letter like others, as in 5".
    fn may_open_quote(&self) -> bool {
        match self.chars.last() {
            None | Some(':' | '+' | '-') => true,
            Some(',') => {
                let (_, start) = self.sign();
                self.name(start).is_some_and(|(name, _)| is_list(&name))
            }
            Some(_) => false,
        }
    }

    fn read(self, query: &mut Query, bare: &mut Vec<String>) -> Result<(), BadQuery> {
        let (sign, after_sign) = self.sign();
        let (weight, start) = self.weight(sign, after_sign).map_err(self.at(after_sign))?;
        if let Some((name, value_at)) = self.name(start) {
            return self.read_named(query, sign, weight, &name, value_at);
        }
        let text = unquoted(&self.chars[start..]).map_err(self.at(start))?;
        if text.trim().is_empty() {
            return Err(self.at(0)(Mistake::NoDescription));
        }
        let is_quoted = self.chars[start] == '"';
        if sign == Sign::None && !is_quoted {
            bare.push(text);
        } else {
            let what = What::Text(text);
            query.terms.push(Term { what, weight });
        }
        Ok(())
    }

    /// Reads the value behind a name. A mistake is about the value, unless the name or its sign is none.
    fn read_named(
        &self,
        query: &mut Query,
        sign: Sign,
        weight: f32,
        name: &str,
        value_at: usize,
    ) -> Result<(), BadQuery> {
        let values = self.values(Some(name), value_at)?;
        let Some(value) = values.first().filter(|value| !value.is_empty()) else {
            return Err(self.at(value_at)(Mistake::NoValue(name.to_owned())));
        };
        let read = match (name, sign) {
            ("image", _) => value.parse().map_err(Mistake::from).map(|image| {
                let what = What::Image(image);
                query.terms.push(Term { what, weight });
            }),
            (_, Sign::Minus) if is_list(name) => exclude(query, name, values),
            (_, Sign::None) => set(query, name, value, &values),
            _ => Err(Mistake::Sign(name.to_owned())),
        };
        read.map_err(|mistake| {
            let offset = match mistake {
                Mistake::Sign(_) => 0,
                // In front of its colon.
                Mistake::UnknownName(_) => value_at - name.len() - 1,
                _ => value_at,
            };
            self.at(offset)(mistake)
        })
    }

    /// What stands behind a name, or the text of a description, without quotes.
    pub(super) fn values(&self, name: Option<&str>, at: usize) -> Result<Vec<String>, BadQuery> {
        let chars = &self.chars[at..];
        let values = if name.is_some_and(is_list) {
            list(chars)
        } else {
            unquoted(chars).map(|value| vec![value])
        };
        values.map_err(self.at(at))
    }

    /// A mistake so many characters into the word.
    pub(super) fn at(&self, offset: usize) -> impl Fn(Mistake) -> BadQuery + use<> {
        let at = self.at + offset;
        move |mistake| BadQuery { at, mistake }
    }

    pub(super) fn sign(&self) -> (Sign, usize) {
        match self.chars.first() {
            Some('+') => (Sign::Plus, 1),
            Some('-') => (Sign::Minus, 1),
            _ => (Sign::None, 0),
        }
    }

    /// The weight, and where what it belongs to begins. Only a sign makes a number a weight.
    pub(super) fn weight(&self, sign: Sign, start: usize) -> Result<(f32, usize), Mistake> {
        let default = if sign == Sign::Minus {
            NEGATIVE_WEIGHT
        } else {
            1.0
        };
        let digits = self.chars[start..]
            .iter()
            .take_while(|c| c.is_ascii_digit() || **c == '.')
            .count();
        if sign == Sign::None || digits == 0 || self.chars.get(start + digits) != Some(&':') {
            return Ok((default, start));
        }
        let number: String = self.chars[start..start + digits].iter().collect();
        let weight = number
            .parse()
            .ok()
            .filter(|weight| *weight > 0.0 && *weight <= MOST_WEIGHT);
        let weight: f32 = weight.ok_or(Mistake::Weight(number))?;
        Ok((weight.copysign(default), start + digits + 1))
    }

    /// The name in front of a colon, and where its value begins.
    pub(super) fn name(&self, start: usize) -> Option<(String, usize)> {
        let letters = self.chars[start..]
            .iter()
            .take_while(|c| c.is_ascii_alphabetic())
            .count();
        let is_name = letters > 0 && self.chars.get(start + letters) == Some(&':');
        is_name.then(|| {
            let name = self.chars[start..start + letters].iter();
            let name: String = name.collect::<String>().to_ascii_lowercase();
            (name, start + letters + 1)
        })
    }
}

/// A value without the quotes around it.
fn unquoted(chars: &[char]) -> Result<String, Mistake> {
    match quoted(chars) {
        None => Ok(chars.iter().collect()),
        Some((text, [])) => Ok(text),
        Some(_) => Err(Mistake::AfterQuote),
    }
}

/// The text of the quotes that begin here, and what follows them.
fn quoted(chars: &[char]) -> Option<(String, &[char])> {
    let ['"', inner @ ..] = chars else {
        return None;
    };
    let mut text = String::new();
    let mut at = 0;
    while let Some(&c) = inner.get(at) {
        match (c, inner.get(at + 1)) {
            ('\\', Some(&escaped @ ('"' | '\\'))) => {
                text.push(escaped);
                at += 1;
            }
            ('"', _) => return Some((text, &inner[at + 1..])),
            (c, _) => text.push(c),
        }
        at += 1;
    }
    None
}

/// Whether several values may stand behind a name.
fn is_list(name: &str) -> bool {
    ["tag", "path", "taken", "format", "camera"].contains(&name)
}

/// The values between commas. One in quotes stands as it is, with the commas in it.
fn list(mut chars: &[char]) -> Result<Vec<String>, Mistake> {
    let mut values = Vec::new();
    loop {
        let (value, rest) = match quoted(chars) {
            Some((_, [next, ..])) if *next != ',' => return Err(Mistake::AfterQuote),
            Some(value) => value,
            None => {
                let end = chars.iter().position(|c| *c == ',').unwrap_or(chars.len());
                let value: String = chars[..end].iter().collect();
                (value.trim().to_owned(), &chars[end..])
            }
        };
        values.extend(Some(value).filter(|value| !value.is_empty()));
        match rest {
            [_, after @ ..] => chars = after,
            [] => return Ok(values),
        }
    }
}

/// Leaves out what one of these values is about.
fn exclude(query: &mut Query, name: &str, values: Vec<String>) -> Result<(), Mistake> {
    let filter = &mut query.filter;
    match name {
        "tag" => filter.no_tags.extend(values),
        "path" => filter.not.paths.extend(values),
        "taken" => filter.not.taken.extend(all(&values)?),
        "format" => filter.not.formats.extend(all::<Format>(&values)?),
        "camera" => filter.not.cameras.extend(values),
        name => return Err(Mistake::UnknownName(name.to_owned())),
    }
    Ok(())
}

/// All values, each read.
fn all<T: FromStr>(values: &[String]) -> Result<Vec<T>, T::Err> {
    values.iter().map(|value| value.parse()).collect()
}

/// Sets what a name stands for: a value, or the first of several.
fn set(query: &mut Query, name: &str, value: &str, values: &[String]) -> Result<(), Mistake> {
    let filter = &mut query.filter;
    match name {
        "tag" if values.len() > 1 => filter.any_tags.push(values.to_vec()),
        "tag" => filter.all_tags.push(value.to_owned()),
        "path" => filter.paths.extend(values.iter().cloned()),
        "taken" => filter.taken.extend(all(values)?),
        "camera" => filter.cameras.extend(values.iter().cloned()),
        "format" => filter.formats.extend(all::<Format>(values)?),
        "after" => filter.after = Some(value.parse()?),
        "before" => filter.before = Some(value.parse()?),
        "width" => filter.width = Span::of_pixels(value)?,
        "height" => filter.height = Span::of_pixels(value)?,
        "size" => filter.size_bytes = Span::of_bytes(value)?,
        "area" => filter.area = Some(value.parse()?),
        "strictness" => query.strictness = Some(value.parse()?),
        name => return Err(Mistake::UnknownName(name.to_owned())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ContentHash, Excluded, Filter};

    fn texts(query: &str) -> Vec<(String, f32)> {
        let terms = parse(query).unwrap().terms.into_iter();
        terms
            .map(|term| match term.what {
                What::Text(text) => (text, term.weight),
                other => (format!("{other:?}"), term.weight),
            })
            .collect()
    }

    fn is(text: &str, weight: f32) -> (String, f32) {
        (text.to_owned(), weight)
    }

    #[test]
    fn the_short_form_of_the_handbook() {
        let text = r"red car +0.5:night -snow tag:vehicle after:2023-01";
        assert_eq!(
            texts(text),
            [is("red car", 1.0), is("night", 0.5), is("snow", -0.5)]
        );
        let filter = parse(text).unwrap().filter;
        assert_eq!(
            filter,
            Filter {
                all_tags: vec!["vehicle".to_owned()],
                after: Some("2023-01".parse().unwrap()),
                ..Filter::default()
            }
        );
    }

    /// What stands in the first column of a list of queries, each followed by what it means.
    fn shown<'a>(list: &'a str, before_meaning: &str) -> Vec<&'a str> {
        let first = |line: &'a str| line.split(before_meaning).next().map(str::trim);
        let queries = list.lines().filter_map(first);
        queries.filter(|query| !query.is_empty()).collect()
    }

    /// Every query of README and of `pixdex search --help` can be typed.
    #[test]
    fn what_is_shown_can_be_typed() {
        let readme = include_str!("../../README.md");
        let section = readme.split("## Finding pictures").nth(1).unwrap();
        let block = section.split("```").nth(1).unwrap();
        let block = block.split_once('\n').unwrap().1;
        let help = include_str!("../cli/help/search.txt");
        let list = help.split("\n\n").nth(1).unwrap();
        // A line that goes on with a meaning only begins far to the right.
        let is_query = |line: &&str| line.starts_with("  ") && !line.starts_with("    ");
        let list: Vec<&str> = list.lines().filter(is_query).collect();
        let list = list.join("\n").replace("\n  ", "\n");
        let queries = [shown(block, "  #"), shown(list.trim_start(), "   ")].concat();
        assert!(queries.len() >= 22, "{queries:?}");
        for query in queries {
            let query = query.replace("26b7…64-digits", &"26".repeat(32));
            // The longest leaves two spaces only.
            let query = query.split("  ").next().unwrap_or_default();
            let parsed = parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
            assert_ne!(parsed, Query::default(), "{query}");
        }
    }

    #[test]
    fn words_around_terms_are_one_description_and_quotes_hold_together() {
        assert_eq!(texts("a -snow dog"), [is("a dog", 1.0), is("snow", -0.5)]);
        assert_eq!(
            texts(r#""red car" -0.8:"deep snow" +night"#),
            [is("red car", 1.0), is("deep snow", -0.8), is("night", 1.0)]
        );
        for plain in [
            "black-and-white",
            "at 3:30",
            "rock 'n' roll",
            "a 5\" pipe",
            "日本 の 猫",
        ] {
            assert_eq!(texts(plain), [is(plain, 1.0)]);
        }
        assert_eq!(texts(r#""time: 3""#), [is("time: 3", 1.0)]);
        assert_eq!(parse("  ").unwrap(), Query::default());
    }

    #[test]
    fn every_filter_is_read() {
        let text = r#"tag:a tag:set/b,c -tag:d,e path:2019/ path:"my trip/*.png" taken:2020,2021-02 -taken:2020-12-24 after:2020 before:2021-02-03T04
                      format:JPG,png camera:"K5 Mark",Lumora -path:"a, b",c -format:gif -camera:phone width:800.. height:..600 size:10kb..2mb area:-10,170,5.5,-170 strictness:70"#;
        let query = parse(text).unwrap();
        let span = |from, to| Span { from, to };
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let expected = Filter {
            all_tags: owned(&["a"]),
            any_tags: vec![owned(&["set/b", "c"])],
            no_tags: owned(&["d", "e"]),
            paths: owned(&["2019/", "my trip/*.png"]),
            after: Some("2020".parse().unwrap()),
            before: Some("2021-02-03T04".parse().unwrap()),
            formats: vec![Format::Jpeg, Format::Png],
            taken: vec!["2020".parse().unwrap(), "2021-02".parse().unwrap()],
            cameras: owned(&["K5 Mark", "Lumora"]),
            width: span(Some(800), None),
            height: span(None, Some(600)),
            size_bytes: span(Some(10_000), Some(2_000_000)),
            area: Some([-10.0, 170.0, 5.5, -170.0].try_into().unwrap()),
            not: Excluded {
                paths: owned(&["a, b", "c"]),
                taken: vec!["2020-12-24".parse().unwrap()],
                formats: vec![Format::Gif],
                cameras: owned(&["phone"]),
            },
        };
        assert_eq!(query.filter, expected);
        assert_eq!(query.strictness, Some("70".parse().unwrap()));
        let id = "ab".repeat(32);
        let image = parse(&format!("-0.3:image:{id}")).unwrap().terms;
        assert_eq!(image[0].what, What::Image(ContentHash([0xab; 32])));
        assert!((image[0].weight + 0.3).abs() < 1e-6);
    }

    #[test]
    fn any_label_can_be_typed() {
        let tags = |text: &str| {
            let filter = parse(text).unwrap().filter;
            (filter.all_tags, filter.any_tags, filter.no_tags)
        };
        let of = |labels: &[&str]| {
            labels
                .iter()
                .map(|label| (*label).to_owned())
                .collect::<Vec<_>>()
        };
        for (text, labels) in [
            (r#""Paris, France""#, &["Paris, France"][..]),
            (r#""places/Paris, France""#, &["places/Paris, France"]),
            (r#""a 5\" pipe""#, &["a 5\" pipe"]),
            (r#"5""#, &["5\""]),
            (r#""C:\\new\x""#, &[r"C:\new\x"]),
            (r#""ends with \\""#, &[r"ends with \"]),
            (r#""\"""#, &["\""]),
            ("beach,lake", &["beach", "lake"]),
            (
                r#""Paris, France",beach,"a \"b\", c""#,
                &["Paris, France", "beach", "a \"b\", c"],
            ),
            ("beach,", &["beach"]),
        ] {
            let (all, any, none) = tags(&format!("tag:{text}"));
            if labels.len() == 1 {
                assert_eq!((all, any.len(), none.len()), (of(labels), 0, 0), "{text}");
            } else {
                assert_eq!(
                    (all.len(), any, none.len()),
                    (0, vec![of(labels)], 0),
                    "{text}"
                );
            }
            assert_eq!(tags(&format!("-tag:{text}")).2, of(labels), "{text}");
        }
        assert_eq!(
            texts(r#""a \"b\" c" -"d\"""#),
            [is(r#"a "b" c"#, 1.0), is("d\"", -0.5)]
        );
        // A comma opens a list where there is one only.
        assert_eq!(texts(r#"a,"b"#), [is(r#"a,"b"#, 1.0)]);
        for (text, at, message) in [
            ("tag:,", 5, "has no value"),
            ("tag:\"\"", 5, "has no value"),
            ("tag:\"a\"b", 5, "space must follow"),
            ("tag:b,\"a", 7, "never closed"),
            ("tag:\"a\\\"", 5, "never closed"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(
                error.at == at && error.mistake.to_string().contains(message),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn nonsense_is_pointed_at() {
        let cases = [
            ("red colour:blue", 5, "`colour:` is not known"),
            ("red after:yesterday", 11, "`yesterday` is not a date"),
            ("after:2023-1", 7, "not a date"),
            ("before:2020-13", 8, "not a date"),
            ("after:2023-02-30", 7, "not a date"),
            ("a \"red car", 3, "never closed"),
            ("a \"red\"car", 3, "space must follow"),
            ("red -", 5, "a description is missing"),
            ("+0:night", 2, "a weight is a number above 0"),
            ("+99:night", 2, "up to 10"),
            ("+0.5:", 1, "a description is missing"),
            ("tag:", 5, "has no value"),
            ("dog -after:2019", 5, "a sign cannot stand"),
            ("dog +path:2019", 5, "a sign cannot stand"),
            ("-taken:soon", 8, "`soon` is not a date"),
            (
                "red format:jpog",
                12,
                "`jpog` is no format that is read; known",
            ),
            ("width:wide", 7, "a number of pixels"),
            ("width:..", 7, "a range needs a number"),
            ("size:2tb", 6, "such as 500kb"),
            ("strictness:101", 12, "from 0 to 100"),
            ("area:1,2,3", 6, "not an area"),
            ("area:60,0,50,1", 6, "south below north"),
            ("image:12", 7, "64 hexadecimal digits"),
            ("né colour:x", 4, "`colour:`"),
        ];
        for (text, at, message) in cases {
            let error = parse(text).unwrap_err();
            assert_eq!(error.at, at, "{text}: {error}");
            assert!(
                error.mistake.to_string().contains(message),
                "{text}: {error}"
            );
        }
        let long = "ü".repeat(MOST_QUERY_CHARACTERS);
        assert!(parse(&long).is_ok());
        let error = parse(&(long + "x")).unwrap_err().to_string();
        assert!(error.contains("at most 10000 characters, and this one has 10001"));
        let many = "+a ".repeat(MOST_TERMS + 1);
        assert!(parse(&many).unwrap_err().to_string().contains("at most 32"));
    }
}
