//! How much memory this process may have: what the machine has, or less where a control group says so.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Bytes of memory for this process and all that share its limits; none where the system tells nothing.
pub(crate) fn memory_bytes() -> Option<u64> {
    memory_below(Path::new("/"))
}

/// The same of a system whose root is `root`.
fn memory_below(root: &Path) -> Option<u64> {
    let of_machine = read(root, "proc/meminfo").and_then(|text| total(&text));
    let mounts = read(root, "proc/self/mountinfo").unwrap_or_default();
    let groups = read(root, "proc/self/cgroup").unwrap_or_default();
    let of_groups = groups.lines().filter_map(Group::parse);
    let limits = of_groups.flat_map(|group| group.limits(root, &mounts));
    limits.chain(of_machine).min()
}

fn read(root: &Path, path: &str) -> Option<String> {
    fs::read_to_string(root.join(path)).ok()
}

/// `MemTotal:  16384 kB`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

/// The group that this process is in, of one of the two kinds.
struct Group<'a> {
    kind: Kind,
    path: &'a Path,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// One tree for everything.
    Unified,
    /// A tree for memory alone.
    Memory,
}

impl<'a> Group<'a> {
    /// A line of `/proc/self/cgroup`: `0::/path`, or `4:cpu,memory:/path`.
    fn parse(line: &'a str) -> Option<Group<'a>> {
        let mut fields = line.splitn(3, ':');
        let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let kind = match controllers {
            "" if id == "0" => Kind::Unified,
            _ if controllers.split(',').any(|name| name == "memory") => Kind::Memory,
            _ => return None,
        };
        let path = Path::new(path);
        Some(Group { kind, path })
    }

    /// What limits the group and all groups that it is a part of.
    fn limits(&self, root: &Path, mounts: &str) -> Vec<u64> {
        let mount = mounts
            .lines()
            .filter_map(Mount::parse)
            .find(|mount| mount.kind == self.kind);
        let Some(mount) = mount else {
            return Vec::new();
        };
        let top = inside(root, mount.point);
        // In a container, the path may be told as the host sees it, where nothing is; what is mounted is its group then.
        let below = self.path.strip_prefix(mount.root).unwrap_or(Path::new(""));
        let folder = inside(&top, below);
        let limit = |folder: &Path| self.kind.limit(folder);
        let folders = folder
            .ancestors()
            .take_while(|folder| folder.starts_with(&top));
        folders.filter_map(limit).collect()
    }
}

impl Kind {
    /// What limits one group. A number beyond all memory, or `max`, means that nothing does.
    fn limit(self, folder: &Path) -> Option<u64> {
        let files: &[&str] = match self {
            // Above `high` a group is made so slow that it stands still.
            Kind::Unified => &["memory.max", "memory.high"],
            Kind::Memory => &["memory.limit_in_bytes"],
        };
        let limits = files.iter().filter_map(|file| read(folder, file));
        limits.filter_map(|text| text.trim().parse().ok()).min()
    }
}

/// Where groups are mounted.
struct Mount<'a> {
    kind: Kind,
    /// The group that is seen there.
    root: &'a Path,
    point: &'a Path,
}

impl<'a> Mount<'a> {
    /// A line of `/proc/self/mountinfo`: `36 35 98:0 /root /point rw … - cgroup2 cgroup rw,nsdelegate`.
    fn parse(line: &'a str) -> Option<Mount<'a>> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let mut file_system = file_system.split(' ');
        let kind = match file_system.next()? {
            "cgroup2" => Kind::Unified,
            "cgroup"
                if file_system
                    .next_back()?
                    .split(',')
                    .any(|name| name == "memory") =>
            {
                Kind::Memory
            }
            _ => return None,
        };
        Some(Mount {
            kind,
            root: Path::new(root),
            point: Path::new(point),
        })
    }
}

/// A path that is told from the root on, as seen from `folder`; it never leads out of it.
fn inside(folder: &Path, path: &Path) -> PathBuf {
    let names = path
        .components()
        .filter(|part| matches!(part, Component::Normal(_)));
    names.fold(folder.to_owned(), |folder, name| folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIFIED: &str =
        "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    const MEMORY: &str = "33 30 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";

    /// A system with these files.
    fn memory(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        memory_below(root.path())
    }

    const MACHINE: (&str, &str) = ("proc/meminfo", "MemTotal:  4096 kB\nMemFree: 1 kB\n");

    #[test]
    fn the_machine_is_the_limit_where_no_group_is() {
        assert_eq!(memory(&[MACHINE]), Some(4096 << 10));
        let unlimited = [
            MACHINE,
            ("proc/self/cgroup", "0::/a\n"),
            ("proc/self/mountinfo", UNIFIED),
            ("sys/fs/cgroup/a/memory.max", "max\n"),
        ];
        assert_eq!(memory(&unlimited), Some(4096 << 10));
        assert_eq!(memory(&[]), None);
    }

    #[test]
    fn the_smallest_limit_on_the_way_up_counts() {
        let files = [
            MACHINE,
            ("proc/self/cgroup", "0::/user/pixdex/one\n"),
            ("proc/self/mountinfo", UNIFIED),
            ("sys/fs/cgroup/user/pixdex/one/memory.max", "max\n"),
            ("sys/fs/cgroup/user/pixdex/memory.max", "3000000\n"),
            ("sys/fs/cgroup/user/memory.max", "2000000\n"),
            ("sys/fs/cgroup/user/memory.high", "1000000\n"),
            ("sys/fs/cgroup/other/memory.max", "5\n"),
            ("sys/fs/memory.max", "5\n"),
        ];
        assert_eq!(memory(&files), Some(1_000_000));
        assert_eq!(memory(&files[..5]), Some(3_000_000));
    }

    #[test]
    fn the_older_kind_of_group_counts_too_and_either_of_both() {
        let older = [
            MACHINE,
            (
                "proc/self/cgroup",
                "4:cpu:/b\n9:memory,hugetlb:/a/b\n0::/\n",
            ),
            ("proc/self/mountinfo", MEMORY),
            (
                "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "70000\n"),
            ("sys/fs/cgroup/cpu/b/memory.limit_in_bytes", "5\n"),
        ];
        assert_eq!(memory(&older), Some(70_000));
        let both = [MEMORY, UNIFIED].concat();
        let mut both = [&older[..], &[("proc/self/mountinfo", both.as_str())]].concat();
        both.push(("sys/fs/cgroup/memory.max", "60000"));
        assert_eq!(memory(&both), Some(60_000));
    }

    /// A container sees its own group as the top, and may be told the host's path to it.
    #[test]
    fn a_container_finds_its_own_group() {
        let mountinfo = "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        for path in ["/docker/abc", "/", "/../..", "/elsewhere"] {
            let group = format!("0::{path}\n");
            let files = [
                MACHINE,
                ("proc/self/cgroup", group.as_str()),
                ("proc/self/mountinfo", mountinfo),
                ("sys/fs/cgroup/memory.max", "90000\n"),
            ];
            assert_eq!(memory(&files), Some(90_000), "{path}");
        }
    }

    #[test]
    fn this_machine_has_memory() {
        if cfg!(target_os = "linux") {
            assert!(memory_bytes().unwrap() > 100 << 20);
        }
    }
}
