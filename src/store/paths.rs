//! Paths as bytes and back: names of files need not be UTF-8, and `SQLite` keeps what the system uses.

use std::path::{Path, PathBuf};

use crate::spelling::folded;

#[cfg(unix)]
pub(super) fn to_bytes(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().to_vec()
}

#[cfg(unix)]
pub(super) fn from_bytes(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(not(unix))]
pub(super) fn to_bytes(path: &Path) -> Vec<u8> {
    path.to_string_lossy().into_owned().into_bytes()
}

#[cfg(not(unix))]
pub(super) fn from_bytes(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}

/// The name by which people look for a file: the last part of its path, in lower case, however it is spelt.
pub(super) fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    folded(&name.to_string_lossy())
}

/// Bytes as `unhex` reads them.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// The half-open range of byte strings that lie below the folder `path`: `[path/, path0)`, since `0` follows `/`.
pub(super) fn below(path: &Path) -> (Vec<u8>, Vec<u8>) {
    let mut first = to_bytes(path);
    while first.last() == Some(&(std::path::MAIN_SEPARATOR as u8)) {
        first.pop();
    }
    let mut end = first.clone();
    first.push(std::path::MAIN_SEPARATOR as u8);
    end.push(std::path::MAIN_SEPARATOR as u8 + 1);
    (first, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_a_folder_are_its_files_only() {
        let (first, end) = below(Path::new("/photos/2019/"));
        let inside = |path: &str| (first.as_slice()..end.as_slice()).contains(&path.as_bytes());
        assert!(inside("/photos/2019/a.jpg") && inside("/photos/2019/b/c.jpg"));
        assert!(
            !inside("/photos/2019")
                && !inside("/photos/2019-b/a.jpg")
                && !inside("/photos/20190.jpg")
        );
    }
}
