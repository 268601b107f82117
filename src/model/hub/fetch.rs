//! One file of a repository → its place in the cache: asked about, downloaded or resumed, checked, and only then moved to
//! where anybody would take it for whole.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use hf_hub::{Repo, RepoType};
use ring::digest::{Context, SHA256};
use serde_json::Value;
use tracing::info;

use super::{
    HubSettings, Progress,
    cache::RepoCache,
    client::{Answer, Client, Failure, Tries, bad_answer},
};
use crate::model::{
    HubError, ModelError,
    source::is_plain,
    weights::{check_pickle, check_safetensors, is_web_page},
};

const BUFFER_BYTES: usize = 64 * 1024;

/// Fetches files of one revision, all from the same commit.
pub(super) struct Fetcher<'a> {
    pub(super) client: Client<'a>,
    pub(super) cache: &'a RepoCache,
    /// Known from the first file on.
    pub(super) commit: Option<String>,
    settings: &'a HubSettings,
    progress: &'a dyn Fn(Progress<'_>),
}

/// What the hub says of a file before it sends it.
pub(super) struct Remote {
    pub(super) etag: String,
    commit: String,
    total_bytes: u64,
}

/// A download on its way.
struct Transfer<'a> {
    file: &'a str,
    url: &'a str,
    remote: &'a Remote,
    part: PathBuf,
}

impl<'a> Fetcher<'a> {
    pub(super) fn new(
        cache: &'a RepoCache,
        settings: &'a HubSettings,
        progress: &'a dyn Fn(Progress<'_>),
    ) -> Self {
        Self {
            client: Client::new(settings, &cache.repo),
            cache,
            commit: None,
            settings,
            progress,
        }
    }

    /// The same repository at another revision.
    pub(super) fn at<'b>(&'b self, cache: &'b RepoCache) -> Fetcher<'b> {
        Fetcher::new(cache, self.settings, self.progress)
    }

    /// Brings a file into the commit's snapshot; `None` where the revision has no such file.
    pub(super) fn fetch(&mut self, file: &str) -> Result<Option<PathBuf>, ModelError> {
        let Some(remote) = self.ask(file)? else {
            return Ok(None);
        };
        let commit = self.commit.get_or_insert_with(|| remote.commit.clone());
        if *commit != remote.commit {
            return Err(self.changed().into());
        }
        let blob = self.cache.blob(&remote.etag)?;
        let _lock = lock(&beside(&blob, "lock"), file)?;
        if check(&blob, file, &remote).is_err() {
            self.download(file, &remote, &blob)?;
        }
        Ok(Some(self.cache.link(&remote.commit, file, &blob)?))
    }

    /// Asks for a file's first byte, as hf-hub does: the answer's head tells all that a `HEAD` would, and the length too.
    pub(super) fn ask(&self, file: &str) -> Result<Option<Remote>, ModelError> {
        let url = self.url(file);
        self.client.persist(|| {
            let answer = self
                .client
                .get(&url, &self.cache.revision, Some("bytes=0-0"))?;
            Ok(answer.map(|answer| remote(&url, answer)).transpose()?)
        })
    }

    pub(super) fn api_url(&self, rest: &str) -> String {
        format!(
            "{}/api/models/{}/{rest}",
            self.settings.endpoint, self.cache.repo
        )
    }

    fn url(&self, file: &str) -> String {
        let repo = Repo::with_revision(
            self.cache.repo.clone(),
            RepoType::Model,
            self.cache.revision.clone(),
        );
        format!(
            "{}/{}/resolve/{}/{file}",
            self.settings.endpoint,
            repo.url(),
            repo.url_revision()
        )
    }

    fn changed(&self) -> HubError {
        HubError::Changed {
            repo: self.cache.repo.clone(),
        }
    }

    fn download(&self, file: &str, remote: &Remote, blob: &Path) -> Result<(), ModelError> {
        let url = self.url(file);
        let transfer = Transfer {
            file,
            url: &url,
            remote,
            part: beside(blob, "part"),
        };
        self.transfer(&transfer)?;
        if let Err(reason) = check(&transfer.part, file, remote) {
            // Kept, it would be taken for the start of a good file the next time.
            remove(&transfer.part)?;
            return Err(HubError::Damaged {
                file: file.to_owned(),
                url: url.clone(),
                reason,
            }
            .into());
        }
        Ok(fs::rename(&transfer.part, blob).map_err(|source| HubError::write(blob, source))?)
    }

    /// Tries as long as something arrives; what has arrived is kept, for the next try and for the next start.
    fn transfer(&self, transfer: &Transfer<'_>) -> Result<(), ModelError> {
        let (mut tries, mut most_bytes) = (Tries::default(), kept_bytes(&transfer.part));
        loop {
            let reason = match self.resume(transfer) {
                Ok(()) => return Ok(()),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Transient(reason)) => reason,
            };
            let done_bytes = kept_bytes(&transfer.part);
            if done_bytes > most_bytes {
                (tries, most_bytes) = (Tries::default(), done_bytes);
            }
            if !tries.pause() {
                return Err(self.given_up(transfer, done_bytes, reason).into());
            }
        }
    }

    fn given_up(&self, transfer: &Transfer<'_>, done_bytes: u64, reason: String) -> HubError {
        if done_bytes == 0 {
            return self.client.unreachable(reason);
        }
        let (file, total_bytes) = (transfer.file.to_owned(), transfer.remote.total_bytes);
        HubError::BrokenOff {
            file,
            done_bytes,
            total_bytes,
            reason,
        }
    }

    fn resume(&self, transfer: &Transfer<'_>) -> Result<(), Failure> {
        let written = |source| Failure::from(HubError::write(&transfer.part, source));
        let mut part = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&transfer.part)
            .map_err(written)?;
        let mut done_bytes = part.metadata().map_err(written)?.len();
        if done_bytes > transfer.remote.total_bytes {
            part.set_len(0).map_err(written)?;
            done_bytes = 0;
        }
        // A start that was killed just before the file was moved has left all of it: there is nothing more to ask for.
        if done_bytes < transfer.remote.total_bytes {
            let answer = self.ask_from(transfer, done_bytes)?;
            if answer.status == 200 {
                part.set_len(0).map_err(written)?;
                done_bytes = 0;
            }
            self.copy(transfer, answer, &mut part, done_bytes)?;
        }
        part.sync_all().map_err(written)
    }

    /// Asks for the file from a byte on. A server may ignore that and send it from the start, with status 200.
    fn ask_from(&self, transfer: &Transfer<'_>, start_bytes: u64) -> Result<Answer, Failure> {
        let range = (start_bytes > 0).then(|| format!("bytes={start_bytes}-"));
        let answer = self
            .client
            .get(transfer.url, &self.cache.revision, range.as_deref())?;
        let answer = answer.ok_or_else(|| self.changed())?;
        let (url, remote) = (transfer.url, transfer.remote);
        if answer
            .etag
            .as_ref()
            .is_some_and(|etag| *etag != remote.etag)
        {
            return Err(self.changed().into());
        }
        let expected_start = if answer.status == 206 { start_bytes } else { 0 };
        if answer.start_bytes != expected_start || answer.total_bytes != Some(remote.total_bytes) {
            return Err(bad_answer(url, "it sent something else than it was asked for").into());
        }
        Ok(answer)
    }

    fn copy(
        &self,
        transfer: &Transfer<'_>,
        answer: Answer,
        part: &mut File,
        start: u64,
    ) -> Result<(), Failure> {
        let (file, total_bytes) = (transfer.file, transfer.remote.total_bytes);
        let mut body = answer.body.into_reader().take(total_bytes - start);
        let mut done_bytes = start;
        let mut buffer = vec![0; BUFFER_BYTES];
        while done_bytes < total_bytes {
            (self.progress)(Progress {
                file,
                done_bytes,
                total_bytes,
            });
            let read = body
                .read(&mut buffer)
                .map_err(|error| Failure::Transient(error.to_string()))?;
            if read == 0 {
                return Err(Failure::Transient("the connection ended early".to_owned()));
            }
            part.write_all(&buffer[..read])
                .map_err(|source| HubError::write(&transfer.part, source))?;
            done_bytes += read as u64;
        }
        (self.progress)(Progress {
            file,
            done_bytes,
            total_bytes,
        });
        Ok(())
    }
}

