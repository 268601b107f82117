//! Brings sidecars to what the library's tags say: what is wanted beside each picture is compared with what was written there,
//! and only where they differ is a sidecar opened.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use crossbeam_channel::{Receiver, select};
use tracing::{error, info, warn};

use super::replace::Replacement;
use super::{pictures, places, read, reason, stat};
use crate::config::SidecarNames;
use crate::library::Library;
use crate::stop::{Stop, Threads};
use crate::store::{FileId, SidecarStamp, Store, TagChange, TaggedFile, Written};
use crate::tag::{Ancestors, Tagger};
use crate::xmp::{self, Keywords};

/// Files that are brought up to date together.
const BATCH: usize = 64;

/// What writes sidecars.
#[derive(Debug, Clone)]
pub struct Sidecars {
    store: Store,
    tagger: Arc<Tagger>,
    names: SidecarNames,
    stop: Stop,
    threads: Threads,
}

impl Sidecars {
    /// For the pictures of a library; none where its owner wants no sidecars.
    pub fn new(library: &Library, names: SidecarNames) -> Option<Sidecars> {
        (names != SidecarNames::Off).then(|| Sidecars {
            store: library.store.clone(),
            tagger: Arc::clone(&library.tagger),
            names,
            stop: library.stop.clone(),
            threads: library.threads.clone(),
        })
    }

    /// Brings all sidecars up to date, then those of images whose tags change.
    pub fn start(self) -> io::Result<()> {
        let woken = self.store.follow_tags();
        let threads = self.threads.clone();
        threads.spawn("sidecars", move || self.follow(&woken))
    }

    /// Brings all sidecars up to date, once.
    pub fn run_once(&self) -> Result<()> {
        self.converge(&TagChange::All)
    }

    fn follow(&self, woken: &Receiver<()>) {
        loop {
            select! {
                recv(self.stop.closed()) -> _ => return,
                recv(woken) -> _ => {}
            }
            let change = self.store.take_tag_change();
            if let Err(error) = self.converge(&change) {
                error!(
                    error = format!("{error:#}"),
                    "failed to bring sidecars up to date"
                );
            }
        }
    }

    fn converge(&self, change: &TagChange) -> Result<()> {
        let ancestors = self.tagger.ancestors();
        let mut written = 0;
        if let TagChange::Images(images) = change {
            let files = self.store.tagged_files_of(images)?;
            for files in files.chunks(BATCH) {
                written += self.converge_batch(files, &ancestors)?;
            }
        } else {
            let mut after = FileId::default();
            // The next start goes on where this one is told to stop.
            while !self.stop.is_asked() {
                let files = self.store.tagged_files(after, BATCH)?;
                let Some(last) = files.last() else { break };
                after = last.id;
                written += self.converge_batch(&files, &ancestors)?;
            }
        }
        if written > 0 {
            info!(sidecars = written, "sidecars written");
        }
        Ok(())
    }

    /// Two transactions for each batch. The first, before anything is put in place, says what the sidecars will look like, so that
    /// pixdex's own writing is no news to it; the second, after it, says what they were brought up to date with.
    fn converge_batch(&self, files: &[TaggedFile], ancestors: &Ancestors) -> Result<usize> {
        let wanted = files.iter().map(|file| (file, wanted(file, ancestors)));
        let differing: Vec<_> = wanted
            .filter(|(file, wanted)| differs(file, wanted))
            .collect();
        if differing.is_empty() {
            return Ok(0);
        }
        let (mut expected, mut prepared) = (Vec::new(), Vec::new());
        for (file, wanted) in differing {
            let place = self.place(&file.path)?;
            let replacement = prepare(&place, &wanted);
            if let Ok(Some(replacement)) = &replacement {
                expected.push((file.id, stamp_after(&file.path, replacement)));
            }
            prepared.push((file, place, wanted, replacement));
        }
        self.store.expect_sidecars(&expected)?;
        let mut written = Vec::new();
        for (file, place, wanted, replacement) in prepared {
            let done = replacement.and_then(|replacement| commit(replacement, &place));
            written.push((file.id, outcome(file, &wanted, &place, done)));
        }
        self.store.note_written(&written)?;
        Ok(expected.len())
    }

