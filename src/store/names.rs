//! What may name a label set and a label: one rule for label files, addresses, requests and commands.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::spelling::{composed, folded};

/// The longest name of a label set.
pub const SET_NAME_CHARACTERS: usize = 64;

/// With its ending, and in the spelling that takes the most room, it must be the name of a file.
const SET_NAME_BYTES: usize = 200;

/// What has a meaning of its own in paths of some system, or ends a text.
const NOT_IN_SET_NAMES: [char; 9] = ['/', '\\', ':', '*', '?', '"', '<', '>', '|'];

/// The longest name of a label.
pub const LABEL_CHARACTERS: usize = 200;

/// The name under which the keywords of files stand beside the label sets.
pub(super) const FILE_SET: &str = "file";

/// How much is told of a name that is none.
const TOLD_CHARACTERS: usize = 80;

/// The name of a label set, and of its file. Names that differ in capitals only are one set's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(!try_from, extend("minLength" = 1, "maxLength" = SET_NAME_CHARACTERS))]
pub struct SetName(String);

/// The name of a label: what the tag is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(!try_from, extend("minLength" = 1, "maxLength" = LABEL_CHARACTERS))]
pub struct LabelName(String);

/// One label of one set, written `set/label`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRef {
    /// The set's name or its `id`.
    pub set: String,
    /// The label.
    pub label: LabelName,
}

/// What cannot be such a name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Not a name for a file everywhere.
    #[error(
        "`{}` cannot name a label set: take 1 to {SET_NAME_CHARACTERS} characters, no dot or blank at an end, and none of \
         / \\ : * ? \" < > | and control characters",
        .0.escape_debug()
    )]
    Set(String),
    /// Its tags would be taken for keywords, and the keywords for its tags.
    #[error("`{FILE_SET}` is the set of the keywords in files: name the label set otherwise")]
    OfKeywords,
    /// Nothing that can be shown, handed to a program, and typed.
    #[error(
        "`{}` cannot name a label: take 1 to {LABEL_CHARACTERS} characters of text without control characters",
        .0.escape_debug()
    )]
    Label(String),
    /// Not both of them.
    #[error("`{0}` names no label: write the label set, a slash and the label")]
    LabelRef(String),
}

impl FromStr for SetName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<SetName, NameError> {
        let is_allowed = |c: char| !c.is_control() && !NOT_IN_SET_NAMES.contains(&c);
        let is_edge = |c: char| c == '.' || c.is_whitespace();
        // Before it is composed: that costs what the text is long.
        let is_short = name.len() <= SET_NAME_BYTES && name.chars().count() <= SET_NAME_CHARACTERS;
        let is_name = is_short
            && !name.is_empty()
            && name.chars().all(is_allowed)
            && !name.starts_with(is_edge)
            && !name.ends_with(is_edge);
        if is_name && folded(name) == FILE_SET {
            return Err(NameError::OfKeywords);
        }
        if is_name {
            return Ok(SetName(composed(name).into_owned()));
        }
        Err(NameError::Set(start_of(name)))
    }
}

impl SetName {
    /// Whether this is another way to write the same set's name: some file systems take such names for one.
    pub fn is_same(&self, other: &str) -> bool {
        self.folded() == folded(other)
    }

    /// What all ways to write it have in common.
    pub fn folded(&self) -> String {
        folded(&self.0)
    }
}

impl FromStr for LabelName {
    type Err = NameError;

    /// Programs and addresses take no control characters: a NUL would hold up all that a hook is to hear.
    fn from_str(name: &str) -> Result<LabelName, NameError> {
        let is_short = name.chars().take(LABEL_CHARACTERS + 1).count() <= LABEL_CHARACTERS;
        if !is_short || name.trim().is_empty() || name.contains(char::is_control) {
            return Err(NameError::Label(start_of(name)));
        }
        Ok(LabelName(composed(name).into_owned()))
    }
}

