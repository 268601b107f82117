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
    exclude: HashSet<String>,
    /// Whether links lead on. Those that lead back to a folder on the way are left out then too.
    follows_links: bool,
}

impl Walk {
    /// As its owner has set it.
    pub(crate) fn new(config: &IngestConfig) -> Walk {
        Walk {
            exclude: config.exclude.iter().cloned().collect(),
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
        name.starts_with('.') || self.exclude.contains(&*name)
    }
}

fn is_of_a_link(error: &walkdir::Error) -> bool {
    error.loop_ancestor().is_some() || error.path().is_some_and(Path::is_symlink)
}
