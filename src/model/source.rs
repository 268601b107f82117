//! Which model: the three forms that an owner can write, and their reading.

use std::{
    env,
    fmt::{self, Display, Formatter},
    path::{self, Path, PathBuf},
    str::FromStr,
};

use super::ModelError;

/// Where a model comes from, read from `bundled`, `owner/name[@revision]` or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// The small model inside the program.
    Bundled,
    /// A repository of the Hugging Face hub.
    Hub {
        /// `owner/name`.
        repo: String,
        /// A branch, a tag, a commit or `refs/pr/N`; the repository's `main` where absent.
        revision: Option<String>,
    },
    /// A folder in the hub's layout.
    Folder(PathBuf),
}

impl FromStr for ModelSource {
    type Err = ModelError;

    /// Whatever exists as a folder is that folder, so a clone at `openai/clip-vit-base-patch32` wins over the hub. A
    /// folder is made absolute: a library remembers its model, and is opened from other working directories later.
    fn from_str(given: &str) -> Result<Self, ModelError> {
        if given == "bundled" {
            return Ok(Self::Bundled);
        }
        if looks_like_path(given) || Path::new(given).is_dir() {
            let folder = expand_home(given);
            return Ok(Self::Folder(path::absolute(&folder).unwrap_or(folder)));
        }
        parse_hub(given).ok_or_else(|| ModelError::UnknownSource(given.to_owned()))
    }
}

impl Display for ModelSource {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundled => f.write_str("bundled"),
            Self::Hub {
                repo,
                revision: Some(revision),
            } => write!(f, "{repo}@{revision}"),
            Self::Hub {
                repo,
                revision: None,
            } => f.write_str(repo),
            Self::Folder(path) => Display::fmt(&path.display(), f),
        }
    }
}

fn looks_like_path(given: &str) -> bool {
    let drive = given.as_bytes().get(1) == Some(&b':');
    drive || given.starts_with(['/', '.', '~', '\\'])
}

/// A configuration file has no shell that would do it.
fn expand_home(given: &str) -> PathBuf {
    match (given.strip_prefix("~/"), env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(given),
    }
}

fn parse_hub(given: &str) -> Option<ModelSource> {
    let (repo, revision) = match given.split_once('@') {
        Some((repo, revision)) => (repo, Some(revision)),
        None => (given, None),
    };
    let (owner, name) = repo.split_once('/')?;
    let good = is_plain(owner) && is_plain(name) && revision.is_none_or(is_revision);
    good.then(|| ModelSource::Hub {
        repo: repo.to_owned(),
        revision: revision.map(str::to_owned),
    })
}

/// `refs/pr/15`: plain names between slashes.
fn is_revision(given: &str) -> bool {
    given.split('/').all(is_plain)
}

/// Whether a name can become part of a path and of an address as it is: no separator, no `..`, nothing to escape.
pub(super) fn is_plain(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(repo: &str, revision: Option<&str>) -> ModelSource {
        ModelSource::Hub {
            repo: repo.to_owned(),
            revision: revision.map(str::to_owned),
        }
    }

    #[test]
    fn reads_the_three_forms() {
        let cases = [
            ("bundled", ModelSource::Bundled),
            (
                "openai/clip-vit-base-patch32",
                hub("openai/clip-vit-base-patch32", None),
            ),
            ("a/b@refs/pr/15", hub("a/b", Some("refs/pr/15"))),
            ("a/b@0123abc", hub("a/b", Some("0123abc"))),
            ("/srv/clip", ModelSource::Folder("/srv/clip".into())),
        ];
        for (given, expected) in cases {
            let source: ModelSource = given.parse().unwrap();
            assert_eq!(source, expected);
            assert_eq!(source.to_string(), given);
        }
    }

    #[test]
    fn a_folder_is_the_same_from_everywhere() {
        let here = env::current_dir().unwrap();
        for (given, folder) in [("src", "src"), ("./models/mine", "models/mine")] {
            let source: ModelSource = given.parse().unwrap();
            assert_eq!(source, ModelSource::Folder(here.join(folder)));
        }
        let drive = r"C:\clip".parse().unwrap();
        assert!(matches!(drive, ModelSource::Folder(_)));
    }

    #[test]
    fn expands_the_home_folder() {
        let Some(home) = env::home_dir() else { return };
        assert_eq!(
            "~/clip".parse::<ModelSource>().unwrap(),
            ModelSource::Folder(home.join("clip"))
        );
    }

    #[test]
    fn refuses_everything_else_and_names_the_forms() {
        for given in [
            "", "clip", "a/b/c", "a/b@", "a/../b", "a/b@../x", "a/b@x y", "a/",
        ] {
            let error = given.parse::<ModelSource>().unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains("`bundled`")
                    && text.contains("folder")
                    && text.contains("`owner/name"),
                "{text}"
            );
        }
    }
}
