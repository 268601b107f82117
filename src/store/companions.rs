//! Files of one shot: a camera's RAW beside its JPEG, a phone's picture beside the seconds around it. One stands for all of them, and
//! the others are its companions: one picture, one hit.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rusqlite::{OptionalExtension, Transaction, params};

use super::ids::{FileId, ImageId};
use super::{Result, paths};
use crate::formats::Format;

/// Clocks of one shot differ by no more: a RAW is written when the JPEG is.
const MOST_APART_S: i64 = 2;

/// Clips that phones take around a picture are shorter; a film that somebody took is seldom so.
const MOST_CLIP_MS: i64 = 4_000;

/// More files of one name beside one another are no shot.
const MOST_FILES: usize = 16;

/// A file, as far as it tells whose companion it is.
#[derive(Debug, Clone)]
struct Member {
    image: ImageId,
    format: Format,
    /// Seconds, where the file itself says when it was taken.
    taken_s: Option<i64>,
    camera: Option<String>,
    duration_ms: Option<i64>,
    /// By what its phone knows the files of one shot.
    content_identifier: Option<String>,
}

impl Member {
    /// Whether it is what a camera shows and people look at.
    fn may_stand(&self) -> bool {
        matches!(self.format, Format::Jpeg | Format::Heic)
    }

    /// Whether it is of the same shot as the picture that stands for it.
    fn belongs_to(&self, main: &Member) -> bool {
        match self.format {
            Format::Raw => {
                let times = self.taken_s.zip(main.taken_s);
                let is_then = times.is_none_or(|(a, b)| a.abs_diff(b) <= MOST_APART_S as u64);
                let cameras = self.camera.as_ref().zip(main.camera.as_ref());
                is_then && cameras.is_none_or(|(a, b)| a == b)
            }
            Format::Mov | Format::Mp4 => {
                let identifiers = self
                    .content_identifier
                    .as_ref()
                    .zip(main.content_identifier.as_ref());
                let is_short = || self.duration_ms.is_some_and(|ms| ms < MOST_CLIP_MS);
                identifiers.map_or_else(is_short, |(a, b)| a == b)
            }
            _ => false,
        }
    }
}

/// For each of the files of one name beside one another, the place of the one that stands for it; none where it stands for itself.
/// Where several pictures could stand for the rest, nobody knows which does.
fn mains(members: &[Member]) -> Vec<Option<usize>> {
    let mut standing = members
        .iter()
        .enumerate()
        .filter(|(_, one)| one.may_stand());
    let main = standing
        .next()
        .filter(|(_, main)| standing.all(|(_, other)| other.image == main.image));
    let main = main.filter(|_| members.len() <= MOST_FILES);
    let of = |member: &Member| {
        let (place, main) = main?;
        member.belongs_to(main).then_some(place)
    };
    members.iter().map(of).collect()
}

/// What became of files whose neighbours changed.
#[derive(Debug, Default)]
pub(super) struct Relinked {
    /// The images of files that have become companions, each with that of the file which stands for it now.
    pub(super) joined: Vec<(ImageId, ImageId)>,
    /// Files that stand for themselves again, and are to be read once more.
    pub(super) parted: Vec<PathBuf>,
    /// The images that stood for these, each with that which stands for itself now.
    pub(super) inherited: Vec<(ImageId, ImageId)>,
}

/// The start of a path up to the dot before its ending: what files of one shot have in common.
fn stem(path: &Path) -> Option<Vec<u8>> {
    let mut stem = paths::to_bytes(&path.with_extension(""));
    path.extension()?;
    stem.push(b'.');
    Some(stem)
}

/// Finds anew whose companions the files are that are called as these but for their endings.
pub(super) fn link<'a>(
    db: &Transaction<'_>,
    changed: impl IntoIterator<Item = &'a Path>,
) -> Result<Relinked> {
    let stems: BTreeSet<Vec<u8>> = changed.into_iter().filter_map(stem).collect();
    let mut relinked = Relinked::default();
    for stem in stems {
        link_files(db, &stem, &mut relinked)?;
    }
    Ok(relinked)
}

struct Found {
    id: FileId,
    path: Vec<u8>,
    main: Option<FileId>,
    member: Member,
}

fn link_files(db: &Transaction<'_>, stem: &[u8], relinked: &mut Relinked) -> Result<()> {
    let files = files_of(db, stem)?;
    // Nearly all files are alone.
    if files.len() < 2 && files.iter().all(|file| file.main.is_none()) {
        return Ok(());
    }
    let members: Vec<Member> = files.iter().map(|file| file.member.clone()).collect();
    let mut update = db.prepare_cached("UPDATE files SET main_id = ?2 WHERE id = ?1")?;
    let mut held = db.prepare_cached("SELECT image_id FROM files WHERE id = ?1")?;
    let mut part =
        db.prepare_cached("UPDATE files SET main_id = NULL, read_by = 0 WHERE id = ?1")?;
    for (file, main) in files.iter().zip(mains(&members)) {
        let main = main.map(|place| &files[place]);
        match (file.main, main) {
            (before, now) if before == now.map(|main| main.id) => {}
            (_, Some(main)) => {
                update.execute(params![file.id, main.id])?;
                let images = (file.member.image, main.member.image);
                relinked.joined.push(images);
            }
            (before, None) => {
                let stood: Option<Option<ImageId>> =
                    held.query_row([before], |row| row.get(0)).optional()?;
                let images = stood.flatten().map(|stood| (stood, file.member.image));
                relinked.inherited.extend(images);
                part.execute([file.id])?;
                let path = paths::from_bytes(file.path.clone());
                relinked.parted.push(path);
            }
        }
    }
    Ok(())
}

