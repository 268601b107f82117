//! Lists in pages: each begins behind what the one before ended with, so that nothing is missed or told twice while the list changes.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::error::ApiError;
use super::params::{CURSOR, LIMIT, Parameter, Params, TOTAL};

/// Where a page begins, and how long it is.
pub(super) const PAGE: [Parameter; 3] = [LIMIT, CURSOR, TOTAL];

/// What an entry is known by in its list, by which the list is in order.
type Key = Vec<String>;

/// A part of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<T> {
    pub(super) entries: Vec<T>,
    /// Where the next one begins, if there is one.
    pub(super) cursor: Option<String>,
    /// Entries of all pages, where that is asked for.
    pub(super) total: Option<usize>,
}

/// The part of a list that is asked for. Without a limit and a cursor it is all of it, in the order in which it stands.
pub(super) fn page<T>(
    params: &Params,
    mut all: Vec<T>,
    key: impl Fn(&T) -> Key,
) -> Result<Page<T>, ApiError> {
    let total = params.flag("total")?.then_some(all.len());
    let after = params.get("cursor").map(read).transpose()?;
    if after.is_none() && params.get("limit").is_none() {
        return Ok(Page {
            entries: all,
            cursor: None,
            total,
        });
    }
    let limit = params.limit()?;
    if let Some(after) = after {
        all.retain(|entry| key(entry) > after);
    }
    all.sort_by_cached_key(&key);
    let is_last = all.len() <= limit;
    all.truncate(limit);
    let last = all.last().filter(|_| !is_last);
    let cursor = last.map(|last| write(&key(last))).transpose()?;
    Ok(Page {
        entries: all,
        cursor,
        total,
    })
}

fn write(key: &Key) -> Result<String, ApiError> {
    let key = serde_json::to_vec(key).map_err(ApiError::internal)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(key))
}

fn read(cursor: &str) -> Result<Key, ApiError> {
    let key = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    let key = key.and_then(|key| serde_json::from_slice(&key).ok());
    key.ok_or_else(|| {
        let message = format!("`{cursor}` is no cursor: take that of the page before");
        ApiError::bad_request("bad_cursor", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(raw: &str) -> Params {
        Params::read(raw, &[&PAGE]).unwrap()
    }

    fn words(raw: &str, all: &[&str]) -> (Vec<String>, Option<String>) {
        let all = all.iter().map(|word| (*word).to_owned()).collect();
        let page = page(&params(raw), all, |word: &String| vec![word.clone()]).unwrap();
        (page.entries, page.cursor)
    }

    #[test]
    fn pages_give_each_entry_once_while_the_list_changes() {
        let (first, cursor) = words("limit=2", &["d", "a", "c", "b"]);
        assert_eq!(first, ["a", "b"]);
        let next = format!("limit=2&cursor={}", cursor.unwrap());
        // One that was given has gone, and others have come, before it and behind it.
        let (second, cursor) = words(&next, &["aa", "d", "e", "c", "a"]);
        assert_eq!(second, ["c", "d"]);
        let (third, cursor) = words(&format!("cursor={}", cursor.unwrap()), &["d", "e"]);
        assert_eq!((third, cursor), (vec!["e".to_owned()], None));
    }

    #[test]
    fn who_asks_for_no_page_is_given_all_as_it_stands() {
        assert_eq!(
            words("", &["b", "a"]),
            (vec!["b".to_owned(), "a".to_owned()], None)
        );
        let all = vec!["a".to_owned(), "b".to_owned()];
        let counted = page(&params("limit=1&total=true"), all, |word| {
            vec![word.clone()]
        });
        assert_eq!(counted.unwrap().total, Some(2));
        for raw in [
            "cursor=",
            "cursor=x",
            "cursor=bm9uZQ",
            "limit=0",
            "limit=1001",
        ] {
            let all = vec!["a".to_owned()];
            assert!(
                page(&params(raw), all, |word| vec![word.clone()]).is_err(),
                "{raw}"
            );
        }
    }
}
