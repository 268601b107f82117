//! Who answers a command: the running daemon if there is one, else this process from the library itself.

use std::path::Path;

use anyhow::{Result, ensure};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::client::Client;
use super::output;
use crate::config::Config;
use crate::library::Library;
use crate::search::{self, DuplicateCriterion};
use crate::stop::Stop;
use crate::store::{
    Decision, LabelRef, Lock, LockError, Owner, SetName, Store, TokenName, WhichDecisions,
};
use crate::upkeep::{self, KeepDays};
use crate::wire::{
    AddToken, Answer, DecideMany, Decided, Decisions, Duplicates, Failures, Forget, ForgetReport,
    ModelStatus, NewToken, Preview, Purge, PurgeReport, Roots, SearchRequest, Status, Tags,
    TokenRemoved, Tokens,
};

/// Who answers.
pub(super) enum Backend<'a> {
    /// The daemon that owns the library.
    Daemon(Client),
    /// This process.
    Own { store: Store, config: &'a Config },
}

impl Backend<'_> {
    /// Finds out who owns the library.
    pub(super) fn find(config: &Config) -> Result<Backend<'_>> {
        if !config.server.is_empty() {
            let client = Client::new(&config.server, &config.token);
            return Ok(Backend::Daemon(client));
        }
        let folder = config.library_dir()?;
        if let Some(Owner { address, secret }) = daemon_of(&folder) {
            let client = Client::new(&format!("http://{address}"), secret.reveal());
            return Ok(Backend::Daemon(client));
        }
        let store = Store::open_existing(&folder)?;
        Ok(Backend::Own { store, config })
    }

    /// The same; where there is no library yet, one without pictures.
    pub(super) fn find_or_make(config: &Config) -> Result<Backend<'_>> {
        if config.server.is_empty() {
            drop(Store::open(&config.library_dir()?)?);
        }
        Backend::find(config)
    }

    /// Where the daemon is found, if there is one.
    pub(super) fn daemon(&self) -> Option<String> {
        match self {
            Backend::Daemon(client) => Some(client.url()),
            Backend::Own { .. } => None,
        }
    }

    pub(super) fn status(&self) -> Result<Status> {
        match self {
            Backend::Daemon(client) => client.get("status", &[]),
            Backend::Own { store, .. } => {
                let known = store.model_in_force()?;
                let (name, fingerprint) =
                    known.map(|known| (known.name, known.fingerprint)).unzip();
                let model = ModelStatus {
                    name,
                    fingerprint,
                    loaded: None,
                    next: None,
                };
                Ok(Status::stored(store, model, store.image_count()? as usize)?)
            }
        }
    }

    pub(super) fn search(&self, request: SearchRequest) -> Result<Answer> {
        match self {
            Backend::Daemon(client) => client.post("search", &serde_json::to_string(&request)?),
            Backend::Own { config, .. } => {
                let (query, slice) = request.read()?;
                let library = Library::open_read_only(config, &output::download())?;
                Ok(library.search().run(&query, &slice)?)
            }
        }
    }

    /// The largest groups among the pictures that pass `filters`.
    pub(super) fn duplicates(
        &self,
        by: DuplicateCriterion,
        filters: &str,
        limit: usize,
    ) -> Result<Duplicates> {
        match self {
            Backend::Daemon(client) => {
                let by = match by {
                    DuplicateCriterion::Hash => ("by", "hash".to_owned()),
                    DuplicateCriterion::Similarity(least) => ("similarity", least.to_string()),
                };
                let parameters = [by, ("q", filters.to_owned()), ("limit", limit.to_string())];
                client.at_work().get("duplicates", &parameters)
            }
            Backend::Own { config, .. } => {
                let query = search::parse(filters)?;
                let library = Library::open_read_only(config, &output::download())?;
                Ok(library.search().duplicates(by, &query, limit, None)?)
            }
        }
    }

    pub(super) fn tags(&self) -> Result<Tags> {
        match self {
            Backend::Daemon(client) => client.get("tags", &[]),
            Backend::Own { store, .. } => Ok(Tags {
                tags: store.tag_counts()?,
                cursor: None,
                total: None,
            }),
        }
    }

    pub(super) fn failures(&self) -> Result<Failures> {
        match self {
            Backend::Daemon(client) => client.get("failures", &[]),
            Backend::Own { store, .. } => Ok(Failures::stored(store)?),
        }
    }

    /// What the text of a label file would change.
    pub(super) fn preview(&self, set: &SetName, text: &str) -> Result<Preview> {
        match self {
            Backend::Daemon(client) => {
                let set = utf8_percent_encode(set, NON_ALPHANUMERIC);
                client
                    .at_work()
                    .post(&format!("label-sets/{set}/preview"), text)
            }
            Backend::Own { config, .. } => {
                let library = Library::open_read_only(config, &output::download())?;
                Ok(library.tagger.preview(set, text, None)?)
            }
        }
    }

    pub(super) fn decisions(&self) -> Result<Decisions> {
        match self {
            Backend::Daemon(client) => client.at_work().get("decisions", &[]),
            Backend::Own { store, .. } => Ok(Decisions {
                decisions: store.decisions(&WhichDecisions::default())?,
                cursor: None,
                total: None,
            }),
        }
    }

    /// Decides about the images that are named.
    pub(super) fn decide(&self, decide: DecideMany) -> Result<Decided> {
        match self {
            Backend::Daemon(client) => client
                .at_work()
                .post("decisions", &serde_json::to_string(&decide)?),
            Backend::Own { config, .. } => {
                let library =
                    Library::open_as_filled(config, Stop::default(), &output::download())?;
                let images = decide.images.len();
                let label = LabelRef {
                    set: decide.set,
                    label: decide.label,
                };
                let changed = library
                    .tagger
                    .decide_on(&label, decide.decision, decide.images)?;
                Ok(Decided { images, changed })
            }
        }
    }

    /// The folders of this run and of earlier ones.
    pub(super) fn roots(&self) -> Result<Roots> {
        match self {
            Backend::Daemon(client) => client.get("roots", &[]),
            Backend::Own { store, .. } => Ok(Roots {
                roots: upkeep::known_roots(store)?,
            }),
        }
    }

    /// Takes out what is not there, or not watched any more.
    pub(super) fn forget(&self, forget: &Forget) -> Result<ForgetReport> {
        match self {
            Backend::Daemon(client) => client.post("forget", &serde_json::to_string(forget)?),
            Backend::Own { config, .. } => {
                let folder = config.library_dir()?;
                let (_lock, store) = own(config)?;
                let stop = Stop::default();
                let (report, _) = upkeep::forget(&store, &folder, &forget.path, &stop)?;
                Ok(report)
            }
        }
    }

    /// Takes out what has been gone for so long.
    pub(super) fn purge(&self, purge: Purge) -> Result<PurgeReport> {
        match self {
            Backend::Daemon(client) => client.post("purge", &serde_json::to_string(&purge)?),
            Backend::Own { config, .. } => {
                let folder = config.library_dir()?;
                let (_lock, store) = own(config)?;
                let days = KeepDays::of(config).or_deleted(purge.older_than_days);
                let before = store.bytes()?;
                let report = upkeep::purge(&store, &folder, days, &Stop::default())?;
                store.compact()?;
                Ok(PurgeReport {
                    freed_bytes: before - store.bytes()?,
                    ..report
                })
            }
        }
    }

    pub(super) fn tokens(&self) -> Result<Tokens> {
        match self {
            Backend::Daemon(client) => client.get("tokens", &[]),
            Backend::Own { store, .. } => Ok(Tokens {
                tokens: store.tokens()?,
            }),
        }
    }

    /// Gives out a token.
    pub(super) fn add_token(&self, add: &AddToken) -> Result<NewToken> {
        match self {
            Backend::Daemon(client) => client.post("tokens", &serde_json::to_string(add)?),
            Backend::Own { store, .. } => {
                let secret = store.add_token(&add.name, add.scope)?;
                Ok(NewToken {
                    name: add.name.to_string(),
                    scope: add.scope,
                    token: secret.reveal().to_owned(),
                })
            }
        }
    }

    /// Takes a token back.
    pub(super) fn remove_token(&self, name: &TokenName) -> Result<TokenRemoved> {
        let removed = name.to_string();
        match self {
            Backend::Daemon(client) => {
                let name = utf8_percent_encode(&removed, NON_ALPHANUMERIC);
                client.delete(&format!("tokens/{name}"))
            }
            Backend::Own { store, .. } => {
                ensure!(
                    store.remove_token(&removed)?,
                    "there is no token `{removed}`"
                );
                Ok(TokenRemoved { removed })
            }
        }
    }

    /// Reads decisions as they were exported: all of them or, where one is wrong, none.
    pub(super) fn import_decisions(&self, text: &str) -> Result<Decided> {
        match self {
            Backend::Daemon(client) => client.at_work().post("decisions/import", text),
            Backend::Own { config, .. } => {
                let decisions = Decision::parse_lines(text.as_bytes())?;
                let library =
                    Library::open_as_filled(config, Stop::default(), &output::download())?;
                Ok(Decided {
                    images: decisions.len(),
                    changed: library.tagger.decide(&decisions)?,
                })
            }
        }
    }
}

/// Takes the library for as long as the answer lives, for what must not be done beside another owner.
pub(super) fn own(config: &Config) -> Result<(Lock, Store)> {
    let folder = config.library_dir()?;
    let store = Store::open_existing(&folder)?;
    Ok((Lock::take(&folder)?, store))
}

/// The daemon that owns the library; none where nobody does, or where its owner does not listen.
fn daemon_of(folder: &Path) -> Option<Owner> {
    if !folder.is_dir() {
        return None;
    }
    match Lock::take(folder) {
        Ok(_) | Err(LockError::Io { .. }) => None,
        Err(LockError::Taken { owner, .. }) => owner,
    }
}
