//! `pixdex check`: is what is stored what was stored? The database, embeddings, segment, thumbnails and decisions, each against
//! what it must agree with.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tracing::debug;

use super::purge::sweep_thumbnails;
use crate::index;
use crate::pictures;
use crate::stop::Stop;
use crate::store::{FrameId, ImageId, JournalDifference, KnownModel, ModelId, Store, StoreError};

/// So many findings of a kind are named; all are counted.
const NAMED: usize = 5;

/// What was looked at, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at.
    pub what: String,
    /// How much of it there is.
    pub count: usize,
    /// What is wrong, some of it; nothing where all is well.
    pub wrong: Vec<String>,
    /// What was done about it, or what will.
    pub mended: Option<String>,
}

impl Check {
    fn new(what: &str, count: usize) -> Check {
        Check {
            what: what.to_owned(),
            count,
            wrong: Vec::new(),
            mended: None,
        }
    }

    /// Whether something is wrong that nobody mended.
    pub fn is_bad(&self) -> bool {
        !self.wrong.is_empty() && self.mended.is_none()
    }

    fn mended(mut self, how: &str) -> Check {
        if !self.wrong.is_empty() {
            self.mended = Some(how.to_owned());
        }
        self
    }

    fn find(&mut self, all: impl IntoIterator<Item = String>) {
        let mut all = all.into_iter();
        self.wrong.extend(all.by_ref().take(NAMED));
        let more = all.count();
        if more > 0 {
            self.wrong.push(format!("and {more} more"));
        }
    }
}

/// Checks the library in `folder`; with `repair`, mends what can be.
pub fn check(store: &Store, folder: &Path, repair: bool) -> Result<Vec<Check>, StoreError> {
    let mut checks = vec![database(store)?];
    if let Some(KnownModel { fingerprint, .. }) = store.model_in_force()?
        && let Some(model) = store.known_model(&fingerprint)?
    {
        checks.push(embeddings(store, model, repair)?);
        let rows = index::verify_rows(folder, &fingerprint);
        checks.push(segment(store, folder, model, rows, repair)?);
    }
    checks.push(thumbnails(store, folder, repair)?);
    checks.push(files(store)?);
    checks.push(decisions(store, repair)?);
    Ok(checks)
}

fn database(store: &Store) -> Result<Check, StoreError> {
    let mut check = Check::new("database", store.bytes()? as usize);
    check.find(store.integrity()?);
    Ok(check)
}

/// Each embedding of the model in use must be one, and all of one length; each image that a file holds must have one.
fn embeddings(store: &Store, model: ModelId, repair: bool) -> Result<Check, StoreError> {
    let images = store.live_images(model)?;
    let mut lengths: Vec<(usize, usize)> = Vec::new();
    let mut by_image = Vec::with_capacity(images.len());
    let mut bad = store.each_embedding(model, &images, |image, embedding| {
        let length = embedding.as_slice().len();
        by_image.push((image, length));
        match lengths.iter_mut().find(|(known, _)| *known == length) {
            Some((_, count)) => *count += 1,
            None => lengths.push((length, 1)),
        }
    })?;
    let videos: Vec<(FrameId, ImageId)> = store.live_frames(model)?;
    let frames: Vec<FrameId> = videos.iter().map(|(frame, _)| *frame).collect();
    let damaged = store.each_frame(&frames, |_, _| {})?;
    let is_damaged = |(frame, _): &&(FrameId, ImageId)| damaged.contains(frame);
    bad.extend(videos.iter().filter(is_damaged).map(|(_, video)| *video));
    let usual = lengths.iter().max_by_key(|(_, count)| *count);
    let usual = usual.map_or(0, |(length, _)| *length);
    let unlike = by_image.iter().filter(|(_, length)| *length != usual);
    bad.extend(unlike.map(|(image, _)| *image));
    let mut check = Check::new("embeddings", images.len());
    check.find(
        bad.iter()
            .map(|image| format!("the embedding of image {} is damaged", image.0)),
    );
    if repair && !bad.is_empty() {
        store.delete_embeddings(model, &bad)?;
        return Ok(check.mended("thrown away: the next scan makes them again"));
    }
    Ok(check)
}

/// The segment is a cache: whatever is wrong with it, it is built again.
fn segment(
    store: &Store,
    folder: &Path,
    model: ModelId,
    rows: Result<Option<Vec<(ImageId, u64)>>, String>,
    repair: bool,
) -> Result<Check, StoreError> {
    let mut check = Check::new("index", 0);
    match rows {
        Err(reason) => check.wrong.push(reason),
        Ok(None) => {}
        Ok(Some(mut rows)) => {
            check.count = rows.len();
            rows.sort_unstable_by_key(|(image, _)| *image);
            let live = store.live_images(model)?;
            let mut unlike = Vec::new();
            store.each_embedding(model, &live, |image, embedding| {
                if let Ok(place) = rows.binary_search_by_key(&image, |(image, _)| *image)
                    && rows[place].1 != index::row_hash(embedding.as_slice())
                {
                    unlike.push(image);
                }
            })?;
            let name = |image| format!("it has another embedding of image {image:?}");
            check.find(unlike.into_iter().map(name));
        }
    }
    if repair && !check.wrong.is_empty() {
        match index::remove(folder) {
            Ok(()) => return Ok(check.mended("thrown away: the next start builds it again")),
            Err(cause) => check.wrong.push(format!("it cannot be removed: {cause}")),
        }
    }
    Ok(check)
}

