//! What reading files brought, written in one transaction: files, images, embeddings, tags and keywords.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rusqlite::Transaction;

use super::absence::SeenFile;
use super::changes::TagChange;
use super::companions::{self, Relinked};
use super::file_state::DecoderVerdict;
use super::hash::ContentHash;
use super::ids::{FrameId, ImageId, ModelId, RootId};
use super::keywords::FileKeywords;
use super::tagging::ImageTags;
use super::tags::NewTags;
use super::{
    Result, Store, embeddings, files, frames, images, keywords, sidecars, tag_events, tags, taken,
    waiting,
};
use crate::decode::Metadata;
use crate::embed::Embedded;

/// What reading one file brought.
#[derive(Debug)]
pub struct FileRecord {
    /// The root that it lies under.
    pub root: RootId,
    /// The file, as it was when it was read.
    pub file: SeenFile,
    /// What became of it.
    pub reading: Reading,
}

/// What became of a file that was read.
#[derive(Debug)]
pub enum Reading {
    /// It holds an image.
    Image(Box<Content>),
    /// It holds none.
    Failed(DecoderVerdict),
    /// It cannot be read for the time being, for this reason: it keeps the image that it had, and is tried again.
    Waiting(String),
}

impl Reading {
    /// The image's content, where there is one.
    pub fn content(&self) -> Option<&Content> {
        match self {
            Reading::Image(content) => Some(content),
            Reading::Failed(_) | Reading::Waiting(_) => None,
        }
    }
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
    /// Its vectors.
    pub embedded: Embedded,
    /// Its labels.
    pub tags: ImageTags,
}

/// What a batch of records changed.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The image of each record, in their order; none where there is none.
    pub images: Vec<Option<ImageId>>,
    /// The numbers of the frames of videos among them, in order of time.
    pub frames: BTreeMap<ImageId, Vec<FrameId>>,
    /// Images that lost their last file to this batch, or whose files have become companions.
    pub orphaned: Vec<ImageId>,
    /// Files that stand for themselves again, and are to be read once more.
    pub parted: Vec<PathBuf>,
    /// Images that are no longer shown for themselves, each with the one that what was decided about it counts for now.
    pub heirs: Vec<(ImageId, ImageId)>,
}

/// What became of files that are gone.
#[derive(Debug, Default)]
pub struct Left {
    /// Images that lost their last file.
    pub orphaned: Vec<ImageId>,
    /// Files that stand for themselves again, and are to be read once more.
    pub parted: Vec<PathBuf>,
    /// Images that are no longer shown, each with the one that what was decided about it counts for now.
    pub heirs: Vec<(ImageId, ImageId)>,
}

impl Store {
    /// Writes what a batch of files brought, in one transaction.
    pub fn record(&self, model: ModelId, records: &[FileRecord]) -> Result<Recorded> {
        let recorded = self.write_tags(|db| {
            let mut recorded = Recorded::default();
            let mut new_tags = tag_events::watched_tags(db)?;
            let mut replaced = Vec::new();
            for record in records {
                let (image, before) = record_file(db, model, record)?;
                recorded.images.push(image);
                let content = record.reading.content();
                let video = content.and_then(|content| content.embedded.video.as_ref());
                if let (Some(image), Some(video)) = (image, video) {
                    let numbers = frames::replace(db, model, image, &video.others)?;
                    recorded.frames.insert(image, numbers);
                }
                replaced.extend(before);
            }
            let held = recorded.images.iter().copied().flatten();
            taken::derive(db, held.chain(replaced.iter().copied()))?;
            let changed = records.iter().map(|record| record.file.path.as_path());
            let Relinked {
                joined,
                parted,
                inherited,
            } = companions::link(db, changed)?;
            replaced.extend(joined.iter().map(|(companion, _)| companion));
            recorded.parted = parted;
            recorded.heirs = [joined, inherited].concat();
            for (image, record) in recorded.images.iter().zip(records) {
                if let (Some(image), Some(content)) = (image, record.reading.content()) {
                    tag(db, *image, content, &mut new_tags)?;
                    replaced.push(*image);
                }
            }
            recorded.orphaned = files::orphans(db, replaced)?;
            Ok((recorded, new_tags))
        })?;
        let left = recorded.heirs.iter().map(|(left, _)| left);
        let images = recorded.images.iter().flatten().chain(left);
        self.note_change(TagChange::Images(images.copied().collect()));
        Ok(recorded)
    }

