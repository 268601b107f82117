//! What must be done so that the label sets in force are those of the label files. The comparison itself touches nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::file_error::FileError;
use super::files::Files;
use super::set::LabelSet;
use crate::spelling::folded;

/// What is known of a set from before.
#[derive(Debug)]
pub(super) struct Known<'a> {
    /// The text of its file when it was last applied.
    pub(super) definition: &'a str,
    pub(super) is_in_force: bool,
    /// Whether it learns from the library, and that has changed.
    pub(super) must_learn: bool,
}

/// One step on the way.
#[derive(Debug, PartialEq)]
pub(super) enum Action {
    /// The set has no file any more, and goes with its tags.
    Remove { name: String },
    /// The set is to be in force as this text says.
    Apply {
        name: String,
        set: LabelSet,
        definition: String,
    },
}

/// All that is to be done.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) actions: Vec<Action>,
    /// What is wrong with files, by the sets' names.
    pub(super) broken: BTreeMap<String, FileError>,
}

/// The sets that are known under names which differ from those of their files in capitals or spelling only: from what, to what.
pub(super) fn renamed<'a>(
    files: &(impl Iterator<Item = &'a String> + Clone),
    known: impl Iterator<Item = &'a String>,
) -> Vec<(String, String)> {
    let others = known.filter(|name| !files.clone().any(|file| file == *name));
    let renamed = others.filter_map(|name| {
        let wanted = folded(name);
        let file = files.clone().find(|file| folded(file) == wanted)?;
        Some((name.clone(), file.clone()))
    });
    renamed.collect()
}

/// The sets that are known and have no file, under whatever spelling.
pub(super) fn without_file<'a>(
    files: &(impl Iterator<Item = &'a String> + Clone),
    known: impl Iterator<Item = &'a String>,
) -> BTreeSet<String> {
    let has_file = |name: &&String| {
        let wanted = folded(name);
        files.clone().any(|file| folded(file) == wanted)
    };
    known.filter(|name| !has_file(name)).cloned().collect()
}

/// Compares the label files with the sets that are known. A file that is as it was asks for nothing, and one that is broken leaves
/// its set as it is, or brings the last good state back after a start.
pub(super) fn plan(files: Files, known: &BTreeMap<&str, Known<'_>>) -> Plan {
    let is_missing = |name: &&&str| !files.contains_key(**name);
    let remove = |name: &&str| Action::Remove {
        name: (*name).to_owned(),
    };
    let mut plan = Plan {
        actions: known.keys().filter(is_missing).map(remove).collect(),
        ..Plan::default()
    };
    for (name, file) in files {
        let known = known.get(&*name);
        let is_settled = known.is_some_and(|known| {
            known.is_in_force
                && !known.must_learn
                && file.as_ref().is_ok_and(|text| text == known.definition)
        });
        if is_settled {
            continue;
        }
        let (set, definition) = match read(file) {
            Ok(found) => found,
            Err(error) => {
                plan.broken.insert(name.clone(), error);
                match known.and_then(last_good) {
                    Some(good) => good,
                    None => continue,
                }
            }
        };
        plan.actions.push(Action::Apply {
            name,
            set,
            definition,
        });
    }
    plan
}

fn read(file: Result<String, FileError>) -> Result<(LabelSet, String), FileError> {
    let text = file?;
    Ok((LabelSet::parse(&text)?, text))
}

