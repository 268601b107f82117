//! Requests to the hub: redirects, the token, timeouts, tries, and what an answer's status means.

use std::{thread, time::Duration};

use ureq::{
    Agent, Body,
    http::{HeaderMap, Response},
};

use super::HubSettings;
use crate::model::{HubError, ModelError};

/// Pauses between tries; a failure after the last pause is final.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(250),
    Duration::from_millis(750),
    Duration::from_secs(2),
];
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_REDIRECTS: usize = 10;

/// Asks one hub for the files of one repository.
pub(super) struct Client<'a> {
    agent: Agent,
    settings: &'a HubSettings,
    repo: &'a str,
}

/// The head of a good answer, and the body yet to be read.
pub(super) struct Answer {
    /// 200 for the whole file, 206 for the part asked for.
    pub(super) status: u16,
    /// The commit and the content's tag. The hub says them itself and then sends on to a storage that does not know them.
    pub(super) commit: Option<String>,
    pub(super) etag: Option<String>,
    /// The first byte of the part, from `Content-Range`.
    pub(super) start_bytes: u64,
    /// The length of the whole file.
    pub(super) total_bytes: Option<u64>,
    pub(super) body: Body,
}

/// Why one try failed.
pub(super) enum Failure {
    /// May go better the next time.
    Transient(String),
    /// Will not.
    Final(ModelError),
}

/// Counts the tries that brought nothing.
#[derive(Default)]
pub(super) struct Tries {
    failures: usize,
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        Self::Final(error.into())
    }
}

impl Tries {
    /// Waits before the next try; false when there is none left.
    pub(super) fn pause(&mut self) -> bool {
        let pause = PAUSES.get(self.failures);
        self.failures += 1;
        pause.copied().map(thread::sleep).is_some()
    }
}

impl<'a> Client<'a> {
    pub(super) fn new(settings: &'a HubSettings, repo: &'a str) -> Self {
        let agent = Agent::config_builder()
            .user_agent(concat!("pixdex/", env!("CARGO_PKG_VERSION")))
            // A compressed answer would have another length than the file.
            .accept_encoding("identity")
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_TIMEOUT.min(settings.timeout)))
            .timeout_per_read(Some(settings.timeout))
            .timeout_per_write(Some(settings.timeout))
            .build();
        Self {
            agent: agent.into(),
            settings,
            repo,
        }
    }

    /// Asks until an answer comes or the tries are used up.
    pub(super) fn persist<T>(&self, ask: impl Fn() -> Result<T, Failure>) -> Result<T, ModelError> {
        let mut tries = Tries::default();
        loop {
            match ask() {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Transient(reason)) if !tries.pause() => {
                    return Err(self.unreachable(reason).into());
                }
                Err(Failure::Transient(_)) => (),
            }
        }
    }

    /// One request, sent on wherever the hub sends it; `None` where the file does not exist.
    pub(super) fn get(
        &self,
        url: &str,
        revision: &str,
        range: Option<&str>,
    ) -> Result<Option<Answer>, Failure> {
        let mut url = url.to_owned();
        let (mut commit, mut etag) = (None, None);
        for _ in 0..MAX_REDIRECTS {
            let response = self.send(&url, range)?;
            let headers = response.headers();
            commit = commit.or_else(|| header(headers, "x-repo-commit"));
            etag = etag
                .or_else(|| header(headers, "x-linked-etag").or_else(|| header(headers, "etag")));
            match redirection(&url, &response) {
                Some(next) => url = next,
                None => return self.answer(&url, revision, response, commit, etag),
            }
        }
        Err(bad_answer(&url, "too many redirects").into())
    }

    pub(super) fn unreachable(&self, reason: String) -> HubError {
        HubError::Unreachable {
            endpoint: self.settings.endpoint.clone(),
            reason,
        }
    }

    fn send(&self, url: &str, range: Option<&str>) -> Result<Response<Body>, Failure> {
        let mut request = self.agent.get(url);
        if let Some(range) = range {
            request = request.header("Range", range);
        }
        // A storage elsewhere has its own signature in the address and must not see the token.
        if let Some(token) = self.settings.token.as_ref().filter(|_| self.is_hub(url)) {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        request
            .call()
            .map_err(|error| Failure::Transient(error.to_string()))
    }

    /// Whether an address is the hub's own, not that of a storage to which it sends on.
    fn is_hub(&self, url: &str) -> bool {
        origin(url) == origin(&self.settings.endpoint)
    }

    fn answer(
        &self,
        url: &str,
        revision: &str,
        response: Response<Body>,
        commit: Option<String>,
        etag: Option<String>,
    ) -> Result<Option<Answer>, Failure> {
        let status = response.status().as_u16();
        match status {
            200 | 206 => (),
            404 => return self.missing(revision, response.headers()),
            401 | 403 if self.is_hub(url) => return Err(self.refused(response.headers()).into()),
            // 403 from a storage: the address has expired, and the hub gives a new one at the next try.
            403 | 408 | 429 | 500.. => {
                return Err(Failure::Transient(format!(
                    "it answered with status {status}"
                )));
            }
            _ => return Err(bad_answer(url, &format!("status {status}")).into()),
        }
        if header(response.headers(), "content-type")
            .is_some_and(|kind| kind.starts_with("text/html"))
        {
            return Err(bad_answer(url, "it sent a web page instead of the file").into());
        }
        let (start_bytes, total_bytes) = extent(response.headers());
        let body = response.into_body();
        Ok(Some(Answer {
            status,
            commit,
            etag: etag.map(|tag| bare(&tag)),
            start_bytes,
            total_bytes,
            body,
        }))
    }

    fn missing(&self, revision: &str, headers: &HeaderMap) -> Result<Option<Answer>, Failure> {
        match header(headers, "x-error-code").as_deref() {
            Some("RepoNotFound") => Err(self.no_repository().into()),
            Some("RevisionNotFound") => {
                let revision = revision.to_owned();
                Err(HubError::NoRevision {
                    repo: self.repo.to_owned(),
                    revision,
                }
                .into())
            }
            _ => Ok(None),
        }
    }

    fn no_repository(&self) -> HubError {
        HubError::NoRepository {
            repo: self.repo.to_owned(),
            endpoint: self.settings.endpoint.clone(),
        }
    }

    /// The hub answers 401 for what does not exist as well, so as not to betray private repositories.
    fn refused(&self, headers: &HeaderMap) -> HubError {
        let endpoint = self.settings.endpoint.clone();
        let (repo, page) = (self.repo.to_owned(), format!("{endpoint}/{}", self.repo));
        if self.settings.token.is_none() {
            return HubError::NeedsToken {
                repo,
                page,
                endpoint,
            };
        }
        match header(headers, "x-error-code").as_deref() {
            Some("RepoNotFound") => self.no_repository(),
            _ => HubError::TokenRefused { repo, page },
        }
    }
}

