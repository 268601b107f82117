//! Looks at folders and paths, and queues what must be read. One thread; it never waits for the pipeline, so that a
//! picture dropped into a folder during a first scan is not last in the line.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use crossbeam_channel::{Receiver, never, select};
use tracing::{error, info};

use super::job::Job;
use super::pipeline::Pipeline;
use super::roots::{Roots, WatchedRoot};
use super::scan::{self, Plan, stat};
use super::schedule::{Round, Schedule};
use super::settling::Settling;
use super::{Progress, count, forget_files};
use crate::library::Library;
use crate::sidecar;
use crate::stop::Threads;
use crate::store::{FileStat, RootId};
use crate::watch::{self, Hint, Watch};

/// How soon the pipeline is offered jobs again when its line was full.
const FEED_INTERVAL: Duration = Duration::from_millis(20);

pub(super) struct Looker {
    library: Library,
    roots: Roots,
    exclude: HashSet<String>,
    settling: Settling,
    pipeline: Pipeline,
    progress: Progress,
    /// Whether a look is made by the clock, and not because of something that was told.
    is_poll: bool,
    /// The last scan that could not be done.
    failure: Option<anyhow::Error>,
}

impl Looker {
    /// The pipeline's threads are among `threads`.
    pub(super) fn new(
        library: Library,
        roots: &[PathBuf],
        progress: Progress,
        threads: &Threads,
    ) -> Result<Looker> {
        Ok(Looker {
            roots: Roots::new(library.store.clone(), roots)?,
            exclude: library.ingest.exclude.iter().cloned().collect(),
            settling: Settling::new(Duration::from_millis(library.ingest.settle_ms)),
            pipeline: Pipeline::start(&library, &progress, threads)?,
            progress,
            is_poll: false,
            failure: None,
            library,
        })
    }

    /// Scans the roots once and reads what must be read.
    pub(super) fn run_once(
        mut self,
        threads: &Threads,
        tick: impl FnMut(&Progress),
    ) -> Result<Progress> {
        // Nobody watches: whatever is there is read now.
        self.settling.end();
        self.scan_all();
        self.pipeline.finish(threads, tick)?;
        self.failure.map_or(Ok(self.progress), Err)
    }

    /// Watches and scans the roots, then follows what happens in them until told to stop.
    pub(super) fn run(mut self, watch: &Watch, rescans: &Receiver<()>) {
        let mut hints = watch.hints().clone();
        let stop = self.library.stop.clone();
        let [scan_interval, poll_interval] = {
            let ingest = &self.library.ingest;
            [ingest.rescan_interval_s, ingest.poll_interval_s].map(Duration::from_secs)
        };
        let mut schedule = Schedule::new(scan_interval, poll_interval, Instant::now());
        loop {
            let started = Instant::now();
            if let Some(round) = schedule.due(started) {
                match round {
                    Round::Everything => self.scan_watched(watch),
                    Round::Polled => self.poll(watch),
                }
                schedule.done(round, started, Instant::now());
            }
            let next_round = schedule.next_due();
            let due = self.settling.next_due().into_iter().chain([next_round]);
            let due = due.min().unwrap_or(next_round);
            let mut wait = due.saturating_duration_since(Instant::now());
            if self.pipeline.feed() {
                wait = wait.min(FEED_INTERVAL);
            }
            // It is in the log already, and its files are pending: the next scan tries them again.
            drop(self.pipeline.check());
            select! {
                recv(stop.closed()) -> _ => return,
                recv(rescans) -> _ => self.scan_watched(watch),
                recv(hints) -> hint => match hint {
                    Ok(Hint::Everything) => schedule.scan_soon(),
                    Ok(Hint::Path { path, is_final }) => self.on_hint(path, is_final),
                    // Watching ended; scans go on.
                    Err(_) => hints = never(),
                },
                default(wait) => {}
            }
            self.look_at_due();
        }
    }

    fn on_hint(&mut self, path: PathBuf, is_final: bool) {
        if is_final {
            self.settling.remove(&path);
            self.look(&path);
        } else {
            self.let_settle(path);
        }
    }

    fn let_settle(&mut self, path: PathBuf) {
        let stat = stat(&path);
        self.settling.add(path, stat, Instant::now());
    }

    fn look_at_due(&mut self) {
        for (path, before) in self.settling.take_due(Instant::now()) {
            if before == stat(&path) {
                self.look(&path);
            } else {
                self.let_settle(path);
            }
        }
    }

    /// Looks at a path that is still: a file, a folder, or nothing any more.
    fn look(&mut self, path: &Path) {
        let Some(root) = self.roots.of(path) else {
            return;
        };
        if let Err(error) = self.look_below(&root, path) {
            error!(path = %path.display(), error = format!("{error:#}"), "failed to look at a path");
        }
    }

