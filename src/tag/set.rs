//! A label set as its owner writes it: one TOML file, checked by name and line.

use std::collections::{BTreeSet, HashMap, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use crate::embed::{MOST_CHARACTERS, TooLong, check_text};
use crate::shown::toml_error_text;
use crate::spelling::folded;
use crate::store::LabelName;

/// Labels of one set; each is scored against the whole library, and told in previews.
const MOST_LABELS: usize = 10_000;

/// Prompts of one set, each of which is embedded.
const MOST_PROMPTS: usize = 100_000;

/// Example pictures of one set, each of which is looked up.
const MOST_EXAMPLES: usize = 10_000;

/// Labels above one another: each brings all that are above it.
const MOST_ANCESTORS: usize = 100;

/// The longest `id`.
const ID_CHARACTERS: usize = 200;

/// Stands for the label in a template.
const PLACEHOLDER: &str = "{label}";

/// A label set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelSet {
    /// What decisions know the set by, so that they stay with it when its file is renamed; the file's name where there is
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How labels compete.
    #[serde(default)]
    pub mode: Mode,
    /// What a score is.
    #[serde(default)]
    pub scoring: Scoring,
    /// Score from which on a label is kept, above 0 and up to 1.
    #[serde(default = "default_threshold")]
    pub threshold: f32,
    /// What prompts are made from.
    #[serde(default = "default_templates")]
    pub templates: Vec<String>,
    /// What every picture is, whatever it shows: a label must beat these.
    #[serde(default = "default_background")]
    pub background: Vec<String>,
    /// The hooks that hear of images that gain one of the labels: a name or a list of them.
    #[serde(
        default,
        deserialize_with = "names",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub on_tag: Vec<String>,
    /// The labels.
    pub labels: Vec<Label>,
}

/// What a score is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scoring {
    /// The probability against the background.
    #[default]
    Probability,
    /// How far the log-odds against the background stand out in the library.
    Library,
}

/// How the labels of a set compete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Each label on its own, many or none.
    #[default]
    Independent,
    /// The best one, or none.
    Exclusive,
}

/// A label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// What the tag is called.
    pub name: LabelName,
    /// What is put into the templates; the name where this is empty.
    #[serde(default)]
    pub prompts: Vec<String>,
    /// What the picture may show instead. In an independent set these compete with the label, in an exclusive one it steps
    /// back before any that fits better.
    #[serde(default)]
    pub negative: Vec<String>,
    /// Pictures of the library that show it, by id or by path; a relative path is one under any watched folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// Whether the pictures that people confirmed are examples too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub learn: bool,
    /// Instead of the set's threshold.
    pub threshold: Option<f32>,
    /// The label of this set that every image with this one has too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<LabelName>,
    /// Instead of the set's `on_tag`; an empty list for no hooks.
    #[serde(
        default,
        deserialize_with = "some_names",
        skip_serializing_if = "Option::is_none"
    )]
    pub on_tag: Option<Vec<String>>,
}

/// Names as people write them.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "`on_tag` must be the name of a hook, or a list of names"
)]
enum Names {
    One(String),
    Many(Vec<String>),
}

fn names<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(match Names::deserialize(from)? {
        Names::One(name) => vec![name],
        Names::Many(names) => names,
    })
}

fn some_names<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    names(from).map(Some)
}

/// What is wrong with a label file.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum SetError {
    /// Not TOML, or a key that no label set has. The text names the line.
    #[error("{0}")]
    Syntax(String),
    /// The set has no labels.
    #[error("the set has no labels: add a `[[labels]]` with a `name`")]
    NoLabels,
    /// The same label twice.
    #[error("the label `{0}` is there twice")]
    Twice(LabelName),
    /// An `id` of nothing.
    #[error("the `id` is empty: leave the line out to take the file's name")]
    EmptyId,
    /// An `id` that cannot be shown and typed.
    #[error("the `id` is no text of up to {ID_CHARACTERS} characters without control characters")]
    BadId,
    /// Work without an end.
    #[error("the set has {count} {what}, and may have {most}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// A prompt that no model reads to its end.
    #[error("a prompt of `{label}` is too long: {source}")]
    TooLong {
        /// The label, or `background`.
        label: String,
        /// How long it is.
        source: TooLong,
    },
    /// A parent that is no label of the set.
    #[error("the label `{label}` has the parent `{parent}`, which is no label of this set")]
    UnknownParent {
        /// The label.
        label: LabelName,
        /// What it names.
        parent: LabelName,
    },
    /// A label above itself.
    #[error("the label `{0}` is its own ancestor by its `parent`")]
    OwnAncestor(LabelName),
    /// More levels than anybody looks through.
    #[error("the label `{0}` has more than {MOST_ANCESTORS} ancestors by its `parent`")]
    TooManyAncestors(LabelName),
    /// Not a probability.
    #[error("the threshold {0} is not above 0 and up to 1")]
    Threshold(f32),
    /// A template that does not use the label.
    #[error("the template `{0}` lacks {PLACEHOLDER}")]
    NoPlaceholder(String),
    /// Nothing to make prompts from.
    #[error("`{0}` is empty: leave the line out for the default")]
    Empty(&'static str),
}

