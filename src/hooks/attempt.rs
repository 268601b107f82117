//! One attempt to deliver an event: a request, or a run of a program; each within its time.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ureq::Agent;

use crate::child;
use crate::config::HookConfig;
use crate::store::TagEvent;

/// Where a hook's events go.
pub(super) enum Target {
    Url {
        agent: Agent,
        url: String,
    },
    Command {
        command: Vec<String>,
        timeout: Duration,
    },
}

/// Why an attempt failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The hook answered, and not well.
    Refused(String),
    /// There was no answer.
    Unreachable(String),
}

impl Failure {
    pub(super) fn reason(&self) -> &str {
        match self {
            Failure::Refused(reason) | Failure::Unreachable(reason) => reason,
        }
    }
}

impl Target {
    /// The configuration is checked: it has an address or a program.
    pub(super) fn new(config: &HookConfig) -> Target {
        let timeout = Duration::from_millis(config.timeout_ms);
        match &config.url {
            Some(url) => Target::Url {
                agent: agent(timeout),
                url: url.clone(),
            },
            None => Target::Command {
                command: config.command.clone(),
                timeout,
            },
        }
    }

    /// Delivers the event, whose JSON this is.
    pub(super) fn attempt(&self, event: &str) -> Result<(), Failure> {
        match self {
            Target::Url { agent, url } => post(agent, url, event),
            Target::Command { command, timeout } => run(command, *timeout, event),
        }
    }
}

fn agent(timeout: Duration) -> Agent {
    let agent = Agent::config_builder()
        .user_agent(concat!("pixdex/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        // A redirect is not a receipt.
        .max_redirects(0)
        .timeout_global(Some(timeout))
        .build();
    agent.into()
}

fn post(agent: &Agent, url: &str, event: &str) -> Result<(), Failure> {
    let request = agent.post(url).content_type("application/json");
    let answer = request.send(event);
    let status = answer
        .map_err(|error| Failure::Unreachable(error.to_string()))?
        .status();
    if status.is_success() {
        return Ok(());
    }
    Err(Failure::Refused(format!("it answered {status}")))
}

fn run(command: &[String], timeout: Duration, event: &str) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        let program = command.first().map_or("", String::as_str);
        Failure::Unreachable(format!("failed to run `{program}`: {error}"))
    };
    let child = spawn(command, event).map_err(failed)?;
    match child::wait(child, timeout).map_err(failed)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(Failure::Refused(format!("it ended with {status}"))),
        None => Err(Failure::Refused(format!(
            "it did not end within {} ms and was killed",
            timeout.as_millis()
        ))),
    }
}

/// Starts the program as it stands, without a shell: what a file or a label is called is never read as a command.
fn spawn(command: &[String], event: &str) -> io::Result<Child> {
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    if let Ok(event) = serde_json::from_str::<TagEvent>(event) {
        let path = event.paths.into_iter().next().unwrap_or_default();
        // Not PIXDEX_…, which are settings: the program may well be another pixdex.
        command
            .env("HOOK_EVENT_ID", event.id)
            .env("HOOK_SET", event.set)
            .env("HOOK_LABEL", event.label)
            .env("HOOK_IMAGE", event.image.to_string())
            .env("HOOK_PATH", path);
    }
    command
        .args(arguments)
        .stdin(file_of(event)?)
        // Its complaints go where ours go.
        .stdout(Stdio::null());
    child::spawn(&mut command)
}

/// A file rather than a pipe: a program that does not read it must not stop us from watching the time.
fn file_of(event: &str) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(event.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

#[cfg(all(test, unix))]
mod tests {
    use std::thread;

    use super::*;

    fn sh(script: &str, timeout: Duration) -> Result<(), Failure> {
        run(
            &["sh", "-c", script].map(str::to_owned),
            timeout,
            "an event",
        )
    }

    #[test]
    fn a_program_gets_the_event_and_its_end_decides() {
        let long = Duration::from_mins(1);
        sh("test \"$(cat)\" = 'an event'", long).unwrap();
        sh("exit 0", long).unwrap();
        let refused = sh("exit 3", long).unwrap_err();
        assert!(
            matches!(&refused, Failure::Refused(reason) if reason.contains('3')),
            "{refused:?}"
        );
        let missing = run(&["/no/such/program".to_owned()], long, "").unwrap_err();
        assert!(missing.reason().contains("/no/such/program"), "{missing:?}");
    }

    #[test]
    fn a_program_that_takes_too_long_is_killed_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("open while one of them lives");
        Command::new("mkfifo").arg(&fifo).status().unwrap();
        let (ended, all_ended) = std::sync::mpsc::channel();
        let path = fifo.clone();
        thread::spawn(move || ended.send(std::fs::read(path)));
        let script = format!("exec > '{}'; sleep 1000 & sleep 1000", fifo.display());
        let late = sh(&script, Duration::from_millis(200)).unwrap_err();
        assert!(late.reason().contains("200 ms"), "{late:?}");
        let end = all_ended.recv_timeout(Duration::from_secs(20));
        end.expect("all of them end").unwrap();
    }
}
