//! `SQLite`: the truth. One connection writes, a few read; every other part of the program holds a cheap handle.
//!
//! Writes are whole: each is one immediate transaction, so a reader and a crash see all of it or nothing.

mod absence;
mod backup;
mod changes;
mod companions;
mod damage;
mod date;
mod decisions;
mod embeddings;
mod facets;
mod feed;
mod file_state;
mod files;
mod filter;
mod forget;
mod frames;
mod given;
mod hash;
mod ids;
mod images;
mod journal;
mod keywords;
mod label_sets;
mod lock;
mod models;
mod names;
mod order;
mod outbox;
mod paths;
mod places;
mod private;
mod purge;
mod record;
mod roots;
mod salvage;
#[cfg(test)]
mod samples;
mod searches;
mod select;
mod sidecars;
mod tag_events;
mod tagging;
mod tags;
mod taken;
mod tokens;
mod waiting;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior,
};
use rusqlite_migration::MigrationDefinitionError::DatabaseTooFarAhead;
use rusqlite_migration::{Error as MigrationError, M, Migrations};
use thiserror::Error;

pub use absence::SeenFile;
pub use backup::BackupFile;
pub use changes::TagChange;
pub use date::{BadDate, PartialDate};
pub use decisions::{BadDecision, Decision, Verdict, WhichDecisions};
pub use embeddings::KnownContent;
pub use facets::{Count, Facet, Facets};
pub use feed::{Event, Feed, Indexed, SetApplied, Told};
pub use file_state::{DecoderVerdict, FileStat, FileState, SidecarStamp};
pub use files::{Failure, KnownFile, ShotFile};
pub use filter::{Area, BadArea, BadSpan, Excluded, Filter, Span, TooMuchFilter, VALUE_CHARACTERS};
pub use forget::ForgettableFile;
pub use given::Given;
pub use hash::{BadImageId, ContentHash};
pub use ids::{FileId, FrameId, HookId, ImageId, LabelId, ModelId, RootId};
pub use images::ImageRow;
pub use journal::JournalDifference;
pub use keywords::FileKeywords;
pub use label_sets::{AppliedLabel, AppliedSet, LearnedState, NamedLabel};
pub use lock::{Lock, LockError, Owner};
pub use models::KnownModel;
pub use names::{LABEL_CHARACTERS, LabelName, LabelRef, NameError, SET_NAME_CHARACTERS, SetName};
pub use order::{BadOrder, Order, Place};
pub use outbox::{HookStatus, QueuedEvent, TagEvent};
pub use places::{Cell, MOST_CELLS};
pub use purge::Purged;
pub use record::{Content, FileRecord, Left, Reading, Recorded};
pub use roots::Root;
pub use salvage::Salvaged;
pub use searches::{SEARCH_NAME_CHARACTERS, SaveError, SavedSearch};
pub use sidecars::{TaggedFile, Written};
pub use tagging::{ImageTags, LibraryTags, Retagged};
pub use tags::{Source, Tag, TagCount, TagDifference};
pub use tokens::{BadTokenName, NoRandomness, Scope, Secret, Token, TokenError, TokenName};
pub use waiting::{Waiting, WaitingFile, WaitingGroup};

/// Connections kept for readers, more than are at work mostly. More may be open at a time; these are kept for the next reader, as
/// one that is opened reads the whole schema.
const IDLE_READERS: usize = 32;

/// The name of the database inside the library's folder.
const DATABASE: &str = "library.db";

