//! An image's identity: the hash of its bytes.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// BLAKE3 of a file's bytes: the identity of an image, written as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub [u8; 32]);

/// A text that is no [`ContentHash`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not an image id, which has 64 hexadecimal digits")]
pub struct BadImageId(String);

impl ContentHash {
    /// Hashes a file's bytes.
    pub fn of(bytes: &[u8]) -> ContentHash {
        ContentHash(*blake3::hash(bytes).as_bytes())
    }
}

/// Contents as one value for a statement that asks for all of them at once: `… IN (SELECT unhex(value) FROM json_each(?1))`.
pub(super) fn json<'a>(hashes: impl IntoIterator<Item = &'a ContentHash>) -> String {
    let hashes: Vec<String> = hashes.into_iter().map(ContentHash::to_string).collect();
    serde_json::json!(hashes).to_string()
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        blake3::Hash::from_bytes(self.0).fmt(f)
    }
}

impl FromStr for ContentHash {
    type Err = BadImageId;

    fn from_str(text: &str) -> Result<ContentHash, BadImageId> {
        let hash = blake3::Hash::from_hex(text).map_err(|_| BadImageId(text.to_owned()))?;
        Ok(ContentHash(*hash.as_bytes()))
    }
}

impl Serialize for ContentHash {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<ContentHash, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for ContentHash {
    fn schema_name() -> Cow<'static, str> {
        "ImageId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9a-fA-F]{64}$",
            "description": "Identity of an image: BLAKE3 of a file's bytes, in hexadecimal digits.",
        })
    }
}

impl ToSql for ContentHash {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_slice()))
    }
}

impl FromSql for ContentHash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<ContentHash> {
        FromSql::column_result(value).map(ContentHash)
    }
}
