//! What became of a file, and what its sidecars look like from outside.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Row, ToSql};

pub use crate::pictures::FileStat;

/// Reads the columns `size_bytes`, `modified_ns`, `inode` and `changed_ns`, which begin at `first`.
pub(super) fn stat(row: &Row<'_>, first: usize) -> rusqlite::Result<FileStat> {
    Ok(FileStat {
        size_bytes: row.get(first)?,
        modified_ns: row.get(first + 1)?,
        inode: row.get(first + 2)?,
        changed_ns: row.get(first + 3)?,
    })
}

/// Length, times and number with colons between; older libraries hold no time of the last change of anything.
fn stat_text(stat: &FileStat) -> String {
    let FileStat {
        size_bytes,
        modified_ns,
        inode,
        changed_ns,
    } = stat;
    format!("{size_bytes}:{modified_ns}:{inode}:{changed_ns}")
}

fn parse_stat(text: &str) -> Option<FileStat> {
    let numbers: Option<Vec<i64>> = text.split(':').map(|number| number.parse().ok()).collect();
    let (size_bytes, modified_ns, inode, changed_ns) = match numbers?[..] {
        [size_bytes, modified_ns, inode] => (size_bytes, modified_ns, inode, 0),
        [size_bytes, modified_ns, inode, changed_ns] => {
            (size_bytes, modified_ns, inode, changed_ns)
        }
        _ => return None,
    };
    Some(FileStat {
        size_bytes,
        modified_ns,
        changed_ns,
        inode,
    })
}

/// What the places of a picture's sidecars look like from outside, in their order, none where there is no file; a difference
/// means that its keywords must be read again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SidecarStamp([Option<FileStat>; 2]);

impl SidecarStamp {
    /// For the places in their order.
    pub fn of(places: [Option<FileStat>; 2]) -> SidecarStamp {
        SidecarStamp(places)
    }

    /// Whether two looks saw the same.
    pub fn is_like(&self, other: &SidecarStamp) -> bool {
        let mut places = self.0.iter().zip(&other.0);
        places.all(|(one, other)| match (one, other) {
            (Some(one), Some(other)) => one.is_like(other),
            (one, other) => one == other,
        })
    }

    /// Whether there is a sidecar at all.
    pub(super) fn is_there(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }

    fn parse(text: &str) -> Option<SidecarStamp> {
        let place = |text: &str| match text {
            "-" => Some(None),
            stat => parse_stat(stat).map(Some),
        };
        let (first, second) = text.split_once(' ')?;
        Some(SidecarStamp([place(first)?, place(second)?]))
    }
}

impl ToSql for SidecarStamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = |place: Option<FileStat>| match place {
            Some(stat) => stat_text(&stat),
            None => "-".to_owned(),
        };
        Ok(self.0.map(text).join(" ").into())
    }
}

impl FromSql for SidecarStamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<SidecarStamp> {
        SidecarStamp::parse(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

/// A decoder's word on bytes that were read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecoderVerdict {
    /// Why there is no picture, for people.
    pub reason: String,
    /// Whose word it is: of the decoders of one release with their limits. Others look again.
    pub decoders: String,
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
    /// Not there now, and kept: its root is away, or it may come back for another reason.
    Offline,
    /// No longer there.
    Gone,
}

impl FileState {
    const ALL: [FileState; 5] = [
        FileState::Pending,
        FileState::Indexed,
        FileState::Failed,
        FileState::Offline,
        FileState::Gone,
    ];

    /// The name by which views and checks of the database know it.
    fn name(self) -> &'static str {
        match self {
            FileState::Pending => "pending",
            FileState::Indexed => "indexed",
            FileState::Failed => "failed",
            FileState::Offline => "offline",
            FileState::Gone => "gone",
        }
    }
}

impl ToSql for FileState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.name().into())
    }
}

impl FromSql for FileState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<FileState> {
        let name = value.as_str()?;
        let state = FileState::ALL
            .into_iter()
            .find(|state| state.name() == name);
        state.ok_or_else(|| FromSqlError::Other(format!("a file in the state `{name}`").into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_stamps_come_back_as_they_were_written() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        for state in FileState::ALL {
            let back: FileState = db
                .query_row("SELECT ?1", [state], |row| row.get(0))
                .unwrap();
            assert_eq!(back, state);
        }
        let stat = FileStat {
            size_bytes: 1,
            modified_ns: -2,
            changed_ns: 4,
            inode: 3,
        };
        for (stamp, text) in [
            (SidecarStamp([None, None]), "- -"),
            (SidecarStamp([Some(stat), None]), "1:-2:3:4 -"),
            (SidecarStamp([None, Some(stat)]), "- 1:-2:3:4"),
        ] {
            let written: (SidecarStamp, String) = db
                .query_row("SELECT ?1, ?1", [stamp], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .unwrap();
            assert_eq!(written, (stamp, text.to_owned()));
        }
        // As older libraries have them: what is not known tells nothing apart.
        let old: SidecarStamp = db
            .query_row("SELECT ?1", ["1:-2:3 -"], |row| row.get(0))
            .unwrap();
        assert!(
            old.is_like(&SidecarStamp([Some(stat), None]))
                && old != SidecarStamp([Some(stat), None])
        );
        assert!(!old.is_like(&SidecarStamp([None, Some(stat)])));
        for wrong in ["", "-", "1:2 -", "1:2:3:4:5 -", "- - -", "lost"] {
            let stamp = db.query_row("SELECT ?1", [wrong], |row| row.get::<_, SidecarStamp>(0));
            assert!(stamp.is_err(), "{wrong:?}");
            let state = db.query_row("SELECT ?1", [wrong], |row| row.get::<_, FileState>(0));
            assert!(state.is_err(), "{wrong:?}");
        }
    }
}
