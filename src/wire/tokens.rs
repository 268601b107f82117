//! Who may ask, and for what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::{Scope, Token, TokenName};

/// All tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tokens {
    /// By name.
    pub tokens: Vec<Token>,
}

/// Give out a token.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddToken {
    /// What its owner calls it.
    pub name: TokenName,
    /// What it is good for.
    pub scope: Scope,
}

/// A token that was given out.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct NewToken {
    /// What its owner calls it.
    pub name: String,
    /// What it is good for.
    pub scope: Scope,
    /// What it is known by, told this once.
    pub token: String,
}

/// A token that was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenRemoved {
    /// Its name.
    pub removed: String,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Whoami {
    /// What they may ask for; none where that is nothing.
    pub scope: Option<Scope>,
    /// The token that they showed or logged in with.
    pub token: Option<String>,
}