/// What a set was before its file broke, where that is not in force already.
fn last_good(known: &Known<'_>) -> Option<(LabelSet, String)> {
    let is_needed = !known.is_in_force;
    is_needed
        .then(|| read(Ok(known.definition.to_owned())).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "[[labels]]\nname = 'one'";
    const TWO: &str = "[[labels]]\nname = 'two'";

    fn known(definition: &'static str, is_in_force: bool, must_learn: bool) -> Known<'static> {
        Known {
            definition,
            is_in_force,
            must_learn,
        }
    }

    /// What is to be done for the one set `a`: its actions and whether its file is called broken.
    fn planned(
        file: Option<Result<&str, FileError>>,
        known: Option<Known<'static>>,
    ) -> (Vec<String>, bool) {
        let file = file.map(|text| ("a".to_owned(), text.map(str::to_owned)));
        let plan = plan(
            file.into_iter().collect(),
            &known.map(|known| ("a", known)).into_iter().collect(),
        );
        let label = |action: &Action| match action {
            Action::Remove { name } => format!("remove {name}"),
            Action::Apply {
                name,
                set,
                definition,
            } => {
                assert_eq!(LabelSet::parse(definition).as_ref(), Ok(set));
                format!("apply {name} {}", set.labels[0].name)
            }
        };
        (
            plan.actions.iter().map(label).collect(),
            plan.broken.contains_key("a"),
        )
    }

    #[test]
    fn files_are_applied_where_they_differ_from_what_is_in_force() {
        for (file, before, wanted) in [
            (Some(ONE), None, "apply a one"),
            (Some(ONE), Some(known(ONE, false, false)), "apply a one"),
            (Some(ONE), Some(known(ONE, true, false)), ""),
            (Some(ONE), Some(known(ONE, true, true)), "apply a one"),
            (Some(TWO), Some(known(ONE, true, false)), "apply a two"),
            (None, Some(known(ONE, true, false)), "remove a"),
            (None, Some(known(ONE, false, false)), "remove a"),
            (None, None, ""),
        ] {
            let told = format!("{file:?} {before:?}");
            let found = planned(file.map(Ok), before);
            assert_eq!(
                (found.0.concat(), found.1),
                (wanted.to_owned(), false),
                "{told}"
            );
        }
    }

    #[test]
    fn a_bad_entry_keeps_or_brings_back_the_last_good_state() {
        let bad = || {
            [
                Ok("labels = []"),
                Ok("[[["),
                Err(FileError::NotAFile),
                Err(FileError::NotText),
                Err(FileError::Unreadable("no".to_owned())),
            ]
        };
        for (before, wanted) in [
            (None, ""),
            (Some((ONE, true)), ""),
            (Some((ONE, false)), "apply a one"),
            (Some(("[[[", false)), ""),
        ] {
            for file in bad() {
                let told = format!("{file:?} {before:?}");
                let before = before.map(|(text, is_in_force)| known(text, is_in_force, true));
                let (actions, is_broken) = planned(Some(file), before);
                assert_eq!(actions.concat(), wanted, "{told}");
                assert!(is_broken, "{told}");
            }
        }
    }

    #[test]
    fn other_capitals_or_another_spelling_are_a_new_name_of_the_same_set() {
        let renamed = |files: &[&str], known: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let (files, known): (Vec<String>, Vec<String>) = (owned(files), owned(known));
            renamed(&files.iter(), known.iter())
        };
        let is = |from: &str, to: &str| vec![(from.to_owned(), to.to_owned())];
        assert_eq!(
            renamed(&["Places", "b"], &["b", "places"]),
            is("places", "Places")
        );
        assert_eq!(
            renamed(&["\u{fc}"], &["u\u{308}"]),
            is("u\u{308}", "\u{fc}")
        );
        assert_eq!(renamed(&["places"], &["places", "gone"]), []);
        assert_eq!(renamed(&[], &["places"]), []);
    }

    #[test]
    fn sets_without_a_file_are_those_that_no_spelling_names() {
        let owned = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let (files, known) = (owned(&["Places", "b"]), owned(&["places", "b", "gone"]));
        let gone = without_file(&files.iter(), known.iter());
        assert_eq!(gone, BTreeSet::from(["gone".to_owned()]));
    }

    #[test]
    fn a_bad_entry_does_not_stop_the_others() {
        let files = Files::from([
            ("a".to_owned(), Err(FileError::NotAFile)),
            ("b".to_owned(), Ok(TWO.to_owned())),
        ]);
        let plan = plan(files, &BTreeMap::from([("gone", known(ONE, true, false))]));
        assert_eq!(
            plan.broken,
            BTreeMap::from([("a".to_owned(), FileError::NotAFile)])
        );
        assert_eq!(plan.actions.len(), 2, "{plan:?}");
    }
}
