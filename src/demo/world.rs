//! What there is in the drawn world. The bundled model was trained on another world of the same things.

use super::backgrounds::{self, Background};
use super::draw::Rgb;
use super::things::{self, Thing};

/// Every thing by its name.
pub(super) const THINGS: [(&str, Thing); 30] = [
    ("circle", things::circle),
    ("square", things::square),
    ("triangle", things::triangle),
    ("star", things::star),
    ("heart", things::heart),
    ("ring", things::ring),
    ("cross", things::cross),
    ("moon", things::moon),
    ("house", things::house),
    ("tree", things::tree),
    ("flower", things::flower),
    ("fish", things::fish),
    ("boat", things::boat),
    ("car", things::car),
    ("cloud", things::cloud),
    ("face", things::face),
    ("arrow", things::arrow),
    ("diamond", things::diamond),
    ("sun", things::sun),
    ("mountain", things::mountain),
    ("bird", things::bird),
    ("butterfly", things::butterfly),
    ("leaf", things::leaf),
    ("rocket", things::rocket),
    ("balloon", things::balloon),
    ("umbrella", things::umbrella),
    ("mug", things::mug),
    ("key", things::key),
    ("apple", things::apple),
    ("cat", things::cat),
];

/// Every background by its name.
pub(super) const BACKGROUNDS: [(&str, Background); 9] = [
    ("plain", backgrounds::plain),
    ("striped", backgrounds::striped),
    ("checkered", backgrounds::checkered),
    ("dotted", backgrounds::dotted),
    ("gradient", backgrounds::gradient),
    ("sky", backgrounds::sky),
    ("night sky", backgrounds::night_sky),
    ("grass", backgrounds::grass),
    ("sea", backgrounds::sea),
];

/// Every colour of a thing by its name.
pub(super) const COLOURS: [(&str, Rgb); 11] = [
    ("red", [214, 38, 38]),
    ("orange", [246, 128, 28]),
    ("yellow", [250, 212, 36]),
    ("green", [44, 150, 62]),
    ("blue", [36, 88, 212]),
    ("purple", [130, 56, 176]),
    ("pink", [246, 130, 182]),
    ("brown", [124, 76, 42]),
    ("black", [26, 26, 28]),
    ("white", [250, 250, 250]),
    ("gray", [134, 137, 142]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::tag::LabelSet;

    fn file(path: &str) -> String {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
    }

    fn names<T>(table: &[(&'static str, T)]) -> Vec<String> {
        table.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
        let (_, rest) = text.split_once(start).expect(start);
        rest.split_once(end).expect(end).0
    }

    /// What stands in double quotes in a piece of Python.
    fn quoted(python: &str) -> Vec<String> {
        let texts = python.split('"').skip(1).step_by(2);
        texts.map(str::to_owned).collect()
    }

    fn training(name: &str) -> String {
        file(&format!("src/model/bundled/training/{name}.py"))
    }

    #[test]
    fn the_model_was_trained_on_the_same_things_colours_and_backgrounds() {
        let things = quoted(between(&training("world"), "THINGS = (", ")")).concat();
        let things: Vec<&str> = things.split_whitespace().collect();
        assert_eq!(things, names(&THINGS));
        let palette = training("palette");
        let anchors = between(&palette, "ANCHORS = {", "\n}");
        assert_eq!(quoted(anchors), names(&COLOURS));
        let backgrounds = training("backgrounds");
        let listed = between(&backgrounds, "BACKGROUNDS = [", "]");
        assert_eq!(quoted(listed), names(&BACKGROUNDS));
        let designs = training("shapes") + &training("objects");
        for thing in things {
            assert!(designs.contains(&format!("\ndef {thing}(")), "{thing}");
        }
    }

    #[test]
    fn the_starter_sets_know_all_that_can_be_drawn() {
        let labels = |set: &str| -> Vec<String> {
            let set = LabelSet::parse(&file(&format!("config/labels/drawn/{set}.toml"))).unwrap();
            set.labels
                .into_iter()
                .map(|label| label.name.to_string())
                .collect()
        };
        assert_eq!(labels("things"), names(&THINGS));
        assert_eq!(labels("colours"), names(&COLOURS));
        // A plain background is what the others are told from.
        let backgrounds = names(&BACKGROUNDS)
            .into_iter()
            .filter(|name| name != "plain");
        let scenes = backgrounds.map(|name| name.replace("night sky", "night"));
        assert_eq!(labels("scenes"), scenes.collect::<Vec<_>>());
    }

    #[test]
    fn the_page_of_the_model_names_them_all() {
        let page = file("src/model/bundled/MODEL.md").replace('\n', " ");
        let listed = |kind: &str, count: usize| -> BTreeSet<String> {
            let list = between(&page, &format!("**{kind}** ({count}): "), ".");
            let names = list.split(',').map(|name| name.split('(').next().unwrap());
            names.map(|name| name.trim().to_owned()).collect()
        };
        assert_eq!(listed("Things", 30), names(&THINGS).into_iter().collect());
        assert_eq!(listed("Colours", 11), names(&COLOURS).into_iter().collect());
        let backgrounds = names(&BACKGROUNDS).into_iter().collect();
        assert_eq!(listed("Backgrounds", 9), backgrounds);
    }
}