/// As much of a name as an error tells.
fn start_of(name: &str) -> String {
    let start: String = name.chars().take(TOLD_CHARACTERS).collect();
    if start.len() < name.len() {
        return start + "…";
    }
    start
}

impl FromStr for LabelRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<LabelRef, NameError> {
        let parts = text.split_once('/');
        let (set, label) = parts.ok_or_else(|| NameError::LabelRef(start_of(text)))?;
        Ok(LabelRef {
            set: set.to_owned(),
            label: label.parse()?,
        })
    }
}

/// What every name is: text that was checked.
macro_rules! is_text {
    ($name:ident) => {
        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(name: String) -> Result<$name, NameError> {
                name.parse()
            }
        }
    };
}

is_text!(SetName);
is_text!(LabelName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_named_as_a_file_can_be_everywhere() {
        let longest = "ü".repeat(64);
        for name in [
            "a",
            "my-set_2",
            "Places",
            "my places",
            "orte-übersee",
            "猫",
            "a.b",
            &longest,
        ] {
            assert_eq!(&*name.parse::<SetName>().unwrap(), name);
        }
        let (long, many_bytes) = ("x".repeat(65), "猫".repeat(64) + &"🐈".repeat(2));
        for name in [
            "",
            " ",
            "a/b",
            "..",
            ".a",
            "a.",
            " a",
            "a ",
            "what?",
            "a:b",
            "a\\b",
            "a|b",
            "<a>",
            "a*",
            &long,
            &many_bytes,
        ] {
            let error = name.parse::<SetName>().unwrap_err().to_string();
            assert!(
                error.contains("cannot name a label set: take 1 to 64"),
                "{error}"
            );
        }
        for name in ["file", "File"] {
            assert_eq!(name.parse::<SetName>(), Err(NameError::OfKeywords));
        }
        for name in ["a\0", "a\nb", "a\u{9b}"] {
            let error = name.parse::<SetName>().unwrap_err().to_string();
            assert!(!error.contains(char::is_control), "{error}");
        }
        let endless = "x".repeat(1_000_000).parse::<SetName>().unwrap_err();
        assert!(endless.to_string().len() < 400);
    }

    #[test]
    fn a_name_is_one_in_whatever_capitals_and_spelling() {
        let name: SetName = "Orte-U\u{308}bersee".parse().unwrap();
        assert_eq!(&*name, "Orte-\u{dc}bersee");
        for same in ["orte-\u{fc}bersee", "ORTE-U\u{308}BERSEE"] {
            assert!(name.is_same(same), "{same}");
        }
        assert!(!name.is_same("orte-ubersee"));
        let label: LabelName = "cafe\u{301}".parse().unwrap();
        assert_eq!(&*label, "caf\u{e9}");
    }

    #[test]
    fn a_label_is_any_text_that_can_be_shown() {
        let longest = "ü".repeat(200);
        for name in [
            "beach",
            "Paris, France",
            "a/b",
            "black|white",
            "a 5\" pipe",
            "猫",
            &longest,
        ] {
            assert_eq!(&*name.parse::<LabelName>().unwrap(), name);
        }
        let long = "x".repeat(201);
        for (name, shown) in [
            ("", "``".to_owned()),
            (" ", "` `".to_owned()),
            ("a\0", r"`a\0`".to_owned()),
            ("a\nb", r"`a\nb`".to_owned()),
            ("a\u{9b}b", r"`a\u{9b}b`".to_owned()),
            (&long, format!("`{}…`", &long[..80])),
        ] {
            let error = name.parse::<LabelName>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{shown} cannot name")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_label_of_a_set_is_both_with_a_slash_between() {
        let label: LabelRef = "places/a/b".parse().unwrap();
        assert_eq!((&*label.set, &*label.label), ("places", "a/b"));
        for wrong in ["beach", "places/", "places/\0"] {
            assert!(wrong.parse::<LabelRef>().is_err(), "{wrong:?}");
        }
    }
}