fn remote(url: &str, answer: Answer) -> Result<Remote, HubError> {
    let Answer {
        commit,
        etag,
        total_bytes,
        ..
    } = answer;
    let missing = |name: &str| bad_answer(url, &format!("the header `{name}` is missing"));
    let commit = commit
        .filter(|commit| is_plain(commit))
        .ok_or_else(|| missing("x-repo-commit"))?;
    let etag = etag.ok_or_else(|| missing("etag"))?;
    let total_bytes = total_bytes.ok_or_else(|| missing("content-range"))?;
    Ok(Remote {
        etag,
        commit,
        total_bytes,
    })
}

fn beside(blob: &Path, extension: &str) -> PathBuf {
    let mut name = blob.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(extension);
    blob.with_file_name(name)
}

fn kept_bytes(part: &Path) -> u64 {
    fs::metadata(part).map_or(0, |found| found.len())
}

fn remove(path: &Path) -> Result<(), HubError> {
    fs::remove_file(path).map_err(|source| HubError::write(path, source))
}

/// Held while a file is written, so that two processes do not write into one `.part`; hf-hub takes the same lock.
fn lock(path: &Path, file: &str) -> Result<File, HubError> {
    let lock = File::create(path).map_err(|source| HubError::write(path, source))?;
    if lock.try_lock().is_err() {
        info!(file, "waiting for another process that downloads this file");
        lock.lock()
            .map_err(|source| HubError::write(path, source))?;
    }
    Ok(lock)
}

/// Whether a file that lies here is the one that the hub speaks of.
fn check(path: &Path, file: &str, remote: &Remote) -> Result<(), String> {
    let length = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length != remote.total_bytes {
        return Err(format!(
            "it is {length} bytes long instead of {}",
            remote.total_bytes
        ));
    }
    if is_web_page(&start(path).map_err(|error| error.to_string())?) {
        return Err("it is a web page".to_owned());
    }
    // The hub's tag of a large file is its SHA-256; those of small files are git's, and other servers' are anything.
    let is_sha256 =
        remote.etag.len() == 64 && remote.etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_sha256 {
        return check_format(path, file, length);
    }
    if sha256(path).map_err(|error| error.to_string())? != remote.etag.to_ascii_lowercase() {
        return Err("its SHA-256 is not the one that the hub announced".to_owned());
    }
    Ok(())
}

fn start(path: &Path) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    File::open(path)?.take(64).read_to_end(&mut start)?;
    Ok(start)
}

fn check_format(path: &Path, file: &str, length: u64) -> Result<(), String> {
    let open = || {
        File::open(path)
            .map(BufReader::new)
            .map_err(|error| error.to_string())
    };
    match Path::new(file)
        .extension()
        .and_then(|extension| extension.to_str())
    {
        Some("safetensors") => check_safetensors(open()?, length),
        Some("json") => serde_json::from_reader::<_, Value>(open()?)
            .map(drop)
            .map_err(|error| error.to_string()),
        Some("bin") => check_pickle(path),
        _ => Ok(()),
    }
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => context.update(&buffer[..read]),
        }
    }
    let digest = context.finish();
    Ok(digest
        .as_ref()
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")))
}
