//! Why a model could not be had, each with the way out.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Why a model could not be had.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The source has none of the three forms.
    #[error(
        "`{0}` is not a model: give `bundled`, a folder such as `./my-model`, \
         or `owner/name[@revision]` of a Hugging Face repository"
    )]
    UnknownSource(String),
    /// A model folder lacks a file.
    #[error("failed to find {wanted} in the model folder `{}`", folder.display())]
    MissingFile {
        /// The file, or the files of which one would do, in backticks.
        wanted: &'static str,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A file is there and cannot be read.
    #[error("failed to read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file's content is damaged, or describes a model that pixdex cannot run.
    #[error("failed to understand `{file}`: {reason}")]
    Invalid {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The hub did not give a file.
    #[error(transparent)]
    Hub(#[from] HubError),
}

/// Why the hub did not give a file.
#[derive(Debug, Error)]
pub enum HubError {
    /// No connection, no answer in time, or only server errors.
    #[error(
        "failed to reach the model hub `{endpoint}`: {reason}; \
         check the network, or work without it: `--model bundled`, or `--model FOLDER` with a model folder copied from elsewhere"
    )]
    Unreachable {
        /// The hub's address.
        endpoint: String,
        /// What went wrong at the last try.
        reason: String,
    },
    /// The connection broke in the middle of a file, again and again.
    #[error(
        "failed to download all of `{file}`: it broke off at {done_bytes} of {total_bytes} bytes ({reason}); \
         run the same command again, it goes on from there"
    )]
    BrokenOff {
        /// The file.
        file: String,
        /// Bytes that have arrived and are kept.
        done_bytes: u64,
        /// Bytes of the whole file.
        total_bytes: u64,
        /// What went wrong at the last try.
        reason: String,
    },
    /// 401 or 403 without a token.
    #[error(
        "the hub refuses `{repo}` without a token: it is gated, private or does not exist; \
         accept its licence at `{page}`, make a token at `{endpoint}/settings/tokens` and set `HF_TOKEN`"
    )]
    NeedsToken {
        /// The repository.
        repo: String,
        /// The repository's page.
        page: String,
        /// The hub's address.
        endpoint: String,
    },
    /// 401 or 403 although a token was sent.
    #[error(
        "the hub refuses `{repo}` to the token given: accept the licence at `{page}` with the token's own account, \
         and check that the token (`HF_TOKEN`) is valid and may read this repository"
    )]
    TokenRefused {
        /// The repository.
        repo: String,
        /// The repository's page.
        page: String,
    },
    /// There is no such repository.
    #[error(
        "there is no model `{repo}` on the hub `{endpoint}`, and no folder of that name here; check the name"
    )]
    NoRepository {
        /// The repository.
        repo: String,
        /// The hub's address.
        endpoint: String,
    },
    /// The repository has no such revision.
    #[error("there is no revision `{revision}` of `{repo}` on the hub; check the part after `@`")]
    NoRevision {
        /// The repository.
        repo: String,
        /// The revision asked for.
        revision: String,
    },
    /// The repository lacks a file.
    #[error(
        "the model `{repo}` has no {wanted} at revision `{revision}`; take another model or revision"
    )]
    NoFile {
        /// The repository.
        repo: String,
        /// The revision asked for.
        revision: String,
        /// The file, or the files of which one would do, in backticks.
        wanted: &'static str,
    },
    /// Something answers, but not as a hub does: a proxy's page, a missing header, an odd status.
    #[error(
        "`{url}` did not answer as a model hub does: {reason}; check `HF_ENDPOINT` and the proxy"
    )]
    BadAnswer {
        /// The address asked.
        url: String,
        /// What was odd.
        reason: String,
    },
    /// A whole file arrived, with the wrong content.
    #[error(
        "`{file}` arrived damaged from `{url}` ({reason}) and was thrown away; run the same command again"
    )]
    Damaged {
        /// The file.
        file: String,
        /// Where it came from.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The revision moved on between two files.
    #[error(
        "`{repo}` changed on the hub while it was being downloaded; run the same command again"
    )]
    Changed {
        /// The repository.
        repo: String,
    },
    /// The download could not be kept.
    #[error("failed to write `{}`: {source}; the cache can be moved with `HF_HOME`", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl ModelError {
    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            source,
        }
    }
}

impl HubError {
    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write {
            path: path.to_owned(),
            source,
        }
    }
}