/// What can go wrong in the store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database refused.
    #[error("the library's database failed: {0}{also}", also = causes(.0))]
    Sqlite(rusqlite::Error),
    /// Bytes of the database are not what was written.
    #[error(
        "the library's database is damaged ({0}): put a backup back with `pixdex restore FILE`, or keep what can be read with \
         `pixdex check --repair`"
    )]
    Corrupt(rusqlite::Error),
    /// A library whose database is no database, while other parts of it are there.
    #[error(
        "`{path}` {what}, and an older library was here: put a backup back with `pixdex restore FILE`, keep what is left with \
         `pixdex check --repair`, or move `{folder}` away to begin anew"
    )]
    Lost {
        /// The database.
        path: PathBuf,
        /// The library's folder.
        folder: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A database that pixdex did not make.
    #[error(
        "`{0}` is the database of another program: move it away, or put the library elsewhere with --data-dir"
    )]
    Foreign(PathBuf),
    /// A database that a later version brought up to date.
    #[error(
        "`{0}` was written by a newer pixdex than this one ({version}): take that one, or put a backup of before back with \
         `pixdex restore FILE`",
        version = env!("CARGO_PKG_VERSION")
    )]
    Newer(PathBuf),
    /// The schema could not be brought up to date.
    #[error("failed to bring the database `{path}` up to date: {source}")]
    Migrate {
        /// The database.
        path: PathBuf,
        /// The cause.
        source: rusqlite_migration::Error,
    },
    /// The library's folder could not be made or read.
    #[error("failed to open the library in `{path}`: {source}")]
    Folder {
        /// The library's folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A command that only reads was pointed at a folder without a library.
    #[error(
        "there is no library in `{0}`: make one with `pixdex index FOLDER` or `pixdex serve FOLDER`"
    )]
    NoLibrary(PathBuf),
    /// A library that cannot be written, and whose last changes stand in a log beside the database.
    #[error(
        "the library in `{0}` cannot be written, and was not closed before: open it once where it can be, as with \
         `pixdex status`"
    )]
    NotClosed(PathBuf),
    /// A file that cannot be put back as a library.
    #[error("it is no whole backup: {0}")]
    BadBackup(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        if damage::is_damage(&error) {
            StoreError::Corrupt(error)
        } else {
            StoreError::Sqlite(error)
        }
    }
}

type Result<T> = std::result::Result<T, StoreError>;

/// A handle on the library's database.
#[derive(Debug, Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    /// How readers open it.
    flags: OpenFlags,
    writer: Mutex<Connection>,
    idle_readers: Mutex<Vec<Connection>>,
    /// Transactions that were kept since the library was opened.
    commits: AtomicU64,
    feed: Feed,
    changes: changes::Changes,
}

impl Store {
    /// Opens the library in `data_dir`, making the folder and the database where there is none.
    pub fn open(data_dir: &Path) -> Result<Store> {
        let folder = |source| StoreError::Folder {
            path: data_dir.to_owned(),
            source,
        };
        private::make_folder(data_dir).map_err(folder)?;
        damage::check_file(data_dir)?;
        Store::create(data_dir)
    }

    /// As [`Store::open`], whatever lies beside the database.
    fn create(data_dir: &Path) -> Result<Store> {
        let path = data_dir.join(DATABASE);
        // `SQLite` tells why not where this fails, as in a library that cannot be written.
        let _ = private::make_file(&path);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let writer = connect(&path, flags | OpenFlags::SQLITE_OPEN_CREATE)?;
        damage::check_owner(&writer, &path)?;
        // Before the first table: what is purged can then be given back to the file system step by step, and leaves no trace.
        writer.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        writer.pragma_update(None, "secure_delete", true)?;
        // A write-ahead log lets readers go on while a batch is written; NORMAL survives a killed process always, and
        // a power cut with at most the last transactions missing, which the next scan makes up for.
        writer.pragma_update(None, "journal_mode", "WAL")?;
        writer.pragma_update(None, "synchronous", "NORMAL")?;
        Store::with(writer, path, flags)
    }

    fn with(mut writer: Connection, path: PathBuf, flags: OpenFlags) -> Result<Store> {
        migrations()
            .to_latest(&mut writer)
            .map_err(|source| match source {
                MigrationError::MigrationDefinition(DatabaseTooFarAhead) => {
                    StoreError::Newer(path.clone())
                }
                source => StoreError::Migrate {
                    path: path.clone(),
                    source,
                },
            })?;
        let shared = Shared {
            path,
            flags,
            writer: Mutex::new(writer),
            idle_readers: Mutex::default(),
            commits: AtomicU64::default(),
            feed: Feed::default(),
            changes: changes::Changes::default(),
        };
        Ok(Store {
            shared: Arc::new(shared),
        })
    }

