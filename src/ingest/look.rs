//! Looks at folders and paths, and queues what must be read. One thread; it never waits for the pipeline, so that a
//! picture dropped into a folder during a first scan is not last in the line.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::Result;
use crossbeam_channel::{Receiver, never, select};
use tracing::{error, info, warn};

use super::pipeline::{Job, Pipeline};
use super::scan::{self, Plan, stat};
use super::{Parts, Progress, WatchedRoot, count};
use crate::sidecar;
use crate::store::{FileStat, RootId};
use crate::watch::{self, Hint, Watch};

/// How soon the pipeline is offered jobs again when its line was full.
const FEED_INTERVAL: Duration = Duration::from_millis(20);

/// A path that is not still yet.
#[derive(Debug, Clone, Copy)]
struct Settling {
    due: Instant,
    /// What it looked like when it was last looked at; none where it was not there.
    stat: Option<FileStat>,
}

pub(super) struct Looker {
    parts: Parts,
    roots: Vec<WatchedRoot>,
    exclude: HashSet<String>,
    settle: Duration,
    pipeline: Pipeline,
    progress: Progress,
    queue: VecDeque<Job>,
    settling: HashMap<PathBuf, Settling>,
    /// The last scan that could not be done.
    failure: Option<anyhow::Error>,
}

impl Looker {
    pub(super) fn new(parts: Parts, roots: &[PathBuf], progress: Progress) -> Result<Looker> {
        let roots = roots
            .iter()
            .map(|path| {
                Ok(WatchedRoot {
                    id: parts.store.root(path)?,
                    path: path.clone(),
                })
            })
            .collect::<Result<_>>()?;
        let pipeline = Pipeline::start(&parts, &progress)?;
        Ok(Looker {
            roots,
            exclude: parts.ingest.exclude.iter().cloned().collect(),
            settle: Duration::from_millis(parts.ingest.settle_ms),
            pipeline,
            progress,
            queue: VecDeque::new(),
            settling: HashMap::new(),
            failure: None,
            parts,
        })
    }

    /// Watches and scans the roots, then follows what happens in them until told to stop.
    pub(super) fn run(self, rescans: &Receiver<()>, stop: &Receiver<()>) {
        let hints = self.watch();
        self.follow(&hints, rescans, stop).pipeline.stop();
    }

    /// Scans the roots once and reads what must be read.
    pub(super) fn run_once(mut self, mut tick: impl FnMut(&Progress)) -> Result<Progress> {
        // Nobody watches: whatever is there is read now.
        self.settle = Duration::ZERO;
        self.scan_all();
        while self.feed() {
            tick(&self.progress);
            self.pipeline.check()?;
            thread::sleep(FEED_INTERVAL);
        }
        self.pipeline.wait_idle(|| tick(&self.progress))?;
        self.pipeline.stop();
        self.failure.map_or(Ok(self.progress), Err)
    }

    /// The hints from watching the roots; where that is impossible, none ever comes, and scans must do.
    fn watch(&self) -> Receiver<Hint> {
        let roots: Vec<PathBuf> = self.roots.iter().map(|root| root.path.clone()).collect();
        match Watch::start(&roots, &self.parts.ingest.exclude) {
            Ok(watch) => watch.hints().clone(),
            Err(error) => {
                let interval_s = self.parts.ingest.rescan_interval_s;
                warn!(%error, interval_s, "cannot watch folders, changes are seen by regular scans only");
                never()
            }
        }
    }

    fn follow(
        mut self,
        hints: &Receiver<Hint>,
        rescans: &Receiver<()>,
        stop: &Receiver<()>,
    ) -> Looker {
        let interval = Duration::from_secs(self.parts.ingest.rescan_interval_s.max(1));
        self.scan_all();
        let mut next_scan = Instant::now() + interval;
        let (mut hints, nobody) = (hints, never());
        loop {
            let due = self
                .settling
                .values()
                .map(|settling| settling.due)
                .chain([next_scan])
                .min();
            let mut wait = due
                .unwrap_or(next_scan)
                .saturating_duration_since(Instant::now());
            if self.feed() {
                wait = wait.min(FEED_INTERVAL);
            }
            // It is in the log already, and its files are pending: the next scan tries them again.
            drop(self.pipeline.check());
            select! {
                recv(stop) -> _ => return self,
                recv(rescans) -> _ => self.scan_all(),
                recv(hints) -> hint => match hint {
                    Ok(hint) => self.on_hint(hint),
                    // Watching ended; scans go on.
                    Err(_) => hints = &nobody,
                },
                default(wait) => if Instant::now() >= next_scan {
                    self.scan_all();
                    next_scan = Instant::now() + interval;
                },
            }
            self.look_at_due();
        }
    }

    /// Hands jobs to the pipeline while it takes them; whether some are left.
    fn feed(&mut self) -> bool {
        let Some(jobs) = self.pipeline.jobs() else {
            return false;
        };
        while let Some(job) = self.queue.pop_front() {
            if let Err(unsent) = jobs.try_send(job) {
                self.queue.push_front(unsent.into_inner());
                return true;
            }
        }
        false
    }

