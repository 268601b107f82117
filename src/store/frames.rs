//! The tables `frames` and `tag_shares`: the frames of videos beside those that stand for them, each with its embedding, and how
//! many of a video's frames carry its tags.

use std::collections::HashMap;

use rusqlite::{Connection, Row, Transaction, params};

use super::ids::{FrameId, ImageId, LabelId, ModelId};
use super::{Result, Store};
use crate::embed::{BadEmbedding, Embedding, Frame};

impl Store {
    /// The frames with an embedding of the model of videos that some file holds, each with its video, in the order of their numbers.
    pub fn live_frames(&self, model: ModelId) -> Result<Vec<(FrameId, ImageId)>> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT id, image_id FROM frames WHERE model_id = ?1
                     AND EXISTS (SELECT 1 FROM live_files f WHERE f.image_id = frames.image_id)
                 ORDER BY id",
            )?;
            let rows = select.query_map([model], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Hands the embedding of each of these frames to `each`. Returns those whose embeddings are damaged.
    pub fn each_frame(
        &self,
        frames: &[FrameId],
        mut each: impl FnMut(FrameId, Embedding),
    ) -> Result<Vec<FrameId>> {
        self.read(|db| {
            let mut select = db.prepare_cached("SELECT vector FROM frames WHERE id = ?1")?;
            let mut damaged = Vec::new();
            for &frame in frames {
                let mut rows = select.query([frame])?;
                match rows.next()?.map(vector).transpose()? {
                    Some(Ok(embedding)) => each(frame, embedding),
                    Some(Err(_)) => damaged.push(frame),
                    None => {}
                }
            }
            Ok(damaged)
        })
    }

    /// Whether a frame of this image is kept that is seen at this time.
    pub fn has_frame(&self, image: ImageId, time_ms: i64) -> Result<bool> {
        self.read(|db| {
            let mut select =
                db.prepare_cached("SELECT 1 FROM frames WHERE image_id = ?1 AND time_ms = ?2")?;
            Ok(select.exists(params![image, time_ms])?)
        })
    }

    /// When each of these frames is seen, in milliseconds from the start of its video.
    pub fn frame_times(
        &self,
        frames: impl IntoIterator<Item = FrameId>,
    ) -> Result<HashMap<FrameId, i64>> {
        self.read(|db| {
            let mut select = db.prepare_cached("SELECT time_ms FROM frames WHERE id = ?1")?;
            let mut times = HashMap::new();
            for frame in frames {
                if let Some(row) = select.query([frame])?.next()? {
                    times.insert(frame, row.get(0)?);
                }
            }
            Ok(times)
        })
    }
}

/// The embedding in a row's column `vector`, or why it is none.
pub(super) fn vector(row: &Row<'_>) -> Result<std::result::Result<Embedding, BadEmbedding>> {
    let bytes = row.get_ref("vector")?.as_blob();
    Ok(Embedding::from_le_bytes(
        bytes.map_err(rusqlite::Error::from)?,
    ))
}

/// The frames of an image with their vectors, by time; none of them where one is damaged, so that all are made again.
pub(super) fn of_image(
    db: &Connection,
    model: ModelId,
    image: ImageId,
) -> Result<Option<Vec<Frame>>> {
    let mut select = db.prepare_cached(
        "SELECT time_ms, vector FROM frames WHERE model_id = ?1 AND image_id = ?2 ORDER BY time_ms",
    )?;
    let mut rows = select.query(params![model, image])?;
    let mut frames = Vec::new();
    while let Some(row) = rows.next()? {
        let Ok(embedding) = vector(row)? else {
            return Ok(None);
        };
        frames.push(Frame {
            time_ms: row.get("time_ms")?,
            embedding,
        });
    }
    Ok(Some(frames))
}