    /// The sidecar that is there, else one of the name that the owner wants. `photo.xmp` is taken only where it is of one picture.
    fn place(&self, picture: &Path) -> Result<PathBuf> {
        let [appended, replaced] = places(picture);
        let is_ours = |place: &Path| {
            let packet = read(place).ok().flatten();
            packet.is_some_and(|(bytes, _)| xmp::has_own(&bytes))
        };
        let takes_replaced = match (stat(&appended).is_some(), stat(&replaced).is_some()) {
            (true, true) => is_ours(&replaced) && !is_ours(&appended),
            (false, false) => self.names == SidecarNames::Replaced,
            (_, is_replaced) => is_replaced,
        };
        let is_alone = || -> Result<bool> {
            let pictures = pictures(&self.store, &replaced)?;
            Ok(pictures.iter().all(|other| other == picture))
        };
        Ok(if takes_replaced && is_alone()? {
            replaced
        } else {
            appended
        })
    }
}

/// A tag is a subject, and in the hierarchy it stands below the parents of its label.
fn wanted(file: &TaggedFile, ancestors: &Ancestors) -> Keywords {
    let mut wanted = Keywords::default();
    for tag in &file.tags {
        let above = ancestors.get(tag).into_iter().flatten();
        let path: Vec<String> = above.chain([&tag.1]).map(|name| printable(name)).collect();
        // A `|` within a name would be taken for a level of its own.
        let path: Vec<String> = path.iter().map(|name| name.replace('|', "/")).collect();
        wanted.hierarchical.insert(path.join("|"));
        wanted.subjects.insert(printable(&tag.1));
    }
    wanted
}

/// XML has no place for control characters.
fn printable(name: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    name.chars().map(printable).collect()
}

/// What a sidecar is brought up to date with, as it is remembered.
fn remembered(wanted: &Keywords) -> String {
    let all = wanted.subjects.iter().chain(&wanted.hierarchical);
    let all: Vec<&str> = all.map(String::as_str).collect();
    all.join("\n")
}

fn differs(file: &TaggedFile, wanted: &Keywords) -> bool {
    match &file.written {
        Some(written) => !file.is_wanted || *written != remembered(wanted),
        // Never looked at: a sidecar that came with its picture may hold what pixdex wrote elsewhere.
        None => file.has_sidecar || !wanted.is_empty(),
    }
}

/// What is to stand at the place; none where it is so already.
fn prepare(place: &Path, wanted: &Keywords) -> Result<Option<Replacement>> {
    let found = read(place)?;
    let (bytes, before) = found.unzip();
    let after = xmp::write(bytes.as_deref(), wanted)?;
    if after == bytes {
        return Ok(None);
    }
    let is_read_only = |before: &Metadata| before.permissions().readonly();
    ensure!(
        !before.as_ref().is_some_and(is_read_only),
        "it is read-only: allow writing it, as by chmod u+w"
    );
    let replacement = Replacement::prepare(place, before.as_ref(), after.as_deref());
    Ok(Some(replacement.context("it cannot be written")?))
}

fn stamp_after(picture: &Path, replacement: &Replacement) -> SidecarStamp {
    SidecarStamp::of(places(picture).map(|place| {
        if place == replacement.place() {
            replacement.after()
        } else {
            stat(&place)
        }
    }))
}

fn commit(replacement: Option<Replacement>, place: &Path) -> Result<()> {
    let committed = replacement.map_or(Ok(()), Replacement::commit);
    committed.with_context(|| format!("failed to put `{}` in place", place.display()))
}

fn outcome(file: &TaggedFile, wanted: &Keywords, place: &Path, done: Result<()>) -> Written {
    match done {
        Ok(()) => Ok(file.is_wanted.then(|| remembered(wanted))),
        Err(cause) => {
            let reason = reason(place, &cause);
            if file.error.as_ref() != Some(&reason) {
                warn!(picture = %file.path.display(), reason, "cannot write a sidecar");
            }
            Err(reason)
        }
    }
}
