//! What lies in a folder, but for what is left out.

use std::collections::HashSet;
use std::fs::Metadata;
use std::io;
use std::path::Path;

use crate::config::IngestConfig;

/// What of a folder is looked at.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    /// Names of files and folders that are left out.
    names: HashSet<String>,
    /// Endings of such names, in lower case.
    endings: HashSet<String>,
    /// Whether links lead on. Those that lead back to a folder on the way are left out then too.
    follows_links: bool,
}

impl Walk {
    /// As its owner has set it.
    pub(crate) fn new(config: &IngestConfig) -> Walk {
        let (mut names, mut endings) = (HashSet::new(), HashSet::new());
        for left_out in &config.exclude {
            match left_out.strip_prefix("*.") {
                Some(ending) => endings.insert(ending.to_lowercase()),
                None => names.insert(left_out.clone()),
            };
        }
        Walk {
            names,
            endings,
            follows_links: config.follow_links,
        }
    }

    /// All entries at and below a folder, without hidden and excluded ones.
    pub(crate) fn entries(
        &self,
        folder: &Path,
    ) -> impl Iterator<Item = walkdir::Result<walkdir::DirEntry>> {
        let entries = walkdir::WalkDir::new(folder)
            .follow_links(self.follows_links)
            .into_iter();
        let entries =
            entries.filter_entry(|entry| entry.depth() == 0 || !self.excludes(entry.path()));
        // A link that leads nowhere, or in a circle, is no folder that cannot be read.
        entries.filter(|entry| !matches!(entry, Err(error) if is_of_a_link(error)))
    }

    /// What lies at a path: what a link leads to, where those lead on.
    pub(super) fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        if self.follows_links {
            std::fs::metadata(path)
        } else {
            std::fs::symlink_metadata(path)
        }
    }

    /// Whether the last part of the path is a name that is left out.
    pub(crate) fn excludes(&self, path: &Path) -> bool {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy())
            .unwrap_or_default();
        let ending = name
            .rsplit_once('.')
            .map(|(_, ending)| ending.to_lowercase());
        let is_left_out = ending.is_some_and(|ending| self.endings.contains(&ending));
        name.starts_with('.') || is_left_out || self.names.contains(&*name)
    }
}

fn is_of_a_link(error: &walkdir::Error) -> bool {
    error.loop_ancestor().is_some() || error.path().is_some_and(Path::is_symlink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn names_and_endings_are_left_out() {
        let names = ["@eaDir", "*.MOV"].map(toml::Value::from);
        let flags = vec![("ingest.exclude", toml::Value::Array(names.to_vec()))];
        let config = Config::load(None, std::iter::empty(), flags).unwrap();
        let walk = Walk::new(&config.ingest);
        let excludes = |path: &str| walk.excludes(Path::new(path));
        for path in ["/a/@eaDir", "/a/.x", "/a/IMG_1.mov", "b.MOV"] {
            assert!(excludes(path), "{path}");
        }
        for path in ["/@eaDir/a.jpg", "/a/mov", "/a/IMG_1.mov.jpg", "/a/movie"] {
            assert!(!excludes(path), "{path}");
        }
    }
}
