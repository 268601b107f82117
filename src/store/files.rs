//! Files: which paths are known, what they looked like when they were last read, and what became of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::gains::Gains;
use super::images::{self, ImageId, ModelId};
use super::{
    ContentHash, FileKeywords, LabelId, Result, RootId, SidecarStamp, Store, StoreError, TagChange,
    imported, keywords, paths, tags,
};
use crate::decode::Metadata;
use crate::embed::Embedding;

/// What a file looks like from outside; a difference means that it must be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// Length.
    pub size_bytes: i64,
    /// Time of the last change, nanoseconds since 1970.
    pub modified_ns: i64,
    /// The file system's number; 0 where there is none.
    pub inode: i64,
}

impl FileStat {
    /// Reads it off what the file system says.
    pub fn of(metadata: &std::fs::Metadata) -> FileStat {
        let modified = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        FileStat {
            size_bytes: metadata.len() as i64,
            modified_ns: modified.map_or(0, |age| age.as_nanos() as i64),
            inode: inode(metadata),
        }
    }
}

#[cfg(unix)]
fn inode(metadata: &std::fs::Metadata) -> i64 {
    std::os::unix::fs::MetadataExt::ino(metadata) as i64
}

#[cfg(not(unix))]
fn inode(_: &std::fs::Metadata) -> i64 {
    0
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileState {
    /// Known, not read yet.
    Pending,
    /// Holds an image of the library.
    Indexed,
    /// Not a picture, for a reason that is kept.
    Failed,
    /// Its root is away.
    Offline,
    /// No longer there.
    Gone,
}

impl FileState {
    fn parse(name: &str) -> Result<FileState> {
        Ok(match name {
            "pending" => FileState::Pending,
            "indexed" => FileState::Indexed,
            "failed" => FileState::Failed,
            "offline" => FileState::Offline,
            "gone" => FileState::Gone,
            _ => return Err(StoreError::Damaged(format!("a file in the state `{name}`"))),
        })
    }
}

/// A file that the library knows.
#[derive(Debug, Clone)]
pub struct KnownFile {
    /// What it looked like when it was last read.
    pub stat: FileStat,
    /// What became of it.
    pub state: FileState,
    /// What its sidecars looked like when its keywords were last read; none where they never were.
    pub sidecars: Option<SidecarStamp>,
    /// Whether its image has an embedding of the model at hand.
    pub is_embedded: bool,
}

/// A file that could not be indexed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The file.
    pub path: PathBuf,
    /// Why, for people.
    pub reason: String,
}

/// What reading one file brought.
#[derive(Debug)]
pub struct FileRecord {
    /// The root that it lies under.
    pub root: RootId,
    /// The file.
    pub path: PathBuf,
    /// What it looked like before it was read.
    pub stat: FileStat,
    /// The image, or the reason why there is none.
    pub content: std::result::Result<Content, String>,
}

/// A picture's content with everything that is kept of it.
#[derive(Debug)]
pub struct Content {
    /// Its identity.
    pub hash: ContentHash,
    /// What the file says about it.
    pub metadata: Metadata,
    /// Keywords of this file.
    pub keywords: FileKeywords,
    /// Its vector.
    pub embedding: Embedding,
    /// Its labels with their scores.
    pub tags: Vec<(LabelId, f32)>,
}

/// What a batch of records changed.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The image of each record, in their order; none where the file failed.
    pub images: Vec<Option<ImageId>>,
    /// Images that lost their last file to this batch.
    pub orphaned: Vec<ImageId>,
}

impl Store {
    /// The files known under `folder` of a root, with all but those that are gone.
    pub fn known_files(
        &self,
        root: RootId,
        folder: &Path,
        model: ModelId,
    ) -> Result<HashMap<PathBuf, KnownFile>> {
        self.read(|db| {
            let mut select = db.prepare_cached(&format!(
                "{SELECT_KNOWN} WHERE root_id = ?2 AND state <> 'gone' AND path >= ?3 AND path < ?4"
            ))?;
            let (first, end) = paths::below(folder);
            let mut rows = select.query(params![model.0, root.0, first, end])?;
            let mut files = HashMap::new();
            while let Some(row) = rows.next()? {
                files.insert(paths::from_bytes(row.get(0)?), known_file(row)?);
            }
            Ok(files)
        })
    }

