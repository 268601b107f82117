//! The table of mounts: where other file systems begin, and which of them tell nothing of what others change in them.
//!
//! No watch tells of a mount, so the kernel is asked whether its table has changed. Systems without such a table have
//! none here.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use tracing::debug;

/// Where Linux keeps it.
const TABLE: &str = "/proc/self/mountinfo";

/// File systems whose files others change from elsewhere, without a word to this machine's kernel. `fuseblk` is a local disk.
const SILENT: [&str; 32] = [
    "9p",
    "acfs",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "drvfs",
    "fuse",
    "gfs",
    "gfs2",
    "glusterfs",
    "gpfs",
    "hgfs",
    "kafs",
    "lustre",
    "moosefs",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "panfs",
    "prl_fs",
    "pvfs2",
    "smb3",
    "smbfs",
    "vboxsf",
    "virtiofs",
    "vmhgfs",
    "webdav",
];

/// The mounts that this process sees.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    file: Option<File>,
    table: Vec<Mount>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Mount {
    /// What tells it from one that was there before: its number, its parent's, and its device.
    id: Vec<u8>,
    point: PathBuf,
    kind: String,
}

impl Mounts {
    /// The mounts of this moment; none where the system has no such table.
    pub(super) fn open() -> Mounts {
        let file = File::open(TABLE)
            .inspect_err(|error| debug!(%error, "no table of mounts"))
            .ok();
        let mut mounts = Mounts {
            file,
            table: Vec::new(),
        };
        mounts.table = mounts.read();
        mounts
    }

    /// Where something was mounted, unmounted or replaced since this was last asked.
    pub(super) fn changed(&mut self) -> Vec<PathBuf> {
        if !self.file.as_ref().is_some_and(is_signalled) {
            return Vec::new();
        }
        let now = self.read();
        let before = std::mem::replace(&mut self.table, now);
        let (before, now): (HashSet<&Mount>, HashSet<&Mount>) =
            (before.iter().collect(), self.table.iter().collect());
        let changed = before.symmetric_difference(&now);
        changed.map(|mount| mount.point.clone()).collect()
    }

    /// The name of the file system that a folder lies on, where that is a silent one.
    pub(super) fn silent_at(&self, folder: &Path) -> Option<&str> {
        // Of those on the same point the last one hides the others.
        let holding = self.table.iter().filter(|m| folder.starts_with(&m.point));
        let mount = holding.max_by_key(|mount| mount.point.components().count())?;
        is_silent(&mount.kind).then_some(&mount.kind)
    }

    /// Where silent file systems begin below a folder, each with its name.
    pub(super) fn silent_below(&self, folder: &Path) -> impl Iterator<Item = (&Path, &str)> {
        let below = move |mount: &&Mount| mount.point != folder && mount.point.starts_with(folder);
        let below = self.table.iter().filter(below);
        below.filter_map(|mount| {
            self.silent_at(&mount.point)
                .map(|kind| (mount.point.as_path(), kind))
        })
    }

    fn read(&mut self) -> Vec<Mount> {
        let mut bytes = Vec::new();
        let Some(file) = &mut self.file else {
            return Vec::new();
        };
        let read = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
        if let Err(error) = read {
            debug!(%error, "the table of mounts cannot be read");
        }
        bytes
            .split(|byte| *byte == b'\n')
            .filter_map(parse)
            .collect()
    }
}

/// Whether the table has changed since it was opened or this was last asked.
#[cfg(unix)]
fn is_signalled(file: &File) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut [PollFd::new(file, PollFlags::PRI)], Some(&now)).is_ok_and(|count| count > 0)
}

#[cfg(not(unix))]
fn is_signalled(_: &File) -> bool {
    false
}

fn is_silent(kind: &str) -> bool {
    kind.starts_with("fuse.") || SILENT.contains(&kind)
}

/// A line of the table: `36 35 98:0 /in/it /mnt/point rw shared:1 - ext3 /dev/root rw`.
fn parse(line: &[u8]) -> Option<Mount> {
    let mut parts = line.split(|byte| *byte == b' ');
    let id = [parts.next()?, parts.next()?, parts.next()?, parts.next()?].join(&b' ');
    let point = unescape(parts.next()?);
    let kind = parts.skip_while(|part| *part != b"-").nth(1)?;
    Some(Mount {
        id,
        point: path(point),
        kind: String::from_utf8_lossy(kind).into_owned(),
    })
}

/// Blanks and backslashes stand as `\040`.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let octal = after.get(..3).and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        match octal {
            Some(code) if byte == b'\\' => {
                plain.push(code);
                rest = &after[3..];
            }
            _ => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(unix)]
fn path(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn path(bytes: Vec<u8>) -> PathBuf {
    OsString::from(String::from_utf8_lossy(&bytes).into_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounts(lines: &[&str]) -> Mounts {
        Mounts {
            file: None,
            table: lines
                .iter()
                .map(|line| parse(line.as_bytes()).unwrap())
                .collect(),
        }
    }

    #[test]
    fn lines_are_read_with_their_blanks_and_their_optional_fields() {
        let table = mounts(&[
            r"36 35 98:0 / /mnt/my\040photos\134x rw,noatime master:1 shared:7 - fuse.sshfs host:/a rw",
            "37 35 0:44 /sub /mnt/nas rw - nfs4 server:/export rw,vers=4.2",
        ])
        .table;
        assert_eq!(table[0].point, Path::new(r"/mnt/my photos\x"));
        assert_eq!(table[0].kind, "fuse.sshfs");
        assert_eq!(
            (table[1].point.as_path(), table[1].kind.as_str()),
            (Path::new("/mnt/nas"), "nfs4")
        );
        for broken in [
            "",
            "36 35",
            "36 35 98:0 / /mnt rw",
            "36 35 98:0 / /mnt rw -",
        ] {
            assert_eq!(parse(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn a_folder_is_silent_when_the_mount_that_holds_it_is() {
        let mounts = mounts(&[
            "1 0 8:1 / / rw - ext4 /dev/sda1 rw",
            "2 1 0:50 / /home/me/nas rw - cifs //nas/photos rw",
            "3 2 8:2 / /home/me/nas/stick rw - vfat /dev/sdb1 rw",
            "4 1 8:3 / /home/me/ntfs rw - fuseblk /dev/sdc1 rw",
            "5 1 0:51 / /home/me/over rw - nfs server:/ rw",
            "6 5 8:4 / /home/me/over rw - ext4 /dev/sdd1 rw",
            "7 1 0:52 / /home/me/remote rw - fuse.rclone remote: rw",
        ]);
        for (folder, kind) in [
            ("/home/me", None),
            ("/home/me/nas", Some("cifs")),
            ("/home/me/nas/2024", Some("cifs")),
            ("/home/me/nas/stick/a", None),
            ("/home/me/nassau", None),
            ("/home/me/ntfs", None),
            ("/home/me/over", None),
            ("/home/me/remote/x", Some("fuse.rclone")),
        ] {
            assert_eq!(mounts.silent_at(Path::new(folder)), kind, "{folder}");
        }
        let below: Vec<&Path> = mounts
            .silent_below(Path::new("/home"))
            .map(|(point, _)| point)
            .collect();
        assert_eq!(
            below,
            [Path::new("/home/me/nas"), Path::new("/home/me/remote")]
        );
    }

    #[test]
    fn the_names_of_silent_file_systems_are_in_order() {
        assert!(SILENT.is_sorted());
    }
}
