//! The labels folder: made where a library begins, and followed for as long as the daemon runs.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, select};
use tracing::error;

use super::{DRAWN_SETS, LabelFile, PHOTO_SETS, TagError, Tagger};
use crate::stop::{Stop, Threads};
use crate::watch::{Hint, Watch};

/// Scoring a library again is work: pictures and decisions that come together are learned from together.
const NEWS_WAIT: Duration = Duration::from_millis(500);

/// The sets that a new library of this model starts with.
pub fn starter_sets(model: &str) -> [LabelFile; 3] {
    if model == "bundled" {
        DRAWN_SETS
    } else {
        PHOTO_SETS
    }
}

/// A folder of our own starts with the sets that pixdex ships; one that the owner named must be there.
pub fn prepare_folder(folder: &Path, starters: Option<[LabelFile; 3]>) -> Result<(), TagError> {
    if let Some(files) = starters.filter(|_| !folder.exists()) {
        write_sets(folder, files)?;
    }
    if folder.is_dir() {
        Ok(())
    } else {
        Err(TagError::NoFolder(folder.to_owned()))
    }
}

/// Makes a labels folder with these files.
pub fn write_sets(folder: &Path, files: [LabelFile; 3]) -> Result<(), TagError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| TagError::Io { path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(failed(&path))?;
    }
    Ok(())
}

/// Brings the tags up to date whenever something changes in the labels folder or in what sets learn from, and looks there
/// after each `interval` as well: label files may be links to others, or lie on a drive that tells nothing.
pub(crate) fn follow(
    tagger: Arc<Tagger>,
    interval: Duration,
    stop: Stop,
    threads: &Threads,
) -> io::Result<Watch> {
    let watch = Watch::folder(tagger.folder(), &stop, threads)?;
    let watched = watch.clone();
    threads.spawn("labels", move || {
        let mut failure: Option<String> = None;
        while !stop.is_asked() {
            // What changed before the watch began, or while it was lost, is read after that.
            watched.renew();
            failure = sync(&tagger, failure.as_deref());
            select! {
                recv(stop.closed()) -> _ => return,
                recv(watched.hints()) -> hint => match hint {
                    Ok(hint) => wait_until_still(watched.hints(), hint, &stop),
                    Err(_) => return,
                },
                recv(tagger.news()) -> _ => {
                    stop.is_asked_within(NEWS_WAIT);
                }
                default(interval) => {}
            }
        }
    })?;
    Ok(watch)
}

/// Brings the tags up to date, and returns why that failed; what failed before is not said again.
fn sync(tagger: &Tagger, before: Option<&str>) -> Option<String> {
    let failure = tagger.sync().err().map(|error| error.to_string());
    if let Some(error) = failure.as_deref().filter(|_| failure.as_deref() != before) {
        error!(
            error,
            "failed to bring the tags up to date, they stay as they are"
        );
    }
    failure
}

/// Editors write a file in several steps: waits until it is closed, or still for a moment.
fn wait_until_still(hints: &Receiver<Hint>, mut last: Hint, stop: &Stop) {
    const STILL: Duration = Duration::from_millis(100);
    while !matches!(last, Hint::Path { is_final: true, .. }) && !stop.is_asked() {
        match hints.recv_timeout(STILL) {
            Ok(hint) => last = hint,
            Err(_) => return,
        }
    }
}