    fn on_hint(&mut self, hint: Hint) {
        match hint {
            Hint::Everything => self.scan_all(),
            Hint::Path {
                path,
                is_final: true,
            } => {
                self.settling.remove(&path);
                self.look(&path);
            }
            Hint::Path {
                path,
                is_final: false,
            } => self.let_settle(path),
        }
    }

    fn let_settle(&mut self, path: PathBuf) {
        let settling = Settling {
            due: Instant::now() + self.settle,
            stat: stat(&path),
        };
        self.settling.insert(path, settling);
    }

    fn look_at_due(&mut self) {
        let now = Instant::now();
        let due: Vec<PathBuf> = self
            .settling
            .iter()
            .filter(|(_, settling)| settling.due <= now)
            .map(|(path, _)| path.clone())
            .collect();
        for path in due {
            let before = self
                .settling
                .remove(&path)
                .and_then(|settling| settling.stat);
            if before == stat(&path) {
                self.look(&path);
            } else {
                self.let_settle(path);
            }
        }
    }

    /// Looks at a path that is still: a file, a folder, or nothing any more.
    fn look(&mut self, path: &Path) {
        let Some(root) = self
            .roots
            .iter()
            .find(|root| path.starts_with(&root.path))
            .cloned()
        else {
            return;
        };
        if let Err(error) = self.look_below(&root, path) {
            error!(path = %path.display(), error = format!("{error:#}"), "failed to look at a path");
        }
    }

    fn look_below(&mut self, root: &WatchedRoot, path: &Path) -> Result<()> {
        // A sign of life in a root that was away: all of it may be back.
        if path == root.path || !self.is_online(root)? {
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
        for picture in sidecar::pictures(&self.parts.store, sidecar)? {
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
        let known = self.parts.store.known_file(path, self.parts.model)?;
        if scan::must_read(stat, &sidecar::stamp(path), known.as_ref()) {
            self.parts
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
            .parts
            .store
            .known_files(root.id, path, self.parts.model)?
            .into_keys()
            .collect();
        if self
            .parts
            .store
            .known_file(path, self.parts.model)?
            .is_some()
        {
            gone.push(path.to_owned());
        }
        self.mark_gone(&gone)
    }

    fn mark_gone(&self, gone: &[PathBuf]) -> Result<()> {
        if !gone.is_empty() {
            self.parts.forget_files(gone)?;
            count(&self.progress.counts.removed, gone.len());
            info!(files = gone.len(), "files are gone");
        }
        Ok(())
    }

    fn scan_all(&mut self) {
        for root in self.roots.clone() {
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
            self.set_online(root, is_there)?;
        }
        if is_there {
            self.scan_folder(root, &root.path)
        } else {
            Ok(())
        }
    }

    fn knows_files(&self, root: &WatchedRoot) -> Result<bool> {
        Ok(self.parts.store.knows_files(root.id)?)
    }

    fn is_online(&self, root: &WatchedRoot) -> Result<bool> {
        Ok(self.parts.store.is_online(root.id)?)
    }

    fn set_online(&self, root: &WatchedRoot, is_online: bool) -> Result<()> {
        if self.is_online(root)? == is_online {
            return Ok(());
        }
        self.parts.store.set_root_online(root.id, is_online)?;
        let root = root.path.display();
        if is_online {
            info!(%root, "folder is back");
        } else {
            warn!(%root, "folder is missing or empty: its pictures stay, marked as offline, until it is back");
        }
        Ok(())
    }

    fn scan_folder(&mut self, root: &WatchedRoot, folder: &Path) -> Result<()> {
        let started = Instant::now();
        let found = scan::find(folder, &self.exclude);
        let known = self
            .parts
            .store
            .known_files(root.id, folder, self.parts.model)?;
        let Plan {
            to_read,
            gone,
            unchanged,
            failed,
        } = scan::plan(found, known);
        self.mark_gone(&gone)?;
        count(&self.progress.counts.unchanged, unchanged);
        count(&self.progress.counts.failed, failed);
        self.parts.store.add_pending(root.id, &to_read)?;
        let (to_read_count, duration_ms) = (to_read.len(), started.elapsed().as_millis() as u64);
        info!(folder = %folder.display(), unchanged, to_read = to_read_count, gone = gone.len(), duration_ms, "scanned");
        for (path, stat) in to_read {
            if self.is_still(&stat) {
                self.enqueue(root.id, path, stat, false);
            } else {
                self.let_settle(path);
            }
        }
        Ok(())
    }

    /// Whether a file's last change is longer ago than the settle time; one from the future never moves on.
    fn is_still(&self, stat: &FileStat) -> bool {
        let modified = UNIX_EPOCH + Duration::from_nanos(stat.modified_ns.max(0) as u64);
        modified.elapsed().map_or(true, |age| age >= self.settle)
    }

    fn enqueue(&mut self, root: RootId, path: PathBuf, stat: FileStat, is_urgent: bool) {
        if !self.progress.claim(&path) {
            // It is being read as it was before: look again when that is written.
            return self.let_settle(path);
        }
        let job = Job { root, path, stat };
        if is_urgent {
            self.queue.push_front(job);
        } else {
            self.queue.push_back(job);
        }
    }
}
