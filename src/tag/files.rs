//! The files in the labels folder: one for each set, named after it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use super::TagError;
use crate::store::SetName;

/// The label files of a folder: name without `.toml`, and text.
pub(super) fn read_folder(folder: &Path) -> Result<BTreeMap<String, String>, TagError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| TagError::Io { path, source }
    };
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(io(folder))? {
        let path = entry.map_err(io(folder))?.path();
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .filter(|name| name.parse::<SetName>().is_ok());
        if let Some(name) = name.filter(|_| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        }) {
            // As bytes first: a file that is not UTF-8 is that file's error, not the folder's.
            let bytes = std::fs::read(&path).map_err(io(&path))?;
            files.insert(
                name.to_owned(),
                String::from_utf8_lossy(&bytes).into_owned(),
            );
        }
    }
    Ok(files)
}

pub(super) fn write_whole(folder: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
