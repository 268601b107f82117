//! A running daemon, asked over HTTP.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::{Agent, Body, Error, RequestBuilder, Timeout};

use crate::store::Secret;
use crate::wire::ErrorBody;

/// The daemon is on this machine: it takes a connection at once, or not at all.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// A look or a search, also while pictures are indexed and others ask.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Work on the whole library, which may wait for other such work.
const WORK_WITHIN: Duration = Duration::from_mins(15);

/// The longest answer: some millions of decisions.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024 * 1024;

/// Asks the daemon that is found at an address.
#[derive(Debug, Clone)]
pub(super) struct Client {
    /// Where a browser finds it, without a slash at its end.
    url: String,
    /// What it lets in; nothing where it is open.
    token: Secret,
    /// How long an answer may take, to its last byte.
    within: Duration,
}

impl Client {
    pub(super) fn new(url: &str, token: &str) -> Client {
        Client {
            url: url.trim_end_matches('/').to_owned(),
            token: Secret::shown(token),
            within: ANSWER_WITHIN,
        }
    }

    /// The same daemon, asked for what takes long.
    pub(super) fn at_work(&self) -> Client {
        Client {
            within: WORK_WITHIN,
            ..self.clone()
        }
    }

    /// Where a browser finds it.
    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// Asks; `parameters` go behind the `?`.
    pub(super) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, String)],
    ) -> Result<T> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        let url = format!("{}/api/v1/{path}?{}", self.url, query.finish());
        let request = self.allowed(self.agent().get(&url));
        self.answer(path, request.call())
    }

    /// Gives the daemon something to answer to.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: &str) -> Result<T> {
        let url = format!("{}/api/v1/{path}", self.url);
        let request = self.allowed(self.agent().post(&url));
        self.answer(path, request.send(body.as_bytes()))
    }

    /// Takes something away.
    pub(super) fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let url = format!("{}/api/v1/{path}", self.url);
        let request = self.allowed(self.agent().delete(&url));
        self.answer(path, request.call())
    }

    /// With the token, if there is one.
    fn allowed<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match self.token.reveal() {
            "" => request,
            token => request.header("authorization", format!("Bearer {token}")),
        }
    }

    fn answer<T: DeserializeOwned>(
        &self,
        path: &str,
        response: Result<Response<Body>, Error>,
    ) -> Result<T> {
        let url = self.url();
        let failed = |error| self.failed(path, error);
        let mut response = response.map_err(failed)?;
        let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES);
        let text = body.read_to_string().map_err(failed)?;
        let unreadable = || format!("{url} does not answer as a pixdex of this version");
        if response.status().is_success() {
            return serde_json::from_str(&text).with_context(unreadable);
        }
        let refusal: ErrorBody = serde_json::from_str(&text).with_context(unreadable)?;
        bail!(refusal.error)
    }

    /// What was waited for, and how long.
    fn failed(&self, path: &str, error: Error) -> anyhow::Error {
        let url = self.url();
        match error {
            Error::Timeout(Timeout::Connect) => anyhow!(
                "pixdex at {url} takes no connection: waited {} s for one",
                CONNECT_WITHIN.as_secs()
            ),
            Error::Timeout(_) => anyhow!(
                "pixdex at {url} has not answered `{path}` within {} s: it hangs, or has too much to do; its log says more",
                self.within.as_secs()
            ),
            error => anyhow!("pixdex at {url} does not answer: {error}"),
        }
    }

    /// A proxy is for what is far away.
    fn agent(&self) -> Agent {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_global(Some(self.within));
        Agent::new_with_config(config.build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    use crate::wire::Tags;

    /// What a daemon is told to be waited for that does this with each connection.
    fn told(of: impl Fn(TcpStream) + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client {
            within: Duration::from_secs(1),
            ..Client::new(&format!("http://{}", listener.local_addr().unwrap()), "")
        };
        std::thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(of));
        let started = Instant::now();
        let error = client.get::<Tags>("tags", &[]).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(30), "it ends");
        format!("{error:#}")
    }

    #[test]
    fn a_daemon_that_does_not_answer_is_not_waited_for_for_ever() {
        let wait = |mut stream: TcpStream| drop(stream.read_to_end(&mut Vec::new()));
        // Takes the request and says nothing; begins to answer and stops; answers a byte at a time.
        let says = |text: &'static str| {
            move |mut stream: TcpStream| {
                drop(stream.write_all(text.as_bytes()));
                wait(stream);
            }
        };
        let drips = |mut stream: TcpStream| {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n"));
            while stream.write_all(b" ").is_ok() {
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        for told in [
            told(says("")),
            told(says("HTTP/1.1 200 OK\r\n")),
            told(says("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{")),
            told(drips),
        ] {
            assert!(
                told.contains("has not answered `tags` within 1 s"),
                "{told}"
            );
        }
    }

    #[test]
    fn what_answers_and_is_no_pixdex_is_told() {
        let answers = |text: &'static str| {
            move |mut stream: TcpStream| {
                // Read first: what closes with something unread is cut off.
                drop(stream.read(&mut [0; 4096]));
                drop(stream.write_all(text.as_bytes()));
            }
        };
        for (answer, sentence) in [
            ("", "does not answer: "),
            ("SSH-2.0-OpenSSH\r\n", "does not answer: "),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
                "does not answer as a pixdex",
            ),
            (
                "HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\nhi",
                "does not answer as a pixdex",
            ),
        ] {
            let told = told(answers(answer));
            assert!(told.contains(sentence), "{answer:?}: {told}");
        }
        let free = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let error = Client::new(&format!("http://{free}"), "")
            .get::<Tags>("tags", &[])
            .unwrap_err();
        assert!(format!("{error:#}").contains(&format!("pixdex at http://{free} does not answer")));
    }
}
