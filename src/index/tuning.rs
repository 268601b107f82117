//! What the index measured about itself, and the way to an answer that follows from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The way to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// All images are compared.
    Scan,
    /// The HNSW graph is walked.
    Graph,
}

/// What was measured for one kind of query.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tuned {
    /// The cheaper way that reaches the target.
    pub way: Way,
    /// recall@10 of the graph with `ef_search`, against the exact scan.
    pub recall: f64,
    /// The smallest one that reaches the target with two standard errors to spare, or the largest that was tried.
    pub ef_search: usize,
    /// Median time of a walk, in microseconds.
    pub graph_us: f64,
    /// Median time of a scan, in microseconds.
    pub scan_us: f64,
    /// Queries that this was measured with.
    pub queries: usize,
}

/// What was measured after a build; nothing for a kind of query of which there were no samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tuning {
    /// For the embeddings of texts.
    pub text: Option<Tuned>,
    /// For the embeddings of images.
    pub image: Option<Tuned>,
}
