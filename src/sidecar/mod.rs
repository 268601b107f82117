//! Sidecars: XMP files beside pictures, which hold what cannot or must not be written into the pictures themselves.
//!
//! Their keywords are read whenever pictures are. They are written only where the owner asked for it: [`Sidecars`] compares
//! what is wanted with what was written, and so comes to the same end after whatever went wrong in between.

mod converge;
mod replace;

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::pictures::open_regular;
use crate::shown::error_text;
use crate::store::{FileKeywords, FileStat, SidecarStamp, Store, StoreError};
use crate::xmp;

pub use converge::Sidecars;

/// How programs write the ending. Where files differ in it only, the first is the sidecar, and the others are nobody's.
const ENDINGS: [&str; 3] = ["xmp", "XMP", "Xmp"];

/// The names that the sidecars of a picture may have: `photo.jpg.xmp` and `photo.xmp`, each with all endings.
fn names(picture: &Path) -> [[PathBuf; 3]; 2] {
    let appended = |ending| {
        let mut name = picture.as_os_str().to_owned();
        name.push(".");
        name.push(ending);
        name.into()
    };
    let replaced = |ending| picture.with_extension(ending);
    [ENDINGS.map(appended), ENDINGS.map(replaced)]
}

/// Where the sidecars of a picture lie, or would lie: `photo.jpg.xmp` and `photo.xmp`.
fn places(picture: &Path) -> [PathBuf; 2] {
    names(picture).map(|[usual, capitals, capital]| {
        let is_there = |place: &PathBuf| fs::symlink_metadata(place).is_ok();
        if !is_there(&usual) && is_there(&capitals) {
            capitals
        } else if !is_there(&usual) && is_there(&capital) {
            capital
        } else {
            usual
        }
    })
}

/// Whether a file of this name is a sidecar.
pub fn is_sidecar_name(path: &Path) -> bool {
    let ending = path.extension();
    ending.is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known))
}

/// The pictures of the library to which a sidecar belongs.
pub fn pictures(store: &Store, sidecar: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut pictures = store.files_of_stem(&sidecar.with_extension(""))?;
    pictures.retain(|picture| {
        names(picture)
            .as_flattened()
            .iter()
            .any(|name| name == sidecar)
    });
    Ok(pictures)
}

/// What the sidecars of a picture look like now.
pub fn stamp(picture: &Path) -> SidecarStamp {
    stamp_among(picture, stat)
}

/// What they look like among files that were listed.
pub fn stamp_among(picture: &Path, stat: impl Fn(&Path) -> Option<FileStat>) -> SidecarStamp {
    SidecarStamp::of(names(picture).map(|names| names.iter().find_map(|name| stat(name))))
}

fn stat(place: &Path) -> Option<FileStat> {
    let metadata = fs::symlink_metadata(place).ok()?;
    metadata.is_file().then(|| FileStat::of(&metadata))
}

/// The keywords of a picture's file: those in its sidecars, and those that were found in itself.
pub fn keywords(picture: &Path, mut embedded: BTreeSet<String>) -> FileKeywords {
    // Looked at before it is read, so that a change in between shows.
    let stamp = stamp(picture);
    let mut error = None;
    for place in places(picture) {
        match read(&place)
            .and_then(|bytes| Ok(bytes.map(|(bytes, _)| xmp::read(&bytes)).transpose()?))
        {
            Ok(keywords) => embedded.extend(keywords.unwrap_or_default()),
            Err(cause) => {
                warn!(sidecar = %place.display(), error = error_text(cause.as_ref()), "cannot read a sidecar");
                error = Some(reason(&place, &cause));
            }
        }
    }
    FileKeywords {
        stamp,
        keywords: embedded,
        error,
    }
}

/// Why something cannot be done with a sidecar, for people.
fn reason(place: &Path, cause: &anyhow::Error) -> String {
    format!(
        "its sidecar `{}`: {}",
        place.display(),
        error_text(cause.as_ref())
    )
}

/// A sidecar's bytes and what it looked like before they were read; none where there is no such file.
fn read(place: &Path) -> anyhow::Result<Option<(Vec<u8>, Metadata)>> {
    let metadata = match fs::symlink_metadata(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata?,
    };
    anyhow::ensure!(metadata.is_file(), "it is not a regular file");
    // It may have become something else since.
    let (file, metadata) = open_regular(place)?;
    let mut bytes = Vec::new();
    file.take(xmp::MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    anyhow::ensure!(
        bytes.len() <= xmp::MAX_BYTES,
        "it has more than {} bytes",
        xmp::MAX_BYTES
    );
    Ok(Some((bytes, metadata)))
}
