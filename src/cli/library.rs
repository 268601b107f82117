//! Commands that only read ask the running daemon if there is one, else open the library themselves.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::config::Config;
use crate::store::{Lock, LockError, Store};

/// Who answers.
pub(super) enum Library {
    /// The daemon that owns the library, at `host:port`.
    Daemon(String),
    /// This process.
    Own(Store),
}

impl Library {
    /// Finds out who owns the library.
    pub(super) fn find(config: &Config) -> Result<Library> {
        let folder = config.library_dir()?;
        if let Some(address) = daemon_of(&folder) {
            return Ok(Library::Daemon(address));
        }
        Ok(Library::Own(Store::open_existing(&folder)?))
    }
}

/// The address of the daemon that owns the library; none where nobody does, or where its owner does not listen.
fn daemon_of(folder: &Path) -> Option<String> {
    if !folder.is_dir() {
        return None;
    }
    match Lock::take(folder) {
        Ok(_) | Err(LockError::Io { .. }) => None,
        Err(LockError::Taken { address, .. }) => address,
    }
}

/// Asks a daemon; `parameters` go behind the `?`.
pub(super) fn ask(address: &str, path: &str, parameters: &[(&str, String)]) -> Result<Value> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    let url = format!("http://{address}/api/v1/{path}?{}", query.finish());
    answer(address, agent().get(&url).call())
}

/// Gives a daemon something to answer to.
pub(super) fn post(address: &str, path: &str, body: &str) -> Result<Value> {
    let url = format!("http://{address}/api/v1/{path}");
    answer(address, agent().post(&url).send(body))
}

fn agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false);
    Agent::new_with_config(config.build())
}

fn answer(address: &str, response: Result<Response<Body>, ureq::Error>) -> Result<Value> {
    let mut response =
        response.with_context(|| format!("pixdex at http://{address} does not answer"))?;
    let text = response.body_mut().read_to_string()?;
    let body: Value =
        serde_json::from_str(&text).with_context(|| format!("http://{address} is not pixdex"))?;
    match body.get("error").and_then(Value::as_str) {
        Some(error) if !response.status().is_success() => bail!("{error}"),
        _ => Ok(body),
    }
}
