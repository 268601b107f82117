//! Label sets as they are told to callers, and what a change of one did.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::{SetApplied, TagDifference};
use crate::tag::{LabelSet, SetStatus};

/// All label sets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LabelSets {
    /// By name.
    pub label_sets: BTreeMap<String, LabelSetReport>,
}

/// One label set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LabelSetReport {
    /// The set in force.
    #[serde(flatten)]
    pub set: Option<LabelSet>,
    /// What tells two states of it apart where they give different scores.
    pub signature: Option<String>,
    /// What is wrong with its file; what is in force is then the last good state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What will not do what its owner expects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The text of its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What a change of label sets did to the library's tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Applied {
    /// Its tags.
    #[serde(flatten)]
    pub difference: TagDifference,
    /// What will not do what the set's owner expects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl From<SetStatus> for LabelSetReport {
    fn from(status: SetStatus) -> LabelSetReport {
        let (set, signature) = status.active.unzip();
        LabelSetReport {
            set,
            signature,
            error: status.error.map(|error| error.to_string()),
            warnings: status.warnings,
            text: None,
        }
    }
}

impl Applied {
    /// The sum over several sets.
    pub fn sum(applied: &[SetApplied]) -> Applied {
        let total = |part: fn(&TagDifference) -> usize| {
            applied.iter().map(|set| part(&set.difference)).sum()
        };
        Applied {
            difference: TagDifference {
                added: total(|set| set.added),
                removed: total(|set| set.removed),
                rescored: total(|set| set.rescored),
            },
            warnings: Vec::new(),
        }
    }
}
