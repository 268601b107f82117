//! Changes to the text of a label file that leave all the rest of it, comments too, as its owner wrote it.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;
use toml_edit::{
    Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value, value,
};

use super::set::Mode;
use crate::store::LabelName;

/// What is to be different about a label set. What is left out stays; `null` takes a value away.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SetEdit {
    /// How labels compete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Score from which on a label is kept that says nothing else.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Option<f32>>,
    /// Its labels, those that are to be different and new ones.
    pub labels: Vec<LabelEdit>,
}

/// What is to be different about a label; one that is not there yet is put at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelEdit {
    /// Its name as it is now.
    pub name: LabelName,
    /// The name that it is to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rename: Option<LabelName>,
    /// Whether it is to go.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remove: bool,
    /// Instead of the set's threshold.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub threshold: Option<Option<f32>>,
    /// What is put into the templates; an empty list for the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts: Option<Vec<String>>,
    /// What the picture may show instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative: Option<Vec<String>>,
    /// Pictures that show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examples: Option<Vec<String>>,
    /// Whether the pictures that people confirmed are examples too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learn: Option<bool>,
    /// The label that every image with this one has too.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub parent: Option<Option<LabelName>>,
}

/// Why a text cannot be changed so.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EditError {
    /// It is no TOML.
    #[error("the text cannot be changed before it is right: {0}")]
    Text(String),
    /// Its labels are written in a way that is no label file's.
    #[error("the text's `labels` are no list of tables")]
    NoLabels,
}

/// A value that is there, and may be `null`.
#[expect(
    clippy::option_option,
    reason = "what is left out stays, and `null` takes away"
)]
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl SetEdit {
    /// The text with this change. Whether what comes out is a label set is not looked at.
    pub fn apply(&self, text: &str) -> Result<String, EditError> {
        let mut document: DocumentMut = text
            .parse()
            .map_err(|error: toml_edit::TomlError| EditError::Text(error.message().to_owned()))?;
        if let Some(mode) = self.mode {
            let mode = match mode {
                Mode::Independent => "independent",
                Mode::Exclusive => "exclusive",
            };
            put(document.as_table_mut(), "mode", Some(mode.into()));
        }
        if let Some(threshold) = self.threshold {
            put(document.as_table_mut(), "threshold", threshold.map(number));
        }
        for label in &self.labels {
            label.apply(&mut document)?;
        }
        Ok(document.to_string())
    }
}

impl LabelEdit {
    fn apply(&self, document: &mut DocumentMut) -> Result<(), EditError> {
        let labels = document
            .entry("labels")
            .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        match labels {
            Item::ArrayOfTables(tables) => {
                let place = tables.iter().position(|table| self.is_about(table));
                match (place, self.remove) {
                    (Some(place), true) => drop(tables.remove(place)),
                    (Some(place), false) => {
                        if let Some(table) = tables.get_mut(place) {
                            self.change(table);
                        }
                    }
                    (None, true) => {}
                    (None, false) => {
                        let mut table = Table::new();
                        self.change(&mut table);
                        tables.push(table);
                    }
                }
            }
            // As `labels = [{ name = "beach" }]`.
            Item::Value(Value::Array(tables)) => {
                let is_it = |value: &Value| {
                    let table = value.as_inline_table();
                    table.is_some_and(|table| self.is_about(table))
                };
                let place = tables.iter().position(is_it);
                match (place, self.remove) {
                    (Some(place), true) => drop(tables.remove(place)),
                    (Some(place), false) => {
                        let table = tables.get_mut(place);
                        if let Some(table) = table.and_then(Value::as_inline_table_mut) {
                            self.change(table);
                        }
                    }
                    (None, true) => {}
                    (None, false) => {
                        let mut table = InlineTable::new();
                        self.change(&mut table);
                        tables.push(table);
                    }
                }
            }
            _ => return Err(EditError::NoLabels),
        }
        Ok(())
    }

    fn is_about(&self, table: &dyn TableLike) -> bool {
        let name = table.get("name").and_then(Item::as_str);
        name.and_then(|name| name.parse().ok()).as_ref() == Some(&self.name)
    }

    fn change(&self, table: &mut dyn TableLike) {
        if self.rename.is_some() || !table.contains_key("name") {
            let name = self.rename.as_ref().unwrap_or(&self.name);
            put(table, "name", Some(name.to_string().into()));
        }
        for (key, texts) in [
            ("prompts", &self.prompts),
            ("negative", &self.negative),
            ("examples", &self.examples),
        ] {
            if let Some(texts) = texts {
                let array = texts.iter().map(String::as_str).collect::<Array>();
                put(table, key, (!texts.is_empty()).then(|| array.into()));
            }
        }
        if let Some(learn) = self.learn {
            put(table, "learn", learn.then(|| true.into()));
        }
        if let Some(threshold) = self.threshold {
            put(table, "threshold", threshold.map(number));
        }
        if let Some(parent) = &self.parent {
            put(
                table,
                "parent",
                parent.as_ref().map(|name| name.to_string().into()),
            );
        }
    }
}