fn default_threshold() -> f32 {
    0.6
}

fn default_templates() -> Vec<String> {
    vec![
        "a photo of a {label}.".to_owned(),
        "a picture of a {label}.".to_owned(),
    ]
}

fn default_background() -> Vec<String> {
    LabelSet::BACKGROUND.map(str::to_owned).to_vec()
}

impl LabelSet {
    /// Prompts that fit every picture, whatever it shows.
    pub(crate) const BACKGROUND: [&str; 2] = ["a photo.", "a picture of something."];

    /// Reads and checks a label file.
    pub fn parse(text: &str) -> Result<LabelSet, SetError> {
        let set: LabelSet = toml::from_str(text)
            .map_err(|error| SetError::Syntax(toml_error_text(text, &error)))?;
        set.check()?;
        Ok(set)
    }

    fn check(&self) -> Result<(), SetError> {
        let empty = [
            ("labels", self.labels.len()),
            ("templates", self.templates.len()),
            ("background", self.background.len()),
        ];
        match empty.into_iter().find(|(_, count)| *count == 0) {
            Some(("labels", _)) => return Err(SetError::NoLabels),
            Some((key, _)) => return Err(SetError::Empty(key)),
            None => {}
        }
        if let Some(template) = self
            .templates
            .iter()
            .find(|template| !template.contains(PLACEHOLDER))
        {
            return Err(SetError::NoPlaceholder(template.clone()));
        }
        match &self.id {
            Some(id) if id.trim().is_empty() => return Err(SetError::EmptyId),
            Some(id) if id.contains(char::is_control) || id.chars().count() > ID_CHARACTERS => {
                return Err(SetError::BadId);
            }
            _ => {}
        }
        self.check_size()?;
        check_threshold(self.threshold)?;
        let mut seen = HashSet::new();
        self.labels
            .iter()
            .try_for_each(|label| check_label(label, &mut seen))?;
        self.ancestors().map(drop)
    }

    /// Each count, and each prompt, has a bound: they come over HTTP too.
    fn check_size(&self) -> Result<(), SetError> {
        let texts = |label: &Label| label.prompts.len().max(1) + label.negative.len();
        let texts: usize = self.labels.iter().map(texts).sum();
        let examples = self.labels.iter().map(|label| label.examples.len());
        for (what, count, most) in [
            ("labels", self.labels.len(), MOST_LABELS),
            (
                "prompts",
                texts * self.templates.len() + self.background.len(),
                MOST_PROMPTS,
            ),
            ("examples", examples.sum(), MOST_EXAMPLES),
        ] {
            if count > most {
                return Err(SetError::TooMany { what, count, most });
            }
        }
        for text in &self.background {
            let too_long = |source| SetError::TooLong {
                label: "background".to_owned(),
                source,
            };
            check_text(text).map_err(too_long)?;
        }
        self.labels
            .iter()
            .try_for_each(|label| self.check_prompts(label))
    }

    /// Reckoned, and not filled in: a template may name the label many times.
    fn check_prompts(&self, label: &Label) -> Result<(), SetError> {
        let texts = label
            .prompts
            .iter()
            .chain(&label.negative)
            .map(String::as_str);
        let longest = texts.chain([&*label.name]).map(|text| text.chars().count());
        let longest = longest.max().unwrap_or_default();
        let filled = |template: &String| {
            template.chars().count() + template.matches(PLACEHOLDER).count() * longest
        };
        match self.templates.iter().map(filled).max() {
            Some(characters) if characters > MOST_CHARACTERS => Err(SetError::TooLong {
                label: label.name.to_string(),
                source: TooLong { characters },
            }),
            _ => Ok(()),
        }
    }

    /// For each label the places of its ancestors, its parent first.
    pub(super) fn ancestors(&self) -> Result<Vec<Vec<usize>>, SetError> {
        let names = self.labels.iter().map(|label| &*label.name);
        let places: HashMap<&str, usize> = names.zip(0..).collect();
        let parent_of = |label: &Label| {
            let Some(parent) = &label.parent else {
                return Ok(None);
            };
            let unknown = || SetError::UnknownParent {
                label: label.name.clone(),
                parent: parent.clone(),
            };
            places.get(&**parent).copied().map(Some).ok_or_else(unknown)
        };
        let parents: Result<Vec<_>, _> = self.labels.iter().map(parent_of).collect();
        let parents = parents?;
        let labels = 0..self.labels.len();
        labels.map(|label| self.line(label, &parents)).collect()
    }

