//! A running daemon, asked over HTTP.

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::Response;
use ureq::{Body, Error};

use crate::wire::ErrorBody;

/// Asks the daemon that listens at an address.
#[derive(Debug)]
pub(super) struct Client {
    /// `host:port`.
    address: String,
}

impl Client {
    pub(super) fn new(address: impl Into<String>) -> Client {
        Client {
            address: address.into(),
        }
    }

    /// Where a browser finds it.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks; `parameters` go behind the `?`.
    pub(super) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, String)],
    ) -> Result<T> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        let url = format!("{}/api/v1/{path}?{}", self.url(), query.finish());
        self.answer(agent().get(&url).call())
    }

    /// Gives the daemon something to answer to.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: &str) -> Result<T> {
        let url = format!("{}/api/v1/{path}", self.url());
        self.answer(agent().post(&url).send(body))
    }

    fn answer<T: DeserializeOwned>(&self, response: Result<Response<Body>, Error>) -> Result<T> {
        let url = self.url();
        let mut response = response.with_context(|| format!("pixdex at {url} does not answer"))?;
        let text = response.body_mut().read_to_string()?;
        let unreadable = || format!("{url} does not answer as a pixdex of this version");
        if response.status().is_success() {
            return serde_json::from_str(&text).with_context(unreadable);
        }
        let refusal: ErrorBody = serde_json::from_str(&text).with_context(unreadable)?;
        bail!(refusal.error)
    }
}

fn agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false);
    Agent::new_with_config(config.build())
}