    /// Opens a library that must exist already; one that cannot be written is only read.
    pub fn open_existing(data_dir: &Path) -> Result<Store> {
        damage::check_file(data_dir)?;
        if !data_dir.join(DATABASE).exists() {
            return Err(StoreError::NoLibrary(data_dir.to_owned()));
        }
        match Store::open(data_dir) {
            Err(StoreError::Sqlite(error)) if is_unwritable(&error) => {
                Store::open_unwritable(data_dir)
            }
            opened => opened,
        }
    }

    /// `SQLite` cannot make a log's files beside the database here, and is told that nobody else writes it either. It then
    /// looks at no log at all, so there must be none.
    fn open_unwritable(data_dir: &Path) -> Result<Store> {
        let log = data_dir.join(format!("{DATABASE}-wal"));
        if log.metadata().is_ok_and(|log| log.len() > 0) {
            return Err(StoreError::NotClosed(data_dir.to_owned()));
        }
        let path = immutable(&data_dir.join(DATABASE));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        Store::with(connect(&path, flags)?, path, flags)
    }

    /// The library's folder.
    fn folder(&self) -> &Path {
        self.shared.path.parent().unwrap_or(&self.shared.path)
    }

    /// What happens to the library, as it happens.
    pub fn feed(&self) -> &Feed {
        &self.shared.feed
    }

    /// A fact about the library as a whole.
    pub fn fact(&self, name: &str) -> Result<Option<String>> {
        self.read(|db| {
            let mut select = db.prepare_cached("SELECT value FROM facts WHERE name = ?1")?;
            Ok(select.query_row([name], |row| row.get(0)).optional()?)
        })
    }

    /// Remembers a fact about the library as a whole.
    pub fn set_fact(&self, name: &str, value: &str) -> Result<()> {
        self.write(|db| {
            let insert = "INSERT INTO facts (name, value) VALUES (?1, ?2)
                          ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            db.execute(insert, [name, value])?;
            Ok(())
        })
    }

    /// Runs `work` on a connection that sees one state of the library throughout.
    fn read<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let idle = locked(&self.shared.idle_readers).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => connect(&self.shared.path, self.shared.flags)?,
        };
        let answer = work(&reader.transaction()?);
        let mut idle_readers = locked(&self.shared.idle_readers);
        if idle_readers.len() < IDLE_READERS {
            idle_readers.push(reader);
        }
        answer
    }

    /// Runs `work` on the connection that writes, outside any transaction.
    fn with_writer<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        work(&locked(&self.shared.writer))
    }

    /// Runs `work` in one transaction, which is kept only when `work` succeeds.
    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut writer = locked(&self.shared.writer);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let answer = work(&transaction)?;
        transaction.commit()?;
        self.shared.commits.fetch_add(1, Ordering::AcqRel);
        Ok(answer)
    }

    /// A number that is another one after each write: what was read while it was the same is still so.
    pub fn state(&self) -> u64 {
        self.shared.commits.load(Ordering::Acquire)
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // The default of 16 is less than the statements that one batch and one search use.
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// What stands behind an error whose words do not tell: `SQLite` says nothing of the system's own reason.
fn causes(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen) => {
            " (Too many open files, or a folder that is gone or may not be written)"
        }
        _ => "",
    }
}

fn is_unwritable(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen)
    )
}