    /// One file, if it is known and not gone.
    pub fn known_file(&self, path: &Path, model: ModelId) -> Result<Option<KnownFile>> {
        self.read(|db| {
            let mut select = db.prepare_cached(&format!(
                "{SELECT_KNOWN} WHERE state <> 'gone' AND path = ?2"
            ))?;
            let mut rows = select.query(params![model.0, paths::to_bytes(path)])?;
            rows.next()?.map(known_file).transpose()
        })
    }

    /// Remembers files that are to be read, so that a killed process finds them again.
    pub fn add_pending(&self, root: RootId, files: &[(PathBuf, FileStat)]) -> Result<()> {
        self.write(|db| {
            let mut insert = db.prepare_cached(
                "INSERT INTO files (root_id, path, name, size_bytes, modified_ns, inode, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending') ON CONFLICT (path) DO NOTHING",
            )?;
            for (path, stat) in files {
                insert.execute(params![
                    root.0,
                    paths::to_bytes(path),
                    paths::name(path),
                    stat.size_bytes,
                    stat.modified_ns,
                    stat.inode
                ])?;
            }
            Ok(())
        })
    }

    /// Marks files as no longer there and returns the images that lost their last one.
    pub fn mark_gone(&self, files: &[PathBuf]) -> Result<Vec<ImageId>> {
        let (gone, orphaned) = self.write(|db| {
            let mut images = Vec::new();
            let mut update = db.prepare_cached(
                "UPDATE files SET state = 'gone', reason = NULL WHERE path = ?1 AND state <> 'gone' RETURNING image_id",
            )?;
            for path in files {
                let image: Option<Option<i64>> =
                    update.query_row([paths::to_bytes(path)], |row| row.get(0)).optional()?;
                images.extend(image.flatten().map(ImageId));
            }
            Ok((images.iter().copied().collect(), orphans(db, images)?))
        })?;
        self.shared.changes.note(TagChange::Images(gone));
        Ok(orphaned)
    }

    /// Writes what a batch of files brought, in one transaction.
    pub fn record(&self, model: ModelId, records: &[FileRecord]) -> Result<Recorded> {
        let recorded = self.write_tags(|db| {
            let (mut recorded, mut gains) = (Recorded::default(), Gains::begin(db)?);
            let mut replaced = Vec::new();
            for record in records {
                let image = match &record.content {
                    Ok(content) => {
                        let size_bytes = record.stat.size_bytes;
                        Some(record_content(db, model, size_bytes, content, &mut gains)?)
                    }
                    Err(_) => None,
                };
                replaced.extend(record_file(db, record, image)?);
                recorded.images.push(image);
            }
            recorded.orphaned = orphans(db, replaced)?;
            Ok((recorded, gains))
        })?;
        let images = recorded.images.iter().flatten().copied();
        self.shared
            .changes
            .note(TagChange::Images(images.collect()));
        Ok(recorded)
    }

