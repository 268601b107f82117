//! What the daemon is doing, and what it is asked to do.

use super::Api;
use super::error::ApiError;
use super::paging::{PAGE, Page, page};
use super::params::Known;
use super::request::Request;
use crate::upkeep::ReembeddingProgress;
use crate::wire::{
    FailedFile, Failures, LoadedModel, ModelStatus, Rescan, Retry, RunningStatus, Status,
    WaitingFile, WatchReport,
};

type Result<T> = std::result::Result<T, ApiError>;

pub(super) fn status(Request { api, .. }: &Request) -> Result<Status> {
    let library = &api.library;
    let placement = library.embedder.placement();
    let model = ModelStatus {
        name: Some(library.embedder.name().to_owned()),
        fingerprint: Some(library.embedder.fingerprint().to_owned()),
        loaded: Some(LoadedModel {
            embedding_dim: library.embedder.embedding_dim(),
            device: placement.device().to_owned(),
            precision: placement.precision().to_owned(),
        }),
        next: api.next_model.as_ref().map(ReembeddingProgress::report),
    };
    let index = library.index.status();
    let label_sets = library.tagger.status().into_iter();
    let running = RunningStatus {
        progress: api.progress.report(),
        watching: watching(api),
        memory_bytes: resident_bytes(),
        decoding: library.pictures.budget().into(),
        index,
        label_sets: label_sets.map(|(name, set)| (name, set.into())).collect(),
    };
    Ok(Status {
        running: Some(running),
        ..Status::stored(&library.store, model, index.images)?
    })
}

/// As Linux tells it of a process (`proc_pid_status(5)`).
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn watching(api: &Api) -> WatchReport {
    let mut report = WatchReport {
        poll_interval_s: api.library.ingest.poll_interval_s,
        ..WatchReport::default()
    };
    for watch in &api.watches {
        report.add(watch.report());
    }
    report
}

/// What is asked of the list of failures.
pub(super) const FAILURES: Known = &[&PAGE];

/// All files that are not indexed: in pages those that failed come before those that wait, each by their paths.
pub(super) fn failures(Request { api, params, .. }: &Request) -> Result<Failures> {
    let Failures {
        failures, waiting, ..
    } = Failures::stored(&api.library.store)?;
    let failed = failures.into_iter().map(Left::Failed);
    let all = failed.chain(waiting.into_iter().map(Left::Waiting));
    let Page {
        entries: left,
        cursor,
        total,
    } = page(params, all.collect(), Left::key)?;
    let mut failures = Failures {
        failures: Vec::new(),
        waiting: Vec::new(),
        cursor,
        total,
    };
    for file in left {
        match file {
            Left::Failed(file) => failures.failures.push(file),
            Left::Waiting(file) => failures.waiting.push(file),
        }
    }
    Ok(failures)
}

/// A file that is not indexed.
enum Left {
    Failed(FailedFile),
    Waiting(WaitingFile),
}

impl Left {
    fn key(&self) -> Vec<String> {
        let (sort, path) = match self {
            Left::Failed(file) => ("failed", &file.path),
            Left::Waiting(file) => ("waiting", &file.path),
        };
        vec![sort.to_owned(), path.clone()]
    }
}

/// Has all files read again that were no pictures, or wait.
pub(super) fn retry(request: &Request) -> Result<Retry> {
    let files = request.api.library.store.retry_failures()?;
    rescan(request);
    Ok(Retry { files })
}

pub(super) fn rescan(Request { api, .. }: &Request) -> Rescan {
    // Full: one is asked for already.
    let _ = api.rescans.try_send(());
    Rescan {
        rescan: "asked for".to_owned(),
    }
}
