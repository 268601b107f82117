//! Purging: what is known of pictures that are gone is kept for the time that its owner sets, and then taken out for good.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::{error, info};

use crate::config::Config;
use crate::index;
use crate::library::Library;
use crate::pictures;
use crate::stop::Stop;
use crate::store::{ContentHash, Store, StoreError};

/// Pictures are kept for days, so it does not matter at which hour they go.
const INTERVAL: Duration = Duration::from_hours(24);

const DAY_S: i64 = 24 * 3600;

/// For how many days what could be purged is kept.
#[derive(Debug, Clone, Copy)]
pub struct KeepDays {
    /// What is known of deleted pictures.
    pub deleted: u32,
    /// Embeddings of models that the library has left.
    pub model: u32,
}

impl KeepDays {
    /// As the owner configured it.
    pub fn of(config: &Config) -> KeepDays {
        KeepDays {
            deleted: config.keep_deleted_days,
            model: config.keep_model_days,
        }
    }

    /// The same, but for what is asked for deleted pictures this time.
    #[must_use]
    pub fn or_deleted(self, asked: Option<u32>) -> KeepDays {
        KeepDays {
            deleted: asked.unwrap_or(self.deleted),
            ..self
        }
    }
}

/// What a purge took out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PurgeReport {
    /// Files that are gone.
    pub files: usize,
    /// Images that no file holds, with their vectors, tags and dates.
    pub images: usize,
    /// Models that the library left long ago, with all their embeddings.
    #[serde(default)]
    pub models: usize,
    /// Thumbnails of images that are not in the library.
    pub thumbnails: usize,
    /// By how much the database is shorter.
    pub freed_bytes: i64,
}

/// Purges now, and then once a day, what has been gone for so long.
pub fn start(library: &Library, keep_days: KeepDays) -> io::Result<()> {
    let library = library.clone();
    let threads = library.threads.clone();
    threads.spawn("purge", move || {
        loop {
            let Library {
                store,
                folder,
                stop,
                ..
            } = &library;
            match purge(store, folder, keep_days, stop) {
                Ok(report) => tell(&report),
                Err(cause) => error!(
                    %cause,
                    "failed to take out what is gone, which is tried again tomorrow"
                ),
            }
            if stop.is_asked_within(INTERVAL) {
                return;
            }
        }
    })
}

fn tell(report: &PurgeReport) {
    let PurgeReport {
        files,
        images,
        models,
        thumbnails,
        freed_bytes,
    } = *report;
    if files + images + models + thumbnails > 0 {
        info!(
            files,
            images, models, thumbnails, freed_bytes, "what was gone for long is purged"
        );
    }
}

/// Takes out of the library in `folder` what has been gone for so long; sooner or later stops when told to.
pub fn purge(
    store: &Store,
    folder: &Path,
    keep_days: KeepDays,
    stop: &Stop,
) -> Result<PurgeReport, StoreError> {
    let before = store.bytes()?;
    let go_on = || !stop.is_asked();
    let purged = store.purge(i64::from(keep_days.deleted) * DAY_S, go_on)?;
    let mut models = 0;
    while let Some(fingerprint) =
        store.purge_left_model(i64::from(keep_days.model) * DAY_S, go_on)?
    {
        models += 1;
        if let Err(cause) = index::remove_of(folder, &fingerprint) {
            error!(%cause, "cannot remove the index of a model that was left");
        }
    }
    let thumbnails = sweep_thumbnails(store, folder, stop)?;
    store.shrink(go_on)?;
    Ok(PurgeReport {
        files: purged.files,
        images: purged.images,
        models,
        thumbnails,
        freed_bytes: before - store.bytes()?,
    })
}

/// Removes thumbnails of images that the library does not know: purged just now, or by a process that was killed before it came
/// to this. One folder of them at a time; whoever wants one that is removed has it made again.
pub(super) fn sweep_thumbnails(
    store: &Store,
    folder: &Path,
    stop: &Stop,
) -> Result<usize, StoreError> {
    let mut removed = 0;
    for thumbnails in pictures::kept_thumbnails(folder) {
        if stop.is_asked() {
            break;
        }
        let named: Vec<(ContentHash, PathBuf)> = thumbnails
            .into_iter()
            .filter_map(|(image, path)| Some((image.parse().ok()?, path)))
            .collect();
        let known = store.images_by_hash(named.iter().map(|(image, _)| image))?;
        let known: HashSet<ContentHash> = known.into_keys().collect();
        for (_, path) in named.iter().filter(|(image, _)| !known.contains(image)) {
            match std::fs::remove_file(path) {
                Ok(()) => removed += 1,
                Err(cause) => error!(path = %path.display(), %cause, "cannot remove a thumbnail"),
            }
        }
    }
    Ok(removed)
}