    /// Marks files as no longer there.
    pub fn mark_gone(&self, files: &[PathBuf]) -> Result<Left> {
        let (gone, left) = self.write(|db| {
            let images = files::mark_gone(db, files)?;
            let gone: BTreeSet<ImageId> = images.iter().copied().collect();
            let changed = files.iter().map(PathBuf::as_path);
            let relinked = companions::link(db, changed)?;
            let left = Left {
                orphaned: files::orphans(db, images)?,
                parted: relinked.parted,
                heirs: relinked.inherited,
            };
            Ok((gone, left))
        })?;
        self.note_change(TagChange::Images(gone));
        Ok(left)
    }
}

/// Returns the image that a file holds now, and the one that it held before.
fn record_file(
    db: &Transaction<'_>,
    model: ModelId,
    record: &FileRecord,
) -> Result<(Option<ImageId>, Option<ImageId>)> {
    let FileRecord {
        root, file: seen, ..
    } = record;
    let content = match &record.reading {
        Reading::Image(content) => content,
        Reading::Failed(verdict) => {
            let (file, before) = files::put(db, *root, seen, Err(verdict))?;
            keywords::replace(db, file, &BTreeSet::new())?;
            return Ok((None, before));
        }
        Reading::Waiting(reason) => {
            // Its row is as old as its place in the queue; where it is gone, nothing waits.
            if let Some(file) = files::id(db, &seen.path)? {
                waiting::put(db, file, seen.stat, reason)?;
            }
            return Ok((None, None));
        }
    };
    let image = record_content(db, model, seen.stat.size_bytes, content)?;
    let (file, before) = files::put(db, *root, seen, Ok(image))?;
    sidecars::note_read(db, file, &content.keywords)?;
    // What a sidecar said that cannot be read now stays.
    if content.keywords.error.is_none() {
        keywords::replace(db, file, &content.keywords.keywords)?;
    }
    Ok((Some(image), before))
}

fn record_content(
    db: &Transaction<'_>,
    model: ModelId,
    size_bytes: i64,
    content: &Content,
) -> Result<ImageId> {
    let cover_ms = content.embedded.video.as_ref().map(|video| video.cover_ms);
    let image = images::put(db, &content.hash, size_bytes, &content.metadata, cover_ms)?;
    embeddings::put(db, model, image, &content.embedded.embedding)?;
    embeddings::forget_imported(db, model, &content.hash)?;
    images::put_colours(db, image, content.embedded.colours)?;
    Ok(image)
}

