//! How a library stands, with a running daemon or without one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::index::IndexStatus;
use crate::ingest::ProgressReport;
use crate::pictures::BudgetReport;
use crate::store::{HookStatus, Root, Store, StoreError, WaitingGroup};
use crate::tag::SetStatus;
use crate::upkeep::ReembeddingReport;
use crate::watch::WatchReport;

/// How a library stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Of the program that answers.
    pub version: String,
    /// The model that the library was last used with.
    pub model: ModelStatus,
    /// Images that can be found.
    pub images: usize,
    /// Files by state.
    pub files: BTreeMap<String, i64>,
    /// What files wait for that could not be read for the time being.
    pub waiting: Vec<WaitingGroup>,
    /// The folders that are watched, or were in an earlier run.
    pub roots: Vec<RootStatus>,
    /// Hooks by name.
    pub hooks: BTreeMap<String, HookStatus>,
    /// Decisions that have no second copy yet, since `decisions.jsonl` cannot be written.
    #[serde(default)]
    pub decisions_waiting: i64,
    /// What only a running daemon knows.
    #[serde(flatten)]
    pub running: Option<RunningStatus>,
}

/// What is known of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelStatus {
    /// As its owner named it; none before a library's first use.
    pub name: Option<String>,
    /// What tells its embeddings from those of other models.
    pub fingerprint: Option<String>,
    /// What is known once it is loaded.
    #[serde(flatten)]
    pub loaded: Option<LoadedModel>,
    /// The one that the library is to go over to once its pictures are embedded with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<ReembeddingReport>,
}

/// A model that is loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadedModel {
    /// Length of its embeddings.
    pub embedding_dim: usize,
    /// Where it runs.
    pub device: String,
    /// The number format that it computes in.
    pub precision: String,
}

/// How a watched folder stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RootStatus {
    /// The folder.
    pub path: String,
    /// Whether it is there now.
    pub online: bool,
    /// Whether it is among the folders that were named last.
    pub watched: bool,
}

/// How a running daemon stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunningStatus {
    /// What became of files since the start.
    pub progress: ProgressReport,
    /// The watches on the roots and on the labels folder.
    pub watching: WatchReport,
    /// What the process takes of the machine's memory; none where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// The memory for pictures that are read and decoded.
    pub decoding: DecodingStatus,
    /// The index of the images' embeddings.
    pub index: IndexStatus,
    /// Label sets by name.
    pub label_sets: BTreeMap<String, LabelSetStatus>,
}

/// How the memory for decoding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecodingStatus {
    /// All of it, in bytes.
    pub memory_bytes: u64,
    /// What is taken of it now.
    pub in_use_bytes: u64,
    /// Pictures that wait for some of it.
    pub waiting: usize,
}

/// How a label set stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LabelSetStatus {
    /// Number of labels in force.
    pub labels: usize,
    /// What is wrong with its file; what is in force is then the last good state.
    pub error: Option<String>,
    /// What will not do what its owner expects.
    pub warnings: Vec<String>,
}

impl Status {
    /// What the store knows; `images` are counted by who has the shorter way to it.
    pub fn stored(store: &Store, model: ModelStatus, images: usize) -> Result<Status, StoreError> {
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model,
            images,
            files: store.file_counts()?.into_iter().collect(),
            waiting: store.waiting_groups()?,
            roots: store.roots()?.into_iter().map(RootStatus::from).collect(),
            hooks: store.hooks()?,
            decisions_waiting: store.journal_waiting()?,
            running: None,
        })
    }
}

impl From<Root> for RootStatus {
    fn from(root: Root) -> RootStatus {
        RootStatus {
            path: root.path.display().to_string(),
            online: root.online,
            watched: root.is_named(),
        }
    }
}

impl From<BudgetReport> for DecodingStatus {
    fn from(report: BudgetReport) -> DecodingStatus {
        let BudgetReport {
            memory_bytes,
            in_use_bytes,
            waiting,
        } = report;
        DecodingStatus {
            memory_bytes,
            in_use_bytes,
            waiting,
        }
    }
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
