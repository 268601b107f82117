//! The second copy of what people decided: `decisions.jsonl` beside the database, a line for each decision as it is made, in the
//! form in which decisions are exported and imported.
//!
//! A line is kept in the transaction of its decision, and leaves the database when it is in the file: whatever happens in between,
//! it is written the next time. What the file says last about an image and a label is what counts.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rusqlite::{Transaction, params};
use tracing::warn;

use super::decisions::{Decision, WhichDecisions};
use super::hash::ContentHash;
use super::{Result, Store, StoreError, private};

/// The name of the file in the library's folder.
const JOURNAL: &str = "decisions.jsonl";

/// Lines that are written together.
const BATCH: i64 = 10_000;

/// How the journal and the database differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct JournalDifference {
    /// What only the database has.
    pub unwritten: Vec<Decision>,
    /// What only the journal has, or has of a later time: decisions that the database lost.
    pub lost: Vec<Decision>,
    /// Lines that cannot be read; one that was cut off when the power went is one of them.
    pub bad_lines: usize,
}

/// What decides about what.
type Key = (String, String, ContentHash);

fn key(decision: &Decision) -> Key {
    (decision.set.clone(), decision.label.clone(), decision.image)
}

impl Store {
    /// Where decisions have their second copy.
    pub fn journal_path(&self) -> PathBuf {
        self.folder().join(JOURNAL)
    }

    /// How many decisions are not in the journal yet, since it could not be written.
    pub fn journal_waiting(&self) -> Result<i64> {
        self.read(|db| Ok(db.query_row("SELECT count(*) FROM journal", [], |row| row.get(0))?))
    }

    /// Writes what waits for the journal. Where that fails it waits on: the decisions themselves are kept.
    pub fn write_journal(&self) -> Result<()> {
        let path = self.journal_path();
        loop {
            let waiting = self.read(|db| {
                let mut select =
                    db.prepare_cached("SELECT id, line FROM journal ORDER BY id LIMIT ?1")?;
                let rows = select.query_map([BATCH], |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok(rows.collect::<rusqlite::Result<Vec<(i64, String)>>>()?)
            })?;
            let Some(&(last, _)) = waiting.last() else {
                return Ok(());
            };
            let lines: Vec<String> = waiting.into_iter().map(|(_, line)| line).collect();
            append(&path, &lines).map_err(|source| StoreError::Folder {
                path: path.clone(),
                source,
            })?;
            self.write(|db| {
                db.execute("DELETE FROM journal WHERE id <= ?1", [last])?;
                Ok(())
            })?;
        }
    }

    /// As [`Store::write_journal`]; that it fails is told, and is no reason to refuse what was decided.
    pub(super) fn try_write_journal(&self) {
        if let Err(error) = self.write_journal() {
            warn!(
                %error,
                "what was decided is kept, but has no second copy yet: it is written as soon as that is possible"
            );
        }
    }

    /// Compares the journal with the database, once all is written that waits for it.
    pub fn journal_difference(&self) -> Result<JournalDifference> {
        let path = self.journal_path();
        let text = read(&path).map_err(|source| StoreError::Folder { path, source })?;
        let (mut journal, bad_lines) = last_words(&text);
        let mut difference = JournalDifference {
            bad_lines,
            ..JournalDifference::default()
        };
        for decision in self.decisions(&WhichDecisions::default())? {
            match journal.remove(&key(&decision)) {
                Some(written) if written.verdict == decision.verdict => {}
                Some(written) if written.decided_at > decision.decided_at => {
                    difference.lost.push(written);
                }
                _ => difference.unwritten.push(decision),
            }
        }
        let left = journal.into_values();
        difference
            .lost
            .extend(left.filter(|written| written.verdict.is_some()));
        Ok(difference)
    }

    /// Brings the journal to what the database says, as at the start of a process. Returns what differs then.
    pub fn sync_journal(&self) -> Result<JournalDifference> {
        self.write_journal()?;
        let mut difference = self.journal_difference()?;
        let unwritten = std::mem::take(&mut difference.unwritten);
        self.write(|db| unwritten.iter().try_for_each(|decision| put(db, decision)))?;
        self.write_journal()?;
        Ok(difference)
    }
}

/// Lets a decision wait for the journal.
pub(super) fn put(db: &Transaction<'_>, decision: &Decision) -> Result<()> {
    let line = serde_json::to_string(decision)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let mut insert = db.prepare_cached("INSERT INTO journal (line) VALUES (?1)")?;
    insert.execute(params![line])?;
    Ok(())
}

/// What a journal says last about each image and label, and how many of its lines cannot be read.
fn last_words(text: &[u8]) -> (BTreeMap<Key, Decision>, usize) {
    let mut last = BTreeMap::new();
    let mut bad_lines = 0;
    for line in text.split(|byte| *byte == b'\n') {
        match serde_json::from_slice::<Decision>(line) {
            Ok(decision) => drop(last.insert(key(&decision), decision)),
            Err(_) if line.trim_ascii().is_empty() => {}
            Err(_) => bad_lines += 1,
        }
    }
    (last, bad_lines)
}

/// The text of a journal, which is empty where there is none.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    if is_there(path)? {
        fs::read(path)
    } else {
        Ok(Vec::new())
    }
}