    /// Files that could not be indexed, or whose sidecars could not be read or written, by path.
    pub fn failures(&self) -> Result<Vec<Failure>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT path, reason FROM files WHERE state = 'failed' UNION ALL
                 SELECT path, sidecar_error FROM files WHERE sidecar_error IS NOT NULL AND state = 'indexed'
                 ORDER BY path",
            )?;
            let rows = select.query_map([], |row| {
                Ok(Failure {
                    path: paths::from_bytes(row.get(0)?),
                    reason: row.get(1)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// How many files are in each state.
    pub fn file_counts(&self) -> Result<Vec<(String, i64)>> {
        self.read(|db| {
            let mut select =
                db.prepare_cached("SELECT state, count(*) FROM files GROUP BY state")?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The paths under which an image can be read now, in order.
    pub fn readable_paths(&self, image: ImageId) -> Result<Vec<PathBuf>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT path FROM files WHERE image_id = ?1 AND state = 'indexed' ORDER BY path",
            )?;
            let rows = select.query_map([image.0], |row| Ok(paths::from_bytes(row.get(0)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

const SELECT_KNOWN: &str = "
    SELECT path, size_bytes, modified_ns, inode, state, sidecars,
           EXISTS (SELECT 1 FROM embeddings e WHERE e.model_id = ?1 AND e.image_id = files.image_id)
    FROM files";

fn known_file(row: &Row<'_>) -> Result<KnownFile> {
    let stat = FileStat {
        size_bytes: row.get(1)?,
        modified_ns: row.get(2)?,
        inode: row.get(3)?,
    };
    let state: String = row.get(4)?;
    Ok(KnownFile {
        stat,
        state: FileState::parse(&state)?,
        sidecars: row.get::<_, Option<String>>(5)?.map(SidecarStamp::from),
        is_embedded: row.get(6)?,
    })
}

fn record_content(
    db: &Transaction<'_>,
    model: ModelId,
    size_bytes: i64,
    content: &Content,
    gains: &mut Gains,
) -> Result<ImageId> {
    let image = images::upsert(db, &content.hash, size_bytes, &content.metadata)?;
    images::put_embedding(db, model, image, &content.embedding)?;
    imported::forget(db, model, &content.hash)?;
    tags::replace_of_image(db, image, &content.tags, gains)?;
    Ok(image)
}

/// Writes the file's row and returns the image that it held before.
fn record_file(
    db: &Transaction<'_>,
    record: &FileRecord,
    image: Option<ImageId>,
) -> Result<Option<ImageId>> {
    let path = paths::to_bytes(&record.path);
    let mut select = db.prepare_cached("SELECT image_id FROM files WHERE path = ?1")?;
    let before: Option<Option<i64>> = select.query_row([&path], |row| row.get(0)).optional()?;
    let mut upsert = db.prepare_cached(
        "INSERT INTO files (root_id, path, name, size_bytes, modified_ns, inode, state, reason, image_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (path) DO UPDATE SET
             root_id = excluded.root_id, size_bytes = excluded.size_bytes, modified_ns = excluded.modified_ns,
             inode = excluded.inode, state = excluded.state, reason = excluded.reason, image_id = excluded.image_id",
    )?;
    let state = if image.is_some() { "indexed" } else { "failed" };
    let FileStat {
        size_bytes,
        modified_ns,
        inode,
    } = record.stat;
    let reason = record.content.as_ref().err();
    upsert.execute(params![
        record.root.0,
        path,
        paths::name(&record.path),
        size_bytes,
        modified_ns,
        inode,
        state,
        reason,
        image.map(|image| image.0)
    ])?;
    let keywords = record
        .content
        .as_ref()
        .ok()
        .map(|content| &content.keywords);
    keywords::replace(db, &path, keywords)?;
    Ok(before.flatten().map(ImageId))
}

/// Those of the images that no file holds any more.
fn orphans(db: &Transaction<'_>, mut images: Vec<ImageId>) -> Result<Vec<ImageId>> {
    images.sort_unstable();
    images.dedup();
    let mut select =
        db.prepare_cached("SELECT EXISTS (SELECT 1 FROM files WHERE image_id = ?1 AND state IN ('indexed', 'offline'))")?;
    let mut orphaned = Vec::new();
    for image in images {
        if !select.query_row([image.0], |row| row.get::<_, bool>(0))? {
            orphaned.push(image);
        }
    }
    Ok(orphaned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Filter;

    const STAT: FileStat = FileStat {
        size_bytes: 3,
        modified_ns: 4,
        inode: 5,
    };

    struct Library {
        _folder: tempfile::TempDir,
        store: Store,
        root: RootId,
        model: ModelId,
    }

    fn library() -> Library {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (root, model) = (
            store.root(Path::new("/photos")).unwrap(),
            store.model("fingerprint", "name").unwrap(),
        );
        Library {
            _folder: folder,
            store,
            root,
            model,
        }
    }

    impl Library {
        fn record(&self, path: &str, content: std::result::Result<u8, &str>) -> Recorded {
            let content = content.map_err(str::to_owned).map(|seed| Content {
                hash: ContentHash([seed; 32]),
                metadata: Metadata {
                    format: "png".to_owned(),
                    ..Metadata::default()
                },
                keywords: FileKeywords::none(),
                embedding: Embedding::new(vec![f32::from(seed), 1.0]).unwrap(),
                tags: Vec::new(),
            });
            let record = FileRecord {
                root: self.root,
                path: path.into(),
                stat: STAT,
                content,
            };
            self.store.record(self.model, &[record]).unwrap()
        }

        fn known(&self, path: &str) -> Option<KnownFile> {
            self.store.known_file(Path::new(path), self.model).unwrap()
        }

        fn paths(&self) -> Vec<Vec<PathBuf>> {
            let ids = self.store.matching(&Filter::default()).unwrap();
            self.store
                .images(&ids)
                .unwrap()
                .into_iter()
                .map(|row| row.paths)
                .collect()
        }
    }

    #[test]
    fn the_same_content_is_one_image() {
        let library = library();
        let first = library.record("/photos/a", Ok(1));
        let second = library.record("/photos/b", Ok(1));
        assert_eq!(first.images, second.images);
        assert_eq!(
            library.paths(),
            [[PathBuf::from("/photos/a"), "/photos/b".into()]]
        );
        let known = library.known("/photos/a").unwrap();
        assert_eq!(
            (known.stat, known.state, known.is_embedded),
            (STAT, FileState::Indexed, true)
        );
    }

    #[test]
    fn an_image_is_orphaned_by_its_last_file_only() {
        let library = library();
        let image = library.record("/photos/a", Ok(1)).images[0].unwrap();
        library.record("/photos/b", Ok(1));
        assert_eq!(library.record("/photos/a", Ok(2)).orphaned, []);
        assert_eq!(
            library.store.mark_gone(&["/photos/b".into()]).unwrap(),
            [image]
        );
        assert_eq!(library.store.mark_gone(&["/photos/b".into()]).unwrap(), []);
        assert_eq!(library.paths(), [[PathBuf::from("/photos/a")]]);
        assert!(library.known("/photos/b").is_none());
        // It comes back under another name: nothing has to be embedded.
        assert!(
            library
                .store
                .known_content(&ContentHash([1; 32]), library.model)
                .unwrap()
                .is_some()
        );
        assert_eq!(library.record("/photos/c", Ok(1)).images, [Some(image)]);
    }

    #[test]
    fn a_failed_file_keeps_its_reason_and_no_image() {
        let library = library();
        let image = library.record("/photos/a", Ok(1)).images[0].unwrap();
        assert_eq!(library.record("/photos/a", Err("cut")).orphaned, [image]);
        let failures = library.store.failures().unwrap();
        assert_eq!((failures.len(), failures[0].reason.as_str()), (1, "cut"));
        library.record("/photos/a", Ok(1));
        assert!(library.store.failures().unwrap().is_empty());
    }

    #[test]
    fn a_root_goes_offline_and_comes_back_with_all_its_files() {
        let library = library();
        library.record("/photos/a", Ok(1));
        library.record("/photos/bad", Err("cut"));
        library.store.set_root_online(library.root, false).unwrap();
        assert_eq!(
            library.known("/photos/a").unwrap().state,
            FileState::Offline
        );
        assert_eq!(library.paths().len(), 1, "offline images are still found");
        library.store.set_root_online(library.root, true).unwrap();
        assert_eq!(
            library.known("/photos/a").unwrap().state,
            FileState::Indexed
        );
        assert_eq!(
            library.known("/photos/bad").unwrap().state,
            FileState::Pending
        );
    }

    #[test]
    fn vectors_of_two_models_never_meet() {
        let library = library();
        library.record("/photos/a", Ok(1));
        let other = library.store.model("another", "name").unwrap();
        assert!(
            !library
                .store
                .known_file(Path::new("/photos/a"), other)
                .unwrap()
                .unwrap()
                .is_embedded
        );
        let live = library.store.live_images(library.model).unwrap();
        assert_eq!(live.len(), 1);
        assert_eq!(library.store.live_images(other).unwrap(), []);
        let count = |model| {
            let mut embeddings = 0;
            let each = library
                .store
                .each_embedding(model, &live, |_, _| embeddings += 1);
            each.map(|()| embeddings).unwrap()
        };
        assert_eq!((count(library.model), count(other)), (1, 0));
    }

    #[test]
    fn pending_files_are_remembered_and_change_nothing_that_is_known() {
        let library = library();
        library.record("/photos/a", Ok(1));
        let files = ["/photos/a", "/photos/new"].map(|path| (PathBuf::from(path), STAT));
        library.store.add_pending(library.root, &files).unwrap();
        assert_eq!(
            library.known("/photos/a").unwrap().state,
            FileState::Indexed
        );
        let known = library
            .store
            .known_files(library.root, Path::new("/photos"), library.model)
            .unwrap();
        assert_eq!(known[Path::new("/photos/new")].state, FileState::Pending);
    }
}