/// Tags an image, unless other files stand for all that hold it: a shot is tagged once.
fn tag(
    db: &Transaction<'_>,
    image: ImageId,
    content: &Content,
    new_tags: &mut NewTags,
) -> Result<()> {
    if companions::stands(db, image)? {
        tags::replace_of_image(db, image, &content.tags.scores, new_tags)?;
        frames::add_shares(db, image, &content.tags.shares)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use crate::embed::{Colours, Embedding};
    use crate::store::samples::{self, STAT, seen};
    use crate::store::{FileState, Filter, KnownFile};

    struct Library {
        _folder: tempfile::TempDir,
        store: Store,
        root: RootId,
        model: ModelId,
    }

    fn library() -> Library {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let root = store.root(Path::new("/photos")).unwrap();
        let model = store.model("fingerprint", "name").unwrap();
        Library {
            _folder: folder,
            store,
            root,
            model,
        }
    }

    impl Library {
        fn record(&self, path: &str, content: std::result::Result<u8, &str>) -> Recorded {
            let reading = match content {
                Ok(seed) => Reading::Image(Box::new(Content {
                    embedded: Embedding::new(vec![f32::from(seed), 1.0]).unwrap().into(),
                    ..samples::content(ContentHash([seed; 32]))
                })),
                Err(reason) => Reading::Failed(DecoderVerdict {
                    reason: reason.to_owned(),
                    decoders: "1".to_owned(),
                }),
            };
            self.note(path, reading)
        }

        fn note(&self, path: &str, reading: Reading) -> Recorded {
            let record = FileRecord {
                root: self.root,
                file: seen(path),
                reading,
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
    fn colours_stay_where_a_picture_is_known_by_its_bytes_alone() {
        let library = library();
        let colours = Colours::from_bytes(&[9; 12]);
        let mut seen = samples::content(ContentHash([1; 32]));
        seen.embedded.colours = colours;
        library.note("/photos/a", Reading::Image(Box::new(seen)));
        let image = library.record("/photos/b", Ok(1)).images[0].unwrap();
        let row = library.store.images(&[image]).unwrap().remove(0);
        assert_eq!((row.colours, row.paths.len()), (colours, 2));
        // Another model sees it too.
        let other = library.store.model("another", "name").unwrap();
        let embedding = Embedding::new(vec![1.0]).unwrap();
        let anew = Embedded {
            colours: Colours::from_bytes(&[7; 12]),
            ..embedding.into()
        };
        let anew = [(image, ContentHash([1; 32]), anew)];
        library.store.add_embeddings(other, &anew).unwrap();
        let row = library.store.images(&[image]).unwrap().remove(0);
        assert_eq!(row.colours, Colours::from_bytes(&[7; 12]));
    }

    #[test]
    fn an_image_is_orphaned_by_its_last_file_only() {
        let library = library();
        let image = library.record("/photos/a", Ok(1)).images[0].unwrap();
        library.record("/photos/b", Ok(1));
        assert_eq!(library.record("/photos/a", Ok(2)).orphaned, []);
        assert_eq!(
            library
                .store
                .mark_gone(&["/photos/b".into()])
                .unwrap()
                .orphaned,
            [image]
        );
        assert_eq!(
            library
                .store
                .mark_gone(&["/photos/b".into()])
                .unwrap()
                .orphaned,
            []
        );
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
    fn a_file_that_waits_keeps_its_image_and_is_tried_later_and_later() {
        let library = library();
        let image = library.record("/photos/a", Ok(1)).images[0].unwrap();
        let trouble = || Reading::Waiting("no permission".to_owned());
        for attempts in 1..=3 {
            let recorded = library.note("/photos/a", trouble());
            assert_eq!((recorded.images, recorded.orphaned), (vec![None], vec![]));
            let waiting = library.known("/photos/a").unwrap().waiting.unwrap();
            assert_eq!((waiting.attempts, waiting.stat), (attempts, STAT));
        }
        let known = library.known("/photos/a").unwrap();
        assert_eq!((known.state, known.is_embedded), (FileState::Indexed, true));
        assert_eq!(library.store.live_images(library.model).unwrap(), [image]);
        assert!(library.store.failures().unwrap().is_empty());
        let next = library.store.next_try_after(0).unwrap().unwrap();
        assert!(library.store.waiting_until(next - 1).unwrap().is_empty());
        assert_eq!(library.store.waiting_until(next).unwrap().len(), 1);
        // Away, it waits for its root; read, for nothing.
        library.store.mark_absent(&["/photos/a".into()]).unwrap();
        assert_eq!(library.store.next_try_after(0).unwrap(), None);
        library.record("/photos/a", Ok(1));
        assert_eq!(library.known("/photos/a").unwrap().waiting, None);
        // What was never known waits for nothing, and neither does what is gone.
        library.note("/photos/never", trouble());
        library.note("/photos/a", trouble());
        library.store.mark_gone(&["/photos/a".into()]).unwrap();
        library
            .store
            .add_pending(library.root, &[seen("/photos/a")])
            .unwrap();
        assert_eq!(library.store.waiting().unwrap(), []);
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
        assert!(library.known("/photos/a").unwrap().absent_since.is_some());
        library.store.set_root_online(library.root, true).unwrap();
        let back = ["/photos/a", "/photos/bad"].map(seen);
        library.store.note_seen(&back).unwrap();
        let known = library.known("/photos/a").unwrap();
        assert_eq!(
            (known.state, known.absent_since),
            (FileState::Indexed, None)
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
            each.map(|_| embeddings).unwrap()
        };
        assert_eq!((count(library.model), count(other)), (1, 0));
    }

    #[test]
    fn pending_files_are_remembered_and_change_nothing_that_is_known() {
        let library = library();
        library.record("/photos/a", Ok(1));
        let files = ["/photos/a", "/photos/new"].map(seen);
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
