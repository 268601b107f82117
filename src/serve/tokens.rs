//! Tokens are given out, listed and taken back.

use super::error::ApiError;
use super::request::Request;
use crate::wire::{AddToken, NewToken, TokenRemoved, Tokens, Whoami};

type Result<T> = std::result::Result<T, ApiError>;

pub(super) fn list(Request { api, .. }: &Request) -> Result<Tokens> {
    Ok(Tokens {
        tokens: api.library.store.tokens()?,
    })
}

/// Gives one out.
pub(super) fn add(request: &Request) -> Result<NewToken> {
    let AddToken { name, scope } = request.json("bad_token")?;
    let secret = request.api.library.store.add_token(&name, scope)?;
    Ok(NewToken {
        name: name.to_string(),
        scope,
        token: secret.reveal().to_owned(),
    })
}

/// Takes one back: whoever shows it is let in no more, and whoever is listening with it hears nothing more.
pub(super) fn remove(request: &Request) -> Result<TokenRemoved> {
    let (api, name) = (&request.api, request.part(0));
    if !api.library.store.remove_token(name)? {
        let message = format!("there is no token `{name}`");
        return Err(ApiError::not_found("unknown_token", message));
    }
    api.clients.streams.end_of(name);
    Ok(TokenRemoved {
        removed: name.to_owned(),
    })
}

/// Who asks, and what they may.
pub(super) fn whoami(Request { who, .. }: &Request) -> Whoami {
    Whoami {
        scope: who.scope,
        token: who.token.clone(),
    }
}