/// Whether there is a journal. What is no regular file may have no end, and is none.
fn is_there(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Ok(metadata) if !metadata.is_file() => Err(io::Error::other("it is no regular file")),
        metadata => metadata.map(|_| true),
    }
}

/// Appends lines and waits until they are on the disk; none of them is there where that fails.
fn append(path: &Path, lines: &[String]) -> io::Result<()> {
    is_there(path)?;
    private::make_file(path)?;
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    let length = file.metadata()?.len();
    let mut text = String::new();
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::Start(length - 1))?;
        file.read_exact(&mut last)?;
        // The line that was being written when the power went.
        if last != *b"\n" {
            text.push('\n');
        }
    }
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_data());
    if written.is_err() {
        // Half a line would be no harm, only untidy.
        let _ = file.set_len(length);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Verdict;

    fn decision(seed: u8, verdict: Option<Verdict>, decided_at: &str) -> Decision {
        Decision {
            image: ContentHash([seed; 32]),
            set: "set".to_owned(),
            label: "label".to_owned(),
            verdict,
            decided_at: Some(decided_at.to_owned()),
        }
    }

    const YES: Option<Verdict> = Some(Verdict::Confirmed);

    fn library() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        (folder, store)
    }

    #[test]
    fn every_decision_is_a_line_and_nothing_new_is_none() {
        let (_folder, store) = library();
        let first = [decision(1, YES, "2024"), decision(2, YES, "2024")];
        store.decide(&first, &[]).unwrap();
        store.decide(&first, &[]).unwrap();
        let now = Decision {
            decided_at: None,
            ..decision(1, None, "")
        };
        store.decide(&[now], &[]).unwrap();
        let text = fs::read(store.journal_path()).unwrap();
        let lines = Decision::parse_lines(&text).unwrap();
        assert_eq!(lines[..2], first);
        assert_eq!((lines.len(), lines[2].verdict), (3, None));
        assert_eq!(lines[2].decided_at.as_ref().unwrap().len(), 20);
        assert_eq!(
            store.journal_difference().unwrap(),
            JournalDifference::default()
        );
    }

    #[test]
    fn what_the_journal_lacks_is_written_at_the_next_start() {
        let (_folder, store) = library();
        store.decide(&[decision(1, YES, "2024")], &[]).unwrap();
        let path = store.journal_path();
        let whole = fs::read(&path).unwrap();
        // Gone, cut within a line, and overwritten.
        fs::remove_file(&path).unwrap();
        store.sync_journal().unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole);
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert_eq!(store.sync_journal().unwrap().bad_lines, 1);
        assert!(fs::read(&path).unwrap().ends_with(&whole));
        assert!(store.sync_journal().unwrap().lost.is_empty());
        fs::write(&path, "hello\n").unwrap();
        store.sync_journal().unwrap();
        assert!(fs::read(&path).unwrap().ends_with(&whole));
    }

    #[test]
    fn what_cannot_be_written_waits() {
        let (_folder, store) = library();
        fs::create_dir(store.journal_path()).unwrap();
        assert_eq!(store.decide(&[decision(1, YES, "2024")], &[]).unwrap(), 1);
        assert_eq!(store.journal_waiting().unwrap(), 1);
        fs::remove_dir(store.journal_path()).unwrap();
        store.decide(&[decision(2, YES, "2024")], &[]).unwrap();
        assert_eq!(store.journal_waiting().unwrap(), 0);
        let (last, _) = last_words(&fs::read(store.journal_path()).unwrap());
        assert_eq!(last.len(), 2);
    }

    #[test]
    fn what_the_database_lost_is_known_from_the_journal() {
        let (_folder, store) = library();
        let all = [
            decision(1, YES, "2024"),
            decision(2, YES, "2024"),
            decision(3, YES, "2024"),
            decision(4, YES, "2024"),
        ];
        store.decide(&all, &[]).unwrap();
        store.decide(&[decision(2, None, "2025")], &[]).unwrap();
        store
            .decide(&[decision(3, Some(Verdict::Rejected), "2025")], &[])
            .unwrap();
        // The database as it was before, but for one.
        let go_back = |db: &Transaction<'_>| {
            db.execute("DELETE FROM decisions", [])?;
            for decision in &all[1..] {
                super::super::decisions::put(db, decision)?;
            }
            Ok(())
        };
        store.write(go_back).unwrap();
        let lost = store.sync_journal().unwrap().lost;
        assert_eq!(lost.len(), 3);
        store.decide(&lost, &[]).unwrap();
        assert_eq!(
            store.journal_difference().unwrap(),
            JournalDifference::default()
        );
        let kept = store.decisions(&WhichDecisions::default()).unwrap();
        let kept: Vec<_> = kept
            .iter()
            .map(|kept| (kept.image.0[0], kept.verdict))
            .collect();
        assert_eq!(kept, [(1, YES), (3, Some(Verdict::Rejected)), (4, YES)]);
    }
}