fn thumbnails(store: &Store, folder: &Path, repair: bool) -> Result<Check, StoreError> {
    let mut check = Check::new("thumbnails", 0);
    let mut damaged = Vec::new();
    for (_, path) in pictures::kept_thumbnails(folder).flatten() {
        check.count += 1;
        if !fs::read(&path).is_ok_and(|bytes| pictures::is_whole_thumbnail(&bytes)) {
            damaged.push(path);
        }
    }
    check.find(
        damaged
            .iter()
            .map(|path| format!("`{}` is damaged", path.display())),
    );
    if !repair {
        return Ok(check);
    }
    sweep_thumbnails(store, folder, &Stop::default())?;
    for path in &damaged {
        if let Err(cause) = fs::remove_file(path)
            && cause.kind() != ErrorKind::NotFound
        {
            check
                .wrong
                .push(format!("`{}` cannot be removed: {cause}", path.display()));
            return Ok(check);
        }
    }
    Ok(check.mended("thrown away: they are made again when they are asked for"))
}

/// What is on the disk is not what is stored all the time: the next scan sees to it, so nothing is wrong here.
fn files(store: &Store) -> Result<Check, StoreError> {
    let mut check = Check::new("files", 0);
    let mut absent = 0;
    for root in store.roots()? {
        for file in store.files_at(&root.path)? {
            check.count += 1;
            if let Err(cause) = fs::symlink_metadata(&file.path) {
                debug!(path = %file.path.display(), %cause, "not there");
                absent += 1;
            }
        }
    }
    check.mended =
        (absent > 0).then(|| format!("{absent} are not there now, which the next scan looks at"));
    Ok(check)
}

fn decisions(store: &Store, repair: bool) -> Result<Check, StoreError> {
    let mut check = Check::new(
        "decisions",
        store
            .decisions(&crate::store::WhichDecisions::default())?
            .len(),
    );
    let path = store.journal_path();
    let path = path.display();
    let difference = if repair {
        store.sync_journal()
    } else {
        store.journal_difference()
    };
    let JournalDifference {
        unwritten, lost, ..
    } = match difference {
        Err(StoreError::Folder { source, .. }) => {
            check
                .wrong
                .push(format!("`{path}` cannot be read or written: {source}"));
            return Ok(check);
        }
        difference => difference?,
    };
    // Those that wait for it are in the database twice.
    if !unwritten.is_empty() {
        check
            .wrong
            .push(format!("{} are not in `{path}`", unwritten.len()));
    }
    if !lost.is_empty() {
        check
            .wrong
            .push(format!("{} are in `{path}` only", lost.len()));
    }
    if repair && !lost.is_empty() {
        store.decide(&lost, &[])?;
        return Ok(
            check.mended("put back: the next start gives their labels to the pictures again")
        );
    }
    Ok(check)
}

/// As [`check`] with all that can be mended; a database that cannot be read is made anew first, from what can be.
pub fn repair(folder: &Path) -> Result<Vec<Check>, StoreError> {
    let (store, anew) = match Store::open_existing(folder) {
        Err(cause @ (StoreError::Lost { .. } | StoreError::Corrupt(_))) => {
            salvage(folder, vec![cause.to_string()])?
        }
        opened => {
            let store = opened?;
            let found = database(&store)?;
            if found.is_bad() {
                drop(store);
                salvage(folder, found.wrong)?
            } else {
                (store, None)
            }
        }
    };
    let mut checks = check(&store, folder, true)?;
    if let Some(anew) = anew {
        checks.insert(0, anew);
    }
    Ok(checks)
}

fn salvage(folder: &Path, wrong: Vec<String>) -> Result<(Store, Option<Check>), StoreError> {
    // It knows images by numbers, which may be given anew.
    index::remove(folder).map_err(|source| StoreError::Folder {
        path: folder.join(index::FOLDER),
        source,
    })?;
    let (store, salvaged) = Store::salvage(folder)?;
    let aside = salvaged.aside.map_or_else(
        || "nothing was there".to_owned(),
        |aside| format!("what was there lies in `{}`", aside.display()),
    );
    let rows = salvaged.rows;
    let mended = format!(
        "made anew with {rows} rows that could be read, and {aside}; `pixdex index` or `pixdex serve` with your folders brings back \
         the rest"
    );
    let check = Check {
        wrong,
        ..Check::new("database", rows)
    };
    Ok((store, Some(check.mended(&mended))))
}
