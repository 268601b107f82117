//! Who may ask for what: whoever is on this machine, as long as the owner leaves that open; who shows a token, or a browser that
//! logged in with one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use headers::authorization::{Authorization, Bearer};
use headers::{Cookie, HeaderMapExt};
use tracing::warn;
use warp::http::HeaderMap;

use super::asker::Asker;
use super::error::ApiError;
use super::slowed::Slowed;
use crate::config::HttpConfig;
use crate::store::{Scope, Secret, Store, StoreError, Token};

/// The cookie of a browser that logged in.
pub(super) const COOKIE: &str = "pixdex_session";

/// How often it is written down that a token is used.
const MARKED_EVERY: Duration = Duration::from_mins(1);

/// Who is let in. Cheap to clone; every clone is the same.
#[derive(Debug, Clone)]
pub(super) struct Access {
    allow_anonymous: bool,
    loopback_needs_token: bool,
    /// What commands of the library's owner show: they read it where only the owner can.
    of_run: Secret,
    slowed: Arc<Slowed>,
    marked: Arc<Mutex<HashMap<String, Instant>>>,
}

/// Somebody who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Who {
    /// What they may ask for; none where that is nothing.
    pub(super) scope: Option<Scope>,
    /// The token that they showed or logged in with.
    pub(super) token: Option<String>,
}

/// What a request shows.
#[derive(Debug)]
pub(super) enum Shown {
    Nothing,
    Token(Secret),
    Session(Secret),
}

impl Shown {
    /// Passwords of other kinds are for a proxy, which hands them on unseen.
    pub(super) fn of(headers: &HeaderMap) -> Shown {
        if let Some(token) = headers.typed_get::<Authorization<Bearer>>() {
            return Shown::Token(Secret::shown(token.token()));
        }
        let cookies = headers.typed_get::<Cookie>();
        let session = cookies.as_ref().and_then(|cookies| cookies.get(COOKIE));
        session.map_or(Shown::Nothing, |secret| {
            Shown::Session(Secret::shown(secret))
        })
    }
}

impl Access {
    pub(super) fn new(config: &HttpConfig, of_run: Secret) -> Access {
        Access {
            allow_anonymous: config.allow_anonymous,
            loopback_needs_token: config.loopback_needs_token,
            of_run,
            slowed: Arc::default(),
            marked: Arc::default(),
        }
    }

    /// Whether somebody is let in who shows nothing.
    fn is_open_to(&self, asker: &Asker) -> bool {
        self.allow_anonymous || asker.is_local && !self.loopback_needs_token
    }

    /// Somebody who shows nothing.
    pub(super) fn anybody(&self, asker: &Asker) -> Who {
        Who {
            scope: self.is_open_to(asker).then_some(Scope::Admin),
            token: None,
        }
    }

    /// Who asks, and shows this. It reads from the library.
    pub(super) fn who(&self, asker: &Asker, shown: &Shown, store: &Store) -> Result<Who, ApiError> {
        match shown {
            Shown::Token(secret) if secret.is(&self.of_run) => Ok(Who {
                scope: Some(Scope::Admin),
                token: None,
            }),
            Shown::Token(secret) => Ok(self.used(self.token(asker, secret, store)?, store)),
            // The cookie of a session that is over stands in a browser for no fault of its owner.
            Shown::Session(secret) if !self.is_open_to(asker) => {
                let token = store.token_of_session(secret)?;
                Ok(token.map_or_else(|| self.anybody(asker), |token| self.used(token, store)))
            }
            _ => Ok(self.anybody(asker)),
        }
    }

    /// The token that somebody shows, who is slowed where it is none.
    pub(super) fn token(
        &self,
        asker: &Asker,
        secret: &Secret,
        store: &Store,
    ) -> Result<Token, ApiError> {
        let (address, now) = (asker.peer.0, Instant::now());
        if let Some(wait) = address.and_then(|address| self.slowed.wait(address, now)) {
            return Err(ApiError::slowed(wait));
        }
        let token = store.token_of(secret)?;
        if let Some(address) = address {
            match token {
                Some(_) => self.slowed.forgive(address),
                None => self.slowed.count(address, now),
            }
        }
        token.ok_or_else(|| {
            let address = address.map(tracing::field::display);
            warn!(address, "somebody shows a token that there is not");
            ApiError::token_unknown()
        })
    }

    /// Remembers that it is used, where that was not done a moment ago; nobody waits for it.
    fn used(&self, token: Token, store: &Store) -> Who {
        let mut marked = self.marked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_marked = marked
            .get(&token.name)
            .is_some_and(|marked| marked.elapsed() < MARKED_EVERY);
        if !is_marked {
            // Tokens that are gone since are not remembered for ever.
            marked.retain(|_, marked| marked.elapsed() < MARKED_EVERY);
            marked.insert(token.name.clone(), Instant::now());
            let (store, name) = (store.clone(), token.name.clone());
            tokio::task::spawn_blocking(move || {
                let marked = store.mark_token_used(&name);
                if let Err::<(), StoreError>(error) = marked {
                    warn!(%error, token = name, "it is not written down that a token is used");
                }
            });
        }
        Who {
            scope: Some(token.scope),
            token: Some(token.name),
        }
    }
}

/// Whether somebody may ask for what needs this.
pub(super) fn check(who: &Who, needed: Scope) -> Result<(), ApiError> {
    match who.scope {
        None => Err(ApiError::unauthorized(
            "show a token, as in `Authorization: Bearer pixdex_…`, or log in at /login; `pixdex token add NAME` gives one"
                .to_owned(),
        )),
        Some(scope) if scope < needed => Err(ApiError::beyond_scope(needed, scope)),
        Some(_) => Ok(()),
    }
}
