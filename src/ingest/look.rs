//! Looks at folders and paths, and queues what must be read. One thread; it never waits for the pipeline, so that a
//! picture dropped into a folder during a first scan is not last in the line.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use crossbeam_channel::{Receiver, never, select};
use tracing::{error, info, warn};

use super::breaker::Stage;
use super::job::{Job, Returned};
use super::pipeline::Pipeline;
use super::roots::{Roots, WatchedRoot};
use super::scan::{self, AbsenceRules, Found, Plan, ReadRules, stat};
use super::schedule::{Round, Schedule};
use super::settling::Settling;
use super::{Progress, count, forget_files};
use crate::library::Library;
use crate::pictures::OriginalFile;
use crate::sidecar;
use crate::stop::Threads;
use crate::store::{FileStat, KnownFile, SeenFile, StoreError};
use crate::watch::{Hint, Walk, Watch};

/// Looks at a file that changes again and again, after which one pass over folders leaves it to the next one.
const MOST_LOOKS: usize = 3;

const DAY_S: i64 = 24 * 3600;

/// The shortest time until all is looked at again after a look that failed.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Looker {
    library: Library,
    roots: Roots,
    walk: Walk,
    settling: Settling,
    pipeline: Pipeline,
    progress: Progress,
    /// Whether a look is made by the clock, and not because of something that was told.
    is_poll: bool,
    /// Why a look could not be carried out, of late.
    failure: Option<anyhow::Error>,
    /// When the next file that waits is tried again.
    next_try: Option<Instant>,
    /// Whether what waits is tried at once.
    tries_waiting: bool,
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
            walk: Walk::new(&library.ingest),
            settling: Settling::new(Duration::from_millis(library.ingest.settle_ms)),
            pipeline: Pipeline::start(&library, &progress, threads)?,
            progress,
            is_poll: false,
            failure: None,
            next_try: None,
            tries_waiting: false,
            library,
        })
    }

    /// Scans the roots once and reads what must be read.
    pub(super) fn run_once(
        mut self,
        threads: &Threads,
        mut tick: impl FnMut(&Progress),
    ) -> Result<Progress> {
        // Nobody watches: whatever is there is read now.
        self.settling.end();
        self.tries_waiting = true;
        self.scan_all();
        let mut looks: HashMap<PathBuf, usize> = HashMap::new();
        while !self.pipeline.is_done() {
            let returned: Vec<Returned> = self.pipeline.returned().try_iter().collect();
            for returned in returned {
                if let Some(path) = self.pipeline.take(returned) {
                    let count = looks.entry(path.clone()).or_default();
                    *count += 1;
                    if *count <= MOST_LOOKS {
                        self.look(&path);
                    }
                }
            }
            self.look_at_due();
            self.pipeline.feed();
            tick(&self.progress);
            self.pipeline.check()?;
            self.pipeline.wait(threads)?;
        }
        tick(&self.progress);
        // Their handles on the library go with them, and only then is it closed.
        self.pipeline.end(threads);
        self.failure.map_or(Ok(self.progress), Err)
    }

    /// Watches and scans the roots, then follows what happens in them until told to stop.
    pub(super) fn run(mut self, watch: &Watch, rescans: &Receiver<()>) {
        let mut hints = watch.hints().clone();
        let stop = self.library.stop.clone();
        let returned = self.pipeline.returned();
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
            if self.failure.take().is_some() {
                // What could not be looked at is found then.
                let pause = self.pipeline.breaker().pause().unwrap_or_default();
                schedule.scan_within(pause.max(LEAST_PAUSE), Instant::now());
            }
            let due = self.settling.next_due().into_iter().chain(self.next_try);
            let due = due.fold(schedule.next_due(), Instant::min);
            let mut wait = due.saturating_duration_since(Instant::now());
            if let Some(next_feed) = self.pipeline.feed() {
                wait = wait.min(next_feed);
            }
            select! {
                recv(stop.closed()) -> _ => return,
                recv(returned) -> returned => if let Ok(returned) = returned {
                    self.take_back(returned);
                },
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
            self.try_again();
        }
    }

    /// Takes back what came out of the pipeline without an outcome.
    fn take_back(&mut self, returned: Returned) {
        if let Returned::Waits = returned {
            self.find_next_try();
        }
        if let Some(path) = self.pipeline.take(returned) {
            self.let_settle(path);
        }
    }

    /// Looks at files whose time to be tried again has come.
    fn try_again(&mut self) {
        if self
            .next_try
            .is_none_or(|next_try| Instant::now() < next_try)
        {
            return;
        }
        match self.library.store.waiting_until(now_s()) {
            Ok(files) => files.iter().for_each(|file| self.look(&file.path)),
            Err(error) => self.fail(error.into()),
        }
        self.find_next_try();
    }

    /// Those whose time has come are under way, and tell what became of them.
    fn find_next_try(&mut self) {
        let now_s = now_s();
        self.next_try = match self.library.store.next_try_after(now_s) {
            Ok(next) => next.map(|next_s| {
                Instant::now() + Duration::from_secs(next_s.saturating_sub(now_s).max(0) as u64)
            }),
            // The scan that makes up for it asks again.
            Err(error) => {
                self.fail(error.into());
                None
            }
        };
    }

    /// Notes that the library cannot be asked or written: that stands in the way of all files.
    fn fail(&mut self, error: anyhow::Error) {
        let breaker = self.pipeline.breaker();
        breaker.trip(Stage::Look, format!("{error:#}"));
        self.failure = Some(error);
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
        match self.look_below(&root, path) {
            Err(error) if error.is::<StoreError>() => self.fail(error),
            Err(error) => {
                error!(path = %path.display(), error = format!("{error:#}"), "failed to look at a path");
            }
            Ok(()) => {}
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
        match self.metadata(root, path) {
            Ok(metadata) if metadata.is_dir() => self.scan_folder(root, path),
            Ok(metadata) if metadata.is_file() => {
                let seen = SeenFile {
                    path: path.to_owned(),
                    stat: FileStat::of(&metadata),
                    is_mounted: scan::device(&metadata) != root.device(),
                };
                self.look_at_file(root, seen)
            }
            // A link or a pipe in its place: what was there is there no more.
            Ok(_) => self.forget(root, path),
            Err(error) if is_absent(&error) => self.forget(root, path),
            Err(error) => Err(error.into()),
        }
    }

    /// What lies at a path below a root: what is behind a link does not lie there, unless links are followed.
    fn metadata(&self, root: &WatchedRoot, path: &Path) -> io::Result<Metadata> {
        if self.library.ingest.follow_links {
            return std::fs::metadata(path);
        }
        let folders = path.ancestors().skip(1);
        for folder in
            folders.take_while(|folder| folder.starts_with(&root.path) && **folder != root.path)
        {
            if std::fs::symlink_metadata(folder)?.is_symlink() {
                return Err(io::ErrorKind::NotFound.into());
            }
        }
        std::fs::symlink_metadata(path)
    }

    /// A sidecar came, changed or went: looks at the pictures it belongs to.
    fn look_beside(&mut self, root: &WatchedRoot, sidecar: &Path) -> Result<()> {
        for picture in sidecar::pictures(&self.library.store, sidecar)? {
            self.look_below(root, &picture)?;
        }
        Ok(())
    }

    fn look_at_file(&mut self, root: &WatchedRoot, file: SeenFile) -> Result<()> {
        let path = &file.path;
        if !scan::is_picture_name(path) || self.walk.excludes(path) {
            return Ok(());
        }
        let known = self.library.store.known_file(path, self.library.model)?;
        let rules = self.read_rules();
        if rules.must_read(&file.stat, &sidecar::stamp(path), known.as_ref()) {
            self.library
                .store
                .add_pending(root.id, std::slice::from_ref(&file))?;
            self.enqueue(root, file, true);
        }
        Ok(())
    }

    /// A file, or a folder with all that was in it, is no longer there. Who deletes is believed, however much it is: the folder
    /// it was in has just told of it.
    fn forget(&mut self, root: &WatchedRoot, path: &Path) -> Result<()> {
        // With its root away it may well come back.
        if !scan::has_entries(&root.path) {
            return self.scan_root(root);
        }
        let Library { store, model, .. } = &self.library;
        let mut known = store.known_files(root.id, path, *model)?;
        known.extend(
            store
                .known_file(path, *model)?
                .map(|file| (path.to_owned(), file)),
        );
        let found = Found::nothing_at(path, root.device());
        self.carry_out(root, &found, known, usize::MAX)?;
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
                self.fail(error);
            }
        }
        if self.failure.is_none() {
            self.pipeline.breaker().succeed(Stage::Look);
        }
    }

    fn scan_root(&mut self, root: &WatchedRoot) -> Result<()> {
        let known_files = self.library.store.count_files(root.id)?;
        if !scan::has_entries(&root.path) {
            // One that is missing or empty while files in it are known is taken to be away, not emptied.
            if known_files > 0 {
                self.roots.set_online(root.id, false)?;
            }
            return Ok(());
        }
        let found = scan::find(&root.path, &self.walk, root.device());
        let inode = stat(&root.path).map(|stat| stat.inode);
        let is_other_folder = root.inode.is_some() && inode != root.inode;
        if is_other_folder && known_files > 0 && found.files.is_empty() {
            // Another folder lies there, with no pictures in it: what a drive is mounted on when it is away.
            return Ok(self.roots.set_online(root.id, false)?);
        }
        self.roots.set_online(root.id, true)?;
        let share = self.library.ingest.suspect_share * known_files as f64;
        let suspect_files = self.library.ingest.suspect_files.max(share.ceil() as usize);
        let Library { store, model, .. } = &self.library;
        let known = store.known_files(root.id, &root.path, *model)?;
        let is_ours = known.is_empty()
            || found
                .files
                .iter()
                .any(|file| known.contains_key(&file.path));
        let suspect_files = if is_other_folder && !is_ours {
            0
        } else {
            suspect_files
        };
        self.carry_out(root, &found, known, suspect_files)?;
        if let (true, Some(inode)) = (is_ours, inode) {
            self.roots.set_inode(root.id, inode)?;
        }
        self.find_next_try();
        Ok(())
    }

    fn scan_folder(&mut self, root: &WatchedRoot, folder: &Path) -> Result<()> {
        let found = scan::find(folder, &self.walk, root.device());
        let Library { store, model, .. } = &self.library;
        let known = store.known_files(root.id, folder, *model)?;
        self.carry_out(root, &found, known, usize::MAX)
    }

    /// Brings the library to what was found; so many files or more that are gone at once are not believed to be deleted.
    fn carry_out(
        &mut self,
        root: &WatchedRoot,
        found: &Found,
        known: HashMap<PathBuf, KnownFile>,
        suspect_files: usize,
    ) -> Result<()> {
        let keep_s = i64::from(self.library.ingest.keep_absent_days) * DAY_S;
        let absence = AbsenceRules {
            suspect_files,
            believed_until_s: now_s() - keep_s,
        };
        let Plan {
            to_read,
            to_note,
            gone,
            absent,
            unchanged,
            failed,
        } = scan::plan(found, known, &self.read_rules(), &absence);
        let store = &self.library.store;
        let parted = if gone.is_empty() {
            Vec::new()
        } else {
            forget_files(&self.library, &gone)?
        };
        store.mark_absent(&absent)?;
        store.note_seen(&to_note)?;
        store.add_pending(root.id, &to_read)?;
        count(&self.progress.counts.removed, gone.len());
        count(&self.progress.counts.unchanged, unchanged);
        count(&self.progress.counts.failed, failed);
        let root_path = root.path.display();
        // The clock looks often, and mostly finds nothing new.
        if !self.is_poll || to_read.len() + gone.len() > 0 {
            info!(folder = %root_path, unchanged, to_read = to_read.len(), gone = gone.len(), "scanned");
        }
        if !absent.is_empty() {
            warn!(root = %root_path, files = absent.len(), "files are missing and may come back: they stay, marked as offline");
        }
        let now = SystemTime::now();
        for file in to_read {
            if self.settling.is_still(&file.stat, now) {
                self.enqueue(root, file, false);
            } else {
                self.let_settle(file.path);
            }
        }
        // What stood for them is gone: they are pictures of their own again.
        for path in parted {
            self.look(&path);
        }
        Ok(())
    }

    fn read_rules(&self) -> ReadRules {
        ReadRules {
            decoders: self.library.pictures.decoders(),
            now_s: now_s(),
            tries_waiting: self.tries_waiting,
        }
    }

    fn enqueue(&mut self, root: &WatchedRoot, file: SeenFile, is_urgent: bool) {
        if !self.progress.claim(&file.path) {
            // It is being read as it was before: look again when that is written.
            return self.let_settle(file.path);
        }
        let job = Job {
            root: root.id,
            original: OriginalFile {
                root: root.path.clone(),
                path: file.path,
                stat: file.stat,
            },
            is_mounted: file.is_mounted,
        };
        self.pipeline.queue(job, is_urgent);
    }
}

/// Whether that means that nothing is there, and not that it cannot be told.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as i64)
}
