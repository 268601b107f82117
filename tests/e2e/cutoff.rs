//! Does a ranking end where it should? Queries of known truth on the demo's pictures.

use std::collections::BTreeSet;

use pixdex::demo::Picture;
use serde_json::Value;

use crate::lab::{Daemon, Lab, demo_library};

/// A query, and whether a picture is what it asks for.
struct Asked {
    text: String,
    is_right: Box<dyn Fn(&Picture) -> bool>,
}

/// What came of some queries at one strictness.
#[derive(Default)]
struct Measured {
    precision: Vec<f64>,
    recall: Vec<f64>,
    /// Hits of queries for what is not there.
    absent: Vec<usize>,
    /// Of these, those that said that nothing fits well.
    told: usize,
}

fn asked(text: String, is_right: impl Fn(&Picture) -> bool + 'static) -> Asked {
    Asked {
        text,
        is_right: Box::new(is_right),
    }
}

const PLACES: [(&str, &str); 5] = [
    ("in the sky", "sky"),
    ("at night", "night sky"),
    ("on grass", "grass"),
    ("on the sea", "sea"),
    ("on a striped background", "striped"),
];

/// Things, colours, coloured things and things in places; of most pairs there is no picture, although there is of each half.
fn queries(pictures: &[Picture]) -> Vec<Asked> {
    let things: BTreeSet<&str> = pictures.iter().map(|picture| picture.thing).collect();
    let colours: BTreeSet<&str> = pictures.iter().map(|picture| picture.colour).collect();
    let mut all = Vec::new();
    for &colour in &colours {
        all.push(asked(format!("something {colour}"), move |picture| {
            picture.colour == colour
        }));
    }
    for &thing in &things {
        let article = if thing.starts_with(['a', 'e', 'i', 'o', 'u']) {
            "an"
        } else {
            "a"
        };
        all.push(asked(format!("{article} {thing}"), move |picture| {
            picture.thing == thing
        }));
        for &colour in &colours {
            let article = if colour == "orange" { "an" } else { "a" };
            all.push(asked(
                format!("{article} {colour} {thing}"),
                move |picture| picture.thing == thing && picture.colour == colour,
            ));
        }
        for (place, background) in PLACES {
            all.push(asked(
                format!("{article} {thing} {place}"),
                move |picture| picture.thing == thing && picture.background == background,
            ));
        }
    }
    all
}

