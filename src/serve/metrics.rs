//! Figures of the library and of its requests, in the text that Prometheus reads (`OpenMetrics` 1.0).

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use warp::http::StatusCode;

use super::answer::{Answer, Cache, Content};
use super::error::ApiError;
use super::request::Request;
use super::status::status;
use crate::figures::{FIGURES, SECONDS};
use crate::wire::{RunningStatus, Status};

pub(super) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;

/// What requests took since the start. Cheap to clone; every clone is the same.
#[derive(Debug, Clone)]
pub(super) struct Requests(Family<Labels, Histogram, fn() -> Histogram>);

impl Requests {
    pub(super) fn new() -> Requests {
        Requests(Family::new_with_constructor(|| Histogram::new(SECONDS)))
    }

    /// Counts a request to an address of the table, whatever stands in its places, and the time to the head of its answer.
    pub(super) fn count(
        &self,
        method: &str,
        path: &'static str,
        status: StatusCode,
        took: Duration,
    ) {
        let labels = vec![
            ("method", method.to_owned()),
            ("path", path.to_owned()),
            ("status", status.as_str().to_owned()),
        ];
        self.0.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

/// All figures of this moment.
pub(super) fn metrics(request: &Request) -> Result<Answer, ApiError> {
    let mut registry = Registry::with_prefix("pixdex");
    add_library(&mut registry, &status(request)?);
    FIGURES.register(&mut registry);
    let Requests(requests) = request.api.clients.requests.clone();
    let help = "Requests by address and status, with the time to the head of the answer";
    registry.register_with_unit("http_request", help, Unit::Seconds, requests);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(ApiError::internal)?;
    Ok(Answer {
        cache: Cache::Never,
        ..Answer::new(MEDIA_TYPE, Content::Bytes(text.into()))
    })
}

fn add_library(registry: &mut Registry, status: &Status) {
    gauge(
        registry,
        "images",
        "Images that can be found",
        status.images as i64,
    );
    let files = status.files.iter();
    let files = files.map(|(state, count)| (vec![("state", state.clone())], *count));
    family(registry, "files", "Files by state", files);
    let waiting: i64 = status.waiting.iter().map(|group| group.files).sum();
    let help = "Files that cannot be read for the time being";
    gauge(registry, "files_waiting", help, waiting);
    let online = status.roots.iter().filter(|root| root.watched);
    let online = online.map(|root| (vec![("folder", root.path.clone())], i64::from(root.online)));
    family(
        registry,
        "folder_online",
        "Whether a watched folder is there",
        online,
    );
    let hooks = |count: fn(&crate::wire::HookStatus) -> i64| {
        let hooks = status.hooks.iter();
        hooks.map(move |(name, hook)| (vec![("hook", name.clone())], count(hook)))
    };
    let waiting = hooks(|hook| hook.waiting);
    family(
        registry,
        "hook_events_waiting",
        "Events that a hook has not taken",
        waiting,
    );
    let given_up = hooks(|hook| hook.given_up + hook.dropped);
    let help = "Events that a hook will not get";
    family(registry, "hook_events_lost", help, given_up);
    if let Some(running) = &status.running {
        add_running(registry, running);
    }
}

fn add_running(registry: &mut Registry, running: &RunningStatus) {
    let RunningStatus {
        progress,
        watching,
        memory_bytes,
        decoding,
        index,
        label_sets,
    } = running;
    for (name, help, count) in [
        (
            "files_indexed",
            "Files read and found to hold an image",
            progress.indexed,
        ),
        (
            "files_failed",
            "Files read and found to hold none",
            progress.failed,
        ),
        (
            "files_removed",
            "Known files that are no longer there",
            progress.removed,
        ),
    ] {
        registry.register(name, help, ConstCounter::new(count as u64));
    }
    let is_broken = label_sets.values().filter(|set| set.error.is_some());
    for (name, help, value) in [
        (
            "files_queued",
            "Files in line to be read",
            progress.queued as i64,
        ),
        (
            "trouble",
            "Whether something stands in the way of all files",
            i64::from(progress.trouble.is_some()),
        ),
        (
            "folders_watched",
            "Folders whose changes the system tells at once",
            watching.folders as i64,
        ),
        (
            "folders_unwatched",
            "Folders whose changes it does not tell",
            watching.unwatched as i64,
        ),
        (
            "folders_polled",
            "Folders that are compared by the clock",
            watching.polled.len() as i64,
        ),
        (
            "decoding_waiting",
            "Pictures that wait for memory",
            decoding.waiting as i64,
        ),
        (
            "index_building",
            "Whether the index is being built",
            i64::from(index.is_building),
        ),
        ("label_sets", "Label sets", label_sets.len() as i64),
        (
            "label_sets_broken",
            "Label sets whose file is wrong",
            is_broken.count() as i64,
        ),
    ] {
        gauge(registry, name, help, value);
    }
    for (name, help, bytes) in [
        (
            "decoding_memory",
            "Memory for decoding",
            decoding.memory_bytes,
        ),
        (
            "decoding_memory_used",
            "Memory for decoding that is taken",
            decoding.in_use_bytes,
        ),
        ("index", "Memory of the index", index.graph_bytes as u64),
        (
            "resident_memory",
            "Memory of the process; 0 where the system does not tell",
            memory_bytes.unwrap_or(0),
        ),
    ] {
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        registry.register_with_unit(name, help, Unit::Bytes, gauge);
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: i64) {
    let gauge: Gauge = Gauge::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

fn family(
    registry: &mut Registry,
    name: &str,
    help: &str,
    values: impl Iterator<Item = (Labels, i64)>,
) {
    let family: Family<Labels, Gauge> = Family::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value);
    }
    registry.register(name, help, family);
}