    fn line(&self, label: usize, parents: &[Option<usize>]) -> Result<Vec<usize>, SetError> {
        let (mut ancestors, mut at) = (Vec::new(), label);
        while let Some(parent) = parents[at] {
            let name = |place: usize| self.labels[place].name.clone();
            if parent == label || ancestors.contains(&parent) {
                return Err(SetError::OwnAncestor(name(parent)));
            }
            if ancestors.len() == MOST_ANCESTORS {
                return Err(SetError::TooManyAncestors(name(label)));
            }
            ancestors.push(parent);
            at = parent;
        }
        Ok(ancestors)
    }

    /// What decisions know the set by, which is the one of this name in whatever capitals.
    pub fn key(&self, name: &str) -> String {
        self.id.clone().unwrap_or_else(|| folded(name))
    }

    /// The score from which on this label is kept.
    pub fn threshold_of(&self, label: &Label) -> f32 {
        label.threshold.unwrap_or(self.threshold)
    }

    /// The hooks that hear of images that gain this label.
    pub fn hooks_of<'a>(&'a self, label: &'a Label) -> &'a [String] {
        label.on_tag.as_ref().unwrap_or(&self.on_tag)
    }

    /// What is not wrong with the set but will not do what its owner expects: hooks that are not among the `declared`.
    pub fn warnings(&self, declared: &BTreeSet<String>) -> Vec<String> {
        let of_labels = self.labels.iter().flat_map(|label| self.hooks_of(label));
        let named: BTreeSet<&String> = of_labels.chain(&self.on_tag).collect();
        let unknown = named.into_iter().filter(|hook| !declared.contains(*hook));
        let warning = |hook| {
            format!(
                "`on_tag` names the hook `{hook}`, and the configuration has no [hooks.{hook}]: it hears nothing"
            )
        };
        unknown.map(warning).collect()
    }

    /// The prompts of a label: each of its texts in each template.
    pub(super) fn prompts(&self, label: &Label) -> Vec<String> {
        if label.prompts.is_empty() {
            self.fill(&label.name)
        } else {
            self.fill_all(&label.prompts)
        }
    }

    /// The prompts of a label's negatives, each of which competes on its own.
    pub(super) fn negative_prompts(&self, label: &Label) -> Vec<Vec<String>> {
        label
            .negative
            .iter()
            .map(|negative| self.fill(negative))
            .collect()
    }

    fn fill_all(&self, texts: &[String]) -> Vec<String> {
        texts.iter().flat_map(|text| self.fill(text)).collect()
    }

    fn fill(&self, text: &str) -> Vec<String> {
        self.templates
            .iter()
            .map(|template| fill(template, text))
            .collect()
    }

    /// Whether tags depend on what else the library holds.
    pub(super) fn learns(&self) -> bool {
        self.scoring == Scoring::Library || self.has_examples()
    }

    /// Whether pictures of the library teach any of the labels.
    pub fn has_examples(&self) -> bool {
        self.labels.iter().any(Label::has_examples)
    }
}

impl Label {
    pub(super) fn has_examples(&self) -> bool {
        self.learn || !self.examples.is_empty()
    }
}

fn check_label<'a>(label: &'a Label, seen: &mut HashSet<&'a str>) -> Result<(), SetError> {
    if !seen.insert(&label.name) {
        return Err(SetError::Twice(label.name.clone()));
    }
    label.threshold.map_or(Ok(()), check_threshold)
}

fn check_threshold(threshold: f32) -> Result<(), SetError> {
    if threshold > 0.0 && threshold <= 1.0 {
        Ok(())
    } else {
        Err(SetError::Threshold(threshold))
    }
}

/// "a photo of a {label}." with "a sandy beach" is "a photo of a sandy beach.": a text that brings its article along
/// takes the place of the template's.
fn fill(template: &str, text: &str) -> String {
    let has_article = ["a ", "an ", "the "]
        .iter()
        .any(|article| text.starts_with(article));
    for article in ["a ", "an ", "the "].iter().filter(|_| has_article) {
        let with_article = format!("{article}{PLACEHOLDER}");
        if template.starts_with(&with_article) || template.contains(&format!(" {with_article}")) {
            return template.replace(&with_article, text);
        }
    }
    template.replace(PLACEHOLDER, text)
}

