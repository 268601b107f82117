//! What lies in a folder, but for what is left out.

use std::collections::HashSet;
use std::path::Path;

/// All entries at and below a folder, without hidden and excluded ones; links are not followed.
pub(crate) fn walk<'a>(
    folder: &Path,
    exclude: &'a HashSet<String>,
) -> impl Iterator<Item = walkdir::Result<walkdir::DirEntry>> + use<'a> {
    let entries = walkdir::WalkDir::new(folder)
        .follow_links(false)
        .into_iter();
    entries.filter_entry(move |entry| entry.depth() == 0 || !is_excluded(entry.path(), exclude))
}

/// Whether the last part of the path is a name that is left out.
pub(crate) fn is_excluded(path: &Path, exclude: &HashSet<String>) -> bool {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy())
        .unwrap_or_default();
    name.starts_with('.') || exclude.contains(&*name)
}