/// As few digits as a person would type.
fn number(number: f32) -> Value {
    ((f64::from(number) * 10_000.0).round() / 10_000.0).into()
}

/// Puts a value in the place of the one before, with the comment that stood behind that; none takes it away.
fn put(table: &mut dyn TableLike, key: &str, new: Option<Value>) {
    let Some(mut new) = new else {
        table.remove(key);
        return;
    };
    if let Some(old) = table.get(key).and_then(Item::as_value) {
        *new.decor_mut() = old.decor().clone();
    }
    table.insert(key, value(new));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tag::LabelSet;

    const TEXT: &str = r#"# My places.
mode = "independent"   # many or none
threshold = 0.6

# Sand and sea.
[[labels]]
name = "beach"  # the best
threshold = 0.5 # not too strict

[[labels]]
name = 'café "Zeno"'
prompts = [
  "a café", # with an accent
]
"#;

    fn edited(text: &str, edit: &str) -> String {
        let edit: SetEdit = serde_json::from_str(edit).unwrap();
        let text = edit.apply(text).unwrap();
        LabelSet::parse(&text).unwrap();
        text
    }

    #[test]
    fn what_is_not_changed_stays_to_the_byte() {
        assert_eq!(edited(TEXT, "{}"), TEXT);
        let stricter = edited(
            TEXT,
            r#"{"labels": [{"name": "beach", "threshold": 0.71}]}"#,
        );
        assert_eq!(stricter, TEXT.replace("0.5 # not", "0.71 # not"));
        let plain = edited(
            TEXT,
            r#"{"threshold": null, "labels": [{"name": "beach", "threshold": null}]}"#,
        );
        assert!(
            !plain.contains("threshold") && plain.contains("# the best"),
            "{plain}"
        );
        let gone = edited(
            TEXT,
            r#"{"labels": [{"name": "café \"Zeno\"", "remove": true}]}"#,
        );
        assert_eq!(
            gone,
            TEXT.split("\n[[labels]]\nname = 'café").next().unwrap()
        );
    }

    #[test]
    fn labels_are_changed_and_added_however_they_are_written() {
        let text = edited(
            TEXT,
            r#"{"mode": "exclusive", "labels": [
                {"name": "beach", "rename": "sand", "prompts": ["a \"sandy\" beach"], "learn": true},
                {"name": "lake", "negative": ["the sea"], "parent": "water"}, {"name": "water"}]}"#,
        );
        let set = LabelSet::parse(&text).unwrap();
        assert_eq!(set.mode, Mode::Exclusive);
        let names: Vec<String> = set
            .labels
            .iter()
            .map(|label| label.name.to_string())
            .collect();
        assert_eq!(names, ["sand", "café \"Zeno\"", "lake", "water"]);
        assert_eq!(set.labels[0].prompts, ["a \"sandy\" beach"]);
        assert!(set.labels[0].learn && text.contains("# many or none"));
        assert_eq!(set.labels[2].parent.as_deref(), Some("water"));
        let inline = "labels = [{ name = \"a\" }, { name = \"b\", threshold = 0.5 }]\n";
        let text = edited(
            inline,
            r#"{"labels": [{"name": "a", "remove": true}, {"name": "b", "threshold": 0.9}, {"name": "c"}]}"#,
        );
        let set = LabelSet::parse(&text).unwrap();
        assert_eq!(set.labels.len(), 2);
        assert_eq!(set.labels[0].threshold, Some(0.9));
        assert_eq!(
            edited("", r#"{"labels": [{"name": "new"}]}"#),
            "[[labels]]\nname = \"new\"\n"
        );
    }

    #[test]
    fn a_text_that_is_no_label_file_is_left_alone() {
        let edit: SetEdit = serde_json::from_str(r#"{"labels": [{"name": "a"}]}"#).unwrap();
        assert!(matches!(edit.apply("labels = ["), Err(EditError::Text(_))));
        assert_eq!(edit.apply("labels = 3"), Err(EditError::NoLabels));
        assert!(
            serde_json::from_str::<SetEdit>(r#"{"labels": [{"name": "a", "colour": 1}]}"#).is_err()
        );
    }
}