impl Measured {
    fn add(
        &mut self,
        asked: &Asked,
        answer: &Value,
        pictures: &[&Picture],
        path: impl Fn(&Picture) -> String,
    ) {
        let right: BTreeSet<String> = pictures
            .iter()
            .filter(|picture| (asked.is_right)(picture))
            .map(|picture| path(picture))
            .collect();
        let found: BTreeSet<String> = answer["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["path"].as_str().unwrap().to_owned())
            .collect();
        if right.is_empty() {
            self.absent.push(found.len());
            self.told += usize::from(found.is_empty() || answer["fits"] == false);
            return;
        }
        let both = right.intersection(&found).count() as f64;
        self.precision.push(if found.is_empty() {
            0.0
        } else {
            both / found.len() as f64
        });
        self.recall.push(both / right.len() as f64);
    }

    fn line(&self) -> String {
        let hits = self.absent.iter().sum::<usize>() as f64 / self.absent.len().max(1) as f64;
        format!(
            "precision {:.3}, recall {:.3} ({} queries); not there: {hits:.2} hits, at most {}, {:.2} say so ({} queries)",
            mean(&self.precision),
            mean(&self.recall),
            self.recall.len(),
            self.absent.iter().max().unwrap_or(&0),
            self.told as f64 / self.absent.len().max(1) as f64,
            self.absent.len(),
        )
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn measure(
    daemon: &Daemon,
    queries: &[Asked],
    pictures: &[&Picture],
    lab: &Lab,
    strictness: &str,
) -> Measured {
    let mut measured = Measured::default();
    for asked in queries {
        let text: String = form_urlencoded::byte_serialize(asked.text.as_bytes()).collect();
        let (_, answer) = daemon.get(&format!("/api/v1/search?q={text}&limit=1000{strictness}"));
        measured.add(asked, &answer, pictures, |picture| {
            lab.photo(picture.path.to_str().unwrap())
                .display()
                .to_string()
        });
    }
    measured
}

/// The world without copies, whose paths a hit need not show first.
fn originals(pictures: &[Picture]) -> Vec<&Picture> {
    let is_copy = |picture: &&Picture| {
        picture.path.to_str().unwrap().contains("backup") || picture.path.ends_with("copy.jpg")
    };
    pictures
        .iter()
        .filter(|picture| !is_copy(picture))
        .collect()
}

#[test]
fn a_ranking_ends_where_it_should() {
    let lab = Lab::new();
    let pictures = demo_library(&lab.photos());
    let daemon = lab.serve();
    daemon.wait_for_images(145);
    let queries = queries(&pictures);
    let measured = measure(&daemon, &queries, &originals(&pictures), &lab, "");
    println!("{}", measured.line());
    assert!(queries.len() >= 200 && measured.recall.len() >= 100 && measured.absent.len() >= 100);
    assert!(mean(&measured.precision) >= 0.9, "{}", measured.line());
    assert!(mean(&measured.recall) >= 0.9, "{}", measured.line());
    assert!(
        measured.absent.iter().all(|hits| *hits <= 5),
        "{}",
        measured.line()
    );
}

/// Things that are nowhere: each of the thirty is asked for in a library of which all its pictures were taken out.
#[test]
fn what_is_nowhere_is_told_to_be_nowhere() {
    let lab = Lab::new();
    let pictures = demo_library(&lab.photos());
    let mut daemon = lab.serve();
    daemon.wait_for_images(145);
    let mut measured = Measured::default();
    for thing in ["star", "house", "fish", "umbrella", "cat"] {
        let with = |picture: &&Picture| picture.thing == thing;
        let files: Vec<_> = pictures
            .iter()
            .filter(with)
            .map(|picture| lab.photo(picture.path.to_str().unwrap()))
            .collect();
        let aside: Vec<_> = files
            .iter()
            .map(|path| (path, std::fs::read(path).unwrap()))
            .collect();
        for path in &files {
            std::fs::remove_file(path).unwrap();
        }
        daemon.wait_until(|daemon| daemon.images().len() < 145 - 2);
        let gone = files
            .iter()
            .map(|path| path.display().to_string())
            .collect::<BTreeSet<_>>();
        daemon.wait_until(|daemon| daemon.paths().iter().all(|path| !gone.contains(path)));
        let without: Vec<&Picture> = pictures
            .iter()
            .filter(|picture| picture.thing != thing)
            .collect();
        let queries = [asked(format!("a {thing}"), |_| false)];
        let one = measure(&daemon, &queries, &without, &lab, "");
        measured.absent.extend(one.absent);
        measured.told += one.told;
        for (path, bytes) in aside {
            std::fs::write(path, bytes).unwrap();
        }
        daemon.wait_for_images(145);
    }
    println!("{}", measured.line());
    assert!(
        measured.absent.iter().all(|hits| *hits <= 5),
        "{}",
        measured.line()
    );
    assert!(measured.told >= 4, "{}", measured.line());
    daemon.signal("-INT");
    assert!(daemon.wait().success());
}

/// Where most of the library is what is looked for, nothing stands out, and all of it is found nevertheless.
#[test]
fn what_most_pictures_show_is_found_in_most() {
    let lab = Lab::new();
    let pictures = demo_library(&lab.photos());
    let is_kept = |picture: &Picture| ["grass", "sea", "night sky"].contains(&picture.background);
    for picture in pictures.iter().filter(|picture| !is_kept(picture)) {
        std::fs::remove_file(lab.photo(picture.path.to_str().unwrap())).unwrap();
    }
    let left: Vec<&Picture> = originals(&pictures)
        .into_iter()
        .filter(|picture| is_kept(picture))
        .collect();
    let on_grass = |picture: &Picture| picture.background == "grass";
    let right = left.iter().filter(|picture| on_grass(picture)).count();
    assert!(right * 3 > left.len(), "{right} of {}", left.len());
    let daemon = lab.serve();
    daemon.wait_for_images(left.len());
    let queries = [asked("on grass".to_owned(), on_grass)];
    let measured = measure(&daemon, &queries, &left, &lab, "");
    assert!(
        mean(&measured.precision) >= 0.9 && mean(&measured.recall) >= 0.9,
        "{}",
        measured.line()
    );
}

/// The curve that `tests/benches/README.md` shows.
#[test]
#[ignore = "prints figures: precision and recall over strictness"]
fn figures_of_strictness() {
    let lab = Lab::new();
    let pictures = demo_library(&lab.photos());
    let daemon = lab.serve();
    daemon.wait_for_images(145);
    let queries = queries(&pictures);
    for strictness in (0..=100).step_by(10) {
        let measured = measure(
            &daemon,
            &queries,
            &originals(&pictures),
            &lab,
            &format!("&strictness={strictness}"),
        );
        println!("strictness {strictness}: {}", measured.line());
    }
}
