//! What a file looks like from outside, and what became of it.

use std::time::UNIX_EPOCH;

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};

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

    fn parse(text: &str) -> Option<FileStat> {
        let mut numbers = text.split(':').map(|number| number.parse().ok());
        let stat = FileStat {
            size_bytes: numbers.next()??,
            modified_ns: numbers.next()??,
            inode: numbers.next()??,
        };
        numbers.next().is_none().then_some(stat)
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

/// What the places of a picture's sidecars look like from outside, in their order, none where there is no file; a difference
/// means that its keywords must be read again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SidecarStamp([Option<FileStat>; 2]);

impl SidecarStamp {
    /// For the places in their order.
    pub fn of(places: [Option<FileStat>; 2]) -> SidecarStamp {
        SidecarStamp(places)
    }

    /// Whether there is a sidecar at all.
    pub(super) fn is_there(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }

    fn parse(text: &str) -> Option<SidecarStamp> {
        let place = |text: &str| match text {
            "-" => Some(None),
            stat => FileStat::parse(stat).map(Some),
        };
        let (first, second) = text.split_once(' ')?;
        Some(SidecarStamp([place(first)?, place(second)?]))
    }
}

impl ToSql for SidecarStamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = |place: Option<FileStat>| match place {
            Some(stat) => format!("{}:{}:{}", stat.size_bytes, stat.modified_ns, stat.inode),
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
            inode: 3,
        };
        for (stamp, text) in [
            (SidecarStamp([None, None]), "- -"),
            (SidecarStamp([Some(stat), None]), "1:-2:3 -"),
            (SidecarStamp([None, Some(stat)]), "- 1:-2:3"),
        ] {
            let written: (SidecarStamp, String) = db
                .query_row("SELECT ?1, ?1", [stamp], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .unwrap();
            assert_eq!(written, (stamp, text.to_owned()));
        }
        for wrong in ["", "-", "1:2 -", "1:2:3:4 -", "- - -", "lost"] {
            let stamp = db.query_row("SELECT ?1", [wrong], |row| row.get::<_, SidecarStamp>(0));
            assert!(stamp.is_err(), "{wrong:?}");
            let state = db.query_row("SELECT ?1", [wrong], |row| row.get::<_, FileState>(0));
            assert!(state.is_err(), "{wrong:?}");
        }
    }
}
