//! The tables `tokens` and `sessions`: who may ask from other machines, and browsers that logged in.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, ToSql, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Result, Store};

/// More tokens are not given out: each is compared with what is shown.
const MOST_TOKENS: i64 = 1000;

/// More browsers are not remembered: those whose time ends first log in again.
const MOST_SESSIONS: i64 = 1000;

/// The longest name of a token, in characters.
const NAME_CHARACTERS: usize = 64;

/// What a token begins with, so that one is known for what it is wherever it turns up.
const PREFIX: &str = "pixdex_";

/// What somebody may ask for. Each may do what those before it may.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look at pictures, tags and everything else.
    Read,
    /// Change label sets, and decide about tags.
    Label,
    /// Take pictures out of the library, and give out tokens.
    Admin,
}

impl Scope {
    const ALL: [Scope; 3] = [Scope::Read, Scope::Label, Scope::Admin];

    /// As it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Label => "label",
            Scope::Admin => "admin",
        }
    }
}

impl ToSql for Scope {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.name().into())
    }
}

impl FromSql for Scope {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Scope> {
        let name = value.as_str()?;
        let scope = Scope::ALL.into_iter().find(|scope| scope.name() == name);
        scope.ok_or_else(|| FromSqlError::Other(format!("a scope `{name}`").into()))
    }
}

/// What a token or a session is known by, and nobody else has: 32 random bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one.
    pub fn new() -> std::result::Result<Secret, NoRandomness> {
        let mut bytes = [0; 32];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| NoRandomness)?;
        Ok(Secret(format!(
            "{PREFIX}{}",
            BASE64_URL_SAFE_NO_PAD.encode(bytes)
        )))
    }

    /// The one that somebody shows.
    pub fn shown(text: &str) -> Secret {
        Secret(text.to_owned())
    }

    /// As it is shown.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> blake3::Hash {
        blake3::hash(self.0.as_bytes())
    }

    /// Whether both are the same; how long that takes tells nothing of where they differ.
    pub fn is(&self, other: &Secret) -> bool {
        self.hash() == other.hash()
    }
}

/// No log shows one.
impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// The system gives no random numbers.
#[derive(Debug, Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

/// What a token is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(!try_from, extend("pattern" = r"^[\w.-]{1,64}$"))]
pub struct TokenName(String);

/// A name that no token has.
#[derive(Debug, Error)]
#[error(
    "a token's name has 1 to {NAME_CHARACTERS} letters, digits, `.`, `_` and `-`, and `{0}` has not"
)]
pub struct BadTokenName(String);

impl TryFrom<String> for TokenName {
    type Error = BadTokenName;

    fn try_from(text: String) -> std::result::Result<TokenName, BadTokenName> {
        let is_plain = |c: char| c.is_alphanumeric() || "._-".contains(c);
        let is_name =
            (1..=NAME_CHARACTERS).contains(&text.chars().count()) && text.chars().all(is_plain);
        if is_name {
            Ok(TokenName(text))
        } else {
            Err(BadTokenName(text))
        }
    }
}

impl FromStr for TokenName {
    type Err = BadTokenName;

    fn from_str(text: &str) -> std::result::Result<TokenName, BadTokenName> {
        text.to_owned().try_into()
    }
}

impl Display for TokenName {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A token, without what it is known by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// What its owner calls it.
    pub name: String,
    /// What it is good for.
    pub scope: Scope,
    /// When it was given out, `YYYY-MM-DDTHH:MM:SSZ`.
    pub created_at: String,
    /// When it was last shown, to the minute; none where it never was.
    pub last_used_at: Option<String>,
}

/// Why a token is not given out.
#[derive(Debug, Error)]
pub enum TokenError {
    /// One is called so.
    #[error("there is a token `{0}` already: remove it, or take another name")]
    Taken(TokenName),
    /// There are too many.
    #[error("there are {MOST_TOKENS} tokens already: remove one that nobody uses")]
    TooMany,
    /// No secret can be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The database refused.
    #[error(transparent)]
    Store(#[from] super::StoreError),
}

impl From<rusqlite::Error> for TokenError {
    fn from(error: rusqlite::Error) -> TokenError {
        TokenError::Store(error.into())
    }
}

impl Store {
    /// Gives out a token: what it is known by is told here, and never again.
    pub fn add_token(
        &self,
        name: &TokenName,
        scope: Scope,
    ) -> std::result::Result<Secret, TokenError> {
        let secret = Secret::new()?;
        let hash = secret.hash();
        let (count, added) = self.write(|db| {
            let count: i64 = db.query_row("SELECT count(*) FROM tokens", [], |row| row.get(0))?;
            if count >= MOST_TOKENS {
                return Ok((count, 0));
            }
            let insert = "INSERT INTO tokens (name, scope, hash, created_at)
                          VALUES (?1, ?2, ?3, strftime('%Y-%m-%dT%H:%M:%SZ', 'now')) ON CONFLICT (name) DO NOTHING";
            let added = db.execute(insert, params![name.0, scope, hash.as_bytes()])?;
            Ok((count, added))
        })?;
        match (count, added) {
            (_, 1) => Ok(secret),
            (MOST_TOKENS.., _) => Err(TokenError::TooMany),
            _ => Err(TokenError::Taken(name.clone())),
        }
    }

    /// Takes a token back, with all browsers that logged in with it. Whether there was one.
    pub fn remove_token(&self, name: &str) -> Result<bool> {
        self.write(|db| Ok(db.execute("DELETE FROM tokens WHERE name = ?1", [name])? > 0))
    }