/// The address of a database that nobody writes.
fn immutable(path: &Path) -> PathBuf {
    let escaped = |byte: &u8| match byte {
        b'/' | b'.' | b'-' | b'_' => char::from(*byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let path: String = path
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .map(escaped)
        .collect();
    PathBuf::from(format!("file:{path}?immutable=1"))
}

fn migrations() -> Migrations<'static> {
    Migrations::new(vec![
        M::up(include_str!("../../migrations/0001_library.sql")),
        M::up(include_str!("../../migrations/0002_live_images.sql")),
        M::up(include_str!("../../migrations/0003_decisions.sql")),
        M::up(include_str!("../../migrations/0004_file_names.sql")),
        M::up(include_str!("../../migrations/0005_hooks.sql")),
        M::up(include_str!("../../migrations/0006_keywords.sql")),
        M::up(include_str!("../../migrations/0007_imported.sql")),
        M::up(include_str!("../../migrations/0008_scores.sql")),
        M::up(include_str!("../../migrations/0009_learned.sql")),
        M::up(include_str!("../../migrations/0010_views.sql")),
        M::up(include_str!("../../migrations/0011_purge.sql")),
        M::up(include_str!("../../migrations/0012_roots.sql")),
        M::up(include_str!("../../migrations/0013_trouble.sql")),
        M::up(include_str!("../../migrations/0014_journal.sql")),
        M::up(include_str!("../../migrations/0015_models.sql")),
        M::up(include_str!("../../migrations/0016_readers.sql")),
        M::up(include_str!("../../migrations/0017_videos.sql")),
        M::up(include_str!("../../migrations/0018_companions.sql")),
        M::up(include_str!("../../migrations/0019_tokens.sql")),
        M::up(include_str!("../../migrations/0020_orders.sql")),
        M::up(include_str!("../../migrations/0021_given_keywords.sql")),
        M::up(include_str!("../../migrations/0022_searches.sql")),
        M::up(include_str!("../../migrations/0023_colours.sql")),
    ])
}

/// A panic elsewhere leaves a connection sound: its transaction was rolled back when it was dropped.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_cannot_be_opened_tells_what_may_stand_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone").join(DATABASE);
        let error = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap_err();
        assert!(error.to_string().contains("open files"), "{error}");
    }

    #[test]
    fn migrations_are_valid() {
        migrations().validate().unwrap();
    }

    #[test]
    fn a_library_of_a_newer_version_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        drop(Store::open(folder.path()).unwrap());
        let path = folder.path().join(DATABASE);
        let newer = Connection::open(&path).unwrap();
        newer.pragma_update(None, "user_version", 999).unwrap();
        drop(newer);
        for open in [Store::open, Store::open_existing] {
            let error = open(folder.path()).unwrap_err().to_string();
            assert!(
                error.contains("newer pixdex") && error.contains("pixdex restore"),
                "{error}"
            );
        }
        let after = Connection::open(&path).unwrap();
        let version = after.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
        assert_eq!(version.unwrap(), 999);
    }

    #[test]
    fn a_library_of_an_older_version_opens_and_what_it_learned_is_learned_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut old = Connection::open(folder.path().join(DATABASE)).unwrap();
        migrations().to_version(&mut old, 8).unwrap();
        old.execute_batch(
            "INSERT INTO roots (id, path) VALUES (1, x'2f61');
             INSERT INTO images (id, hash, format, size_bytes, width, height) VALUES (1, zeroblob(32), 'png', 1, 2, 3);
             INSERT INTO files (root_id, path, name, size_bytes, modified_ns, inode, state, image_id, sidecars)
                 VALUES (1, x'2f612f62', 'b', 1, 2, 3, 'indexed', 1, '1:2:3 -'),
                        (1, x'2f612f63', 'c', 1, 2, 3, 'gone', 1, NULL);
             INSERT INTO label_sets (id, name, key, signature, definition, learned_from)
                 VALUES (1, 'plain', 'plain', 'p', '', 0), (2, 'learned', 'learned', 'l', '', 50);
             INSERT INTO labels (id, label_set_id, name) VALUES (1, 2, 'x');
             INSERT INTO likenesses (label_id, worth, bias, way) VALUES (1, 0.5, 0, x'00000000');
             INSERT INTO tags (label_id, image_id, score) VALUES (1, 1, 0.5);",
        )
        .unwrap();
        drop(old);
        let store = Store::open(folder.path()).unwrap();
        let sets = store.label_sets().unwrap();
        assert_eq!(
            (&*sets["plain"].signature, &*sets["learned"].signature),
            ("p", "")
        );
        assert!(sets.values().all(|set| set.learned.is_none()));
        let image = store.images(&[ImageId(1)]).unwrap().remove(0);
        assert_eq!(image.paths, [Path::new("/a/b")]);
        assert_eq!(image.tags[0].label, "x");
        let model = store.model("fingerprint", "name").unwrap();
        let known = store.known_file(Path::new("/a/b"), model).unwrap().unwrap();
        assert_eq!(known.state, FileState::Indexed);
        let stat = FileStat {
            size_bytes: 1,
            modified_ns: 2,
            changed_ns: 0,
            inode: 3,
        };
        assert_eq!(known.sidecars, Some(SidecarStamp::of([Some(stat), None])));
    }

    /// `SQLite` puts the text of a view in the place of its name, and so finds the index that the query needs.
    #[test]
    fn views_are_looked_through() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        for (query, index) in [
            (
                "live_files WHERE image_id = 1",
                "files_by_image (image_id=?)",
            ),
            (
                "live_files WHERE image_id IN (SELECT value FROM json_each('[]'))",
                "files_by_image (image_id=?)",
            ),
            (
                "companion_files WHERE image_id = 1",
                "files_by_main (main_id=?)",
            ),
            (
                "shot_files WHERE path > x'00' AND path < x'01'",
                "sqlite_autoindex_files_1 (path>? AND path<?)",
            ),
            (
                "keywords k JOIN shot_files f ON f.id = k.file_id WHERE k.keyword = 'x'",
                "INTEGER PRIMARY KEY (rowid=?)",
            ),
            (
                "known_files WHERE root_id = 1",
                "files_by_root_and_state (root_id=?)",
            ),
            (
                "known_files WHERE path = x'00'",
                "sqlite_autoindex_files_1 (path=?)",
            ),
            (
                "readable_files WHERE path > x'00' AND path < x'01'",
                "sqlite_autoindex_files_1 (path>? AND path<?)",
            ),
            (
                "sidecar_files WHERE id > 1 ORDER BY id",
                "INTEGER PRIMARY KEY (rowid>?)",
            ),
            (
                "sidecar_files WHERE image_id IN (1, 2)",
                "files_by_image (image_id=?)",
            ),
            (
                "tags t JOIN named_labels l ON l.id = t.label_id WHERE t.image_id = 1",
                "tags_by_image (image_id=?)",
            ),
        ] {
            let plan = store.read(|db| {
                let mut explain =
                    db.prepare(&format!("EXPLAIN QUERY PLAN SELECT * FROM {query}"))?;
                let rows = explain.query_map([], |row| row.get(3))?;
                Ok(rows.collect::<rusqlite::Result<Vec<String>>>()?)
            });
            let plan = plan.unwrap().join("\n");
            let is_whole = ["SCAN files", "MATERIALIZE", "CO-ROUTINE", "B-TREE"];
            assert!(
                plan.contains(index) && !is_whole.iter().any(|whole| plan.contains(whole)),
                "{query}: {plan}"
            );
        }
    }

    #[test]
    fn facts_outlive_the_handle() {
        let folder = tempfile::tempdir().unwrap();
        Store::open(folder.path())
            .unwrap()
            .set_fact("model", "bundled")
            .unwrap();
        let store = Store::open_existing(folder.path()).unwrap();
        assert_eq!(store.fact("model").unwrap().as_deref(), Some("bundled"));
        assert_eq!(store.fact("nothing").unwrap(), None);
    }

    #[test]
    fn a_database_that_nobody_writes_is_read_and_one_with_a_log_beside_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("a %41?#");
        let store = Store::open(&data_dir).unwrap();
        store.set_fact("model", "bundled").unwrap();
        let error = Store::open_unwritable(&data_dir).unwrap_err();
        assert!(matches!(error, StoreError::NotClosed(_)), "{error}");
        drop(store);
        let store = Store::open_unwritable(&data_dir).unwrap();
        assert_eq!(store.fact("model").unwrap().as_deref(), Some("bundled"));
        let error = store.set_fact("model", "other").unwrap_err();
        assert!(
            matches!(&error, StoreError::Sqlite(error) if is_unwritable(error)),
            "{error}"
        );
    }

    #[test]
    fn a_missing_library_is_an_error_that_names_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let error = Store::open_existing(&folder.path().join("no"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("pixdex index"), "{error}");
        assert!(!folder.path().join("no").exists());
    }
}
