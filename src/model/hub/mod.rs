//! The Hugging Face hub: a repository's revision → a complete model in the usual cache, which Python shares.
//!
//! hf-hub gives the cache's layout, the token's file and the addresses. The transfer is ours, because in hf-hub 0.5 it has
//! no timeouts, keeps whatever arrives without a look (an error page included), appends a whole file to a half one where
//! a server ignores `Range`, asks for bytes behind the end of a finished `.part`, and does not tell a missing repository
//! from a missing file.

use std::{
    env,
    fmt::{self, Debug, Formatter},
    fs,
    path::PathBuf,
    time::Duration,
};

use hf_hub::Cache;

use self::{cache::RepoCache, pull::pull_revision};
use super::{ModelError, folder::Located};

mod cache;
mod client;
mod conversion;
mod fetch;
mod pull;

/// How to reach the hub and where to keep what it gives.
#[derive(Clone, PartialEq, Eq)]
pub struct HubSettings {
    /// The hub's address, without a slash at its end.
    pub endpoint: String,
    /// The cache's `hub` folder, as Python's `huggingface_hub` lays it out.
    pub cache_dir: PathBuf,
    /// The access token, sent to the endpoint only.
    pub token: Option<String>,
    /// A connection on which nothing arrives for this long has failed.
    pub timeout: Duration,
}

/// How far the download of one file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file's name in the repository.
    pub file: &'a str,
    /// Bytes that are there, those of an earlier try included.
    pub done_bytes: u64,
    /// Bytes of the whole file.
    pub total_bytes: u64,
}

impl HubSettings {
    /// What Python's `huggingface_hub` takes from the environment: `HF_ENDPOINT`, `HF_HUB_CACHE`, `HF_HOME`,
    /// `XDG_CACHE_HOME`, `HF_TOKEN`, `HF_TOKEN_PATH`.
    pub fn from_env() -> Self {
        let home_cache = home_cache();
        let endpoint =
            variable("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            // hf-hub reads neither the variable of the token nor that of its file.
            token: variable("HF_TOKEN")
                .or_else(token_file)
                .or_else(|| home_cache.token()),
            cache_dir: variable("HF_HUB_CACHE")
                .map_or_else(|| home_cache.path().clone(), PathBuf::from),
            timeout: Duration::from_secs(30),
        }
    }
}

/// Keeps the token out of logs.
impl Debug for HubSettings {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubSettings")
            .field("endpoint", &self.endpoint)
            .field("cache_dir", &self.cache_dir)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// hf-hub's own, which knows `HF_HOME` but not the cache folder of the XDG convention.
fn home_cache() -> Cache {
    match (variable("HF_HOME"), variable("XDG_CACHE_HOME")) {
        (None, Some(xdg)) => Cache::new(PathBuf::from(xdg).join("huggingface").join("hub")),
        _ => Cache::from_env(),
    }
}

fn token_file() -> Option<String> {
    let token = fs::read_to_string(variable("HF_TOKEN_PATH")?).ok()?;
    Some(token.trim().to_owned()).filter(|token| !token.is_empty())
}

/// A variable that is set to nothing counts as unset.
fn variable(name: &str) -> Option<String> {
    env::var(name)
        .ok()
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}

/// The model in the cache, where it is complete; the hub is not asked.
pub(super) fn cached(
    repo: &str,
    revision: Option<&str>,
    settings: &HubSettings,
) -> Option<Located> {
    RepoCache::new(settings, repo, revision).cached()
}

/// Asks the hub, and fetches what the cache lacks.
pub(super) fn pull(
    repo: &str,
    revision: Option<&str>,
    settings: &HubSettings,
    progress: &dyn Fn(Progress<'_>),
) -> Result<Located, ModelError> {
    pull_revision(
        &RepoCache::new(settings, repo, revision),
        settings,
        progress,
    )
}