    /// All tokens, by name.
    pub fn tokens(&self) -> Result<Vec<Token>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT name, scope, created_at, last_used_at FROM tokens ORDER BY name",
            )?;
            let rows = select.query_map([], token)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The token that is known by this. It is compared with each, in a time that tells nothing.
    pub fn token_of(&self, secret: &Secret) -> Result<Option<Token>> {
        let shown = secret.hash();
        self.read(|db| {
            let mut select = db
                .prepare_cached("SELECT name, scope, created_at, last_used_at, hash FROM tokens")?;
            let rows = select.query_map([], |row| Ok((token(row)?, row.get::<_, [u8; 32]>(4)?)))?;
            let mut found = None;
            for row in rows {
                let (token, hash) = row?;
                if blake3::Hash::from_bytes(hash) == shown {
                    found = Some(token);
                }
            }
            Ok(found)
        })
    }

    /// Remembers that a token is used.
    pub fn mark_token_used(&self, name: &str) -> Result<()> {
        self.write(|db| {
            let update = "UPDATE tokens SET last_used_at = strftime('%Y-%m-%dT%H:%M:00Z', 'now') WHERE name = ?1";
            db.execute(update, [name])?;
            Ok(())
        })
    }

    /// Remembers a browser that logged in with a token, for so many days.
    pub fn add_session(&self, secret: &Secret, token: &str, days: i64) -> Result<()> {
        let hash = secret.hash();
        self.write(|db| {
            db.execute("DELETE FROM sessions WHERE ends_at <= unixepoch()", [])?;
            let oldest = "DELETE FROM sessions WHERE hash IN (
                              SELECT hash FROM sessions ORDER BY ends_at DESC LIMIT -1 OFFSET ?1)";
            db.execute(oldest, [MOST_SESSIONS - 1])?;
            let insert = "INSERT INTO sessions (hash, token, ends_at) VALUES (?1, ?2, unixepoch() + ?3 * 86400)";
            db.execute(insert, params![hash.as_bytes(), token, days])?;
            Ok(())
        })
    }

    /// The token that a browser logged in with.
    pub fn token_of_session(&self, secret: &Secret) -> Result<Option<Token>> {
        let hash = secret.hash();
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT t.name, t.scope, t.created_at, t.last_used_at FROM sessions s JOIN tokens t ON t.name = s.token
                 WHERE s.hash = ?1 AND s.ends_at > unixepoch()",
            )?;
            Ok(select.query_row([hash.as_bytes()], token).optional()?)
        })
    }

    /// A browser logs out.
    pub fn remove_session(&self, secret: &Secret) -> Result<()> {
        let hash = secret.hash();
        self.write(|db| {
            db.execute("DELETE FROM sessions WHERE hash = ?1", [hash.as_bytes()])?;
            Ok(())
        })
    }
}

fn token(row: &Row<'_>) -> rusqlite::Result<Token> {
    Ok(Token {
        name: row.get(0)?,
        scope: row.get(1)?,
        created_at: row.get(2)?,
        last_used_at: row.get(3)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> TokenName {
        text.parse().unwrap()
    }

    #[test]
    fn a_token_is_known_until_it_is_removed_and_no_longer_than_that_its_sessions() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let secret = store.add_token(&name("phone"), Scope::Label).unwrap();
        assert!(matches!(
            store.add_token(&name("phone"), Scope::Read),
            Err(TokenError::Taken(_))
        ));
        let other = store.add_token(&name("tv"), Scope::Read).unwrap();
        assert!(!secret.is(&other) && secret.is(&Secret::shown(secret.reveal())));
        let known = |secret: &Secret| {
            store
                .token_of(secret)
                .unwrap()
                .map(|token| (token.name, token.scope))
        };
        assert_eq!(known(&secret), Some(("phone".to_owned(), Scope::Label)));
        assert_eq!(known(&Secret::shown("pixdex_guess")), None);
        let session = Secret::new().unwrap();
        store.add_session(&session, "phone", 1).unwrap();
        let over = Secret::new().unwrap();
        store.add_session(&over, "phone", 0).unwrap();
        let logged_in = |secret: &Secret| {
            store
                .token_of_session(secret)
                .unwrap()
                .map(|token| token.name)
        };
        assert_eq!(logged_in(&session), Some("phone".to_owned()));
        assert_eq!((logged_in(&over), logged_in(&secret)), (None, None));
        store.mark_token_used("phone").unwrap();
        assert!(store.tokens().unwrap()[0].last_used_at.is_some());
        assert!(store.remove_token("phone").unwrap() && !store.remove_token("phone").unwrap());
        assert_eq!((known(&secret), logged_in(&session)), (None, None));
        // Nothing that somebody shows stands in the database.
        drop(store);
        let bytes = std::fs::read(folder.path().join("library.db")).unwrap();
        let shown = other.reveal().as_bytes();
        assert!(!bytes.windows(shown.len()).any(|window| window == shown));
        assert!(!format!("{other:?}").contains(other.reveal()));
    }

    #[test]
    fn so_many_browsers_are_remembered_and_the_first_to_end_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.add_token(&name("all"), Scope::Read).unwrap();
        let sessions: Vec<_> = (0..=MOST_SESSIONS)
            .map(|_| Secret::new().unwrap())
            .collect();
        for (days, session) in (1..).zip(&sessions) {
            store.add_session(session, "all", days).unwrap();
        }
        let is_known = |secret| store.token_of_session(secret).unwrap().is_some();
        assert!(!is_known(&sessions[0]) && is_known(&sessions[1]) && is_known(&sessions[1000]));
    }

    #[test]
    fn names_are_plain() {
        for good in ["a", "Küche-2.0_x"] {
            name(good);
        }
        for bad in ["", "a b", "a/b", "a\n", &"a".repeat(65)] {
            assert!(bad.parse::<TokenName>().is_err(), "{bad}");
        }
    }
}