#[cfg(test)]
mod tests {
    use super::super::{DRAWN_SETS, PHOTO_SETS};
    use super::*;

    fn error(text: &str) -> String {
        LabelSet::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn the_shortest_set_is_a_name() {
        let set = LabelSet::parse("[[labels]]\nname = 'beach'").unwrap();
        assert_eq!((set.mode, set.threshold), (Mode::Independent, 0.6));
        assert_eq!(
            set.prompts(&set.labels[0]),
            ["a photo of a beach.", "a picture of a beach."]
        );
    }

    #[test]
    fn shipped_sets_are_sound() {
        for (name, text) in PHOTO_SETS.into_iter().chain(DRAWN_SETS) {
            LabelSet::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    /// The first label file of a page.
    fn shown(page: &str) -> LabelSet {
        let file = page.split("```toml\n").nth(1).unwrap();
        LabelSet::parse(file.split("```").next().unwrap()).unwrap()
    }

    #[test]
    fn the_pages_show_sound_sets() {
        for page in [
            include_str!("../../README.md"),
            include_str!("../../config/labels/README.md"),
        ] {
            let set = shown(page);
            let labels = set.labels.iter();
            let parents: Vec<&str> = labels.filter_map(|label| label.parent.as_deref()).collect();
            assert_eq!(parents, ["animal"]);
        }
        let set = shown(include_str!("../../config/labels/README.md"));
        assert_eq!(set.key("file"), "places");
    }

    #[test]
    fn labels_of_both_modes_have_negatives() {
        for mode in ["exclusive", "independent"] {
            let text =
                format!("mode = '{mode}'\n[[labels]]\nname = 'a'\nnegative = ['b', 'the c']");
            let set = LabelSet::parse(&text).unwrap();
            let prompts = set.negative_prompts(&set.labels[0]);
            assert_eq!(prompts[1], ["a photo of the c.", "a picture of the c."]);
        }
    }

    #[test]
    fn labels_name_hooks_of_their_own_or_those_of_the_set() {
        let text = "on_tag = 'all'\n[[labels]]\nname = 'a'\n[[labels]]\nname = 'b'\non_tag = ['x', 'y']\n\
                    [[labels]]\nname = 'c'\non_tag = []";
        let set = LabelSet::parse(text).unwrap();
        let hooks: Vec<_> = set.labels.iter().map(|label| set.hooks_of(label)).collect();
        assert_eq!(
            hooks,
            [
                &["all".to_owned()][..],
                &["x".to_owned(), "y".to_owned()],
                &[]
            ]
        );
        let declared = ["all", "y"].map(str::to_owned).into_iter().collect();
        let warnings = set.warnings(&declared);
        assert!(
            warnings.len() == 1 && warnings[0].contains("[hooks.x]"),
            "{warnings:?}"
        );
        let wrong = error("[[labels]]\nname = 'a'\non_tag = 1");
        assert!(
            wrong.contains("line 3") && wrong.contains("name of a hook"),
            "{wrong}"
        );
    }

    #[test]
    fn prompts_stand_instead_of_the_name_and_bring_their_article() {
        assert_eq!(
            fill("a photo of a {label}.", "a sandy beach"),
            "a photo of a sandy beach."
        );
        assert_eq!(
            fill("a photo of a {label}.", "the sea"),
            "a photo of the sea."
        );
        assert_eq!(fill("a photo of {label}.", "a dog"), "a photo of a dog.");
        assert_eq!(
            fill("a {label} background", "striped"),
            "a striped background"
        );
        assert_eq!(fill("a pasta {label}", "a plate"), "a pasta a plate");
    }

    #[test]
    fn everything_in_a_set_has_a_bound_and_the_bound_is_told() {
        let prompt = |characters: usize| {
            format!(
                "[[labels]]\nname = 'a'\nprompts = ['{}']",
                "x".repeat(characters)
            )
        };
        assert!(LabelSet::parse(&prompt(1900)).is_ok());
        let labels: String = (0..10_001).fold(String::new(), |all, at| {
            all + &format!("[[labels]]\nname = '{at}'\n")
        });
        let templates = format!("templates = [{}]\n", "'{label}',".repeat(1000));
        let labels_of_100: String = (0..101).fold(String::new(), |all, at| {
            all + &format!("[[labels]]\nname = '{at}'\n")
        });
        for (text, sentence) in [
            (
                prompt(2000),
                "a prompt of `a` is too long: a description has at most 2000 characters",
            ),
            (
                format!(
                    "templates = ['{}']\n[[labels]]\nname = 'a'",
                    "{label}".repeat(300)
                ),
                "and this one has 2400",
            ),
            (
                format!(
                    "background = ['{}']\n[[labels]]\nname = 'a'",
                    "x".repeat(2001)
                ),
                "`background` is too long",
            ),
            (
                format!(
                    "[[labels]]\nname = 'a'\nnegative = ['{}']",
                    "x".repeat(2001)
                ),
                "a prompt of `a` is too long",
            ),
            (
                format!("[[labels]]\nname = '{}'", "x".repeat(201)),
                "take 1 to 200 characters",
            ),
            (labels, "the set has 10001 labels, and may have 10000"),
            (
                templates + &labels_of_100,
                "the set has 101002 prompts, and may have 100000",
            ),
            (
                format!(
                    "[[labels]]\nname = 'a'\nexamples = [{}]",
                    "'x',".repeat(10_001)
                ),
                "10001 examples",
            ),
            (
                "id = \"a\\u0000\"\n[[labels]]\nname = 'a'".to_owned(),
                "the `id` is no text",
            ),
            (
                format!("id = '{}'\n[[labels]]\nname = 'a'", "x".repeat(201)),
                "up to 200 characters",
            ),
        ] {
            let error = error(&text);
            assert!(error.contains(sentence) && error.len() < 300, "{error}");
        }
    }

    #[test]
    fn a_mistake_in_the_text_is_one_line_with_its_place() {
        for (text, wanted) in [
            ("mode = 'x'\n\nthreshold = ", "line 3, column "),
            (
                "[[labels]]\nname = 'a'\ntreshold = 0.5",
                "line 3, column 1: unknown field `treshold`",
            ),
            ("\u{fc} = 1", "line 1, column 1: "),
        ] {
            let error = error(text);
            assert!(
                error.starts_with(wanted) && !error.contains('\n'),
                "{error}"
            );
        }
        // As Windows writes it.
        LabelSet::parse("\u{feff}[[labels]]\r\nname = 'a'\r\n").unwrap();
    }

    #[test]
    fn mistakes_are_named() {
        assert!(error("labels = []").contains("no labels"));
        for (name, shown) in [
            ("' '", "` ` cannot name a label"),
            (r#""a\u0000""#, r"`a\0` cannot"),
        ] {
            let wrong = error(&format!("[[labels]]\nname = {name}"));
            assert!(wrong.contains("line 2") && wrong.contains(shown), "{wrong}");
        }
        assert!(
            error("[[labels]]\nname = 'a'\n[[labels]]\nname = 'a'").contains("`a` is there twice")
        );
        assert!(error("threshold = 1.5\n[[labels]]\nname = 'a'").contains("1.5"));
        assert!(
            error("templates = ['a photo']\n[[labels]]\nname = 'a'")
                .contains("`a photo` lacks {label}")
        );
        assert!(error("background = []\n[[labels]]\nname = 'a'").contains("`background` is empty"));
        assert!(
            error("[[labels]]\nname = 'a'\nparent = 'b'").contains("parent `b`, which is no label")
        );
        let circle = "[[labels]]\nname = 'a'\nparent = 'b'\n[[labels]]\nname = 'b'\nparent = 'a'";
        assert!(error(circle).contains("its own ancestor"));
        assert!(error("[[labels]]\nname = 'a'\nparent = 'a'").contains("its own ancestor"));
        assert!(error(&line(MOST_ANCESTORS + 1)).contains("more than 100 ancestors"));
        assert!(error("id = ''\n[[labels]]\nname = 'a'").contains("`id` is empty"));
        let unknown = error("[[labels]]\nname = 'a'\ntreshold = 0.5");
        assert!(
            unknown.contains("line 3") && unknown.contains("treshold"),
            "{unknown}"
        );
    }

    /// A label with so many ancestors.
    fn line(ancestors: usize) -> String {
        let label = |at: usize| format!("[[labels]]\nname = 'n{at}'\nparent = 'n{}'\n", at - 1);
        let labels: String = (1..=ancestors).map(label).collect();
        format!("[[labels]]\nname = 'n0'\n{labels}")
    }

    #[test]
    fn many_labels_in_long_lines_are_refused() {
        let set = LabelSet::parse(&line(MOST_ANCESTORS)).unwrap();
        let ancestors = set.ancestors().unwrap();
        assert!(ancestors[0].is_empty());
        assert_eq!(ancestors[3], [2, 1, 0]);
        assert_eq!(ancestors[MOST_ANCESTORS].len(), MOST_ANCESTORS);
        // Where each label's line is followed to its end, this takes minutes.
        assert!(LabelSet::parse(&line(MOST_LABELS - 1)).is_err());
    }
}