/// Makes these the frames of a video that are embedded with a model, and returns their numbers. Where they are already, they keep
/// their numbers.
pub(super) fn replace(
    db: &Transaction<'_>,
    model: ModelId,
    image: ImageId,
    frames: &[Frame],
) -> Result<Vec<FrameId>> {
    if of_image(db, model, image)?.as_deref() != Some(frames) {
        db.prepare_cached("DELETE FROM frames WHERE model_id = ?1 AND image_id = ?2")?
            .execute(params![model, image])?;
        let mut insert = db.prepare_cached(
            "INSERT INTO frames (model_id, image_id, time_ms, vector) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for Frame { time_ms, embedding } in frames {
            insert.execute(params![model, image, time_ms, embedding.to_le_bytes()])?;
        }
    }
    let mut select = db.prepare_cached(
        "SELECT id FROM frames WHERE model_id = ?1 AND image_id = ?2 ORDER BY time_ms",
    )?;
    let rows = select.query_map(params![model, image], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Notes shares of a video's tags. That of a tag which has gone stays, unseen, until the tag is back with another.
pub(super) fn add_shares(
    db: &Transaction<'_>,
    video: ImageId,
    shares: &[(LabelId, f32)],
) -> Result<()> {
    let mut put = db.prepare_cached(
        "INSERT OR REPLACE INTO tag_shares (label_id, image_id, share) VALUES (?1, ?2, ?3)",
    )?;
    for (label, share) in shares {
        put.execute(params![label, video, share])?;
    }
    Ok(())
}

/// The shares of the tags of these images.
pub(super) fn shares_of(db: &Connection, images: &str) -> Result<HashMap<(ImageId, LabelId), f32>> {
    let mut select = db.prepare_cached(
        "SELECT image_id, label_id, share FROM tag_shares WHERE image_id IN (SELECT value FROM json_each(?1))",
    )?;
    let rows = select.query_map([images], |row| {
        Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Forgets all frames and shares of these images.
pub(super) fn forget(db: &Transaction<'_>, images: &str) -> Result<()> {
    for table in ["frames", "tag_shares"] {
        let delete =
            format!("DELETE FROM {table} WHERE image_id IN (SELECT value FROM json_each(?1))");
        db.prepare_cached(&delete)?.execute([images])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::embed::{Embedded, VideoFrames};
    use crate::store::record::Content;
    use crate::store::{ContentHash, Filter, ImageTags, RootId, samples};

    struct Library {
        _folder: tempfile::TempDir,
        store: Store,
        root: RootId,
        model: ModelId,
    }

    fn library() -> Library {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        Library {
            root: store.root(Path::new("/photos")).unwrap(),
            model: store.model("fingerprint", "name").unwrap(),
            store,
            _folder: folder,
        }
    }

    fn embedding(value: f32) -> Embedding {
        Embedding::new(vec![value, 1.0]).unwrap()
    }

    /// A video whose other frames are seen at these seconds.
    fn video(seconds: &[i64]) -> Content {
        let others = seconds.iter().map(|second| Frame {
            time_ms: 1000 * second,
            embedding: embedding(*second as f32),
        });
        let video = VideoFrames {
            cover_ms: 500,
            others: others.collect(),
        };
        Content {
            embedded: Embedded {
                embedding: embedding(0.5),
                video: Some(video),
                colours: None,
            },
            ..samples::content(ContentHash([7; 32]))
        }
    }

    impl Library {
        fn record(&self, path: &str, content: Content) -> (ImageId, Vec<FrameId>) {
            let record = samples::record(self.root, path, content);
            let mut recorded = self.store.record(self.model, &[record]).unwrap();
            let image = recorded.images[0].unwrap();
            (image, recorded.frames.remove(&image).unwrap_or_default())
        }

        fn live(&self) -> Vec<(FrameId, ImageId)> {
            self.store.live_frames(self.model).unwrap()
        }
    }

    #[test]
    fn a_video_is_one_image_with_frames_that_keep_their_numbers() {
        let library = library();
        let (image, numbers) = library.record("/photos/a.mp4", video(&[3, 9]));
        assert_eq!(numbers.len(), 2);
        let live: Vec<_> = numbers.iter().map(|number| (*number, image)).collect();
        assert_eq!(library.live(), live);
        let known = library
            .store
            .known_content(&ContentHash([7; 32]), library.model);
        assert_eq!(known.unwrap().unwrap().embedded, video(&[3, 9]).embedded);
        let times = library.store.frame_times(numbers.iter().copied()).unwrap();
        assert_eq!((times[&numbers[0]], times[&numbers[1]]), (3000, 9000));
        assert!(library.store.has_frame(image, 9000).unwrap());
        assert!(!library.store.has_frame(image, 500).unwrap());
        let again = library.record("/photos/b.mp4", video(&[3, 9]));
        assert_eq!(again, (image, numbers.clone()));
        let (_, others) = library.record("/photos/a.mp4", video(&[3]));
        assert!(others.iter().all(|number| !numbers.contains(number)));
        let row = library.store.images(&[image]).unwrap().remove(0);
        assert_eq!((row.cover_ms, row.paths.len()), (Some(500), 2));
        assert_eq!(library.store.matching(&Filter::default()).unwrap(), [image]);
        library
            .store
            .mark_gone(&["/photos/a.mp4".into(), "/photos/b.mp4".into()])
            .unwrap();
        assert_eq!(library.live(), []);
    }

    #[test]
    fn a_damaged_frame_has_all_of_its_video_made_again() {
        let library = library();
        let (image, numbers) = library.record("/photos/a.mp4", video(&[3, 9]));
        let damage = |db: &Transaction<'_>| {
            let update = "UPDATE frames SET vector = zeroblob(8) WHERE id = ?1";
            Ok(db.execute(update, [numbers[1]])?)
        };
        library.store.write(damage).unwrap();
        let known = library
            .store
            .known_content(&ContentHash([7; 32]), library.model);
        assert!(known.unwrap().is_none());
        let mut seen = Vec::new();
        let damaged = library
            .store
            .each_frame(&numbers, |frame, _| seen.push(frame));
        assert_eq!(
            (damaged.unwrap(), seen),
            (vec![numbers[1]], vec![numbers[0]])
        );
        library
            .store
            .delete_embeddings(library.model, &[image])
            .unwrap();
        assert_eq!(library.live(), []);
    }

    #[test]
    fn tags_of_a_video_tell_how_many_of_its_frames_carry_them() {
        let library = library();
        let set = crate::store::AppliedSet::default();
        let label = crate::store::AppliedLabel {
            name: "dog".to_owned(),
            hooks: Vec::new(),
        };
        let none = crate::store::LibraryTags::new(1);
        let applied = library
            .store
            .apply_label_set("set", &set, &[label], &none, |_| true);
        let label = applied.unwrap().0[0];
        let tagged = Content {
            tags: ImageTags {
                scores: vec![(label, 0.75)],
                shares: vec![(label, 0.25)],
            },
            ..video(&[3])
        };
        let (image, _) = library.record("/photos/a.mp4", tagged);
        let still = Content {
            tags: ImageTags {
                scores: vec![(label, 0.5)],
                shares: Vec::new(),
            },
            ..samples::content(ContentHash([8; 32]))
        };
        let (other, _) = library.record("/photos/b.jpg", still);
        let rows = library.store.images(&[image, other]).unwrap();
        let shares = rows.iter().map(|row| row.tags[0].share);
        assert_eq!(shares.collect::<Vec<_>>(), [Some(0.25), None]);
    }
}
