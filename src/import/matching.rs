//! Which pictures of the library another program speaks of: by the end of the path, and by the size where that is known. Roots are
//! called otherwise there, so nobody is asked what they are called.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use super::Described;
use crate::spelling::folded;
use crate::store::{ContentHash, ShotFile};

/// The files of the library by their names, in any spelling and capitals.
#[derive(Debug, Default)]
pub struct Library {
    by_name: HashMap<String, Vec<Candidate>>,
    /// The same without their endings.
    by_stem: HashMap<String, Vec<Candidate>>,
}

#[derive(Debug, Clone)]
struct Candidate {
    /// The parts of its path, from the end.
    parts: Vec<String>,
    size_bytes: i64,
    image: ContentHash,
}

/// What is found of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// These images; of a name without its ending there may be some.
    Images(BTreeSet<ContentHash>),
    /// None is it.
    Nothing,
    /// One is as likely as another.
    Several,
}

impl Library {
    /// The library with these files.
    pub fn new(files: Vec<ShotFile>) -> Library {
        let mut library = Library::default();
        for file in files {
            let stem = file.path.with_extension("");
            let candidate = |path: PathBuf| {
                let path = path.to_string_lossy().into_owned();
                Candidate {
                    parts: parts(&path),
                    size_bytes: file.size_bytes,
                    image: file.image,
                }
            };
            let (whole, stem) = (candidate(file.path), candidate(stem));
            for (candidates, candidate) in
                [(&mut library.by_name, whole), (&mut library.by_stem, stem)]
            {
                if let Some(name) = candidate.parts.first().cloned() {
                    candidates.entry(name).or_default().push(candidate);
                }
            }
        }
        library
    }

    /// The images that a description is about.
    pub fn find(&self, described: &Described) -> Match {
        let wanted = parts(&described.path);
        let known = if described.is_stem {
            &self.by_stem
        } else {
            &self.by_name
        };
        let other = described.other_name.as_deref().map(folded);
        let names = wanted.first().into_iter().chain(&other);
        let candidates = names.filter_map(|name| known.get(name)).flatten();
        // Without its size a picture is known by its whole path: cameras call many pictures the same.
        let is_it = |candidate: &&Candidate| match described.size_bytes {
            Some(size) => candidate.size_bytes == size,
            None => candidate.parts.starts_with(&wanted),
        };
        let in_common = |candidate: &Candidate| {
            let pairs = candidate.parts.iter().zip(&wanted).skip(1);
            pairs.take_while(|(ours, theirs)| ours == theirs).count()
        };
        let found: Vec<_> = candidates
            .filter(is_it)
            .map(|candidate| (in_common(candidate), candidate.image))
            .collect();
        let most = found.iter().map(|(in_common, _)| *in_common).max();
        let best = found
            .iter()
            .filter(|(in_common, _)| Some(*in_common) == most);
        let images: BTreeSet<ContentHash> = best.map(|(_, image)| *image).collect();
        match images.len() {
            0 => Match::Nothing,
            1 => Match::Images(images),
            _ if described.is_stem => Match::Images(images),
            _ => Match::Several,
        }
    }
}

/// The parts of a path from its end, as they are compared.
fn parts(path: &str) -> Vec<String> {
    let parts = path.rsplit(['/', '\\']).filter(|part| !part.is_empty());
    parts.map(folded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(files: &[(&str, i64, u8)]) -> Library {
        let file = |(path, size_bytes, seed): &(&str, i64, u8)| ShotFile {
            path: PathBuf::from(path),
            size_bytes: *size_bytes,
            image: ContentHash([*seed; 32]),
        };
        Library::new(files.iter().map(file).collect())
    }

    fn images(seeds: &[u8]) -> Match {
        Match::Images(seeds.iter().map(|seed| ContentHash([*seed; 32])).collect())
    }

    #[test]
    fn a_picture_is_known_by_its_size_and_the_most_of_its_path() {
        let library = library(&[
            ("/photos/2023/IMG_1.JPG", 100, 1),
            ("/photos/2024/IMG_1.JPG", 100, 2),
            ("/photos/2025/IMG_1.JPG", 300, 3),
            ("/photos/copy/IMG_2.JPG", 400, 4),
            ("/photos/2025/IMG_2.JPG", 400, 4),
        ]);
        let find = |path: &str, size_bytes| {
            library.find(&Described {
                path: path.to_owned(),
                size_bytes: Some(size_bytes),
                ..Described::default()
            })
        };
        assert_eq!(find("pictures/2024/img_1.jpg", 100), images(&[2]));
        assert_eq!(find("pictures/IMG_1.jpg", 100), Match::Several);
        assert_eq!(find("pictures/IMG_1.jpg", 300), images(&[3]));
        assert_eq!(find("2024/IMG_1.JPG", 999), Match::Nothing);
        assert_eq!(
            find("elsewhere/IMG_2.JPG", 400),
            images(&[4]),
            "one picture, two files"
        );
        let renamed = Described {
            path: "library/0a/0b.jpg".to_owned(),
            other_name: Some("IMG_1.jpg".to_owned()),
            size_bytes: Some(300),
            ..Described::default()
        };
        assert_eq!(library.find(&renamed), images(&[3]));
    }

    #[test]
    fn without_its_size_it_is_known_by_all_of_its_path() {
        let library = library(&[
            ("/photos/2024/IMG_1.JPG", 1, 1),
            ("/photos/2024/IMG_1.HEIC", 2, 2),
            ("/photos/2025/IMG_1.JPG", 3, 3),
        ]);
        let find = |path: &str, is_stem| {
            library.find(&Described {
                path: path.to_owned(),
                is_stem,
                ..Described::default()
            })
        };
        assert_eq!(find("2024/IMG_1.jpg", false), images(&[1]));
        assert_eq!(find("2024/IMG_1", true), images(&[1, 2]));
        assert_eq!(find("2023/IMG_1", true), Match::Nothing);
        assert_eq!(find("more/2024/IMG_1", true), Match::Nothing);
    }
}