    fn look_below(&mut self, root: &WatchedRoot, path: &Path) -> Result<()> {
        // A sign of life in a root that was away: all of it may be back.
        if path == root.path || !root.is_online {
            return self.scan_root(root);
        }
        if sidecar::is_sidecar_name(path) && !path.is_dir() {
            return self.look_beside(root, path);
        }
        match std::fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.scan_folder(root, path),
            Ok(metadata) if metadata.is_file() => {
                self.look_at_file(root, path, FileStat::of(&metadata))
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.forget(root, path),
            Err(error) => Err(error.into()),
        }
    }

    /// A sidecar came, changed or went: looks at the pictures it belongs to.
    fn look_beside(&mut self, root: &WatchedRoot, sidecar: &Path) -> Result<()> {
        for picture in sidecar::pictures(&self.library.store, sidecar)? {
            if let Some(stat) = stat(&picture) {
                self.look_at_file(root, &picture, stat)?;
            }
        }
        Ok(())
    }

    fn look_at_file(&mut self, root: &WatchedRoot, path: &Path, stat: FileStat) -> Result<()> {
        if !scan::is_picture_name(path) || watch::is_excluded(path, &self.exclude) {
            return Ok(());
        }
        let known = self.library.store.known_file(path, self.library.model)?;
        if scan::must_read(stat, &sidecar::stamp(path), known.as_ref()) {
            self.library
                .store
                .add_pending(root.id, &[(path.to_owned(), stat)])?;
            self.enqueue(root.id, path.to_owned(), stat, true);
        }
        Ok(())
    }

    /// A file, or a folder with all that was in it, is no longer there.
    fn forget(&mut self, root: &WatchedRoot, path: &Path) -> Result<()> {
        // With its root away it may well come back.
        if !scan::has_entries(&root.path) {
            return self.scan_root(root);
        }
        let mut gone: Vec<PathBuf> = self
            .library
            .store
            .known_files(root.id, path, self.library.model)?
            .into_keys()
            .collect();
        if self
            .library
            .store
            .known_file(path, self.library.model)?
            .is_some()
        {
            gone.push(path.to_owned());
        }
        self.mark_gone(&gone)
    }

    fn mark_gone(&self, gone: &[PathBuf]) -> Result<()> {
        if !gone.is_empty() {
            forget_files(&self.library, gone)?;
            count(&self.progress.counts.removed, gone.len());
            info!(files = gone.len(), "files are gone");
        }
        Ok(())
    }

    /// Looks at the folders whose changes are not told.
    fn poll(&mut self, watch: &Watch) {
        self.is_poll = true;
        watch.polled().iter().for_each(|path| self.look(path));
        self.is_poll = false;
    }

    /// Watches again what is not watched any more, then scans: what changes after a scan is told.
    fn scan_watched(&mut self, watch: &Watch) {
        watch.renew();
        self.scan_all();
    }

    fn scan_all(&mut self) {
        for root in self.roots.all() {
            if let Err(error) = self.scan_root(&root) {
                error!(root = %root.path.display(), error = format!("{error:#}"), "failed to scan a folder");
                self.failure = Some(error);
            }
        }
    }

    fn scan_root(&mut self, root: &WatchedRoot) -> Result<()> {
        let is_there = scan::has_entries(&root.path);
        if is_there || self.knows_files(root)? {
            // A root that is missing or empty while files in it are known is taken to be away, not emptied.
            self.roots.set_online(root.id, is_there)?;
        }
        if is_there {
            self.scan_folder(root, &root.path)
        } else {
            Ok(())
        }
    }

    fn knows_files(&self, root: &WatchedRoot) -> Result<bool> {
        Ok(self.library.store.knows_files(root.id)?)
    }

    fn scan_folder(&mut self, root: &WatchedRoot, folder: &Path) -> Result<()> {
        let started = Instant::now();
        let found = scan::find(folder, &self.exclude);
        let known = self
            .library
            .store
            .known_files(root.id, folder, self.library.model)?;
        let Plan {
            to_read,
            gone,
            unchanged,
            failed,
        } = scan::plan(found, known);
        self.mark_gone(&gone)?;
        count(&self.progress.counts.unchanged, unchanged);
        count(&self.progress.counts.failed, failed);
        self.library.store.add_pending(root.id, &to_read)?;
        let to_read_count = to_read.len();
        let duration_ms = started.elapsed().as_millis() as u64;
        // The clock looks often, and mostly finds nothing new.
        if !self.is_poll || to_read_count + gone.len() > 0 {
            info!(folder = %folder.display(), unchanged, to_read = to_read_count, gone = gone.len(), duration_ms, "scanned");
        }
        let now = SystemTime::now();
        for (path, stat) in to_read {
            if self.settling.is_still(&stat, now) {
                self.enqueue(root.id, path, stat, false);
            } else {
                self.let_settle(path);
            }
        }
        Ok(())
    }

    fn enqueue(&mut self, root: RootId, path: PathBuf, stat: FileStat, is_urgent: bool) {
        if self.progress.claim(&path) {
            self.pipeline.queue(Job { root, path, stat }, is_urgent);
        } else {
            // It is being read as it was before: look again when that is written.
            self.let_settle(path);
        }
    }
}
