//! What may name a label set and a label: one rule for label files, addresses, requests and commands.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest name of a label set.
const SET_NAME_BYTES: usize = 64;

/// The name of a label set, and of its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct SetName(String);

/// The name of a label: what the tag is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
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
    #[error("`{0}` cannot name a label set: take up to 64 lower-case letters, digits, `-` and `_`")]
    Set(String),
    /// Nothing that can be shown, handed to a program, and typed.
    #[error("`{}` cannot name a label: take some text without control characters", .0.escape_debug())]
    Label(String),
    /// Not both of them.
    #[error("`{0}` names no label: write the label set, a slash and the label")]
    LabelRef(String),
}

impl FromStr for SetName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<SetName, NameError> {
        let is_allowed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if (1..=SET_NAME_BYTES).contains(&name.len()) && name.chars().all(is_allowed) {
            return Ok(SetName(name.to_owned()));
        }
        Err(NameError::Set(name.to_owned()))
    }
}

impl FromStr for LabelName {
    type Err = NameError;

    /// Programs and addresses take no control characters: a NUL would hold up all that a hook is to hear.
    fn from_str(name: &str) -> Result<LabelName, NameError> {
        if name.trim().is_empty() || name.contains(char::is_control) {
            return Err(NameError::Label(name.to_owned()));
        }
        Ok(LabelName(name.to_owned()))
    }
}

impl FromStr for LabelRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<LabelRef, NameError> {
        let parts = text.split_once('/');
        let (set, label) = parts.ok_or_else(|| NameError::LabelRef(text.to_owned()))?;
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
        for name in ["a", "my-set_2", &"x".repeat(64)] {
            assert_eq!(&*name.parse::<SetName>().unwrap(), name);
        }
        for name in [
            "",
            "Places",
            "my places",
            "orte-übersee",
            "a/b",
            "..",
            &"x".repeat(65),
        ] {
            let error = name.parse::<SetName>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{name}` cannot name")), "{error}");
        }
    }

    #[test]
    fn a_label_is_any_text_that_can_be_shown() {
        for name in ["beach", "Paris, France", "a/b", "black|white", "猫"] {
            assert_eq!(&*name.parse::<LabelName>().unwrap(), name);
        }
        for (name, shown) in [
            ("", "``"),
            (" ", "` `"),
            ("a\0", r"`a\0`"),
            ("a\nb", r"`a\nb`"),
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
