//! What the daemon is doing, and what it is asked to do.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::ApiError;
use super::request::Request;
use crate::index::IndexStatus;
use crate::ingest::ProgressReport;
use crate::search::FailureList;
use crate::store::HookStatus;
use crate::tag::SetStatus;

type Result<T> = std::result::Result<T, ApiError>;

#[derive(Serialize)]
pub(super) struct Status {
    version: &'static str,
    model: ModelStatus,
    images: usize,
    /// Files by state.
    files: BTreeMap<String, i64>,
    /// Since the start.
    progress: ProgressReport,
    index: IndexStatus,
    roots: Vec<RootStatus>,
    label_sets: BTreeMap<String, LabelSetStatus>,
    hooks: BTreeMap<String, HookStatus>,
}

#[derive(Serialize)]
struct ModelStatus {
    name: String,
    fingerprint: String,
    embedding_dim: usize,
    device: &'static str,
    precision: &'static str,
}

#[derive(Serialize)]
struct RootStatus {
    path: String,
    online: bool,
}

#[derive(Serialize)]
struct LabelSetStatus {
    labels: usize,
    error: Option<String>,
    warnings: Vec<String>,
}

pub(super) fn status(Request { api, .. }: &Request) -> Result<Status> {
    let parts = &api.parts;
    let index = parts.index.status();
    let roots = parts.store.roots()?.into_iter();
    Ok(Status {
        version: env!("CARGO_PKG_VERSION"),
        model: ModelStatus {
            name: parts.embedder.name().to_owned(),
            fingerprint: parts.embedder.fingerprint().to_owned(),
            embedding_dim: parts.embedder.embedding_dim(),
            device: parts.embedder.placement().device(),
            precision: parts.embedder.placement().precision(),
        },
        images: index.images,
        files: parts.store.file_counts()?.into_iter().collect(),
        progress: api.progress.report(),
        index,
        roots: roots
            .map(|root| RootStatus {
                path: root.path.display().to_string(),
                online: root.online,
            })
            .collect(),
        label_sets: parts
            .tagger
            .status()
            .into_iter()
            .map(|(name, status)| (name, status.into()))
            .collect(),
        hooks: parts.store.hooks()?,
    })
}

impl From<SetStatus> for LabelSetStatus {
    fn from(status: SetStatus) -> LabelSetStatus {
        let labels = status.active.map_or(0, |(set, _)| set.labels.len());
        LabelSetStatus {
            labels,
            error: status.error.map(|error| error.to_string()),
            warnings: status.warnings,
        }
    }
}

pub(super) fn failures(Request { api, .. }: &Request) -> Result<FailureList> {
    Ok(api.parts.store.failures()?.into())
}

#[derive(Serialize)]
pub(super) struct Rescan {
    rescan: &'static str,
}

pub(super) fn rescan(Request { api, .. }: &Request) -> Rescan {
    // Full: one is asked for already.
    let _ = api.rescans.try_send(());
    Rescan {
        rescan: "asked for",
    }
}
