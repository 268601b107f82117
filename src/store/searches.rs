//! The table `searches`: what their owner looks for again and again.

use rusqlite::{OptionalExtension, Row, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Result, Store, StoreError};

/// More are not kept: they are all listed at once.
const MOST_SEARCHES: i64 = 1000;

/// The longest name, in characters.
pub const SEARCH_NAME_CHARACTERS: usize = 200;

/// A search that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SavedSearch {
    /// What its owner calls it.
    pub name: String,
    /// Its short form.
    pub q: String,
    /// The order of its hits, where only filters are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// When it was kept, `YYYY-MM-DDTHH:MM:SSZ`.
    pub saved_at: String,
}

/// Why a search is not kept.
#[derive(Debug, Error)]
pub enum SaveError {
    /// Nothing, or too much, to call it by.
    #[error(
        "the name of a search has 1 to {SEARCH_NAME_CHARACTERS} characters, and no line in it ends"
    )]
    Name,
    /// There are many already.
    #[error("{MOST_SEARCHES} searches are kept, and no more: remove one")]
    TooMany,
    /// The library failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// All that are kept, by name.
    pub fn searches(&self) -> Result<Vec<SavedSearch>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT name, query, sequence, saved_at FROM searches ORDER BY name",
            )?;
            let rows = select.query_map([], search)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The one of this name.
    pub fn search(&self, name: &str) -> Result<Option<SavedSearch>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT name, query, sequence, saved_at FROM searches WHERE name = ?1",
            )?;
            Ok(select.query_row([name], search).optional()?)
        })
    }

    /// Keeps a search, in the place of one of the same name.
    pub fn save_search(
        &self,
        name: &str,
        q: &str,
        order: Option<&str>,
    ) -> std::result::Result<(), SaveError> {
        let length = name.chars().count();
        if !(1..=SEARCH_NAME_CHARACTERS).contains(&length) || name.contains(char::is_control) {
            return Err(SaveError::Name);
        }
        let is_kept = self.write(|db| {
            let count = "SELECT count(*) FROM searches WHERE name <> ?1";
            let others: i64 = db.query_row(count, [name], |row| row.get(0))?;
            if others >= MOST_SEARCHES {
                return Ok(false);
            }
            let mut replace = db.prepare_cached(
                "REPLACE INTO searches (name, query, sequence, saved_at)
                 VALUES (?1, ?2, ?3, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
            )?;
            replace.execute(params![name, q, order])?;
            Ok(true)
        })?;
        if is_kept {
            Ok(())
        } else {
            Err(SaveError::TooMany)
        }
    }

    /// Forgets the search of this name; whether there was one.
    pub fn remove_search(&self, name: &str) -> Result<bool> {
        self.write(|db| Ok(db.execute("DELETE FROM searches WHERE name = ?1", [name])? > 0))
    }
}

fn search(row: &Row<'_>) -> rusqlite::Result<SavedSearch> {
    Ok(SavedSearch {
        name: row.get(0)?,
        q: row.get(1)?,
        order: row.get(2)?,
        saved_at: row.get(3)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_are_kept_by_name_and_their_number_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let save = |name: &str| store.save_search(name, "dog -snow", None);
        save("b").unwrap();
        store.save_search("a", "tag:beach", Some("-taken")).unwrap();
        store.save_search("b", "cat", None).unwrap();
        let names: Vec<_> = store
            .searches()
            .unwrap()
            .into_iter()
            .map(|search| (search.name, search.q))
            .collect();
        let pair = |name: &str, q: &str| (name.to_owned(), q.to_owned());
        assert_eq!(names, [pair("a", "tag:beach"), pair("b", "cat")]);
        assert_eq!(
            store.search("a").unwrap().unwrap().order.as_deref(),
            Some("-taken")
        );
        for bad in ["", "a\nb", &"ü".repeat(201)] {
            assert!(matches!(save(bad), Err(SaveError::Name)), "{bad}");
        }
        for number in 2..1000 {
            save(&number.to_string()).unwrap();
        }
        assert!(matches!(save("one more"), Err(SaveError::TooMany)));
        save("a").unwrap();
        assert!(store.remove_search("a").unwrap() && !store.remove_search("a").unwrap());
    }
}