pub(super) fn bad_answer(url: &str, reason: &str) -> HubError {
    HubError::BadAnswer {
        url: url.to_owned(),
        reason: reason.to_owned(),
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// An `ETag` without its quotes and the mark of a weak one.
fn bare(etag: &str) -> String {
    etag.trim_start_matches("W/").replace('"', "")
}

/// The first byte of the answer's part and the length of the whole: `Content-Range: bytes 5-9/10`, else the length sent.
fn extent(headers: &HeaderMap) -> (u64, Option<u64>) {
    let Some(range) = header(headers, "content-range") else {
        return (
            0,
            header(headers, "content-length").and_then(|length| length.parse().ok()),
        );
    };
    let numbers = range.trim_start_matches("bytes").trim();
    let start = numbers
        .split('-')
        .next()
        .and_then(|start| start.parse().ok());
    let total = numbers
        .rsplit('/')
        .next()
        .and_then(|total| total.parse().ok());
    (start.unwrap_or(0), total)
}

fn redirection(url: &str, response: &Response<Body>) -> Option<String> {
    if !response.status().is_redirection() {
        return None;
    }
    let location = header(response.headers(), "location")?;
    if location.starts_with('/') {
        Some(format!("{}{location}", origin(url)))
    } else {
        Some(location)
    }
}

/// `https://host:port` of an address.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_part_hosts_and_ports() {
        assert_eq!(origin("https://hub.example/a/b"), "https://hub.example");
        assert_eq!(origin("http://127.0.0.1:80"), "http://127.0.0.1:80");
        assert_ne!(
            origin("https://hub.example.org/a"),
            origin("https://hub.example/a")
        );
        assert_ne!(
            origin("http://hub.example/a"),
            origin("https://hub.example/a")
        );
    }

    #[test]
    fn extents_come_from_the_range_or_the_length() {
        let extent = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            extent(&headers)
        };
        assert_eq!(extent("content-range", "bytes 5-9/10"), (5, Some(10)));
        assert_eq!(extent("content-range", "bytes 0-0/*"), (0, None));
        assert_eq!(extent("content-length", "12"), (0, Some(12)));
    }

    #[test]
    fn tags_lose_their_quotes() {
        assert_eq!(bare(r#""abc""#), "abc");
        assert_eq!(bare(r#"W/"abc""#), "abc");
    }
}
