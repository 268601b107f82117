//! The picture library of `pixdex demo`: what is in it, and the writing of it.
//!
//! Drawn things in six albums, always the same ones; no file is named after what it shows, so a
//! search that finds a picture has looked at its pixels.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::plan::{Picture, originals};

/// The one file that no program can show whole: a JPEG that stops half-way.
pub const BROKEN: &str = "2022/weekend/broken.jpg";

/// Which originals (all of them JPEGs) lie there a second time, under which name.
const COPIES: [(usize, &str); 4] = [
    (6, "2023/family/copy.jpg"),
    (41, "2024/backup/0001.jpg"),
    (76, "2024/backup/0002.jpg"),
    (112, "2024/backup/0003.jpg"),
];

/// Writes the library into `folder` and tells what each readable file shows.
///
/// `drawn` hears after each picture how many there are so far.
pub fn write_library(folder: &Path, mut drawn: impl FnMut(usize)) -> anyhow::Result<Vec<Picture>> {
    let mut pictures = Vec::new();
    for original in originals()? {
        write(&folder.join(original.path()), &original.bytes()?)?;
        pictures.push(original.picture());
        drawn(pictures.len());
    }
    for (original, path) in COPIES {
        let copy = Picture {
            path: path.into(),
            ..pictures[original].clone()
        };
        let bytes = fs::read(folder.join(&pictures[original].path))?;
        write(&folder.join(path), &bytes)?;
        pictures.push(copy);
        drawn(pictures.len());
    }
    write_broken(folder, &pictures[0])?;
    Ok(pictures)
}

fn write_broken(folder: &Path, whole: &Picture) -> anyhow::Result<()> {
    let bytes = fs::read(folder.join(&whole.path))?;
    write(&folder.join(BROKEN), &bytes[..bytes.len() / 2])
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent)
        .with_context(|| format!("failed to create `{}`", parent.display()))?;
    fs::write(path, bytes).with_context(|| format!("failed to write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use image::ImageFormat::{self, Jpeg};

    use super::super::plan::{ORIGINALS, Original, SEARCHES};
    use super::super::world::{BACKGROUNDS, COLOURS, THINGS};
    use super::*;

    fn plan() -> Vec<Picture> {
        originals().unwrap().iter().map(Original::picture).collect()
    }

    /// Whether `picture` is what `search` describes, word by word.
    fn answers(picture: &Picture, search: &str) -> bool {
        let said = |name: &str| search.contains(name);
        let colour = COLOURS
            .iter()
            .all(|(name, _)| !said(name) || picture.colour == *name);
        let place = [("night", "night sky"), ("grass", "grass"), ("sea", "sea")];
        let place = place
            .iter()
            .all(|(word, name)| !said(word) || picture.background == *name);
        let count = if said("three") {
            picture.count == 3
        } else {
            picture.count >= 1
        };
        said(picture.thing) && colour && place && count
    }

    #[test]
    fn each_search_has_at_least_three_answers() {
        for search in SEARCHES {
            let answers = plan()
                .iter()
                .filter(|picture| answers(picture, search))
                .count();
            assert!(answers >= 3, "`{search}` has {answers}");
        }
    }

    #[test]
    fn the_whole_world_is_in_it() {
        let plan = plan();
        let count =
            |of: &dyn Fn(&Picture) -> bool| plan.iter().filter(|picture| of(picture)).count();
        for (thing, _) in THINGS {
            assert!(count(&|picture| picture.thing == thing) >= 3, "{thing}");
        }
        for (colour, _) in COLOURS {
            assert!(count(&|picture| picture.colour == colour) >= 9, "{colour}");
        }
        for (background, _) in BACKGROUNDS {
            assert!(
                count(&|picture| picture.background == background) >= 6,
                "{background}"
            );
        }
        for number in 1..=7 {
            assert!(count(&|picture| picture.count == number) >= 5, "{number}");
        }
    }

    #[test]
    fn it_is_always_the_same() {
        let bytes = || {
            originals().unwrap()[..9]
                .iter()
                .map(|original| original.bytes().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(bytes(), bytes());
    }

    fn is_whole(path: &Path) -> bool {
        let bytes = fs::read(path).unwrap();
        let format = ImageFormat::from_path(path).unwrap();
        // A truncated JPEG may well decode, so look for its end marker too.
        let ended = format != Jpeg || bytes.ends_with(&[0xFF, 0xD9]);
        ended && image::load_from_memory_with_format(&bytes, format).is_ok()
    }

    #[test]
    fn every_file_but_the_broken_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut drawn = Vec::new();
        let pictures = write_library(folder.path(), |count| drawn.push(count)).unwrap();
        assert_eq!(drawn, (1..=ORIGINALS + COPIES.len()).collect::<Vec<_>>());
        assert_eq!(drawn.len(), pictures.len());
        for picture in pictures {
            assert!(is_whole(&folder.path().join(&picture.path)), "{picture:?}");
        }
        assert!(!is_whole(&folder.path().join(BROKEN)));
    }
}
