//! Paths that must be still for a while before they are read: whoever writes them may not have finished.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::store::FileStat;

/// The paths that are not still yet.
#[derive(Debug)]
pub(super) struct Settling {
    time: Duration,
    paths: HashMap<PathBuf, Waiting>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    due: Instant,
    /// What it looked like when it was last looked at; none where it was not there.
    stat: Option<FileStat>,
}

impl Settling {
    /// A path that has not changed for this time is still.
    pub(super) fn new(time: Duration) -> Settling {
        Settling {
            time,
            paths: HashMap::new(),
        }
    }

    /// From now on everything is still.
    pub(super) fn end(&mut self) {
        self.time = Duration::ZERO;
    }

    /// Lets a path settle that looks like this now.
    pub(super) fn add(&mut self, path: PathBuf, stat: Option<FileStat>, now: Instant) {
        let due = now + self.time;
        self.paths.insert(path, Waiting { due, stat });
    }

    /// The path need not settle any more.
    pub(super) fn remove(&mut self, path: &Path) {
        self.paths.remove(path);
    }

    /// When the next path is due for another look.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.paths.values().map(|waiting| waiting.due).min()
    }

    /// Takes out the paths that are due, each with what it looked like when it came.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(PathBuf, Option<FileStat>)> {
        let due = self.paths.extract_if(|_, waiting| waiting.due <= now);
        due.map(|(path, waiting)| (path, waiting.stat)).collect()
    }

    /// Whether a file's last change is longer ago than the time to settle; one from the future never moves on.
    pub(super) fn is_still(&self, stat: &FileStat, now: SystemTime) -> bool {
        let modified = UNIX_EPOCH + Duration::from_nanos(stat.modified_ns.max(0) as u64);
        now.duration_since(modified)
            .map_or(true, |age| age >= self.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn stat(modified_ns: i64) -> FileStat {
        FileStat {
            size_bytes: 1,
            modified_ns,
            changed_ns: 1,
            inode: 1,
        }
    }

    #[test]
    fn a_path_is_due_when_it_had_its_time_since_it_was_last_added() {
        let start = Instant::now();
        let mut settling = Settling::new(2 * SECOND);
        settling.add("/a".into(), Some(stat(1)), start);
        settling.add("/b".into(), None, start);
        settling.add("/gone".into(), None, start);
        settling.remove(Path::new("/gone"));
        settling.add("/a".into(), Some(stat(2)), start + SECOND);
        assert_eq!(settling.next_due(), Some(start + 2 * SECOND));
        assert!(settling.take_due(start + SECOND).is_empty());
        let due = settling.take_due(start + 2 * SECOND);
        assert_eq!(due, [("/b".into(), None)]);
        let due = settling.take_due(start + 3 * SECOND);
        assert_eq!(due, [("/a".into(), Some(stat(2)))]);
        assert_eq!(settling.next_due(), None);
    }

    #[test]
    fn a_file_is_still_by_the_age_of_its_last_change() {
        let mut settling = Settling::new(2 * SECOND);
        let now = UNIX_EPOCH + 10 * SECOND;
        let table = [(7, true), (8, true), (9, false), (10, false), (11, true)];
        for (modified_s, is_still) in table {
            let stat = stat(modified_s * 1_000_000_000);
            assert_eq!(settling.is_still(&stat, now), is_still, "{modified_s} s");
        }
        settling.end();
        assert!(settling.is_still(&stat(10_000_000_000), now));
    }
}