/// The files that hold an image and have this name before an ending.
fn files_of(db: &Transaction<'_>, stem: &[u8]) -> Result<Vec<Found>> {
    let mut end = stem.to_vec();
    if let Some(dot) = end.last_mut() {
        *dot += 1;
    }
    let mut select = db.prepare_cached(
        "SELECT f.id, f.path, f.main_id, f.image_id, i.format,
                iif(i.date_source IN ('file_name', 'file_time'), NULL, CAST(strftime('%s', i.taken_at) AS INTEGER)),
                i.camera, i.duration_ms, i.content_identifier
         FROM files f JOIN images i ON i.id = f.image_id
         WHERE f.path > ?1 AND f.path < ?2 AND +f.state IN ('indexed', 'offline') ORDER BY f.path",
    )?;
    let mut rows = select.query(params![stem, end])?;
    let mut files = Vec::new();
    while let Some(row) = rows.next()? {
        let path: Vec<u8> = row.get(1)?;
        let ending = path.get(stem.len()..).unwrap_or_default();
        if ending.iter().any(|byte| b"./".contains(byte)) {
            continue;
        }
        files.push(Found {
            id: row.get(0)?,
            main: row.get(2)?,
            member: Member {
                image: row.get(3)?,
                format: row.get(4)?,
                taken_s: row.get(5)?,
                camera: row.get(6)?,
                duration_ms: row.get(7)?,
                content_identifier: row.get(8)?,
            },
            path,
        });
    }
    Ok(files)
}

/// Whether some file that stands for itself holds this image.
pub(super) fn stands(db: &Transaction<'_>, image: ImageId) -> Result<bool> {
    let mut select = db.prepare_cached("SELECT 1 FROM live_files WHERE image_id = ?1")?;
    Ok(select.query_row([image], |_| Ok(())).optional()?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(image: i64, format: Format) -> Member {
        Member {
            image: ImageId(image),
            format,
            taken_s: Some(1_000),
            camera: Some("Canon EOS R5".to_owned()),
            duration_ms: None,
            content_identifier: None,
        }
    }

    #[test]
    fn a_raw_and_a_clip_belong_to_the_one_picture_of_their_shot() {
        let jpeg = || member(1, Format::Jpeg);
        let raw = || member(2, Format::Raw);
        let clip = |duration_ms| Member {
            duration_ms: Some(duration_ms),
            ..member(3, Format::Mov)
        };
        let heic = || member(4, Format::Heic);
        let png = member(5, Format::Png);
        assert_eq!(mains(&[raw(), jpeg()]), [Some(1), None]);
        assert_eq!(mains(&[heic(), clip(2_900)]), [None, Some(0)]);
        assert_eq!(
            mains(&[raw(), jpeg(), clip(2_000)]),
            [Some(1), None, Some(1)]
        );
        // A film beside a picture, a picture that was made of a RAW, and two pictures.
        assert_eq!(mains(&[heic(), clip(60_000)]), [None, None]);
        assert_eq!(mains(&[raw(), png]), [None, None]);
        assert_eq!(mains(&[raw(), jpeg(), heic()]), [None; 3]);
        // The same picture under two endings is one.
        assert_eq!(mains(&[raw(), jpeg(), jpeg()]), [Some(1), None, None]);
        assert_eq!(mains(&[raw(), clip(2_000)]), [None, None]);
    }

    #[test]
    fn what_a_phone_says_of_a_clip_counts_more_than_its_length() {
        let known = |image, format, identifier: Option<&str>, duration_ms| Member {
            content_identifier: identifier.map(str::to_owned),
            duration_ms,
            ..member(image, format)
        };
        let still = known(1, Format::Heic, Some("A"), None);
        for (identifier, duration_ms, is_one) in [
            (Some("A"), 5_500, true),
            (Some("B"), 2_000, false),
            (None, 2_000, true),
            (None, 5_500, false),
        ] {
            let clip = known(2, Format::Mov, identifier, Some(duration_ms));
            let found = mains(&[still.clone(), clip]);
            assert_eq!(found[1].is_some(), is_one, "{identifier:?} {duration_ms}");
        }
    }

    #[test]
    fn another_time_or_camera_is_another_shot() {
        let jpeg = member(1, Format::Jpeg);
        let raw = |taken_s, camera: Option<&str>| Member {
            taken_s,
            camera: camera.map(str::to_owned),
            ..member(2, Format::Raw)
        };
        let canon = jpeg.camera.as_deref();
        for (raw, is_one) in [
            (raw(Some(1_002), canon), true),
            (raw(Some(1_003), canon), false),
            (raw(None, None), true),
            (raw(Some(1_000), Some("NIKON D90")), false),
        ] {
            let found = mains(&[jpeg.clone(), raw]);
            assert_eq!(found[1].is_some(), is_one);
        }
        let many = vec![raw(None, None); MOST_FILES];
        assert!(
            mains(&[&[jpeg][..], &many].concat())
                .iter()
                .all(Option::is_none)
        );
    }

    #[test]
    fn a_stem_ends_with_the_dot_before_the_ending() {
        let stem = |path: &str| stem(Path::new(path)).map(|stem| String::from_utf8(stem).unwrap());
        assert_eq!(stem("/a/IMG_1.CR2").as_deref(), Some("/a/IMG_1."));
        assert_eq!(
            stem("/a/b.c/IMG_1.x.jpg").as_deref(),
            Some("/a/b.c/IMG_1.x.")
        );
        assert_eq!(stem("/a/b.c/IMG_1"), None);
    }
}
